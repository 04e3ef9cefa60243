package sqlite

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/arbridge/arbridge/pkg/store"
)

var errRefused = errors.New("refused by the test")

// TestGroups: in one stream of concurrent changes, those that are refused leave nothing and those that are not stay.
func TestGroups(t *testing.T) {
	s := mustOpen(t, temp(t))
	ctx := t.Context()
	mustWrite(t, s, record("taken", `{"by":"nobody"}`))
	if err := s.Exec(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`CREATE TABLE mine (n INTEGER PRIMARY KEY)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	const n = 200
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(3)
		go func() {
			defer wg.Done()
			if _, err := s.Write(ctx, record(fmt.Sprint("good/", i), fmt.Sprintf(`{"n":%d}`, i))); err != nil {
				t.Errorf("good write %d: %v", i, err)
			}
		}()
		go func() {
			defer wg.Done()
			taken := record("taken", `{"by":"somebody"}`)
			taken.If = store.IfAbsent
			if _, err := s.Write(ctx, record(fmt.Sprint("bad/", i), `{}`), taken); !errors.Is(err, store.ErrExists) {
				t.Errorf("bad write %d: %v", i, err)
			}
		}()
		go func() {
			defer wg.Done()
			err := s.Exec(ctx, func(tx *sql.Tx) error {
				if _, err := tx.Exec(`INSERT INTO mine (n) VALUES (?)`, i); err != nil {
					return err
				}
				if i%2 == 1 {
					return errRefused
				}
				return nil
			})
			if (i%2 == 1) != errors.Is(err, errRefused) {
				t.Errorf("change %d: %v", i, err)
			}
		}()
	}
	wg.Wait()
	for query, want := range map[string]int{
		`SELECT count(*) FROM records WHERE id LIKE 'good/%'`:                               n,
		`SELECT count(*) FROM records WHERE id LIKE 'bad/%'`:                                0,
		`SELECT count(*) FROM records WHERE id = 'taken' AND data = '{"by":"nobody"}'`:      1,
		`SELECT count(*) FROM mine`:                                                         n / 2,
		`SELECT count(*) FROM mine WHERE n % 2 = 1`:                                         0,
		`SELECT count(*) FROM (SELECT version FROM records GROUP BY 1 HAVING count(*) > 1)`: 0,
	} {
		if got := count(t, s, query); got != want {
			t.Errorf("%s gives %d, want %d", query, got, want)
		}
	}
}

func count(t *testing.T, s *Store, query string) int {
	t.Helper()
	var n int
	if err := s.Read(t.Context(), func(db *sql.DB) error { return db.QueryRow(query).Scan(&n) }); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// TestLostTransaction: a change that ends the shared transaction costs the others nothing.
func TestLostTransaction(t *testing.T) {
	s := mustOpen(t, temp(t))
	group := make([]*task, 5)
	for i := range group {
		b := &batch{writes: []store.Write{record(fmt.Sprint("k", i), `{}`)}, data: []string{`{}`}}
		group[i] = &task{run: b.apply, done: make(chan error, 1)}
	}
	group[2].run = func(tx *transaction) error {
		return tx.guarded(func(tx *sql.Tx) error {
			_, err := tx.Exec(`ROLLBACK`)
			return errors.Join(err, errRefused)
		})
	}
	s.writer.commit(group) // nobody else writes: the writer's goroutine waits
	for i, task := range group {
		if err := <-task.done; (i == 2) != errors.Is(err, errRefused) || i != 2 && err != nil {
			t.Errorf("task %d: %v", i, err)
		}
	}
	if n := count(t, s, `SELECT count(*) FROM records`); n != 4 {
		t.Errorf("%d documents are stored, want 4", n)
	}
	mustWrite(t, s, record("after", `{}`))
}

// TestCancelledExec: a context that ends inside a change undoes that change alone.
func TestCancelledExec(t *testing.T) {
	s := mustOpen(t, temp(t))
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Exec(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `CREATE TABLE mine (n INTEGER)`); err != nil {
			return err
		}
		cancel()
		_, err := tx.ExecContext(ctx, `INSERT INTO mine (n) VALUES (1)`)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Exec = %v; want context.Canceled", err)
	}
	if n := count(t, s, `SELECT count(*) FROM sqlite_schema WHERE name = 'mine'`); n != 0 {
		t.Errorf("a change that returned an error left its table")
	}
	mustWrite(t, s, record("after", `{}`))
}

// TestWithdrawnWrite: a caller who gives up before the writer takes the task is not written.
func TestWithdrawnWrite(t *testing.T) {
	s := mustOpen(t, temp(t))
	entered, leave := make(chan struct{}), make(chan struct{})
	busy := make(chan error, 1)
	go func() {
		busy <- s.Exec(t.Context(), func(*sql.Tx) error { close(entered); <-leave; return nil })
	}()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error, 1)
	go func() {
		_, err := s.Write(ctx, record("withdrawn", `{}`))
		cancelled <- err
	}()
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Errorf("Write = %v; want context.Canceled", err)
	}
	close(leave)
	if err := <-busy; err != nil {
		t.Error(err)
	}
	mustWrite(t, s, record("after", `{}`))
	if _, err := s.Get(t.Context(), store.Records, "withdrawn"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a withdrawn write is stored: %v", err)
	}
}

// TestClosingFinishesWaitingWrites: Close while many write either writes or refuses each of them.
func TestClosingFinishesWaitingWrites(t *testing.T) {
	path := temp(t)
	s := mustOpen(t, path)
	const n = 100
	results := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, results[i] = s.Write(t.Context(), record(fmt.Sprint(i), `{}`)) })
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	s = mustOpen(t, path)
	for i, err := range results {
		_, got := s.Get(t.Context(), store.Records, fmt.Sprint(i))
		if err == nil && got != nil || errors.Is(err, ErrClosed) && !errors.Is(got, store.ErrNotFound) || err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("write %d gave %v, reading it later %v", i, err, got)
		}
	}
}

// childFile names the file that a copy of this test writes to until it is killed.
const childFile = "ARBRIDGE_SQLITE_TEST_FILE"

// TestKill: after SIGKILL every acknowledged write is there, no batch is half there, and the file opens at once.
func TestKill(t *testing.T) {
	if path := os.Getenv(childFile); path != "" {
		writeForever(t, path)
	}
	path := temp(t)
	acknowledged := make(map[string]bool)
	for round := range 3 {
		for _, id := range killedRun(t, path, 150*(round+1)) {
			acknowledged[id] = true
		}
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for id := range acknowledged {
			if _, err := s.Get(t.Context(), store.Records, id); err != nil {
				t.Errorf("acknowledged write %s: %v", id, err)
			}
		}
		if n := count(t, s, `SELECT (SELECT count(*) FROM records) - (SELECT count(*) FROM journal)`); n != 0 {
			t.Errorf("%d batches of two documents are half there", n)
		}
		var health string
		if err := s.Read(t.Context(), func(db *sql.DB) error { return db.QueryRow(`PRAGMA integrity_check`).Scan(&health) }); err != nil || health != "ok" {
			t.Errorf("integrity check: %s, %v", health, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killedRun starts a copy of this test, kills it after n acknowledgements and returns all that it gave.
func killedRun(t *testing.T, path string, n int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), childFile+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ids []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "written "); ok {
			ids = append(ids, id)
		}
		if len(ids) == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || len(ids) < n {
		t.Fatalf("child ended with %v after %d writes; want it killed after %d", err, len(ids), n)
	}
	return ids
}

// writeForever writes batches of two documents from several goroutines and says so after each.
func writeForever(t *testing.T, path string) {
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d/%d/%d", os.Getpid(), g, i)
				data := []byte(`{"text":"` + strings.Repeat("x", i%3000) + `"}`)
				_, err := s.Write(context.Background(),
					store.Write{Collection: store.Records, ID: id, Data: data, If: store.IfAbsent},
					store.Write{Collection: store.Journal, ID: id, Data: data, If: store.IfAbsent})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(3)
				}
				fmt.Println("written", id)
			}
		})
	}
	wg.Wait()
}

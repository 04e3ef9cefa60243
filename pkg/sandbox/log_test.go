package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// open opens a log and returns it with what it loaded, as "kind/id=data".
func open(t *testing.T, path string) (*Log, []string) {
	t.Helper()
	var loaded []string
	l, err := Open(path, func(kind, id string, data json.RawMessage) error {
		loaded = append(loaded, kind+"/"+id+"="+string(data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, loaded
}

func commit(t *testing.T, l *Log, changes ...Change) {
	t.Helper()
	if err := l.Commit(changes...); err != nil {
		t.Fatal(err)
	}
}

func expectLoaded(t *testing.T, path string, want ...string) {
	t.Helper()
	if _, got := open(t, path); !slices.Equal(got, want) {
		t.Errorf("loaded %q, want %q", got, want)
	}
}

func TestLogReplays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	l, loaded := open(t, path)
	if len(loaded) != 0 {
		t.Fatalf("a new log holds %q", loaded)
	}
	commit(t, l, Change{"invoice", "1", map[string]string{"n": "a"}}, Change{"invoice", "2", 2})
	commit(t, l, Change{"customer", "1", "c"})
	commit(t, l, Change{"invoice", "1", map[string]string{"n": "b"}})
	commit(t, l, Change{"invoice", "3", 3}, Change{"invoice", "3", nil})
	commit(t, l)
	// Not closed: a killed process closes nothing.
	expectLoaded(t, path, "invoice/2=2", `customer/1="c"`, `invoice/1={"n":"b"}`)
}

func TestLogContinuesAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	for i := range 3 {
		l, loaded := open(t, path)
		if len(loaded) != i {
			t.Fatalf("run %d loaded %q", i, loaded)
		}
		commit(t, l, Change{"k", fmt.Sprint(i), i})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l, _ := open(t, path)
	commit(t, l, Change{"k", "1", nil})
	expectLoaded(t, path, "k/0=0", "k/2=2")
}

func TestTornLastLineIsDropped(t *testing.T) {
	for _, torn := range []string{"x", `[{"k":"k","i":"2","d":2}`, `[{"k":"k","i":"2","d":2}]`} {
		path := filepath.Join(t.TempDir(), "state")
		l, _ := open(t, path)
		commit(t, l, Change{"k", "1", 1})
		appendText(t, path, torn)
		l, loaded := open(t, path)
		if !slices.Equal(loaded, []string{"k/1=1"}) {
			t.Errorf("after %q: loaded %q", torn, loaded)
		}
		commit(t, l, Change{"k", "3", 3})
		expectLoaded(t, path, "k/1=1", "k/3=3")
	}
}

func appendText(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestDamageInTheMiddleIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	l, _ := open(t, path)
	commit(t, l, Change{"k", "1", 1})
	appendText(t, path, "garbage\n")
	_, err := Open(path, func(string, string, json.RawMessage) error { return nil })
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "byte") {
		t.Errorf("error %v, want one that names the file and the place", err)
	}
}

func TestLogErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	l, _ := open(t, path)
	if err := l.Commit(Change{"k", "1", func() {}}); err == nil || !strings.Contains(err.Error(), "k 1") {
		t.Errorf("unencodable data: %v", err)
	}
	commit(t, l, Change{"k", "1", 1})
	refusal := errors.New("unknown kind")
	if _, err := Open(path, func(string, string, json.RawMessage) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("refused object: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Commit(Change{"k", "2", 2}); err == nil {
		t.Error("commit to a closed log succeeded")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "no", "such", "folder"), nil); err == nil {
		t.Error("a log in a missing folder was opened")
	}
	if _, err := Open(t.TempDir(), nil); err == nil {
		t.Error("a folder was opened as a log")
	}
}

func TestLogWithoutAFile(t *testing.T) {
	l, loaded := open(t, "")
	commit(t, l, Change{"k", "1", 1})
	if err := l.Close(); err != nil || loaded != nil {
		t.Errorf("close: %v, loaded %q", err, loaded)
	}
}

func TestLogIsCompacted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	l, _ := open(t, path)
	commit(t, l, Change{"old", "1", "stays"})
	for i := range 3000 {
		commit(t, l, Change{"counter", "1", i})
	}
	before := size(t, path)
	l, loaded := open(t, path)
	want := []string{`old/1="stays"`, "counter/1=2999"}
	if !slices.Equal(loaded, want) || size(t, path) >= before/100 {
		t.Errorf("loaded %q, %d bytes of %d are left", loaded, size(t, path), before)
	}
	commit(t, l, Change{"counter", "1", 3000})
	expectLoaded(t, path, want[0], "counter/1=3000")
	if _, err := os.Stat(path + ".next"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file in between is left: %v", err)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestCommitsAtTheSameTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	l, _ := open(t, path)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for j := range 50 {
				if err := l.Commit(Change{"k", fmt.Sprintf("%d-%d", i, j), strings.Repeat("x", j)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if _, loaded := open(t, path); len(loaded) != 400 {
		t.Errorf("%d objects, want 400", len(loaded))
	}
}

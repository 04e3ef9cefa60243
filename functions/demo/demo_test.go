package demo_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/functions/demo"
)

// demoDir makes the test binary run the demo in this folder instead of tests, so that it can be killed.
const demoDir = "ARBRIDGE_TEST_DEMO"

func TestMain(m *testing.M) {
	if dir := os.Getenv(demoDir); dir != "" {
		if err := demo.Run(context.Background(), options(dir, os.Stdout)); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// options are a business that is small and has every kind of document all the same.
func options(dir string, out io.Writer) demo.Options {
	return demo.Options{Dir: dir, Out: out, Logger: slog.New(slog.DiscardHandler), Seed: 7, Customers: 40, Invoices: 80}
}

// chance is what is different in every run: the numbers that the vendors give payments and receipts, in the order in which
// these came, and the folder.
var chance = regexp.MustCompile(`R2\d{4}|payment[ /]\d+|--data \S+`)

// report is what a demo printed from the tables on, without what differs by chance.
func report(t *testing.T, out []byte) string {
	t.Helper()
	text := string(out)
	from, to := strings.Index(text, "  company"), strings.Index(text, "Look closer")
	if from < 0 || to < from {
		t.Fatalf("the demo did not end with a table:\n%s", text)
	}
	return chance.ReplaceAllString(text[from:to], "…")
}

func child(dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), demoDir+"="+dir)
	return cmd
}

// calm is what a demo prints that nobody disturbs, made once for all tests.
var calm = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "arbridge-demo-calm-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return child(filepath.Join(dir, "demo")).CombinedOutput()
})

// TestKilledDemoEndsTheSame kills the demo again and again. Started once more it must end with the same table and the same
// reasons as a run that nobody disturbed, to the cent and to the document.
func TestKilledDemoEndsTheSame(t *testing.T) {
	calm, err := calm()
	if err != nil {
		t.Fatalf("undisturbed: %v\n%s", err, calm)
	}
	want := report(t, calm)
	if !strings.Contains(string(calm), "Both sides agree to the cent.") {
		t.Fatalf("undisturbed:\n%s", calm)
	}
	dir := filepath.Join(t.TempDir(), "killed")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 6 {
		cmd := child(dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(100+rng.IntN(2000)) * time.Millisecond)
		_ = cmd.Process.Kill() // it may have ended a moment before
		_ = cmd.Wait()
		if _, err := os.Stat(filepath.Join(dir, "done")); err == nil {
			t.Log("the demo ended before the next kill; what follows is a demo of its own")
			break
		}
	}
	var out bytes.Buffer
	cmd := child(dir)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("after the kills: %v\n%s", err, out.String())
	}
	if diff := cmp.Diff(want, report(t, out.Bytes())); diff != "" {
		t.Errorf("killed and continued, the demo ends differently (-calm +killed):\n%s", diff)
	}
}

// TestFaultsChangeNothing lets both vendors lose answers, fail and talk nonsense. The books must be those of a calm run.
func TestFaultsChangeNothing(t *testing.T) {
	calm, err := calm()
	if err != nil {
		t.Fatalf("undisturbed: %v\n%s", err, calm)
	}
	var out bytes.Buffer
	opt := options(filepath.Join(t.TempDir(), "faults"), nil)
	opt.Faults, opt.Out = true, &out
	if err := demo.Run(t.Context(), opt); err != nil {
		t.Fatalf("under faults: %v\n%s", err, out.String())
	}
	if diff := cmp.Diff(report(t, calm), report(t, out.Bytes())); diff != "" {
		t.Errorf("faults changed the end (-calm +faults):\n%s", diff)
	}
}

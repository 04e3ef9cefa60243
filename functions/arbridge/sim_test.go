package main

import (
	"bytes"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/simulation"
)

func TestSimulationArguments(t *testing.T) {
	for _, c := range []struct {
		args, want string // part of what is printed
		code       int
	}{
		{"run --fault rain", "unknown", exitUsage},
		{"run --more 3", "needs --events", exitUsage},
		{"replay --seeds 2", "unknown flag", exitUsage},
		{"run --seed 5 --seeds 2 --events 30", "2 runs", exitOK},
	} {
		code, out, errs := command(t, append([]string{"sim"}, strings.Fields(c.args)...)...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("sim %s: %d, want %d and %q\n%s%s", c.args, code, c.code, c.want, out, errs)
		}
	}
}

// TestPlantedBugIsShown: a run that breaks an invariant is made smaller, and the command that is printed then shows the same again, to
// the byte; without the bug the same run breaks nothing.
func TestPlantedBugIsShown(t *testing.T) {
	const name = "webhook signature not looked at"
	bugs := simulation.Bugs()
	k := slices.IndexFunc(bugs, func(b simulation.Bug) bool { return b.Name == name })
	if k < 0 {
		t.Fatalf("no bug %q", name)
	}
	binary, err := compile(t.Context(), "../..", t.TempDir(), bugs[k])
	if err != nil {
		t.Fatal(err)
	}
	broken := func(args ...string) string {
		t.Helper()
		var code *exec.ExitError
		out, err := exec.CommandContext(t.Context(), binary, args...).Output()
		if !errors.As(err, &code) || code.ExitCode() != exitFailure || !bytes.Contains(out, []byte(bugs[k].Invariant)) {
			t.Fatalf("%s: %v\n%s", args, err, out)
		}
		return string(out)
	}
	lines := strings.Split(strings.TrimSpace(broken("sim", "run", "--stop", "--seeds", "1000")), "\n")
	again, ok := strings.CutPrefix(lines[len(lines)-1], "arbridge ")
	if !ok || !slices.Contains(lines, "The smallest run like it:") {
		t.Fatalf("no command to repeat it:\n%s", strings.Join(lines, "\n"))
	}
	args := split(again)
	first := broken(args...)
	if second := broken(args...); second != first {
		t.Errorf("%s is not repeated exactly", again)
	}
	if code, out, errs := command(t, args...); code != exitOK {
		t.Errorf("%s breaks an invariant without the bug: %d\n%s%s", again, code, out, errs)
	}
}

// split cuts a command at its blanks, outside of quotes.
func split(line string) []string {
	var out []string
	for k, part := range strings.Split(line, `"`) {
		if k%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}

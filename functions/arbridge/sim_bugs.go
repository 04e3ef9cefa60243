package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/arbridge/arbridge/pkg/simulation"
)

// simBugsCommand shows that the simulation notices mistakes: it compiles arbridge with each one, and runs that.
func simBugsCommand() *cobra.Command {
	var root string
	var only []string
	var seeds int
	c := &cobra.Command{
		Use:   "bugs",
		Short: "Plant bugs in arbridge one by one, and see how many seeds it takes to notice each",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return plantBugs(cmd.Context(), cmd.OutOrStdout(), root, only, seeds)
		},
	}
	c.Flags().StringVar(&root, "root", ".", "the folder of the source")
	c.Flags().StringArrayVar(&only, "bug", nil, "only bugs with this name, repeatable")
	c.Flags().IntVar(&seeds, "seeds", 1000, "seeds to try")
	return c
}

func plantBugs(ctx context.Context, out io.Writer, root string, only []string, seeds int) error {
	dir, err := os.MkdirTemp("", "arbridge-bugs-")
	if err != nil {
		return fmt.Errorf("planting bugs: %w", err)
	}
	defer os.RemoveAll(dir)
	fmt.Fprintf(out, "%-48s %8s  %s\n", "bug", "seeds", "invariant")
	missed := 0
	for _, b := range simulation.Bugs() {
		if len(only) > 0 && !slices.Contains(only, b.Name) {
			continue
		}
		text, found, err := plant(ctx, root, dir, b, seeds)
		if err != nil {
			return fmt.Errorf("bug %q: %w", b.Name, err)
		}
		if !found {
			missed++
		}
		fmt.Fprintf(out, "%-48s %s\n", b.Name, text)
	}
	if missed > 0 {
		return exit{exitFailure, fmt.Errorf("%d bugs were not noticed", missed)}
	}
	return nil
}

// compile makes an arbridge with a bug, in dir.
func compile(ctx context.Context, root, dir string, b simulation.Bug) (binary string, err error) {
	file, err := filepath.Abs(filepath.Join(root, b.File))
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), b.Old); n != 1 {
		return "", fmt.Errorf("%q occurs %d times in %s", b.Old, n, b.File)
	}
	changed, overlay, binary := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "arbridge")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		return "", err
	}
	for name, content := range map[string]string{changed: strings.Replace(string(text), b.Old, b.New, 1), overlay: string(replace)} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-overlay", overlay, "-o", binary, "./functions/arbridge")
	build.Dir = root
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling it: %w: %s", err, said)
	}
	return binary, nil
}

// plant compiles arbridge with a bug and runs its simulation until an invariant breaks.
func plant(ctx context.Context, root, dir string, b simulation.Bug, seeds int) (string, bool, error) {
	binary, err := compile(ctx, root, dir, b)
	if err != nil {
		return "", false, err
	}
	run := exec.CommandContext(ctx, binary, "sim", "run", "--json", "--stop", "--seeds", strconv.Itoa(seeds))
	said, err := run.Output()
	var report simulation.Report
	if unreadable := json.Unmarshal(said, &report); unreadable != nil {
		return "", false, fmt.Errorf("running it: %w, %w", err, unreadable)
	}
	if len(report.Failed) == 0 {
		return fmt.Sprintf("%8s  not noticed", "-"), false, nil
	}
	first := report.Failed[0]
	var broken []string
	for _, v := range first.Violations {
		if !slices.Contains(broken, v.Invariant) {
			broken = append(broken, v.Invariant)
		}
	}
	note := ""
	if !slices.Contains(broken, b.Invariant) {
		note = " (expected: " + b.Invariant + ")"
	}
	return fmt.Sprintf("%8d  %s%s", first.Seed, strings.Join(broken, "; "), note), true, nil
}

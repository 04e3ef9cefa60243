package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/arbridge/arbridge/pkg/simulation"
)

// simOptions are the flags of the sim commands.
type simOptions struct {
	seed         uint64
	seeds        int
	events, more int
	workers      int
	faults       []string
	skip         []int
	json, stop   bool
}

// simCommand is for those who work on arbridge: it needs no configuration and calls nobody.
func simCommand() *cobra.Command {
	c := &cobra.Command{
		Use:    "sim",
		Short:  "Run the whole of arbridge against both sandboxes in virtual time, with faults, from a seed",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE:   func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(simRunCommand(), simReplayCommand(), simBugsCommand())
	return c
}

func (o *simOptions) flags(c *cobra.Command) {
	c.Flags().Uint64Var(&o.seed, "seed", 1, "the seed, or the first one")
	c.Flags().IntVar(&o.events, "events", 0, "events that people cause; 0: 24 to 180, by the seed, and more where few come of them")
	c.Flags().IntVar(&o.more, "more", 0, "events that people cause in the end, with --events")
	c.Flags().IntVar(&o.workers, "workers", 0, "processes; 0: 2 to 6, by the seed")
	c.Flags().StringArrayVar(&o.faults, "fault", nil, `a kind of fault that may happen, repeatable; "none"; default: about half of all kinds, by the seed`)
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
}

func (o *simOptions) options() (simulation.Options, error) {
	opt := simulation.Options{Seed: o.seed, Events: o.events, More: o.more, Workers: o.workers}
	if o.more > 0 && o.events == 0 {
		return opt, errors.New("--more needs --events: without it the seed tells both")
	}
	for _, name := range o.faults {
		if opt.Faults == nil {
			opt.Faults = []simulation.Fault{} // given, if only as none
		}
		if name == "none" {
			continue
		}
		if !slices.Contains(simulation.Faults(), simulation.Fault(name)) {
			return opt, fmt.Errorf("fault %q is unknown; use one of %q", name, simulation.Faults())
		}
		opt.Faults = append(opt.Faults, simulation.Fault(name))
	}
	for _, n := range o.skip {
		if opt.Skip == nil {
			opt.Skip = map[int]bool{}
		}
		opt.Skip[n] = true
	}
	return opt, nil
}

// errSimulation is an invariant that does not hold.
var errSimulation = errors.New("an invariant does not hold")

func simRunCommand() *cobra.Command {
	var o simOptions
	c := &cobra.Command{
		Use:   "run",
		Short: "Make the runs of one seed, or of many",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := o.options()
			if err != nil {
				return usage(cmd, err)
			}
			return o.run(cmd, opt)
		},
	}
	o.flags(c)
	c.Flags().IntVar(&o.seeds, "seeds", 1, "how many seeds, from the first on")
	c.Flags().BoolVar(&o.stop, "stop", false, "end after the first run that fails")
	return c
}

func (o *simOptions) run(cmd *cobra.Command, opt simulation.Options) error {
	debug.SetGCPercent(800)    // runs are short and small
	runtime.MemProfileRate = 0 // nobody looks
	sim, out := simulation.New(), cmd.OutOrStdout()
	report, err := sim.RunMany(cmd.Context(), o.seeds, o.stop, opt, nil)
	if err != nil {
		return fmt.Errorf("simulation: %w", err)
	}
	if o.json {
		err = json.NewEncoder(out).Encode(report)
	} else {
		report.Print(out)
	}
	if err != nil || len(report.Failed) == 0 {
		return err
	}
	if !o.json {
		if err := o.smaller(sim, out, report.Failed[0], opt); err != nil {
			return err
		}
	}
	return exit{exitFailure, fmt.Errorf("%d of %d runs: %w", len(report.Failed), report.Runs, errSimulation)}
}

// smaller prints the smallest run that was found to break the same invariant, and how to see it again.
func (o *simOptions) smaller(sim *simulation.Simulator, out io.Writer, failed simulation.Result, opt simulation.Options) error {
	opt.Seed = failed.Seed
	small, opt, err := sim.Shrink(failed, opt, 200)
	if err != nil {
		return fmt.Errorf("simulation: %w", err)
	}
	fmt.Fprintf(out, "\nThe smallest run like it:\n")
	small.Print(out)
	fmt.Fprintf(out, "\narbridge sim replay --seed %d --events %d --workers %d", opt.Seed, opt.Events, opt.Workers)
	if opt.More > 0 {
		fmt.Fprintf(out, " --more %d", opt.More)
	}
	for _, f := range opt.Faults {
		fmt.Fprintf(out, " --fault %q", f)
	}
	if opt.Faults != nil && len(opt.Faults) == 0 {
		fmt.Fprint(out, " --fault none")
	}
	if len(opt.Skip) > 0 {
		var skip []string
		for n := range small.Events {
			if opt.Skip[n] {
				skip = append(skip, fmt.Sprint(n))
			}
		}
		fmt.Fprintf(out, " --skip %s", strings.Join(skip, ","))
	}
	fmt.Fprintln(out)
	return nil
}

func simReplayCommand() *cobra.Command {
	var o simOptions
	c := &cobra.Command{
		Use:   "replay",
		Short: "Make the run of a seed once more, and print everything that happens",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := o.options()
			if err != nil {
				return usage(cmd, err)
			}
			opt.Keep = true
			r, err := simulation.New().Run(opt)
			if err != nil {
				return fmt.Errorf("simulation: %w", err)
			}
			if o.json {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			} else {
				r.Print(cmd.OutOrStdout())
			}
			if err == nil && len(r.Violations) > 0 {
				err = exit{exitFailure, errSimulation}
			}
			return err
		},
	}
	o.flags(c)
	c.Flags().IntSliceVar(&o.skip, "skip", nil, "numbers of events that are left out, as a failing run names them")
	return c
}

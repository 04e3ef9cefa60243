package main

import (
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/arbridge/arbridge/functions/demo"
)

func runCommand() *cobra.Command {
	var opt demo.Options
	cmd := &cobra.Command{
		Use: "run", Short: "Run arbridge against both sandboxes until Ctrl-C", Args: cobra.NoArgs,
		Long: "Start the two vendors' sandboxes with a made-up business and arbridge on the embedded stack, in one process, and let the\n" +
			"business go on: invoices are posted, customers view, comment and pay. A second run continues from the same folder.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt.Live, opt.Tick = true, 3*time.Second
			return play(cmd, opt)
		},
	}
	demoFlags(cmd, &opt, ".data/run")
	return cmd
}

func demoCommand() *cobra.Command {
	var opt demo.Options
	cmd := &cobra.Command{
		Use: "demo", Short: "Run ninety days of business to an end and compare both sides", Args: cobra.NoArgs,
		Long: "Play a made-up business through both sandboxes to an end and compare the two sides. The exit code is 0 only if they\n" +
			"agree to the cent, else 3. The demo can be killed at any moment and started again: it ends with the same table.",
		RunE: func(cmd *cobra.Command, _ []string) error { return play(cmd, opt) },
	}
	demoFlags(cmd, &opt, ".data/demo")
	cmd.Flags().BoolVar(&opt.Faults, "faults", false, "let both vendors misbehave: lost answers, errors, pages instead of JSON")
	return cmd
}

func demoFlags(cmd *cobra.Command, opt *demo.Options, dir string) {
	cmd.Flags().StringVar(&opt.Dir, "data", dir, "folder of the data")
	cmd.Flags().Uint64Var(&opt.Seed, "seed", 1, "seed of the business")
	cmd.Flags().IntVar(&opt.Customers, "customers", 80, "customers of the business, at least 40")
	cmd.Flags().IntVar(&opt.Invoices, "invoices", 600, "documents of the business, at least 80")
}

// play runs the demo with its log in a file, because the terminal shows the progress.
func play(cmd *cobra.Command, opt demo.Options) error {
	opt.Out = cmd.OutOrStdout()
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return err
	}
	var w io.Writer = cmd.ErrOrStderr()
	if f, err := os.OpenFile(filepath.Join(filepath.Dir(opt.Dir), filepath.Base(opt.Dir)+".log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err == nil {
		defer f.Close()
		w = f
	}
	opt.Logger = logger(w, false, "text", "")
	return demo.Run(cmd.Context(), opt)
}

func benchCommand() *cobra.Command {
	return &cobra.Command{
		Use: "bench", Short: "Measure what arbridge costs: calls, webhook, memory, start", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			return demo.Bench(cmd.Context(), cmd.OutOrStdout(), self)
		},
	}
}

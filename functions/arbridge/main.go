// Command arbridge keeps an ERP's receivables and a payment portal in step. One binary is everything: the functions on
// Google Cloud (FUNCTION_TARGET chooses one), the embedded server, the demo, and the operator's tool.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // zones for images without them

	"github.com/spf13/cobra"

	"github.com/arbridge/arbridge/functions/demo"
)

// The exit codes of every command.
const (
	exitOK          = 0
	exitFailure     = 1 // something did not work
	exitUsage       = 2 // the command line is wrong
	exitDifferences = 3 // both sides were compared and differ
	exitAttention   = 4 // it worked, and something needs a person
)

// exit is an error that chooses the exit code.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if target := os.Getenv("FUNCTION_TARGET"); target != "" && len(args) == 0 {
		args = []string{"function", target}
	}
	root := commands()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var e exit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &e):
		if e.err != nil {
			fmt.Fprintln(stderr, "arbridge:", e.err)
		}
		return e.code
	case errors.Is(err, demo.ErrDifferences):
		fmt.Fprintln(stderr, "arbridge:", err)
		return exitDifferences
	}
	fmt.Fprintln(stderr, "arbridge:", err)
	return exitFailure
}

func commands() *cobra.Command {
	root := &cobra.Command{
		Use:   "arbridge",
		Short: "Keep an ERP's receivables and a payment portal in step",
		Long: "arbridge keeps an ERP's receivables and a payment portal in step: posted invoices go out, payments come back as cash\n" +
			"receipts, and every cent on either side is explained.\n\n" +
			"Exit codes: 0 fine, 1 failure, 2 usage, 3 differences found, 4 needs attention.",
		SilenceUsage: true, SilenceErrors: true,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, err) })
	root.CompletionOptions.DisableDefaultCmd = true
	for _, c := range []*cobra.Command{
		runCommand(), demoCommand(), serveCommand(), tickCommand(), listCommand(), showCommand(), configCommand(), functionCommand(), benchCommand(),
		issuesCommand(), digestCommand(),
		reconcileCommand(), simCommand(),
	} {
		root.AddCommand(c)
	}
	root.AddCommand(operatorCommands()...)
	strict(root)
	return root
}

// strict makes wrong arguments a usage error, in the command and below it.
func strict(c *cobra.Command) {
	if args := c.Args; args != nil {
		c.Args = func(cmd *cobra.Command, given []string) error {
			if err := args(cmd, given); err != nil {
				return usage(cmd, err)
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

func usage(cmd *cobra.Command, err error) error {
	return exit{exitUsage, fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
}

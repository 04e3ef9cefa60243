package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/arbridge/arbridge/functions/host"
	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/functions/view"
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store/sqlite"
)

// desk is where an operator's command is carried out: by the server that has the data folder, or here when none has.
type desk struct {
	place
	addr    string
	actor   string
	asJSON  bool
	verbose bool
	request host.Request
}

// flags adds what every command of an operator takes.
func (d *desk) flags(cmd *cobra.Command) {
	d.place.flags(cmd)
	actor := os.Getenv("USER")
	if actor == "" {
		actor = "operator"
	}
	cmd.Flags().StringVar(&d.addr, "addr", "127.0.0.1:8080", "address of the server, where one runs on the data folder")
	cmd.Flags().StringVar(&d.actor, "actor", actor, "who does it, for the audit ($USER)")
	cmd.Flags().StringVar(&d.request.Reason, "reason", "", "why, for the audit")
	cmd.Flags().StringVar(&d.request.Company, "company", "", "only this company")
	cmd.Flags().BoolVar(&d.asJSON, "json", false, "JSON with schema "+host.OperatorSchema)
	cmd.Flags().BoolVar(&d.verbose, "verbose", false, "log to standard error, where no server runs")
}

func (d *desk) kindFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar((*string)(&d.request.Kind), "kind", "", "only this kind: invoice (credits too), payment, customer")
}

func (d *desk) log(cmd *cobra.Command) *slog.Logger {
	if !d.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return logger(cmd.ErrOrStderr(), true, "text", "")
}

// check finds what is wrong with the command line before anything is opened.
func (d *desk) check(cmd *cobra.Command, cfg *config.Config) error {
	r := d.request
	if r.Kind != "" && !slices.Contains([]billing.Kind{billing.KindInvoice, billing.KindPayment, billing.KindCustomer}, r.Kind) {
		return usage(cmd, fmt.Errorf("kind %q is none of invoice, payment, customer", r.Kind))
	}
	if r.Flow != "" && !slices.Contains(record.Flows(), r.Flow) {
		return usage(cmd, fmt.Errorf("flow %q is none of %s", r.Flow, strings.Join(record.Flows(), ", ")))
	}
	if r.Since != "" {
		if _, err := time.Parse(time.DateOnly, string(r.Since)); err != nil {
			return usage(cmd, fmt.Errorf("--since %q is no date like 2026-01-31", r.Since))
		}
	}
	if strings.TrimSpace(d.actor) == "" {
		return usage(cmd, errors.New("--actor is empty"))
	}
	if _, ok := cfg.Company(r.Company); r.Company != "" && !ok {
		return usage(cmd, fmt.Errorf("company %q is not configured", r.Company))
	}
	return nil
}

// caller carries out actions until it is closed.
type caller struct {
	do    func(ctx context.Context, action string, r host.Request) (host.Answer, error)
	close func() error
}

// open finds who carries actions out.
func (d *desk) open(cmd *cobra.Command) (caller, error) {
	cfg, err := d.load()
	if err != nil {
		return caller{}, err
	}
	if err := d.check(cmd, cfg); err != nil {
		return caller{}, err
	}
	d.request.Actor = d.actor
	if !cfg.Deployment.Cloud.Configured() {
		if _, err := os.Stat(filepath.Join(d.data, platform.StateFile)); err != nil {
			return caller{}, fmt.Errorf("opening store: %w; is this the data folder of arbridge?", err)
		}
	}
	p, err := platform.Open(cmd.Context(), cfg, platform.Options{DataDir: d.data, Clock: clock.System{}, Logger: d.log(cmd)})
	if errors.Is(err, sqlite.ErrInUse) {
		return caller{do: d.remote, close: func() error { return nil }}, nil
	}
	if err != nil {
		return caller{}, err
	}
	return caller{do: host.NewOperator(p).Do, close: p.Close}, nil
}

// remote asks the running server.
func (d *desk) remote(ctx context.Context, action string, r host.Request) (host.Answer, error) {
	var out host.Answer
	body, err := json.Marshal(r)
	if err != nil {
		return out, err
	}
	res, err := running{d.data, d.addr}.post(ctx, "/operator/"+action, body, 10*time.Minute)
	if err != nil {
		return out, fmt.Errorf("a server has the data folder %s: %w", d.data, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return out, fmt.Errorf("reading the server's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		var failed host.ErrorAnswer
		if json.Unmarshal(text, &failed) != nil || failed.Error == "" {
			failed.Error = fmt.Sprintf("the server answered %d: %s", res.StatusCode, strings.TrimSpace(string(text)))
		}
		if failed.Kind == "nothing" {
			return out, nothing{failed.Error}
		}
		return out, errors.New(failed.Error)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return out, fmt.Errorf("reading the server's answer: %w", err)
	}
	return out, nil
}

// nothing is the server's answer that there is nothing of what was asked for.
type nothing struct{ text string }

// Error implements error.
func (n nothing) Error() string { return n.text }

// Is makes it the error that the engine would give.
func (n nothing) Is(target error) bool { return target == engine.ErrNothing }

// run does one action and prints what came of it.
func (d *desk) run(cmd *cobra.Command, action string) error {
	c, err := d.open(cmd)
	if err != nil {
		return err
	}
	answer, err := c.do(cmd.Context(), action, d.request)
	if err = errors.Join(err, c.close()); err != nil {
		if errors.Is(err, host.ErrRequest) {
			return usage(cmd, err)
		}
		return err
	}
	if d.asJSON {
		err = view.JSON(cmd.OutOrStdout(), answer)
	} else {
		err = printAnswer(cmd.OutOrStdout(), answer)
	}
	return errors.Join(err, attention(answer))
}

// attention makes the exit code say that a record needs a person.
func attention(a host.Answer) error {
	for _, r := range a.Records {
		if r.Status == record.Attention {
			return exit{code: exitAttention}
		}
	}
	return nil
}

func printAnswer(w io.Writer, a host.Answer) error {
	for _, r := range a.Records {
		fmt.Fprintf(w, "%s %s %s: %s%s\n", r.Company, r.Kind, r.Number, words(string(r.Status)), because(r.Text))
	}
	for _, e := range a.Events {
		fmt.Fprintf(w, "%s event %s (%s): %s%s\n", e.Company, e.Event, e.Type, e.State, because(e.Effect))
	}
	for _, l := range a.DeadLetters {
		fmt.Fprintf(w, "dead letter %s of %s, %s, given up %s after %d attempts%s\n", l.ID, l.Queue, l.Key, l.DiedAt.Format("2006-01-02 15:04:05"), l.Attempts, because(l.Reason))
	}
	if len(a.Companies) > 0 {
		what := map[string]string{host.ActionPause: "paused", host.ActionResume: "resumed"}[a.Action]
		fmt.Fprintf(w, "%s: %s", what, strings.Join(a.Companies, ", "))
		if a.Woken > 0 {
			fmt.Fprintf(w, "; %d records and events go on", a.Woken)
		}
		fmt.Fprintln(w)
	}
	if a.Action == host.ActionDeadLetters && len(a.DeadLetters) == 0 {
		fmt.Fprintln(w, "There are no dead letters.")
	}
	return nil
}

func words(status string) string { return strings.ReplaceAll(status, "_", " ") }

func because(text string) string {
	if text == "" {
		return ""
	}
	return " — " + text
}

// one is a command that does one action.
func (d *desk) one(action string, cmd *cobra.Command, takesTarget bool) *cobra.Command {
	cmd.Args = cobra.NoArgs
	if takesTarget {
		cmd.Args = cobra.ExactArgs(1)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if takesTarget {
			d.request.Target = args[0]
		}
		return d.run(cmd, action)
	}
	d.flags(cmd)
	return cmd
}

// operatorCommands are the commands with which people act.
func operatorCommands() []*cobra.Command {
	replay, ignore, unignore, pause, resume := &desk{}, &desk{}, &desk{}, &desk{}, &desk{}
	out := []*cobra.Command{
		syncCommand(),
		replay.one(host.ActionReplay, &cobra.Command{
			Use: "replay EVENT|NUMBER", Short: "Handle a received event, or work on a number, again",
			Long: "Handle an event of the inbox again, whatever became of it before; or work on every record with a number and drop the\n" +
				"messages about it that were given up. What has happened once does not happen twice.",
		}, true),
		ignore.one(host.ActionIgnore, &cobra.Command{Use: "ignore NUMBER --reason TEXT", Short: "Leave a record alone until it is unignored"}, true),
		unignore.one(host.ActionUnignore, &cobra.Command{Use: "unignore NUMBER", Short: "Let an ignored record take part again"}, true),
		pause.one(host.ActionPause, &cobra.Command{
			Use: "pause --reason TEXT", Short: "Stop a company's work, or one flow of it, until it is resumed",
			Long: "Stop a flow: its records are still noted, wait, and say who paused them and why. --flow all stops polling as well.\n" +
				"--read-only lets everything be planned and nothing be written.",
		}, false),
		resume.one(host.ActionResume, &cobra.Command{Use: "resume", Short: "End a pause and wake what waited"}, false),
		deadLettersCommand(), statusCommand(), backfillCommand(), auditCommand(), resolveCommand(),
	}
	for i, d := range map[int]*desk{1: replay, 2: ignore, 3: unignore} {
		d.kindFlag(out[i])
	}
	for i, d := range map[int]*desk{4: pause, 5: resume} {
		out[i].Flags().StringVar(&d.request.Flow, "flow", record.FlowAll, "what: "+strings.Join(record.Flows(), ", "))
	}
	out[4].Flags().BoolVar(&pause.request.ReadOnly, "read-only", false, "write nothing to the vendors, but plan; instead of pausing a flow")
	return out
}

// resolveCommand takes a person's decision about a payment.
func resolveCommand() *cobra.Command {
	d := &desk{}
	var distinct, balance bool
	cmd := d.one(host.ActionResolve, &cobra.Command{
		Use: "resolve PAYMENT --adopt RECEIPT | --distinct | --accept-balance", Short: "Decide what only a person can decide about a payment",
		Long: "--adopt names the receipt that somebody keyed in for the payment: it is taken as it is, and none is posted. --distinct says\n" +
			"that none of the similar receipts is the payment's: it is posted. --accept-balance says that the balances in the ERP are\n" +
			"right after the payment's receipts, or were put right there.",
	}, true)
	cmd.Flags().StringVar(&d.request.Receipt, "adopt", "", "number of the ERP's receipt that is this payment's")
	cmd.Flags().BoolVar(&distinct, "distinct", false, "none of the similar receipts is this payment's")
	cmd.Flags().BoolVar(&balance, "accept-balance", false, "the balances in the ERP are right")
	cmd.MarkFlagsMutuallyExclusive("adopt", "distinct", "accept-balance")
	cmd.MarkFlagsOneRequired("adopt", "distinct", "accept-balance")
	cmd.PreRun = func(*cobra.Command, []string) {
		switch {
		case distinct:
			d.request.Decision = host.DecideDistinct
		case balance:
			d.request.Decision = host.DecideBalance
		default:
			d.request.Decision = host.DecideAdopt
		}
	}
	return cmd
}

func deadLettersCommand() *cobra.Command {
	list, replay, discard := &desk{}, &desk{}, &desk{}
	cmd := &cobra.Command{
		Use: "dead-letters", Short: "Messages that were given up (embedded stack)", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		list.one(host.ActionDeadLetters, &cobra.Command{Use: "list", Short: "List them"}, false),
		replay.one(host.ActionDeadReplay, &cobra.Command{Use: "replay ID|all", Short: "Put them back into their queue"}, true),
		discard.one(host.ActionDeadDiscard, &cobra.Command{Use: "discard ID|all", Short: "Remove them for good"}, true),
	)
	return cmd
}

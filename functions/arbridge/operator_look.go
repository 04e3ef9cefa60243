package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/arbridge/arbridge/functions/host"
	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/functions/view"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/record"
)

// The schemas of what is only looked at.
const (
	statusSchema   = "arbridge/status/v1"
	auditSchema    = "arbridge/audit/v1"
	backfillSchema = "arbridge/backfill-plan/v1"
)

// look runs something for each company of the command on the data as it is.
func (d *desk) look(cmd *cobra.Command, each func(t *platform.Trial, company string) error) error {
	t, err := d.trial(cmd, false)
	if err != nil {
		return err
	}
	for _, id := range t.Engine.CompanyIDs() {
		if d.request.Company == "" || d.request.Company == id {
			if err := each(t, id); err != nil {
				return errors.Join(err, t.Close())
			}
		}
	}
	return t.Close()
}

// lookFlags are the flags of commands that change nothing.
func (d *desk) lookFlags(cmd *cobra.Command, schema string) *cobra.Command {
	d.place.flags(cmd)
	d.actor = "nobody"
	cmd.Flags().StringVar(&d.request.Company, "company", "", "only this company")
	cmd.Flags().BoolVar(&d.asJSON, "json", false, "JSON with schema "+schema)
	return cmd
}

func statusCommand() *cobra.Command {
	d := &desk{}
	return d.lookFlags(&cobra.Command{
		Use: "status", Short: "Show how each company is doing", Args: cobra.NoArgs,
		Long: "Show mode, pauses, the last poll, the records by status, the circuit breakers and the writes whose outcome is unknown.\n" +
			"The exit code is 4 when a record needs attention or a vendor is not called.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer := struct {
				Schema    string                 `json:"schema"`
				Companies []engine.CompanyStatus `json:"companies"`
			}{statusSchema, []engine.CompanyStatus{}}
			err := d.look(cmd, func(t *platform.Trial, company string) error {
				s, err := t.Engine.Status(cmd.Context(), company)
				answer.Companies = append(answer.Companies, s)
				return err
			})
			if err != nil {
				return err
			}
			if d.asJSON {
				err = view.JSON(cmd.OutOrStdout(), answer)
			} else {
				err = printStatus(cmd.OutOrStdout(), answer.Companies)
			}
			for _, s := range answer.Companies {
				stopped := slices.ContainsFunc(s.Breakers, func(b record.Breaker) bool { return b.State == record.BreakerOpen })
				if err == nil && (stopped || s.Counts[record.Attention] > 0) {
					err = exit{code: exitAttention}
				}
			}
			return err
		},
	}, statusSchema)
}

func printStatus(w io.Writer, companies []engine.CompanyStatus) error {
	for _, s := range companies {
		fmt.Fprintf(w, "%s: %s", s.Company, words(s.Mode))
		if !s.Enabled {
			fmt.Fprint(w, ", not enabled")
		}
		fmt.Fprintln(w)
		for _, flow := range (record.Control{Paused: s.Paused}).Flows() {
			fmt.Fprintf(w, "  %s paused by %s since %s: %s\n", flow, s.Paused[flow].Actor, s.Paused[flow].At.Text(), s.Paused[flow].Reason)
		}
		if s.ReadOnly != nil {
			fmt.Fprintf(w, "  read-only by %s since %s: %s\n", s.ReadOnly.Actor, s.ReadOnly.At.Text(), s.ReadOnly.Reason)
		}
		if p := s.LastPoll; p != nil {
			fmt.Fprintf(w, "  last poll %s: read %d, changed %d, unusable %d%s\n", p.StartedAt.Text(), p.Read, p.Changed, p.Bad, because(p.Error))
		}
		var counts []string
		for _, st := range allStatuses {
			if n := s.Counts[st]; n > 0 {
				counts = append(counts, fmt.Sprintf("%d %s", n, words(string(st))))
			}
		}
		fmt.Fprintf(w, "  records: %s\n", orDash(strings.Join(counts, ", ")))
		for _, b := range s.Breakers {
			if b.State == record.BreakerOpen {
				fmt.Fprintf(w, "  %s is not called until %s, after %d failures%s\n", b.Vendor, b.Until.Text(), b.Failures, because(b.Problem))
			}
		}
		if len(s.Unknowns) > 0 {
			fmt.Fprintf(w, "  being looked up: %s\n", strings.Join(s.Unknowns, ", "))
		}
		if b := s.Backfill; b != nil && b.State == record.BackfillRunning {
			fmt.Fprintf(w, "  backfill under way: looked at %d, scheduled %d\n", b.Looked, b.Scheduled)
		}
	}
	return nil
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

func auditCommand() *cobra.Command {
	d := &desk{}
	limit := 100
	cmd := d.lookFlags(&cobra.Command{
		Use: "audit", Short: "List what operators did, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 1000 {
				return usage(cmd, errors.New("--limit must be 1 to 1000"))
			}
			answer := struct {
				Schema  string         `json:"schema"`
				Entries []record.Audit `json:"entries"`
			}{auditSchema, []record.Audit{}}
			err := d.look(cmd, func(t *platform.Trial, company string) error {
				log, err := t.Engine.AuditLog(cmd.Context(), company, limit)
				answer.Entries = append(answer.Entries, log...)
				return err
			})
			if err != nil {
				return err
			}
			sort.SliceStable(answer.Entries, func(a, b int) bool { return answer.Entries[a].At.After(answer.Entries[b].At.Time) })
			answer.Entries = answer.Entries[:min(len(answer.Entries), limit)]
			if d.asJSON {
				return view.JSON(cmd.OutOrStdout(), answer)
			}
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(t, "AT\tCOMPANY\tWHO\tDID\tWITH\tWHY\tBEFORE\tAFTER")
			for _, a := range answer.Entries {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.At.Text(), a.Company, a.Actor, a.Action, a.Target, a.Reason, a.Before, a.After)
			}
			return t.Flush()
		},
	}, auditSchema)
	cmd.Flags().IntVar(&limit, "limit", limit, "at most this many entries")
	return cmd
}

func backfillCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backfill", Short: "Send what a changed rule lets through today", Args: cobra.NoArgs,
		Long: "A changed rule sends nothing by itself. plan shows what would go over now, by what is known of the ERP; run schedules\n" +
			"exactly that; resume goes on with a run that was interrupted.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(backfillPlanCommand(), backfillRunCommand("run", "Schedule what the plan shows", true),
		backfillRunCommand("resume", "Go on with a run that was interrupted", false))
	return cmd
}

func (d *desk) sinceFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar((*string)(&d.request.Since), "since", "",
		"only documents posted on or after this date; earlier than the start of the feed, it is read again from there")
}

func backfillPlanCommand() *cobra.Command {
	d := &desk{}
	cmd := d.lookFlags(&cobra.Command{
		Use: "plan", Short: "Show what would go over with today's settings", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer := struct {
				Schema string                `json:"schema"`
				Plans  []engine.BackfillPlan `json:"plans"`
			}{backfillSchema, []engine.BackfillPlan{}}
			err := d.look(cmd, func(t *platform.Trial, company string) error {
				p, err := t.Engine.PlanBackfill(cmd.Context(), company, d.request.Since)
				answer.Plans = append(answer.Plans, p)
				return err
			})
			if err != nil {
				return err
			}
			if d.asJSON {
				return view.JSON(cmd.OutOrStdout(), answer)
			}
			return printPlans(cmd.OutOrStdout(), answer.Plans)
		},
	}, backfillSchema)
	d.sinceFlag(cmd)
	return cmd
}

func printPlans(w io.Writer, plans []engine.BackfillPlan) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "COMPANY\tWOULD BE\tDOCUMENTS\tTOTAL\tWHY\tSUCH AS")
	for _, p := range plans {
		for _, r := range p.Rows {
			var totals []string
			for cur, amount := range r.Totals {
				totals = append(totals, amount+" "+cur)
			}
			slices.Sort(totals)
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", p.Company, r.Outcome, r.Documents, strings.Join(totals, ", "), r.Text, strings.Join(r.Examples, ", "))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, p := range plans {
		fmt.Fprintf(w, "%s: a run would schedule %d of %d documents", p.Company, len(p.Schedule), p.Documents)
		if p.Restart {
			fmt.Fprintf(w, " and read the invoices again from %s on (known are those from %s on)", p.Since, p.FeedSince)
		}
		fmt.Fprintln(w)
	}
	return nil
}

func backfillRunCommand(name, short string, starts bool) *cobra.Command {
	d := &desk{}
	cmd := &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := d.open(cmd)
			if err != nil {
				return err
			}
			return errors.Join(d.backfill(cmd, c, starts), c.close())
		},
	}
	d.flags(cmd)
	if starts {
		d.sinceFlag(cmd)
	}
	return cmd
}

// backfill goes on until every company is done. It can be interrupted after any step.
func (d *desk) backfill(cmd *cobra.Command, c caller, starts bool) error {
	if starts {
		if _, err := c.do(cmd.Context(), host.ActionBackfill, d.request); err != nil {
			return err
		}
	}
	done := host.Answer{Schema: host.OperatorSchema, Action: host.ActionBackfill, Backfills: []record.Backfill{}}
	for steps := 0; ; steps++ {
		answer, err := c.do(cmd.Context(), host.ActionBackfillOn, d.request)
		if errors.Is(err, engine.ErrNothing) && steps > 0 {
			break
		}
		if err != nil {
			return err
		}
		for _, b := range answer.Backfills {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: looked at %d, scheduled %d (%s)\n", b.Company, b.Looked, b.Scheduled, b.State)
			if b.State == record.BackfillDone {
				done.Backfills = append(done.Backfills, b)
			}
		}
	}
	if d.asJSON {
		return view.JSON(cmd.OutOrStdout(), done)
	}
	for _, b := range done.Backfills {
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %d of %d documents are scheduled; they go over with the next polls\n", b.Company, b.Scheduled, b.Looked)
	}
	return nil
}

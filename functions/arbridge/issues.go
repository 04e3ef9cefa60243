package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/arbridge/arbridge/functions/view"
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/digest"
	"github.com/arbridge/arbridge/pkg/issue"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// The schemas of issues.
const (
	issuesSchema = "arbridge/issues/v1"
	issueSchema  = "arbridge/issue/v1"
)

func issuesCommand() *cobra.Command {
	var p place
	var company string
	var all, asJSON bool
	cmd := &cobra.Command{
		Use: "issues", Short: "List what needs a person, the worst first", Args: cobra.NoArgs,
		Long: "List the open issues: one per cause, with the money at stake and what to do. They come and go by themselves with each\n" +
			"poll. The exit code is 4 when one is open.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, companies, err := p.reader(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			if company != "" {
				if !slices.Contains(companies, company) {
					return usage(cmd, fmt.Errorf("company %q is not configured; there are %v", company, companies))
				}
				companies = []string{company}
			}
			answer := struct {
				Schema string        `json:"schema"`
				Issues []issue.Issue `json:"issues"`
			}{issuesSchema, []issue.Issue{}}
			for _, id := range companies {
				list, err := issue.List(cmd.Context(), s, id, all)
				if err != nil {
					return err
				}
				answer.Issues = append(answer.Issues, list...)
			}
			if asJSON {
				err = view.JSON(cmd.OutOrStdout(), answer)
			} else {
				err = printIssues(cmd.OutOrStdout(), answer.Issues, all)
			}
			if err == nil && slices.ContainsFunc(answer.Issues, func(i issue.Issue) bool { return i.State == issue.Open }) {
				err = exit{code: exitAttention}
			}
			return err
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&company, "company", "", "only this company")
	cmd.Flags().BoolVar(&all, "all", false, "those that are resolved, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON with schema "+issuesSchema)
	cmd.AddCommand(issueShowCommand())
	return cmd
}

func printIssues(w io.Writer, issues []issue.Issue, all bool) error {
	if len(issues) == 0 {
		_, err := fmt.Fprintln(w, "Nothing needs a person.")
		return err
	}
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, issueCells("COMPANY", "STATE", "SEVERITY", "AT STAKE", "COUNT", "SINCE", "CAUSE", "WHAT", all))
	open := []issue.Issue{}
	for _, i := range issues {
		if i.State == issue.Open {
			open = append(open, i)
		}
		count, what := orDash(""), i.Title
		if i.Count > 0 {
			count = fmt.Sprint(i.Count)
		} else if i.Detail != "" {
			what += ": " + i.Detail
		}
		fmt.Fprintln(t, issueCells(i.Company, string(i.State), string(i.Severity), orDash(issue.Stake(i)), count,
			i.FirstSeen.Format("2006-01-02 15:04"), i.Cause, what, all))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	// The remedy is too long for a cell: it stands below its row.
	for n, row := range strings.Split(strings.TrimRight(b.String(), "\n"), "\n") {
		fmt.Fprintln(w, row)
		if n > 0 && issues[n-1].State == issue.Open {
			fmt.Fprintf(w, "    what to do: %s\n", issues[n-1].Fix)
		}
	}
	text := fmt.Sprintf("%d open", len(open))
	if stake := issue.Stake(open...); stake != "" {
		text += ", " + stake + " at stake"
	}
	_, err := fmt.Fprintln(w, text+"; details: arbridge issues show COMPANY CAUSE")
	return err
}

func issueCells(company, state, severity, stake, count, since, cause, what string, all bool) string {
	cells := []string{company, state, severity, stake, count, since, cause, what}
	if !all {
		cells = slices.Delete(cells, 1, 2)
	}
	return strings.Join(cells, "\t")
}

// issueDetail is an issue with what it concerns.
type issueDetail struct {
	Schema string         `json:"schema"`
	Issue  issue.Issue    `json:"issue"`
	Rows   []view.Row     `json:"records,omitempty"`
	Events []record.Inbox `json:"events,omitempty"`
}

func issueShowCommand() *cobra.Command {
	var p place
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show COMPANY CAUSE", Short: "Show one issue with its records", Args: cobra.ExactArgs(2),
		Long: fmt.Sprintf("Show one issue, open or resolved, with the first %d of its records as they are now. The exit code is 4 when it is open.", issue.MaxRecords),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, companies, err := p.reader(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			if !slices.Contains(companies, args[0]) {
				return usage(cmd, fmt.Errorf("company %q is not configured; there are %v", args[0], companies))
			}
			d, err := detailOf(cmd.Context(), s, args[0], args[1])
			if errors.Is(err, issue.ErrNone) {
				return fmt.Errorf("%w; arbridge issues --all lists those there were", err)
			}
			if err != nil {
				return err
			}
			if asJSON {
				err = view.JSON(cmd.OutOrStdout(), d)
			} else {
				err = d.print(cmd.OutOrStdout())
			}
			if err == nil && d.Issue.State == issue.Open {
				err = exit{code: exitAttention}
			}
			return err
		},
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON with schema "+issueSchema)
	return cmd
}

func detailOf(ctx context.Context, s store.Store, company, cause string) (issueDetail, error) {
	i, err := issue.Find(ctx, s, company, cause)
	d := issueDetail{Schema: issueSchema, Issue: i}
	if err != nil || len(i.Records) == 0 {
		return d, err
	}
	if cause == issue.CauseEvents {
		rows, err := store.Table[record.Inbox]{Store: s, Collection: store.Inbox}.GetAll(ctx, i.Records)
		for _, r := range rows {
			r.Value.Raw = "" // what the portal sent is no part of the answer
			d.Events = append(d.Events, r.Value)
		}
		return d, err
	}
	rows, err := store.Table[record.Record]{Store: s, Collection: store.Records}.GetAll(ctx, i.Records)
	for _, row := range rows {
		r := row.Value
		d.Rows = append(d.Rows, view.Row{
			Company: r.Company, Kind: r.Kind, Number: r.SourceID, Customer: r.Customer, Status: r.Status, Currency: r.Currency,
			SourceTotal: r.SourceTotal, PortalTotal: r.PortalTotal, PortalID: r.PortalID, Reasons: r.Reasons, Text: r.Summary,
			UpdatedAt: r.UpdatedAt, DueAt: r.DueAt,
		})
	}
	return d, err
}

func (d issueDetail) print(w io.Writer) error {
	i := d.Issue
	fmt.Fprintf(w, "%s: %s\n", i.Company, i.Title)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "  %s\t%s\n", name, value)
		}
	}
	line("state", string(i.State)+", "+string(i.Severity))
	line("since", i.FirstSeen.Format(time.RFC3339))
	if i.State == issue.Resolved {
		line("until", i.ResolvedAt.Format(time.RFC3339))
	}
	line("at stake", issue.Stake(i))
	line("why", i.Detail)
	line("what to do", i.Fix)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if len(d.Rows) > 0 {
		if err := (view.List{Rows: d.Rows}).Print(w); err != nil {
			return err
		}
	}
	if len(d.Events) > 0 {
		fmt.Fprintln(t, "EVENT\tTYPE\tRECEIVED\tATTEMPTS\tWHY")
		for _, e := range d.Events {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", issue.OneLine(e.EventID), issue.OneLine(e.Type), e.ReceivedAt.Format("2006-01-02 15:04:05"), e.Attempts,
				issue.OneLine(e.Effect))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if more := i.Count - len(i.Records); more > 0 {
		fmt.Fprintf(w, "… %d more\n", more)
	}
	return nil
}

func digestCommand() *cobra.Command {
	var p place
	var company, day string
	var preview bool
	cmd := &cobra.Command{
		Use: "digest --preview", Short: "Print the daily e-mail of each company", Args: cobra.NoArgs,
		Long: "Print the digest as it would be sent now; nothing is sent. The server sends it every day at notify.at.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !preview {
				return usage(cmd, errors.New("only --preview is done by hand; the server sends the digests"))
			}
			if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
				return usage(cmd, fmt.Errorf("--day %q is no date like 2026-01-31", day))
			}
			cfg, err := p.load()
			if err != nil {
				return err
			}
			if _, ok := cfg.Company(company); company != "" && !ok {
				return usage(cmd, fmt.Errorf("company %q is not configured", company))
			}
			s, _, err := p.reader(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			return previews(cmd, cfg, s, company, billing.Date(day))
		},
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&preview, "preview", false, "print the text")
	cmd.Flags().StringVar(&company, "company", "", "only this company")
	cmd.Flags().StringVar(&day, "day", "", "the day it tells about (default yesterday, where the company is)")
	return cmd
}

// previews prints the digests of the companies.
func previews(cmd *cobra.Command, cfg *config.Config, s store.Store, only string, day billing.Date) error {
	var clk clock.Clock = clock.System{}
	sender := digest.New(s, clk, slog.New(slog.DiscardHandler), nil, digestCompanies(cfg))
	out := cmd.OutOrStdout()
	for n, c := range cfg.Companies {
		if only != "" && only != c.ID {
			continue
		}
		about := day
		if about == "" {
			about = digest.Yesterday(clk.Now(), c.Settings)
		}
		m, err := sender.Preview(cmd.Context(), c.ID, about)
		if err != nil {
			return err
		}
		if n > 0 && only == "" {
			fmt.Fprintln(out)
		}
		next := "never: notify.digest is off, or notify.recipients has nobody"
		if due := digest.Next(c.Settings, clk.Now()); !due.IsZero() {
			next = due.Format("2006-01-02 15:04 MST") + fmt.Sprintf(", to %d recipients (%s)", len(m.To), c.Settings.Notify.Digest)
			if !cfg.Deployment.Mail.Configured() {
				next = "never: deployment.mail is missing"
			}
		}
		fmt.Fprintf(out, "Next: %s\nSubject: %s\n\n%s", next, m.Subject, m.Text)
	}
	return nil
}

// digestCompanies are the companies of a configuration as the digest knows them.
func digestCompanies(cfg *config.Config) []digest.Company {
	out := make([]digest.Company, len(cfg.Companies))
	for i, c := range cfg.Companies {
		out[i] = digest.Company{ID: c.ID, Name: c.Name, Settings: c.Settings}
	}
	return out
}

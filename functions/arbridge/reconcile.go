package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/reconcile"
)

// comparing is the command line of a comparison.
type comparing struct {
	desk
	from, to string
	format   string
	all      bool
}

func reconcileCommand() *cobra.Command {
	d := &comparing{}
	cmd := &cobra.Command{
		Use: "reconcile", Short: "Compare both sides to the cent and explain every difference", Args: cobra.NoArgs,
		Long: "Read the ERP and the portal, compare documents, balances, payments and cash receipts by currency and month, and show\n" +
			"every difference with its reason, or as unexplained with what would mend it. Nothing is written anywhere.\n\n" +
			"Without --from the last 120 days are compared, and everything that is open from before. The exit code is 3 when a\n" +
			"difference is unexplained; explained ones are fine.",
		Example: "  arbridge reconcile\n  arbridge reconcile --company us --from 2026-05-01 --to 2026-05-31 --all\n" +
			"  arbridge reconcile --format csv > differences.csv",
		RunE: func(cmd *cobra.Command, _ []string) error { return d.compare(cmd) },
	}
	d.place.flags(cmd)
	d.actor = "nobody"
	cmd.Flags().StringVar(&d.request.Company, "company", "", "only this company")
	cmd.Flags().StringVar(&d.from, "from", "", "first posting, payment or receipt date, such as 2026-05-01")
	cmd.Flags().StringVar(&d.to, "to", "", "last date (default until now)")
	cmd.Flags().StringVar(&d.format, "format", "table", "table, json (schema "+reconcile.Schema+") or csv (a line for each difference)")
	cmd.Flags().BoolVar(&d.all, "all", false, "list every difference in the table, explained ones too; JSON and CSV always have all")
	cmd.Flags().BoolVar(&d.verbose, "verbose", false, "log to standard error")
	return cmd
}

// compare runs the comparison of the companies asked for and prints it.
func (d *comparing) compare(cmd *cobra.Command) error {
	from, to, err := d.dates()
	if err != nil {
		return usage(cmd, err)
	}
	if !slices.Contains([]string{"table", "json", "csv"}, d.format) {
		return usage(cmd, fmt.Errorf("--format %q is none of table, json, csv", d.format))
	}
	t, err := d.trial(cmd, false)
	if err != nil {
		return err
	}
	reports, err := d.reports(cmd, t, from, to)
	if err = errors.Join(err, t.Close()); err != nil {
		return err
	}
	if err := d.print(cmd.OutOrStdout(), reports); err != nil {
		return err
	}
	if reconcile.Worst(reports) == reconcile.Unexplained {
		return exit{code: exitDifferences}
	}
	return nil
}

func (d *comparing) dates() (from, to billing.Date, err error) {
	for _, x := range []struct {
		flag, text string
		date       *billing.Date
	}{{"--from", d.from, &from}, {"--to", d.to, &to}} {
		if x.text == "" {
			continue
		}
		if *x.date, err = billing.ParseDate(x.text); err != nil {
			return "", "", fmt.Errorf("%s: %w", x.flag, err)
		}
	}
	if from != "" && to != "" && from > to {
		return "", "", fmt.Errorf("--from %s is after --to %s", from, to)
	}
	return from, to, nil
}

func (d *comparing) reports(cmd *cobra.Command, t *platform.Trial, from, to billing.Date) ([]reconcile.Report, error) {
	companies, err := readers(t)
	if err != nil {
		return nil, err
	}
	r := reconcile.New(t.Store, t.Clock, t.Log, companies)
	var out []reconcile.Report
	for _, c := range companies {
		if d.request.Company != "" && d.request.Company != c.ID {
			continue
		}
		report, err := r.Run(cmd.Context(), c.ID, from, to)
		if err != nil {
			return nil, err
		}
		out = append(out, report)
	}
	return out, nil
}

// readers are the companies of a trial, whose writes go nowhere, by id.
func readers(t *platform.Trial) ([]reconcile.Company, error) {
	var out []reconcile.Company
	for _, cfg := range t.Config.Companies {
		c, err := t.Engine.Company(cfg.ID)
		if err != nil {
			return nil, fmt.Errorf("company %s does not run: %s", cfg.ID, t.Config.Problems)
		}
		out = append(out, reconcile.Company{ID: c.ID, Settings: c.Settings, ERP: c.ERP, Portal: c.Portal})
	}
	slices.SortFunc(out, func(a, b reconcile.Company) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

func (d *comparing) print(w io.Writer, reports []reconcile.Report) error {
	switch d.format {
	case "json":
		return reconcile.WriteJSON(w, reports)
	case "csv":
		return reconcile.WriteCSV(w, reports)
	}
	for i, r := range reports {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := r.Table(w, d.all); err != nil {
			return err
		}
	}
	return nil
}

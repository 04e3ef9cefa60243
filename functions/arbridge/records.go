package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/functions/view"
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// dataVar is the environment variable that names the data folder where no flag does.
const dataVar = "ARBRIDGE_DATA"

// place says where an installation's configuration and data are.
type place struct{ config, data string }

func (p *place) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.config, "config", "", "configuration file (default $"+config.EnvVar+" as text, else DATA/config.yaml)")
	data := os.Getenv(dataVar)
	if data == "" {
		data = ".data/run"
	}
	cmd.Flags().StringVar(&p.data, "data", data, "data folder of the embedded stack ($"+dataVar+")")
}

// load reads the configuration: the file named, else the one in the data folder, else the environment.
func (p *place) load() (*config.Config, error) {
	path := p.config
	if path == "" && os.Getenv(config.EnvVar) == "" {
		path = filepath.Join(p.data, "config.yaml")
	}
	return config.Load(path)
}

// reader opens the records for reading, beside a running server.
func (p *place) reader(ctx context.Context) (store.Store, []string, error) {
	cfg, err := p.load()
	if err != nil {
		return nil, nil, err
	}
	var ids []string
	for _, c := range cfg.Companies {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	s, err := platform.OpenReader(ctx, cfg, p.data)
	return s, ids, err
}

func listCommand() *cobra.Command {
	var p place
	var f view.Filter
	var status, kind string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List records, newest first", Args: cobra.NoArgs,
		Example: "  arbridge list --status needs_attention\n  arbridge list --company us --kind payment --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.Status, f.Kind = record.Status(status), billing.Kind(kind)
			if err := checkFilter(cmd, f); err != nil {
				return err
			}
			s, companies, err := p.reader(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			if f.Company != "" && !slices.Contains(companies, f.Company) {
				return usage(cmd, fmt.Errorf("company %q is not configured; there are %v", f.Company, companies))
			}
			list, err := view.Records(cmd.Context(), s, companies, f)
			if err != nil {
				return err
			}
			if asJSON {
				return view.JSON(cmd.OutOrStdout(), list)
			}
			return list.Print(cmd.OutOrStdout())
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&f.Company, "company", "", "only this company")
	cmd.Flags().StringVar(&status, "status", "", "only this status: "+statuses())
	cmd.Flags().StringVar(&kind, "kind", "", "only this kind: invoice, credit_note, customer, payment")
	cmd.Flags().IntVar(&f.Limit, "limit", 100, "at most this many records")
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON with schema "+view.ListSchema)
	return cmd
}

var allStatuses = []record.Status{
	record.Waiting, record.Scheduled, record.Working, record.Synced, record.Variance, record.Skipped, record.Attention,
	record.Unknown, record.Reversed, record.Ignored,
}

func statuses() string {
	text := ""
	for i, s := range allStatuses {
		if i > 0 {
			text += ", "
		}
		text += string(s)
	}
	return text
}

func checkFilter(cmd *cobra.Command, f view.Filter) error {
	if f.Status != "" && !slices.Contains(allStatuses, f.Status) {
		return usage(cmd, fmt.Errorf("status %q is none of %s", f.Status, statuses()))
	}
	kinds := []billing.Kind{billing.KindInvoice, billing.KindCreditNote, billing.KindCustomer, billing.KindPayment}
	if f.Kind != "" && !slices.Contains(kinds, f.Kind) {
		return usage(cmd, fmt.Errorf("kind %q is none of %v", f.Kind, kinds))
	}
	if f.Limit < 1 {
		return usage(cmd, errors.New("--limit must be at least 1"))
	}
	return nil
}

func showCommand() *cobra.Command {
	var p place
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show NUMBER", Short: "Show one invoice, customer or payment with its timeline", Args: cobra.ExactArgs(1),
		Long: "Show everything known about a document, customer or payment number: both totals, both ids, each attempt, the reason\n" +
			"in plain words and the next action. The exit code is 4 when it needs attention.",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, companies, err := p.reader(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			found, err := view.Find(cmd.Context(), s, companies, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				err = view.JSON(cmd.OutOrStdout(), found)
			} else {
				err = found.Print(cmd.OutOrStdout())
			}
			if err != nil {
				return err
			}
			return verdict(found)
		},
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON with schema "+view.ShowSchema)
	return cmd
}

// verdict turns what was shown into the exit code.
func verdict(s view.Show) error {
	if len(s.Records) == 0 {
		return exit{code: exitFailure}
	}
	for _, d := range s.Records {
		if d.Status == record.Attention {
			return exit{code: exitAttention}
		}
	}
	return nil
}

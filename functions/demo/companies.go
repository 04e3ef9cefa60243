package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// branch is one company of the demo business: its ERP code and its portal account.
type branch struct {
	id, code, currency, zone string
	banks                    map[string]string // currency to bank GL account
	settings                 []string          // what makes this company different, as lines of YAML
	story                    []string          // settings that only a business with a story needs
}

// branches are the companies of the generated business (q360-api 5.5): each with another currency, another time zone and
// other settings.
var branches = []branch{
	{"us", "01", "USD", "America/New_York", map[string]string{"USD": "1010", "EUR": "1030", "GBP": "1040", "CAD": "1020"},
		[]string{"company.mode: live", "contacts.roles: [AP, AR]", "invoices.lines_without_pdf: detail"},
		[]string{
			"credit_notes.apply: same_contract", "invoices.gone: void_if_unpaid", "qualify.exclude_customers: [STAFF]",
			`qualify.min_balance: "2.00"`,
		}},
	{"ca", "02", "CAD", "America/Toronto", map[string]string{"CAD": "1020", "USD": "1010"},
		[]string{"company.mode: live", "contacts.roles: [ALL]", "invoices.lines_without_pdf: summary", "fees.strategy: gl_line"},
		[]string{
			"invoices.comment: notes", "invoices.send: email", "invoices.terms_map: {NET30: Net 30, NET60: Net 60}",
			"invoices.item_map: {STAGE-HAND: labor}", "qualify.exclude_payment_methods: [DIRECT]",
			"payments.closed_period: next_open_day", "payments.overpayment: on_account",
		}},
	{"eu", "03", "EUR", "Europe/Dublin", map[string]string{"EUR": "1030", "GBP": "1040"},
		[]string{"company.mode: live", "contacts.roles: [AP]", `invoices.variance: "0.05"`, "customers.address_source: main_site"},
		[]string{"autopay.customers: {STAGE-EU: contracts}"}},
}

// pilots are the companies that only the story has: one that tries arbridge out, and one that issues by hand.
var pilots = []branch{
	{"lab", "04", "USD", "America/Chicago", map[string]string{"USD": "1010"}, nil,
		[]string{
			"company.mode: sandbox", "sandbox.email: " + safeAddress, "documents.required: true", "payments.receipt_mode: hold",
			"invoices.send: email", "credit_notes.apply: oldest",
		}},
	{"rent", "05", "USD", "America/Denver", map[string]string{"USD": "1010"}, nil, []string{"company.mode: live", "invoices.draft: true"}},
}

// safeAddress is the only recipient of the company in sandbox mode.
const safeAddress = "ar-test@brightline.example"

// pilotRule is the rule of the lab until it is loosened.
const pilotRule = "qualify.customers: [LAB-1]"

const (
	erpUser     = "arbridge"
	erpPassword = "sandbox-only"
)

func apiKey(id string) string     { return "key-" + id + "-sandbox-only" }
func hookSecret(id string) string { return "hook-" + id + "-sandbox-only" }

// writeConfig writes the configuration and the secrets that arbridge runs on, for people to read and for the other
// commands to use.
func (w *world) writeConfig(dir, start string, opt Options) (string, error) {
	secrets := filepath.Join(dir, "secrets")
	if err := os.MkdirAll(secrets, 0o700); err != nil {
		return "", fmt.Errorf("secrets: %w", err)
	}
	files := map[string]string{"q360-api-user": fmt.Sprintf(`{"user":%q,"password":%q}`, erpUser, erpPassword)}
	text := &strings.Builder{}
	fmt.Fprintf(text, "# Written by the demo at each start. The settings are explained in infra/docs/settings.md.\n")
	fmt.Fprintf(text, "deployment:\n  settings: {schedule.poll: %s, schedule.gap_fill: 1m}\nsecrets: {dir: secrets}\ncompanies:\n", max(opt.Tick, time.Minute))
	for _, b := range w.branches {
		files["invoiced-"+b.id+"-api-key"], files["invoiced-"+b.id+"-webhook"] = apiKey(b.id), hookSecret(b.id)
		b.write(text, w, start)
		if w.story && b.id == "lab" && !w.looser {
			fmt.Fprintf(text, "      %s\n", pilotRule)
		}
		if opt.NoFiles {
			fmt.Fprintln(text, "      documents.attach: false")
		}
		if opt.Faults {
			fmt.Fprintln(text, "      payments.attempts: 10 # so many are lost that two would leave some to a person")
		}
	}
	for name, value := range files {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(value), 0o600); err != nil {
			return "", fmt.Errorf("secrets: %w", err)
		}
	}
	path := filepath.Join(dir, "config.yaml")
	return path, os.WriteFile(path, []byte(text.String()), 0o600)
}

func (b branch) write(text *strings.Builder, w *world, start string) {
	fmt.Fprintf(text, `  - id: %s
    q360: {base_url: %q, credentials_secret: q360-api-user}
    invoiced: {base_url: %q, api_key_secret: invoiced-%s-api-key, webhook_secret: invoiced-%s-webhook}
    settings:
      company.q360_company: %q
      company.time_zone: %s
      company.currency: %s
      qualify.start_date: %s
      payments.methods_map: {credit_card: CARD, ach: ACH, direct_debit: ACH}
      payments.gl_accounts: {`, b.id, w.erpURL, w.portalURL, b.id, b.id, b.code, b.zone, b.currency, start)
	sep := ""
	for _, cur := range sortedKeys(b.banks) {
		fmt.Fprintf(text, "%s%s: %q", sep, cur, b.banks[cur])
		sep = ", "
	}
	fmt.Fprintf(text, "}\n      fees.gl_account: \"4950\"\n      limits.q360_rps: 100\n      limits.invoiced_rps: 100\n      limits.invoiced_parallel: 8\n      limits.q360_parallel: 8\n")
	lines := b.settings
	if w.story {
		lines = append(lines[:len(lines):len(lines)], b.story...)
	}
	for _, line := range lines {
		fmt.Fprintf(text, "      %s\n", line)
	}
}

package plan_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/settings"
)

var update = flag.Bool("update", false, "write what the decisions are today into the tables")

// decision is one case of a table: what is other than usual, and what is decided then.
type decision struct {
	Name     string          `json:"name"`
	About    string          `json:"about"`              // why it is decided so
	Settings json.RawMessage `json:"settings,omitempty"` // by key, on top of those of a live company
	Input    json.RawMessage `json:"input,omitempty"`
	Want     outcome         `json:"want"`
}

// outcome is a plan as a person reads it.
type outcome struct {
	Verdict plan.Verdict `json:"verdict"`
	Reasons []plan.Code  `json:"reasons,omitempty"`
	Words   string       `json:"words,omitempty"`
	Steps   []string     `json:"steps,omitempty"`
}

func outcomeOf(p plan.Plan, step func(plan.Step) []string) outcome {
	o := outcome{Verdict: p.Verdict, Words: plan.Text(p.Reasons)}
	for _, r := range p.Reasons {
		o.Reasons = append(o.Reasons, r.Code)
	}
	for _, s := range p.Steps {
		o.Steps = append(o.Steps, step(s)...)
	}
	return o
}

// tables reads the tables of a kind of decision by file.
func tables(t *testing.T, kind string) map[string][]decision {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", kind, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tables of %s: %v", kind, err)
	}
	out := map[string][]decision{}
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var cases []decision
		dec := json.NewDecoder(bytes.NewReader(content))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&cases); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out[f] = cases
	}
	return out
}

// runTables decides every case and compares it with the table, or writes the table.
func runTables(t *testing.T, kind string, atLeast int, decide func(*testing.T, decision) outcome) {
	t.Helper()
	count, names := 0, map[string]bool{}
	for file, cases := range tables(t, kind) {
		for i, c := range cases {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".json")+"/"+c.Name, func(t *testing.T) {
				if names[c.Name] || c.About == "" {
					t.Errorf("the name is there twice, or the case does not say what it is about")
				}
				names[c.Name] = true
				got := decide(t, c)
				if *update {
					cases[i].Want = got
					return
				}
				if g, w := asText(t, got), asText(t, c.Want); g != w {
					t.Errorf("%s\ngot  %s\nwant %s", c.About, g, w)
				}
			})
			count++
		}
		if *update {
			writeTable(t, file, cases)
		}
	}
	if count < atLeast {
		t.Errorf("%d cases of %s, want at least %d", count, kind, atLeast)
	}
}

func asText(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("      ", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

func writeTable(t *testing.T, file string, cases []decision) {
	t.Helper()
	var b strings.Builder
	compact := func(name string, raw json.RawMessage) {
		if len(raw) == 0 {
			return
		}
		var line bytes.Buffer
		if err := json.Compact(&line, raw); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "    %q: %s,\n", name, line.String())
	}
	b.WriteString("[\n")
	for i, c := range cases {
		fmt.Fprintf(&b, "  {\n    \"name\": %s,\n    \"about\": %s,\n", asText(t, c.Name), asText(t, c.About))
		compact("settings", c.Settings)
		compact("input", c.Input)
		fmt.Fprintf(&b, "    \"want\": %s\n  }", asText(t, c.Want))
		if i+1 < len(cases) {
			b.WriteString(",")
		}
		b.WriteString("\n")
	}
	b.WriteString("]\n")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// amounts are written in the tables as "600.00 USD".
var amounts = regexp.MustCompile(`"(-?[0-9]+(?:\.[0-9]+)?) ([A-Z]{3})"`)

// merged decodes JSON over a value.
func merged(t *testing.T, raw json.RawMessage, into any) {
	t.Helper()
	if len(raw) == 0 {
		return
	}
	dec := json.NewDecoder(bytes.NewReader(amounts.ReplaceAll(raw, []byte(`{"amount":"$1","currency":"$2"}`))))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
}

// given are the settings that a live company has to give, and the few that make decisions short.
func given() map[string]any {
	return map[string]any{
		"company.mode": "live", "company.q360_company": "01", "company.time_zone": "America/New_York", "company.currency": "USD",
		"sandbox.email": "safe@arbridge.example", "qualify.start_date": "2026-01-01", "fees.gl_account": "4950", "documents.attach": false,
		"payments.methods_map": map[string]any{"credit_card": "CARD"}, "payments.gl_accounts": map[string]any{"USD": "1010"},
	}
}

// settingsWith are the settings of a case, through their one declaration.
func settingsWith(t *testing.T, over json.RawMessage) settings.Company {
	t.Helper()
	set, problems := resolve(t, over)
	if settings.Blocking(problems) {
		t.Fatalf("settings: %v", problems)
	}
	return set
}

func resolve(t *testing.T, over json.RawMessage) (settings.Company, []settings.Problem) {
	t.Helper()
	values := given()
	dec := json.NewDecoder(bytes.NewReader(append([]byte(nil), over...)))
	dec.UseNumber()
	if len(over) > 0 {
		if err := dec.Decode(&values); err != nil {
			t.Fatalf("%s: %v", over, err)
		}
	}
	return settings.ResolveCompany(values, func(string) (*time.Location, error) { return time.FixedZone("EST", -5*3600), nil })
}

func documentLines(s plan.Step) []string {
	d := s.Document
	if d == nil {
		return []string{fmt.Sprintf("%s %s %s", s.Op, s.Kind, s.Key)}
	}
	head := fmt.Sprintf("%s %s %s", s.Op, s.Kind, s.Key[:min(len(s.Key), len(string(s.Kind))+len(d.Number)+1)])
	if s.Target != "" {
		head += " at " + s.Target
	}
	if s.Op == plan.OpVoid {
		return []string{head}
	}
	out := []string{head + " for " + d.CustomerID, fmt.Sprintf("dated %s, due %s, terms %q, order %q", d.Date, d.DueDate, d.Terms, d.PurchaseOrder)}
	for _, flag := range []struct {
		on   bool
		text string
	}{{d.Draft, "draft"}, {d.MarkSent, "marked sent"}, {d.AutoPay, "collected automatically"}, {d.Notes != "", "notes: " + d.Notes}} {
		if flag.on {
			out = append(out, flag.text)
		}
	}
	for _, it := range d.Items {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s x %s %s %s", it.Quantity, it.UnitCost, it.Name, it.Type)))
	}
	return append(out, fmt.Sprintf("tax %s, total %s, %d keys of metadata", d.Tax, d.Total, len(d.Metadata)))
}

// invoiceCase is the input of a case about an invoice.
type invoiceCase struct {
	Credit     bool              `json:"credit"` // the usual credit instead of the usual invoice
	Source     json.RawMessage   `json:"source"`
	Known      string            `json:"known"` // older: written before from another source; same: from this one
	Kind       billing.Kind      `json:"kind"`  // as what it was written
	CustomerID *string           `json:"customer_id"`
	Unread     bool              `json:"unread"` // the portal was not read yet
	Found      []json.RawMessage `json:"found"`  // documents with the number, on top of what a first sync would create
	Dest       json.RawMessage   `json:"dest"`   // the document known, on top of what a first sync would create
	Deleted    bool              `json:"deleted"`
	PDF        bool              `json:"pdf"`
	File       *plan.FileLook    `json:"file"`
	Gone       string            `json:"gone"` // the ERP's words when it does not have the document
	Confirmed  bool              `json:"confirmed"`
}

func invoiceDecision(t *testing.T, c decision) outcome {
	in := plan.InvoiceInput{Source: invoice(), CustomerID: "77", Settings: settingsWith(t, c.Settings)}
	var over invoiceCase
	merged(t, c.Input, &over)
	if over.Credit {
		in.Source = credit()
	}
	usual := in
	usual.Settings = settingsWith(t, nil)
	there := func(raw json.RawMessage) billing.PortalDocument {
		d := found(want(t, usual))
		if bytes.Contains(raw, []byte(`"items"`)) {
			d.Items = nil
		}
		merged(t, raw, &d)
		d.Kind = in.Source.Kind()
		return d
	}
	if bytes.Contains(over.Source, []byte(`"lines"`)) {
		in.Source.Lines = nil
	}
	kind := in.Source.Kind()
	if over.Kind != "" {
		kind = over.Kind
	}
	var known plan.Known
	if over.Known != "" {
		known = plan.Known{PortalID: "900", Kind: kind, Fingerprint: over.Known}
	}
	dest := func() *billing.PortalDocument {
		if over.Known == "" || over.Deleted {
			return nil
		}
		d := there(over.Dest)
		return &d
	}
	if over.Gone != "" {
		return outcomeOf(plan.Gone(plan.GoneInput{
			Number: in.Source.Number, Settings: in.Settings, Known: known, Problem: over.Gone, Dest: dest(), Looked: !over.Unread, Confirmed: over.Confirmed,
		}), documentLines)
	}
	if !over.Unread {
		in.Looked, in.Dest = true, dest()
		for _, raw := range over.Found {
			in.Found = append(in.Found, there(raw))
		}
	}
	merged(t, over.Source, &in.Source)
	if over.CustomerID != nil {
		in.CustomerID = *over.CustomerID
	}
	if in.Known = known; over.Known == "same" {
		in.Known.Fingerprint = in.Source.Fingerprint()
	}
	in.HasPDF, in.File = over.PDF, plan.FileLook{Looked: true, Found: over.PDF}
	if over.File != nil {
		in.File = *over.File
	}
	p := plan.Invoice(in)
	checkLaw(t, in, p)
	return outcomeOf(p, documentLines)
}

// checkLaw holds whatever is decided to what must always be true of a document that goes over.
func checkLaw(t testing.TB, in plan.InvoiceInput, p plan.Plan) {
	t.Helper()
	for _, s := range p.Steps {
		if got := computed(*s.Document); !got.Equal(in.Source.Total.Abs()) || !s.Document.Total.Equal(got) {
			t.Fatalf("the portal would compute %s, the plan says %s, the ERP has %s", got, s.Document.Total, in.Source.Total)
		}
		if len(s.Document.Metadata) > 10 {
			t.Fatalf("%d keys of metadata", len(s.Document.Metadata))
		}
	}
	if write := p.Verdict == plan.Create || p.Verdict == plan.Update; write != (len(p.Steps) == 1) {
		t.Fatalf("verdict %s with %d steps", p.Verdict, len(p.Steps))
	}
	if p.Verdict != plan.Create && p.Verdict != plan.Update && len(p.Reasons) == 0 {
		t.Fatalf("verdict %s without a reason", p.Verdict)
	}
}

func TestInvoiceTables(t *testing.T) { runTables(t, "invoice", 60, invoiceDecision) }

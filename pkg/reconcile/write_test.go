package reconcile_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/reconcile"
	"github.com/arbridge/arbridge/pkg/record"

	"github.com/arbridge/arbridge/pkg/plan"
)

// disturbed is a report with explained and unexplained differences, and texts that mean harm.
func disturbed() reconcile.Report {
	in := inStep()
	dropPortal(&in, "104235")
	erp(&in, "104234").Balance -= 1_250
	erp(&in, "104234").Customer = "=HYPERLINK(\"x\")"
	rec(&in, "104235").PortalID = ""
	status(&in, "104235", record.Skipped, plan.Because(plan.CreditsOff))
	orphan(&in, "R9", "IVD-@SUM")
	return reconcile.Compare(in)
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	if err := disturbed().Table(&out, false); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"us, 2026-04-01 to 2026-05-20: 2 UNEXPLAINED DIFFERENCES, 19.50 USD at stake",
		"Unexplained (2)", "Invoice 104234: paid outside — ERP 37.50 USD, portal 50.00 USD (2026-05-02", "no receipt since 2026-03-01 explains it",
		"→ find out what was booked", "Receipt @SUM: receipt without payment", "Explained (1)", "credit notes are not synced", "104235",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "Credit note 104235: missing") {
		t.Errorf("the short table lists explained differences:\n%s", text)
	}
	out.Reset()
	if err := disturbed().Table(&out, true); err != nil || !strings.Contains(out.String(), "Credit note 104235: missing in portal — ERP -20.00 USD, portal 0.00 USD") {
		t.Errorf("the whole table: %v\n%s", err, out.String())
	}
}

func TestTableInStepAndEmpty(t *testing.T) {
	for want, r := range map[string]reconcile.Report{
		"both sides agree":       reconcile.Compare(inStep()),
		"Neither side has":       {Company: "us"},
		"note: not compared: x ": reconcile.Compare(reconcile.Input{Company: "us", Unread: []string{"x \x1b[31mred\nline"}}),
	} {
		var out bytes.Buffer
		if err := r.Table(&out, false); err != nil || !strings.Contains(out.String(), want) || strings.Contains(out.String(), "\x1b") {
			t.Errorf("%v, want %q in\n%s", err, want, out.String())
		}
	}
}

func TestTableIsShort(t *testing.T) {
	in := inStep()
	for i := range 70 {
		orphan(&in, "R", fmt.Sprintf("IVD-9%03d", i))
	}
	var out bytes.Buffer
	if err := reconcile.Compare(in).Table(&out, false); err != nil || !strings.Contains(out.String(), "… and 20 more (--all)") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestCSV(t *testing.T) {
	var out bytes.Buffer
	if err := reconcile.WriteCSV(&out, []reconcile.Report{disturbed()}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	column := func(name string) int { return slices.Index(rows[0], name) }
	amounts := []string{}
	for _, row := range rows[1:] {
		amounts = append(amounts, row[column("difference")])
		for i, cell := range row {
			money := slices.Contains([]string{"erp", "portal", "difference", "at_stake"}, rows[0][i])
			if !money && cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Errorf("%s: %q is a formula", rows[0][i], cell)
			}
		}
	}
	slices.Sort(amounts)
	if want := []string{"-12.50", "-20.00", "7.00"}; !slices.Equal(amounts, want) {
		t.Errorf("amounts %q, want %q", amounts, want)
	}
	if got := rows[1][column("customer")]; got != `'=HYPERLINK("x")` {
		t.Errorf("customer %q", got)
	}
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	if err := reconcile.WriteJSON(&out, []reconcile.Report{reconcile.Compare(inStep()), disturbed()}); err != nil {
		t.Fatal(err)
	}
	var f reconcile.File
	if err := json.Unmarshal(out.Bytes(), &f); err != nil || f.Schema != "arbridge.reconciliation/v1" || f.State != reconcile.Unexplained || len(f.Reports) != 2 {
		t.Fatalf("%v, %+v", err, f)
	}
	if r := f.Reports[1]; r.Stake != "19.50 USD" || len(r.Differences) != 3 || r.Differences[0].Amount != "-12.50" || r.Books[1].Posted.Amount != "30.00" {
		t.Errorf("%+v", r)
	}
	var whole bytes.Buffer
	enc := json.NewEncoder(&whole)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(f); err != nil || whole.String() != out.String() {
		t.Errorf("%v, the parts are not written as the whole would be:\n%s\n%s", err, out.String(), whole.String())
	}
	if strings.Contains(out.String(), "null") {
		t.Errorf("lists are empty, not null:\n%s", out.String())
	}
	if reconcile.Worst(nil) != reconcile.OK || reconcile.Worst([]reconcile.Report{{Differences: []reconcile.Difference{{Explained: true}}}}) != reconcile.Explained {
		t.Error("the worst state is wrong")
	}
}

package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	kit "github.com/arbridge/arbridge/pkg/sandbox"
)

func TestControlOperations(t *testing.T) {
	s := newSite(t, Quirks{})
	for _, c := range []struct {
		name, body string
		status     int
		want       map[string]any // part of the answer
	}{
		{"create-invoice", `{"header":{"CUSTOMERNO":"C00001","TAXAMOUNT":"7.50","FREIGHT":"5","INVOICENO":"900001"},"lines":[{"QTY":"3","PRICE":"33.333"},{"DESCRIPTION":"note"}]}`, 200, map[string]any{"invoiceno": "900001", "posted": false, "total": "112.50", "balance": "112.50"}},
		{"create-invoice", `{"header":{"CUSTOMERNO":"C00001"},"lines":[{"QTY":"1","PRICE":"1"}],"post":true}`, 200, map[string]any{"invoiceno": "900002", "posted": true, "total": "1.00"}},
		{"create-invoice", `{"header":{"CUSTOMERNO":"C09"}}`, 422, map[string]any{"referencecode": "InvalidReference"}},
		{"create-invoice", `{"head":{}}`, 400, nil},
		{"post-invoice", `{"invoiceno":"900001","date":"2026-03-05"}`, 200, map[string]any{"posted": true, "balance": "112.50"}},
		{"post-invoice", `{"invoiceno":"900001"}`, 422, map[string]any{"referencecode": "InvoicePosted"}},
		{"post-invoice", `{"invoiceno":"104002","date":"2026-02-05"}`, 422, map[string]any{"referencecode": "ClosedPeriod"}},
		{"post-invoice", `{"invoiceno":"104002","date":"soon"}`, 400, nil},
		{"change-invoice", `{"no":"900001","set":{"INVAMOUNT":"100","duedate":"2026-05-01","COMMENT":"less"},"lines":[{"QTY":"1","PRICE":"100"}]}`, 200, map[string]any{"total": "100.00", "balance": "100.00"}},
		{"unpost-invoice", `{"invoiceno":"900002"}`, 200, map[string]any{"invoiceno": "900002", "posted": false, "balance": "1.00"}},
		{"unpost-invoice", `{"invoiceno":"900002"}`, 422, map[string]any{"referencecode": "NotPosted"}},
		{"post-invoice", `{"invoiceno":"900002"}`, 200, map[string]any{"posted": true}},
		{"write-off", `{"invoiceno":"900001","amount":"0.5"}`, 200, map[string]any{"balance": "99.50"}},
		{"write-off", `{"invoiceno":"900001","amount":"99.51"}`, 422, map[string]any{"referencecode": "OverApplied"}},
		{"write-off", `{"invoiceno":"104003"}`, 200, map[string]any{"balance": "0.00"}},
		{"write-off", `{"invoiceno":"104002"}`, 422, map[string]any{"referencecode": "NotPosted"}},
		{"native-payment", `{"invoiceno":"900001","amount":"49.50"}`, 200, map[string]any{"receiptno": "R20001", "amount": "49.50", "unapplied": "0.00"}},
		{"native-payment", `{"header":{"AMOUNT":"60","REFERENCE":"CHK 7"},"items":[{"INVOICENO":"900001","AMOUNT":"50"},{"AMOUNT":"4","TYPE":"FEE","ACCOUNTNO":"4950"}]}`, 200, map[string]any{"receiptno": "R20002", "unapplied": "6.00"}},
		{"native-payment", `{"invoiceno":"900001"}`, 422, map[string]any{"referencecode": "InvalidAmount"}},
		{"unpost-invoice", `{"invoiceno":"900001"}`, 422, map[string]any{"referencecode": "InvoiceHasReceipts"}},
		{"native-payment", `{"invoiceno":"1"}`, 422, map[string]any{"referencecode": "RecordNotFound"}},
		{"merge-invoices", `{"from":["104002"],"into":"104001"}`, 422, map[string]any{"referencecode": "InvoicePosted"}},
		{"create-invoice", `{"header":{"INVOICENO":"900003","CUSTOMERNO":"C00001","INVAMOUNT":"9.75"},"lines":[{"QTY":"1","PRICE":"9.75"}]}`, 200, nil},
		{"merge-invoices", `{"from":["900003"],"into":"104002"}`, 200, map[string]any{"invoiceno": "104002", "total": "60.00", "balance": "60.00"}},
		{"delete-invoice", `{"invoiceno":"104001"}`, 422, map[string]any{"referencecode": "InvoicePosted"}},
		{"delete-invoice", `{"invoiceno":"104002"}`, 200, map[string]any{"ok": true}},
		{"change-customer", `{"no":"C00001","set":{"COMPANY":"Renamed"}}`, 200, map[string]any{"key": "C00001"}},
		{"change-contact", `{"set":{"CUSTOMERNO":"C00001","EMAIL":"new@northpeak.example"}}`, 200, map[string]any{"key": "K00002"}},
		{"change-site", `{"no":"S1","set":{}}`, 422, map[string]any{"referencecode": "RecordNotFound"}},
		{"period", `{"companyno":"01","period":"2026-03","status":"CLOSED"}`, 200, nil},
		{"period", `{"companyno":"01","period":"2030-03","status":"OPEN"}`, 400, nil},
		{"native-payment", `{"invoiceno":"104006"}`, 422, map[string]any{"referencecode": "ClosedPeriod"}},
		{"clock", `{"advance":"36h"}`, 200, map[string]any{"local": "2026-03-11 21:30:00.125"}},
		{"clock", `{"advance":"later"}`, 400, nil},
		{"quirks", `{"set":{"trim_char":true}}`, 200, map[string]any{"trim_char": true, "case": ""}},
		{"quirks", `{"set":{"case":"lower"}}`, 200, map[string]any{"trim_char": true, "case": "lower"}},
		{"quirks", `{"reset":true}`, 200, map[string]any{"trim_char": false, "case": ""}},
		{"quirks", `{"set":{"case":"title"}}`, 400, nil},
		{"quirks", `{"set":{"nope":true}}`, 400, nil},
		{"grants", `{"user":"STRANGER"}`, 400, nil},
		{"faults", `{"rules":[{"kind":"explode"}]}`, 400, nil},
		{"seed", `{"scenario":"nope"}`, 400, nil},
		{"seed", `{"tables":{"CODE":[{"CODETYPE":"ACTTYPE","CODE":"EMAIL"}]}}`, 200, map[string]any{"rows": json.Number("1")}},
		{"seed", `{"tables":{"CODE":[{"NOPE":"x"}]}}`, 422, map[string]any{"referencecode": "InvalidColumn"}},
	} {
		status, out := s.control(c.name, c.body)
		if status != c.status {
			t.Errorf("%s %s: HTTP %d: %v", c.name, c.body, status, out)
		}
		for key, want := range c.want {
			if fmt.Sprint(out[key]) != fmt.Sprint(want) {
				t.Errorf("%s %s: %s is %v, want %v", c.name, c.body, key, out[key], want)
			}
		}
		s.wantBalanced()
	}
	if s.count("INVOICEITEM") != 4 { // two of 104001, one of 900002, the new one of 900001
		t.Errorf("%d invoice lines", s.count("INVOICEITEM"))
	}
}

func TestControlStaysOutside(t *testing.T) {
	s := newSite(t, Quirks{})
	if _, err := s.SetFaults(FaultRules{Rules: []kit.Rule{{Kind: kit.FaultDropBefore}}}); err != nil {
		t.Fatal(err)
	}
	if status, _ := s.control("clock", `{}`); status != 200 {
		t.Errorf("under faults: HTTP %d", status)
	}
	if n := len(s.Calls().Recent()); n != 0 {
		t.Errorf("%d control calls in the journal", n)
	}
	req := httptest.NewRequest("GET", controlPrefix+"ledger", nil)
	req.RemoteAddr = "192.0.2.7:5000"
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, req)
	if rec.Code != http.StatusForbidden {
		t.Errorf("from another machine: HTTP %d", rec.Code)
	}
}

func TestLedgerOverHTTP(t *testing.T) {
	s := newSite(t, Quirks{})
	if _, err := s.NativePayment(NativePayment{InvoiceNo: "104001", Amount: "30.10", Date: "2026-03-02"}); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(s.url + controlPrefix + "ledger")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got Ledger
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got.Books) != 3 { // 01 EUR, 01 USD, 02 CAD
		t.Fatalf("books: %+v", got.Books)
	}
	b := got.Books[1]
	totals, err := json.Marshal(b.Totals)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"invoiced":"70.00","retained":"0.00","paid":"30.10","written_off":"0.00","balance":"39.90","received":"30.10","applied":"30.10","fees":"0.00","on_account":"0.00","unapplied":"0.00"}`
	if string(totals) != want {
		t.Errorf("totals %s", totals)
	}
	if len(b.Invoices) != 4 || len(b.Receipts) != 1 || b.Receipts[0].Date != "2026-03-02" || b.Receipts[0].UserID != "CLERK" || b.Receipts[0].Applications[0].InvoiceNo != "104001" {
		t.Errorf("book %+v", b)
	}
}

func TestStepsAreDoneOnce(t *testing.T) {
	path := t.TempDir() + "/state"
	first := openSite(t, path, Quirks{})
	if _, err := first.Seed(SeedRequest{Scenario: "basic"}); err != nil {
		t.Fatal(err)
	}
	pay := `{"step":"pay-1","invoiceno":"104001","amount":"25"}`
	_, before := first.control("native-payment", pay)
	_, again := first.control("native-payment", pay)
	second := openSite(t, path, Quirks{}) // as after a kill: the first was never closed
	_, after := second.control("native-payment", pay)
	if before["receiptno"] != "R20001" || !reflect.DeepEqual(before, again) || !reflect.DeepEqual(before, after) || second.count("CASHRECEIPT") != 1 {
		t.Errorf("answers %v, %v, %v; %d receipts", before, again, after, second.count("CASHRECEIPT"))
	}
	if status, out := second.control("write-off", `{"step":"pay-1","invoiceno":"104001"}`); status != 400 {
		t.Errorf("a step of another operation: HTTP %d %v", status, out)
	}
	if status, _ := second.control("write-off", `{"step":"off-1","invoiceno":"104001","amount":"999"}`); status != 422 {
		t.Errorf("refused step: HTTP %d", status)
	}
	if status, out := second.control("write-off", `{"step":"off-1","invoiceno":"104001","amount":"5"}`); status != 200 || out["balance"] != "70.00" {
		t.Errorf("a refused step may be tried again: HTTP %d %v", status, out)
	}
	_, clock := second.control("clock", `{"step":"tick","advance":"1h"}`)
	if _, again := second.control("clock", `{"step":"tick","advance":"1h"}`); !reflect.DeepEqual(clock, again) || second.clock.Now().Hour() != 15 {
		t.Errorf("clock moved twice: %v %v", clock, again)
	}
}

func TestStateSurvivesReopening(t *testing.T) {
	path := t.TempDir() + "/state"
	first := openSite(t, path, Quirks{})
	if _, err := first.Seed(SeedRequest{Scenario: "basic"}); err != nil {
		t.Fatal(err)
	}
	first.write("PUT", "CASHRECEIPT", header)
	first.write("PUT", "CASHRECEIPTITEM", item("104001", "60.00"))
	first.write("DELETE", "CONTACT", `{"CONTACTNO":"K00001"}`)
	if _, err := first.ChangeQuirks(QuirkChange{Set: json.RawMessage(`{"trim_char":true}`)}); err != nil {
		t.Fatal(err)
	}
	grants := []Grant{{Source: "INVOICE"}}
	if _, err := first.SetAccess(Access{User: "NOBODY", Grants: &grants}); err != nil {
		t.Fatal(err)
	}
	if _, err := first.SetFaults(FaultRules{Rules: []kit.Rule{{Path: "/api/Task", Kind: kit.FaultStatus, Status: 503}}}); err != nil {
		t.Fatal(err)
	}
	tear(t, path)
	second := openSite(t, path, Quirks{})
	before, err := json.Marshal(first.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	if after, err := json.Marshal(second.Ledger()); err != nil || string(before) != string(after) {
		t.Errorf("ledgers differ (%v):\n%s\n%s", err, before, after)
	}
	for table := range first.tables {
		a, _ := first.Rows(table)
		b, _ := second.Rows(table)
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s differs:\n%v\n%v", table, a, b)
		}
	}
	if got := second.as("NOBODY").list("INVOICE", `{"columns":["INVOICENO"],"limit":1}`); !got.Success || got.Payload.Result[0]["INVOICENO"] != "104001" {
		t.Errorf("grants or quirks: %s", got.Body)
	}
	if got := second.do("GET", "/api/Task?_a=list", nil); got.Status != 503 {
		t.Errorf("faults: HTTP %d", got.Status)
	}
	if got := second.do("GET", "/api/Document?_a=download&documentno=D50001", nil); string(got.Body) != "%PDF-1.4 test" {
		t.Errorf("document: %q", got.Body)
	}
	if got := second.write("PUT", "CASHRECEIPT", header); got.Outvars["primarykey"] != "R20002" {
		t.Errorf("next key: %s", got.Body)
	}
}

// tear leaves half a line at the end of the state, as a kill in the middle of a write does.
func tear(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`[{"k":"row.INVOICE","i":"1040`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReset(t *testing.T) {
	path := t.TempDir() + "/state"
	s := openSite(t, path, Quirks{})
	for range 2 {
		if status, out := s.control("seed", `{"scenario":"basic","step":"seed"}`); status != 200 {
			t.Fatal(out)
		}
		s.control("quirks", `{"set":{"trim_char":true}}`)
		s.control("faults", `{"rules":[{"kind":"status"}]}`)
		if status, out := s.control("reset", `{}`); status != 200 {
			t.Fatal(out)
		}
		for _, open := range []*site{s, openSite(t, path, Quirks{})} {
			if open.count("INVOICE") != 0 || open.count("USERID") != 5 || open.quirks.TrimChar || len(open.steps) != 0 || len(open.contents) != 0 {
				t.Errorf("left: %d invoices, %d users, %+v, %v", open.count("INVOICE"), open.count("USERID"), open.quirks, open.steps)
			}
			if got := open.list("INVOICE", `{}`); !got.Success {
				t.Errorf("after the reset: %s", got.Body)
			}
		}
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	for _, c := range []struct {
		rule    kit.Rule
		broken  bool // no readable answer
		status  int
		created int
	}{
		{kit.Rule{Kind: kit.FaultDropBefore}, true, 0, 0},
		{kit.Rule{Kind: kit.FaultDropAfter}, true, 0, 1},
		{kit.Rule{Kind: kit.FaultTruncate}, true, 0, 1},
		{kit.Rule{Kind: kit.FaultStatus, Status: 500}, false, 500, 0},
		{kit.Rule{Kind: kit.FaultStatusDone, Status: 504}, false, 504, 1},
		{kit.Rule{Kind: kit.FaultHTML}, false, 502, 0},
		{kit.Rule{Kind: kit.FaultDelay, DelayMS: 1}, false, 200, 1},
		{kit.Rule{Kind: kit.FaultStatus, Contains: "CASHRECEIPTITEM"}, false, 200, 1},
		{kit.Rule{Kind: kit.FaultStatus, Skip: 1}, false, 200, 1},
	} {
		s := newSite(t, Quirks{})
		c.rule.Method, c.rule.Path, c.rule.Times = "PUT", "/api/Record", 1
		if _, err := s.SetFaults(FaultRules{Rules: []kit.Rule{c.rule}}); err != nil {
			t.Fatal(err)
		}
		got, err := s.try("PUT", "/api/Record", map[string]string{"_tablename": "CASHRECEIPT", "jsonRequest": `{"griddata":{"record":[` + header + `]}}`})
		if (err != nil) != c.broken || got.Status != c.status && !c.broken {
			t.Errorf("%s: HTTP %d, %v", c.rule.Kind, got.Status, err)
		}
		if n := s.count("CASHRECEIPT"); n != c.created {
			t.Errorf("%s: %d receipts, want %d", c.rule.Kind, n, c.created)
		}
		if calls := s.Calls().Counts(); calls["PUT /api/Record"] != 1 {
			t.Errorf("%s: calls %v", c.rule.Kind, calls)
		}
	}
}

func TestUnauthorizedForAWhile(t *testing.T) {
	s := newSite(t, Quirks{})
	s.control("faults", `{"unauthorized_seconds":60}`)
	if got := s.list("INVOICE", `{}`); got.Status != 401 {
		t.Errorf("during: HTTP %d", got.Status)
	}
	s.clock.Advance(61 * time.Second)
	if got := s.list("INVOICE", `{}`); got.Status != 200 {
		t.Errorf("afterwards: HTTP %d", got.Status)
	}
	resp, err := http.Get(s.url + controlPrefix + "requests")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var journal struct {
		Calls  []kit.Call
		Counts map[string]int
	}
	if err := json.NewDecoder(resp.Body).Decode(&journal); err != nil {
		t.Fatal(err)
	}
	if len(journal.Calls) != 2 || journal.Calls[0].Status != 401 || journal.Counts["POST /api/Record/INVOICE list"] != 2 {
		t.Errorf("journal %+v", journal)
	}
}

// TestRacingReceipts lets many clients pay one invoice: exactly its balance is applied.
func TestRacingReceipts(t *testing.T) {
	s := newSite(t, Quirks{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			no := fmt.Sprintf("R%d", i)
			for _, call := range [][2]string{
				{"CASHRECEIPT", strings.Replace(header, "{", `{"RECEIPTNO":"`+no+`",`, 1)},
				{"CASHRECEIPTITEM", strings.Replace(item("104001", "30"), "R20001", no, 1)},
			} {
				if _, err := s.try("PUT", "/api/Record", map[string]string{"_tablename": call[0], "jsonRequest": `{"griddata":{"record":[` + call[1] + `]}}`}); err != nil {
					t.Error(err)
				}
			}
			if _, err := s.try("POST", "/api/Record/INVOICE?_a=list", map[string]string{"jsonRequest": `{"orderBy":[{"field":"BALANCE"}]}`}); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if got := s.value("INVOICE", "104001", "BALANCE"); got != "10.0000" || s.count("CASHRECEIPT") != 8 || s.count("CASHRECEIPTITEM") != 3 {
		t.Errorf("balance %s, %d receipts, %d items", got, s.count("CASHRECEIPT"), s.count("CASHRECEIPTITEM"))
	}
	s.wantBalanced()
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("a configuration without a clock was taken")
	}
	config := testConfig(&stillClock{}, "")
	config.Quirks.Rows = "list"
	if _, err := New(config); err == nil {
		t.Error("an unknown quirk was taken")
	}
	path := t.TempDir() + "/state"
	if err := os.WriteFile(path, []byte(`[{"k":"row.NOPE","i":"1","d":{}}]`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(testConfig(&stillClock{}, path)); err == nil {
		t.Error("an unknown table was taken")
	}
}

func TestScenarioErrors(t *testing.T) {
	config := testConfig(&stillClock{}, "")
	config.Scenarios = map[string]func() (Batch, error){
		"broken": func() (Batch, error) { return Batch{}, os.ErrNotExist },
		"bad":    func() (Batch, error) { return Batch{Tables: map[string][]Record{"NOPE": {{}}}}, nil },
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	given := Batch{Step: "once", Tables: map[string][]Record{"CURRENCY": {{"CURRENCY": "USD"}}}}
	for name := range config.Scenarios {
		if _, err := s.Seed(SeedRequest{Scenario: name, Batch: given}); err == nil || !strings.Contains(err.Error(), name) && name == "broken" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if rows, err := s.Rows("CURRENCY"); err != nil || len(rows) != 0 {
		t.Errorf("a seed that went wrong left %v (%v)", rows, err)
	}
}

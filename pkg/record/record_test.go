package record_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

func at(minute int) time.Time { return time.Date(2026, 5, 5, 14, minute, 0, 0, time.UTC) }

func TestTimelineIsBounded(t *testing.T) {
	var r record.Record
	for i := range 100 {
		r.Note(at(i), "changed in the ERP", fmt.Sprint(i))
	}
	if len(r.Timeline) != 40 || r.Timeline[0].Text != "60" || r.Timeline[39].Text != "99" {
		t.Errorf("%d entries, from %q to %q; want the newest 40", len(r.Timeline), r.Timeline[0].Text, r.Timeline[len(r.Timeline)-1].Text)
	}
}

func TestRepeatedNotesOnlyMove(t *testing.T) {
	var r record.Record
	r.Note(at(1), "waiting", "customer C1")
	r.Note(at(2), "waiting", "customer C1")
	r.Note(at(3), "waiting", "customer C2")
	r.Note(at(4), "waiting", "customer C1")
	got := ""
	for _, e := range r.Timeline {
		got += fmt.Sprint(e.At.Minute(), " ", e.Text, "; ")
	}
	if got != "2 customer C1; 3 customer C2; 4 customer C1; " {
		t.Errorf("timeline %s", got)
	}
}

// TestNotesOfCopies: workers change copies of records; a copy's notes never show up in the original.
func TestNotesOfCopies(t *testing.T) {
	var r record.Record
	for i := range 60 {
		r.Note(at(i), "a", fmt.Sprint(i))
	}
	a, b := r, r
	a.Note(at(1), "b", "of a")
	b.Note(at(2), "b", "of b")
	if last := a.Timeline[len(a.Timeline)-1]; last.Text != "of a" {
		t.Errorf("the note of one copy is %q", last.Text)
	}
	if last := r.Timeline[len(r.Timeline)-1]; last.Text != "59" {
		t.Errorf("the original ends with %q", last.Text)
	}
}

func TestStatus(t *testing.T) {
	var r record.Record
	r.Set(record.Waiting, []plan.Reason{plan.Because(plan.WaitsForCustomer, "customer", "C1"), plan.Because(plan.NotPosted)})
	if r.Status != record.Waiting || r.Summary != "waits for customer C1; is not posted in the ERP yet" || len(r.Reasons) != 2 {
		t.Errorf("%+v", r)
	}
	r.Set(record.Synced, nil)
	if r.Summary != "" || r.Reasons != nil {
		t.Errorf("reasons stay: %+v", r)
	}
	for status, settled := range map[record.Status]bool{
		record.Waiting: false, record.Scheduled: false, record.Working: false, record.Synced: true, record.Variance: true, record.Skipped: true,
		record.Attention: false, record.Unknown: false, record.Reversed: true, record.Ignored: true,
	} {
		r.Status = status
		if r.Settled() != settled {
			t.Errorf("%s settled: %v", status, r.Settled())
		}
	}
}

func TestKeys(t *testing.T) {
	r := record.Record{Company: "us", Kind: billing.KindInvoice, SourceID: "A/1%"}
	if r.ID() != "us/invoice/A%2F1%25" || r.ID() != record.ID("us", billing.KindInvoice, "A/1%") {
		t.Errorf("key %s", r.ID())
	}
	if record.ID("us", billing.KindInvoice, "1") == record.ID("us", billing.KindPayment, "1") {
		t.Error("kinds share keys")
	}
}

// TestStoredForm: what the store's queries rely on is a text at the top level, and absent when there is nothing to do.
func TestStoredForm(t *testing.T) {
	r := record.Record{Company: "us", Kind: billing.KindInvoice, SourceID: "1", Status: record.Scheduled, DueAt: store.At(at(1)), UpdatedAt: store.At(at(0))}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"company": "us", "kind": "invoice", "status": "scheduled", "due_at": "2026-05-05T14:01:00.000000Z", "updated_at": "2026-05-05T14:00:00.000000Z",
	} {
		if fields[name] != want {
			t.Errorf("%s is %v, want %s", name, fields[name], want)
		}
	}
	r.DueAt = store.Time{}
	b, err = json.Marshal(r)
	if err != nil || strings.Contains(string(b), "due_at") || strings.Contains(string(b), "lease_until") {
		t.Errorf("a record with nothing to do: %s, %v", b, err)
	}
	var back record.Record
	if err := json.Unmarshal(b, &back); err != nil || back.SourceID != "1" || !back.DueAt.IsZero() {
		t.Errorf("read back: %+v, %v", back, err)
	}
}

// TestSource: an ERP record comes back exactly as it was read, amounts included.
func TestSource(t *testing.T) {
	inv := enginetest.Invoice("104233", "C1")
	s, err := record.NewSource("us", billing.KindInvoice, inv.Number, inv.Fingerprint(), at(1), inv)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var stored record.Source
	if err := json.Unmarshal(b, &stored); err != nil || !stored.ReadAt.Equal(at(1)) || stored.SourceID != "104233" {
		t.Fatalf("stored %s, %v", b, err)
	}
	var back billing.Invoice
	if err := stored.Decode(&back); err != nil || back.Fingerprint() != s.Fingerprint || !back.Balance.Equal(inv.Balance) {
		t.Errorf("read back: %+v, %v", back, err)
	}
	var customer billing.Customer
	if err := (record.Source{}).Decode(&customer); err == nil {
		t.Error("nothing is read as a customer")
	}
}

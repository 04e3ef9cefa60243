package record_test

import (
	"testing"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/record"
)

// TestWantedReceipts: what is to be keyed in comes back exactly, amounts included.
func TestWantedReceipts(t *testing.T) {
	var r record.Record
	want := billing.Receipt{Reference: "IVD-1", CompanyNo: "01", CustomerNo: "C1", Date: "2026-05-05", Amount: enginetest.USD("19.99"), GLAccount: "1010",
		Lines: []billing.ReceiptLine{{Kind: billing.LineApplication, InvoiceNo: "1", Amount: enginetest.USD("19.99")}}}
	if err := r.Want([]billing.Receipt{want}); err != nil {
		t.Fatal(err)
	}
	got, err := r.WantedReceipts()
	if err != nil || len(got) != 1 || got[0].Amount.Minor() != 1999 || !got[0].Lines[0].Amount.Equal(want.Amount) || got[0].Reference != "IVD-1" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := r.Want(nil); err != nil || r.Wanted != nil {
		t.Errorf("forgotten: %s, %v", r.Wanted, err)
	}
	if got, err := r.WantedReceipts(); err != nil || got != nil {
		t.Errorf("nothing wanted: %+v, %v", got, err)
	}
	r.Wanted = []byte(`{"not":"a list"}`)
	if _, err := r.WantedReceipts(); err == nil {
		t.Error("what is no list is read")
	}
}

// TestBegunReceipts: what was begun comes back exactly, beside what is to be keyed in.
func TestBegunReceipts(t *testing.T) {
	var r record.Record
	want := []billing.Receipt{{Reference: "IVD-1", Amount: enginetest.USD("108.50")}, {Reference: "IVD-1-2", Amount: enginetest.USD("0.01")}}
	if err := r.Begin(want, "parts"); err != nil || r.PostedAs != "parts" || r.Wanted != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	got, err := r.BegunReceipts()
	if err != nil || len(got) != 2 || got[1].Reference != "IVD-1-2" || !got[0].Amount.Equal(want[0].Amount) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := r.Begin(nil, ""); err != nil || r.Begun != nil {
		t.Errorf("forgotten: %s, %v", r.Begun, err)
	}
	r.Begun = []byte(`7`)
	if _, err := r.BegunReceipts(); err == nil {
		t.Error("what is no list is read")
	}
}

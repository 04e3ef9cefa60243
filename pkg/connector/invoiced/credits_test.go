package invoiced_test

import (
	"slices"
	"testing"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
)

// TestOpenInvoices: a customer's own, with something left to pay, and none of what is voided or of others.
func TestOpenInvoices(t *testing.T) {
	s := newSite(t)
	mine, other := s.customer("C1"), s.customer("C2")
	first, second, gone := s.invoice(mine.ID, "1"), s.invoice(mine.ID, "2"), s.invoice(mine.ID, "3")
	s.invoice(other.ID, "4")
	if _, err := s.VoidDocument(s.ctx, billing.KindInvoice, gone.ID); err != nil {
		t.Fatal(err)
	}
	open, err := s.OpenInvoices(s.ctx, mine.ID)
	var ids []string
	for _, d := range open {
		ids = append(ids, d.ID)
		if d.Kind != billing.KindInvoice || d.CustomerID != mine.ID || d.Balance.Sign() <= 0 {
			t.Errorf("%+v", d)
		}
	}
	slices.Sort(ids)
	want := []string{first.ID, second.ID}
	slices.Sort(want)
	if err != nil || !slices.Equal(ids, want) {
		t.Errorf("open invoices %v, want %v, %v", ids, want, err)
	}
	if _, ok := any(s.Connector).(connector.Credits); !ok {
		t.Error("the connector does not apply credits")
	}
}

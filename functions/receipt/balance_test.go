package receipt_test

import (
	"context"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
)

// clerk is an ERP in which somebody acts right after the lines of a receipt were written. It counts the readings of balances.
type clerk struct {
	connector.ERP
	act   func()
	reads *int
}

// CreateReceiptLines implements connector.ERP.
func (c clerk) CreateReceiptLines(ctx context.Context, number string, r billing.Receipt, lines []billing.ReceiptLine) error {
	err := c.ERP.CreateReceiptLines(ctx, number, r, lines)
	c.act()
	return err
}

// Balance implements connector.ERP.
func (c clerk) Balance(ctx context.Context, number string) (billing.Balance, error) {
	*c.reads++
	return c.ERP.Balance(ctx, number)
}

// Balances implements connector.ERP.
func (c clerk) Balances(ctx context.Context, customerNo string, numbers []string) ([]billing.Balance, error) {
	*c.reads++
	return c.ERP.Balances(ctx, customerNo, numbers)
}

// TestBalancesInTheBooks: with both vendors' real connectors, a receipt over three invoices costs one reading of their
// balances before and one after it; a write-off at that moment is read once more and told to a person with both
// numbers.
func TestBalancesInTheBooks(t *testing.T) {
	for _, off := range []bool{false, true} {
		r := newRoute(t, func(*settings.Company) {})
		numbers := []string{r.bill("100.00"), r.bill("200.00"), r.bill("300.00")}
		r.tick(time.Minute)
		sixty := decimal.NewFromInt(60)
		pay := invoicedsim.PortalPayment{Account: "us", Method: "credit_card", Outcome: "succeeded", Fee: &decimal.Decimal{}}
		for _, n := range numbers {
			pay.Lines = append(pay.Lines, invoicedsim.PortalLine{Number: n, Amount: &sixty})
		}
		c, err := r.e.Company("us")
		if err != nil {
			t.Fatal(err)
		}
		reads := 0
		c.ERP = clerk{c.ERP, func() {
			if off {
				if _, err := r.erp.WriteOff(q360sim.WriteOff{InvoiceNo: numbers[1], Amount: "5.00"}); err != nil {
					t.Error(err)
				}
			}
		}, &reads}
		if _, err := r.portal.Pay(pay); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			r.tick(16 * time.Minute)
		}
		status, most := record.Synced, 2
		if off {
			status, most = record.Attention, 5 // the portal's event of the payment makes it be compared again
		}
		for id, got := range r.payments() {
			p := r.record(billing.KindPayment, id)
			if got != status || reads < 2 || reads > most || r.posted() != "1 over 180.00" || off != (len(p.Applied) == 3) {
				t.Errorf("%s (%s), %d readings, posted %s, compared %+v", got, p.Summary, reads, r.posted(), p.Applied)
			}
			if !off {
				continue
			}
			if why := p.Reasons[0]; len(p.Reasons) != 1 || why.Code != plan.BalanceDiffers || why.Params["invoice"] != numbers[1] ||
				why.Params["expected"] != "140.00 USD" || why.Params["balance"] != "135.00 USD" {
				t.Errorf("reasons %+v", p.Reasons)
			}
		}
		if len(r.payments()) != 1 {
			t.Errorf("payments %v", r.payments())
		}
	}
}

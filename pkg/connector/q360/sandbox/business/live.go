package business

import (
	"fmt"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
)

// NextInvoice is the n-th invoice of the running business, dated on the day of now as its location has it: the site's.
// The same n always gives the same invoice, and its step posts it once however often it is sent.
func (b *Business) NextInvoice(n int, now time.Time) sandbox.NewInvoice {
	r := random(b.options.Seed, "live", n)
	v := &invoice{customer: pick(r, b.customers), kind: InvoicePlain}
	for !v.customer.active {
		v.customer = pick(r, b.customers)
	}
	v.date = time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	switch n % 20 {
	case 4:
		v.kind = InvoiceFreight
	case 7:
		v.kind = InvoiceCredit
	case 11:
		v.kind = InvoiceForeign
	case 14:
		v.kind = InvoiceDueNow
	}
	v.compose(r)
	v.currency = v.customer.company.currency
	if v.customer.company.no == "03" && n%4 == 0 {
		v.currency = "GBP"
	}
	v.shape(r)
	v.complete(r)
	out := sandbox.NewInvoice{Step: fmt.Sprintf("live-%d-%d", b.options.Seed, n), Header: v.header(), Lines: v.rows(), Post: true}
	for name, value := range out.Header {
		if value == "" {
			delete(out.Header, name)
		}
	}
	return out
}

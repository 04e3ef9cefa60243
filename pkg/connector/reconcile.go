package connector

import (
	"context"

	"github.com/arbridge/arbridge/pkg/billing"
)

// Ledger lists what an ERP has booked, for comparing it with a portal. An ERP may have this ability beyond ERP; whoever
// compares asks with As. Pages continue with Page.Next; "" starts. Everything is of the company served.
type Ledger interface {
	// Posted lists the headers of documents posted from a date to another, both included; the empty Date is no bound.
	// Lines are not read.
	Posted(ctx context.Context, from, to billing.Date, page string) (Page[billing.Invoice], error)
	// Open lists the headers of documents posted before a date on which something is outstanding.
	Open(ctx context.Context, before billing.Date, page string) (Page[billing.Invoice], error)
	// Receipts lists all cash receipts dated from a date to another, both included, with their lines, whoever keyed them
	// in. ClassUnsupported where the site's receipts are not mapped.
	Receipts(ctx context.Context, from, to billing.Date, page string) (Page[billing.Receipt], error)
	// AppliesLater reports whether the balances of invoices fall some time after a receipt was made for them: when a
	// person posts it, or by a job.
	AppliesLater() bool
}

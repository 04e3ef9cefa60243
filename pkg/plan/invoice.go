package plan

import (
	"slices"
	"strconv"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/settings"
)

// InvoiceInput is everything the decision on an invoice or credit note depends on.
type InvoiceInput struct {
	Source   billing.Invoice
	Settings settings.Company
	Known    Known
	// CustomerID is the portal's id of the customer; empty while it is not there.
	CustomerID string
	// Found are the portal's documents with this number, read when Known has no id yet. Looked says that they were read.
	Found  []billing.PortalDocument
	Looked bool
	// Dest is the portal's document with Known.PortalID, read when the source changed; nil with Looked means deleted.
	Dest *billing.PortalDocument
	// HasPDF says that a document is attached, which chooses the line detail.
	HasPDF bool
}

// Known is what we remember of a document from our last write.
type Known struct {
	PortalID    string       `json:"portal_id,omitempty"`
	Kind        billing.Kind `json:"kind,omitempty"`
	Fingerprint string       `json:"fingerprint,omitempty"` // of the source we last wrote
}

// Invoice decides what to do with a posted invoice or customer credit of the ERP. The cheap checks come first, so that a
// caller can ask with little: without CustomerID the plan is Hold with WaitsForCustomer, without Looked it is Hold with
// NeedLook — the only answers that ask the caller to read more.
func Invoice(in InvoiceInput) Plan {
	if p, no := qualify(in); no {
		return p
	}
	if in.Known.PortalID != "" && in.Known.Fingerprint == in.Source.Fingerprint() {
		return stop(None, Because(Unchanged))
	}
	if in.CustomerID == "" {
		return stop(Hold, Because(WaitsForCustomer, "customer", in.Source.CustomerNo))
	}
	want, reasons := desired(in)
	if in.Known.PortalID != "" {
		return change(in, want, reasons)
	}
	if !in.Looked {
		return Plan{Verdict: Hold, Reasons: []Reason{Because(NeedLook)}}
	}
	return first(in, want, reasons)
}

// NeedLook asks the caller to read the portal and to plan again; it is never stored.
const NeedLook Code = "need_look"

// qualify applies the rules of F15 and F16 in a fixed order; the first that excludes is the reason given.
func qualify(in InvoiceInput) (Plan, bool) {
	src, set := in.Source, in.Settings
	known := in.Known.PortalID != ""
	for _, rule := range []struct {
		out    bool
		reason Reason
	}{
		{src.CompanyNo != set.Q360Company, Because(OtherCompany, "company", src.CompanyNo)},
		{!src.Posted, Because(NotPosted)},
		{known, Reason{}}, // what is in the portal stays in the sync whatever the rules below say today
		{string(posted(src)) < set.Qualify.StartDate, Because(BeforeStart, "posted", string(posted(src)), "start", set.Qualify.StartDate)},
		{src.Total.IsZero() && set.Invoices.ZeroTotal != "send", Because(ZeroTotal)},
		{excluded(src.PayMethod, set.Qualify.PayMethods, set.Qualify.ExcludePayMethod), Because(MethodExcluded, "method", src.PayMethod)},
		{excluded(src.Type, set.Qualify.InvoiceTypes, nil), Because(TypeExcluded, "type", src.Type)},
		{excluded(src.CustomerNo, set.Qualify.Customers, set.Qualify.ExcludeCustomers), Because(CustomerExcluded, "customer", src.CustomerNo)},
		{src.Total.Sign() < 0 && !set.CreditNotes.Sync, Because(CreditsOff)},
		{!src.Total.IsZero() && src.Balance.IsZero(), Because(SettledInERP)},
		{below(src, set), Because(BalanceBelow, "balance", src.Balance.String())},
	} {
		if rule.out && rule.reason.Code == "" {
			return Plan{}, false
		}
		if rule.out {
			return stop(Skip, rule.reason), true
		}
	}
	if set.Payments.Mode != "off" && set.Payments.GLAccounts[src.Currency] == "" {
		return stop(Hold, Because(NoGLAccount, "currency", string(src.Currency))), true
	}
	return Plan{}, false
}

func posted(src billing.Invoice) billing.Date {
	if src.PostedDate != "" {
		return src.PostedDate
	}
	return src.Date
}

func excluded(value string, only, never []string) bool {
	return len(only) > 0 && !slices.Contains(only, value) || slices.Contains(never, value)
}

func below(src billing.Invoice, set settings.Company) bool {
	least := set.Qualify.MinBalance.In(src.Currency)
	return !least.IsZero() && src.Balance.Abs().Cmp(least) < 0
}

// first decides on a document that we never wrote.
func first(in InvoiceInput, want billing.PortalDocument, reasons []Reason) Plan {
	switch len(in.Found) {
	case 0:
		step := Step{Op: OpCreate, Kind: want.Kind, Key: key(string(want.Kind), want.Number), Document: &want}
		return Plan{Verdict: Create, Steps: []Step{step}, Reasons: reasons}
	case 1:
	default:
		return stop(Conflict, Because(SeveralWithNumber, "number", want.Number, "count", strconv.Itoa(len(in.Found))))
	}
	have := in.Found[0]
	owner := have.Metadata[MetaID]
	switch {
	case owner != "" && owner != want.Metadata[MetaID]:
		return stop(Conflict, Because(NumberTaken, "number", want.Number, "owner", owner))
	case have.Voided:
		return stop(Conflict, Because(VoidedInPortal))
	case have.Currency == want.Currency && have.Total.Equal(want.Total):
		return Plan{Verdict: Adopt, Reasons: append(reasons, Because(AlreadyThere))}
	}
	return stop(Conflict, Because(PortalDiffers, "portal", have.Total.String(), "total", want.Total.String()))
}

// change decides on a document that we wrote before and whose source changed since.
func change(in InvoiceInput, want billing.PortalDocument, reasons []Reason) Plan {
	if in.Known.Kind != "" && in.Known.Kind != want.Kind {
		return stop(Conflict, Because(KindChanged))
	}
	if !in.Looked {
		return Plan{Verdict: Hold, Reasons: []Reason{Because(NeedLook)}}
	}
	have := in.Dest
	switch {
	case have == nil:
		return stop(Conflict, Because(GoneInPortal))
	case have.Voided:
		return stop(Conflict, Because(VoidedInPortal))
	case in.Settings.Invoices.Update == "never":
		return stop(Conflict, Because(UpdatesOff))
	case !have.Paid().IsZero():
		if have.Total.Equal(want.Total) {
			return stop(None, Because(Unchanged)) // texts changed; the amount that was paid on did not
		}
		return stop(Conflict, Because(ChangedWhenPaid, "total", want.Total.String(), "paid", have.Paid().String(), "portal", have.Total.String()))
	}
	step := Step{
		Op: OpUpdate, Kind: want.Kind, Target: have.ID, Expect: have.Total.String(), Document: &want,
		Key: key(string(want.Kind), want.Number, in.Source.Fingerprint()),
	}
	return Plan{Verdict: Update, Steps: []Step{step}, Reasons: reasons}
}

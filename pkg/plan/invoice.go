package plan

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
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
	// File is what looking for the ERP's file gave; it is asked for with NeedFile.
	File FileLook
}

// Known is what we remember of a document from our last write.
type Known struct {
	PortalID    string       `json:"portal_id,omitempty"`
	Kind        billing.Kind `json:"kind,omitempty"`
	Fingerprint string       `json:"fingerprint,omitempty"` // of the source we last wrote
	Bare        bool         `json:"bare,omitempty"`        // it was written without its file, with the lines for that
}

// Invoice decides what to do with a posted invoice or customer credit of the ERP. The cheap checks come first, so that a
// caller can ask with little: without CustomerID the plan is Hold with WaitsForCustomer, without Looked it is Hold with
// NeedLook, without File.Looked it may be Hold with NeedFile — the only answers that ask the caller to read more.
func Invoice(in InvoiceInput) Plan { return withFile(in, invoice(in)) }

func invoice(in InvoiceInput) Plan {
	if p, no := qualify(in); no {
		return p
	}
	unchanged := in.Known.PortalID != "" && in.Known.Fingerprint == in.Source.Fingerprint()
	if unchanged && !Relines(in) {
		return stop(None, Because(Unchanged))
	}
	if in.CustomerID == "" {
		return stop(Hold, Because(WaitsForCustomer, "customer", in.Source.CustomerNo))
	}
	want, reasons := desired(in)
	if unchanged {
		return reline(in, change(in, want, reasons))
	}
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
	known, bad := in.Known.PortalID != "", unusable(src)
	if p, no := misplaced(src, set, known, bad); no {
		return p, true
	}
	for _, rule := range []struct {
		out    bool
		reason Reason
	}{
		{src.CompanyNo != set.Q360Company, Because(OtherCompany, "company", src.CompanyNo)},
		{!src.Posted, Because(NotPosted)},
		{known, Reason{}}, // what is in the portal stays in the sync whatever the rules below say today
		{string(posted(src)) < set.Qualify.StartDate, Because(BeforeStart, "posted", string(posted(src)), "start", set.Qualify.StartDate)},
		{src.Total.IsZero() && set.Invoices.ZeroTotal != "send", Because(ZeroTotal)},
		{outside(src.PayMethod, set.Qualify.PayMethods), Because(MethodExcluded, "method", src.PayMethod, "setting", "qualify.payment_methods")},
		{slices.Contains(set.Qualify.ExcludePayMethod, src.PayMethod), Because(MethodExcluded, "method", src.PayMethod, "setting", "qualify.exclude_payment_methods")},
		{outside(src.Type, set.Qualify.InvoiceTypes), Because(TypeExcluded, "type", src.Type)},
		{outside(src.CustomerNo, set.Qualify.Customers), Because(CustomerExcluded, "customer", src.CustomerNo, "setting", "qualify.customers")},
		{slices.Contains(set.Qualify.ExcludeCustomers, src.CustomerNo), Because(CustomerExcluded, "customer", src.CustomerNo, "setting", "qualify.exclude_customers")},
		{src.Total.Sign() < 0 && !set.CreditNotes.Sync, Because(CreditsOff)},
		{!src.Total.IsZero() && src.Balance.IsZero(), Because(SettledInERP)},
		{bad == "" && below(src, set), Because(BalanceBelow, "balance", src.Balance.String())},
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

// misplaced tells what left the sync after it was sent, and what can not be computed with.
func misplaced(src billing.Invoice, set settings.Company, known bool, bad string) (Plan, bool) {
	ours := src.CompanyNo == set.Q360Company
	switch {
	case known && !ours:
		return stop(Conflict, Because(MovedCompany, "company", src.CompanyNo)), true
	case known && !src.Posted:
		return stop(Conflict, Because(NoLongerPosted)), true
	case ours && src.Posted && bad != "":
		return stop(Conflict, Because(BadSource, "problem", bad)), true
	}
	return Plan{}, false
}

// unusable names an amount in another currency than the document's, which nothing could be computed with.
func unusable(src billing.Invoice) string {
	if src.Currency == "" {
		return "it has no currency; correct it in the ERP"
	}
	amounts := map[string]money.Money{"tax": src.Tax, "freight": src.Freight, "total": src.Total, "balance": src.Balance}
	for _, l := range src.Lines {
		amounts["amount of line "+l.ID] = l.Amount
	}
	bad := ""
	for name, m := range amounts {
		if cur := m.Currency(); cur != src.Currency && (cur != "" || !m.IsZero()) && (bad == "" || name < bad) {
			bad = name
		}
	}
	if bad == "" {
		return ""
	}
	return "its " + bad + " is in " + cmp.Or(string(amounts[bad].Currency()), "no currency") + " and it is in " + string(src.Currency) + "; correct it in the ERP"
}

func posted(src billing.Invoice) billing.Date {
	if src.PostedDate != "" {
		return src.PostedDate
	}
	return src.Date
}

// outside reports whether a list is given and the value is none of it.
func outside(value string, only []string) bool { return len(only) > 0 && !slices.Contains(only, value) }

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
	case have.CustomerID != "" && have.CustomerID != want.CustomerID:
		return stop(Conflict, Because(CustomerDiffers, "customer", in.Source.CustomerNo))
	case have.Currency == want.Currency && have.Total.Equal(want.Total):
		return Plan{Verdict: Adopt, Reasons: append(reasons, Because(AlreadyThere))}
	}
	return stop(Conflict, Because(PortalDiffers, "portal", have.Total.String(), "total", want.Total.String()))
}

// change decides on a document that we wrote before and whose source changed since.
func change(in InvoiceInput, want billing.PortalDocument, reasons []Reason) Plan {
	if !in.Looked {
		return Plan{Verdict: Hold, Reasons: []Reason{Because(NeedLook)}}
	}
	have := in.Dest
	switch {
	case in.Known.Kind != "" && in.Known.Kind != want.Kind:
		return stop(Conflict, Because(KindChanged))
	case have == nil:
		return stop(Conflict, Because(GoneInPortal))
	case have.Voided:
		return stop(Conflict, Because(VoidedInPortal))
	case have.CustomerID != "" && have.CustomerID != want.CustomerID:
		return stop(Conflict, Because(CustomerDiffers, "customer", in.Source.CustomerNo))
	case in.Settings.Invoices.Update == "never":
		return stop(Conflict, Because(UpdatesOff))
	case !have.Paid().IsZero():
		if have.Total.Sub(lateFees(*have)).Equal(want.Total) {
			return stop(None, Because(Unchanged)) // texts changed; the amount that was paid on did not
		}
		return stop(Conflict, Because(ChangedWhenPaid, "total", want.Total.String(), "paid", have.Paid().String(), "portal", have.Total.String()))
	case have.Status == statusPending:
		return stop(Hold, Because(PaymentInFlight))
	case have.Closed:
		return stop(Conflict, Because(ClosedInPortal, "total", want.Total.String()))
	case !lateFees(*have).IsZero():
		return stop(Conflict, Because(LateFees, "fees", lateFees(*have).String()))
	}
	want = withPortals(want, *have, in.Settings)
	step := Step{
		Op: OpUpdate, Kind: want.Kind, Target: have.ID, Expect: have.Total.String(), Document: &want,
		Key: key(string(want.Kind), want.Number, in.Source.Fingerprint()),
	}
	return Plan{Verdict: Update, Steps: []Step{step}, Reasons: reasons}
}

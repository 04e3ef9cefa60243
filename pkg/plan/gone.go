package plan

import (
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/settings"
)

// GoneInput is everything the decision on a document depends on that the ERP, asked for it by number, does not have.
type GoneInput struct {
	Number   string
	Settings settings.Company
	Known    Known
	Problem  string // the ERP's words
	// Dest is the portal's document with Known.PortalID; nil with Looked means deleted.
	Dest   *billing.PortalDocument
	Looked bool
	// Confirmed says that the ERP was asked before, some time ago, with the same answer.
	Confirmed bool
}

// Gone decides on a document that vanished from the ERP: merged, renumbered, deleted or moved to another company
// (invoices.gone, F18). It is shown to a person, or voided while nothing was paid on it; it is never deleted. Voiding can
// not be taken back, so the ERP is asked twice before.
func Gone(in GoneInput) Plan {
	if in.Known.PortalID == "" {
		return stop(Skip, Because(GoneBefore))
	}
	if !in.Looked {
		return stop(Hold, Because(NeedLook))
	}
	have := in.Dest
	switch {
	case have == nil || have.Voided:
		return stop(Skip, Because(GoneOnBoth))
	case !have.Paid().IsZero():
		return stop(Conflict, Because(GoneWhenPaid, "problem", in.Problem, "paid", have.Paid().String(), "portal", have.Total.String()))
	case in.Settings.Invoices.Gone != "void_if_unpaid":
		return stop(Conflict, Because(GoneInERP, "problem", in.Problem))
	case have.Draft:
		return stop(Conflict, Because(GoneDraft, "problem", in.Problem))
	case have.Status == statusPending:
		return stop(Hold, Because(PaymentInFlight))
	case !in.Confirmed:
		return stop(Hold, Because(GoneChecking, "problem", in.Problem))
	}
	return Plan{Verdict: Update, Reasons: []Reason{Because(GoneVoided)}, Steps: []Step{Void(in.Number, *have)}}
}

// Void is the step that voids a document of the portal.
func Void(number string, d billing.PortalDocument) Step {
	return Step{
		Op: OpVoid, Kind: d.Kind, Key: key(string(d.Kind), number, "void", d.ID), Target: d.ID, Expect: d.Total.String(),
		Document: &billing.PortalDocument{ID: d.ID, Kind: d.Kind, Number: d.Number, Total: d.Total},
	}
}

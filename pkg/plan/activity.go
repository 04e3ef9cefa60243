package plan

import (
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/settings"
)

// ActivityInput is everything the decision on a portal event depends on.
type ActivityInput struct {
	Event      billing.Event
	Settings   settings.Company
	InvoiceNo  string // the ERP's number of the event's invoice; empty when arbridge did not sync it
	CustomerNo string
}

// Activity decides which history entry an event becomes in the ERP (F27). The entry's key collapses repetitions: views
// by activity.viewed_collapse, comments by event, the paid entry once per invoice.
func Activity(in ActivityInput) Plan {
	ev, act := in.Event, in.Settings.Activity
	if in.InvoiceNo == "" || ev.Object != billing.KindInvoice {
		return stop(Skip, Because(NotOurs, "type", ev.Type))
	}
	day := string(billing.DateOf(ev.At, in.Settings.TimeZone))
	var on bool
	var what, id, text string
	switch {
	case ev.Commented:
		on, what, id = act.Commented, "commented", "c-"+ev.ID
		text = "Comment in the payment portal"
		if ev.Author != "" {
			text += " by " + ev.Author
		}
		if ev.Comment != "" {
			text += ": " + ev.Comment
		}
	case ev.Type == "invoice.viewed":
		on, what, text = act.Viewed, "viewed", "Viewed in the payment portal"
		id = map[string]string{"each": "v-" + ev.ID, "first": "v-" + in.InvoiceNo}[act.ViewedCollapse]
		if id == "" {
			id = "v-" + in.InvoiceNo + "-" + strings.ReplaceAll(day, "-", "")
		}
	case ev.Type == "invoice.paid":
		on, what, id, text = act.Paid, "paid", "p-"+in.InvoiceNo, "Paid in the payment portal"
	default:
		return stop(Skip, Because(NotOurs, "type", ev.Type))
	}
	if !on {
		return stop(Skip, Because(ActivityOff))
	}
	entry := billing.HistoryEntry{
		Key: id, Code: code(what, in.Settings), InvoiceNo: in.InvoiceNo, CustomerNo: in.CustomerNo, At: ev.At,
		Comment: "Invoice " + in.InvoiceNo + ": " + text,
	}
	return Plan{Verdict: Create, Steps: []Step{{Op: OpCreate, Kind: billing.KindActivity, Key: key("history", id), History: &entry}}}
}

func code(what string, set settings.Company) string {
	if c := set.Activity.Codes[what]; c != "" {
		return c
	}
	return "RP-" + strings.ToUpper(what)
}

package plan

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/settings"
)

// ActivityInput is everything the decision on a portal event depends on.
type ActivityInput struct {
	Event      billing.Event
	Settings   settings.Company
	InvoiceNo  string // the ERP's number of the event's invoice; empty when arbridge did not sync it
	CustomerNo string
	// Same is the key of an entry that tells of the same comment, from SameComment; empty without one.
	Same string
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
		on, what, id, text = act.Commented, "commented", cmp.Or(in.Same, CommentKey(ev)), commentText(ev)
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
	return Plan{Verdict: Create, Steps: []Step{{Op: OpCreate, Kind: billing.KindActivity, Key: HistoryKey(id), History: &entry}}}
}

// maxComment bounds the text of a comment in characters, many more than an ERP keeps; the connector cuts it to what fits.
const maxComment = 2000

// commentText is the text of a comment's entry, in one line.
func commentText(ev billing.Event) string {
	text := "Comment in the payment portal"
	if author := strings.Join(strings.Fields(ev.Author), " "); author != "" {
		text += " by " + author
	}
	if said := []rune(strings.Join(strings.Fields(ev.Comment), " ")); len(said) > maxComment {
		text += ": " + string(said[:maxComment]) + "…"
	} else if len(said) > 0 {
		text += ": " + string(said)
	}
	return text
}

// CommentKey is the key of the history entry of a comment.
func CommentKey(ev billing.Event) string { return "c-" + ev.ID }

// HistoryKey is the key of the step that writes a history entry.
func HistoryKey(id string) string { return key("history", id) }

// sameComment is how far apart the two events of one comment may be.
const sameComment = 2 * time.Minute

// SameComment finds the other event that tells of the same comment as ev, among the comments on its document: the flag
// needs_attention turning on carries no text, and the retired event of the same moment does (invoiced-api 7.1). Each event
// has at most one partner, the earliest that fits, whatever order they come in.
func SameComment(ev billing.Event, all []billing.Event) (billing.Event, bool) {
	var flags, texts []billing.Event
	for _, x := range append(slices.Clone(all), ev) {
		if !x.Commented || x.ObjectID != ev.ObjectID {
			continue
		}
		if retired(x) {
			texts = append(texts, x)
		} else {
			flags = append(flags, x)
		}
	}
	taken := map[string]bool{}
	for _, flag := range inOrder(flags) {
		for _, text := range inOrder(texts) {
			if taken[text.ID] || flag.At.Sub(text.At).Abs() > sameComment {
				continue
			}
			taken[text.ID] = true
			switch ev.ID {
			case flag.ID:
				return text, true
			case text.ID:
				return flag, true
			}
			break
		}
	}
	return billing.Event{}, false
}

// retired reports whether the event is one of the types that carry the comment itself.
func retired(ev billing.Event) bool { return strings.HasSuffix(ev.Type, ".commented") }

func inOrder(events []billing.Event) []billing.Event {
	slices.SortFunc(events, func(a, b billing.Event) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return slices.CompactFunc(events, func(a, b billing.Event) bool { return a.ID == b.ID })
}

func code(what string, set settings.Company) string {
	if c := set.Activity.Codes[what]; c != "" {
		return c
	}
	return "RP-" + strings.ToUpper(what)
}

package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/plan"
)

func TestActivity(t *testing.T) {
	at := time.Date(2026, 5, 5, 2, 30, 0, 0, time.UTC) // the evening of 4 May in the company's zone
	for _, c := range []struct {
		name      string
		change    func(*plan.ActivityInput)
		key, code string
		reason    plan.Code
	}{
		{"viewed, one a day", func(*plan.ActivityInput) {}, "v-A1-20260504", "RP-VIEWED", ""},
		{"viewed, each", func(in *plan.ActivityInput) { in.Settings.Activity.ViewedCollapse = "each" }, "v-77", "RP-VIEWED", ""},
		{"viewed, first", func(in *plan.ActivityInput) { in.Settings.Activity.ViewedCollapse = "first" }, "v-A1", "RP-VIEWED", ""},
		{"viewed, off", func(in *plan.ActivityInput) { in.Settings.Activity.Viewed = false }, "", "", plan.ActivityOff},
		{"commented", func(in *plan.ActivityInput) {
			in.Event.Type, in.Event.Commented, in.Event.Comment = "invoice.updated", true, "Where is the PO?"
		}, "c-77", "RP-COMMENTED", ""},
		{"paid", func(in *plan.ActivityInput) { in.Event.Type = "invoice.paid" }, "p-A1", "RP-PAID", ""},
		{"own code", func(in *plan.ActivityInput) { in.Settings.Activity.Codes = map[string]string{"viewed": "PORTAL"} }, "v-A1-20260504", "PORTAL", ""},
		{"plain update", func(in *plan.ActivityInput) { in.Event.Type = "invoice.updated" }, "", "", plan.NotOurs},
		{"invoice of somebody else", func(in *plan.ActivityInput) { in.InvoiceNo = "" }, "", "", plan.NotOurs},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := plan.ActivityInput{
				Event:    billing.Event{ID: "77", Type: "invoice.viewed", At: at, Object: billing.KindInvoice, ObjectID: "900"},
				Settings: company(), InvoiceNo: "A1", CustomerNo: "C1",
			}
			c.change(&in)
			p := plan.Activity(in)
			if c.key == "" {
				if len(p.Steps) > 0 || !p.Has(c.reason) {
					t.Fatalf("got %+v", p)
				}
				return
			}
			if len(p.Steps) != 1 || p.Steps[0].History.Key != c.key || p.Steps[0].History.Code != c.code {
				t.Fatalf("got %+v", p.Steps)
			}
		})
	}
}

func commentAt(id, kind string, second int, text string) billing.Event {
	return billing.Event{ID: id, Type: kind, At: time.Date(2026, 5, 5, 12, 0, second, 0, time.UTC), Object: billing.KindInvoice, ObjectID: "900", Commented: true, Comment: text}
}

// TestCommentTexts: in one line, with the author, and never endless.
func TestCommentTexts(t *testing.T) {
	for _, c := range []struct{ author, text, want string }{
		{"", "", "Invoice A1: Comment in the payment portal"},
		{"Dana Ruiz", "Where is\n the  PO?", "Invoice A1: Comment in the payment portal by Dana Ruiz: Where is the PO?"},
		{"", strings.Repeat("é", 5000), "Invoice A1: Comment in the payment portal: " + strings.Repeat("é", 2000) + "…"},
	} {
		ev := commentAt("7", "invoice.commented", 0, c.text)
		ev.Author = c.author
		p := plan.Activity(plan.ActivityInput{Event: ev, Settings: company(), InvoiceNo: "A1", CustomerNo: "C1"})
		if len(p.Steps) != 1 || p.Steps[0].History.Comment != c.want {
			t.Errorf("got %.80q", p.Steps[0].History.Comment)
		}
	}
}

// TestSameComment: the flag and the text of one moment belong together, one to one, whatever order they are listed in.
func TestSameComment(t *testing.T) {
	flag, text := commentAt("1", "invoice.updated", 10, ""), commentAt("2", "invoice.commented", 11, "a")
	second, late := commentAt("3", "invoice.commented", 40, "b"), commentAt("4", "invoice.updated", 59, "")
	far := commentAt("5", "invoice.commented", 11, "c")
	far.At = far.At.Add(time.Hour)
	elsewhere := commentAt("6", "invoice.commented", 11, "d")
	elsewhere.ObjectID = "901"
	all := []billing.Event{far, second, elsewhere, text, flag}
	for _, c := range []struct {
		ev   billing.Event
		all  []billing.Event
		want string
	}{
		{flag, all, "2"}, {text, all, "1"}, {second, all, ""}, {far, all, ""}, {elsewhere, all, ""},
		{flag, []billing.Event{flag}, ""}, {flag, nil, ""}, {text, []billing.Event{second}, ""},
		{late, append([]billing.Event{late}, all...), "3"}, {second, append([]billing.Event{late}, all...), "4"},
	} {
		got, found := plan.SameComment(c.ev, c.all)
		if got.ID != c.want || found != (c.want != "") {
			t.Errorf("%s of %d events belongs to %q, want %q", c.ev.ID, len(c.all), got.ID, c.want)
		}
	}
	p := plan.Activity(plan.ActivityInput{Event: text, Settings: company(), InvoiceNo: "A1", Same: plan.CommentKey(flag)})
	if p.Steps[0].Key != "history/c-1" {
		t.Errorf("key %s", p.Steps[0].Key)
	}
}

package plan_test

import (
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

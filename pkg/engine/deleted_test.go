package engine_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// begunWithoutAnswer is a world in which the answer to the creation of a document is lost.
func begunWithoutAnswer(t *testing.T, inv billing.Invoice, written bool) *fixture {
	t.Helper()
	f := synced(t, "0")
	f.ERP.PutInvoices(inv)
	f.Portal.Fail(lost("CreateDocument", written))
	f.tick()
	f.want(billing.KindInvoice, inv.Number, record.Unknown, plan.OutcomeUnknown)
	return f
}

// told is an event as the portal sends it.
func told(t *testing.T, ev billing.Event) billing.Event {
	t.Helper()
	var err error
	if ev.Raw, err = json.Marshal(ev); err != nil {
		t.Fatal(err)
	}
	return ev
}

// TestDeletedBeforeTheLookUp: a document whose creation had no answer, and which staff deleted before it was looked up, is not
// created a second time, whichever way the event of the deletion comes.
func TestDeletedBeforeTheLookUp(t *testing.T) {
	for _, c := range []struct {
		name   string
		source billing.Invoice
	}{
		{"invoice", enginetest.Invoice("1", "C1")},
		{"credit note", creditNote("1", "K1")},
	} {
		for _, way := range []string{"webhook", "gap fill", "while it is worked on"} {
			t.Run(c.name+", "+way, func(t *testing.T) {
				f := begunWithoutAnswer(t, c.source, true)
				f.Clock.Advance(2 * time.Second)
				id := f.numbered("1").ID
				switch way {
				case "webhook":
					f.hook(f.Portal.DeleteDocument(id))
				case "gap fill":
					f.Portal.DeleteDocument(id)
					f.Clock.Advance(20 * time.Minute) // nobody looked in that time
					us, err := f.e.Company("us")
					if err != nil {
						t.Fatal(err)
					}
					if err := f.e.GapFill(t.Context(), us); err != nil {
						t.Fatal(err)
					}
					f.drain()
				default:
					f.Clock.Advance(10 * time.Second)
					f.Portal.Fail(enginetest.Fault{Method: "FindDocuments", Nth: 1, Hook: func() {
						if err := f.Hook(t.Context(), f.e, f.Portal.DeleteDocument(id)); err != nil {
							t.Error(err)
						}
						f.drain()
					}})
					f.sync(billing.KindInvoice, "1")
					f.drain()
				}
				r := f.want(billing.KindInvoice, "1", record.Attention, plan.GoneInPortal)
				if d := f.due(r); r.PortalID != id || d <= 0 || d > 24*time.Hour {
					t.Errorf("portal id %s, want %s; due in %s", r.PortalID, id, d)
				}
				f.run(3 * time.Hour)
				f.want(billing.KindInvoice, "1", record.Attention, plan.GoneInPortal)
				if n := f.Portal.Count("CreateDocument"); n != 1 {
					t.Errorf("%d creations", n)
				}
				f.noOpenEffects()
			})
		}
	}
}

// TestOtherDeletions: an event says nothing about a creation that began after it, nor about other documents.
func TestOtherDeletions(t *testing.T) {
	for _, c := range []struct {
		name  string
		event func(f *fixture) billing.Event
	}{
		{"long before", func(f *fixture) billing.Event {
			ev := billing.Event{ID: "ev900", Type: "invoice.deleted", Object: billing.KindInvoice, ObjectID: "900", Number: "1", At: f.Clock.Now().Add(-time.Hour)}
			return told(f.t, ev)
		}},
		{"another kind", func(f *fixture) billing.Event {
			ev := billing.Event{ID: "ev900", Type: "credit_note.deleted", Object: billing.KindCreditNote, ObjectID: "900", Number: "1", At: f.Clock.Now()}
			return told(f.t, ev)
		}},
		{"another number", func(f *fixture) billing.Event {
			ev := billing.Event{ID: "ev900", Type: "invoice.deleted", Object: billing.KindInvoice, ObjectID: "900", Number: "12", At: f.Clock.Now()}
			return told(f.t, ev)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := begunWithoutAnswer(t, enginetest.Invoice("1", "C1"), false)
			f.hook(c.event(f))
			f.run(10 * time.Minute)
			f.want(billing.KindInvoice, "1", record.Synced, "")
			f.want(billing.KindInvoice, "0", record.Synced, "")
			if n := f.Portal.Count("CreateDocument"); n != 2 {
				t.Errorf("%d creations, want a second one: the first never arrived", n)
			}
		})
	}
}

// TestDeletedAndMadeAgain: a document that staff deleted is shown at once, and one that they make again under its number is
// found within a day without a command, with its file.
func TestDeletedAndMadeAgain(t *testing.T) {
	f := synced(t, "1")
	was := f.document()
	f.hook(f.Portal.DeleteDocument(was.ID))
	f.want(billing.KindInvoice, "1", record.Attention, plan.GoneInPortal)
	again := was
	again.Metadata = nil
	again = f.Portal.EnterDocument(again)
	f.run(25 * time.Hour)
	r := f.want(billing.KindInvoice, "1", record.Synced, plan.AlreadyThere)
	if r.PortalID != again.ID || again.ID == was.ID {
		t.Errorf("the record has %s, the portal %s", r.PortalID, again.ID)
	}
	if n := f.Portal.Writes(); n != 0 {
		t.Errorf("%d writes to the portal", n)
	}
}

// TestDeletedWithoutEvent: that a document was deleted shows when its file or a change is to be brought to it.
func TestDeletedWithoutEvent(t *testing.T) {
	t.Run("an update", func(t *testing.T) {
		f := synced(t, "1")
		f.Portal.Fail(enginetest.Fault{Method: "UpdateDocument", Nth: 1, Hook: func() { f.Portal.Remove(f.document().ID) }})
		f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
		f.run(5 * time.Minute)
		f.want(billing.KindInvoice, "1", record.Attention, plan.GoneInPortal)
		f.noOpenEffects()
	})
	t.Run("an update without an answer", func(t *testing.T) {
		f := synced(t, "1")
		f.Portal.Fail(lost("UpdateDocument", true))
		f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
		f.tick()
		f.Portal.Remove(f.document().ID)
		f.run(10 * time.Minute)
		f.want(billing.KindInvoice, "1", record.Attention, plan.GoneInPortal)
		f.noOpenEffects()
	})
	t.Run("a file without an answer", func(t *testing.T) {
		f := attaching(t)
		f.bill()
		f.ERP.PutFile("1", file("D1", 0), pdf("one"))
		f.Portal.Fail(lost("UploadFile", true))
		f.tick()
		f.want(billing.KindDocument, "1", record.Unknown, plan.OutcomeUnknown)
		f.hook(f.Portal.DeleteDocument(f.numbered("1").ID))
		f.run(time.Hour)
		f.want(billing.KindInvoice, "1", record.Attention, plan.GoneInPortal)
		f.want(billing.KindDocument, "1", record.Waiting, plan.WaitsForInvoice)
		f.noOpenEffects()
	})
	t.Run("a file", func(t *testing.T) {
		f := attaching(t)
		f.bill()
		f.tick()
		was := f.numbered("1")
		f.Portal.Remove(was.ID)
		f.ERP.PutFile("1", file("D1", 0), pdf("one"))
		f.run(6 * time.Hour)
		f.want(billing.KindInvoice, "1", record.Attention, plan.GoneInPortal)
		f.want(billing.KindDocument, "1", record.Waiting, plan.WaitsForInvoice)
		was.Metadata = nil
		again := f.Portal.EnterDocument(was)
		f.run(25 * time.Hour)
		f.want(billing.KindInvoice, "1", record.Synced, plan.AlreadyThere)
		f.want(billing.KindDocument, "1", record.Synced, "")
		if n := len(f.Portal.Attached(again.ID)); n != 1 {
			t.Errorf("%d files on the new document", n)
		}
	})
}

// TestPaymentOfDeletedInvoice: a payment of invoices one of which was deleted in the ERP says which, and goes on when it is back.
func TestPaymentOfDeletedInvoice(t *testing.T) {
	for name, second := range map[string]bool{"one invoice": false, "one of two": true} {
		t.Run(name, func(t *testing.T) {
			f := synced(t, "1", "2")
			var more []billing.Application
			want := "107.00 application:1:107.00"
			if second {
				more, want = append(more, enginetest.On(f.Record(billing.KindInvoice, "2").PortalID, "107")), "214.00 application:1:107.00 application:2:107.00"
			}
			ev := f.pays("1", "107", more...)
			f.ERP.Vanish("1")
			f.hook(ev)
			r := f.want(billing.KindPayment, ev.ObjectID, record.Attention, plan.InvoiceUnposted)
			if r.Reasons[0].Params["invoice"] != "1" || f.due(r) <= 0 {
				t.Errorf("%s, due in %s", r.Summary, f.due(r))
			}
			f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
			f.run(7 * time.Hour)
			f.want(billing.KindPayment, ev.ObjectID, record.Synced, "")
			f.receipts(want)
		})
	}
}

// TestMissingIsLookedAtAgain: whatever a vendor does not have that it should is tried again.
func TestMissingIsLookedAtAgain(t *testing.T) {
	f := synced(t, "0")
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.Portal.Fail(enginetest.Fault{Method: "CreateDocument", Class: connector.ClassNotFound})
	f.run(5 * time.Minute)
	r := f.want(billing.KindInvoice, "1", record.Attention, plan.VendorRefused)
	if d := f.due(r); d <= 0 || d > 6*time.Hour {
		t.Errorf("tried again in %s", d)
	}
	if e := f.entry("invoice/1"); e.State != journal.Refused || e.Attempts != 2 {
		t.Errorf("journal %+v", e)
	}
	f.Portal.Heal()
	f.run(7 * time.Hour)
	f.want(billing.KindInvoice, "1", record.Synced, "")
}

// TestLostUpdateBeforeAPayment: an update without an answer, on a document of which a payment is under way when it is looked up,
// leaves nothing to be looked up once that has settled.
func TestLostUpdateBeforeAPayment(t *testing.T) {
	for _, written := range []bool{true, false} {
		f := synced(t, "1")
		id := f.document().ID
		f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
		f.Portal.Fail(lost("UpdateDocument", written))
		f.tick()
		f.want(billing.KindInvoice, "1", record.Unknown, "")
		f.Portal.EditDocument(id, func(d *billing.PortalDocument) { d.Status = "pending" })
		f.run(10 * time.Minute)
		f.want(billing.KindInvoice, "1", record.Waiting, plan.PaymentInFlight)
		f.Portal.EditDocument(id, func(d *billing.PortalDocument) { d.Status, d.Balance = "paid", usd("0") })
		f.run(2 * time.Hour)
		if written {
			f.want(billing.KindInvoice, "1", record.Synced, plan.Unchanged)
		} else {
			f.want(billing.KindInvoice, "1", record.Attention, plan.ChangedWhenPaid)
		}
		f.noOpenEffects()
	}
}

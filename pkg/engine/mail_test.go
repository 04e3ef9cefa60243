package engine_test

import (
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
)

func mailing(w *enginetest.World) { w.Settings.Invoices.Send = "email" }

// sent puts invoice 1 into a world with a setting changed and returns the e-mails after some hours.
func sent(t *testing.T, prepare func(w *enginetest.World)) (*fixture, []enginetest.Mail) {
	t.Helper()
	f := steady(t, mailing, prepare)
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	f.bill()
	f.tick()
	f.run(2 * time.Hour)
	return f, f.Portal.Mails()
}

func TestNewInvoiceIsMailedOnce(t *testing.T) {
	f, mails := sent(t, func(*enginetest.World) {})
	d := f.numbered("1")
	if len(mails) != 1 || mails[0] != (enginetest.Mail{DocumentID: d.ID, Name: "Payables C1", Email: "ap-c1@customer.example"}) {
		t.Fatalf("e-mails %+v", mails)
	}
	if !d.MarkSent {
		t.Error("the portal may send a second e-mail by itself")
	}
	f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
	f.tick()
	f.sync(billing.KindInvoice, "1")
	if f.want(billing.KindInvoice, "1", record.Synced, ""); len(f.Portal.Mails()) != 1 {
		t.Errorf("an update is no new invoice: %+v", f.Portal.Mails())
	}
	if e := f.entry("mail/invoice/1"); e.State != journal.Done || e.Attempts != 1 {
		t.Errorf("journal %+v", e)
	}
}

func TestWhoIsMailed(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(w *enginetest.World)
		to      []string
		reason  plan.Code
	}{
		{"the safe address in sandbox mode", func(w *enginetest.World) { w.Settings.Mode = settings.ModeSandbox }, []string{"safe@arbridge.example"}, ""},
		{"nobody for a draft", func(w *enginetest.World) { w.Settings.Invoices.Draft = true }, nil, ""},
		{"nobody by default", func(w *enginetest.World) { w.Settings.Invoices.Send = "portal_default" }, nil, ""},
		{"nobody when marked as sent", func(w *enginetest.World) { w.Settings.Invoices.Send = "mark_sent" }, nil, ""},
		{"nobody without a contact", func(w *enginetest.World) {
			w.Settings.Contacts.Roles, w.Settings.Contacts.PrimaryRole = []string{"AR"}, "AR"
		}, nil, plan.MailNobody},
		{"nobody when it is refused", func(w *enginetest.World) {
			w.Portal.Fail(enginetest.Fault{Method: "SendDocument", Class: connector.ClassInvalid})
		}, nil, plan.MailRefused},
		{"later when the portal is down", func(w *enginetest.World) {
			w.Portal.Fail(enginetest.Fault{Method: "SendDocument", Nth: 1, Class: connector.ClassRetry})
		}, []string{"ap-c1@customer.example"}, ""},
		{"not a second time when the answer was lost", func(w *enginetest.World) {
			w.Portal.Fail(lost("SendDocument", true))
		}, []string{"ap-c1@customer.example"}, plan.MailUnknown},
		{"not a second time when it may have gone out", func(w *enginetest.World) {
			w.Portal.Fail(lost("SendDocument", false))
		}, nil, plan.MailUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, mails := sent(t, c.prepare)
			f.want(billing.KindInvoice, "1", record.Synced, c.reason)
			if len(mails) != len(c.to) {
				t.Fatalf("e-mails %+v, want to %v", mails, c.to)
			}
			for i, to := range c.to {
				if mails[i].Email != to {
					t.Errorf("to %s, want %s", mails[i].Email, to)
				}
			}
			f.noOpenMail()
		})
	}
}

func (f *fixture) noOpenMail() {
	f.t.Helper()
	all, err := enginetest.All[journal.Entry](f.Store, "journal")
	if err != nil {
		f.t.Fatal(err)
	}
	if e, ok := all["us/mail/invoice/1"]; ok && e.Open() {
		f.t.Errorf("the e-mail is %s", e.State)
	}
}

// TestMailOutlivesAChange: an invoice changes before its e-mail could be sent. It goes out once, after the update.
func TestMailOutlivesAChange(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(f *fixture) // so that the e-mail waits
		mend    func(f *fixture)
	}{
		{"the company was paused in the middle", func(f *fixture) {
			f.Portal.Fail(enginetest.Fault{Method: "CreateDocument", Nth: 1, Hook: func() { f.pause(record.FlowAll) }})
		}, func(f *fixture) { f.resume(record.FlowAll) }},
		{"the portal was down", func(f *fixture) {
			f.Portal.Fail(enginetest.Fault{Method: "SendDocument", Nth: 1, Class: connector.ClassRetry})
		}, func(*fixture) {}},
		{"the answer to the creation was lost", func(f *fixture) { f.Portal.Fail(lost("CreateDocument", true)) }, func(*fixture) {}},
		{"the update waited for a payment under way", func(f *fixture) {
			f.Portal.Fail(enginetest.Fault{Method: "CreateDocument", Nth: 1, Hook: func() { f.pause(record.FlowAll) }})
		}, func(f *fixture) {
			d := f.numbered("1")
			f.Portal.EditDocument(d.ID, func(d *billing.PortalDocument) { d.Status = "pending" })
			f.resume(record.FlowAll)
			f.run(15 * time.Minute)
			f.want(billing.KindInvoice, "1", record.Waiting, plan.PaymentInFlight)
			f.Portal.EditDocument(d.ID, func(d *billing.PortalDocument) { d.Status = "not_sent" })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := steady(t, mailing)
			f.ERP.PutCustomers(enginetest.Customer("C1"))
			f.bill()
			c.prepare(f)
			f.tick()
			if n := len(f.Portal.Mails()); n != 0 {
				t.Fatalf("%d e-mails already", n)
			}
			f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
			c.mend(f)
			f.run(3 * time.Hour)
			f.want(billing.KindInvoice, "1", record.Synced, "")
			if d := f.numbered("1"); len(f.Portal.Mails()) != 1 || !d.Total.Equal(usd("127")) {
				t.Errorf("%d e-mails about a total of %s", len(f.Portal.Mails()), d.Total)
			}
			f.noOpenMail()
			f.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 70))
			f.run(time.Hour)
			if n := len(f.Portal.Mails()); n != 1 {
				t.Errorf("%d e-mails after another change", n)
			}
		})
	}
}

// TestMailCrashAndChangeEverywhere: the process is killed anywhere, and the invoice changes before the next one starts.
func TestMailCrashAndChangeEverywhere(t *testing.T) {
	for n := 1; ; n++ {
		died := false
		for _, after := range []bool{false, true} {
			w := enginetest.NewWorld()
			w.Options.Exclusive = true
			mailing(w)
			customerKnown(t, w, w.Start())
			w.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
			e := w.StartOn(enginetest.NewLine(n, after))
			died = enginetest.Dies(func() { tick(t, w, e) })
			w.Bus.Lose()
			w.ERP.PutInvoices(enginetest.Over(enginetest.Invoice("1", "C1"), 60))
			if err := w.Run(t.Context(), w.Start(), 40*time.Minute); err != nil {
				t.Fatal(err)
			}
			r := w.Record(billing.KindInvoice, "1")
			mails := len(w.Portal.Mails()) - 1 // one was for invoice 0
			if r.Status != record.Synced || r.PortalTotal != "127.00" || mails > 1 || mails < 1 && !has(r, plan.MailUnknown) {
				t.Fatalf("killed at call %d, after %v: %d e-mails, %s %s, total %s", n, after, mails, r.Status, r.Summary, r.PortalTotal)
			}
		}
		if !died {
			return
		}
	}
}

// TestMailCrashEverywhere: wherever the process is killed, at most one e-mail goes out, and none is lost without a word.
func TestMailCrashEverywhere(t *testing.T) {
	for n := 1; ; n++ {
		died := false
		for _, after := range []bool{false, true} {
			w := enginetest.NewWorld()
			w.Options.Exclusive = true
			mailing(w)
			customerKnown(t, w, w.Start())
			w.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
			e := w.StartOn(enginetest.NewLine(n, after))
			died = enginetest.Dies(func() { tick(t, w, e) })
			w.Bus.Lose()
			if err := w.Run(t.Context(), w.Start(), 40*time.Minute); err != nil {
				t.Fatal(err)
			}
			r := w.Record(billing.KindInvoice, "1")
			mails := len(w.Portal.Mails()) - 1 // one was for invoice 0
			if r.Status != record.Synced || mails > 1 || mails < 1 && !has(r, plan.MailUnknown) {
				t.Fatalf("killed at call %d, after %v: %d e-mails, %s %s", n, after, mails, r.Status, r.Summary)
			}
		}
		if !died {
			return
		}
	}
}

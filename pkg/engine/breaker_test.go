package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// outage is a world in which the portal takes no document, with some invoices on their way to it.
func outage(t *testing.T, invoices int) *fixture {
	t.Helper()
	f := synced(t, "0")
	for _, method := range []string{"FindDocuments", "CreateDocument", "Events"} {
		f.Portal.Fail(enginetest.Fault{Method: method, Class: connector.ClassRetry})
	}
	for i := range invoices {
		f.ERP.PutInvoices(enginetest.Invoice(fmt.Sprint("9", i), "C1"))
	}
	if _, err := f.e.PollAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.drain()
	return f
}

func (f *fixture) breaker(vendor string) record.Breaker {
	f.t.Helper()
	s, err := f.e.Status(f.t.Context(), "us")
	if err != nil {
		f.t.Fatal(err)
	}
	for _, b := range s.Breakers {
		if b.Vendor == vendor {
			return b
		}
	}
	f.t.Fatalf("no breaker of %s in %+v", vendor, s.Breakers)
	return record.Breaker{}
}

// TestBreakerStopsCalls: after ten failures in a row the vendor is left alone and its records are parked without a call, of
// this company and vendor only.
func TestBreakerStopsCalls(t *testing.T) {
	f := outage(t, 30)
	if n := f.Portal.Count("FindDocuments"); n != 10 {
		t.Errorf("%d calls to a vendor that does not answer, want 10", n)
	}
	r := f.want(billing.KindInvoice, "929", record.Scheduled, plan.VendorDown)
	if r.Attempts != 0 {
		t.Errorf("a record that was not tried has %d attempts", r.Attempts)
	}
	if due := f.due(r); due < 59*time.Second || due > 70*time.Second {
		t.Errorf("it is due in %s", due)
	}
	if b := f.breaker("invoiced"); b.State != record.BreakerOpen || b.Failures != 10 || b.Until.Sub(f.Clock.Now()) != time.Minute {
		t.Errorf("breaker %+v", b)
	}
	if b := f.breaker("q360"); b.State != record.BreakerClosed {
		t.Errorf("the breaker of the other vendor: %+v", b)
	}
}

// TestBreakerTriesAgain: one call at a time after growing pauses; the first that works lets everything pass, without a
// person.
func TestBreakerTriesAgain(t *testing.T) {
	f := outage(t, 30)
	f.Portal.Reset()
	if err := f.Run(t.Context(), f.e, time.Hour); err == nil {
		t.Error("no poll tells of the trials in vain")
	}
	// Trials after 1, 2, 4, 8, 15, 15 minutes, each at a full minute and by whichever call comes first.
	if n := f.Portal.Count(); n < 5 || n > 8 {
		t.Errorf("%d calls in an hour of outage, want one for each pause", n)
	}
	if b := f.breaker("invoiced"); b.State != record.BreakerOpen || b.Until.Sub(f.Clock.Now()) > 15*time.Minute {
		t.Errorf("breaker %+v", b)
	}
	f.Portal.Heal()
	f.run(25 * time.Minute)
	for i := range 30 {
		f.want(billing.KindInvoice, fmt.Sprint("9", i), record.Synced, "")
	}
	if b := f.breaker("invoiced"); b.State != record.BreakerClosed || b.Failures != 0 {
		t.Errorf("breaker after the outage: %+v", b)
	}
	if n := len(f.Portal.Invoices()); n != 31 {
		t.Errorf("the portal has %d invoices, want 31", n)
	}
}

// TestBreakerIgnoresAnswers: a vendor that answers, however it refuses, is there.
func TestBreakerIgnoresAnswers(t *testing.T) {
	f := synced(t, "0")
	f.Portal.Fail(enginetest.Fault{Method: "CreateDocument", Class: connector.ClassInvalid})
	for i := range 15 {
		f.ERP.PutInvoices(enginetest.Invoice(fmt.Sprint("9", i), "C1"))
	}
	f.tick()
	f.want(billing.KindInvoice, "914", record.Attention, plan.VendorRefused)
	if b := f.breaker("invoiced"); b.State != record.BreakerClosed {
		t.Errorf("breaker %+v", b)
	}
}

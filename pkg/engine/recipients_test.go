package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
)

// mode restarts the process in another mode.
func (f *fixture) mode(m settings.Mode) {
	f.Settings.Mode = m
	f.e = f.Start()
}

// recipients lists every stored address, each once.
func (f *fixture) recipients() map[string]bool {
	out := map[string]bool{}
	for _, c := range f.Portal.Payers() {
		out[c.Email] = true
	}
	for _, c := range f.Portal.People() {
		out[c.Email] = true
	}
	delete(out, "")
	return out
}

func (f *fixture) onlySafe(when string) {
	f.t.Helper()
	for email := range f.recipients() {
		if email != f.Settings.SafeEmail {
			f.t.Fatalf("%s: %s is stored in sandbox mode", when, email)
		}
	}
}

// TestSandboxThereAndBack: going into sandbox mode replaces every recipient without any change in the ERP, and going live
// puts back whose address it was: the ERP's, a person's, or that of a contact that is not ours.
func TestSandboxThereAndBack(t *testing.T) {
	f := synced(t, "1")
	payer, person := f.Portal.Payers()[0], f.Portal.People()[0]
	other := f.Portal.EnterContact(billing.PortalContact{CustomerID: payer.ID, Name: "Somebody else", Email: "else@customer.example"})
	f.Portal.Edit(payer.ID, func(c *billing.PortalCustomer) { c.Email = "boss@customer.example" })
	before := f.recipients()
	for range 2 {
		f.mode(settings.ModeSandbox)
		f.tick()
		f.onlySafe("switched")
		if c := f.Portal.Payers()[0]; c.Chase || c.Email == "" {
			t.Fatalf("customer %+v", c)
		}
		f.Portal.Reset()
		f.run(time.Hour)
		f.portalCounts(0, 0) // once
		f.Settings.SafeEmail = "other-safe@arbridge.example"
		f.mode(settings.ModeSandbox)
		f.tick()
		f.onlySafe("another safe address")
		f.mode(settings.ModeReadOnly)
		f.tick()
		f.onlySafe("read only after it")
		f.mode(settings.ModeLive)
		f.tick()
		f.want(billing.KindCustomer, "C1", record.Synced, "")
		if got := f.recipients(); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Fatalf("recipients %v, want %v as before", got, before)
		}
		if c := f.Portal.Payers()[0]; !c.Chase || c.Email != "boss@customer.example" {
			t.Fatalf("customer %+v", c)
		}
	}
	for _, p := range f.Portal.People() {
		if p.ID == person.ID && p.Email != "ap-c1@customer.example" || p.ID == other.ID && p.Email != "else@customer.example" {
			t.Errorf("contact %+v", p)
		}
	}
	if r := f.Record(billing.KindCustomer, "C1"); len(r.Memory.Kept()) != 0 {
		t.Errorf("still kept: %v", r.Memory.Kept())
	}
}

// TestNoInvoiceBeforeRecipientsAreRight: while a real address can not be replaced, nothing goes to that customer.
func TestNoInvoiceBeforeRecipientsAreRight(t *testing.T) {
	f := synced(t, "1")
	f.mode(settings.ModeSandbox)
	f.Portal.Fail(enginetest.Fault{Method: "UpdateContact", Class: connector.ClassRetry})
	f.ERP.PutInvoices(enginetest.Invoice("2", "C1"))
	f.run(10 * time.Minute)
	f.want(billing.KindInvoice, "2", record.Waiting, plan.WaitsForCustomer)
	if len(f.Portal.Invoices()) != 1 {
		t.Fatal("an invoice went to a customer with a real address")
	}
	f.Portal.Heal()
	f.run(2 * time.Hour)
	f.want(billing.KindInvoice, "2", record.Synced, "")
	f.onlySafe("healed")
}

// TestSandboxMeetsRealPeople: a customer and a contact that people made with real addresses are adopted with the safe one.
func TestSandboxMeetsRealPeople(t *testing.T) {
	f := steady(t, func(w *enginetest.World) { w.Settings.Mode = settings.ModeSandbox; w.Settings.Contacts.Sync = false })
	c := f.Portal.EnterCustomer(billing.PortalCustomer{Number: "C1", Name: "Customer C1", Email: "real@customer.example", Chase: true})
	f.Portal.EnterContact(billing.PortalContact{CustomerID: c.ID, Name: "Real", Email: "person@customer.example", Primary: true})
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.tick()
	f.want(billing.KindInvoice, "1", record.Synced, "")
	f.onlySafe("adopted")
	f.mode(settings.ModeLive)
	f.tick()
	if got := f.recipients(); !got["real@customer.example"] || !got["person@customer.example"] || len(got) != 2 {
		t.Errorf("live again: %v", got)
	}
}

// TestSandboxWhateverHappens: changes of people in the ERP, in any order and with calls that fail or get lost, never bring
// a real address to the portal.
func TestSandboxWhateverHappens(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		f := steady(t, func(w *enginetest.World) {
			w.Settings.Mode = settings.ModeSandbox
			w.Settings.Contacts.Roles, w.Settings.Contacts.Deactivate = []string{"ALL"}, true
		})
		for step := range 30 {
			c := enginetest.Customer(fmt.Sprint("C", r.IntN(2)))
			c.Contacts = nil
			for k := range r.IntN(4) {
				c.Contacts = append(c.Contacts, billing.Contact{
					Number: fmt.Sprint("K", k), Name: fmt.Sprint("Person ", r.IntN(2)), Email: fmt.Sprintf("p%d@customer.example", r.IntN(3)), Active: r.IntN(4) > 0,
				})
			}
			f.ERP.PutCustomers(c)
			f.ERP.PutInvoices(enginetest.Invoice(fmt.Sprint(r.IntN(20)), c.Number))
			method := []string{"UpdateContact", "CreateContact", "DeleteContact", "UpdateCustomer", "CreateCustomer"}[r.IntN(5)]
			f.Portal.Fail(enginetest.Fault{Method: method, Nth: 1, Class: connector.ClassRetry, Ambiguous: r.IntN(2) == 0, After: r.IntN(2) == 0})
			f.run(time.Duration(r.IntN(20)) * time.Minute)
			f.onlySafe(fmt.Sprintf("seed %d, step %d", seed, step))
			f.Portal.Heal()
		}
	}
}

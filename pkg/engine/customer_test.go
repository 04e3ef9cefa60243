package engine_test

import (
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
)

func TestCustomersWithoutInvoicesStayAway(t *testing.T) {
	f := steady(t)
	f.ERP.PutCustomers(enginetest.Customer("C1"), enginetest.Customer("C2"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.tick()
	if payers := f.Portal.Payers(); len(payers) != 1 || payers[0].Number != "C1" {
		t.Errorf("customers %+v", payers)
	}
	if f.Record(billing.KindCustomer, "C2") != nil {
		t.Error("a customer nobody asked for has a record")
	}
}

func TestChangedCustomer(t *testing.T) {
	f := synced(t, "1")
	named := func(name string) billing.Customer {
		c := enginetest.Customer("C1")
		c.Name = name
		return c
	}
	for i, name := range []string{"Acme", "Customer C1", "Acme", "Customer C1"} { // there and back and there again
		f.ERP.PutCustomers(named(name))
		f.tick()
		f.want(billing.KindCustomer, "C1", record.Synced, "")
		if got := f.Portal.Payers()[0].Name; got != name {
			t.Fatalf("change %d: the portal calls it %q, want %q", i+1, got, name)
		}
	}
	if n := f.Portal.Count("UpdateCustomer"); n != 4 {
		t.Errorf("%d updates for 4 changes", n)
	}
}

func TestContacts(t *testing.T) {
	f := synced(t, "1")
	c := enginetest.Customer("C1")
	extra := billing.Contact{Number: "K2", CustomerNo: "C1", Name: "Second", Email: "Second@Customer.example", Roles: []billing.Role{billing.RoleAP}, Active: true}
	c.Contacts = append(c.Contacts, extra)
	f.Portal.EnterContact(billing.PortalContact{CustomerID: f.Portal.Payers()[0].ID, Name: "Somebody else", Email: "else@customer.example"})
	for _, step := range []struct {
		name   string
		change func()
		people int
		email  string // of the second contact
	}{
		{"added", func() {}, 3, "second@customer.example"},
		{"moved house", func() { c.Contacts[1].Email = "new@customer.example" }, 3, "new@customer.example"},
		{"and back", func() { c.Contacts[1].Email = "second@customer.example" }, 3, "second@customer.example"},
		{"and there again", func() { c.Contacts[1].Email = "new@customer.example" }, 3, "new@customer.example"},
		{"inactive: stays", func() { c.Contacts[1].Active = false }, 3, "new@customer.example"},
	} {
		step.change()
		f.ERP.PutCustomers(c)
		f.tick()
		r := f.want(billing.KindCustomer, "C1", record.Synced, "")
		people := f.Portal.People()
		if len(people) != step.people {
			t.Fatalf("%s: contacts %+v", step.name, people)
		}
		for _, p := range people {
			if p.ID == r.Contacts["K2"] && p.Email != step.email {
				t.Errorf("%s: e-mail %s, want %s", step.name, p.Email, step.email)
			}
		}
	}
}

func TestContactTroubleHoldsNoInvoice(t *testing.T) {
	f := steady(t)
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.Portal.Fail(enginetest.Fault{Method: "CreateContact", Nth: 1, Class: connector.ClassRetry})
	f.tick()
	f.want(billing.KindCustomer, "C1", record.Scheduled, plan.VendorDown)
	f.run(2 * time.Minute)
	f.want(billing.KindInvoice, "1", record.Synced, "")
	f.want(billing.KindCustomer, "C1", record.Synced, "")
	if len(f.Portal.Payers()) != 1 || len(f.Portal.People()) != 1 {
		t.Errorf("customers %v, contacts %v", f.Portal.Payers(), f.Portal.People())
	}
}

func TestLostAnswerAboutPeople(t *testing.T) {
	for _, c := range []struct {
		method string
		after  bool
	}{{"CreateCustomer", true}, {"CreateCustomer", false}, {"CreateContact", true}, {"CreateContact", false}, {"UpdateCustomer", true}, {"UpdateContact", false}} {
		t.Run(c.method, func(t *testing.T) {
			f := synced(t, "1")
			second := enginetest.Customer("C2")
			f.ERP.PutCustomers(second)
			f.ERP.PutInvoices(enginetest.Invoice("2", "C2"))
			if c.method[:6] == "Update" {
				f.tick()
				second.Name, second.Contacts[0].Email = "Acme", "new@customer.example"
				f.ERP.PutCustomers(second)
			}
			f.Portal.Fail(lost(c.method, c.after))
			f.tick()
			f.want(billing.KindCustomer, "C2", record.Unknown, plan.OutcomeUnknown)
			f.run(time.Hour)
			r := f.want(billing.KindCustomer, "C2", record.Synced, "")
			f.want(billing.KindInvoice, "2", record.Synced, "")
			payers, people := f.Portal.Payers(), f.Portal.People()
			if len(payers) != 2 || len(people) != 2 || payers[1].Name != second.Name || people[1].Email != second.Contacts[0].Email && c.method[:6] == "Update" {
				t.Errorf("customers %+v\ncontacts %+v", payers, people)
			}
			if len(people) == 2 && r.Contacts["KC2"] != people[1].ID {
				t.Errorf("contacts known: %v", r.Contacts)
			}
			f.noOpenEffects()
		})
	}
}

func TestCustomerNumberTakenMeanwhile(t *testing.T) {
	f := steady(t)
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.Portal.Fail(enginetest.Fault{Method: "CreateCustomer", Nth: 1, Hook: func() {
		f.Portal.EnterCustomer(billing.PortalCustomer{Number: "C1", Name: "Customer C1", Terms: "NET30"})
	}})
	f.tick()
	f.run(2 * time.Minute)
	f.want(billing.KindCustomer, "C1", record.Synced, plan.AlreadyThere)
	f.want(billing.KindInvoice, "1", record.Synced, "")
	if len(f.Portal.Payers()) != 1 {
		t.Errorf("customers %+v", f.Portal.Payers())
	}
}

func TestCustomerVerdicts(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(f *fixture)
		status  record.Status
		reason  plan.Code
		invoice record.Status
	}{
		{"not in the ERP", func(f *fixture) {}, record.Waiting, plan.CustomerMissing, record.Waiting},
		{"twice in the portal", func(f *fixture) {
			f.ERP.PutCustomers(enginetest.Customer("C1"))
			f.Portal.EnterCustomer(billing.PortalCustomer{Number: "C1"})
			f.Portal.EnterCustomer(billing.PortalCustomer{Number: "C1"})
		}, record.Attention, plan.SeveralWithNumber, record.Waiting},
		{"somebody else's number", func(f *fixture) {
			f.ERP.PutCustomers(enginetest.Customer("C1"))
			f.Portal.EnterCustomer(billing.PortalCustomer{Number: "C1", Metadata: map[string]string{plan.MetaID: "C9"}})
		}, record.Attention, plan.NumberTaken, record.Waiting},
		{"the ERP is down", func(f *fixture) {
			f.ERP.Fail(enginetest.Fault{Method: "Customer", Class: connector.ClassRetry})
		}, record.Scheduled, plan.VendorDown, record.Waiting},
		{"there, but called otherwise", func(f *fixture) {
			f.ERP.PutCustomers(enginetest.Customer("C1"))
			f.Portal.EnterCustomer(billing.PortalCustomer{Number: "C1", Name: "Old name"})
		}, record.Synced, plan.AlreadyThere, record.Synced},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := steady(t)
			c.prepare(f)
			f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
			f.tick()
			f.want(billing.KindCustomer, "C1", c.status, c.reason)
			f.want(billing.KindInvoice, "1", c.invoice, "")
			if n := f.Portal.Count("CreateCustomer"); n != 0 {
				t.Errorf("%d customers created", n)
			}
		})
	}
}

func TestCustomerGoneInPortal(t *testing.T) {
	f := synced(t, "1")
	f.Portal.Remove(f.Portal.Payers()[0].ID)
	c := enginetest.Customer("C1")
	c.Name = "Acme"
	f.ERP.PutCustomers(c)
	f.tick()
	f.want(billing.KindCustomer, "C1", record.Attention, plan.GoneInPortal)
	f.portalCounts(0, 2)
}

func TestSandboxModeStoresTheSafeAddressOnly(t *testing.T) {
	f := steady(t, func(w *enginetest.World) { w.Settings.Mode = settings.ModeSandbox })
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.tick()
	f.want(billing.KindInvoice, "1", record.Synced, "")
	for _, p := range f.Portal.People() {
		if p.Email != f.Settings.SafeEmail {
			t.Errorf("contact with %s", p.Email)
		}
	}
	if p := f.Portal.Payers()[0]; p.Email != f.Settings.SafeEmail || p.Chase || !f.document().MarkSent {
		t.Errorf("customer %+v, invoice marked sent %v", p, f.document().MarkSent)
	}
}

// TestLostContactBehindARefusal: a contact whose creation had no answer, and whose customer could not be read when it was to be
// looked up, is found when the customer changes, and its effect ends with that.
func TestLostContactBehindARefusal(t *testing.T) {
	f := steady(t)
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.Portal.Fail(lost("CreateContact", true))
	f.tick()
	f.want(billing.KindCustomer, "C1", record.Unknown, plan.OutcomeUnknown)
	f.Portal.Fail(enginetest.Fault{Method: "Customer", Class: connector.ClassForbidden})
	f.run(3 * time.Minute)
	f.want(billing.KindCustomer, "C1", record.Waiting, plan.RightMissing)
	f.Portal.Heal()
	c := enginetest.Customer("C1")
	c.Name = "Renamed"
	f.ERP.PutCustomers(c)
	f.run(2 * time.Hour)
	f.want(billing.KindCustomer, "C1", record.Synced, "")
	if n := len(f.Portal.People()); n != 1 {
		t.Errorf("%d contacts", n)
	}
	f.noOpenEffects()
}

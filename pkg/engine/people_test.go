package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
)

// TestCreationOff: invoices of a missing customer say why they wait, and go on by themselves once somebody made it.
func TestCreationOff(t *testing.T) {
	f := steady(t, func(w *enginetest.World) { w.Settings.Customers.Create = false })
	f.ERP.PutCustomers(enginetest.Customer("C1"))
	f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
	f.tick()
	f.want(billing.KindInvoice, "1", record.Waiting, plan.CustomerNotMade)
	f.Portal.EnterCustomer(billing.PortalCustomer{Number: "C1", Name: "Customer C1"})
	f.run(3 * time.Hour)
	f.want(billing.KindInvoice, "1", record.Synced, "")
	if n := f.Portal.Count("CreateCustomer"); n != 0 {
		t.Errorf("%d customers created", n)
	}
}

// TestFoundByMetadata: a customer whose number somebody changed in the portal is found by ours in its metadata, in the
// first full read as well, and only where that is wanted.
func TestFoundByMetadata(t *testing.T) {
	for _, c := range []struct {
		name, match string
		backfill    bool
		made        int
	}{{"number only", "number", false, 1}, {"then metadata", "number_then_metadata", false, 0}, {"then metadata, in bulk", "number_then_metadata", true, 0}} {
		t.Run(c.name, func(t *testing.T) {
			prepare := func(w *enginetest.World) {
				w.Settings.Customers.Match = c.match
				w.Portal.EnterCustomer(billing.PortalCustomer{Number: "CUST-7", Name: "Customer C1", Metadata: map[string]string{plan.MetaID: "C1"}})
				w.Portal.EnterCustomer(billing.PortalCustomer{Number: "C1", Name: "Another", Metadata: map[string]string{plan.MetaID: "C9"}})
			}
			f := setup(t, prepare)
			if !c.backfill {
				f.tick()
			}
			f.ERP.PutCustomers(enginetest.Customer("C1"))
			f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
			f.tick()
			if c.made == 1 { // the number is another's
				f.want(billing.KindCustomer, "C1", record.Attention, plan.NumberTaken)
				return
			}
			r := f.want(billing.KindCustomer, "C1", record.Synced, plan.FoundByMetadata)
			f.want(billing.KindInvoice, "1", record.Synced, "")
			if payers := f.Portal.Payers(); len(payers) != 2 || r.PortalID != payers[0].ID {
				t.Errorf("customer %s of %+v", r.PortalID, payers)
			}
			if n := f.Portal.Count("FindCustomersByMetadata"); c.backfill != (n == 0) {
				t.Errorf("%d single look-ups", n)
			}
		})
	}
}

// TestEachSideKeepsItsFields: what people changed in the portal stays until the ERP's own value changes.
func TestEachSideKeepsItsFields(t *testing.T) {
	f := synced(t, "1")
	id := f.Portal.Payers()[0].ID
	f.Portal.Edit(id, func(c *billing.PortalCustomer) {
		c.Name, c.AutoPay, c.Email, c.Address.City = "Acme, called by its people", true, "boss@customer.example", "Chicago"
	})
	c := enginetest.Customer("C1")
	c.Terms, c.Contacts[0].Title = "NET60", "Clerk"
	f.ERP.PutCustomers(c)
	f.tick()
	f.want(billing.KindCustomer, "C1", record.Synced, "")
	got := f.Portal.Payers()[0]
	if got.Terms != "NET60" || got.Name != "Acme, called by its people" || !got.AutoPay || got.Email != "boss@customer.example" || got.Address.City != "Chicago" {
		t.Errorf("customer %+v", got)
	}
	c.Name, c.Main.Line1, c.Contacts[0].Email = "Acme", "2 Main Street", "new@customer.example"
	f.ERP.PutCustomers(c)
	f.tick()
	got = f.Portal.Payers()[0]
	if got.Name != "Acme" || got.Address.Line1 != "2 Main Street" || got.Email != "boss@customer.example" || !got.AutoPay {
		t.Errorf("customer %+v", got)
	}
	if p := f.Portal.People()[0]; p.Email != "new@customer.example" || p.Title != "Clerk" {
		t.Errorf("contact %+v", p)
	}
}

// TestCustomersOfOtherKinds: the customer of a posted invoice is billed, whatever else the ERP says of it.
func TestCustomersOfOtherKinds(t *testing.T) {
	f := steady(t)
	for i, change := range []func(*billing.Customer){
		func(c *billing.Customer) { c.CompanyNo = "02" },
		func(c *billing.Customer) { c.Parent = "C0" },
		func(c *billing.Customer) { c.Active = false },
		func(c *billing.Customer) { c.Type = "PROSPECT" },
	} {
		c := enginetest.Customer(fmt.Sprint("C", i))
		change(&c)
		f.ERP.PutCustomers(c)
		f.ERP.PutInvoices(enginetest.Invoice(fmt.Sprint(i), c.Number))
	}
	f.ERP.PutCustomers(enginetest.Customer("C9")) // nobody bills it
	f.tick()
	if ok, open := f.Settled(); !ok {
		t.Fatal(open)
	}
	owner := map[string]string{}
	for _, p := range f.Portal.Payers() {
		owner[p.ID] = p.Number
	}
	for _, d := range f.Portal.Invoices() {
		if owner[d.CustomerID] != "C"+d.Number {
			t.Errorf("invoice %s is for %s", d.Number, owner[d.CustomerID])
		}
	}
	if len(owner) != 4 {
		t.Errorf("customers %v", owner)
	}
}

// TestTwins: people who share a name, an address or both stay apart, also through changes.
func TestTwins(t *testing.T) {
	for _, mode := range []settings.Mode{settings.ModeLive, settings.ModeSandbox} {
		f := steady(t, func(w *enginetest.World) { w.Settings.Mode = mode })
		c := enginetest.Customer("C1")
		c.Contacts = nil
		for i := range 4 {
			c.Contacts = append(c.Contacts, billing.Contact{
				Number: fmt.Sprint("K", i), Name: fmt.Sprint("AP ", i/2), Email: "ap@customer.example", Roles: []billing.Role{billing.RoleAP}, Active: true,
			})
		}
		f.ERP.PutCustomers(c)
		f.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
		f.tick()
		ids := f.want(billing.KindCustomer, "C1", record.Synced, "").Contacts
		for i := range 4 {
			c.Contacts[i].Title = fmt.Sprint("number ", i)
		}
		f.ERP.PutCustomers(c)
		f.tick()
		people := f.Portal.People()
		if len(people) != 4 || len(ids) != 4 {
			t.Fatalf("%s: %d contacts, %v", mode, len(people), ids)
		}
		for _, p := range people {
			for number, id := range ids {
				if id == p.ID && p.Title != "number "+number[1:] {
					t.Errorf("%s: contact %s is %+v", mode, number, p)
				}
			}
		}
	}
}

func TestDeactivatedContacts(t *testing.T) {
	f := synced(t, "1")
	f.Settings.Contacts.Deactivate = true
	f.e = f.Start()
	second := billing.Contact{Number: "K2", Name: "Second", Email: "second@customer.example", Roles: []billing.Role{billing.RoleAP}, Active: true}
	f.Portal.EnterContact(billing.PortalContact{CustomerID: f.Portal.Payers()[0].ID, Name: "Third", Email: "third@customer.example"})
	third := billing.Contact{Number: "K3", Name: "Third", Email: "third@customer.example", Roles: []billing.Role{billing.RoleAP}, Active: true}
	for _, step := range []struct {
		name     string
		contacts []billing.Contact
		people   []string
	}{
		{"both there", []billing.Contact{second, third}, []string{"Payables C1", "Second", "Third"}},
		{"inactive", []billing.Contact{{Number: "K2", Name: "Second"}, {Number: "K3", Name: "Third"}}, []string{"Payables C1", "Third"}},
		{"active again", []billing.Contact{second}, []string{"Payables C1", "Second", "Third"}},
		{"gone", nil, []string{"Payables C1", "Third"}},
		{"there again", []billing.Contact{second}, []string{"Payables C1", "Second", "Third"}},
	} {
		c := enginetest.Customer("C1")
		c.Contacts = append(c.Contacts, step.contacts...)
		f.ERP.PutCustomers(c)
		f.tick()
		f.want(billing.KindCustomer, "C1", record.Synced, "")
		names := map[string]bool{}
		for _, p := range f.Portal.People() {
			names[p.Name] = true
		}
		for _, n := range step.people {
			if !names[n] || len(names) != len(step.people) {
				t.Fatalf("%s: %v, want %v", step.name, names, step.people)
			}
		}
	}
	for _, p := range f.Portal.People() {
		if p.Name == "Second" { // by a person: it does not come back
			f.Portal.Remove(p.ID)
		}
	}
	c := enginetest.Customer("C1")
	second.Title = "Clerk"
	c.Contacts = append(c.Contacts, second)
	f.ERP.PutCustomers(c)
	f.tick()
	f.want(billing.KindCustomer, "C1", record.Synced, "")
	for _, p := range f.Portal.People() {
		if p.Name == "Second" {
			t.Error("a contact that was deleted in the portal was made again")
		}
	}
}

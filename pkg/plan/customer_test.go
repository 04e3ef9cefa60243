package plan_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/settings"
)

func customer() billing.Customer {
	return billing.Customer{
		Number: "C1", Name: "North Peak University", Active: true, Terms: "NET30", MainContact: "K2",
		Main:    billing.Address{Line1: "1 Campus Way", City: "Ogden", State: "UT", PostalCode: "84401", Country: "US"},
		Billing: billing.Address{Line1: "PO Box 9", City: "Ogden", State: "UT", PostalCode: "84402", Country: "US"},
		Contacts: []billing.Contact{
			{Number: "K1", Name: "Accounts", Email: "Accounts@NorthPeak.example", Roles: []billing.Role{billing.RoleAP}, Active: true},
			{Number: "K2", Name: "Lead", Email: "lead@northpeak.example", Roles: []billing.Role{billing.RoleAP}, Active: true},
			{Number: "K3", Name: "Old", Email: "old@northpeak.example", Roles: []billing.Role{billing.RoleAP}},
			{Number: "K4", Name: "No mail", Roles: []billing.Role{billing.RoleAP}, Active: true},
			{Number: "K5", Name: "Collections", Email: "c@northpeak.example", Roles: []billing.Role{billing.RoleCollections}, Active: true},
		},
	}
}

func TestCustomerVerdicts(t *testing.T) {
	have := func() billing.PortalCustomer {
		c := *plan.Customer(plan.CustomerInput{Source: customer(), Settings: company(), Looked: true}).Steps[0].Customer
		c.ID = "77"
		return c
	}
	known := plan.Known{PortalID: "77", Fingerprint: "older"}
	for _, c := range []struct {
		name    string
		change  func(*plan.CustomerInput)
		verdict plan.Verdict
		reason  plan.Code
	}{
		{"new", func(*plan.CustomerInput) {}, plan.Create, ""},
		{"not read yet", func(in *plan.CustomerInput) { in.Looked = false }, plan.Hold, plan.NeedLook},
		{"creation off", func(in *plan.CustomerInput) { in.Settings.Customers.Create = false }, plan.Hold, plan.CustomerNotMade},
		{"there already", func(in *plan.CustomerInput) { in.Found = []billing.PortalCustomer{have()} }, plan.Adopt, plan.AlreadyThere},
		{"there twice", func(in *plan.CustomerInput) { in.Found = []billing.PortalCustomer{have(), have()} }, plan.Conflict, plan.SeveralWithNumber},
		{"number of somebody else", func(in *plan.CustomerInput) {
			h := have()
			h.Metadata = map[string]string{plan.MetaID: "X"}
			in.Found = []billing.PortalCustomer{h}
		}, plan.Conflict, plan.NumberTaken},
		{"unchanged", func(in *plan.CustomerInput) {
			in.Known, in.Looked = plan.Known{PortalID: "77", Fingerprint: in.Source.Fingerprint()}, false
		}, plan.None, plan.Unchanged},
		{"renamed", func(in *plan.CustomerInput) { h := have(); h.Name = "North Peak"; in.Known, in.Dest = known, &h }, plan.Update, ""},
		{"renamed, name not kept up", func(in *plan.CustomerInput) {
			h := have()
			h.Name = "North Peak"
			in.Known, in.Dest, in.Settings.Customers.UpdateFields = known, &h, nil
		}, plan.None, plan.Unchanged},
		{"moved", func(in *plan.CustomerInput) { h := have(); h.Address.City = "Provo"; in.Known, in.Dest = known, &h }, plan.Update, ""},
		{"moved, address not kept up", func(in *plan.CustomerInput) {
			h := have()
			h.Address.City = "Provo"
			in.Known, in.Dest, in.Settings.Customers.UpdateAddress = known, &h, false
		}, plan.None, plan.Unchanged},
		{"e-mail is the portal's own", func(in *plan.CustomerInput) { h := have(); h.Email = "new@x.example"; in.Known, in.Dest = known, &h }, plan.None, plan.Unchanged},
		{"deleted there", func(in *plan.CustomerInput) { in.Known = known }, plan.Conflict, plan.GoneInPortal},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := plan.CustomerInput{Source: customer(), Settings: company(), Looked: true}
			c.change(&in)
			p := plan.Customer(in)
			if p.Verdict != c.verdict || c.reason != "" && !p.Has(c.reason) {
				t.Fatalf("got %s (%s), want %s because %s", p.Verdict, plan.Text(p.Reasons), c.verdict, c.reason)
			}
		})
	}
}

func TestCustomerFields(t *testing.T) {
	in := plan.CustomerInput{Source: customer(), Settings: company(), Looked: true}
	c := plan.Customer(in).Steps[0].Customer
	if c.Email != "lead@northpeak.example" || c.Address.Line1 != "PO Box 9" || !c.Chase || c.Terms != "NET30" {
		t.Errorf("got %+v", c)
	}
	in.Settings.Customers.AddressSource = "main_site"
	if c = plan.Customer(in).Steps[0].Customer; c.Address.Line1 != "1 Campus Way" {
		t.Errorf("main site: %+v", c.Address)
	}
	in.Settings.Customers.SyncAddress = false
	if c = plan.Customer(in).Steps[0].Customer; !c.Address.IsZero() {
		t.Errorf("address sent although it is off: %+v", c.Address)
	}
	in.Settings.Customers.AddressSource, in.Settings.Customers.SyncAddress, in.Source.Billing = "billing", true, billing.Address{}
	if c = plan.Customer(in).Steps[0].Customer; c.Address.Line1 != "1 Campus Way" {
		t.Errorf("without a billing site the main address serves: %+v", c.Address)
	}
}

func TestContacts(t *testing.T) {
	in := plan.ContactsInput{Source: customer(), Settings: company(), CustomerID: "77"}
	names := func() (out []string) {
		for _, s := range plan.Contacts(in).Steps {
			n := string(s.Op) + " " + s.Contact.Name
			if s.Contact.Primary {
				n += " primary"
			}
			out = append(out, n)
		}
		return out
	}
	for _, c := range []struct {
		name   string
		change func()
		want   string
	}{
		{"by role", func() {}, "create Accounts, create Lead primary"},
		{"all", func() { in.Settings.Contacts.Roles = []string{"ALL"} }, "create Accounts, create Lead primary, create Collections"},
		{"collections primary", func() { in.Settings.Contacts.PrimaryRole = "COLLECTIONS" }, "create Accounts, create Lead, create Collections primary"},
		{"there already", func() {
			in.Have = []billing.PortalContact{{ID: "5", CustomerID: "77", Name: "Accounts", Email: "accounts@northpeak.example"}}
		}, "create Lead, create Collections primary"},
		{"changed title", func() { in.Source.Contacts[0].Title = "Clerk" }, "update Accounts, create Lead, create Collections primary"},
		{"changed title, not kept up", func() { in.Settings.Contacts.Update = false }, "create Lead, create Collections primary"},
		{"off", func() { in.Settings.Contacts.Sync = false }, ""},
	} { // each case builds on the one before
		c.change()
		if got := strings.Join(names(), ", "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestSandboxStoresOnlyTheSafeAddress: in sandbox mode no e-mail address of a real person ever leaves (F17).
func TestSandboxStoresOnlyTheSafeAddress(t *testing.T) {
	set := company()
	set.Mode, set.Contacts.Roles = settings.ModeSandbox, []string{"ALL"}
	c := plan.Customer(plan.CustomerInput{Source: customer(), Settings: set, Looked: true}).Steps[0].Customer
	if c.Email != set.SafeEmail || c.Chase {
		t.Errorf("customer %+v", c)
	}
	for _, s := range plan.Contacts(plan.ContactsInput{Source: customer(), Settings: set, CustomerID: "77"}).Steps {
		if s.Contact.Email != set.SafeEmail {
			t.Errorf("contact %+v", s.Contact)
		}
	}
}

func TestContactOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		in := plan.ContactsInput{Source: customer(), Settings: company(), CustomerID: "77"}
		want := digests(plan.Contacts(in).Plan)
		in.Source.Contacts = rapid.Permutation(in.Source.Contacts).Draw(r, "order")
		if got := digests(plan.Contacts(in).Plan); !slices.Equal(got, want) {
			r.Fatalf("order changed the plan")
		}
	})
}

package q360

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/money"
)

func pollCustomers(t *testing.T, c *Connector, cur string, limit int) ([]billing.Customer, string) {
	t.Helper()
	var items []billing.Customer
	for range 500 {
		page, err := c.Customers(context.Background(), cur, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items) > limit || len(page.Bad) > 0 {
			t.Fatalf("%d customers on a page of %d, bad %v", len(page.Items), limit, page.Bad)
		}
		items, cur = append(items, page.Items...), page.Next
		if !page.More {
			return items, cur
		}
	}
	t.Fatal("the feed does not end")
	return nil, ""
}

func TestCustomerHasEveryField(t *testing.T) {
	s := newSite()
	s.add("CUSTOMER", "CUSTOMERNO=C00417", "COMPANY=North Peak University", "TYPE=customer", "STATUS=ACTIVE", "ADDRESS1=1 Campus Way", "ADDRESS2=Hall B", "CITY=Ogden", "STATE=UT",
		"ZIP=84401", "COUNTRY=us", "PHONE=801-555-0100", "PAYMENTTERMS=NET30", "DEFCURRENCY=USD", "COMPANYNO=01", "INVOICESITENO=S00912", "CONTACTNO=K3301", "PAYMETHOD=CHECK",
		"MASTERCUSTOMERNO=C00400", "MODDATE=2026-05-04 09:00:00.000")
	s.add("SITE", "SITENO=S00911", "CUSTOMERNO=C00417", "ADDRESS=2 Elm", "CITY=Provo")
	s.add("SITE", "SITENO=S00912", "CUSTOMERNO=C00417", "ADDRESS=PO Box 12", "CITY=Ogden", "STATE=UT", "ZIP=84402", "COUNTRY=Utah", "STATUS=INACTIVE")
	contact := func(no, first, last, email, role, status string) {
		s.add("CONTACT", "CONTACTNO="+no, "CUSTOMERNO=C00417", "FIRSTNAME="+first, "LASTNAME="+last, "EMAIL="+email, "TYPE="+role, "STATUS="+status, "TITLE=Lead", "MOBILE=801-555-0147")
	}
	contact("K3302", "Lee", "Orr", "lee.orr@northpeak.example", "accounting", "ACTIVE")
	contact("K3301", "Dana", "Ruiz", "not an address", "AP; COLLECT", "")
	contact("K3303", "", "Desk", "Desk <desk@northpeak.example>", "BOSS", "INACTIVE")
	c, _ := serve(t, s)
	got, err := c.Customer(context.Background(), "c00417")
	if err != nil {
		t.Fatal(err)
	}
	want := billing.Customer{
		Number: "C00417", Name: "North Peak University", Type: "CUSTOMER", Active: true, CompanyNo: "01", Currency: money.USD, Terms: "NET30", PayMethod: "CHECK", Parent: "C00400",
		Phone: "801-555-0100", Main: billing.Address{Line1: "1 Campus Way", Line2: "Hall B", City: "Ogden", State: "UT", PostalCode: "84401", Country: "US"},
		Billing: billing.Address{Line1: "PO Box 12", City: "Ogden", State: "UT", PostalCode: "84402"}, BillingSite: "S00912", MainContact: "K3301",
		Modified: time.Date(2026, 5, 4, 13, 0, 0, 0, time.UTC),
		Contacts: []billing.Contact{
			{Number: "K3301", CustomerNo: "C00417", Name: "Dana Ruiz", Title: "Lead", Phone: "801-555-0147", Roles: []billing.Role{billing.RoleAP, billing.RoleCollections}, Active: true},
			{Number: "K3302", CustomerNo: "C00417", Name: "Lee Orr", Title: "Lead", Email: "lee.orr@northpeak.example", Phone: "801-555-0147", Roles: []billing.Role{billing.RoleAR}, Active: true},
			{Number: "K3303", CustomerNo: "C00417", Name: "Desk", Title: "Lead", Phone: "801-555-0147"},
		},
	}
	if diff := cmp.Diff(want, got, exact...); diff != "" {
		t.Errorf("customer (-want +got):\n%s", diff)
	}
	if n := s.calls["POST CUSTOMER"] + s.calls["POST SITE"] + s.calls["POST CONTACT"]; n != 3 {
		t.Errorf("%d calls for one customer", n)
	}
	page, _ := pollCustomers(t, c, "", 10)
	if diff := cmp.Diff([]billing.Customer{want}, page[:1], exact...); diff != "" {
		t.Errorf("the feed differs from the single read:\n%s", diff)
	}
}

func TestRolesAsFlags(t *testing.T) {
	s := newSite()
	s.tables["CONTACT"].columns["ARFLAG"], s.tables["CONTACT"].columns["APFLAG"] = "text", "text"
	s.add("CUSTOMER", "CUSTOMERNO=C1", "COMPANY=Acme")
	s.add("CONTACT", "CONTACTNO=K1", "CUSTOMERNO=C1", "ARFLAG=Y", "APFLAG=N")
	c, _ := serve(t, s, func(cfg *Config) {
		cfg.Mapping.Entities.Contact.RoleSource = "flags"
		cfg.Mapping.Entities.Contact.Roles = map[string][]string{"AR": {"ARFLAG"}, "AP": {"APFLAG"}}
	})
	got, err := c.Customer(context.Background(), "C1")
	if err != nil || len(got.Contacts) != 1 || !slices.Equal(got.Contacts[0].Roles, []billing.Role{billing.RoleAR}) {
		t.Errorf("customer %+v, error %v", got, err)
	}
}

func TestCustomerFeed(t *testing.T) {
	s := newSite()
	for i := range 230 {
		no := fmt.Sprintf("C%03d", i)
		s.add("CUSTOMER", "CUSTOMERNO="+no, "COMPANY=Acme "+no, "INVOICESITENO=S"+no, "MODDATE="+stamp(i*60))
		s.add("SITE", "SITENO=S"+no, "CUSTOMERNO="+no, "CITY=Town "+no)
		if i%2 == 0 {
			s.add("CONTACT", "CONTACTNO=K"+no, "CUSTOMERNO="+no, "LASTNAME=Person")
		}
	}
	c, clk := serve(t, s)
	items, cur := pollCustomers(t, c, "", 100)
	calls := s.count()
	seen := map[string]billing.Customer{}
	for _, customer := range items {
		seen[customer.Number] = customer
	}
	if len(seen) != 230 || seen["C229"].Billing.City != "Town C229" || len(seen["C228"].Contacts) != 1 || len(seen["C229"].Contacts) != 0 {
		t.Fatalf("%d customers, last %+v", len(seen), seen["C229"])
	}
	if calls > 25 {
		t.Errorf("%d calls for 230 customers", calls)
	}
	s.reset()
	if items, cur = pollCustomers(t, c, cur, 100); len(items) > 0 || s.count() > 2 {
		t.Errorf("an idle poll gave %d customers with %d calls", len(items), s.count())
	}
	s.set("CUSTOMER", "C007", "COMPANY=Renamed", "MODDATE="+stamp(36000))
	if items, cur = pollCustomers(t, c, cur, 100); len(items) != 1 || items[0].Name != "Renamed" {
		t.Errorf("changed customers: %+v", items)
	}
	s.set("CONTACT", "KC008", "LASTNAME=Changed") // touches no customer
	clk.advance(25 * time.Hour)
	if items, _ = pollCustomers(t, c, cur, 100); len(items) < 230 {
		t.Errorf("the daily sweep gave %d customers", len(items))
	}
}

func TestCustomersWithoutStampsOrTables(t *testing.T) {
	s := newSite()
	delete(s.tables["CUSTOMER"].columns, "MODDATE")
	s.denied["CONTACT"] = true
	for i := range 6 {
		s.add("CUSTOMER", fmt.Sprintf("CUSTOMERNO=C%d", i), "COMPANY=Acme", "INVOICESITENO=S1")
	}
	c, _ := serve(t, s, func(cfg *Config) { cfg.Mapping.Entities.Site = nil })
	items, cur := pollCustomers(t, c, "", 4)
	if len(items) != 6 || !items[0].Billing.IsZero() || items[0].BillingSite != "S1" {
		t.Fatalf("customers %+v", items)
	}
	if s.calls["POST CONTACT"] != 1 {
		t.Errorf("the refused contacts were asked for %d times", s.calls["POST CONTACT"])
	}
	s.reset()
	if items, _ = pollCustomers(t, c, cur, 4); len(items) > 0 || s.count() != 0 {
		t.Errorf("without stamps an idle poll made %d calls", s.count())
	}
}

func TestCustomersThatFail(t *testing.T) {
	s := newSite()
	s.add("CUSTOMER", "CUSTOMERNO=C1", "COMPANY=Acme", "DEFCURRENCY=PESOS")
	s.add("CUSTOMER", "CUSTOMERNO=C2", "COMPANY=Acme", "INVOICESITENO=GONE", "COUNTRY=USA", "STATUS=inactive")
	c, _ := serve(t, s)
	page, err := c.Customers(context.Background(), "", 10)
	if err != nil || len(page.Bad) != 1 || page.Bad[0].Kind != billing.KindCustomer || page.Bad[0].Number != "C1" || len(page.Items) != 1 {
		t.Fatalf("page %+v, error %v", page, err)
	}
	if got := page.Items[0]; got.Active || got.Main.Country != "" || !got.Billing.IsZero() {
		t.Errorf("customer %+v", got)
	}
	_, err = c.Customer(context.Background(), "C1")
	classOf(t, err, connector.ClassBadResponse)
	_, err = c.Customer(context.Background(), "C9")
	classOf(t, err, connector.ClassNotFound)
	s.denied["CUSTOMER"] = true
	_, err = c.Customers(context.Background(), page.Next, 10)
	classOf(t, err, connector.ClassForbidden)
}

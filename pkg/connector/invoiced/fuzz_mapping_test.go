package invoiced

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
	"github.com/arbridge/arbridge/pkg/money"
)

// sentBack is what the portal would show of a request that it stores as it is, with an id.
func sentBack[T any](t *testing.T, request any) T {
	t.Helper()
	var stored map[string]json.RawMessage
	if err := json.Unmarshal([]byte(encoded(t, request)), &stored); err != nil {
		t.Fatal(err)
	}
	stored["id"] = json.RawMessage("77")
	return decode[T](t, encoded(t, stored))
}

// checkField holds a refusal to naming the field.
func checkField(t *testing.T, err error) {
	t.Helper()
	var e *connector.Error
	if !errors.As(err, &e) || e.Class != connector.ClassInvalid || e.Field == "" {
		t.Errorf("refused with %v", err)
	}
}

// Whatever the portal answers for a customer: it is taken or refused, and what was taken is written as the same customer.
func FuzzFromCustomer(f *testing.F) {
	f.Add([]byte(fullCustomer))
	f.Add([]byte(`{"id":"7","number":1001,"name":"B","chase":"1","country":"CA","metadata":[],"currency":null}`))
	f.Add([]byte(`{"id":1,"number":true,"name":" ","metadata":{"":"x","k":{"a":[1]}},"email":7,"updated_at":-1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var w client.Customer
		if json.Unmarshal(body, &w) != nil {
			return
		}
		c, err := fromCustomer(w, "US")
		if err != nil {
			return
		}
		if c.ID == "" || c.Currency != "" && !c.Currency.Known() || c.Email != lower(c.Email) || c.Address.Country == "US" {
			t.Errorf("customer %+v of %q", c, body)
		}
		request, err := toCustomer("op", c, "US")
		if err != nil {
			checkField(t, err)
			return
		}
		again, err := fromCustomer(sentBack[client.Customer](t, request), "US")
		c.ID, c.Updated = "77", time.Time{}
		if len(c.Metadata) == 0 {
			c.Metadata, again.Metadata = nil, nil
		}
		if diff := cmp.Diff(c, again); err != nil || diff != "" {
			t.Errorf("the customer changed on its way out and back: %v\n%s", err, diff)
		}
	})
}

// A patch changes the fields it has and no other, whatever they hold.
func FuzzCustomerPatch(f *testing.F) {
	f.Add("Acme", "AP@Acme.example", "1", "NET 30", "1 Main St", "de", uint8(0xff))
	f.Add("", "", "", "", "", "", uint8(0))
	f.Add(" ", "\x00", "\n", "2% 10", "", "USA", uint8(0x2a))
	f.Fuzz(func(t *testing.T, name, email, phone, terms, line, country string, set uint8) {
		var p billing.CustomerPatch
		fields := 0
		for i, field := range []struct {
			at    **string
			value string
		}{{&p.Name, name}, {&p.Email, email}, {&p.Phone, phone}, {&p.Terms, terms}} {
			if set&(1<<i) != 0 {
				*field.at, fields = &field.value, fields+1
			}
		}
		if set&16 != 0 {
			p.Address, fields = &billing.Address{Line1: line, Country: country}, fields+6
		}
		request, err := toCustomerPatch("op", p, "US")
		if err != nil {
			checkField(t, err)
			return
		}
		var sent map[string]any
		if err := json.Unmarshal([]byte(encoded(t, request)), &sent); err != nil || len(sent) != fields {
			t.Errorf("%d fields are sent of %d: %v %v", len(sent), fields, sent, err)
		}
	})
}

// Whatever the portal answers for a contact: it belongs to the customer asked for, and is written as the same contact.
func FuzzFromContact(f *testing.F) {
	f.Add([]byte(`{"id":10403,"name":"Nancy","email":"Nancy@Acme.example","primary":true,"title":null,"phone":5}`))
	f.Add([]byte(`{"id":"x","name":"","email":" A@B.example ","primary":"0"}`))
	f.Add([]byte(`{"id":null,"name":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var w client.Contact
		if json.Unmarshal(body, &w) != nil {
			return
		}
		c, err := contact("op", false, w, "15444")
		if err != nil {
			return
		}
		if c.ID == "" || c.CustomerID != "15444" || c.Email != lower(c.Email) {
			t.Errorf("contact %+v of %q", c, body)
		}
		request, err := toContact("op", c)
		if err != nil {
			checkField(t, err)
			return
		}
		again := fromContact(sentBack[client.Contact](t, request), "15444")
		if c.ID = "77"; c.Name == "" {
			c.Name = c.Email
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Errorf("the contact changed on its way out and back:\n%s", diff)
		}
	})
}

// What goes out as a document comes back with the same texts, dates and amounts, whatever they are.
func FuzzToDocument(f *testing.F) {
	f.Add("104233", "PO-1", "NET 30", "DSP", "750.00", "1", int64(7500), uint8(0), 20210, false)
	f.Add("1", "", "", "", "-0.0001", "1e3", int64(-1), uint8(1), 0, true)
	f.Add(" ", "\x00", "2% 10", "\u00e9", "99999999999999999999.99", "0", int64(0), uint8(2), -100000, true)
	cfg := testConfig(f, "")
	f.Fuzz(func(t *testing.T, number, po, terms, name, cost, quantity string, tax int64, cur uint8, day int, credit bool) {
		unit, err1 := money.ParseDecimal(cost)
		count, err2 := money.ParseDecimal(quantity)
		if err1 != nil || err2 != nil || !utf8.ValidString(number+po+terms+name) { // what is not UTF-8 goes over as replacement characters
			return
		}
		currency := []money.Currency{"USD", "JPY", "KWD", "EUR"}[cur%4]
		d := billing.PortalDocument{
			Kind: billing.KindInvoice, CustomerID: "15444", Number: number, Currency: currency, PurchaseOrder: po, Terms: terms,
			Date: billing.DateOf(time.Unix(0, 0).AddDate(0, 0, day%40_000), time.UTC), Tax: money.FromMinor(tax, currency),
			Items: []billing.PortalItem{{Name: name, Quantity: count, UnitCost: unit}},
		}
		if credit {
			d.Kind, d.Terms = billing.KindCreditNote, ""
		}
		request, err := toDocument("op", d, cfg)
		if err != nil {
			checkField(t, err)
			return
		}
		w := sentBack[client.Document](t, request)
		w.Total, w.Balance = client.NewNumber(d.Tax.Decimal()), client.NewNumber(d.Tax.Decimal())
		got, err := fromDocument(w, d.Kind, cfg)
		if err != nil {
			if w.Date == 0 { // the first second of 1970 can not be told from no date
				return
			}
			t.Fatalf("what is sent can not be read: %v", err)
		}
		if got.Number != number || got.PurchaseOrder != po || got.Terms != d.Terms || got.Date != d.Date || !got.Tax.Equal(d.Tax) {
			t.Errorf("%+v came back as %+v", d, got)
		}
		if it := got.Items[0]; it.Name != name || !it.Quantity.Equal(count) || !it.UnitCost.Equal(unit) {
			t.Errorf("line %+v came back as %+v", d.Items[0], it)
		}
	})
}

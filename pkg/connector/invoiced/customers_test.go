package invoiced

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
	"github.com/arbridge/arbridge/pkg/money"
)

const fullCustomer = `{"id":15444,"object":"customer","number":"10023","name":"Acme, Inc.","email":"AP@Acme.example",
 "phone":"+1 512 555 0100","payment_terms":"NET 30","currency":"usd","autopay":true,"chase":false,"autopay_delay_days":-1,
 "address1":"1 Main St","address2":null,"city":"Austin","state":"TX","postal_code":"78701","country":"US","payment_source":
 {"object":"martian_bank"},"metadata":{"q360_id":"10023","vip":true},"updated_at":1606806943,"brand_new_field":[1]}`

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("decoding %s: %v", text, err)
	}
	return v
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFromCustomer(t *testing.T) {
	full := billing.PortalCustomer{ID: "15444", Number: "10023", Name: "Acme, Inc.", Email: "ap@acme.example",
		Phone: "+1 512 555 0100", Terms: "NET 30", Currency: money.USD, AutoPay: true,
		Address:  billing.Address{Line1: "1 Main St", City: "Austin", State: "TX", PostalCode: "78701"},
		Metadata: map[string]string{"q360_id": "10023", "vip": "true"}, Updated: time.Unix(1606806943, 0).UTC()}
	for _, c := range []struct {
		name, in string
		want     billing.PortalCustomer
		fails    string
	}{
		{name: "full", in: fullCustomer, want: full},
		{name: "bare", in: `{"id":"7","number":1001,"name":"B","chase":true,"country":"CA","metadata":[],"currency":null}`,
			want: billing.PortalCustomer{ID: "7", Number: "1001", Name: "B", Chase: true, Address: billing.Address{Country: "CA"}}},
		{name: "no id", in: `{"number":"1"}`, fails: "id is missing"},
		{name: "unknown currency", in: `{"id":1,"currency":"zzz"}`, fails: "currency"},
	} {
		got, err := fromCustomer(decode[client.Customer](t, c.in), "US")
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: error %v, want one with %q", c.name, err, c.fails)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
}

func TestToCustomer(t *testing.T) {
	for _, c := range []struct {
		name string
		in   billing.PortalCustomer
		want string
	}{
		{"full", billing.PortalCustomer{Number: "10023", Name: "Acme", Email: " AP@Acme.Example ", Phone: "1", Terms: "NET 30",
			Currency: money.CAD, Address: billing.Address{Line1: "a", Line2: "b", City: "c", State: "d", PostalCode: "e", Country: "ca"},
			AutoPay: true, Chase: true, Metadata: map[string]string{"k": "v"}},
			`{"number":"10023","name":"Acme","email":"ap@acme.example","phone":"1","payment_terms":"NET 30","currency":"cad",` +
				`"autopay":true,"chase":true,"address1":"a","address2":"b","city":"c","state":"d","postal_code":"e","country":"CA","metadata":{"k":"v"}}`},
		{"bare", billing.PortalCustomer{Number: "1", Name: "B"},
			`{"number":"1","name":"B","autopay":false,"chase":false,"country":"US"}`},
	} {
		got, err := toCustomer("creating", c.in, "US")
		if diff := cmp.Diff(c.want, encoded(t, got)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
	for field, bad := range map[string]billing.PortalCustomer{
		"name": {Number: "1", Name: " "}, "number": {Name: "B"},
		"metadata": {Number: "1", Name: "B", Metadata: map[string]string{"k": strings.Repeat("é", 256)}},
	} {
		_, err := toCustomer("creating", bad, "US")
		checkInvalid(t, err, field)
	}
}

func TestToCustomerPatch(t *testing.T) {
	text := func(s string) *string { return &s }
	no := false
	for _, c := range []struct {
		name string
		in   billing.CustomerPatch
		want string
	}{
		{"nothing", billing.CustomerPatch{}, `{}`},
		{"clear", billing.CustomerPatch{Email: text(""), Phone: text(""), Terms: text(""), Address: &billing.Address{},
			Metadata: &map[string]string{}},
			`{"email":null,"phone":null,"payment_terms":null,"address1":null,"address2":null,"city":null,"state":null,"postal_code":null,"country":"US","metadata":{}}`},
		{"nil map clears too", billing.CustomerPatch{Metadata: new(map[string]string)}, `{"metadata":{}}`},
		{"set", billing.CustomerPatch{Name: text("N"), Email: text("A@B.example"), AutoPay: &no, Chase: &no,
			Metadata: &map[string]string{"a": "b"}}, `{"name":"N","email":"a@b.example","autopay":false,"chase":false,"metadata":{"a":"b"}}`},
	} {
		got, err := toCustomerPatch("updating", c.in, "US")
		if diff := cmp.Diff(c.want, encoded(t, got)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
	_, err := toCustomerPatch("updating", billing.CustomerPatch{Name: text("")}, "")
	checkInvalid(t, err, "name")
	many := map[string]string{}
	for _, k := range strings.Split("abcdefghijk", "") {
		many[k] = k
	}
	_, err = toCustomerPatch("updating", billing.CustomerPatch{Metadata: &many}, "")
	checkInvalid(t, err, "metadata")
	_, err = toCustomerPatch("updating", billing.CustomerPatch{Metadata: &map[string]string{strings.Repeat("k", 41): ""}}, "")
	checkInvalid(t, err, "metadata")
}

func checkInvalid(t *testing.T, err error, field string) {
	t.Helper()
	var e *connector.Error
	if !errors.As(err, &e) || e.Class != connector.ClassInvalid || e.Field != field || e.Ambiguous {
		t.Errorf("error %v, want an unambiguous refusal of %s", err, field)
	}
}

func TestContactMapping(t *testing.T) {
	got := fromContact(decode[client.Contact](t, `{"id":3,"name":"Jo","title":null,"email":"JO@x.example","phone":5,"primary":null,"sms_enabled":null}`), "9")
	want := billing.PortalContact{ID: "3", CustomerID: "9", Name: "Jo", Email: "jo@x.example", Phone: "5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("contact differs (-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		in   billing.PortalContact
		want string
	}{
		{billing.PortalContact{Name: "Jo", Title: "CFO", Email: "JO@x.example", Phone: "5", Primary: true},
			`{"name":"Jo","title":"CFO","email":"jo@x.example","phone":"5","primary":true}`},
		{billing.PortalContact{Email: "JO@x.example"}, `{"name":"jo@x.example","title":null,"email":"jo@x.example","phone":null,"primary":false}`},
	} {
		f, err := toContact("creating", c.in)
		if diff := cmp.Diff(c.want, encoded(t, f)); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	_, err := toContact("creating", billing.PortalContact{})
	checkInvalid(t, err, "name")
}

func TestCustomerCalls(t *testing.T) {
	v, c := start(t, map[string][]string{
		"GET /customers":                     {"[" + fullCustomer + `,{"id":15445,"number":"10023 "},{"id":15446,"number":"10023","currency":"zzz"}]`},
		"GET /customers/15444":               {fullCustomer},
		"POST /customers":                    {"201 " + fullCustomer},
		"PATCH /customers/15444":             {fullCustomer},
		"GET /customers/15444/contacts":      {`[{"id":1,"name":"A"},{"id":2,"name":"B"}]`},
		"POST /customers/15444/contacts":     {`201 {"id":3,"name":"C"}`},
		"PATCH /customers/15444/contacts/3":  {`{"id":3,"name":"D"}`},
		"DELETE /customers/15444/contacts/3": {`204 `},
	})
	ctx := context.Background()
	if err := c.Check(ctx); err != nil {
		t.Fatal(err)
	}
	l, err := c.ListCustomers(ctx, "")
	if err != nil || len(l.Items) != 2 || len(l.Bad) != 1 || l.Bad[0].Number != "10023" || l.Bad[0].Kind != billing.KindCustomer {
		t.Errorf("list %+v, %v", l, err)
	}
	if _, err := c.FindCustomers(ctx, "10023"); connector.ClassOf(err) != connector.ClassBadResponse {
		t.Errorf("a find over an inexact customer gives %v", err)
	}
	if q := v.requests("GET /customers")[2].query; q["filter[number]"][0] != "10023" || q["per_page"][0] != "100" {
		t.Errorf("query %v", q)
	}
	got, err := c.CreateCustomer(ctx, billing.PortalCustomer{Number: "10023", Name: "Acme"}, "key-1")
	if err != nil || got.ID != "15444" || v.requests("POST /customers")[0].header.Get("Idempotency-Key") != "key-1" {
		t.Errorf("create: %+v, %v", got, err)
	}
	if got, err = c.UpdateCustomer(ctx, "15444", billing.CustomerPatch{}); err != nil || got.Number != "10023" {
		t.Errorf("update: %+v, %v", got, err)
	}
	if got, err = c.Customer(ctx, "15444"); err != nil || got.Email != "ap@acme.example" {
		t.Errorf("read: %+v, %v", got, err)
	}
	contacts, err := c.Contacts(ctx, "15444")
	if err != nil || len(contacts) != 2 || contacts[1].CustomerID != "15444" {
		t.Errorf("contacts %+v, %v", contacts, err)
	}
	k, err := c.CreateContact(ctx, billing.PortalContact{CustomerID: "15444", Name: "C"}, "key-2")
	if err != nil || k.ID != "3" {
		t.Errorf("create contact: %+v, %v", k, err)
	}
	if k, err = c.UpdateContact(ctx, billing.PortalContact{ID: "3", CustomerID: "15444", Name: "D"}); err != nil || k.Name != "D" {
		t.Errorf("update contact: %+v, %v", k, err)
	}
	if err := c.DeleteContact(ctx, "15444", "3"); err != nil {
		t.Errorf("delete contact: %v", err)
	}
}

func TestFindTrustsNoFilter(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		found        int
		class        connector.Class
	}{
		{"none", `[]`, 0, ""},
		{"exact", `[{"id":1,"number":"AB-1"}]`, 1, ""},
		{"two", `[{"id":1,"number":"AB-1"},{"id":2,"number":"AB-1"}]`, 2, ""},
		{"another case is another number", `[{"id":1,"number":"ab-1"},{"id":2,"number":" AB-1"}]`, 0, ""},
		{"filter ignored", `[{"id":1,"number":"ZZ-9"}]`, 0, connector.ClassBadResponse},
		{"no number", `[{"id":1}]`, 0, connector.ClassBadResponse},
		{"refused", `400 {"message":"x"}`, 0, connector.ClassInvalid},
	} {
		_, cn := start(t, map[string][]string{"GET /customers": {c.answer}})
		got, err := cn.FindCustomers(context.Background(), "AB-1")
		if len(got) != c.found || (err == nil) != (c.class == "") || err != nil && connector.ClassOf(err) != c.class {
			t.Errorf("%s: %d found, %v", c.name, len(got), err)
		}
	}
	_, cn := start(t, nil)
	_, err := cn.FindCustomers(context.Background(), " ")
	checkInvalid(t, err, "number")
	_, err = cn.FindDocuments(context.Background(), billing.KindInvoice, "")
	checkInvalid(t, err, "number")
}

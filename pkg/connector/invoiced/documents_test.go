package invoiced

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
	"github.com/arbridge/arbridge/pkg/money"
)

// 2026-05-31 12:00 in Chicago is 17:00 UTC; 2026-01-15 12:00 there is 18:00 UTC.
const fullInvoice = `{"id":46225,"object":"invoice","customer":{"id":15444,"object":"customer"},"number":"104233","currency":"usd",
 "date":1780246800,"due_date":1782838800,"payment_terms":"NET 30","purchase_order":"PO 7","notes":"Thanks","draft":false,
 "autopay":false,"closed":false,"paid":false,"status":"brand_new_status","items":{"1":{"id":8,"type":"shipping","name":"Freight",
 "quantity":1,"unit_cost":4.50,"taxes":[{"amount":0.1}]},"0":{"id":7,"type":null,"name":"Copy paper","description":null,
 "quantity":3,"unit_cost":0.3333,"amount":1,"taxes":[]}},"discounts":[],"taxes":[{"id":1,"amount":8.25},{"id":2,"amount":"0.05"}],
 "subtotal":5.5,"total":13.90,"balance":3.9,"metadata":{"q360_id":"104233"},"url":"https://acme.invoiced.com/i/x",
 "payment_url":null,"needs_attention":true,"updated_at":1780250000}`

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func TestFromDocument(t *testing.T) {
	cfg := testConfig(t, "")
	want := billing.PortalDocument{ID: "46225", Kind: billing.KindInvoice, CustomerID: "15444", Number: "104233", Currency: money.USD,
		Date: "2026-05-31", DueDate: "2026-06-30", Terms: "NET 30", PurchaseOrder: "PO 7", Notes: "Thanks",
		Items: []billing.PortalItem{{Name: "Copy paper", Quantity: dec("3"), UnitCost: dec("0.3333")},
			{Name: "Freight", Type: "shipping", Quantity: dec("1"), UnitCost: dec("4.5")}},
		Tax: usd("8.40"), Total: usd("13.90"), Balance: usd("3.90"), Status: "brand_new_status",
		Metadata: map[string]string{"q360_id": "104233"}, URL: "https://acme.invoiced.com/i/x", Updated: time.Unix(1780250000, 0).UTC()}
	got, err := fromDocument(decode[client.Document](t, fullInvoice), billing.KindInvoice, cfg)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	if !got.Paid().Equal(usd("10.00")) {
		t.Errorf("paid %s", got.Paid())
	}
}

// TestFromDocumentVariants changes one field of the full invoice and names what must come out.
func TestFromDocumentVariants(t *testing.T) {
	cfg := testConfig(t, "")
	for _, c := range []struct {
		name, field, value, fails string
		check                     func(billing.PortalDocument) bool
	}{
		{name: "voided by status", field: "status", value: `"voided"`, check: func(d billing.PortalDocument) bool { return d.Voided }},
		{name: "voided by flag", field: "voided", value: `true`, check: func(d billing.PortalDocument) bool { return d.Voided }},
		{name: "closed", field: "closed", value: `1`, check: func(d billing.PortalDocument) bool { return d.Closed && !d.Voided }},
		{name: "draft", field: "draft", value: `true`, check: func(d billing.PortalDocument) bool { return d.Draft }},
		{name: "no due date", field: "due_date", value: `null`, check: func(d billing.PortalDocument) bool { return d.DueDate == "" }},
		{name: "plain customer", field: "customer", value: `15444`, check: func(d billing.PortalDocument) bool { return d.CustomerID == "15444" }},
		{name: "metadata as a list", field: "metadata", value: `[]`, check: func(d billing.PortalDocument) bool { return d.Metadata == nil }},
		{name: "account currency", field: "currency", value: `null`, check: func(d billing.PortalDocument) bool { return d.Currency == money.USD }},
		{name: "midnight in the account's zone", field: "date", value: `1780203600`, check: func(d billing.PortalDocument) bool { return d.Date == "2026-05-31" }},
		{name: "a second before it", field: "date", value: `1780203599`, check: func(d billing.PortalDocument) bool { return d.Date == "2026-05-30" }},
		{name: "next day in UTC already", field: "date", value: `1780282800`, check: func(d billing.PortalDocument) bool { return d.Date == "2026-05-31" }},
		{name: "very large", field: "total", value: `999999999999999.99`, check: func(d billing.PortalDocument) bool { return d.Total.Equal(usd("999999999999999.99")) }},
		{name: "zero", field: "total", value: `0`, check: func(d billing.PortalDocument) bool { return d.Total.IsZero() && d.Total.Currency() == money.USD }},
		{name: "no decimals in yen", field: "currency", value: `"jpy"`, fails: "more decimals"},
		{name: "float noise", field: "total", value: `13.900000000000001`, fails: "total"},
		{name: "no total", field: "total", value: `null`, fails: "total is missing"},
		{name: "no balance", field: "balance", value: `null`, fails: "balance is missing"},
		{name: "no customer", field: "customer", value: `null`, fails: "customer is missing"},
		{name: "no date", field: "date", value: `null`, fails: "date is missing"},
		{name: "no id", field: "id", value: `0`, fails: "id is missing"},
		{name: "unknown currency", field: "currency", value: `"xxq"`, fails: "currency"},
		{name: "inexact tax", field: "taxes", value: `[{"amount":0.001}]`, fails: "taxes"},
		{name: "tax without amount", field: "taxes", value: `[{}]`, fails: "tax"},
		{name: "line without quantity", field: "items", value: `[{"unit_cost":1}]`, fails: "line 1"},
	} {
		m := map[string]json.RawMessage{}
		if err := json.Unmarshal([]byte(fullInvoice), &m); err != nil {
			t.Fatal(err)
		}
		m[c.field] = json.RawMessage(c.value)
		d, err := fromDocument(decode[client.Document](t, encoded(t, m)), billing.KindInvoice, cfg)
		switch {
		case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.fails)
		case c.fails == "" && (err != nil || !c.check(d)):
			t.Errorf("%s: %+v, %v", c.name, d, err)
		}
	}
}

func wantedInvoice() billing.PortalDocument {
	return billing.PortalDocument{Kind: billing.KindInvoice, CustomerID: "15444", Number: "104233", Currency: money.USD,
		Date: "2026-01-15", DueDate: "2026-05-31", Terms: "NET 30", PurchaseOrder: "PO", Notes: "N", Tax: usd("8.25"),
		Items: []billing.PortalItem{{Name: "A", Description: "d", Quantity: dec("2.50"), UnitCost: dec("0.3333")},
			{Name: "Freight", Type: "shipping", Quantity: dec("1"), UnitCost: dec("4.50")}},
		Metadata: map[string]string{"q360_id": "104233"}}
}

func TestToDocument(t *testing.T) {
	const lines = `[{"name":"A","description":"d","quantity":2.5,"unit_cost":0.3333},{"name":"Freight","type":"shipping","quantity":1,"unit_cost":4.5}]`
	for _, c := range []struct {
		name           string
		change         func(*billing.PortalDocument)
		create, update map[string]string // fields that differ from the usual; "-" for absent
	}{
		{name: "usual", change: func(*billing.PortalDocument) {}},
		{"no tax", func(d *billing.PortalDocument) { d.Tax = money.Zero(money.USD) },
			map[string]string{"taxes": "-"}, map[string]string{"taxes": "[]"}},
		{"bare", func(d *billing.PortalDocument) {
			d.DueDate, d.Terms, d.PurchaseOrder, d.Notes, d.Metadata, d.Items, d.Tax, d.Currency = "", "", "", "", nil, nil, money.Money{}, ""
		},
			map[string]string{"due_date": "-", "payment_terms": "-", "purchase_order": "-", "notes": "-", "metadata": "-", "items": "[]", "taxes": "-"},
			map[string]string{"due_date": "null", "payment_terms": "null", "purchase_order": "null", "notes": "null", "metadata": "{}", "items": "[]", "taxes": "[]"}},
		{"draft", func(d *billing.PortalDocument) { d.Draft, d.MarkSent = true, true },
			map[string]string{"draft": "true"}, map[string]string{"draft": "-"}},
		{"marked sent", func(d *billing.PortalDocument) { d.MarkSent = true },
			map[string]string{"sent": "true"}, map[string]string{"sent": "true"}},
		{"AutoPay", func(d *billing.PortalDocument) { d.AutoPay = true },
			map[string]string{"autopay": "true", "due_date": "-", "payment_terms": "-"},
			map[string]string{"autopay": "true", "due_date": "null", "payment_terms": "-"}},
		{"credit note", func(d *billing.PortalDocument) { d.Kind, d.MarkSent, d.AutoPay = billing.KindCreditNote, true, true },
			map[string]string{"autopay": "-", "due_date": "-", "payment_terms": "-"},
			map[string]string{"autopay": "-", "due_date": "-", "payment_terms": "-"}},
	} {
		usual := map[string]string{"customer": "15444", "number": `"104233"`, "currency": `"usd"`, "date": "1768500000",
			"due_date": "1780246800", "payment_terms": `"NET 30"`, "purchase_order": `"PO"`, "notes": `"N"`, "draft": "false",
			"autopay": "false", "items": lines, "taxes": `[{"amount":8.25}]`, "calculate_taxes": "false", "metadata": `{"q360_id":"104233"}`}
		d := wantedInvoice()
		c.change(&d)
		cfg := testConfig(t, "")
		f, err := toDocument("creating", d, cfg)
		compareFields(t, c.name+", created", usual, c.create, f, err)
		delete(usual, "customer")
		delete(usual, "number")
		usual["discounts"] = "[]"
		f, err = toDocumentUpdate("updating", d, cfg)
		compareFields(t, c.name+", updated", usual, c.update, f, err)
	}
}

func compareFields(t *testing.T, name string, usual, other map[string]string, f client.DocumentFields, err error) {
	t.Helper()
	want := maps.Clone(usual)
	for k, v := range other {
		if want[k] = v; v == "-" {
			delete(want, k)
		}
	}
	got := map[string]string{}
	for k, v := range decode[map[string]json.RawMessage](t, encoded(t, f)) {
		got[k] = string(v)
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
	}
}

func TestToDocumentRefuses(t *testing.T) {
	for field, spoil := range map[string]func(*billing.PortalDocument){
		"customer": func(d *billing.PortalDocument) { d.CustomerID = "" },
		"number":   func(d *billing.PortalDocument) { d.Number = " " },
		"date":     func(d *billing.PortalDocument) { d.Date = "" },
		"due_date": func(d *billing.PortalDocument) { d.DueDate = "31.5.2026" },
		"taxes":    func(d *billing.PortalDocument) { d.Tax = money.MustParse("1", money.CAD) },
		"metadata": func(d *billing.PortalDocument) { d.Metadata = map[string]string{"": "x"} },
	} {
		d := wantedInvoice()
		spoil(&d)
		_, err := toDocument("creating", d, testConfig(t, ""))
		checkInvalid(t, err, field)
	}
}

// TestDatesSurviveTheZone sends dates out and reads them back in zones on both sides of UTC, around daylight saving.
func TestDatesSurviveTheZone(t *testing.T) {
	for _, name := range []string{"America/Chicago", "Pacific/Honolulu", "Europe/Berlin", "Asia/Tokyo", "UTC", "America/St_Johns"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []billing.Date{"2026-03-08", "2026-11-01", "2026-12-31", "2027-01-01", "2028-02-29"} {
			u, ok := toDate(d, zone)
			if got := fromDate(client.Unix(u), zone); !ok || got != d {
				t.Errorf("%s in %s came back as %s", d, name, got)
			}
		}
	}
}

func TestDocumentCalls(t *testing.T) {
	notSent := strings.Replace(fullInvoice, "brand_new_status", "not_sent", 1)
	voided := strings.Replace(fullInvoice, "brand_new_status", "voided", 1)
	v, c := start(t, map[string][]string{
		"POST /invoices":            {"201 " + fullInvoice, "201 " + notSent, "201 " + notSent, "201 " + strings.Replace(fullInvoice, "13.90", "13.905", 1)},
		"PATCH /invoices/46225":     {fullInvoice, fullInvoice, "400 {}"},
		"GET /invoices/46225":       {fullInvoice, strings.Replace(fullInvoice, "13.90", "13.905", 1)},
		"GET /invoices":             {"[" + fullInvoice + `,{"id":2,"number":"104233","total":"x@y"}]`, "[" + fullInvoice + "]"},
		"POST /invoices/46225/void": {voided, fullInvoice},
		"GET /credit_notes":         {"[" + strings.Replace(fullInvoice, "13.90", "13.905", 1) + "]"},
	})
	ctx, d := context.Background(), wantedInvoice()
	d.MarkSent = true
	if got, err := c.CreateDocument(ctx, d, "k"); err != nil || got.ID != "46225" || !got.Total.Equal(usd("13.90")) {
		t.Errorf("create: %+v, %v", got, err)
	}
	if n := len(v.requests("PATCH /invoices/46225")); n != 0 {
		t.Errorf("%d updates followed although the mark was taken", n)
	}
	if got, err := c.CreateDocument(ctx, d, "k"); err != nil || got.Status != "brand_new_status" {
		t.Errorf("create without the mark taken: %+v, %v", got, err)
	}
	if diff := cmp.Diff(map[string]any{"sent": true}, v.body(t, "PATCH /invoices/46225", 0)); diff != "" {
		t.Errorf("the mark (-want +got):\n%s", diff)
	}
	if got, err := c.UpdateDocument(ctx, "46225", d); err != nil || got.ID != "46225" {
		t.Errorf("update: %+v, %v", got, err)
	}
	if _, err := c.CreateDocument(ctx, d, "k"); connector.ClassOf(err) != connector.ClassInvalid || !connector.Ambiguous(err) {
		t.Errorf("a mark that is refused gives %v, want an ambiguous error", err)
	}
	if _, err := c.CreateDocument(ctx, d, "k"); connector.ClassOf(err) != connector.ClassBadResponse || !connector.Ambiguous(err) {
		t.Errorf("an inexact total after a write gives %v", err)
	}
	if _, err := c.Document(ctx, billing.KindInvoice, "46225"); err != nil {
		t.Errorf("read: %v", err)
	}
	if _, err := c.Document(ctx, billing.KindInvoice, "46225"); connector.ClassOf(err) != connector.ClassBadResponse || connector.Ambiguous(err) {
		t.Errorf("an inexact total gives %v", err)
	}
	l, err := c.ListDocuments(ctx, billing.KindInvoice, "")
	if err != nil || len(l.Items) != 1 || len(l.Bad) != 1 || l.Bad[0].Number != "104233" || strings.Contains(l.Bad[0].Message, "@") {
		t.Errorf("list: %+v, %v", l, err)
	}
	if l, err = c.ListDocuments(ctx, billing.KindCreditNote, ""); err != nil || len(l.Bad) != 1 || !strings.Contains(l.Bad[0].Message, "total") {
		t.Errorf("list of credit notes: %+v, %v", l, err)
	}
	if got, err := c.FindDocuments(ctx, billing.KindInvoice, "104233"); err != nil || len(got) != 1 {
		t.Errorf("find: %+v, %v", got, err)
	}
	if got, err := c.VoidDocument(ctx, billing.KindInvoice, "46225"); err != nil || !got.Voided {
		t.Errorf("void: %+v, %v", got, err)
	}
	if _, err := c.VoidDocument(ctx, billing.KindInvoice, "46225"); connector.ClassOf(err) != connector.ClassBadResponse || !connector.Ambiguous(err) {
		t.Errorf("a void without effect gives %v", err)
	}
	for _, err := range []error{second(c.Document(ctx, billing.KindPayment, "1")), second(c.FindDocuments(ctx, "x", "1")),
		second(c.ListDocuments(ctx, "x", "")), second(c.VoidDocument(ctx, "x", "1")), second(c.UpdateDocument(ctx, "1", billing.PortalDocument{}))} {
		if connector.ClassOf(err) != connector.ClassBug {
			t.Errorf("a kind without documents gives %v", err)
		}
	}
	if keys := v.requests("POST /invoices")[0].header["Idempotency-Key"]; !slices.Equal(keys, []string{"k"}) {
		t.Errorf("idempotency keys %v", keys)
	}
}

func second[T any](_ T, err error) error { return err }

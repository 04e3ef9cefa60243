package invoiced_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/invoiced"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	"github.com/arbridge/arbridge/pkg/money"
	kit "github.com/arbridge/arbridge/pkg/sandbox"
	"github.com/arbridge/arbridge/pkg/secret"
)

const (
	apiKey     = "sandbox-key"
	hookSecret = "whsec-new"
)

type source struct{}

func (source) Get(context.Context, string) ([]secret.Value, error) {
	return []secret.Value{secret.NewValue("not yet known"), secret.NewValue(apiKey)}, nil
}

// delivery is a webhook call as it arrived.
type delivery struct {
	body      []byte
	signature string
}

// site is a connector with the sandbox as its vendor.
type site struct {
	*invoiced.Connector
	t          *testing.T
	ctx        context.Context
	url        string
	clock      *clock.Movable
	deliveries chan delivery
}

// newSite starts a strict sandbox, its webhook deliveries, and a connector whose newest API key the vendor does not know
// yet.
func newSite(t *testing.T) *site {
	t.Helper()
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, clock: clock.NewMovable(time.Date(2026, 5, 31, 17, 0, 0, 0, time.UTC)), deliveries: make(chan delivery, 1000)}
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.deliveries <- delivery{body, r.Header.Get(invoiced.SignatureHeader)}
	}))
	t.Cleanup(hook.Close)
	vendor, err := sandbox.New(sandbox.Config{Clock: s.clock, Logger: slog.New(slog.DiscardHandler),
		Accounts: []sandbox.Account{{Name: "main", Location: zone, Currency: "usd", APIKeys: []sandbox.Key{{Value: apiKey}},
			WebhookURL: hook.URL, WebhookSecret: hookSecret, AutoTaxPercent: decimal.RequireFromString("8.25"),
			ConvenienceFeePercent: decimal.RequireFromString("3")}},
		Options: sandbox.Options{StrictPaging: true, RejectUnknownKeys: true, RejectLargePages: true, MetadataArray: true,
			SignaturePrefix: "sha256=", CommentedEvents: true}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(vendor.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() { defer close(stopped); _ = vendor.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-stopped; srv.Close(); _ = vendor.Close() })
	s.ctx, s.url = ctx, srv.URL
	s.Connector, err = invoiced.New(invoiced.Config{Name: "main", BaseURL: srv.URL, APIKeySecret: "k", Location: zone,
		Currency: money.USD, Country: "US", PerSecond: 100000}, invoiced.Deps{Secrets: source{}, Clock: s.clock})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// control does something in the sandbox that the API can not do.
func (s *site) control(path string, body any) sandbox.Result {
	s.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.Post(s.url+"/_sim/"+path, "application/json", bytes.NewReader(b))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var out sandbox.Result
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK || json.Unmarshal(text, &out) != nil {
		s.t.Fatalf("%s: %d %s", path, res.StatusCode, text)
	}
	return out
}

func (s *site) customer(number string) billing.PortalCustomer {
	s.t.Helper()
	c, err := s.CreateCustomer(s.ctx, billing.PortalCustomer{Number: number, Name: "Acme " + number, Email: "AP@Acme.example",
		Currency: money.USD, Address: billing.Address{Line1: "1 Main St", City: "Austin", State: "TX", PostalCode: "78701"},
		Metadata: map[string]string{"q360_id": number}}, "customer-"+number)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// invoice creates the usual invoice under another number.
func (s *site) invoice(customer, number string) billing.PortalDocument {
	s.t.Helper()
	d, err := s.CreateDocument(s.ctx, wanted(customer, number), "invoice-"+number)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func wanted(customer, number string) billing.PortalDocument {
	return billing.PortalDocument{Kind: billing.KindInvoice, CustomerID: customer, Number: number, Currency: money.USD,
		Date: "2026-05-31", DueDate: "2026-06-30", Terms: "NET 30", MarkSent: true, PurchaseOrder: "PO 7",
		Items: []billing.PortalItem{{Name: "Labor", Quantity: decimal.RequireFromString("3"), UnitCost: decimal.RequireFromString("33.335")},
			{Name: "Freight", Type: "shipping", Quantity: decimal.NewFromInt(1), UnitCost: decimal.RequireFromString("4.50")}},
		Tax: money.MustParse("8.26", money.USD), Metadata: map[string]string{"q360_id": number}}
}

func dollars(s string) money.Money { return money.MustParse(s, money.USD) }

func TestFindByMetadataAgainstTheSandbox(t *testing.T) {
	s := newSite(t)
	c := s.customer("10023")
	s.customer("10024")
	found, err := s.FindCustomersByMetadata(s.ctx, "q360_id", "10023")
	if err != nil || len(found) != 1 || found[0].ID != c.ID {
		t.Errorf("found %+v, %v", found, err)
	}
	if found, err = s.FindCustomersByMetadata(s.ctx, "q360_id", "1002"); err != nil || len(found) != 0 {
		t.Errorf("a part of the value finds %+v, %v", found, err)
	}
}

func TestRecordsAgainstTheSandbox(t *testing.T) {
	s := newSite(t)
	if err := s.Check(s.ctx); err != nil {
		t.Fatal(err)
	}
	c := s.customer("10023")
	if c.Email != "ap@acme.example" || c.Address.Country != "" || c.Metadata["q360_id"] != "10023" {
		t.Errorf("customer %+v", c)
	}
	if found, err := s.FindCustomers(s.ctx, "10023"); err != nil || len(found) != 1 || found[0].ID != c.ID {
		t.Errorf("found %+v, %v", found, err)
	}
	none := ""
	patched, err := s.UpdateCustomer(s.ctx, c.ID, billing.CustomerPatch{Email: &none, Metadata: &map[string]string{}})
	if err != nil || patched.Email != "" || patched.Metadata != nil || patched.Name != c.Name {
		t.Errorf("patched %+v, %v", patched, err)
	}
	_, err = s.CreateCustomer(s.ctx, billing.PortalCustomer{Number: "10023", Name: "Again"}, "other-key")
	if connector.ClassOf(err) != connector.ClassConflict || connector.Ambiguous(err) {
		t.Errorf("a second customer of that number gives %v", err)
	}
	k, err := s.CreateContact(s.ctx, billing.PortalContact{CustomerID: c.ID, Email: "Jo@Acme.example", Primary: true}, "contact")
	if err != nil || k.Email != "jo@acme.example" || k.Name != "jo@acme.example" {
		t.Errorf("contact %+v, %v", k, err)
	}
	k.Name, k.Primary = "Jo", false
	if k, err = s.UpdateContact(s.ctx, k); err != nil || k.Name != "Jo" || k.Primary {
		t.Errorf("contact %+v, %v", k, err)
	}
	if all, err := s.Contacts(s.ctx, c.ID); err != nil || len(all) != 1 || all[0].ID != k.ID {
		t.Errorf("contacts %+v, %v", all, err)
	}
	if err := s.DeleteContact(s.ctx, c.ID, k.ID); err != nil {
		t.Error(err)
	}
	if _, err := s.Customer(s.ctx, "999"); connector.ClassOf(err) != connector.ClassNotFound {
		t.Errorf("a missing customer gives %v", err)
	}
}

func TestDocumentsAgainstTheSandbox(t *testing.T) {
	s := newSite(t)
	c := s.customer("10023")
	want := wanted(c.ID, "104233")
	d := s.invoice(c.ID, "104233")
	// 3 × 33.335 = 100.01 (half up), + 4.50 + 8.26; the account's own tax must not be added.
	if !d.Total.Equal(dollars("112.77")) || !d.Balance.Equal(d.Total) || !d.Tax.Equal(want.Tax) || d.Status != "sent" {
		t.Errorf("total %s, balance %s, tax %s, status %s", d.Total, d.Balance, d.Tax, d.Status)
	}
	if d.Date != want.Date || d.DueDate != want.DueDate || d.Terms != "NET 30" || d.PurchaseOrder != "PO 7" || d.CustomerID != c.ID {
		t.Errorf("document %+v", d)
	}
	if diff := cmp.Diff(want.Items, d.Items); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	found, err := s.FindDocuments(s.ctx, billing.KindInvoice, "104233")
	if err != nil || len(found) != 1 || !cmp.Equal(found[0], d) {
		t.Errorf("found %v (-created +found):\n%s", err, cmp.Diff([]billing.PortalDocument{d}, found))
	}
	want.Items, want.Tax, want.DueDate, want.PurchaseOrder = want.Items[:1], money.Zero(money.USD), "", ""
	if d, err = s.UpdateDocument(s.ctx, d.ID, want); err != nil || !d.Total.Equal(dollars("100.01")) || d.PurchaseOrder != "" || len(d.Items) != 1 {
		t.Errorf("updated %+v, %v", d, err)
	}
	file, err := s.UploadFile(s.ctx, "104233.pdf", "application/pdf", strings.NewReader("%PDF-1.4"), 8)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Attach(s.ctx, billing.KindInvoice, d.ID, []string{file}); err != nil {
		t.Error(err)
	}
	attached, err := s.Attachments(s.ctx, billing.KindInvoice, d.ID)
	if diff := cmp.Diff([]connector.Attachment{{FileID: file, Name: "104233.pdf", Type: "application/pdf", Size: 8}}, attached); err != nil || diff != "" {
		t.Errorf("attachments %v (-want +got):\n%s", err, diff)
	}
	if pdf, err := s.PDF(s.ctx, billing.KindInvoice, d.ID); err != nil || len(pdf) < 8 {
		t.Errorf("PDF of %d bytes, %v", len(pdf), err)
	}
	credit := wanted(c.ID, "104300")
	credit.Kind, credit.Tax = billing.KindCreditNote, money.Zero(money.USD)
	note, err := s.CreateDocument(s.ctx, credit, "credit-104300")
	if err != nil || note.Kind != billing.KindCreditNote || !note.Total.Equal(dollars("104.51")) {
		t.Fatalf("credit note %+v, %v", note, err)
	}
	if err := s.SendDocument(s.ctx, billing.KindInvoice, d.ID, "Payables", "ap@northpeak.example"); err != nil {
		t.Errorf("mailing: %v", err)
	}
	id, err := s.ApplyCreditNote(s.ctx, connector.CreditApplication{CustomerID: c.ID, CreditNoteID: note.ID, InvoiceID: d.ID, Amount: dollars("50.00")}, "apply")
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Payment(s.ctx, id)
	if err != nil || len(p.Applications) != 1 || p.Applications[0].Type != billing.ApplyCreditNote || p.Applications[0].InvoiceID != d.ID || !p.Amount.IsZero() {
		t.Errorf("the payment of a credit note is %+v, %v", p, err)
	}
	if d, err = s.Document(s.ctx, billing.KindInvoice, d.ID); err != nil || !d.Balance.Equal(dollars("50.01")) {
		t.Errorf("balance %s, %v", d.Balance, err)
	}
	if _, err = s.VoidDocument(s.ctx, billing.KindInvoice, d.ID); connector.ClassOf(err) != connector.ClassInvalid {
		t.Errorf("voiding an invoice with an application gives %v", err)
	}
	if voided, err := s.VoidDocument(s.ctx, billing.KindInvoice, s.invoice(c.ID, "104234").ID); err != nil || !voided.Voided {
		t.Errorf("voided %+v, %v", voided, err)
	}
}

// TestListsAgainstTheSandbox reads lists of several pages in strict paging; every record comes exactly once.
func TestListsAgainstTheSandbox(t *testing.T) {
	s := newSite(t)
	c := s.customer("10023")
	const n = 230
	for i := range n {
		d := wanted(c.ID, fmt.Sprintf("%d", 200000+i))
		d.Draft = true
		if _, err := s.CreateDocument(s.ctx, d, ""); err != nil {
			t.Fatal(err)
		}
		if i%7 == 0 {
			s.clock.Advance(time.Second)
		}
	}
	times, page, pages := map[string]int{}, "", 0
	for {
		l, err := s.ListDocuments(s.ctx, billing.KindInvoice, page)
		if err != nil || len(l.Bad) > 0 {
			t.Fatalf("%v, bad %v", err, l.Bad)
		}
		for _, d := range l.Items {
			times[d.Number]++
		}
		pages++
		if page = l.Next; page == "" {
			break
		}
	}
	for number, k := range times {
		if k != 1 {
			t.Errorf("invoice %s came %d times", number, k)
		}
	}
	if len(times) != n || pages != 3 {
		t.Errorf("%d invoices in %d pages, want %d in 3", len(times), pages, n)
	}
	if l, err := s.ListCustomers(s.ctx, ""); err != nil || len(l.Items) != 1 {
		t.Errorf("customers %+v, %v", l, err)
	}
}

func TestPaymentsAndEventsAgainstTheSandbox(t *testing.T) {
	s := newSite(t)
	c := s.customer("10023")
	first, second := s.invoice(c.ID, "104233"), s.invoice(c.ID, "104234")
	began := s.clock.Now()
	s.clock.Advance(time.Minute)
	s.control("portal/invoices/"+first.ID+"/view", map[string]any{})
	s.control("portal/invoices/"+first.ID+"/comment", map[string]any{"text": "Please resend", "author": "Jo"})
	paid := s.control("portal/payments", map[string]any{"method": "credit_card",
		"lines": []map[string]any{{"invoice": first.ID, "amount": json.Number("100.00")}, {"invoice": second.ID, "amount": json.Number("50.00")}}})
	p, err := s.Payment(s.ctx, fmt.Sprint(paid.ID))
	if err != nil {
		t.Fatal(err)
	}
	// 3 % of 150.00 is the fee.
	want := []billing.Application{{Type: billing.ApplyInvoice, InvoiceID: first.ID, Amount: dollars("100")},
		{Type: billing.ApplyInvoice, InvoiceID: second.ID, Amount: dollars("50")}, {Type: billing.ApplyConvenienceFee, Amount: dollars("4.50")}}
	if diff := cmp.Diff(want, p.Applications); diff != "" || !p.Amount.Equal(dollars("154.50")) || !p.Unapplied.IsZero() ||
		p.Charge == nil || p.Charge.Status != billing.ChargeSucceeded || p.CustomerID != c.ID {
		t.Errorf("payment %+v (-want +got):\n%s", p, diff)
	}
	for since, n := range map[time.Time]int{began: 1, s.clock.Now().Add(time.Hour): 0, {}: 1} {
		if l, err := s.ListPayments(s.ctx, since, ""); err != nil || len(l.Items) != n || (n == 1 && !cmp.Equal(l.Items[0], p)) {
			t.Errorf("payments since %s: %+v, %v", since, l, err)
		}
	}
	s.clock.Advance(time.Minute)
	var listed []billing.Event
	for page := ""; ; {
		l, err := s.Events(s.ctx, began.Add(time.Second), s.clock.Now(), page)
		if err != nil || len(l.Bad) > 0 {
			t.Fatalf("%v, bad %v", err, l.Bad)
		}
		listed = append(listed, l.Items...)
		if page = l.Next; page == "" {
			break
		}
	}
	checkEvents(t, listed, p, first)
	for range listed {
		s.checkDelivery()
	}
}

// TestFaultsOfTheSandbox: a creation whose answer is lost happened once and is found by its number; reads survive faults.
func TestFaultsOfTheSandbox(t *testing.T) {
	s := newSite(t)
	c := s.customer("10023")
	for i, kind := range []kit.FaultKind{kit.FaultDropBefore, kit.FaultDropAfter, kit.FaultTruncate, kit.FaultStatusDone, kit.FaultHTML} {
		// The first try has the API key that the vendor does not know yet.
		s.faults(kit.Rule{Method: http.MethodPost, Path: "/invoices", Kind: kind, Skip: 1, Times: 1, Status: http.StatusInternalServerError})
		number := fmt.Sprint(104233 + i)
		_, err := s.CreateDocument(s.ctx, wanted(c.ID, number), "same-key")
		if !connector.Ambiguous(err) || connector.ClassOf(err) != connector.ClassRetry {
			t.Errorf("%s: error %v, want an ambiguous one", kind, err)
		}
		want := 1
		if kind == kit.FaultDropBefore || kind == kit.FaultHTML {
			want = 0
		}
		if found, err := s.FindDocuments(s.ctx, billing.KindInvoice, number); err != nil || len(found) != want {
			t.Errorf("%s: %d invoices, %v; want %d", kind, len(found), err, want)
		}
	}
	s.faults(kit.Rule{Method: http.MethodGet, Path: "/customers", Kind: kit.FaultStatus, Status: http.StatusTooManyRequests, RetryAfter: "600", Times: 1})
	_, err := s.Customer(s.ctx, c.ID)
	var e *connector.Error
	if !errors.As(err, &e) || e.Class != connector.ClassRetry || e.RetryAfter != 10*time.Minute {
		t.Errorf("a long wait gives %+v", err)
	}
	s.clock.Advance(10 * time.Minute)
	if _, err := s.Customer(s.ctx, c.ID); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func (s *site) faults(rules ...kit.Rule) { s.control("faults", map[string]any{"rules": rules}) }

// checkEvents looks for the events that matter, in a list that is newest first.
func checkEvents(t *testing.T, listed []billing.Event, p billing.Payment, d billing.PortalDocument) {
	t.Helper()
	seen := map[string]billing.Event{}
	for i, e := range listed {
		if i > 0 && e.At.After(listed[i-1].At) {
			t.Errorf("event %s comes after an older one", e.ID)
		}
		if e.Commented {
			seen["comment by "+e.Type] = e
		}
		seen[e.Type] = e
	}
	for typ, id := range map[string]string{"payment.created": p.ID, "invoice.viewed": d.ID, "comment by invoice.commented": d.ID, "comment by invoice.updated": d.ID} {
		e, ok := seen[typ]
		if !ok || e.ObjectID != id || e.CustomerID != p.CustomerID || len(e.Raw) == 0 {
			t.Errorf("%s: %v %+v", typ, ok, e)
		}
	}
	if e := seen["comment by invoice.commented"]; e.Comment != "Please resend" || e.Author != "Jo" {
		t.Errorf("comment %+v", e)
	}
	if e := seen["invoice.viewed"]; e.Object != billing.KindInvoice || e.Number != d.Number {
		t.Errorf("view %+v", e)
	}
	if e := seen["payment.created"]; e.Object != billing.KindPayment {
		t.Errorf("payment %+v", e)
	}
}

// checkDelivery takes one webhook delivery, verifies it as a receiver does, and parses it.
func (s *site) checkDelivery() {
	s.t.Helper()
	var d delivery
	select {
	case d = <-s.deliveries:
	case <-time.After(20 * time.Second):
		s.t.Fatal("no webhook arrived")
	}
	secrets := []secret.Value{secret.NewValue("whsec-old"), secret.NewValue(hookSecret)}
	if i, err := invoiced.Verify(d.body, d.signature, secrets); i != 1 || err != nil {
		s.t.Errorf("signature %q: %d, %v", d.signature, i, err)
	}
	if _, err := invoiced.Verify(append(d.body, ' '), d.signature, secrets); err == nil {
		s.t.Error("a changed body is accepted")
	}
	if e, err := invoiced.ParseEvent(d.body); err != nil || e.At.IsZero() {
		s.t.Errorf("event %+v, %v", e, err)
	}
}

package invoiced

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
	"github.com/arbridge/arbridge/pkg/money"
)

// TestCapabilitiesAreWhatIsImplemented holds the list against the methods: every capability's interface is implemented,
// and every method belongs to a listed capability.
func TestCapabilitiesAreWhatIsImplemented(t *testing.T) {
	interfaces := map[Capability]reflect.Type{
		CapabilityPortal:   reflect.TypeFor[connector.Portal](),
		CapabilityFiles:    reflect.TypeFor[connector.Files](),
		CapabilityCredits:  reflect.TypeFor[connector.Credits](),
		CapabilityMail:     reflect.TypeFor[connector.Mailer](),
		CapabilityMetadata: reflect.TypeFor[connector.Metadata](),
		CapabilityPDFs:     reflect.TypeFor[PDFs](),
	}
	own := reflect.TypeFor[*Connector]()
	claimed := map[string]bool{}
	for _, c := range Capabilities() {
		i, ok := interfaces[c]
		if !ok || !own.Implements(i) {
			t.Errorf("capability %s is claimed and not implemented", c)
			continue
		}
		delete(interfaces, c)
		for m := range i.NumMethod() {
			claimed[i.Method(m).Name] = true
		}
	}
	if len(interfaces) > 0 {
		t.Errorf("implemented and not claimed: %v", interfaces)
	}
	for m := range own.NumMethod() {
		if name := own.Method(m).Name; !claimed[name] {
			t.Errorf("method %s belongs to no capability", name)
		}
	}
}

func TestNewChecksItsConfig(t *testing.T) {
	good := testConfig(t, "https://api.invoiced.com")
	if _, err := New(good, Deps{Secrets: fixedSecrets{}}); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Config){
		"APIKeySecret": func(c *Config) { c.APIKeySecret = "" },
		"Location":     func(c *Config) { c.Location = nil },
		"Currency":     func(c *Config) { c.Currency = "usd" },
		"Country":      func(c *Config) { c.Country = "USA" },
		"CreditAmount": func(c *Config) { c.CreditAmount = "some" },
		"https":        func(c *Config) { c.BaseURL = "http://api.invoiced.com" },
		"base URL":     func(c *Config) { c.BaseURL = "https://user:" + fixtureKey + "@api.invoiced.com" },
	} {
		cfg := good
		spoil(&cfg)
		_, err := New(cfg, Deps{Secrets: fixedSecrets{}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Acme West") || strings.Contains(err.Error(), fixtureKey) {
			t.Errorf("%s: error %v", want, err)
		}
	}
	if _, err := New(good, Deps{}); err == nil {
		t.Error("New works without secrets")
	}
}

// TestSecretsAndMailStayInside runs calls that fail in every way and searches errors and logs for what must not be there.
func TestSecretsAndMailStayInside(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte(fixtureKey + ":"))
	leak := `{"type":"invalid_request","param":"email","message":"key ` + fixtureKey + ` of Basic ` + basic + ` may not use jane@acme.example"}`
	mail := `{"id":1,"number":"N","date":5,"total":"jane@acme.example","amount":"jane@acme.example","autopay":"jane@acme.example"}`
	v, c := start(t, map[string][]string{
		"POST /customers":       {"400 " + leak, "401 " + leak, "500 " + leak, "201 " + mail, "201 jane@acme.example"},
		"GET /customers":        {"403 " + leak, "[" + mail + "]", "429 " + leak},
		"GET /invoices":         {"[" + mail + "]", mail},
		"GET /payments":         {"[" + mail + "]"},
		"GET /events":           {`[{"id":"jane@acme.example","type":"a"}]`},
		"PATCH /customers/1":    {"302 " + leak},
		"POST /files":           {"413 " + leak},
		"GET /invoices/1":       {"404 " + leak},
		"POST /invoices/1/void": {"409 " + leak},
	})
	ctx := context.Background()
	var said strings.Builder
	say := func(err error, bad []connector.BadRecord) {
		if err != nil {
			said.WriteString(err.Error() + "\n")
		}
		for _, b := range bad {
			said.WriteString(b.Number + " " + b.Message + "\n")
		}
	}
	for range 5 {
		_, err := c.CreateCustomer(ctx, billing.PortalCustomer{Number: "1", Name: "A", Email: "jane@acme.example"}, "k")
		say(err, nil)
	}
	for range 3 {
		l, err := c.ListCustomers(ctx, "")
		say(err, l.Bad)
	}
	for range 2 {
		l, err := c.ListDocuments(ctx, billing.KindInvoice, "")
		say(err, l.Bad)
	}
	p, err := c.ListPayments(ctx, time.Time{}, "")
	say(err, p.Bad)
	e, err := c.Events(ctx, time.Time{}, time.Time{}, "")
	say(err, e.Bad)
	_, err = c.UpdateCustomer(ctx, "1", billing.CustomerPatch{})
	say(err, nil)
	_, err = c.UploadFile(ctx, "jane@acme.example.pdf", "application/pdf", strings.NewReader("x"), 1)
	say(err, nil)
	_, err = c.Document(ctx, billing.KindInvoice, "1")
	say(err, nil)
	_, err = c.VoidDocument(ctx, billing.KindInvoice, "1")
	say(err, nil)
	if n := strings.Count(said.String(), "\n"); n != 16 {
		t.Errorf("%d errors and bad records, want 16:\n%s", n, said.String())
	}
	for _, forbidden := range []string{fixtureKey, basic, "jane", "Authorization"} {
		if strings.Contains(said.String(), forbidden) || strings.Contains(v.logs.String(), forbidden) {
			t.Errorf("%q is in errors or logs:\n%s\n%s", forbidden, said.String(), v.logs.String())
		}
	}
	if !strings.Contains(v.logs.String(), "vendor call") {
		t.Error("the log is empty, so the search proves nothing")
	}
}

func TestFilesCalls(t *testing.T) {
	v, c := start(t, map[string][]string{
		"POST /files":                     {`201 {"id":13,"name":"a.pdf"}`, `201 {}`},
		"PATCH /credit_notes/7":           {`{"id":7}`},
		"GET /credit_notes/7/attachments": {`[{"object":"attachment","file":{"id":13,"name":"a.pdf","size":"42","type":"application/pdf"}},{"id":2,"file":{"id":14,"size":null}}]`, `[{"id":2}]`},
		"DELETE /files/13":                {`204 `},
		"GET /payments/5":                 {`%PDF-1.4`},
	})
	ctx := context.Background()
	if id, err := c.UploadFile(ctx, "a.pdf", "application/pdf", strings.NewReader("%PDF"), 4); id != "13" || err != nil {
		t.Errorf("upload: %q, %v", id, err)
	}
	if _, err := c.UploadFile(ctx, "a.pdf", "application/pdf", strings.NewReader("%PDF"), 4); !connector.Ambiguous(err) {
		t.Errorf("an upload without an id gives %v", err)
	}
	for _, size := range []int64{0, -1, 3, 5, 10<<20 + 1} {
		_, err := c.UploadFile(ctx, "a.pdf", "application/pdf", strings.NewReader("%PDF"), size)
		checkInvalid(t, err, "size")
	}
	if _, err := c.UploadFile(ctx, "a", "text/plain", brokenReader{}, 4); connector.ClassOf(err) != connector.ClassRetry || connector.Ambiguous(err) {
		t.Errorf("a broken source gives %v", err)
	}
	if err := c.Attach(ctx, billing.KindCreditNote, "7", []string{"13", "14"}); err != nil {
		t.Error(err)
	}
	if got := v.requests("PATCH /credit_notes/7")[0].body; got != `{"attachments":[13,14]}` {
		t.Errorf("attach sends %s", got)
	}
	if err := c.Attach(ctx, billing.KindCreditNote, "7", nil); err != nil || v.requests("PATCH /credit_notes/7")[1].body != `{"attachments":[]}` {
		t.Errorf("detaching: %v", err)
	}
	got, err := c.Attachments(ctx, billing.KindCreditNote, "7")
	want := []connector.Attachment{{FileID: "13", Name: "a.pdf", Type: "application/pdf", Size: 42}, {FileID: "14"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("attachments %+v, %v", got, err)
	}
	if _, err := c.Attachments(ctx, billing.KindCreditNote, "7"); connector.ClassOf(err) != connector.ClassBadResponse {
		t.Errorf("an attachment without a file gives %v", err)
	}
	if err := c.DeleteFile(ctx, "13"); err != nil {
		t.Error(err)
	}
	if b, err := c.PDF(ctx, billing.KindPayment, "5"); err != nil || string(b) != "%PDF-1.4" {
		t.Errorf("PDF %q, %v", b, err)
	}
	for _, err := range []error{c.Attach(ctx, billing.KindCustomer, "7", nil), second(c.PDF(ctx, billing.KindContact, "7")),
		second(c.Attachments(ctx, billing.KindPayment, "7"))} {
		if connector.ClassOf(err) != connector.ClassBug {
			t.Errorf("a kind without files gives %v", err)
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("disk gone") }

func FuzzFromPayment(f *testing.F) {
	f.Add([]byte(feePayment))
	f.Add([]byte(`{"id":1,"date":5,"amount":"1e1","balance":0,"applied_to":{"0":{"amount":"10.0"}},"charge":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var w client.Payment
		if json.Unmarshal(body, &w) != nil {
			return
		}
		p, err := fromPayment(w, money.USD)
		if err != nil {
			return
		}
		if p.ID == "" || !p.Currency.Known() || p.Amount.Currency() != p.Currency || p.Unapplied.Currency() != p.Currency {
			t.Errorf("payment %+v of %q", p, body)
		}
		for _, a := range p.Applications {
			if a.Amount.Currency() != p.Currency || !a.Amount.Equal(money.FromMinor(a.Amount.Minor(), p.Currency)) {
				t.Errorf("application %+v of %q", a, body)
			}
		}
	})
}

func FuzzFromDocument(f *testing.F) {
	f.Add([]byte(fullInvoice))
	cfg := testConfig(f, "")
	f.Add([]byte(`{"id":1,"customer":2,"date":3,"total":"1e2","balance":0.00,"items":{},"taxes":[{"amount":-1}],"currency":"kwd"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var w client.Document
		if json.Unmarshal(body, &w) != nil {
			return
		}
		d, err := fromDocument(w, billing.KindInvoice, cfg)
		if err != nil {
			return
		}
		if d.ID == "" || d.CustomerID == "" || !d.Paid().Add(d.Balance).Equal(d.Total) || d.Tax.Currency() != d.Currency {
			t.Errorf("document %+v of %q", d, body)
		}
		if len(d.Metadata) > maxMetadata || d.Number == "" || d.Date.Noon(time.UTC).IsZero() {
			return
		}
		d.CustomerID, d.Metadata = "1", nil
		first, err := toDocument("op", d, cfg)
		if err != nil {
			t.Errorf("what was read can not be written: %v", err)
			return
		}
		if again, _ := toDocument("op", d, cfg); encoded(t, again) != encoded(t, first) {
			t.Error("the same document is written in two ways")
		}
	})
}

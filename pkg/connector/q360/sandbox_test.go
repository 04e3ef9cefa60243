package q360_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox/business"
	"github.com/arbridge/arbridge/pkg/money"
	kit "github.com/arbridge/arbridge/pkg/sandbox"
	"github.com/arbridge/arbridge/pkg/secret"
)

const sitePassword = "s3cret-Passw0rd"

type oneSecret string

func (s oneSecret) Get(context.Context, string) ([]secret.Value, error) {
	return []secret.Value{secret.NewValue(string(s))}, nil
}

// town is a seeded Q360 site with a connector for company 01.
type town struct {
	*sandbox.Server
	b     *business.Business
	c     *q360.Connector
	clock *clock.Movable
	log   *bytes.Buffer
}

func newTown(t *testing.T, quirks sandbox.Quirks) *town {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	w := &town{clock: clock.NewMovable(time.Date(2026, 5, 4, 14, 0, 0, 0, time.UTC)), log: new(bytes.Buffer), b: business.Generate(business.Options{Seed: 7})}
	w.Server, err = sandbox.New(sandbox.Config{Clock: w.clock, Location: zone, Logger: slog.New(slog.DiscardHandler), Quirks: quirks,
		Users: []sandbox.User{{Name: "APIUSER", Password: sitePassword, Type: sandbox.TypeAPI, Grants: sandbox.ConnectorGrants()}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	if err := w.b.Load(w.Server); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.Handler())
	t.Cleanup(server.Close)
	w.c, err = q360.New(q360.Config{Mapping: mapping.Default(), CompanyNo: "01", BaseURL: server.URL, PerSecond: 1_000_000, BankAccounts: map[money.Currency]string{money.USD: "1010"}},
		q360.Deps{Secrets: oneSecret(`{"user":"APIUSER","password":"` + sitePassword + `"}`), Clock: w.clock, Logger: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// calls is the number of vendor calls since the last reset of the journal.
func (w *town) calls() int {
	n := 0
	for _, k := range w.Calls().Counts() {
		n += k
	}
	return n
}

// invoices reads the feed to its end.
func (w *town) invoices(t *testing.T, cur string) (map[string]billing.Invoice, string) {
	t.Helper()
	out := map[string]billing.Invoice{}
	for range 500 {
		page, err := w.c.Invoices(context.Background(), cur, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range page.Bad {
			t.Errorf("bad record: %+v", bad)
		}
		for _, inv := range page.Items {
			out[inv.Number] = inv
		}
		if cur = page.Next; !page.More {
			return out, cur
		}
	}
	t.Fatal("the feed does not end")
	return nil, ""
}

// book is the site's own view of company 01 in US dollars.
func (w *town) book(t *testing.T) sandbox.Book {
	t.Helper()
	for _, b := range w.Ledger().Books {
		if b.CompanyNo == "01" && b.Currency == "USD" {
			return b
		}
	}
	t.Fatal("the site has no book of company 01 in USD")
	return sandbox.Book{}
}

func (w *town) posted(t *testing.T) map[string]sandbox.LedgerInvoice {
	out := map[string]sandbox.LedgerInvoice{}
	for _, inv := range w.book(t).Invoices {
		if inv.Posted {
			out[inv.InvoiceNo] = inv
		}
	}
	return out
}

// Check, backfill, idle polls and changes against a whole business, in every shape that answers can have.
func TestFeedAgainstTheSandbox(t *testing.T) {
	for name, quirks := range map[string]sandbox.Quirks{
		"default":   {},
		"other":     {Rows: "griddata", Outvars: "payload", Case: "lower", TrimChar: true, NumbersAsJSON: true},
		"low limit": {MaxLimit: 60, ClampLimit: true, ExactTimes: true, Errors: "http400", ReceiptTouchesStamp: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, quirks)
			caps, err := w.c.Check(context.Background())
			if err != nil || len(caps.Fatal()) > 0 || caps.Changes != "moddate" {
				t.Fatalf("check: %+v, %v", caps, err)
			}
			for _, a := range q360.Abilities() {
				if !caps.Has(a.Feature) {
					t.Errorf("%s is %q: %+v", a.Feature, caps.Features[a.Feature], caps.Problems)
				}
			}
			w.Calls().Reset()
			want := w.posted(t)
			got, cur := map[string]billing.Invoice{}, ""
			for len(got) < len(want) {
				page, err := w.c.Invoices(context.Background(), cur, "", 100)
				if err != nil || len(page.Bad) > 0 || !page.Backfill || !page.More {
					t.Fatalf("backfill: %d of %d invoices, %v, page %+v", len(got), len(want), err, page)
				}
				for _, inv := range page.Items {
					got[inv.Number] = inv
				}
				cur = page.Next
			}
			calls := w.calls()
			t.Logf("%d invoices, %d calls", len(got), calls)
			if calls*10 > len(got) && quirks.MaxLimit == 0 {
				t.Errorf("%d calls for %d invoices: more than 0.1 each", calls, len(got))
			}
			compareBooks(t, want, got)
			_, cur = w.invoices(t, cur)
			w.Calls().Reset()
			if again, _ := w.invoices(t, cur); len(again) > 0 || w.calls() > 2 {
				t.Errorf("an idle poll gave %d invoices with %d calls", len(again), w.calls())
			}
			w.changes(t, cur)
			if strings.Contains(w.log.String(), sitePassword) {
				t.Error("the password is in the log")
			}
		})
	}
}

// A site that refuses our page size is named by the check, not met in the middle of a feed.
func TestCheckAgainstASmallSandbox(t *testing.T) {
	w := newTown(t, sandbox.Quirks{MaxLimit: 60})
	caps, err := w.c.Check(context.Background())
	if err != nil || len(caps.Fatal()) == 0 || !strings.Contains(caps.Fatal()[0].Message, "dialect.line_page_size") {
		t.Errorf("check: %+v, %v", caps, err)
	}
}

func compareBooks(t *testing.T, want map[string]sandbox.LedgerInvoice, got map[string]billing.Invoice) {
	t.Helper()
	for number, ledger := range want {
		inv, ok := got[number]
		if !ok {
			t.Errorf("invoice %s was not read", number)
			continue
		}
		if !inv.Total.Decimal().Equal(ledger.Total.Decimal) || !inv.Balance.Decimal().Equal(ledger.Balance.Decimal) || inv.CustomerNo != ledger.CustomerNo || !inv.Posted || inv.CompanyNo != "01" {
			t.Errorf("invoice %s: %+v, the ledger has %+v", number, inv, ledger)
		}
		if len(inv.Lines) == 0 && !inv.Total.IsZero() {
			t.Errorf("invoice %s has no lines", number)
		}
	}
	for number := range got {
		if _, ok := want[number]; !ok {
			t.Errorf("invoice %s was read, but is not a posted invoice of company 01", number)
		}
	}
}

// changes makes the running business go on and expects exactly that from the feed.
func (w *town) changes(t *testing.T, cur string) {
	t.Helper()
	w.clock.Advance(time.Minute)
	plain := w.open(t, 3)
	var want []string
	for n := 0; len(want) < 3; n++ {
		before := w.posted(t)
		made, err := w.CreateInvoice(w.b.NextInvoice(n, w.clock.Now()))
		if err != nil {
			t.Fatal(err)
		}
		if _, ours := w.posted(t)[made.InvoiceNo]; ours && before[made.InvoiceNo].InvoiceNo == "" {
			want = append(want, made.InvoiceNo)
		}
	}
	if _, err := w.ChangeInvoice(sandbox.Change{No: plain[0], Set: sandbox.Record{"PONUM": "PO-NEW"}}); err != nil {
		t.Fatal(err)
	}
	want = append(want, plain[0])
	got, cur := w.invoices(t, cur)
	for _, number := range want {
		if _, ok := got[number]; !ok {
			t.Errorf("invoice %s changed and was not delivered: %d were", number, len(got))
		}
	}
	if len(got) > len(want) || got[plain[0]].CustomerPO != "PO-NEW" {
		t.Errorf("%d invoices for %d changes; %s has order %q", len(got), len(want), plain[0], got[plain[0]].CustomerPO)
	}
	// A write-off and a clerk's receipt change balances, with or without touching the invoice.
	if _, err := w.WriteOff(sandbox.WriteOff{InvoiceNo: plain[1]}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.NativePayment(sandbox.NativePayment{InvoiceNo: plain[2]}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(61 * time.Minute)
	got, _ = w.invoices(t, cur)
	for _, number := range plain[1:] {
		if inv, ok := got[number]; !ok || !inv.Balance.IsZero() {
			t.Errorf("invoice %s was paid and is %+v", number, inv)
		}
	}
}

// open returns numbers of open invoices of company 01 in USD with a plain balance.
func (w *town) open(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	for _, inv := range w.book(t).Invoices {
		if inv.Posted && inv.Balance.Sign() > 0 && inv.Balance.Equal(inv.Total.Decimal) && len(out) < n {
			out = append(out, inv.InvoiceNo)
		}
	}
	if len(out) < n {
		t.Fatalf("only %d open invoices", len(out))
	}
	return out
}

func TestCustomersAgainstTheSandbox(t *testing.T) {
	w := newTown(t, sandbox.Quirks{})
	got := map[string]billing.Customer{}
	cur := ""
	for range 100 {
		page, err := w.c.Customers(context.Background(), cur, 100)
		if err != nil || len(page.Bad) > 0 {
			t.Fatalf("customers: %v, bad %+v", err, page.Bad)
		}
		for _, customer := range page.Items {
			got[customer.Number] = customer
		}
		if cur = page.Next; !page.More {
			break
		}
	}
	rows, err := w.Rows("CUSTOMER")
	if err != nil || len(got) != len(rows) {
		t.Fatalf("%d customers read, %d at the site, %v", len(got), len(rows), err)
	}
	contacts, err := w.Rows("CONTACT")
	n := 0
	for _, customer := range got {
		n += len(customer.Contacts)
	}
	if err != nil || n != len(contacts) {
		t.Errorf("%d contacts read, %d at the site, %v", n, len(contacts), err)
	}
	for _, number := range w.b.Keys(business.CustomerInactive) {
		if got[number].Active {
			t.Errorf("customer %s is active", number)
		}
	}
	for _, number := range w.b.Keys(business.CustomerNoSite) {
		if !got[number].Billing.IsZero() {
			t.Errorf("customer %s has a billing address: %+v", number, got[number].Billing)
		}
	}
	number := w.b.Keys(business.CustomerNormal)[0]
	single, err := w.c.Customer(context.Background(), number)
	if err != nil || single.Fingerprint() != got[number].Fingerprint() || single.Billing.IsZero() {
		t.Errorf("customer %s alone: %+v, in the feed: %+v, %v", number, single, got[number], err)
	}
	invalid := w.b.Keys(business.ContactInvalidEmail)
	for _, customer := range got {
		for _, contact := range customer.Contacts {
			if slices.Contains(invalid, contact.Number) && contact.Email != "" {
				t.Errorf("contact %s has the address %q", contact.Number, contact.Email)
			}
		}
	}
}

// receiptFor pays an invoice in full with a fee.
func (w *town) receiptFor(t *testing.T, number, reference string) billing.Receipt {
	t.Helper()
	balance, err := w.c.Balance(context.Background(), number)
	if err != nil || balance.Balance.Sign() <= 0 {
		t.Fatalf("balance of %s: %+v, %v", number, balance, err)
	}
	fee := money.MustParse("3.50", money.USD)
	return billing.Receipt{Reference: reference, CompanyNo: "01", CustomerNo: balance.CustomerNo, Date: "2026-05-04", Amount: balance.Balance.Add(fee), GLAccount: "1010", PayMethod: "CARD",
		Comment: "Invoiced payment", Lines: []billing.ReceiptLine{{Kind: billing.LineApplication, InvoiceNo: number, Amount: balance.Balance},
			{Kind: billing.LineFee, InvoiceNo: number, Amount: fee, GLAccount: business.FeeAccount}}}
}

func TestReceiptsAgainstTheSandbox(t *testing.T) {
	w := newTown(t, sandbox.Quirks{})
	ctx := context.Background()
	number := w.open(t, 1)[0]
	r := w.receiptFor(t, number, "IVD-8812034")
	if err := w.c.PreviewReceipt(ctx, r); err != nil {
		t.Fatal(err)
	}
	if found, err := w.c.FindReceipts(ctx, r.Reference); err != nil || len(found) != 0 {
		t.Fatalf("after a preview: %+v, %v", found, err)
	}
	receiptNo, err := w.c.CreateReceipt(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.c.CreateReceiptLines(ctx, receiptNo, r, r.Lines); err != nil {
		t.Fatal(err)
	}
	found, err := w.c.FindReceipts(ctx, r.Reference)
	if err != nil || len(found) != 1 || found[0].Number != receiptNo || !found[0].Amount.Equal(r.Amount) || len(found[0].Lines) != 2 || found[0].Date != r.Date {
		t.Fatalf("found %+v, %v", found, err)
	}
	for i, line := range found[0].Lines {
		if line.Kind != r.Lines[i].Kind || line.InvoiceNo != r.Lines[i].InvoiceNo || !line.Amount.Equal(r.Lines[i].Amount) {
			t.Errorf("line %d is %+v, want %+v", i, line, r.Lines[i])
		}
	}
	if balance, err := w.c.Balance(ctx, number); err != nil || !balance.Balance.IsZero() {
		t.Errorf("balance after: %+v, %v", balance, err)
	}
	similar, err := w.c.SimilarReceipts(ctx, r.CustomerNo, r.Amount, "2026-05-06")
	if err != nil || len(similar) != 1 || similar[0].Number != receiptNo {
		t.Errorf("similar %+v, %v", similar, err)
	}
	// The site takes a reference twice, and we see both.
	if _, err := w.c.CreateReceipt(ctx, r); err != nil {
		t.Fatal(err)
	}
	if found, err := w.c.FindReceipts(ctx, r.Reference); err != nil || len(found) != 2 {
		t.Errorf("%d receipts with one reference, %v", len(found), err)
	}
	w.refusals(t, r)
}

func (w *town) refusals(t *testing.T, r billing.Receipt) {
	t.Helper()
	ctx := context.Background()
	if _, err := w.SetPeriod(sandbox.Period{CompanyNo: "01", Period: "2026-04", Status: "CLOSED"}); err != nil {
		t.Fatal(err)
	}
	closed := r
	closed.Date, closed.Reference = "2026-04-15", "IVD-CLOSED"
	for name, call := range map[string]func() error{"preview": func() error { return w.c.PreviewReceipt(ctx, closed) }, "create": func() error { _, err := w.c.CreateReceipt(ctx, closed); return err }} {
		err := call()
		e, ok := err.(*connector.Error)
		if !ok || e.Class != connector.ClassInvalid || e.Code != q360.CodeClosedPeriod || e.Ambiguous {
			t.Errorf("%s in a closed period: %v", name, err)
		}
	}
	wrong := r
	wrong.GLAccount = business.FeeAccount
	if err := w.c.PreviewReceipt(ctx, wrong); connector.ClassOf(err) != connector.ClassInvalid {
		t.Errorf("an account that is no bank: %v", err)
	}
	if err := w.c.CreateReceiptLines(ctx, "R-NONE", r, r.Lines); connector.ClassOf(err) != connector.ClassInvalid {
		t.Errorf("lines of a receipt that does not exist: %v", err)
	}
	if found, err := w.c.FindReceipts(ctx, "IVD-CLOSED"); err != nil || len(found) != 0 {
		t.Errorf("refused receipts exist: %+v, %v", found, err)
	}
}

// The answer of a write is lost: the outcome is unknown, and looking it up tells.
func TestLostAnswersAgainstTheSandbox(t *testing.T) {
	for kind, done := range map[kit.FaultKind]int{kit.FaultDropAfter: 1, kit.FaultDropBefore: 0, kit.FaultTruncate: 1, kit.FaultHTML: 0} {
		w := newTown(t, sandbox.Quirks{})
		r := w.receiptFor(t, w.open(t, 1)[0], "IVD-77")
		if _, err := w.SetFaults(sandbox.FaultRules{Rules: []kit.Rule{{Method: "PUT", Kind: kind, Times: 1}}}); err != nil {
			t.Fatal(err)
		}
		w.Calls().Reset()
		_, err := w.c.CreateReceipt(context.Background(), r)
		if !connector.Ambiguous(err) || w.calls() != 1 {
			t.Errorf("%s: %v after %d calls", kind, err, w.calls())
		}
		if found, err := w.c.FindReceipts(context.Background(), r.Reference); err != nil || len(found) != done {
			t.Errorf("%s: %d receipts found, want %d, %v", kind, len(found), done, err)
		}
	}
}

func TestHistoryAgainstTheSandbox(t *testing.T) {
	w := newTown(t, sandbox.Quirks{})
	ctx := context.Background()
	number := w.open(t, 1)[0]
	inv, err := w.c.Invoice(ctx, number)
	if err != nil {
		t.Fatal(err)
	}
	e := billing.HistoryEntry{Key: "evt-5f21", Code: "RP-VIEWED", InvoiceNo: number, CustomerNo: inv.CustomerNo, At: w.clock.Now(), Comment: strings.Repeat("viewed ", 400)}
	if found, err := w.c.FindHistory(ctx, e); err != nil || found {
		t.Fatalf("before: %v, %v", found, err)
	}
	if err := w.c.CreateHistory(ctx, e); err != nil {
		t.Fatal(err)
	}
	if found, err := w.c.FindHistory(ctx, e); err != nil || !found {
		t.Errorf("after: %v, %v", found, err)
	}
	e.Key = "evt-5f22"
	if found, err := w.c.FindHistory(ctx, e); err != nil || found {
		t.Errorf("another key: %v, %v", found, err)
	}
}

func TestDocumentsAgainstTheSandbox(t *testing.T) {
	w := newTown(t, sandbox.Quirks{})
	ctx := context.Background()
	for kind, want := range map[business.Case]int{business.DocumentPDF: 1, business.DocumentTwo: 2, business.DocumentWord: 0, business.DocumentNone: 0, business.DocumentBroken: 1} {
		number := w.b.Keys(kind)[0]
		docs, err := w.c.Documents(ctx, number)
		if err != nil || len(docs) != want {
			t.Errorf("%s: %+v, %v", kind, docs, err)
			continue
		}
		if want == 2 && docs[0].Modified.Before(docs[1].Modified) {
			t.Errorf("%s: the older document comes first", kind)
		}
		if want == 0 {
			continue
		}
		f, err := w.c.Download(ctx, docs[0].Number)
		if kind == business.DocumentBroken {
			if connector.ClassOf(err) != connector.ClassBadResponse {
				t.Errorf("a broken file: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		body, err := io.ReadAll(f)
		if err != nil || !bytes.HasPrefix(body, []byte("%PDF-")) || docs[0].Size != 0 && docs[0].Size != int64(len(body)) {
			t.Errorf("%s: %d bytes of %d, %v", kind, len(body), docs[0].Size, err)
		}
	}
	var numbers []string
	for number := range w.posted(t) {
		numbers = append(numbers, number)
	}
	many, err := w.c.DocumentsOf(ctx, numbers)
	if err != nil || len(many) < len(numbers)*9/10 {
		t.Errorf("files of %d of %d invoices, %v", len(many), len(numbers), err)
	}
	for number, docs := range many {
		one, err := w.c.Documents(ctx, number)
		if err != nil || !slices.Equal(one, docs) {
			t.Errorf("%s: %+v in bulk, %+v singly, %v", number, docs, one, err)
		}
	}
	_, err = w.c.Download(ctx, "D-NONE")
	if err == nil || connector.ClassOf(err) == connector.ClassRetry {
		t.Errorf("a document that does not exist: %v", err)
	}
}

package receipt_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector/invoiced"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	"github.com/arbridge/arbridge/pkg/connector/q360"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox/business"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/secret"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

type oneSecret string

func (s oneSecret) Get(context.Context, string) ([]secret.Value, error) {
	return []secret.Value{secret.NewValue(string(s))}, nil
}

// route is both vendors' sandboxes, their real connectors and an engine between them.
type route struct {
	t      *testing.T
	clock  *clock.Movable
	erp    *q360sim.Server
	portal *invoicedsim.Server
	api    string // address of the portal
	source *q360.Connector
	real   *invoiced.Connector
	base   q360sim.NewInvoice // one of a real customer, to make others of
	store  *enginetest.Store
	bus    *enginetest.Bus
	e      *engine.Engine
}

func newRoute(t *testing.T, change func(*settings.Company), account ...func(*invoicedsim.Account)) *route {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	r := &route{t: t, clock: clock.NewMovable(time.Date(2026, 6, 15, 14, 0, 0, 0, time.UTC)), store: enginetest.NewStore(), bus: &enginetest.Bus{}}
	quiet := slog.New(slog.DiscardHandler)
	r.erp, err = q360sim.New(q360sim.Config{Clock: r.clock, Location: zone, Logger: quiet,
		Users: []q360sim.User{{Name: "arbridge", Password: "sandbox-only", Type: q360sim.TypeAPI, Grants: q360sim.ConnectorGrants()}}})
	if err != nil {
		t.Fatal(err)
	}
	b := business.Generate(business.Options{Seed: 7, Customers: 10, Invoices: 10})
	if err := b.Load(r.erp); err != nil {
		t.Fatal(err)
	}
	r.base = b.NextInvoice(0, r.clock.Now())
	own := invoicedsim.Account{Name: "us", Location: zone, Currency: "USD", APIKeys: []invoicedsim.Key{{Value: "key"}}}
	for _, change := range account {
		change(&own)
	}
	r.portal, err = invoicedsim.New(invoicedsim.Config{Clock: r.clock, Logger: quiet, Accounts: []invoicedsim.Account{own}})
	if err != nil {
		t.Fatal(err)
	}
	erpServer, portalServer := httptest.NewServer(r.erp.Handler()), httptest.NewServer(r.portal.Handler())
	t.Cleanup(func() {
		erpServer.Close()
		portalServer.Close()
		_, _ = r.erp.Close(), r.portal.Close()
	})
	r.api = portalServer.URL
	r.source, err = q360.New(q360.Config{Mapping: mapping.Default(), CompanyNo: "01", BaseURL: erpServer.URL, PerSecond: 1_000_000, DefaultCurrency: "USD"},
		q360.Deps{Secrets: oneSecret(`{"user":"arbridge","password":"sandbox-only"}`), Clock: r.clock})
	if err != nil {
		t.Fatal(err)
	}
	r.real, err = invoiced.New(invoiced.Config{Name: "us", BaseURL: portalServer.URL, APIKeySecret: "k", Location: zone, Currency: "USD", PerSecond: 1_000_000},
		invoiced.Deps{Secrets: oneSecret("key"), Clock: r.clock})
	if err != nil {
		t.Fatal(err)
	}
	set := enginetest.Settings()
	set.TimeZone, set.Qualify.StartDate = zone, "2026-06-01"
	change(&set)
	r.e = engine.New(r.store, r.bus, r.clock, quiet, []*engine.Company{
		{ID: "us", Settings: set, ERP: r.source, Portal: r.real, ParseEvent: invoiced.ParseEvent, Site: "q360", Account: "us"},
	}, engine.Options{Owner: "test"})
	r.tick(time.Minute)
	return r
}

// tick lets a time pass, polls and handles what is published.
func (r *route) tick(d time.Duration) {
	r.t.Helper()
	r.clock.Advance(d)
	if _, err := r.e.PollAll(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	if err := r.bus.Drain(r.t.Context(), r.e); err != nil {
		r.t.Fatal(err)
	}
}

// bill posts an invoice over an amount in the ERP and returns its number.
func (r *route) bill(amount string) string {
	r.t.Helper()
	in := q360sim.NewInvoice{Header: q360sim.Record{}, Post: true, Lines: []q360sim.Record{
		{"SEQ": "10", "DESCRIPTION": "Work", "QTY": "1", "PRICE": amount, "EXTENDEDPRICE": amount, "TAXAMOUNT": "0", "ACCOUNTNO": "4000"},
	}}
	for _, name := range []string{"COMPANYNO", "CURRENCY", "CUSTOMERNO", "INVOICESITENO", "INVOICEDATE", "DUEDATE", "INVOICETYPE", "PAYMENTTERMS", "PAYMETHOD"} {
		in.Header[name] = r.base.Header[name]
	}
	out, err := r.erp.CreateInvoice(in)
	if err != nil {
		r.t.Fatal(err)
	}
	return out.InvoiceNo
}

// pay pays whole invoices by card in the portal.
func (r *route) pay(fee string, numbers ...string) string {
	r.t.Helper()
	amount := decimal.RequireFromString(fee)
	p := invoicedsim.PortalPayment{Account: "us", Method: "credit_card", Outcome: "succeeded", Fee: &amount}
	for _, n := range numbers {
		p.Lines = append(p.Lines, invoicedsim.PortalLine{Number: n})
	}
	res, err := r.portal.Pay(p)
	if err != nil {
		r.t.Fatal(err)
	}
	return strconv.FormatInt(res.ID, 10)
}

func (r *route) record(kind billing.Kind, id string) record.Record {
	r.t.Helper()
	all, err := enginetest.All[record.Record](r.store, store.Records)
	if err != nil {
		r.t.Fatal(err)
	}
	return all[record.ID("us", kind, id)]
}

// receipt is the receipt of a payment in the ERP's own books: amount, applications, fees, and what is on account.
func (r *route) receipt(paymentID string) string {
	for _, b := range r.erp.Ledger().Books {
		for _, x := range b.Receipts {
			if x.Reference != "IVD-"+paymentID {
				continue
			}
			var lines []string
			for _, l := range x.Applications {
				lines = append(lines, l.InvoiceNo+" "+l.Amount.StringFixed(2))
			}
			for _, l := range x.Fees {
				lines = append(lines, "fee "+l.InvoiceNo+" "+l.Amount.StringFixed(2))
			}
			slices.Sort(lines)
			return fmt.Sprintf("%s: %s; on account %s", x.Amount.StringFixed(2), strings.Join(lines, ", "), x.OnAccount.Add(x.Unapplied.Decimal).StringFixed(2))
		}
	}
	return "none"
}

// TestFeeToTheCentInTheBooks: 29.00 over 333.33, 333.33 and 333.34, from an ERP's invoices through the portal's payment into
// the ERP's books, with both vendors' real connectors: 9.67, 9.66 and 9.67.
func TestFeeToTheCentInTheBooks(t *testing.T) {
	for strategy, want := range map[string]string{
		"proportional": "1029.00: %[1]s 333.33, %[2]s 333.33, %[3]s 333.34, fee %[1]s 9.67, fee %[2]s 9.66, fee %[3]s 9.67; on account 0.00",
		"gl_line":      "1029.00: %[1]s 333.33, %[2]s 333.33, %[3]s 333.34, fee  29.00; on account 0.00",
		"unapplied":    "1029.00: %[1]s 333.33, %[2]s 333.33, %[3]s 333.34; on account 29.00",
		"exclude":      "1000.00: %[1]s 333.33, %[2]s 333.33, %[3]s 333.34; on account 0.00",
	} {
		t.Run(strategy, func(t *testing.T) {
			r := newRoute(t, func(s *settings.Company) { s.Fees.Strategy = strategy })
			numbers := []any{r.bill("333.33"), r.bill("333.33"), r.bill("333.34")}
			r.tick(time.Minute)
			id := r.pay("29.00", numbers[2].(string), numbers[0].(string), numbers[1].(string))
			for range 3 {
				r.tick(16 * time.Minute) // no webhook: the gap fill finds it
			}
			if got := r.receipt(id); got != fmt.Sprintf(want, numbers...) {
				p := r.record(billing.KindPayment, id)
				t.Errorf("the ERP has %s; the payment is %s (%s)", got, p.Status, p.Summary)
			}
			for _, b := range r.erp.Ledger().Books {
				for _, i := range b.Invoices {
					if slices.Contains(numbers, any(i.InvoiceNo)) && !i.Balance.IsZero() {
						t.Errorf("invoice %s still owes %s", i.InvoiceNo, i.Balance)
					}
				}
			}
		})
	}
}

// TestNineteenNinetyNine: 19.99, which no binary fraction is, stays 1999 minor units on every hop.
func TestNineteenNinetyNine(t *testing.T) {
	r := newRoute(t, func(*settings.Company) {})
	number := r.bill("19.99")
	r.tick(time.Minute)
	src, err := r.source.Invoice(t.Context(), number)
	if err != nil || src.Total.Minor() != 1999 || src.Balance.Minor() != 1999 || src.Lines[0].Amount.Minor() != 1999 {
		t.Fatalf("from the ERP: %+v, %v", src, err)
	}
	inv := r.record(billing.KindInvoice, number)
	wire := call[object](r, http.MethodGet, "/invoices/"+inv.PortalID, "")
	if wire["total"] != json.Number("19.99") || wire["balance"] != json.Number("19.99") {
		t.Errorf("on the wire: total %v, balance %v", wire["total"], wire["balance"])
	}
	d, err := r.real.Document(t.Context(), billing.KindInvoice, inv.PortalID)
	if err != nil || d.Total.Minor() != 1999 || d.Balance.Minor() != 1999 || inv.SourceTotal != "19.99" || inv.PortalTotal != "19.99" {
		t.Fatalf("in the portal: %s of %s, record %s and %s, %v", d.Balance, d.Total, inv.SourceTotal, inv.PortalTotal, err)
	}
	id := r.pay("0.01", number)
	for range 3 {
		r.tick(16 * time.Minute)
	}
	p, err := r.real.Payment(t.Context(), id)
	if err != nil || p.Amount.Minor() != 2000 || p.Applications[0].Amount.Minor() != 1999 {
		t.Errorf("payment %+v, %v", p, err)
	}
	if got := r.receipt(id); got != "20.00: "+number+" 19.99, fee "+number+" 0.01; on account 0.00" {
		t.Errorf("the ERP has %s", got)
	}
	found, err := r.source.FindReceipts(t.Context(), "IVD-"+id)
	if err != nil || len(found) != 1 || found[0].Amount.Minor() != 2000 || found[0].Lines[0].Amount.Minor()+found[0].Lines[1].Amount.Minor() != 2000 {
		t.Errorf("read back from the ERP: %+v, %v", found, err)
	}
	if b, err := r.source.Balance(t.Context(), number); err != nil || !b.Balance.IsZero() || b.Total.Minor() != 1999 {
		t.Errorf("balance in the ERP: %+v, %v", b, err)
	}
}

// TestQuietRefundInTheSandbox: the vendor tells of a refund in nothing but the payment's charge. The list shows it or, a
// day later, the daily one; the receipt stays and the record says what to do.
func TestQuietRefundInTheSandbox(t *testing.T) {
	r := newRoute(t, func(*settings.Company) {})
	number := r.bill("100.00")
	r.tick(time.Minute)
	id := r.pay("3.00", number)
	for range 3 {
		r.tick(16 * time.Minute)
	}
	before := r.receipt(id)
	r.clock.Advance(48 * time.Hour)
	p, err := r.real.Payment(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.portal.Refund(invoicedsim.PaymentAction{Account: "us", Ref: invoicedsim.Ref(p.Charge.ID)}); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		r.tick(16 * time.Minute)
	}
	rec := r.record(billing.KindPayment, id)
	if rec.Status != record.Reversed || !strings.Contains(rec.Summary, rec.Receipts[0].Number) || !strings.Contains(rec.Summary, "103.00") {
		t.Errorf("%s: %s", rec.Status, rec.Summary)
	}
	if after := r.receipt(id); after != before || before == "none" {
		t.Errorf("the receipt was %s, is %s", before, after)
	}
}

// TestCreditInTheSandboxes: a negative invoice becomes a credit note, is applied to the oldest open invoice in the portal, and
// is no cash in the ERP.
func TestCreditInTheSandboxes(t *testing.T) {
	r := newRoute(t, func(s *settings.Company) { s.CreditNotes.Apply = "oldest" })
	number := r.bill("100.00")
	r.tick(time.Minute)
	note := r.bill("-30.00")
	for range 4 {
		r.tick(16 * time.Minute)
	}
	credit := r.record(billing.KindCredit, note)
	if credit.Status != record.Synced || len(credit.Uses) != 1 || credit.Uses[0].Amount != "30.00" || credit.Uses[0].Invoice != number {
		t.Fatalf("%s (%s), uses %+v", credit.Status, credit.Summary, credit.Uses)
	}
	d, err := r.real.Document(t.Context(), billing.KindInvoice, r.record(billing.KindInvoice, number).PortalID)
	if err != nil || d.Balance.Minor() != 7000 {
		t.Errorf("left of the invoice: %s, %v", d.Balance, err)
	}
	if p := r.record(billing.KindPayment, credit.Uses[0].PaymentID); p.Status != record.Skipped {
		t.Errorf("the payment that stands for it: %s (%s)", p.Status, p.Summary)
	}
	if got := r.receipt(credit.Uses[0].PaymentID); got != "none" {
		t.Errorf("it became cash: %s", got)
	}
}

package reconcile_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/reconcile"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

// ledger makes the fake ERP one that lists what it has booked, two items a page.
type ledger struct {
	*enginetest.ERP
	invoices []string // numbers that are listed
	noList   error    // of receipts
	between  func()   // runs once, after the documents were listed
}

func (l *ledger) list(ctx context.Context, wanted func(billing.Invoice) bool, page string) (connector.Page[billing.Invoice], error) {
	var all []billing.Invoice
	for _, n := range l.invoices {
		if inv, err := l.Invoice(ctx, n); err == nil && inv.Posted && wanted(inv) && n > page {
			all = append(all, inv)
		}
	}
	if len(all) > 2 {
		return connector.Page[billing.Invoice]{Items: all[:2], Next: all[1].Number}, nil
	}
	return connector.Page[billing.Invoice]{Items: all}, nil
}

func (l *ledger) Posted(ctx context.Context, from, _ billing.Date, page string) (connector.Page[billing.Invoice], error) {
	out, err := l.list(ctx, func(inv billing.Invoice) bool { return inv.PostedDate >= from }, page)
	if l.between != nil && out.Next == "" {
		l.between()
		l.between = nil
	}
	return out, err
}

func (l *ledger) Open(ctx context.Context, before billing.Date, page string) (connector.Page[billing.Invoice], error) {
	return l.list(ctx, func(inv billing.Invoice) bool { return inv.PostedDate < before && !inv.Balance.IsZero() }, page)
}

func (l *ledger) Receipts(_ context.Context, from, to billing.Date, _ string) (connector.Page[billing.Receipt], error) {
	if l.noList != nil {
		return connector.Page[billing.Receipt]{}, l.noList
	}
	out := connector.Page[billing.Receipt]{Items: slices.DeleteFunc(l.ERP.Receipts(), func(r billing.Receipt) bool { return r.Date < from || r.Date > to })}
	return out, nil
}

func (l *ledger) AppliesLater() bool { return false }

// world is a company with three invoices in step, one of them paid.
type world struct {
	*enginetest.World
	t      *testing.T
	engine *engine.Engine
	ledger *ledger
	logged bytes.Buffer
}

func newWorld(t *testing.T) *world {
	w := &world{World: enginetest.NewWorld(), t: t}
	w.engine = w.Start()
	w.ledger = &ledger{ERP: w.ERP, invoices: []string{"1", "2", "3"}}
	w.ERP.PutCustomers(enginetest.Customer("C1"))
	for _, n := range w.ledger.invoices {
		w.ERP.PutInvoices(enginetest.Invoice(n, "C1"))
	}
	w.tick()
	w.pay("1")
	return w
}

func (w *world) tick() {
	w.t.Helper()
	w.Clock.Advance(time.Minute)
	if err := w.Tick(w.t.Context(), w.engine); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) document(number string) billing.PortalDocument {
	w.t.Helper()
	for _, d := range w.Portal.Invoices() {
		if d.Number == number {
			return d
		}
	}
	w.t.Fatalf("the portal has no invoice %s", number)
	return billing.PortalDocument{}
}

// pay pays an invoice by card; the event arrives and its receipt is posted.
func (w *world) pay(number string) string {
	w.t.Helper()
	ev := w.Portal.Pay("credit_card", billing.ChargeSucceeded, enginetest.On(w.document(number).ID, "107"))
	if err := w.Hook(w.t.Context(), w.engine, ev); err != nil {
		w.t.Fatal(err)
	}
	w.tick()
	return ev.ObjectID
}

func (w *world) reconciler() *reconcile.Reconciler {
	log := slog.New(slog.NewTextHandler(&w.logged, nil))
	return reconcile.New(w.Store, w.Clock, log, []reconcile.Company{
		{ID: "us", Settings: w.Settings, ERP: w.ledger, Portal: w.Portal}, {ID: "ca", Settings: w.Settings, ERP: w.ERP, Portal: w.Portal},
	})
}

func (w *world) run(from, to billing.Date) reconcile.Report {
	w.t.Helper()
	r, err := w.reconciler().Run(w.t.Context(), "us", from, to)
	if err != nil {
		w.t.Fatal(err)
	}
	exact(w.t, r)
	return r
}

func (w *world) expect(from billing.Date, want ...string) {
	w.t.Helper()
	if got := texts(w.run(from, "")); !slices.Equal(got, want) {
		w.t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestRunInStep(t *testing.T) {
	w := newWorld(t)
	writes := w.ERP.Writes() + w.Portal.Writes()
	r := w.run("", "")
	if len(r.Differences) != 0 || len(r.Books) != 1 {
		t.Fatalf("%+v", r)
	}
	if b := r.Books[0]; b.Posted.Count != 3 || b.Portal.Count != 3 || b.Receipts.Amount.String() != "107.00 USD" || b.Period != "2026-05" {
		t.Errorf("%+v", b)
	}
	if n := w.ERP.Writes() + w.Portal.Writes(); n != writes {
		t.Errorf("the comparison wrote %d times to the vendors", n-writes)
	}
	if all, err := enginetest.All[reconcile.Summary](w.Store, store.Reconciliations); err != nil || len(all) != 0 {
		t.Errorf("Run stored %v, %v", all, err)
	}
}

// TestReadAgain: what changed between reading one side and the other is no difference.
func TestReadAgain(t *testing.T) {
	w := newWorld(t)
	w.ledger.between = func() { w.pay("2") } // the ERP's documents were read, the portal's were not
	w.expect("")
	w.ledger.between = func() {
		w.ERP.PutInvoices(enginetest.Invoice("4", "C1"))
		w.ledger.invoices = append(w.ledger.invoices, "4")
		w.tick()
	}
	w.expect("")
}

// TestOutsideOfWhatWasRead: what the lists do not show is looked up before it counts as missing.
func TestOutsideOfWhatWasRead(t *testing.T) {
	w := newWorld(t)
	older := enginetest.Invoice("0", "C1")
	older.PostedDate = "2026-01-20" // its own date is in May
	w.ERP.PutInvoices(older)
	w.ledger.invoices = append([]string{"0"}, w.ledger.invoices...)
	w.tick()
	w.expect("2026-05-01")
	w.ERP.Vanish("3")
	w.ledger.invoices = []string{"0", "1", "2"}
	w.expect("2026-05-01", "missing_in_erp 3 -10700 stake 10700 UNEXPLAINED")
}

// TestOlderReceipts: what was paid by hand long ago on a document that is still open in the portal is found.
func TestOlderReceipts(t *testing.T) {
	w := newWorld(t)
	older := enginetest.Invoice("0", "C1")
	older.Date, older.PostedDate = "2025-06-01", "2025-06-01"
	older.Balance = enginetest.USD("107")
	w.Settings.Qualify.StartDate = "2025-01-01"
	w.engine = w.Start()
	w.ERP.PutInvoices(older)
	w.ledger.invoices = append([]string{"0"}, w.ledger.invoices...)
	w.tick()
	w.ERP.EnterReceipt(billing.Receipt{Reference: "check 5", CompanyNo: "01", CustomerNo: "C1", Date: "2025-07-01", Amount: enginetest.USD("7"),
		Lines: []billing.ReceiptLine{{Kind: billing.LineApplication, InvoiceNo: "0", Amount: enginetest.USD("7")}}})
	w.expect("", "paid_outside 0 -700 stake 700 keyed_by_hand")
}

func TestReceiptsAndPayments(t *testing.T) {
	w := newWorld(t)
	w.ERP.EnterReceipt(billing.Receipt{Reference: "IVD-77", CompanyNo: "01", CustomerNo: "C1", Date: "2026-05-04", Amount: enginetest.USD("5")})
	w.ERP.EnterReceipt(billing.Receipt{Reference: "IVD-88-2", CompanyNo: "01", CustomerNo: "C1", Date: "2026-05-04", Amount: enginetest.USD("6")})
	other := record.Record{Company: "ca", Kind: billing.KindPayment, SourceID: "88"}
	if _, err := (store.Table[record.Record]{Store: w.Store, Collection: store.Records}).Create(t.Context(), other.ID(), other); err != nil {
		t.Fatal(err)
	}
	w.expect("", "receipt_of_other_company 88 600 stake 0 other_company", "receipt_without_payment 77 500 stake 500 UNEXPLAINED")

	w.ledger.noList = connector.NewError(connector.ClassUnsupported, "listing receipts", "receipts are switched off")
	if r := w.run("", ""); r.State() != reconcile.Explained || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "switched off") {
		t.Errorf("%+v", r)
	}
}

// TestDeletedPayment: a payment that is gone in the portal leaves its receipt without one.
func TestDeletedPayment(t *testing.T) {
	w := newWorld(t)
	id := w.Portal.PaymentIDs()[0]
	w.Portal.Forget()
	w.Portal.Quiet(id, func(p *billing.Payment) { p.Voided = true })
	w.expect("", "receipt_of_unsettled_payment "+id+" 10700 stake 10700 reversed_after_posting")
}

func TestRunErrors(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		company  string
		from, to billing.Date
		want     string
	}{
		"unknown company": {"mars", "", "", "no such company"},
		"no ledger":       {"ca", "", "", "can not list"},
		"wrong order":     {"us", "2026-05-02", "2026-05-01", "is after"},
	} {
		if _, err := w.reconciler().Run(t.Context(), c.company, c.from, c.to); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.Portal.Fail(enginetest.Fault{Method: "ListDocuments", Class: connector.ClassRetry})
	if _, err := w.reconciler().Run(t.Context(), "us", "", ""); connector.ClassOf(err) != connector.ClassRetry || !strings.Contains(err.Error(), "portal's documents of us") {
		t.Errorf("the portal is down: %v", err)
	}
}

func TestNightly(t *testing.T) {
	w := newWorld(t)
	w.Portal.Remove(w.document("2").ID)
	if err := w.reconciler().Nightly(t.Context(), "us"); err != nil {
		t.Fatal(err)
	}
	all, err := enginetest.All[reconcile.Summary](w.Store, store.Reconciliations)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d summaries, %v", len(all), err)
	}
	for id, s := range all {
		if id != store.ID("us", s.At.Text()) || s.State != reconcile.Unexplained || s.Stake != "107.00 USD" || s.Unexplained != 1 || len(s.First) != 1 ||
			s.First[0].Amount != "107.00" || s.First[0].Number != "2" || s.Books[0].Posted.Amount != "321.00" || !s.ExpireAt.After(s.At.AddDate(1, 0, 0)) {
			t.Errorf("%s: %+v", id, s)
		}
	}
	if log := w.logged.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "level=WARN") || !strings.Contains(log, `at_stake="107.00 USD"`) {
		t.Errorf("logged %q", log)
	}
	q := store.Query{Equal: []store.Equal{{Field: "company", Value: "us"}}, OrderBy: "at", Desc: true, Limit: 1}
	if rows, err := (store.Table[reconcile.Summary]{Store: w.Store, Collection: store.Reconciliations}).Query(t.Context(), q); err != nil || len(rows) != 1 {
		t.Errorf("the newest summary: %v, %v", rows, err)
	}
	if err := w.reconciler().Nightly(t.Context(), "mars"); !errors.Is(err, reconcile.ErrUnknownCompany) {
		t.Errorf("unknown company: %v", err)
	}
}

func TestNightlySkipsPausedCompanies(t *testing.T) {
	for name, pause := range map[string]func(w *world) error{
		"by its mode":  func(w *world) error { w.Settings.Mode = settings.ModePaused; return nil },
		"not enabled":  func(w *world) error { w.Settings.Enabled = false; return nil },
		"by operators": func(w *world) error { return pauseAll(w) },
	} {
		w := newWorld(t)
		if err := pause(w); err != nil {
			t.Fatal(err)
		}
		w.Portal.Reset()
		if err := w.reconciler().Nightly(t.Context(), "us"); err != nil || w.Portal.Count("ListDocuments") != 0 {
			t.Errorf("%s: %v, the portal was read", name, err)
		}
	}
}

func pauseAll(w *world) error {
	c := record.Control{Company: "us", Paused: map[string]record.Hold{record.FlowAll: {Actor: "dana"}}}
	_, err := (store.Table[record.Control]{Store: w.Store, Collection: store.Controls}).Put(w.t.Context(), store.ID("us"), c)
	return err
}

// TestSummaryIsBounded: a summary holds the first 200 differences, and no more words than a document may.
func TestSummaryIsBounded(t *testing.T) {
	in := inStep()
	for i := range 300 {
		orphan(&in, "X", "IVD-"+strings.Repeat("9", 3)+string(rune('a'+i%26))+strings.Repeat("z", i))
	}
	s := reconcile.Compare(in).Summary(now())
	if len(s.First) != 200 || s.Differences != 300 || s.Unexplained != 300 || s.Stake != money.FromMinor(300*700, money.USD).String() {
		t.Errorf("%d of %d stored, stake %s", len(s.First), s.Differences, s.Stake)
	}
}

package reconcile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/reconcile"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// The aims of a comparison of many documents on both sides: what it may take once everything is read.
const (
	many       = 100_000
	maxMemory  = 150 << 20 // bytes that the process has of the system, at most
	maxSeconds = 2         // of the processors
)

// books is a business of many documents, made up while it is read, so that nothing but the comparison takes memory: every
// fiftieth has another total in the portal, of the others every third is skipped, and the portal does not have it.
type books struct {
	store.Store
	n    int
	read func() // is called when all records were listed
}

// madeERP and madePortal are its two sides.
type madeERP struct {
	connector.ERP
	*books
}

type madePortal struct {
	connector.Portal
	*books
}

const pageOf = 500

// page lists the items from the place that a page's name says.
func page[T any](n int, from string, item func(i int) (T, bool)) (connector.Page[T], error) {
	var out connector.Page[T]
	i, _ := strconv.Atoi(from)
	for ; i < n && len(out.Items) < pageOf; i++ {
		if x, ok := item(i); ok {
			out.Items = append(out.Items, x)
		}
	}
	if i < n {
		out.Next = strconv.Itoa(i)
	}
	return out, nil
}

func (b *books) number(i int) string   { return strconv.Itoa(100_000 + i) }
func (b *books) differs(i int) bool    { return i%50 == 0 }
func (b *books) skipped(i int) bool    { return !b.differs(i) && i%3 == 0 }
func (b *books) customer(i int) string { return "C" + strconv.Itoa(i%4_000) }

// date is one of the last sixty days of the books.
func (b *books) date(i int) billing.Date {
	day := []byte("2026-02-01")
	day[6] += byte(i / 28 % 2)
	day[8] += byte((1 + i%28) / 10)
	day[9] = '0' + byte((1+i%28)%10)
	return billing.Date(day)
}

func (b *books) invoice(i int) billing.Invoice {
	amount := money.FromMinor(10_700, money.USD)
	return billing.Invoice{Number: b.number(i), CompanyNo: "01", CustomerNo: b.customer(i), Posted: true, Date: b.date(i), PostedDate: b.date(i),
		Currency: money.USD, PayMethod: "CHECK", Total: amount, Balance: amount}
}

// Posted implements connector.Ledger.
func (b madeERP) Posted(_ context.Context, _, _ billing.Date, from string) (connector.Page[billing.Invoice], error) {
	return page(b.n, from, func(i int) (billing.Invoice, bool) { return b.invoice(i), true })
}

// Open implements connector.Ledger.
func (b madeERP) Open(context.Context, billing.Date, string) (connector.Page[billing.Invoice], error) {
	return connector.Page[billing.Invoice]{}, nil
}

// Receipts implements connector.Ledger.
func (b madeERP) Receipts(context.Context, billing.Date, billing.Date, string) (connector.Page[billing.Receipt], error) {
	return connector.Page[billing.Receipt]{}, nil
}

// AppliesLater implements connector.Ledger.
func (b madeERP) AppliesLater() bool { return false }

func (b *books) document(i int) billing.PortalDocument {
	inv := b.invoice(i)
	d := billing.PortalDocument{ID: "9" + inv.Number, Kind: billing.KindInvoice, CustomerID: "77", Number: inv.Number, Currency: inv.Currency,
		Date: inv.Date, Total: inv.Total, Balance: inv.Total, Metadata: map[string]string{plan.MetaID: inv.CompanyNo + "/" + inv.Number}}
	if b.differs(i) {
		d.Total = d.Total.Add(money.FromMinor(1, d.Currency))
		d.Balance = d.Total
	}
	return d
}

// ListDocuments implements connector.Portal.
func (b madePortal) ListDocuments(_ context.Context, kind billing.Kind, from string) (connector.Page[billing.PortalDocument], error) {
	if kind == billing.KindCreditNote {
		return connector.Page[billing.PortalDocument]{}, nil
	}
	return page(b.n, from, func(i int) (billing.PortalDocument, bool) { return b.document(i), !b.skipped(i) })
}

// Document implements connector.Portal.
func (b madePortal) Document(_ context.Context, _ billing.Kind, id string) (billing.PortalDocument, error) {
	return b.document(b.place(id[1:])), nil
}

// ListPayments implements connector.Portal.
func (b madePortal) ListPayments(context.Context, time.Time, string) (connector.Page[billing.Payment], error) {
	return connector.Page[billing.Payment]{}, nil
}

// Invoice implements connector.ERP.
func (b madeERP) Invoice(_ context.Context, number string) (billing.Invoice, error) {
	return b.invoice(b.place(number)), nil
}

func (b *books) place(number string) int {
	i, _ := strconv.Atoi(number)
	return i - 100_000
}

func (b *books) record(i int) store.Doc {
	rec := record.Record{Company: "us", Kind: billing.KindInvoice, SourceID: b.number(i), PortalID: "9" + b.number(i), Customer: b.customer(i),
		Status: record.Synced, UpdatedAt: store.At(now().Add(-time.Duration(i) * time.Second))}
	if b.skipped(i) {
		rec.Status, rec.PortalID, rec.Reasons = record.Skipped, "", []plan.Reason{plan.Because(plan.MethodExcluded, "method", "WIRE")}
	}
	data, err := json.Marshal(rec)
	if err != nil {
		panic(err)
	}
	return store.Doc{ID: rec.ID(), Data: data}
}

// Query implements store.Store: the records by their age.
func (b *books) Query(_ context.Context, q store.Query) ([]store.Doc, error) {
	var out []store.Doc
	from := 0
	if q.After.ID != "" {
		from = b.place(q.After.ID[strings.LastIndexByte(q.After.ID, '/')+1:]) + 1
	}
	for i := from; i < b.n && len(out) < q.Limit; i++ {
		out = append(out, b.record(i))
	}
	if len(out) < q.Limit && b.read != nil {
		b.read()
	}
	return out, nil
}

// Get implements store.Store.
func (b *books) Get(_ context.Context, c store.Collection, id string) (store.Doc, error) {
	return store.Doc{}, fmt.Errorf("%s/%s: %w", c, id, store.ErrNotFound)
}

// unexplained is the number of differences that nothing explains.
func (b *books) unexplained() int { return (b.n + 49) / 50 }

// differences is the number of all: a total that differs makes the balance differ, too.
func (b *books) differences() int {
	all := 2 * b.unexplained()
	for i := range b.n {
		if b.skipped(i) {
			all++
		}
	}
	return all
}

// run reads both sides and compares them.
func (b *books) run(t testing.TB) reconcile.Report {
	t.Helper()
	r := reconcile.New(b, clock.NewMovable(now()), slog.New(slog.DiscardHandler), []reconcile.Company{
		{ID: "us", Settings: enginetest.Settings(), ERP: madeERP{books: b}, Portal: madePortal{books: b}}})
	report, err := r.Run(t.Context(), "us", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Differences) != b.differences() || report.Unexplained() != b.unexplained() {
		t.Fatalf("%d differences, %d unexplained; want %d, %d", len(report.Differences), report.Unexplained(), b.differences(), b.unexplained())
	}
	return report
}

// input is what a run would read of the books.
func (b *books) input() reconcile.Input {
	in := reconcile.Input{Company: "us", Settings: enginetest.Settings(), At: now(), From: "2026-01-20", To: "2026-05-21", Open: true}
	traits := map[billing.Date][2]*reconcile.Traits{}
	good, wire := synced(billing.KindInvoice), synced(billing.KindInvoice)
	wire.Status, wire.Reasons = record.Skipped, []plan.Reason{plan.Because(plan.MethodExcluded, "method", "WIRE")}
	for i := range b.n {
		number, date := b.number(i), b.date(i)
		if traits[date][0] == nil {
			traits[date] = [2]*reconcile.Traits{{Kind: billing.KindInvoice, Date: date, Company: "01", Currency: money.USD, Method: "CHECK"},
				{Kind: billing.KindInvoice, Date: date, Currency: money.USD, Owner: "01/"}}
		}
		e := reconcile.Document{Traits: traits[date][0], Number: number, Customer: b.customer(i), Total: 10_700, Balance: 10_700, Posted: true}
		in.ERP.Documents = append(in.ERP.Documents, e)
		rec := reconcile.Record{Standing: good, Number: number, PortalID: "9" + number, Customer: e.Customer}
		p := reconcile.Document{Traits: traits[date][1], Number: number, ID: rec.PortalID, Total: e.Total, Balance: e.Balance}
		if b.differs(i) {
			p.Total, p.Balance = p.Total+1, p.Balance+1
		}
		if b.skipped(i) {
			rec.PortalID, rec.Standing = "", wire
		} else {
			in.Portal.Documents = append(in.Portal.Documents, p)
		}
		in.Records = append(in.Records, rec)
	}
	return in
}

// live is the heap that something holds on to.
func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestMemoryOfAComparison: what is read of a hundred thousand documents on both sides, and everything that the comparison
// allocates, garbage included, is less than half of what a process may have of the system: a heap may grow to twice what
// lives in it before it is swept.
func TestMemoryOfAComparison(t *testing.T) {
	b := &books{n: many}
	var rows uint64
	before := live()
	b.read = func() { rows = live() - before }
	b.run(t)

	in := b.input()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	was := m.TotalAlloc
	report := reconcile.Compare(in)
	runtime.ReadMemStats(&m)
	compared := m.TotalAlloc - was
	if len(report.Differences) != b.differences() {
		t.Errorf("%d differences, want %d", len(report.Differences), b.differences())
	}
	t.Logf("%d documents on both sides: %d MB when read (%d bytes each), %d MB allocated to compare", many, rows>>20, rows/many, compared>>20)
	if rows+compared > maxMemory/2 {
		t.Errorf("%d MB of rows and %d MB to compare them are more than %d MB", rows>>20, compared>>20, maxMemory/2>>20)
	}
	runtime.KeepAlive(in)
}

// usage is what this process has used of the processors, and the most memory that it had of the system.
func usage(t testing.TB) (cpu time.Duration, peak int64) {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	peak = int64(u.Maxrss)
	if runtime.GOOS != "darwin" { // there it is in bytes
		peak <<= 10
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), peak
}

// measure tells what a comparison takes, beside what it may take.
func measure(b *testing.B, what string, do func()) {
	before, _ := usage(b)
	for b.Loop() {
		do()
	}
	cpu, peak := usage(b)
	each := (cpu - before) / time.Duration(b.N)
	b.Logf("%s %d documents on both sides: %d.%03d CPU-seconds, %d MB of the system at the peak of the process (at most: %d s once read, %d MB)",
		what, many, each/time.Second, each%time.Second/time.Millisecond, peak>>20, maxSeconds, maxMemory>>20)
}

// BenchmarkCompare compares what was read.
func BenchmarkCompare(b *testing.B) {
	made := &books{n: many}
	in := made.input()
	b.ReportAllocs()
	measure(b, "comparing", func() {
		if r := reconcile.Compare(in); len(r.Differences) != made.differences() {
			b.Fatalf("%d differences", len(r.Differences))
		}
	})
}

// BenchmarkRun reads both sides and the records, page by page, and compares them. Most of its time makes the books up.
func BenchmarkRun(b *testing.B) {
	made := &books{n: many}
	b.ReportAllocs()
	measure(b, "reading and comparing", func() { made.run(b) })
}

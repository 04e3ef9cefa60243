// Package business makes up an AV integrator's receivables for the Q360 sandbox: companies, customers with every oddity
// that a site has (q360-api 5.5), ninety days of invoices, what clerks received before the first sync, and documents.
// Everything follows from the seed, to the byte.
package business

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/shopspring/decimal"
)

// Options say how large the business is. Zero values stand for the defaults in brackets.
type Options struct {
	Seed  uint64
	Start time.Time // first day, midnight UTC [2026-02-02]
	End   time.Time // last day, midnight UTC [89 days after Start]
	// Companies are 1 to 5 of 01 (USD), 02 (CAD), 03 (EUR and GBP), and 04 and 05 (USD), which have periods and nothing
	// else [3].
	Companies int
	Customers int // at least 40, so that every kind occurs [80]
	Invoices  int // at least 80, so that every kind occurs [600]
	SameStamp int // invoices that share one change stamp, at most half of them [250]
}

func (o Options) filled() Options {
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC)
	}
	if o.End.IsZero() || o.End.Before(o.Start) {
		o.End = o.Start.AddDate(0, 0, 89)
	}
	if o.Companies < 1 || o.Companies > 5 {
		o.Companies = 3
	}
	if o.Customers == 0 {
		o.Customers = 80
	}
	if o.Invoices == 0 {
		o.Invoices = 600
	}
	if o.SameStamp == 0 {
		o.SameStamp = 250
	}
	o.Customers, o.Invoices = max(o.Customers, 40), max(o.Invoices, 80)
	o.SameStamp = min(o.SameStamp, o.Invoices/2)
	return o
}

// Case names something that a record was made to show.
type Case string

// Cases of customers, with customer numbers.
const (
	CustomerNormal       Case = "customer_normal"
	CustomerVendor       Case = "customer_custvend"
	CustomerProspect     Case = "customer_prospect"
	CustomerInactive     Case = "customer_inactive"
	CustomerChild        Case = "customer_child"
	CustomerOtherCompany Case = "customer_other_company" // default company is not the company of its invoices
	CustomerNoSite       Case = "customer_no_billing_site"
	CustomerNoContact    Case = "customer_no_contact"
)

// Cases of contacts, with contact numbers.
const (
	ContactAR           Case = "contact_ar"
	ContactAP           Case = "contact_ap"
	ContactCollections  Case = "contact_collections"
	ContactNoRole       Case = "contact_no_role"
	ContactInactive     Case = "contact_inactive"
	ContactSameName     Case = "contact_same_name"
	ContactNoEmail      Case = "contact_no_email"
	ContactInvalidEmail Case = "contact_invalid_email"
)

// Cases of invoices, with invoice numbers. An invoice has one of them, apart from InvoiceGBP, InvoiceSameStamp, and the
// cases of documents.
const (
	InvoicePlain          Case = "invoice_plain"
	InvoiceUnposted       Case = "invoice_unposted"
	InvoiceCredit         Case = "invoice_credit"
	InvoiceZero           Case = "invoice_zero"
	InvoiceFreight        Case = "invoice_freight"
	InvoiceFreightInLines Case = "invoice_freight_in_lines" // the freight is a line already
	InvoiceRetention      Case = "invoice_retention"        // part of the total is not in the balance
	InvoiceLinesOff       Case = "invoice_lines_off"        // lines do not add up to the total
	InvoiceRounded        Case = "invoice_rounded"          // a line's amount is not its quantity times its price
	InvoiceZeroLines      Case = "invoice_zero_lines"       // lines that only describe
	InvoiceContract       Case = "invoice_contract"
	InvoicePartPaid       Case = "invoice_part_paid"
	InvoicePaid           Case = "invoice_paid"
	InvoiceWrittenOff     Case = "invoice_written_off" // in part
	InvoiceLong           Case = "invoice_long_text"
	InvoiceForeign        Case = "invoice_non_ascii"
	InvoiceComment        Case = "invoice_comment"
	InvoiceManyLines      Case = "invoice_many_lines"
	InvoiceDiscount       Case = "invoice_discount_terms" // 2% 10 NET 30
	InvoiceDueNow         Case = "invoice_due_on_receipt"
	InvoiceNoDueDate      Case = "invoice_no_due_date"
	InvoiceGBP            Case = "invoice_gbp"
	InvoiceSameStamp      Case = "invoice_same_stamp"
)

// Cases of documents, with invoice numbers.
const (
	DocumentPDF    Case = "document_pdf"
	DocumentTwo    Case = "document_two_pdfs"
	DocumentWord   Case = "document_word"
	DocumentBroken Case = "document_broken"
	DocumentNone   Case = "document_none"
)

// Cases of service contracts, with contract numbers.
const (
	ContractActive  Case = "contract_active"
	ContractExpired Case = "contract_expired"
)

// Business is a generated business. Its rows must not be changed.
type Business struct {
	options   Options
	batch     sandbox.Batch
	cases     map[Case][]string
	customers []customer // that can be invoiced
}

// Generate makes up the business that follows from the options.
func Generate(o Options) *Business {
	g := &generator{
		options: o.filled(), rows: map[string][]sandbox.Record{}, contents: map[string][]byte{}, cases: map[Case][]string{},
		balances: map[string]decimal.Decimal{},
	}
	g.master()
	g.parties()
	g.invoices()
	g.settleBalances()
	b := &Business{options: g.options, cases: g.cases, customers: g.billable}
	b.batch = sandbox.Batch{Step: fmt.Sprintf("business-%d", o.Seed), Tables: g.rows, Contents: g.contents}
	return b
}

// Batch is all rows and documents. Its step makes loading it twice into one sandbox harmless.
func (b *Business) Batch() sandbox.Batch { return b.batch }

// Load puts the business into a sandbox, unless it is there already.
func (b *Business) Load(s *sandbox.Server) error {
	if _, err := s.LoadRows(b.batch); err != nil {
		return fmt.Errorf("loading business %d: %w", b.options.Seed, err)
	}
	return nil
}

// Scenario is the business in the form that sandbox.Config takes.
func Scenario(o Options) func() (sandbox.Batch, error) {
	return func() (sandbox.Batch, error) { return Generate(o).Batch(), nil }
}

// Keys returns the numbers of the records made for a case, in the order they were made.
func (b *Business) Keys(c Case) []string { return slices.Clone(b.cases[c]) }

// Cases returns the cases that occur, sorted.
func (b *Business) Cases() []Case { return slices.Sorted(maps.Keys(b.cases)) }

// generator collects rows.
type generator struct {
	options   Options
	rows      map[string][]sandbox.Record
	contents  map[string][]byte
	cases     map[Case][]string
	billable  []customer
	contracts []contract
	balances  map[string]decimal.Decimal // open on posted invoices, by customer
	items     int                        // invoice lines so far
	receipts  int
	documents int
}

func (g *generator) add(table string, r sandbox.Record) {
	for name, v := range r {
		if v == "" {
			delete(r, name)
		}
	}
	g.rows[table] = append(g.rows[table], r)
}

func (g *generator) note(c Case, key string) { g.cases[c] = append(g.cases[c], key) }

// random is a source of its own per purpose, so that a change of one part leaves the others alone.
func random(seed uint64, purpose string, n int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%d", purpose, n)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// cents is an amount in hundredths.
func cents(n int) decimal.Decimal { return decimal.New(int64(n), -2) }

// stamp writes a moment as the site stores it.
func stamp(at time.Time) string { return at.Format("2006-01-02 15:04:05.000") }

// settleBalances writes what is open into the customers.
func (g *generator) settleBalances() {
	for _, r := range g.rows["CUSTOMER"] {
		r["BALANCE"] = g.balances[r["CUSTOMERNO"]].StringFixed(4)
	}
}

package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	"github.com/arbridge/arbridge/pkg/record"
)

// pageSize is the number of invoices on a page that the backfill reads: engine.Options.PageSize.
const pageSize = 100

// pageTap stands before the ERP and counts the pages of a first full read, and those that were read before. It tells them by
// their requests: the place where a page begins is part of each.
type pageTap struct {
	next http.Handler

	mu       sync.Mutex
	seen     map[string]int
	pages    int            // read
	repeated int            // of those, read before
	since    map[string]int // repeated since the last kill, by company
	most     int            // repeated of one company between two kills
}

// tapPages puts a tap before the world's ERP; its address is to be used instead of the ERP's.
func tapPages(t *testing.T, w *world) (*pageTap, string) {
	t.Helper()
	p := &pageTap{next: w.erp.Handler(), seen: map[string]int{}, since: map[string]int{}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return p, server.URL
}

// ServeHTTP counts and hands on.
func (p *pageTap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && r.URL.Path == "/api/Record/INVOICE" && r.URL.Query().Get("_a") == "list" {
		body, err := io.ReadAll(r.Body)
		if err != nil { // cut off by a kill: nothing was asked for
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if page, company, ok := firstRead(body); ok {
			p.count(page, company)
		}
	}
	p.next.ServeHTTP(w, r)
}

// firstRead gives the query of a list and its company, if that is a page of the first full read: everything by key, and neither changes nor
// open balances nor single invoices.
func firstRead(form []byte) (page, company string, ok bool) {
	begin := bytes.IndexByte(form, '{') // the one part of the form is JSON
	var query json.RawMessage
	if begin < 0 || json.NewDecoder(bytes.NewReader(form[begin:])).Decode(&query) != nil {
		return "", "", false
	}
	var list struct {
		Limit   int
		OrderBy []struct{ Field string }
		Filters []struct{ Field, Op, Value string }
	}
	if json.Unmarshal(query, &list) != nil || list.Limit != pageSize || len(list.OrderBy) != 1 || list.OrderBy[0].Field != "INVOICENO" {
		return "", "", false
	}
	for _, f := range list.Filters {
		if f.Field == "MODDATE" || f.Field == "BALANCE" || f.Field == "INVOICENO" && f.Op != ">" {
			return "", "", false
		}
		if f.Field == "COMPANYNO" {
			company = f.Value
		}
	}
	return string(query), company, true
}

func (p *pageTap) count(page, company string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pages++
	if p.seen[page]++; p.seen[page] > 1 {
		p.repeated++
		p.since[company]++
		p.most = max(p.most, p.since[company])
	}
}

// kill says that the process that reads was killed.
func (p *pageTap) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.since)
}

func (p *pageTap) counts() (pages, repeated int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pages, p.repeated
}

// toll is what a number of kills did.
type toll struct {
	store               string
	kills, idle         int // idle: of the kills, those that met no work
	documents, receipts int
	lost, doubled       int
	pages, again        int // of the first full read; and of those, read again
	most                int // read again of one company after one kill
	writes              int // calls that create a document beyond one for each
}

// repeated is the work done twice, in pages: a page read again is one, and so are as many documents written again.
func (t toll) repeated() int { return t.again + (t.writes+pageSize-1)/pageSize }

// judge fails the test when anything was lost or doubled, or too much was done twice.
func (t toll) judge(tt *testing.T) {
	tt.Helper()
	if t.lost+t.doubled > 0 {
		tt.Errorf("%d lost, %d doubled", t.lost, t.doubled)
	}
	if t.repeated() > t.kills {
		tt.Errorf("%d pages of work were repeated by %d kills: %d pages read again, %d documents written again", t.repeated(), t.kills, t.again, t.writes)
	}
	if t.most > 1 {
		tt.Errorf("%d pages of one company were read again after one kill", t.most)
	}
	if t.idle*4 > t.kills {
		tt.Errorf("%d of %d kills met no work", t.idle, t.kills)
	}
}

// String is a table of one row.
func (t toll) String() string {
	out := &strings.Builder{}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "store\tkills\tdocuments\treceipts\tlost\tdoubled\tpages repeated\tpages/kill\t")
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n", t.store, t.kills, t.documents, t.receipts, t.lost, t.doubled, t.repeated(), ratio(t.repeated(), t.kills))
	_ = w.Flush() // a builder takes everything
	fmt.Fprintf(out, "%d kills met no work; %d pages were read, %d of them again, at most %d of a company after one kill; %d documents were sent again\n",
		t.idle, t.pages, t.again, t.most, t.writes)
	return out.String()
}

// take makes the toll from both vendors' own books and arbridge's records.
func (s *stage) take(t *testing.T, b *books, tap *pageTap) toll {
	t.Helper()
	var out toll
	for _, k := range b.at {
		out.documents, out.receipts = out.documents+k.inPortal, out.receipts+k.count
	}
	for _, problem := range slices.Concat(b.lostDocuments(), b.lostMoney(), b.unfinished()) {
		out.lost++
		t.Error(problem)
	}
	for what, n := range b.copies() {
		if n > 1 {
			out.doubled++
			t.Errorf("%s is there %d times", what, n)
		}
	}
	portal := s.world.portal.Calls.Counts()
	out.writes = portal["POST /invoices"] + portal["POST /credit_notes"]
	for _, l := range b.portals {
		out.writes -= len(l.Invoices) + len(l.CreditNotes)
	}
	out.pages, out.again = tap.counts()
	out.most = tap.most
	return out
}

// lostDocuments are the posted documents of the ERP of which arbridge knows nothing, and those that it believes in the portal
// and that are not there.
func (b *books) lostDocuments() []string {
	var out []string
	there := b.copies()
	for _, l := range b.erp.Books {
		c, err := b.world.companyOf(l.CompanyNo)
		if err != nil {
			return append(out, err.Error())
		}
		for _, inv := range l.Invoices {
			rec, known := b.known[record.ID(c.id, "invoice", inv.InvoiceNo)]
			done := rec.Status == record.Synced || rec.Status == record.Variance
			switch {
			case inv.Posted && !known:
				out = append(out, fmt.Sprintf("document %s of %s has no record", inv.InvoiceNo, c.id))
			case done && there["invoice "+c.id+" "+inv.InvoiceNo]+there["credit note "+c.id+" "+inv.InvoiceNo] == 0:
				out = append(out, fmt.Sprintf("document %s of %s is not in the portal: %s", inv.InvoiceNo, c.id, rec.Summary))
			}
		}
	}
	return out
}

// lostMoney are the payments of the portal of which arbridge knows nothing, and those that it believes posted and that have no
// receipt.
func (b *books) lostMoney() []string {
	posted := map[string]bool{}
	for _, l := range b.erp.Books {
		c, err := b.world.companyOf(l.CompanyNo)
		if err != nil {
			return []string{err.Error()}
		}
		for _, r := range l.Receipts {
			posted[c.id+" "+b.paymentOf(c.id, r)] = true
		}
	}
	var out []string
	for _, c := range b.world.branches {
		for _, p := range b.portals[c.id].Payments {
			id := strconv.FormatInt(p.ID, 10)
			rec, known := b.known[record.ID(c.id, "payment", id)]
			switch {
			case !cash(p):
			case !known:
				out = append(out, fmt.Sprintf("payment %s of %s has no record", id, c.id))
			case rec.Status == record.Synced && !posted[c.id+" "+id]:
				out = append(out, fmt.Sprintf("payment %s of %s has no receipt: %s", id, c.id, rec.Summary))
			}
		}
	}
	return out
}

// cash tells whether the payment brought money.
func cash(p invoicedsim.LedgerPayment) bool {
	return !p.Voided && p.Status != "failed" && p.Status != "pending"
}

// unfinished are the records on which there is still work to do, and those that nobody looks at though it is time.
func (b *books) unfinished() []string {
	var out []string
	late := clock.System{}.Now().Add(-2 * time.Minute) // the ticks of a minute's distance have passed
	for _, r := range b.records {
		working := r.Status == record.Scheduled || r.Status == record.Working || r.Status == record.Unknown
		if working || !r.Settled() && !r.DueAt.IsZero() && r.DueAt.Before(late) {
			out = append(out, fmt.Sprintf("%s is still %s: %s", r.ID(), r.Status, r.Summary))
		}
	}
	return out
}

// copies counts what is in the portal, and the receipts in the ERP, by their numbers.
func (b *books) copies() map[string]int {
	out := map[string]int{}
	for id, l := range b.portals {
		for _, d := range l.Invoices {
			if d.Status != "voided" {
				out["invoice "+id+" "+d.Number]++
			}
		}
		for _, d := range l.CreditNotes {
			if d.Status != "voided" {
				out["credit note "+id+" "+d.Number]++
			}
		}
		for _, c := range l.Customers {
			out["customer "+id+" "+c.Number]++
		}
	}
	for _, l := range b.erp.Books {
		for _, r := range l.Receipts {
			if strings.HasPrefix(r.Reference, "IVD-") {
				out["receipt "+l.CompanyNo+" "+r.Reference]++
			}
		}
	}
	return out
}

// number is a whole number of the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: a whole number above 0 is needed", name, text)
	}
	return n
}

// portions are the customers' debts in as many parts, each of a few groups that are paid together.
func (w *world) portions(n int) ([][][]debt, error) {
	groups, err := w.debts()
	if err != nil {
		return nil, err
	}
	const together = 9 // what payGroup uses at most
	var chunks [][]debt
	for _, g := range groups {
		chunks = slices.AppendSeq(chunks, slices.Chunk(g, together))
	}
	most := 6 * n // a receipt or two each
	if len(chunks) > most {
		step := len(chunks) / most
		for i := range most {
			chunks[i] = chunks[i*step]
		}
		chunks = chunks[:most]
	}
	out := make([][][]debt, n)
	for i, c := range chunks {
		out[i%n] = append(out[i%n], c)
	}
	return out, nil
}

// payPortion lets customers look at what they owe and pay it, each group in another way.
func (w *world) payPortion(groups [][]debt, k int) error {
	for i, g := range groups {
		if err := w.look(g[0], k+i); err != nil {
			return err
		}
		if err := w.payGroup(g, k+i); err != nil {
			return err
		}
	}
	return nil
}

// browse lets customers look at a few documents.
func (w *world) browse(shown []debt, k int) error {
	if len(shown) == 0 {
		return nil
	}
	for i := range 3 {
		if err := w.look(shown[(k*37+i*11)%len(shown)], k+i); err != nil {
			return err
		}
	}
	return nil
}

// posted counts the documents that the ERP has posted.
func (w *world) posted() int {
	n := 0
	for _, l := range w.erp.Ledger().Books {
		for _, inv := range l.Invoices {
			if inv.Posted {
				n++
			}
		}
	}
	return n
}

// written counts the documents that were sent to the portal.
func (w *world) written() int {
	n := w.portal.Calls.Counts()
	return n["POST /invoices"] + n["POST /credit_notes"]
}

// entered counts what was written into the ERP.
func (w *world) entered() int { return writes(w.erp.Calls().Counts()) }

// made are the calls that the vendors took.
type made struct{ all, writes int }

func (w *world) calls() made {
	erp, portal := w.erp.Calls().Counts(), w.portal.Calls.Counts()
	n := made{all: total(erp) + total(portal), writes: writes(erp)}
	for label, c := range portal {
		if !strings.HasPrefix(label, "GET") {
			n.writes += c
		}
	}
	return n
}

// TestPagesReadAgain: the tap of the kill tests sees a page that is read again, and nothing in changes and single reads.
func TestPagesReadAgain(t *testing.T) {
	tap := &pageTap{next: http.NotFoundHandler(), seen: map[string]int{}, since: map[string]int{}}
	list := func(order, filters string) {
		form := `{"columns":[],"filters":[{"field":"COMPANYNO","op":"=","value":"01"}` + filters + `],"orderBy":[{"field":"` + order + `"}],"limit":100}`
		r := httptest.NewRequest(http.MethodPost, "/api/Record/INVOICE?_a=list", strings.NewReader("--x\r\n\r\n"+form+"\r\n--x--\r\n"))
		tap.ServeHTTP(httptest.NewRecorder(), r)
	}
	after := func(key string) string { return `,{"field":"INVOICENO","op":">","value":"` + key + `"}` }
	list("INVOICENO", "")
	list("INVOICENO", after("100"))
	list("MODDATE", `,{"field":"MODDATE","op":">=","value":"x"}`)
	list("INVOICENO", `,{"field":"BALANCE","op":"!=","value":"0"}`)
	list("INVOICENO", `,{"field":"INVOICENO","op":"=","value":"7"}`)
	if pages, again := tap.counts(); pages != 2 || again != 0 {
		t.Errorf("%d pages, %d again; want 2 and none", pages, again)
	}
	for range 2 {
		tap.kill()
		list("INVOICENO", after("100"))
	}
	if pages, again := tap.counts(); pages != 4 || again != 2 || tap.most != 1 {
		t.Errorf("%d pages, %d again, at most %d after one kill; want 4, 2 and 1", pages, again, tap.most)
	}
	list("INVOICENO", after("100"))
	if tap.most != 2 {
		t.Errorf("a page read twice after one kill counts %d", tap.most)
	}
	if n := (toll{again: 1, writes: 101}); n.repeated() != 3 {
		t.Errorf("a page read again and 101 documents written again are %d pages", n.repeated())
	}
}

package simulation

import (
	"bytes"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// account is a process's use of one vendor for one company.
type account struct {
	tokens int64 // calls that may be made at once, in thousand millionths
	last   time.Time
	closed time.Time // no calls before, because the vendor said so
}

// call is a call that is leaving a process.
type call struct {
	p    *process
	co   *company
	r    *http.Request
	body []byte
	erp  bool
	made []string // receipts
}

// write reports whether it may change something at the vendor. A preview changes nothing.
func (c *call) write() bool {
	switch {
	case !c.erp:
		return c.r.Method != http.MethodGet && c.r.Method != http.MethodHead
	case c.r.Method == http.MethodPut:
		return !bytes.Contains(c.body, []byte("_preview"))
	}
	return c.r.Method == http.MethodPatch
}

// vendor names who is called: the ERP of all companies, or the company's own portal account.
func (c *call) vendor() string {
	if c.erp {
		return "erp"
	}
	return c.co.id
}

// list reports whether it reads several things at once; such reads may lag.
func (c *call) list() bool {
	if c.erp {
		return c.r.URL.Query().Get("_a") == "list" && c.r.Method == http.MethodPost
	}
	return c.r.Method == http.MethodGet && c.r.URL.RawQuery != ""
}

// table reports whether the ERP's table of that name is written.
func (c *call) table(name string) bool { return bytes.Contains(c.body, []byte("\r\n"+name+"\r\n")) }

// leaves checks a call as it leaves its process.
func (w *world) leaves(c *call) {
	w.calls++
	if c.r.URL.Path == "/api/DataDict" && !w.checking && w.scene.checks != nil {
		panic("simulation: the start-up check did not read all tables") // runs would depend on each other
	}
	w.trace.detail("  %s %s %s %s", c.p.name, c.co.id, c.r.Method, c.r.URL)
	if c.co.off {
		w.bad(notForAll, "%s calls %s for %s, which is disabled", c.p.name, c.r.URL.Path, c.co.id)
	}
	user, password, _ := c.r.BasicAuth()
	if own := w.secrets["key-"+c.co.id]; !c.erp && user != own || c.erp && (user != erpUser(c.co.id) || password != "password-of-"+c.co.id) {
		w.bad(onlyOwnSecrets, "%s calls %s for %s with other credentials", c.p.name, c.r.URL.Path, c.co.id)
	}
	w.paced(c)
	if !c.write() {
		return
	}
	switch {
	case c.p.effect == "":
		w.bad(journalExplains, "%s: %s %s of %s was not begun in the journal", c.p.name, c.r.Method, c.r.URL.Path, c.co.id)
	case !strings.HasPrefix(c.p.effect, c.co.id+"/"):
		w.bad(journalExplains, "%s: %s %s of %s is begun in the journal as %s", c.p.name, c.r.Method, c.r.URL.Path, c.co.id, c.p.effect)
	case c.p.used:
		w.bad(journalExplains, "%s: %s %s of %s is a second call of %s", c.p.name, c.r.Method, c.r.URL.Path, c.co.id, c.p.effect)
	}
	c.p.used = true
}

// slack is how many calls more than its bucket a process may have made: those that it was kept from making at their time.
const slack = 2

// paced checks the configured rate, and the pauses that the vendor asked for.
func (w *world) paced(c *call) {
	set := c.p.settings(c.co).Limits
	rate, name := set.InvoicedPerSec, "portal"
	if c.erp {
		rate, name = set.Q360PerSecond, "erp"
	}
	a := c.p.account(c.co, name)
	now := w.loop.now
	if now.Before(a.closed) {
		w.bad(rateKept, "%s calls the %s of %s %s before the vendor wanted to be called again", c.p.name, name, c.co.id, a.closed.Sub(now))
	}
	const call = int64(time.Second)
	burst := int64(max(1, rate/2)+slack) * call
	if a.last.IsZero() {
		a.tokens = burst
	}
	a.tokens = min(burst, a.tokens+int64(min(now.Sub(a.last), time.Hour))*int64(rate)) - call
	if a.last = now; a.tokens < 0 {
		w.bad(rateKept, "%s calls the %s of %s more than %d times a second", c.p.name, name, c.co.id, rate)
		a.tokens = 0
	}
}

// wrote checks what a write that a vendor has just taken made of its books.
func (w *world) wrote(c *call, status int) {
	w.writes++
	w.lastWrite = w.loop.now
	if status >= 300 {
		return
	}
	if c.erp {
		if c.table("CASHRECEIPT") {
			w.newReceipts(c)
		}
		return
	}
	if c.co.sandbox {
		w.onlySafe(c.co)
	}
	w.wroteThere(c)
}

// wroteThere checks a write to the portal by what it is about.
func (w *world) wroteThere(c *call) {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(c.r.URL.Path, "/"), "/")
	if kind != "invoices" && kind != "credit_notes" {
		return
	}
	if strings.HasSuffix(rest, "/void") || c.r.Method == http.MethodDelete {
		if id := strings.TrimSuffix(rest, "/void"); w.past.showedPaid[c.p.name+c.co.id+id] {
			w.bad(paidStays, "%s takes back document %s of %s, which had payments when it was last read", c.p.name, id, c.co.id)
		}
		return
	}
	if bytes.Contains(c.body, []byte(`"attachments":`)) && !bytes.Contains(c.body, []byte(`"items":`)) {
		return // a file of what is there
	}
	if rest == "" && c.r.Method == http.MethodPost || c.r.Method == http.MethodPatch && !strings.Contains(rest, "/") {
		w.wroteDocument(c, rest)
	}
}

var (
	numberOf  = regexp.MustCompile(`"number":"([^"]+)"`)
	versionOf = regexp.MustCompile(`"purchase_order":"PO-V(\d+)"`)
)

// wroteDocument checks a document that was just created, or changed.
func (w *world) wroteDocument(c *call, id string) {
	m := numberOf.FindSubmatch(c.body)
	number := ""
	if m != nil {
		number = string(m[1])
	} else if number = w.numberOf(c.co, id); number == "" {
		return
	}
	b := w.past.bills[number]
	if b == nil || b.co != c.co {
		w.bad(onlyOwnSecrets, "document %s is written to the portal of %s, whose it is not", number, c.co.id)
		return
	}
	w.mayBeWritten(c, id, b)
	key := c.co.id + " " + number
	if v := versionOf.FindSubmatch(c.body); v != nil {
		n, _ := strconv.Atoi(string(v[1]))
		if n < w.past.versions[key] {
			w.bad(newestWins, "version %d of document %s of %s is written over version %d", n, number, c.co.id, w.past.versions[key])
		}
		w.past.versions[key] = n
	}
}

// mayBeWritten checks that what is written is posted, and that nobody took it back.
func (w *world) mayBeWritten(c *call, id string, b *bill) {
	number, key := b.no, c.co.id+" "+b.no
	switch {
	case b.old:
		w.bad(notForAll, "document %s of %s is written, which was posted before the start date", number, c.co.id)
	case !b.wasPosted || !b.unposted.IsZero() && w.loop.now.Sub(b.unposted) > lag:
		w.bad(notForAll, "document %s of %s is written, which is not posted", number, c.co.id)
	case id == "" && strings.HasSuffix(c.r.URL.Path, "/invoices") && (w.past.staffVoided[key] || w.past.knownDeleted[key]): // what was an invoice may be a credit since
		w.bad(goneStaysGone, "document %s of %s is created again, which staff took back", number, c.co.id)
	case id != "" && w.past.showedPaid[c.p.name+c.co.id+id]:
		w.bad(paidStays, "document %s of %s is changed, which had payments when it was last read", number, c.co.id)
	case !b.deleted.IsZero() && w.loop.now.Sub(b.deleted) > lag:
		w.bad(goneStaysGone, "document %s of %s is written, which was deleted in the ERP", number, c.co.id)
	}
}

// lag is how old what a process knows of the ERP may be: it was read a while ago, and the process slept since.
const lag = 30 * time.Minute

func (w *world) numberOf(co *company, id string) string {
	l, err := w.portal.Ledger(co.id)
	if err != nil {
		panic("simulation: " + err.Error())
	}
	for _, d := range slices.Concat(l.Invoices, l.CreditNotes) {
		if strconv.FormatInt(d.ID, 10) == id {
			return d.Number
		}
	}
	return ""
}

// onlySafe checks that a company that tries arbridge out reaches nobody.
func (w *world) onlySafe(co *company) {
	l, err := w.portal.Ledger(co.id)
	if err != nil {
		panic("simulation: " + err.Error())
	}
	for _, c := range l.Customers {
		addresses := []string{c.Email}
		for _, k := range c.Contacts {
			addresses = append(addresses, k.Email)
		}
		for _, a := range addresses {
			if a != "" && a != safeAddress {
				w.bad(safeOnly, "customer %s of %s has address %s", c.Number, co.id, a)
			}
		}
	}
}

// newReceipts checks the receipts that are new in the ERP.
func (w *world) newReceipts(c *call) {
	for _, book := range w.erp.Ledger().Books {
		for _, r := range book.Receipts {
			if _, known := w.past.receipts[r.ReceiptNo]; known {
				continue
			}
			w.past.receipts[r.ReceiptNo], c.made = w.loop.now, append(c.made, r.ReceiptNo)
			if w.loop.chance(w.rates[StaleRead]) {
				w.past.receipts[r.ReceiptNo] = w.loop.now.Add(w.loop.between(0, laggingMoney))
			}
			id, ours := paymentOf(r.Reference)
			if !ours {
				continue
			}
			w.trace.add("  receipt %s %s over %s", r.ReceiptNo, r.Reference, r.Amount)
			pay := w.past.payments[c.co.id+" "+id]
			switch looked := w.past.looked[c.p.name+c.co.id+id]; {
			case book.CompanyNo != c.co.code:
				w.bad(onlyOwnSecrets, "receipt %s of %s is in the books of company %s", r.Reference, c.co.id, book.CompanyNo)
			case pay == nil || pay.settled.IsZero():
				w.bad(onlySettled, "receipt %s of %s is of a payment that is not settled", r.Reference, c.co.id)
			case !pay.gone.IsZero() && pay.gone.Before(looked):
				w.bad(onlySettled, "receipt %s of %s is of a payment that went back before it was read", r.Reference, c.co.id)
			}
		}
	}
}

// paymentOf is the portal's payment that a receipt stands for, by its reference.
func paymentOf(reference string) (id string, ours bool) {
	rest, ours := strings.CutPrefix(reference, "IVD-")
	id, _, _ = strings.Cut(rest, "-")
	return id, ours
}

// saw remembers what a process read of a payment or a document.
func (w *world) saw(c *call, status int, body []byte) {
	kind, id, _ := strings.Cut(strings.TrimPrefix(c.r.URL.Path, "/"), "/")
	if c.erp || c.r.Method != http.MethodGet || id == "" || strings.Contains(id, "/") || status != http.StatusOK {
		return
	}
	switch key := c.p.name + c.co.id + id; kind {
	case "payments":
		w.past.looked[key] = w.loop.now
	case "invoices", "credit_notes":
		w.past.showedPaid[key] = bytes.Contains(body, []byte(`"paid":true`)) || !bytes.Contains(body, []byte(`"amount_paid":0`)) && bytes.Contains(body, []byte(`"amount_paid":`))
	}
}

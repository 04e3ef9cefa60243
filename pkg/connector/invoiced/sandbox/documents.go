package sandbox

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
	"github.com/arbridge/arbridge/pkg/money"
)

// document is an invoice or a credit note (invoiced-api 4.2, 5.2). Times are unix seconds, 0 is none.
type document struct {
	objects.Head
	Type        string          `json:"type"` // invoice or credit_note
	Attr        attrs           `json:"attr"`
	Metadata    attrs           `json:"metadata"`
	Customer    int64           `json:"customer"`
	Number      string          `json:"number"`
	Currency    string          `json:"currency"` // lower case
	Date        int64           `json:"date"`
	Draft       bool            `json:"draft,omitempty"`
	Sent        bool            `json:"sent,omitempty"`
	Viewed      bool            `json:"viewed,omitempty"`
	Voided      bool            `json:"voided,omitempty"`
	Closed      bool            `json:"closed,omitempty"` // by hand: bad debt
	Paid        bool            `json:"paid,omitempty"`
	Items       []line          `json:"items"`
	Discounts   []adjust        `json:"discounts,omitempty"`
	Taxes       []adjust        `json:"taxes,omitempty"`
	Subtotal    decimal.Decimal `json:"subtotal"`
	Total       decimal.Decimal `json:"total"`
	Balance     decimal.Decimal `json:"balance"`
	Pending     decimal.Decimal `json:"pending"` // applied by payments not settled yet
	Attachments []attachment    `json:"attachments,omitempty"`
	Token       string          `json:"token"`

	// Invoices only.
	Due         int64    `json:"due,omitempty"`
	Terms       string   `json:"terms,omitempty"`
	AutoPay     bool     `json:"autopay,omitempty"`
	Attempts    int64    `json:"attempts,omitempty"`
	NextAttempt int64    `json:"next_attempt,omitempty"`
	Exhausted   bool     `json:"exhausted,omitempty"` // every AutoPay attempt was made
	Attention   bool     `json:"attention,omitempty"`
	Expected    *promise `json:"expected,omitempty"`
	Plan        *plan    `json:"plan,omitempty"`
	SendAt      int64    `json:"send_at,omitempty"` // when the new-invoice e-mail goes out by itself

	// Credit notes only.
	Invoice int64 `json:"invoice,omitempty"`
}

type attachment struct {
	ID   int64 `json:"id"`
	File int64 `json:"file"`
	At   int64 `json:"at"`
}

// promise is what a customer said about paying.
type promise struct {
	Date   int64  `json:"date"`
	Method string `json:"method,omitempty"`
}

// Kind implements objects.Object.
func (d *document) Kind() string { return d.Type }

// UniqueName makes the document findable by its number.
func (d *document) UniqueName() string { return d.Number }

// LinkToken is the token of the portal links.
func (d *document) LinkToken() string { return d.Token }

// Owners lists the document under its customer.
func (d *document) Owners() []int64 { return []int64{d.Customer} }

func (d *document) attributes() attrs { return d.Attr }

// Clone implements objects.Object.
func (d *document) Clone() objects.Object {
	next := *d
	next.Attr = maps.Clone(d.Attr)
	next.Items = slices.Clone(d.Items)
	next.Discounts = slices.Clone(d.Discounts)
	next.Taxes = slices.Clone(d.Taxes)
	next.Attachments = slices.Clone(d.Attachments)
	return &next
}

func (d *document) places() int32 { return minorUnits(d.Currency) }

func minorUnits(currency string) int32 {
	cur, err := money.ParseCurrency(currency)
	if err != nil {
		return 2
	}
	return int32(cur.MinorUnits())
}

// open reports whether money can be applied to the document.
func (d *document) open() bool { return !d.Draft && !d.Voided && !d.Closed && !d.Paid }

// applied reports whether payments or credits, settled or not, stand against the document.
func (d *document) applied() bool { return !d.Balance.Equal(d.Total) || d.Pending.IsPositive() }

// status follows the precedence voided, draft, bad_debt, paid, pending, past_due, viewed, sent, not_sent
// (invoiced-api 4.3 [A]).
func (d *document) status(v *view) string {
	switch {
	case d.Voided:
		return "voided"
	case d.Draft:
		return "draft"
	case d.Type == "credit_note":
		return d.creditStatus()
	case d.Closed && !d.Paid:
		return "bad_debt"
	case d.Paid:
		return "paid"
	case d.Pending.IsPositive():
		return "pending"
	case d.pastDue(v):
		return "past_due"
	case d.Viewed:
		return "viewed"
	case d.Sent:
		return "sent"
	}
	return "not_sent"
}

func (d *document) creditStatus() string {
	switch {
	case d.Paid:
		return "paid"
	case d.Closed:
		return "closed"
	}
	return "open"
}

// pastDue begins with the calendar day after the due date in the account's time zone; with AutoPay it begins when every
// attempt was made (invoiced-api 4.3, Q15).
func (d *document) pastDue(v *view) bool {
	if d.Due == 0 {
		return d.AutoPay && d.Exhausted
	}
	if v.s.opt.PastDueByInstant {
		return v.now > d.Due
	}
	return calendarDay(v.now, v.acct.Location) > calendarDay(d.Due, v.acct.Location)
}

// calendarDay is the date as a number that grows with time.
func calendarDay(unix int64, in *time.Location) int {
	y, m, day := time.Unix(unix, 0).In(in).Date()
	return (y*100+int(m))*100 + day
}

// commonFields are the properties that invoices and credit notes share, in three groups around those of their own.
func commonFields() (identity, lines, ending []field) {
	identity = []field{
		link("customer", "customer", func(_ *view, d *document) any { return d.Customer }),
		{name: "name", kind: shortText},
		show("number", func(_ *view, d *document) any { return d.Number }),
		show("currency", func(_ *view, d *document) any { return d.Currency }),
		show("date", func(_ *view, d *document) any { return d.Date }),
		{name: "purchase_order", kind: shortText},
		show("draft", func(_ *view, d *document) any { return d.Draft }),
		show("closed", func(_ *view, d *document) any { return d.Closed || d.Paid }),
		show("paid", func(_ *view, d *document) any { return d.Paid }),
		show("status", func(v *view, d *document) any { return d.status(v) }),
	}
	lines = []field{
		show("items", func(v *view, d *document) any { return renderLines(v, d.Items) }),
		show("subtotal", func(_ *view, d *document) any { return d.Subtotal }),
		show("discounts", func(_ *view, d *document) any { return renderAdjusts(d.Discounts, "discount", "coupon") }),
		show("taxes", func(_ *view, d *document) any { return renderAdjusts(d.Taxes, "tax", "tax_rate") }),
		show("total", func(_ *view, d *document) any { return d.Total }),
		show("balance", func(_ *view, d *document) any { return d.Balance }),
		{name: "notes", kind: longText},
	}
	ending = []field{
		show("url", func(v *view, d *document) any { return d.portal(v, "") }),
		show("pdf_url", func(v *view, d *document) any { return d.portal(v, "/pdf") }),
		show("csv_url", func(v *view, d *document) any { return d.portal(v, "/csv") }),
		show("metadata", func(v *view, d *document) any { return v.metadata(d.Metadata) }),
	}
	return identity, lines, append(ending, tail()...)
}

func (d *document) portal(v *view, suffix string) string {
	return v.base + "/portal/" + d.Type + "s/" + d.Token + suffix
}

// writeOnly are body keys that are never returned (S1).
func writeOnly() []string { return []string{"attachments", "calculate_taxes", "sent"} }

// documentEndpoints are the endpoints that invoices and credit notes share.
func documentEndpoints(kind string) []endpoint {
	root := "/" + kind + "s"
	one := root + "/{id}"
	return []endpoint{
		{pattern: "POST " + root, do: func(c *call) (*answer, error) { return createDocument(c, kind) }},
		{pattern: "GET " + root, do: func(c *call) (*answer, error) { return listDocuments(c, kind) }},
		{pattern: "GET " + one, do: func(c *call) (*answer, error) { return showDocument(c, kind) }},
		{pattern: "PATCH " + one, do: func(c *call) (*answer, error) { return updateDocument(c, kind) }},
		{pattern: "DELETE " + one, do: func(c *call) (*answer, error) { return deleteDocument(c, kind) }},
		{pattern: "POST " + one + "/void", do: func(c *call) (*answer, error) { return voidDocument(c, kind) }},
		{pattern: "POST " + one + "/emails", do: func(c *call) (*answer, error) { return emailDocument(c, kind) }},
		{pattern: "GET " + one + "/attachments", do: func(c *call) (*answer, error) { return listAttachments(c, kind) }},
	}
}

func listDocuments(c *call, kind string) (*answer, error) {
	return c.list(listing{
		kind: kind, ids: c.s.store.IDs(kind, c.acct.Name), date: "date",
		meta: func(o objects.Object) attrs { return o.(*document).Metadata },
	})
}

func showDocument(c *call, kind string) (*answer, error) {
	d, err := find[*document](c, kind)
	if err != nil {
		return nil, err
	}
	if c.wantsPDF() {
		return pdfAnswer(d.summary(c.view)...), nil
	}
	return c.object(http.StatusOK, d), nil
}

// summary is what the PDF and the portal page of a document say.
func (d *document) summary(v *view) []string {
	title := "Invoice "
	if d.Type == "credit_note" {
		title = "Credit note "
	}
	places := d.places()
	return []string{
		title + d.Number,
		"Status: " + d.status(v),
		"Total: " + d.Total.StringFixed(places) + " " + d.Currency,
		"Balance: " + d.Balance.StringFixed(places) + " " + d.Currency,
	}
}

// deleteDocument removes a document without a trace; one with payments or credits applied is refused (S11 [A]).
func deleteDocument(c *call, kind string) (*answer, error) {
	d, err := find[*document](c, kind)
	if err != nil {
		return nil, err
	}
	return noContent(), c.t.dropDocument(d)
}

func (t *tx) dropDocument(d *document) error {
	if d.Voided && !t.s.opt.AllowEditVoided {
		return wire.Invalid("", "A voided document cannot be deleted")
	}
	if d.applied() {
		if !t.s.opt.AllowDeleteApplied {
			return wire.Invalid("", "The document cannot be deleted because payments or credits are applied to it")
		}
		var err error
		if d, err = t.detach(d); err != nil {
			return err
		}
	}
	t.deleteAll("note", t.s.store.Owned("note", d.ID))
	t.deleted(d)
	return nil
}

// voidDocument voids an open document; the total and balance stay as they were (invoiced-api 4.1, 12).
func voidDocument(c *call, kind string) (*answer, error) {
	d, err := find[*document](c, kind)
	if err != nil {
		return nil, err
	}
	if d, err = c.t.voidDocument(d); err != nil {
		return nil, err
	}
	return c.object(http.StatusOK, d), nil
}

func (t *tx) voidDocument(d *document) (*document, error) {
	switch {
	case d.Voided && t.s.opt.AllowVoidTwice:
		return d, nil
	case d.Voided:
		return nil, wire.Invalid("", "This document has already been voided")
	case d.Draft:
		return nil, wire.Invalid("", "A draft cannot be voided; delete it instead")
	case d.applied() && !t.s.opt.AllowVoidApplied:
		return nil, wire.Invalid("", "The document cannot be voided because payments or credits are applied to it")
	case d.applied():
		var err error
		if d, err = t.detach(d); err != nil {
			return nil, err
		}
	}
	next := revise(t, d)
	next.Voided, next.NextAttempt, next.SendAt = true, 0, 0
	t.updated(next)
	return next, nil
}

// VoidDocument is staff voiding an invoice in the dashboard, under the rules of the API.
func (s *Server) VoidDocument(a PortalAction) (Result, error) {
	return perform(s, a.Account, "void-document", a.Step, actorStaff, func(t *tx) (Result, error) {
		d, err := t.portalInvoice(a)
		if err == nil {
			d, err = t.voidDocument(d)
		}
		if err != nil {
			return Result{}, err
		}
		return t.result(d), nil
	})
}

// DeleteDocument is staff deleting an invoice in the dashboard, under the rules of the API. It answers with what was
// deleted.
func (s *Server) DeleteDocument(a PortalAction) (Result, error) {
	return perform(s, a.Account, "delete-document", a.Step, actorStaff, func(t *tx) (Result, error) {
		d, err := t.portalInvoice(a)
		if err != nil {
			return Result{}, err
		}
		gone := t.result(d)
		return gone, t.dropDocument(d)
	})
}

// emailDocument queues an e-mail and marks the document sent.
func emailDocument(c *call, kind string) (*answer, error) {
	d, err := find[*document](c, kind)
	if err != nil {
		return nil, err
	}
	if d.Draft || d.Voided {
		return nil, wire.Invalid("", "A draft or voided document cannot be sent")
	}
	a, err := c.emailAbout(d, d.Customer, "new_"+kind+"_email")
	if err != nil {
		return nil, err
	}
	c.t.markSent(d)
	return a, nil
}

func (t *tx) markSent(d *document) {
	if d.Sent {
		return
	}
	next := revise(t, d)
	next.Sent, next.SendAt = true, 0
	t.updated(next)
}

func listAttachments(c *call, kind string) (*answer, error) {
	d, err := find[*document](c, kind)
	if err != nil {
		return nil, err
	}
	rows := make([]any, 0, len(d.Attachments))
	for _, a := range d.Attachments {
		f, err := lookup[*file](c.s, c.acct, "file", a.File)
		if err != nil {
			continue // deleted since
		}
		rows = append(rows, wire.Object{
			{Key: "id", Value: a.ID}, {Key: "object", Value: "attachment"}, {Key: "file", Value: c.view.render(f)},
			{Key: "created_at", Value: a.At}, {Key: "updated_at", Value: a.At},
		})
	}
	return c.rows(rows)
}

// readAttachments replaces the attached files; omitting the key keeps them (invoiced-api 4.6).
func (t *tx) readAttachments(d *document, in wire.Values) error {
	if !in.Has("attachments") {
		return nil
	}
	ids, err := in.Integers("attachments")
	if err != nil {
		return err
	}
	old := d.Attachments
	d.Attachments = nil
	for _, id := range ids {
		if _, err := get[*file](t, "file", id); err != nil {
			return wire.Invalid("attachments", "No such file: %d", id)
		}
		at := slices.IndexFunc(old, func(a attachment) bool { return a.File == id })
		switch {
		case slices.ContainsFunc(d.Attachments, func(a attachment) bool { return a.File == id }):
		case at >= 0:
			d.Attachments = append(d.Attachments, old[at])
		default:
			d.Attachments = append(d.Attachments, attachment{ID: t.nextID(), File: id, At: t.now})
		}
	}
	return nil
}

package sandbox

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

const day = 86_400 // seconds

func invoiceSchema() *schema {
	identity, lines, ending := commonFields()
	fields := append(head("invoice"), identity...)
	fields = append(fields,
		show("due_date", func(_ *view, d *document) any { return nullable(d.Due) }),
		show("payment_terms", func(_ *view, d *document) any { return nullable(d.Terms) }),
		show("autopay", func(_ *view, d *document) any { return d.AutoPay }),
		show("attempt_count", func(_ *view, d *document) any { return d.Attempts }),
		show("next_payment_attempt", func(_ *view, d *document) any { return nullable(d.NextAttempt) }),
		fixed("subscription", nil), fixed("subscription_id", nil),
	)
	fields = append(fields, lines...)
	fields = append(fields,
		show("ship_to", func(_ *view, d *document) any { return renderShipTo(d.Attr["ship_to"]) }),
		field{name: "late_fees", kind: flag, def: true},
		field{name: "disabled_payment_methods", kind: textList, hidden: true},
		show("payment_plan", func(_ *view, d *document) any { return nullable(d.Plan.id()) }),
		show("payment_source", func(v *view, d *document) any {
			if c, ok := v.s.store.Get("customer", v.acct.Name, d.Customer).(*customer); ok && d.AutoPay {
				return c.Source.Render()
			}
			return nil
		}),
		show("payment_url", func(v *view, d *document) any {
			if d.AutoPay || d.Paid || d.Voided {
				return nil
			}
			return d.portal(v, "/payment")
		}),
		show("needs_attention", func(_ *view, d *document) any { return d.Attention }),
		field{name: "chase", kind: flag, def: true},
		fixed("next_chase_on", nil), fixed("shipping", []any{}),
		show("expected_payment_date", func(_ *view, d *document) any {
			if d.Expected == nil {
				return nil
			}
			return wire.Object{{Key: "date", Value: d.Expected.Date}, {Key: "method", Value: nullable(d.Expected.Method)}}
		}),
	)
	return newSchema("invoice", append(writeOnly(), "ship_to", "next_payment_attempt"), append(fields, ending...)...)
}

func creditNoteSchema() *schema {
	identity, lines, ending := commonFields()
	fields := append(head("credit_note"), identity...)
	fields = append(fields, link("invoice", "invoice", func(_ *view, d *document) any { return nullable(d.Invoice) }))
	fields = append(fields, lines...)
	return newSchema("credit_note", writeOnly(), append(fields, ending...)...)
}

func shipToKeys() []string {
	return []string{"name", "attention_to", "address1", "address2", "city", "state", "postal_code", "country"}
}

func renderShipTo(stored any) any {
	m, ok := stored.(map[string]any)
	if !ok {
		return nil
	}
	out := wire.Object{}
	for _, k := range shipToKeys() {
		out = append(out, wire.Pair{Key: k, Value: m[k]})
	}
	return out
}

func createDocument(c *call, kind string) (*answer, error) {
	id, err := c.body.Integer("customer")
	if err != nil {
		return nil, err
	}
	if id == nil {
		return nil, wire.Invalid("customer", "Customer is missing")
	}
	cust, err := get[*customer](c.t, "customer", *id)
	if err != nil {
		return nil, wire.Invalid("customer", "No such customer: %d", *id)
	}
	d := &document{
		Head: c.t.newHead(), Type: kind, Attr: attrs{}, Metadata: attrs{}, Customer: cust.ID,
		Currency: c.acct.currency, Date: c.t.now, Token: c.t.newToken(), Items: []line{},
	}
	prefix := "CN"
	if kind == "invoice" {
		prefix = "INV"
		d.Terms, d.AutoPay = cust.Attr.text("payment_terms"), cust.Attr.flag("autopay", false)
	}
	if err := c.t.fillDocument(d, cust, c.body, true); err != nil {
		return nil, err
	}
	if d.Number == "" {
		d.Number = c.t.nextNumber(kind, prefix)
	}
	if err := c.t.issueNew(d, cust, c.body); err != nil {
		return nil, err
	}
	now, err := lookup[*document](c.s, c.acct, kind, d.ID)
	if err != nil {
		return nil, err
	}
	return c.object(http.StatusCreated, now), nil
}

// issueNew stores a new document and does what issuing does.
func (t *tx) issueNew(d *document, cust *customer, in wire.Values) error {
	if d.Type == "credit_note" {
		t.created(d)
		if d.Invoice != 0 && !d.Draft {
			return t.applyToLinkedInvoice(d)
		}
		return nil
	}
	if cust.Attr.flag("credit_hold", false) {
		return wire.Invalid("", "New invoices cannot be created because the customer is on credit hold")
	}
	if d.Draft {
		t.created(d)
		return nil
	}
	if err := t.prepareIssue(d, cust); err != nil {
		return err
	}
	t.created(d)
	return t.issued(d)
}

// prepareIssue checks the credit limit and plans what starts with issuing.
func (t *tx) prepareIssue(d *document, cust *customer) error {
	if err := t.checkCreditLimit(d, cust); err != nil {
		return err
	}
	d.Paid = d.Balance.IsZero()
	t.planAutoPay(d, cust)
	t.planSending(d, cust)
	return nil
}

// issued applies credits and reports an invoice that is paid from the start.
func (t *tx) issued(d *document) error {
	if d.Paid {
		t.emit("invoice.paid", d, nil)
		return nil
	}
	if t.acct.AutoApplyCredits {
		return t.autoApply(d)
	}
	return nil
}

func (t *tx) checkCreditLimit(d *document, cust *customer) error {
	limit, limited := number(cust.Attr["credit_limit"])
	if !limited {
		return nil
	}
	sum := d.Balance
	for _, o := range t.invoicesOf(cust.ID) {
		if o.ID != d.ID && o.open() {
			sum = sum.Add(o.Balance)
		}
	}
	if sum.GreaterThan(limit) {
		return wire.Invalid("", "The invoice would bring the customer above its credit limit of %s", limit)
	}
	return nil
}

func updateDocument(c *call, kind string) (*answer, error) {
	old, err := find[*document](c, kind)
	if err != nil {
		return nil, err
	}
	if old.Voided && !c.s.opt.AllowEditVoided {
		return nil, wire.Invalid("", "A voided document cannot be changed")
	}
	if err := c.t.changeDocument(old, c.body); err != nil {
		return nil, err
	}
	now, err := lookup[*document](c.s, c.acct, kind, old.ID)
	if err != nil {
		return nil, err
	}
	return c.object(http.StatusOK, now), nil
}

func (t *tx) changeDocument(old *document, in wire.Values) error {
	cust, err := get[*customer](t, "customer", old.Customer)
	if err != nil {
		return err
	}
	next := revise(t, old)
	if err := t.fillDocument(next, cust, in, false); err != nil {
		return err
	}
	if next.Type != "invoice" {
		t.updated(next)
		return nil
	}
	issuing := old.Draft && !next.Draft
	if issuing {
		if err := t.prepareIssue(next, cust); err != nil {
			return err
		}
	}
	previous := t.updated(next)
	if issuing {
		return t.issued(next)
	}
	if next.Paid && !old.Paid {
		t.emit("invoice.paid", next, previous)
	}
	return nil
}

// fillDocument reads a create or update request into d and recomputes it.
func (t *tx) fillDocument(d *document, cust *customer, in wire.Values, creating bool) error {
	if err := t.s.schemas[d.Type].apply(d.Attr, in, t.s.opt); err != nil {
		return err
	}
	if err := t.readNumber(d.Type, in, &d.Number, d.ID); err != nil {
		return err
	}
	if err := t.readIdentity(d, in, creating); err != nil {
		return err
	}
	if err := t.readFlags(d, in, creating); err != nil {
		return err
	}
	if in.Has("metadata") {
		m, err := readMetadata(in)
		if err != nil {
			return err
		}
		d.Metadata = m
	}
	if err := t.readItems(d, in); err != nil {
		return err
	}
	var err error
	if d.Discounts, err = t.readAdjusts(d.Discounts, in, "discounts", "coupon"); err != nil {
		return err
	}
	if d.Taxes, err = t.readAdjusts(d.Taxes, in, "taxes", "tax_rate"); err != nil {
		return err
	}
	if err := t.addAccountTax(d, cust, in, creating); err != nil {
		return err
	}
	if d.Type == "invoice" {
		if err := t.readTerms(d, in, creating); err != nil {
			return err
		}
	}
	if err := t.readAttachments(d, in); err != nil {
		return err
	}
	return t.recompute(d)
}

// recompute brings totals, balance and paid up to date.
func (t *tx) recompute(d *document) error {
	if err := t.total(d); err != nil {
		return err
	}
	return t.rebalance(d)
}

func (t *tx) readIdentity(d *document, in wire.Values, creating bool) error {
	if id, err := in.Integer("customer"); err != nil {
		return err
	} else if id != nil && *id != d.Customer {
		return wire.Invalid("customer", "The customer of a document cannot be changed")
	}
	if date, err := in.Integer("date"); err != nil {
		return err
	} else if date != nil {
		d.Date = *date
	}
	if err := t.readCurrency(d, in, creating); err != nil {
		return err
	}
	if d.Type == "credit_note" {
		return t.readCreditedInvoice(d, in)
	}
	ship, err := in.Object("ship_to")
	if err != nil || !in.Has("ship_to") {
		return err
	}
	delete(d.Attr, "ship_to")
	if ship != nil {
		d.Attr["ship_to"] = map[string]any(ship)
	}
	return nil
}

func (t *tx) readCurrency(d *document, in wire.Values, creating bool) error {
	text, err := in.Text("currency")
	if err != nil || text == nil {
		return err
	}
	cur, err := t.s.currency(*text)
	if err != nil {
		return err
	}
	if cur != d.Currency && !creating && d.applied() {
		return wire.Invalid("currency", "The currency cannot be changed while payments are applied")
	}
	d.Currency = cur
	return nil
}

func (t *tx) readCreditedInvoice(d *document, in wire.Values) error {
	id, err := in.Integer("invoice")
	if err != nil || id == nil {
		return err
	}
	inv, err := get[*document](t, "invoice", *id)
	if err != nil || inv.Customer != d.Customer {
		return wire.Invalid("invoice", "No such invoice of this customer: %d", *id)
	}
	d.Invoice = inv.ID
	return nil
}

func (t *tx) readFlags(d *document, in wire.Values, creating bool) error {
	wasDraft := d.Draft
	for name, at := range map[string]*bool{"draft": &d.Draft, "sent": &d.Sent, "closed": &d.Closed} {
		b, err := in.Flag(name)
		if err != nil {
			return err
		}
		if b != nil {
			*at = *b
		}
	}
	if !creating && d.Draft && !wasDraft && !t.s.opt.AllowReissueToDraft {
		return wire.Invalid("draft", "An issued document cannot become a draft again")
	}
	if d.Paid { // paid documents are closed by being paid, not by hand
		d.Closed = false
	}
	if d.Closed {
		d.NextAttempt = 0
	}
	return nil
}

// addAccountTax adds the account's own tax unless the request turns that off; the default is on when creating and off
// when updating (invoiced-api 4.2, 4.5).
func (t *tx) addAccountTax(d *document, cust *customer, in wire.Values, creating bool) error {
	calculate, err := in.Flag("calculate_taxes")
	if err != nil {
		return err
	}
	if calculate == nil {
		calculate = &creating
	}
	has := slices.ContainsFunc(d.Taxes, func(a adjust) bool { return a.Auto == autoTax })
	if !*calculate || has || !t.acct.AutoTaxPercent.IsPositive() || !cust.Attr.flag("taxable", true) {
		return nil
	}
	d.Taxes = append(slices.Clone(d.Taxes), adjust{ID: t.nextID(), Auto: autoTax, Rate: &rateTerms{
		Key: "sales-tax", Name: "Sales Tax", Value: t.acct.AutoTaxPercent, Percent: true,
	}})
	return nil
}

type termPatterns struct{ net, early *regexp.Regexp }

func newTermPatterns() termPatterns {
	return termPatterns{
		net:   regexp.MustCompile(`(?i)^\s*NET\s+(\d{1,4})\s*$`),
		early: regexp.MustCompile(`(?i)^\s*(\d+(?:\.\d+)?)%\s+(\d{1,4})\s+NET\s+(\d{1,4})\s*$`),
	}
}

// readTerms settles due date, terms, AutoPay and the early-payment discount (S6, invoiced-api 4.4).
func (t *tx) readTerms(d *document, in wire.Values, creating bool) error {
	if err := readAutoPay(d, in); err != nil {
		return err
	}
	text, err := in.Text("payment_terms")
	if err != nil {
		return err
	}
	if in.Has("payment_terms") && text == nil {
		d.Terms = ""
	} else if text != nil {
		d.Terms = strings.TrimSpace(*text)
	}
	due, err := in.Integer("due_date")
	if err != nil {
		return err
	}
	if due != nil {
		d.Due = *due
	} else if in.Has("due_date") {
		d.Due = 0
	}
	if d.AutoPay {
		d.Terms, d.Due = termsAutoPay, 0
		if cust, err := get[*customer](t, "customer", d.Customer); err == nil && !creating && !d.Draft {
			t.planAutoPay(d, cust)
		}
		return nil
	}
	if creating || in.Has("payment_terms") {
		t.applyTerms(d, due != nil)
	}
	return nil
}

const termsAutoPay = "AutoPay"

// readAutoPay turns AutoPay on or off; turning it off ends the attempts.
func readAutoPay(d *document, in wire.Values) error {
	on, err := in.Flag("autopay")
	if err != nil || on == nil || *on == d.AutoPay {
		return err
	}
	d.AutoPay = *on
	if !*on {
		d.NextAttempt, d.Exhausted = 0, false
		if d.Terms == termsAutoPay {
			d.Terms = ""
		}
	}
	return nil
}

// applyTerms derives the due date of NET n and adds the discount of X% Y NET n.
func (t *tx) applyTerms(d *document, explicitDue bool) {
	d.Discounts = slices.DeleteFunc(slices.Clone(d.Discounts), func(a adjust) bool { return a.Auto == autoEarly })
	days := ""
	if m := t.s.terms.net.FindStringSubmatch(d.Terms); m != nil {
		days = m[1]
	} else if m := t.s.terms.early.FindStringSubmatch(d.Terms); m != nil {
		days = m[3]
		t.addEarlyDiscount(d, m[1], m[2])
	}
	if n, err := strconv.ParseInt(days, 10, 64); err == nil && !explicitDue {
		d.Due = d.Date + n*day
	}
}

func (t *tx) addEarlyDiscount(d *document, percent, within string) {
	value, err := decimal.NewFromString(percent)
	n, err2 := strconv.ParseInt(within, 10, 64)
	expires := d.Date + n*day
	if err != nil || err2 != nil || expires <= t.now || value.GreaterThan(decimal.NewFromInt(100)) || t.s.opt.NoEarlyDiscounts {
		return
	}
	d.Discounts = append(d.Discounts, adjust{ID: t.nextID(), Auto: autoEarly, Expires: expires, Rate: &rateTerms{
		Key: "early-payment", Name: "Early Payment", Value: value, Percent: true,
	}})
}

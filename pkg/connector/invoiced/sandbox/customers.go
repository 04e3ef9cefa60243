package sandbox

import (
	"maps"
	"net/http"
	"strings"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/gateway"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
	"github.com/arbridge/arbridge/pkg/money"
)

// customer is a customer account (invoiced-api 2.2).
type customer struct {
	objects.Head
	Attr     attrs           `json:"attr"`
	Metadata attrs           `json:"metadata"`
	Number   string          `json:"number"`
	Source   *gateway.Source `json:"source,omitempty"`
	Token    string          `json:"token"`
}

// Kind implements objects.Object.
func (*customer) Kind() string { return "customer" }

// UniqueName makes the customer findable by its number.
func (c *customer) UniqueName() string { return c.Number }

// LinkToken is the token of the statement links.
func (c *customer) LinkToken() string { return c.Token }

func (c *customer) attributes() attrs { return c.Attr }

// Clone implements objects.Object.
func (c *customer) Clone() objects.Object {
	next := *c
	next.Attr = maps.Clone(c.Attr)
	return &next
}

func (c *customer) name() string     { return c.Attr.text("name") }
func (c *customer) currency() string { return c.Attr.text("currency") }

func customerSchema() *schema {
	fields := head("customer")
	fields = append(fields,
		field{name: "name", kind: shortText},
		show("number", func(_ *view, c *customer) any { return c.Number }),
		field{name: "email", kind: shortText},
		field{name: "type", kind: shortText, def: "company", oneOf: []string{"company", "person"}},
		field{name: "autopay", kind: flag, def: false},
		field{name: "autopay_delay_days", kind: whole, def: int64(-1)},
		field{name: "payment_terms", kind: shortText},
		show("payment_source", func(_ *view, c *customer) any { return c.Source.Render() }),
	)
	fields = append(fields, texts("attention_to", "address1", "address2", "city", "state", "postal_code", "country",
		"language", "currency", "phone")...)
	fields = append(fields,
		field{name: "notes", kind: longText},
		field{name: "tax_id", kind: shortText},
		field{name: "taxable", kind: flag, def: true},
		field{name: "taxes", kind: textList, def: []any{}},
		field{name: "avalara_entity_use_code", kind: shortText},
		field{name: "avalara_exemption_number", kind: shortText},
		field{name: "chase", kind: flag, def: true},
		field{name: "chasing_cadence", kind: whole},
		field{name: "next_chase_step", kind: whole},
		field{name: "credit_hold", kind: flag, def: false},
		field{name: "credit_limit", kind: amount},
		field{name: "owner", kind: whole},
		field{name: "parent_customer", kind: whole},
		field{name: "bill_to_parent", kind: flag, def: false},
		field{name: "consolidated", kind: flag, def: false},
		field{name: "sign_up_page", kind: whole},
		fixed("sign_up_url", nil),
		show("statement_pdf_url", func(v *view, c *customer) any { return v.base + "/portal/statements/" + c.Token + "/pdf" }),
		show("statement_url", func(v *view, c *customer) any { return v.base + "/portal/statements/" + c.Token }),
		field{name: "ach_gateway", kind: whole},
		field{name: "cc_gateway", kind: whole},
		field{name: "disabled_payment_methods", kind: textList, hidden: true},
		field{name: "active", kind: flag, def: true},
		field{name: "convenience_fee", kind: flag, def: true},
		show("metadata", func(v *view, c *customer) any { return v.metadata(c.Metadata) }),
	)
	return newSchema("customer", nil, append(fields, tail()...)...)
}

func customerEndpoints() []endpoint {
	return []endpoint{
		{pattern: "POST /customers", do: createCustomer},
		{pattern: "GET /customers", do: listCustomers},
		{pattern: "GET /customers/{id}", do: func(c *call) (*answer, error) {
			o, err := find[*customer](c, "customer")
			if err != nil {
				return nil, err
			}
			return c.object(http.StatusOK, o), nil
		}},
		{pattern: "PATCH /customers/{id}", do: updateCustomer},
		{pattern: "DELETE /customers/{id}", do: deleteCustomer},
		{pattern: "POST /customers/{id}/emails", do: emailStatement},
		{pattern: "GET /customers/{id}/invoices", do: func(c *call) (*answer, error) { return listOwned(c, "invoice") }},
		{pattern: "GET /customers/{id}/payment_sources", do: listSources},
		{pattern: "DELETE /customers/{id}/cards/{source}", do: deleteSource},
		{pattern: "DELETE /customers/{id}/bank_accounts/{source}", do: deleteSource},
	}
}

func createCustomer(c *call) (*answer, error) {
	o := &customer{Head: c.t.newHead(), Attr: attrs{}, Metadata: attrs{}, Token: c.t.newToken()}
	if !c.body.Has("country") {
		o.Attr["country"] = c.acct.country
	}
	if err := c.t.fillCustomer(o, c.body); err != nil {
		return nil, err
	}
	if o.Number == "" {
		o.Number = c.t.nextNumber("customer", "CUST")
	}
	c.t.created(o)
	return c.object(http.StatusCreated, o), nil
}

// fillCustomer reads a create or update request into o.
func (t *tx) fillCustomer(o *customer, in wire.Values) error {
	if err := t.s.schemas["customer"].apply(o.Attr, in, t.s.opt); err != nil {
		return err
	}
	if o.name() == "" {
		return wire.Invalid("name", "Name is missing")
	}
	if err := t.readNumber("customer", in, &o.Number, o.ID); err != nil {
		return err
	}
	if err := checkParty(o.Attr); err != nil {
		return err
	}
	if cur := o.currency(); cur != "" {
		code, err := t.s.currency(cur)
		if err != nil {
			return err
		}
		o.Attr["currency"] = code
	}
	if parent := o.Attr.whole("parent_customer"); parent != 0 {
		if _, err := get[*customer](t, "customer", parent); err != nil || parent == o.ID {
			return wire.Invalid("parent_customer", "No such parent customer: %d", parent)
		}
	}
	if in.Has("metadata") {
		m, err := readMetadata(in)
		if err != nil {
			return err
		}
		o.Metadata = m
	}
	return t.fillSource(o, in)
}

// checkParty checks what customers and contacts have in common: an address and an e-mail.
func checkParty(a attrs) error {
	if e := a.text("email"); e != "" && (!strings.Contains(e, "@") || strings.ContainsAny(e, " ,;")) {
		return wire.Invalid("email", "email is not a valid e-mail address")
	}
	for _, name := range []string{"country", "language"} {
		if s := a.text(name); s != "" && len(s) != 2 {
			return wire.Invalid(name, "%s must be a code of two letters", name)
		}
	}
	return nil
}

// currency checks a currency of a request and returns it as the API writes it: lower case (invoiced-api 11.2).
func (s *Server) currency(text string) (string, error) {
	cur, err := money.ParseCurrency(text)
	if err != nil || s.opt.UpperCaseRefused && text != cur.Lower() {
		return "", wire.Invalid("currency", "%q is not a currency code", text)
	}
	return cur.Lower(), nil
}

// readNumber reads a document or customer number; one that is taken is refused (S4, invoiced-api 11.3).
func (t *tx) readNumber(kind string, in wire.Values, at *string, own int64) error {
	number, err := in.Text("number")
	if err != nil || number == nil {
		return err
	}
	if len([]rune(*number)) > t.s.opt.MaxText {
		return wire.Invalid("number", "number is longer than %d characters", t.s.opt.MaxText)
	}
	if o := t.s.store.Find(kind, t.acct.Name, *number); o != nil && o.Meta().ID != own && !t.s.opt.AllowDuplicateNumbers {
		return wire.Invalid("number", "The given number has already been taken: %s", *number)
	}
	*at = *number
	return nil
}

func updateCustomer(c *call) (*answer, error) {
	old, err := find[*customer](c, "customer")
	if err != nil {
		return nil, err
	}
	next, err := c.t.changeCustomer(old, c.body)
	if err != nil {
		return nil, err
	}
	return c.object(http.StatusOK, next), nil
}

func (t *tx) changeCustomer(old *customer, in wire.Values) (*customer, error) {
	next := revise(t, old)
	if err := t.fillCustomer(next, in); err != nil {
		return nil, err
	}
	t.updated(next)
	if old.Attr.flag("autopay", false) && !next.Attr.flag("autopay", false) {
		t.endAutoPay(next.ID)
	}
	return next, nil
}

// endAutoPay turns AutoPay off on the open invoices of a customer, as turning it off for the customer does
// (invoiced-api 4.8).
func (t *tx) endAutoPay(id int64) {
	for _, inv := range t.invoicesOf(id) {
		if inv.AutoPay && inv.open() {
			next := revise(t, inv)
			next.AutoPay, next.NextAttempt, next.Terms = false, 0, ""
			t.updated(next)
		}
	}
}

func (t *tx) invoicesOf(customer int64) []*document {
	return t.s.documentsOf(t.acct, "invoice", customer)
}

func (s *Server) documentsOf(acct *account, kind string, customer int64) []*document {
	ids := s.store.Owned(kind, customer)
	out := make([]*document, 0, len(ids))
	for _, id := range ids {
		if d, ok := s.store.Get(kind, acct.Name, id).(*document); ok && d.Customer == customer {
			out = append(out, d)
		}
	}
	return out
}

// deleteCustomer refuses a customer with documents or payments, because what would become of them is not documented; an
// option takes them along.
func deleteCustomer(c *call) (*answer, error) {
	o, err := find[*customer](c, "customer")
	if err != nil {
		return nil, err
	}
	for _, kind := range []string{"payment", "invoice", "credit_note", "credit_balance_adjustment"} {
		ids := c.s.store.Owned(kind, o.ID)
		if len(ids) > 0 && !c.s.opt.AllowCustomerDelete {
			return nil, wire.Invalid("", "The customer cannot be deleted because it has a %s", strings.ReplaceAll(kind, "_", " "))
		}
		c.t.deleteAll(kind, ids)
	}
	for _, kind := range []string{"contact", "note", "task"} {
		c.t.deleteAll(kind, c.s.store.Owned(kind, o.ID))
	}
	c.t.deleted(o)
	return noContent(), nil
}

func (t *tx) deleteAll(kind string, ids []int64) {
	for _, id := range append([]int64(nil), ids...) {
		o := t.s.store.Get(kind, t.acct.Name, id)
		switch {
		case o == nil:
		case kind == "credit_balance_adjustment": // has no events (invoiced-api 9.2)
			t.Remove(kind, id)
		default:
			t.deleted(o)
		}
	}
}

func listCustomers(c *call) (*answer, error) {
	source, err := c.query.Flag("payment_source")
	if err != nil {
		return nil, err
	}
	open, err := c.query.Flag("open_balance")
	if err != nil {
		return nil, err
	}
	return c.list(listing{
		kind: "customer", ids: c.s.store.IDs("customer", c.acct.Name),
		meta: func(o objects.Object) attrs { return o.(*customer).Metadata },
		keep: func(o objects.Object) bool {
			if source != nil && *source != (o.(*customer).Source != nil) {
				return false
			}
			return open == nil || *open == c.s.hasOpenBalance(c.acct, o.Meta().ID)
		},
	})
}

func (s *Server) hasOpenBalance(acct *account, id int64) bool {
	for _, d := range s.documentsOf(acct, "invoice", id) {
		if d.open() {
			return true
		}
	}
	return false
}

// listOwned lists the objects of one kind under the customer of the path.
func listOwned(c *call, kind string) (*answer, error) {
	o, err := find[*customer](c, "customer")
	if err != nil {
		return nil, err
	}
	return c.list(listing{kind: kind, ids: c.s.store.Owned(kind, o.ID), date: "date"})
}

func emailStatement(c *call) (*answer, error) {
	o, err := find[*customer](c, "customer")
	if err != nil {
		return nil, err
	}
	kind, err := c.body.Text("type")
	if err != nil {
		return nil, err
	}
	if kind != nil && *kind != "balance_forward" && *kind != "open_item" {
		return nil, wire.Invalid("type", "type must be balance_forward or open_item")
	}
	return c.emailAbout(o, o.ID, "statement_email")
}

// contact is a person at a customer (invoiced-api 3).
type contact struct {
	objects.Head
	Customer int64 `json:"customer"`
	Attr     attrs `json:"attr"`
}

// Kind implements objects.Object.
func (*contact) Kind() string { return "contact" }

// Owners lists the contact under its customer.
func (c *contact) Owners() []int64 { return []int64{c.Customer} }

func (c *contact) attributes() attrs { return c.Attr }

// Clone implements objects.Object.
func (c *contact) Clone() objects.Object {
	next := *c
	next.Attr = maps.Clone(c.Attr)
	return &next
}

func contactSchema() *schema {
	fields := append(head("contact"), texts("name", "title", "department", "email", "phone")...)
	fields = append(fields,
		field{name: "primary", kind: flag, def: false},
		field{name: "sms_enabled", kind: flag},
		field{name: "send_new_invoices", kind: flag, def: false},
	)
	fields = append(fields, texts("address1", "address2", "city", "state", "postal_code", "country")...)
	fields = append(fields,
		link("customer", "customer", func(_ *view, c *contact) any { return c.Customer }),
		show("customer_id", func(_ *view, c *contact) any { return c.Customer }),
	)
	return newSchema("contact", nil, append(fields, tail()...)...)
}

func contactEndpoints() []endpoint {
	return []endpoint{
		{pattern: "POST /customers/{id}/contacts", do: createContact},
		{pattern: "GET /customers/{id}/contacts", do: func(c *call) (*answer, error) { return listOwned(c, "contact") }},
		{pattern: "GET /customers/{id}/contacts/{contact}", do: func(c *call) (*answer, error) {
			o, err := findContact(c)
			if err != nil {
				return nil, err
			}
			return c.object(http.StatusOK, o), nil
		}},
		{pattern: "PATCH /customers/{id}/contacts/{contact}", do: updateContact},
		{pattern: "DELETE /customers/{id}/contacts/{contact}", do: func(c *call) (*answer, error) {
			o, err := findContact(c)
			if err != nil {
				return nil, err
			}
			c.t.deleted(o)
			return noContent(), nil
		}},
	}
}

// findContact finds the contact under its own customer only.
func findContact(c *call) (*contact, error) {
	owner, err := find[*customer](c, "customer")
	if err != nil {
		return nil, err
	}
	id, err := c.id("contact", "contact")
	if err != nil {
		return nil, err
	}
	o, err := lookup[*contact](c.s, c.acct, "contact", id)
	if err == nil && o.Customer != owner.ID {
		return nil, wire.Missing("contact", id)
	}
	return o, err
}

func createContact(c *call) (*answer, error) {
	owner, err := find[*customer](c, "customer")
	if err != nil {
		return nil, err
	}
	o := &contact{Head: c.t.newHead(), Customer: owner.ID, Attr: attrs{}}
	if err := c.t.fillContact(o, c.body); err != nil {
		return nil, err
	}
	c.t.created(o)
	return c.object(http.StatusCreated, o), nil
}

func updateContact(c *call) (*answer, error) {
	old, err := findContact(c)
	if err != nil {
		return nil, err
	}
	next := revise(c.t, old)
	if err := c.t.fillContact(next, c.body); err != nil {
		return nil, err
	}
	c.t.updated(next)
	return c.object(http.StatusOK, next), nil
}

// fillContact stores the e-mail in lower case (S14) and takes it as the name when none is given.
func (t *tx) fillContact(o *contact, in wire.Values) error {
	if err := t.s.schemas["contact"].apply(o.Attr, in, t.s.opt); err != nil {
		return err
	}
	if e := o.Attr.text("email"); e != "" {
		o.Attr["email"] = strings.ToLower(e)
	}
	if o.Attr.text("name") == "" {
		if o.Attr.text("email") == "" {
			return wire.Invalid("name", "Name is missing")
		}
		o.Attr["name"] = o.Attr.text("email")
	}
	return checkParty(o.Attr)
}

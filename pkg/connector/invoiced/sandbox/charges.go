package sandbox

import (
	"cmp"
	"net/http"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/gateway"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

const (
	chargeSucceeded = "succeeded"
	chargePending   = "pending"
	chargeFailed    = "failed"
)

// maxFeePercent is the highest convenience fee (invoiced-api 6.5).
var maxFeePercent = decimal.NewFromInt(4)

// charge is a payment processed by a gateway (invoiced-api 6.4).
type charge struct {
	ID        int64           `json:"id"`
	Amount    decimal.Decimal `json:"amount"`
	Currency  string          `json:"currency"`
	GatewayID string          `json:"gateway_id"`
	Status    string          `json:"status"`
	Receipt   string          `json:"receipt,omitempty"` // e-mail
	Failure   string          `json:"failure,omitempty"`
	Source    *gateway.Source `json:"source,omitempty"`
	Refunds   []refund        `json:"refunds,omitempty"`
	Disputed  bool            `json:"disputed,omitempty"`
	Created   int64           `json:"created"`
	Updated   int64           `json:"updated"`
	// SettleAt is when a pending charge settles by itself, with the outcome SettleTo; 0 waits for the control interface.
	SettleAt int64  `json:"settle_at,omitempty"`
	SettleTo string `json:"settle_to,omitempty"`
}

type refund struct {
	ID        int64           `json:"id"`
	Amount    decimal.Decimal `json:"amount"`
	GatewayID string          `json:"gateway_id"`
	At        int64           `json:"at"`
}

func (c *charge) refunded() decimal.Decimal {
	sum := decimal.Zero
	for _, r := range c.Refunds {
		sum = sum.Add(r.Amount)
	}
	return sum
}

func (c *charge) render(customer int64) any {
	if c == nil {
		return nil
	}
	refunds := make([]any, len(c.Refunds))
	for i, r := range c.Refunds {
		refunds[i] = c.renderRefund(r)
	}
	back := c.refunded()
	return wire.Object{
		{Key: "id", Value: c.ID}, {Key: "object", Value: "charge"}, {Key: "customer", Value: nullable(customer)},
		{Key: "currency", Value: c.Currency}, {Key: "amount", Value: c.Amount}, {Key: "gateway", Value: "test"},
		{Key: "gateway_id", Value: c.GatewayID}, {Key: "status", Value: c.Status},
		{Key: "receipt_email", Value: nullable(c.Receipt)}, {Key: "failure_message", Value: nullable(c.Failure)},
		{Key: "payment_source", Value: c.Source.Render()}, {Key: "amount_refunded", Value: back},
		{Key: "refunded", Value: back.IsPositive() && back.Equal(c.Amount)}, {Key: "refunds", Value: refunds},
		{Key: "disputed", Value: c.Disputed}, {Key: "created_at", Value: c.Created}, {Key: "updated_at", Value: c.Updated},
	}
}

func (c *charge) renderRefund(r refund) wire.Object {
	return wire.Object{
		{Key: "id", Value: r.ID}, {Key: "object", Value: "refund"}, {Key: "currency", Value: c.Currency},
		{Key: "amount", Value: r.Amount}, {Key: "charge", Value: c.ID}, {Key: "gateway", Value: "test"},
		{Key: "gateway_id", Value: r.GatewayID}, {Key: "status", Value: "succeeded"}, {Key: "failure_message", Value: nil},
		{Key: "created_at", Value: r.At}, {Key: "updated_at", Value: r.At},
	}
}

func chargeEndpoints() []endpoint {
	return []endpoint{
		{pattern: "POST /charges", do: createCharge},
		{pattern: "POST /charges/{id}/refunds", do: createRefund},
		{pattern: "POST /invoices/{id}/pay", do: payInvoice},
	}
}

// createCharge charges a token or the stored source; the answer is the payment. A declined charge is a 400 that still
// leaves its charge.failed behind.
func createCharge(c *call) (*answer, error) {
	p := &payment{
		Head: c.t.newHead(), Attr: attrs{}, Metadata: attrs{}, Date: c.t.now, Currency: c.acct.currency, Token: c.t.newToken(),
		Applied: []application{},
	}
	if err := c.t.fillPayment(p, c.body); err != nil {
		return nil, err
	}
	cust, err := get[*customer](c.t, "customer", p.Customer)
	if err != nil {
		return nil, wire.Invalid("customer", "Customer is missing")
	}
	if !p.Amount.IsPositive() {
		return nil, wire.Invalid("amount", "Amount is missing")
	}
	from, err := c.t.readSource(c.body)
	if err != nil {
		return nil, err
	}
	if from == nil {
		from = cust.Source
	}
	if from == nil {
		return nil, wire.Invalid("payment_source", "The customer has no payment source")
	}
	p.Attr["source"] = "api"
	p.Attr["method"] = cmp.Or(p.Attr.text("method"), from.Method())
	failure, err := c.t.process(p, from, "")
	if err != nil {
		return nil, err
	}
	return c.processed(p, failure)
}

// processed answers with a payment, or with the gateway's refusal.
func (c *call) processed(p *payment, failure string) (*answer, error) {
	if failure == "" {
		return c.object(http.StatusCreated, p), nil
	}
	e := wire.Invalid("payment_source", "The charge was not successful: %s", failure)
	return &answer{Status: e.Status, Type: "application/json", Body: e.Body()}, nil
}

// settleAfter is how long a pending test charge takes, in seconds: ACH takes three to seven business days (6.4).
const settleAfter = 4 * day

// process sends a payment to the test gateway. The instrument decides what happens unless outcome does. A refusal is
// returned as text, after charge.failed was emitted; the payment then does not exist.
func (t *tx) process(p *payment, from *gateway.Source, outcome string) (failure string, err error) {
	p.Charge = &charge{
		ID: t.nextID(), Amount: p.Amount, Currency: p.Currency, GatewayID: "ch_" + t.newHex(8), Status: chargeSucceeded,
		Source: from, Created: t.now, Updated: max(1, t.now),
	}
	if p.Attr.text("reference") == "" {
		p.Attr["reference"] = p.Charge.GatewayID
	}
	behaviour := from.Behaviour()
	switch outcome {
	case chargeSucceeded:
		behaviour = gateway.Succeeds
	case chargePending:
		behaviour = gateway.Pending
	case chargeFailed:
		behaviour = gateway.Declined
	}
	switch behaviour {
	case gateway.PendingSucceeds, gateway.PendingFails:
		p.Charge.SettleAt, p.Charge.SettleTo = t.now+settleAfter, chargeSucceeded
		if behaviour == gateway.PendingFails {
			p.Charge.SettleTo = chargeFailed
		}
		fallthrough
	case gateway.Pending:
		p.Charge.Status = chargePending
	case gateway.Declined, gateway.Broken:
		t.fail(p, "The payment was declined")
		return p.Charge.Failure, nil
	}
	return "", t.recordPayment(p)
}

// fail emits charge.failed for a payment's charge.
func (t *tx) fail(p *payment, reason string) {
	p.Charge.Status, p.Charge.Failure, p.Charge.Updated = chargeFailed, reason, max(t.now, p.Charge.Updated+1)
	p.Charge.SettleAt = 0
	object, _ := p.Charge.render(p.Customer).(wire.Object)
	if cust, ok := t.s.store.Get("customer", t.acct.Name, p.Customer).(*customer); ok {
		for i := range object {
			if object[i].Key == "customer" {
				object[i].Value = t.view.render(cust)
			}
		}
	}
	refs := []objectRef{{"charge", p.Charge.ID}}
	for _, id := range p.Owners() {
		for _, kind := range []string{"customer", "invoice", "credit_note"} {
			refs = append(refs, objectRef{kind, id})
		}
	}
	t.emitObject("charge.failed", object, nil, refs)
}

// settle ends the waiting of a pending payment. A failed one is voided after its charge.failed, because nothing documents
// another way for its applications to go (Q6 [A]).
func (t *tx) settle(p *payment, outcome string) (*payment, error) {
	if !p.pending() {
		return nil, wire.Invalid("id", "Payment %d is not pending", p.ID)
	}
	next := revise(t, p)
	next.Charge.SettleAt, next.Charge.Updated = 0, max(t.now, p.Charge.Updated+1)
	switch outcome {
	case chargeSucceeded:
		next.Charge.Status = chargeSucceeded
		if t.s.opt.SilentPending {
			t.created(next)
		} else {
			t.updated(next)
		}
		return next, t.applyEffects(next.Owners())
	case chargeFailed:
		t.fail(next, "The bank returned the payment")
		t.Put(next)
		return t.voidPayment(next)
	}
	return nil, wire.Invalid("outcome", "outcome must be succeeded or failed")
}

// findCharge finds the payment that holds a charge.
func (s *Server) findCharge(acct *account, id int64) (*payment, error) {
	for _, pid := range s.store.IDs("payment", acct.Name) {
		if p, ok := s.store.Get("payment", acct.Name, pid).(*payment); ok && p.Charge != nil && p.Charge.ID == id {
			return p, nil
		}
	}
	return nil, wire.Missing("charge", id)
}

func createRefund(c *call) (*answer, error) {
	id, err := c.id("id", "charge")
	if err != nil {
		return nil, err
	}
	p, err := c.s.findCharge(c.acct, id)
	if err != nil {
		return nil, err
	}
	sum, err := c.body.Decimal("amount")
	if err != nil {
		return nil, err
	}
	if sum == nil {
		return nil, wire.Invalid("amount", "Amount is missing")
	}
	today := calendarDay(p.Charge.Created, c.acct.Location) == calendarDay(c.t.now, c.acct.Location)
	if p.Charge.Source.IsCard() && today && sum.LessThan(p.Charge.Amount) {
		return nil, wire.Invalid("amount", "Card payments can be refunded in part from the next day on")
	}
	next, err := c.t.refund(p, *sum)
	if err != nil {
		return nil, err
	}
	return jsonAnswer(http.StatusCreated, next.Charge.renderRefund(next.Charge.Refunds[len(next.Charge.Refunds)-1])), nil
}

// refund gives money back. The balance of invoices does not change, and by default nothing is emitted: a refund shows in
// charge.amount_refunded alone (invoiced-api 6.4, Q7).
func (t *tx) refund(p *payment, sum decimal.Decimal) (*payment, error) {
	if p.Charge == nil || p.Charge.Status != chargeSucceeded {
		return nil, wire.Invalid("", "Only a succeeded charge can be refunded")
	}
	if err := checkMoney("amount", sum, p.Currency); err != nil {
		return nil, err
	}
	if !sum.IsPositive() || p.Charge.refunded().Add(sum).GreaterThan(p.Charge.Amount) {
		return nil, wire.Invalid("amount", "Of this charge between 0 and %s can be refunded", p.Charge.Amount.Sub(p.Charge.refunded()))
	}
	next := revise(t, p)
	next.Charge.Updated = max(t.now, p.Charge.Updated+1)
	next.Charge.Refunds = append(next.Charge.Refunds, refund{ID: t.nextID(), Amount: sum, GatewayID: "re_" + t.newHex(8), At: t.now})
	if t.s.opt.RefundEvents {
		t.updated(next)
	} else {
		t.Put(next)
	}
	return next, nil
}

// payInvoice collects an AutoPay invoice now (invoiced-api 4.1, 4.9).
func payInvoice(c *call) (*answer, error) {
	inv, err := find[*document](c, "invoice")
	if err != nil {
		return nil, err
	}
	cust, err := get[*customer](c.t, "customer", inv.Customer)
	if err != nil {
		return nil, err
	}
	switch {
	case !inv.open() || inv.Pending.IsPositive():
		return nil, wire.Invalid("", "The invoice cannot be paid because it is %s", inv.status(c.view))
	case !inv.AutoPay:
		return nil, wire.Invalid("", "AutoPay is not enabled for this invoice")
	case cust.Source == nil:
		return nil, wire.Invalid("", "The customer has no payment source")
	}
	failure, err := c.t.collect(inv, cust)
	if err != nil {
		return nil, err
	}
	if failure != "" {
		return c.processed(nil, failure)
	}
	if inv, err = lookup[*document](c.s, c.acct, "invoice", inv.ID); err != nil {
		return nil, err
	}
	return c.object(http.StatusOK, inv), nil
}

// collect makes one AutoPay attempt over the balance of an invoice, plus the account's convenience fee on cards.
func (t *tx) collect(inv *document, cust *customer) (failure string, err error) {
	sum := inv.Balance.Sub(inv.Pending)
	p := &payment{
		Head: t.newHead(), Attr: attrs{"source": "autopay", "method": cust.Source.Method()}, Metadata: attrs{},
		Customer: cust.ID, Date: t.now, Currency: inv.Currency, Amount: sum, Token: t.newToken(),
		Applied: []application{{ID: t.nextID(), Type: applyInvoice, Invoice: inv.ID, Amount: sum}},
	}
	if cust.Source.IsCard() && cust.Attr.flag("convenience_fee", true) {
		t.addFee(p, percentOf(sum, t.acct.ConvenienceFeePercent, p.Currency))
	}
	next := revise(t, inv)
	next.Attempts++
	next.NextAttempt = 0
	t.Put(next)
	failure, err = t.process(p, cust.Source, "")
	if err != nil || failure == "" {
		return failure, err
	}
	next = revise(t, next)
	next.NextAttempt, next.Exhausted = retryAutoPay(next.Attempts, t.now)
	t.updated(next)
	return failure, nil
}

func percentOf(sum, percent decimal.Decimal, currency string) decimal.Decimal {
	return sum.Mul(percent).Shift(-2).Round(minorUnits(currency))
}

// addFee raises the payment by a convenience fee: one more application without a document (invoiced-api 6.5).
func (t *tx) addFee(p *payment, fee decimal.Decimal) {
	if fee.IsPositive() {
		p.Amount = p.Amount.Add(fee)
		p.Applied = append(p.Applied, application{ID: t.nextID(), Type: applyFee, Amount: fee})
	}
}

// newSource makes a source from the text of a test instrument.
func (t *tx) newSource(text string) (*gateway.Source, error) {
	s, ok := gateway.New(text)
	if !ok {
		return nil, wire.Invalid("invoiced_token", "The token is unknown; use a value of the vendor's test gateway")
	}
	s.ID, s.Country, s.Currency, s.Created = t.nextID(), t.acct.country, t.acct.currency, max(1, t.now)
	return s, nil
}

// readSource reads the token of a request; nil is none. Tokens are the texts of test instruments, with or without tok_.
func (t *tx) readSource(in wire.Values) (*gateway.Source, error) {
	for _, key := range []string{"invoiced_token", "gateway_token"} {
		token, err := in.Text(key)
		if err != nil {
			return nil, err
		}
		if token != nil {
			return t.newSource(*token)
		}
	}
	return nil, nil
}

// fillSource stores a payment source given as {method, invoiced_token}; null removes it.
func (t *tx) fillSource(o *customer, in wire.Values) error {
	given, err := in.Object("payment_source")
	if err != nil || !in.Has("payment_source") {
		return err
	}
	if given == nil {
		o.Source = nil
		return nil
	}
	s, err := t.readSource(given)
	if err != nil {
		return err
	}
	if s == nil {
		return nil // the object of a response sent back
	}
	if s.Behaviour() == gateway.Broken {
		return wire.Invalid("payment_source", "The payment source could not be stored")
	}
	o.Source = s
	t.emitSource("created", o, s)
	return nil
}

func (t *tx) emitSource(action string, o *customer, s *gateway.Source) {
	object, _ := s.Render().(wire.Object)
	object = append(object, wire.Pair{Key: "customer_id", Value: o.ID})
	t.emitObject("payment_source."+action, object, nil, []objectRef{{"payment_source", s.ID}, {"customer", o.ID}})
}

func listSources(c *call) (*answer, error) {
	o, err := find[*customer](c, "customer")
	if err != nil {
		return nil, err
	}
	rows := []any{}
	if o.Source != nil {
		rows = append(rows, o.Source.Render())
	}
	return c.rows(rows)
}

func deleteSource(c *call) (*answer, error) {
	o, err := find[*customer](c, "customer")
	if err != nil {
		return nil, err
	}
	id, err := c.id("source", "payment source")
	if err != nil {
		return nil, err
	}
	if o.Source == nil || o.Source.ID != id {
		return nil, wire.Missing("payment source", id)
	}
	gone := o.Source
	next := revise(c.t, o)
	next.Source = nil
	c.t.updated(next)
	c.t.emitSource("deleted", next, gone)
	return &answer{Status: http.StatusNoContent}, nil
}

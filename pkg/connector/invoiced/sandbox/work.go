package sandbox

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
)

// due is work the vendor does by itself at some time.
type due struct {
	objectRef
	account string
	at      int64 // unix seconds
}

// dueAt is when the sandbox must act on an object by itself; 0 is never.
func dueAt(o objects.Object) int64 {
	var times []int64
	switch o := o.(type) {
	case *document:
		if o.Type != "invoice" || o.Voided || o.Draft || o.Closed || o.Paid {
			return 0
		}
		times = append(times, o.NextAttempt, o.SendAt)
		for _, a := range o.Discounts {
			times = append(times, a.Expires)
		}
	case *payment:
		if o.pending() {
			times = append(times, o.Charge.SettleAt)
		}
	}
	first := int64(0)
	for _, at := range times {
		if at != 0 && (first == 0 || at < first) {
			first = at
		}
	}
	return first
}

// reschedule notes when an object needs work; the caller holds the lock.
func (s *Server) reschedule(o objects.Object) {
	id, at := o.Meta().ID, dueAt(o)
	if at == 0 {
		delete(s.schedule, id)
		return
	}
	s.schedule[id] = due{refOf(o), o.Meta().Account, at}
	if next := s.nextDue.Load(); next == 0 || at < next {
		s.nextDue.Store(at)
	}
}

// sweep does everything whose time has come, oldest first: AutoPay attempts, settlements, expired discounts, automatic
// e-mails. Each is a commit of its own.
func (s *Server) sweep() error {
	now := s.Now().Unix()
	if next := s.nextDue.Load(); next == 0 || next > now {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var ready []due
	for _, d := range s.schedule {
		if d.at <= now {
			ready = append(ready, d)
		}
	}
	slices.SortFunc(ready, func(a, b due) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) })
	for _, d := range ready {
		if err := s.act(d); err != nil {
			return err
		}
	}
	s.nextDue.Store(0)
	for _, d := range s.schedule {
		if next := s.nextDue.Load(); next == 0 || d.at < next {
			s.nextDue.Store(d.at)
		}
	}
	return nil
}

func (s *Server) act(d due) error {
	acct, err := s.account(d.account)
	o := s.store.Get(d.kind, d.account, d.id)
	if err != nil || o == nil || dueAt(o) == 0 {
		delete(s.schedule, d.id)
		return nil
	}
	err = s.writeLocked(acct, s.baseURL(nil), actorSystem, func(t *tx) error {
		if p, ok := o.(*payment); ok {
			_, err := t.settle(p, p.Charge.SettleTo)
			return err
		}
		return t.actOnInvoice(o.(*document))
	})
	if err != nil {
		delete(s.schedule, d.id) // it would fail again and again
		return fmt.Errorf("%s %d at %d: %w", d.kind, d.id, d.at, err)
	}
	return nil
}

func (t *tx) actOnInvoice(inv *document) error {
	if inv.SendAt != 0 && inv.SendAt <= t.now {
		t.sendByItself(inv)
		inv = t.document(inv.ID)
	}
	if slices.ContainsFunc(inv.Discounts, func(a adjust) bool { return a.Expires != 0 && a.Expires <= t.now }) {
		next := revise(t, inv)
		next.Discounts = slices.DeleteFunc(next.Discounts, func(a adjust) bool { return a.Expires != 0 && a.Expires <= t.now })
		if err := t.recompute(next); err != nil {
			return err
		}
		t.updated(next)
		inv = next
	}
	if inv.NextAttempt == 0 || inv.NextAttempt > t.now {
		return nil
	}
	cust, err := get[*customer](t, "customer", inv.Customer)
	if err != nil {
		return err
	}
	if cust.Source == nil || inv.Pending.IsPositive() {
		// Nothing to charge: the customer can still pay by link (invoiced-api 4.8).
		next := revise(t, inv)
		next.NextAttempt = 0
		t.updated(next)
		return nil
	}
	_, err = t.collect(inv, cust)
	return err
}

// planAutoPay sets the first attempt: an hour after issue, or on the invoice's date when that is later, plus the
// customer's delay (invoiced-api 4.8).
func (t *tx) planAutoPay(d *document, cust *customer) {
	if !d.AutoPay || d.Paid || d.NextAttempt != 0 || d.Exhausted {
		return
	}
	d.NextAttempt = max(t.now+3600, d.Date)
	if delay := cust.Attr.whole("autopay_delay_days"); delay > 0 {
		d.NextAttempt += delay * day
	}
}

// retryAutoPay says when the next attempt is: 3, 5 and 7 days after the first three; then none (invoiced-api 4.8).
func retryAutoPay(attempts, now int64) (next int64, exhausted bool) {
	delays := []int64{3, 5, 7}
	if attempts < 1 || attempts > int64(len(delays)) {
		return 0, true
	}
	return now + delays[attempts-1]*day, false
}

// planSending plans the automatic new-invoice e-mail five minutes after issue (invoiced-api 13).
func (t *tx) planSending(d *document, cust *customer) {
	chargedByItself := d.AutoPay && cust.Source != nil
	if t.acct.AutoSend && cust.Attr.text("email") != "" && d.Date <= t.now && !d.Sent && !d.Paid && !d.Closed && !chargedByItself {
		d.SendAt = t.now + 300
	}
}

func (t *tx) sendByItself(inv *document) {
	if cust, ok := t.s.store.Get("customer", t.acct.Name, inv.Customer).(*customer); ok {
		t.Put(&email{
			Head: t.newHead(), Hex: t.newHex(16), To: cust.Attr.text("email"), Template: "new_invoice_email",
			Subject: "new_invoice_email " + inv.Number, About: "invoice", AboutID: inv.ID,
		})
	}
	next := revise(t, inv)
	next.Sent, next.SendAt = true, 0
	t.updated(next)
}

// SignatureHeader carries the HMAC-SHA256 of a webhook's exact bytes (invoiced-api 10).
const SignatureHeader = "X-Invoiced-Signature"

// queued is a delivery waiting for its time.
type queued struct {
	id, at  int64
	account *account
}

// deliveries is a heap of waiting deliveries, the earliest first, equal times in the order of their ids.
type deliveries []queued

// Len implements heap.Interface.
func (q deliveries) Len() int { return len(q) }

// Less implements heap.Interface.
func (q deliveries) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].id < q[j].id
}

// Swap implements heap.Interface.
func (q deliveries) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *deliveries) Push(x any) { *q = append(*q, x.(queued)) }

// Pop implements heap.Interface.
func (q *deliveries) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}

// enqueue notes a delivery that has to be made; the caller holds the lock.
func (s *Server) enqueue(d *delivery) {
	if d.State != deliveryPending {
		delete(s.pending, d.ID)
		return
	}
	acct, err := s.account(d.Account)
	if err != nil {
		return // the account is no longer configured
	}
	s.pending[d.ID] = struct{}{}
	heap.Push(&s.queue, queued{d.ID, d.NextAt, acct})
	s.nudge()
}

// Pending is the number of webhook deliveries not finished, those waiting for a retry included.
func (s *Server) Pending() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.pending)
}

// job is one try to make.
type job struct {
	acct      *account
	delivery  int64
	url       string
	body      []byte
	signature string
}

// takeDelivery returns the next try that is due, or how long to wait for it; a negative wait has no end.
func (s *Server) takeDelivery() (*job, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	for len(s.queue) > 0 {
		first := s.queue[0]
		d, ok := s.store.Get("webhook_attempt", first.account.Name, first.id).(*delivery)
		if !ok || d.State != deliveryPending || d.NextAt != first.at {
			heap.Pop(&s.queue) // finished or moved since
			continue
		}
		if d.NextAt > now.UnixMilli() {
			break
		}
		heap.Pop(&s.queue)
		if j := s.prepare(first.account, d); j != nil {
			return j, 0
		}
	}
	wait := time.Duration(-1)
	if len(s.queue) > 0 {
		wait = time.UnixMilli(s.queue[0].at).Sub(now)
	}
	if at := s.nextDue.Load(); at != 0 {
		if left := max(0, time.Unix(at, 0).Sub(now)); wait < 0 || left < wait {
			wait = left
		}
	}
	return nil, wait
}

func (s *Server) prepare(acct *account, d *delivery) *job {
	w, ok := s.store.Get("webhook", acct.Name, d.Webhook).(*webhook)
	e, ok2 := s.store.Get("event", acct.Name, d.Event).(*event)
	if !ok || !ok2 {
		delete(s.pending, d.ID)
		return nil
	}
	secret := w.Secret
	if secret == "" {
		secret = acct.WebhookSecret
	}
	if d.BadSigned {
		secret += " wrong"
	}
	body := s.payload(acct, e)
	return &job{acct: acct, delivery: d.ID, url: w.URL, body: body, signature: s.opt.SignaturePrefix + Sign(secret, body)}
}

// Sign is the signature of a webhook body in lower-case hex (invoiced-api 10).
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func newDeliveryClient(opt Options) *http.Client {
	return &http.Client{
		Timeout: opt.DeliveryTimeout,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: opt.DeliveryWorkers, MaxConnsPerHost: opt.DeliveryWorkers, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// deliver makes one try and records it.
func (s *Server) deliver(ctx context.Context, j *job) {
	status := s.post(ctx, j)
	if ctx.Err() != nil && status == 0 {
		// The run ends; the try was not the receiver's fault. It stays pending and is made again.
		s.requeue(j)
		return
	}
	if err := s.record(j, status); err != nil {
		s.log.Error("recording a webhook delivery", "delivery", j.delivery, "error", err)
	}
}

// record records a try.
func (s *Server) record(j *job, status int) error {
	return s.write(j.acct, "", actorSystem, func(t *tx) error {
		d, err := get[*delivery](t, "webhook_attempt", j.delivery)
		if err != nil {
			return nil // reset meanwhile
		}
		t.tried(d, status)
		return nil
	})
}

// Delivery is one try of a webhook that is due, for those who deliver in place of Run.
type Delivery struct {
	Account, URL, Signature string
	Body                    []byte
	job                     *job
}

// TakeDelivery does the scheduled work that is due, and hands out the next delivery that is. It returns nil and how long
// there is nothing to do when there is none; a negative time has no end. It is for a caller with a clock of its own that runs
// everything one after the other; Run is not used then.
func (s *Server) TakeDelivery() (*Delivery, time.Duration, error) {
	if err := s.sweep(); err != nil {
		return nil, 0, err
	}
	j, wait := s.takeDelivery()
	if j == nil {
		return nil, wait, nil
	}
	return &Delivery{Account: j.acct.Name, URL: j.url, Signature: j.signature, Body: j.body, job: j}, 0, nil
}

// Delivered says what a delivery was answered with; 0 is no answer.
func (s *Server) Delivered(d *Delivery, status int) error { return s.record(d.job, status) }

// requeue puts a try back that was not made.
func (s *Server) requeue(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.store.Get("webhook_attempt", j.acct.Name, j.delivery).(*delivery); ok {
		s.enqueue(d)
	}
}

// post returns the status of the answer; 0 is none.
func (s *Server) post(ctx context.Context, j *job) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, j.url, bytes.NewReader(j.body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Invoiced/Webhooks")
	req.Header.Set(SignatureHeader, j.signature)
	res, err := s.client.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = res.Body.Close() }()                     // the body means nothing
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)) // so that the connection can be used again
	return res.StatusCode
}

// tried records a try: a 2xx ends the delivery, anything else is tried again until the tries are used up, which disables
// the endpoint (invoiced-api 10).
func (t *tx) tried(d *delivery, status int) {
	next := revise(t, d)
	next.Tries = append(next.Tries, try{Status: status, At: t.now})
	next.BadSigned = false
	switch {
	case status >= 200 && status < 300 && d.Copies > 0:
		next.Copies--
		next.NextAt = max(t.s.Now().UnixMilli(), d.NextAt+1)
	case status >= 200 && status < 300:
		next.State = deliveryDone
	default:
		next.Retries++
		next.NextAt = max(t.s.Now().Add(t.s.opt.RetryInterval).UnixMilli(), d.NextAt+1)
		if next.Retries >= t.s.opt.MaxAttempts {
			next.State = deliveryExhausted
		}
	}
	if d.State != deliveryPending { // given up while the try was under way
		next.State = d.State
	}
	t.Put(next)
	if next.State == deliveryExhausted && d.State == deliveryPending && !t.s.opt.KeepExhausted {
		t.disable(d.Webhook)
	}
}

func (t *tx) disable(id int64) {
	w, ok := t.s.store.Get("webhook", t.acct.Name, id).(*webhook)
	if !ok || !w.enabled() {
		return
	}
	next := revise(t, w)
	next.Attr["enabled"] = false
	t.Put(next)
	t.giveUp(id)
}

// Chaos disturbs webhook deliveries that are added from now on. Percentages are of deliveries.
type Chaos struct {
	Account               string `json:"account,omitempty"`
	Step                  string `json:"step,omitempty"`
	Seed                  uint64 `json:"seed,omitempty"`
	DuplicatePercent      int    `json:"duplicate_percent,omitempty"`       // delivered twice
	ReorderPercent        int    `json:"reorder_percent,omitempty"`         // held back for up to ReorderMS
	ReorderMS             int    `json:"reorder_ms,omitempty"`              // 0 is 500
	DropPercent           int    `json:"drop_percent,omitempty"`            // never delivered, unless retried by hand
	WrongSignaturePercent int    `json:"wrong_signature_percent,omitempty"` // the first try is signed wrongly
	DelayMS               int    `json:"delay_ms,omitempty"`                // all are held back this long
}

// chaosSetting keeps a Chaos over restarts.
type chaosSetting struct {
	objects.Head
	Chaos Chaos `json:"chaos"`
}

// Kind implements objects.Object.
func (*chaosSetting) Kind() string { return "chaos" }

// Clone implements objects.Object.
func (c *chaosSetting) Clone() objects.Object { next := *c; return &next }

type chaosState struct {
	Chaos
	rng *rand.Rand
}

func newChaosState(c Chaos) *chaosState {
	return &chaosState{Chaos: c, rng: rand.New(rand.NewPCG(c.Seed, c.Seed))}
}

// disturb changes a new delivery; a nil state leaves it alone.
func (c *chaosState) disturb(d *delivery) {
	if c == nil {
		return
	}
	hit := func(percent int) bool { return percent > 0 && c.rng.IntN(100) < percent }
	d.NextAt += int64(c.DelayMS)
	if hit(c.ReorderPercent) {
		span := c.ReorderMS
		if span <= 0 {
			span = 500
		}
		d.NextAt += 1 + c.rng.Int64N(int64(span))
	}
	if hit(c.DuplicatePercent) {
		d.Copies = 1
	}
	d.BadSigned = hit(c.WrongSignaturePercent)
	if hit(c.DropPercent) {
		d.State = deliveryDropped
	}
}

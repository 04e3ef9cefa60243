package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/functions/receipt"
	"github.com/arbridge/arbridge/functions/sync"
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/bus/queue"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/server"
)

// OperatorSchema names the form of an Answer.
const OperatorSchema = "arbridge/operator/v1"

// The actions of an operator.
const (
	ActionSync        = "sync"
	ActionReplay      = "replay"
	ActionIgnore      = "ignore"
	ActionUnignore    = "unignore"
	ActionResolve     = "resolve" // a person's decision about a payment
	ActionPause       = "pause"
	ActionResume      = "resume"
	ActionDeadLetters = "dead-letters"
	ActionDeadReplay  = "dead-letters-replay"
	ActionDeadDiscard = "dead-letters-discard"
	ActionBackfill    = "backfill"      // begins one
	ActionBackfillOn  = "backfill-step" // does the next part of one
)

// Request is what an operator asks for.
type Request struct {
	Actor    string       `json:"actor"` // who asks; always recorded
	Reason   string       `json:"reason,omitempty"`
	Company  string       `json:"company,omitempty"` // all, when empty
	Kind     billing.Kind `json:"kind,omitempty"`
	Target   string       `json:"target,omitempty"` // a number, an event, a dead letter
	Flow     string       `json:"flow,omitempty"`
	ReadOnly bool         `json:"read_only,omitempty"`
	Since    billing.Date `json:"since,omitempty"`
	Decision string       `json:"decision,omitempty"` // with ActionResolve: DecideAdopt and the like
	Receipt  string       `json:"receipt,omitempty"`  // the ERP's number of the receipt to adopt
}

// The decisions that only a person can take about a payment.
const (
	DecideAdopt    = "adopt"    // the receipt was keyed in for it: nothing is posted
	DecideDistinct = "distinct" // none of the similar receipts is its: it is posted
	DecideBalance  = "balance"  // the balances in the ERP are right as they are
)

// Answer is what came of it.
type Answer struct {
	Schema      string            `json:"schema"`
	Action      string            `json:"action"`
	Records     []RecordAnswer    `json:"records,omitempty"`
	Events      []EventAnswer     `json:"events,omitempty"`
	DeadLetters []DeadLetter      `json:"dead_letters,omitempty"`
	Companies   []string          `json:"companies,omitempty"` // those that were paused or resumed
	Woken       int               `json:"woken,omitempty"`
	Backfills   []record.Backfill `json:"backfills,omitempty"`
}

// RecordAnswer is a record as it is afterwards.
type RecordAnswer struct {
	Company string        `json:"company"`
	Kind    billing.Kind  `json:"kind"`
	Number  string        `json:"number"`
	Status  record.Status `json:"status"`
	Reasons []plan.Reason `json:"reasons,omitempty"`
	Text    string        `json:"text,omitempty"`
}

// EventAnswer is an event as it is afterwards.
type EventAnswer struct {
	Company string `json:"company"`
	Event   string `json:"event"`
	Type    string `json:"type"`
	State   string `json:"state"`
	Effect  string `json:"effect,omitempty"`
}

// DeadLetter is a message that was given up.
type DeadLetter struct {
	ID       string    `json:"id"`
	Queue    string    `json:"queue"` // sync, receipt
	Key      string    `json:"key"`
	Body     string    `json:"body"`
	Attempts int       `json:"attempts"`
	DiedAt   time.Time `json:"died_at"`
	Reason   string    `json:"reason"`
}

// ErrRequest is a request that is wrong in itself.
var ErrRequest = errors.New("wrong request")

// Operator does what operators ask for, in the process that has the data.
type Operator struct{ p *platform.Platform }

// NewOperator makes an operator's desk of a platform.
func NewOperator(p *platform.Platform) *Operator { return &Operator{p} }

// Do does one thing and notes it in the audit.
func (o *Operator) Do(ctx context.Context, action string, r Request) (Answer, error) {
	out := Answer{Schema: OperatorSchema, Action: action}
	do, known := map[string]func(context.Context, Request, engine.By, *Answer) error{
		ActionSync: o.sync, ActionReplay: o.replay, ActionIgnore: o.ignore, ActionUnignore: o.unignore, ActionResolve: o.resolve, ActionPause: o.pause, ActionResume: o.resume,
		ActionDeadLetters: o.deadLetters, ActionDeadReplay: o.deadReplay, ActionDeadDiscard: o.deadDiscard,
		ActionBackfill: o.backfill, ActionBackfillOn: o.backfillStep,
	}[action]
	if !known {
		return out, fmt.Errorf("%w: there is no action %q", ErrRequest, action)
	}
	if strings.TrimSpace(r.Actor) == "" {
		return out, fmt.Errorf("%w: actor is missing: say who asks", ErrRequest)
	}
	return out, do(ctx, r, engine.By{Actor: r.Actor, Reason: r.Reason}, &out)
}

func (r Request) target() engine.Target {
	return engine.Target{Number: r.Target, Company: r.Company, Kind: r.Kind}
}

func (a *Answer) add(records ...record.Record) {
	for _, r := range records {
		a.Records = append(a.Records, RecordAnswer{Company: r.Company, Kind: r.Kind, Number: r.SourceID, Status: r.Status, Reasons: r.Reasons, Text: r.Summary})
	}
}

func (o *Operator) sync(ctx context.Context, r Request, by engine.By, out *Answer) error {
	records, err := o.p.Engine.SyncNow(ctx, by, "sync", r.target())
	out.add(records...)
	return err
}

// replay handles an event again, or what is known under a number: its dead letters and the record itself.
func (o *Operator) replay(ctx context.Context, r Request, by engine.By, out *Answer) error {
	events, err := o.p.Engine.ReplayEvent(ctx, by, r.Company, r.Target)
	for _, in := range events {
		out.Events = append(out.Events, EventAnswer{Company: in.Company, Event: in.EventID, Type: in.Type, State: in.State, Effect: in.Effect})
	}
	if err == nil || !errors.Is(err, engine.ErrNothing) {
		return err
	}
	records, err := o.p.Engine.SyncNow(ctx, by, "replay", r.target())
	out.add(records...)
	if err != nil || o.p.Queue == nil {
		return err
	}
	letters, err := o.letters(ctx)
	if err != nil {
		return err
	}
	for _, rec := range records {
		for _, l := range letters {
			if l.Key != rec.ID() {
				continue
			}
			if err := o.p.Queue.Discard(ctx, l.ID); err != nil && !errors.Is(err, queue.ErrNotFound) {
				return err
			}
			out.DeadLetters = append(out.DeadLetters, l) // its work was just done
		}
	}
	return nil
}

func (o *Operator) ignore(ctx context.Context, r Request, by engine.By, out *Answer) error {
	rec, err := o.p.Engine.Ignore(ctx, by, r.target())
	if err == nil {
		out.add(rec)
	}
	return err
}

func (o *Operator) resolve(ctx context.Context, r Request, by engine.By, out *Answer) error {
	if ids := o.p.Engine.CompanyIDs(); r.Company == "" && len(ids) == 1 {
		r.Company = ids[0]
	}
	var rec record.Record
	var err error
	switch {
	case r.Company == "":
		return fmt.Errorf("%w: company is missing: payments of several companies may have this number", ErrRequest)
	case r.Decision == DecideAdopt && r.Receipt == "":
		return fmt.Errorf("%w: receipt is missing: say which one was keyed in for payment %s", ErrRequest, r.Target)
	case r.Decision == DecideAdopt:
		rec, err = o.p.Engine.ResolveDuplicate(ctx, by, r.Company, r.Target, r.Receipt)
	case r.Decision == DecideDistinct:
		rec, err = o.p.Engine.ResolveDuplicate(ctx, by, r.Company, r.Target, "")
	case r.Decision == DecideBalance:
		rec, err = o.p.Engine.AcceptBalance(ctx, by, r.Company, r.Target)
	default:
		return fmt.Errorf("%w: decision %q is none of %s, %s, %s", ErrRequest, r.Decision, DecideAdopt, DecideDistinct, DecideBalance)
	}
	if err != nil {
		return err
	}
	out.add(rec)
	return nil
}

func (o *Operator) unignore(ctx context.Context, r Request, by engine.By, out *Answer) error {
	rec, err := o.p.Engine.Unignore(ctx, by, r.target())
	if err == nil {
		out.add(rec)
	}
	return err
}

// companies are those of a request. One that can not do what is asked is an error when it is named or the only one.
func (o *Operator) companies(r Request, do func(company string) error) error {
	ids := o.p.Engine.CompanyIDs()
	if r.Company != "" {
		ids = []string{r.Company}
	}
	var refused error
	done := 0
	for _, id := range ids {
		err := do(id)
		if errors.Is(err, engine.ErrOperator) {
			refused = errors.Join(refused, err)
			continue
		}
		if err != nil {
			return err
		}
		done++
	}
	if done == 0 {
		return refused
	}
	return nil
}

func (o *Operator) pause(ctx context.Context, r Request, by engine.By, out *Answer) error {
	if by.Reason == "" {
		return fmt.Errorf("%w: reason is missing: the records that wait show it", ErrRequest)
	}
	return o.companies(r, func(company string) error {
		var err error
		if r.ReadOnly {
			err = o.p.Engine.MakeReadOnly(ctx, by, company)
		} else {
			err = o.p.Engine.Pause(ctx, by, company, r.flow())
		}
		if err == nil {
			out.Companies = append(out.Companies, company)
		}
		return err
	})
}

func (r Request) flow() string {
	if r.Flow == "" {
		return record.FlowAll
	}
	return r.Flow
}

func (o *Operator) resume(ctx context.Context, r Request, by engine.By, out *Answer) error {
	return o.companies(r, func(company string) error {
		n, err := o.p.Engine.Resume(ctx, by, company, r.flow())
		if err == nil {
			out.Companies, out.Woken = append(out.Companies, company), out.Woken+n
		}
		return err
	})
}

func (o *Operator) letters(ctx context.Context) ([]DeadLetter, error) {
	if o.p.Queue == nil {
		return nil, fmt.Errorf("%w: on Google Cloud the dead letters are in the topics' dead-letter subscriptions", engine.ErrOperator)
	}
	var out []DeadLetter
	for _, name := range []string{sync.Name, receipt.Name} {
		letters, err := o.p.Queue.DeadLetters(ctx, name, 1000)
		if err != nil {
			return nil, err
		}
		for _, l := range letters {
			out = append(out, DeadLetter{ID: l.ID, Queue: name, Key: l.Delivery.Key, Body: string(l.Delivery.Data), Attempts: l.Delivery.Attempt, DiedAt: l.Died.UTC(), Reason: l.Reason})
		}
	}
	return out, nil
}

func (o *Operator) deadLetters(ctx context.Context, _ Request, _ engine.By, out *Answer) error {
	letters, err := o.letters(ctx)
	out.DeadLetters = letters
	return err
}

func (o *Operator) deadReplay(ctx context.Context, r Request, by engine.By, out *Answer) error {
	return o.letter(ctx, r, by, out, "replay", o.p.Queue.Replay)
}

func (o *Operator) deadDiscard(ctx context.Context, r Request, by engine.By, out *Answer) error {
	return o.letter(ctx, r, by, out, "discard", o.p.Queue.Discard)
}

// letter does something with one dead letter, or with all for "all".
func (o *Operator) letter(ctx context.Context, r Request, by engine.By, out *Answer, action string, do func(context.Context, string) error) error {
	letters, err := o.letters(ctx)
	if err != nil {
		return err
	}
	for _, l := range letters {
		if r.Target != "all" && r.Target != l.ID {
			continue
		}
		if err := do(ctx, l.ID); err != nil {
			return err
		}
		out.DeadLetters = append(out.DeadLetters, l)
		note := record.Audit{Company: l.company(), Action: action, Target: "dead letter " + l.ID, Before: l.Queue + " " + l.Key + ": " + l.Reason}
		if err := o.p.Engine.Audit(context.WithoutCancel(ctx), by, note); err != nil {
			return err
		}
	}
	if len(out.DeadLetters) == 0 && r.Target != "all" {
		return fmt.Errorf("dead letter %s: %w", r.Target, engine.ErrNothing)
	}
	return nil
}

// company is the company of a dead letter's body.
func (l DeadLetter) company() string {
	var body struct {
		Company string `json:"company"`
	}
	if json.Unmarshal([]byte(l.Body), &body) != nil || body.Company == "" {
		return "unknown"
	}
	return body.Company
}

func (o *Operator) backfill(ctx context.Context, r Request, by engine.By, out *Answer) error {
	if r.Since != "" {
		if _, err := time.Parse(time.DateOnly, string(r.Since)); err != nil {
			return fmt.Errorf("%w: since %q is no date like 2026-01-31", ErrRequest, r.Since)
		}
	}
	return o.companies(r, func(company string) error {
		b, err := o.p.Engine.StartBackfill(ctx, by, company, r.Since)
		if err == nil {
			out.Backfills = append(out.Backfills, b)
		}
		return err
	})
}

// backfillStep does the next part of the backfills that are under way.
func (o *Operator) backfillStep(ctx context.Context, r Request, _ engine.By, out *Answer) error {
	ids := o.p.Engine.CompanyIDs()
	if r.Company != "" {
		ids = []string{r.Company}
	}
	for _, id := range ids {
		b, err := o.p.Engine.BackfillStep(ctx, id)
		if errors.Is(err, engine.ErrNothing) {
			continue
		}
		if err != nil {
			return err
		}
		out.Backfills = append(out.Backfills, b)
	}
	if len(out.Backfills) == 0 {
		return fmt.Errorf("no backfill is under way: %w", engine.ErrNothing)
	}
	return nil
}

// ErrorAnswer is the answer to a request that was not done. Kind is request, nothing, refused or failed.
type ErrorAnswer struct {
	Error string `json:"error"`
	Kind  string `json:"kind"`
}

// maxRequest bounds the body of an operator's request in bytes.
const maxRequest = 64 << 10

// looking lists the actions that change nothing, not even the audit.
func looking() []string { return []string{ActionDeadLetters} }

// withAction serves one action under a pattern of its own.
func withAction(action string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.SetPathValue("action", action)
		next.ServeHTTP(w, r)
	})
}

// decodeRequest reads a request strictly: a misspelt part must not be taken for an absent one.
func decodeRequest(body io.Reader) (Request, error) {
	var req Request
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil {
		return Request{}, fmt.Errorf("%w: request body: %w", ErrRequest, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Request{}, fmt.Errorf("%w: request body: something follows the request", ErrRequest)
	}
	return req, nil
}

// operator serves POST /operator/{action}. Who may call is the guard's business; the content type keeps forms out.
func (h *Host) operator() http.Handler {
	desk := NewOperator(h.p)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			server.WriteJSON(w, http.StatusUnsupportedMediaType, ErrorAnswer{"operators send a JSON body", "request"})
			return
		}
		req, err := decodeRequest(r.Body)
		if err != nil {
			server.WriteJSON(w, http.StatusBadRequest, ErrorAnswer{err.Error(), "request"})
			return
		}
		answer, err := desk.Do(r.Context(), r.PathValue("action"), req)
		if err == nil {
			server.WriteJSON(w, http.StatusOK, answer)
			return
		}
		status, kind := http.StatusBadGateway, "failed"
		switch {
		case errors.Is(err, ErrRequest):
			status, kind = http.StatusBadRequest, "request"
		case errors.Is(err, engine.ErrNothing), errors.Is(err, engine.ErrUnknownCompany):
			status, kind = http.StatusNotFound, "nothing"
		case errors.Is(err, engine.ErrOperator):
			status, kind = http.StatusConflict, "refused"
		}
		server.WriteJSON(w, status, ErrorAnswer{err.Error(), kind})
	})
}

package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
	kit "github.com/arbridge/arbridge/pkg/sandbox"
)

const clockCounter = "clock_offset" // nanoseconds

// Ref names an object by its id or by its number. In JSON it is a number or a string.
type Ref string

// RefID is a Ref to an object by its id.
func RefID(id int64) Ref { return Ref(strconv.FormatInt(id, 10)) }

// UnmarshalJSON reads a number or a string.
func (r *Ref) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err == nil {
		*r = Ref(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("reading a reference: %w", err)
	}
	*r = Ref(n)
	return nil
}

// resolve finds an object by id or, failing that, by number.
func resolve[T objects.Object](t *tx, kind string, ref Ref) (T, error) {
	if id, err := strconv.ParseInt(string(ref), 10, 64); err == nil {
		if o, ok := t.s.store.Get(kind, t.acct.Name, id).(T); ok {
			return o, nil
		}
	}
	o, ok := t.s.store.Find(kind, t.acct.Name, string(ref)).(T)
	if !ok {
		return o, wire.Missing(kind, string(ref))
	}
	return o, nil
}

// Result is what a control action did.
type Result struct {
	Kind    string          `json:"kind"` // invoice, payment, customer
	ID      int64           `json:"id"`   // 0 when nothing was made, as by a failed charge
	Number  string          `json:"number,omitempty"`
	Status  string          `json:"status"`
	Failure string          `json:"failure,omitempty"`
	Object  json.RawMessage `json:"object,omitempty"` // as the API shows it, applications included
}

func (t *tx) result(o objects.Object) Result {
	out := Result{Kind: o.Kind(), ID: o.Meta().ID, Object: wire.Encode(t.view.render(o)), Status: "active"}
	switch o := o.(type) {
	case *document:
		out.Number, out.Status = o.Number, o.status(t.view)
	case *customer:
		out.Number = o.Number
	case *payment:
		switch {
		case o.Voided:
			out.Status = "voided"
		case o.Charge != nil:
			out.Status = o.Charge.Status
		default:
			out.Status = "recorded"
		}
	}
	return out
}

// perform runs a control action as one commit. A step already done returns its recorded answer without doing it again;
// the record is part of the commit. The empty step is always done.
func perform[R any](s *Server, account, action, step string, who actor, do func(*tx) (R, error)) (R, error) {
	var out R
	acct, err := s.account(account)
	if err != nil {
		return out, err
	}
	if err := s.sweep(); err != nil {
		return out, err
	}
	err = s.write(acct, s.baseURL(nil), who, func(t *tx) error {
		name := "step:" + step
		if old, ok := s.store.Find("answer", acct.Name, name).(*recorded); ok && step != "" {
			if old.Request != action {
				return wire.Invalid("step", "step %q was already used for %s", step, old.Request)
			}
			return json.Unmarshal(old.Body, &out)
		}
		var err error
		if out, err = do(t); err != nil || step == "" {
			return err
		}
		body, err := json.Marshal(out)
		if err != nil {
			return fmt.Errorf("recording step %s: %w", step, err)
		}
		t.Put(&recorded{Head: t.newHead(), Name: name, Request: action, Status: http.StatusOK, Body: body})
		return nil
	})
	s.nudge()
	return out, err
}

// shared is the account for actions that concern the whole server.
func (s *Server) shared(account string) string {
	if account == "" {
		return s.accounts[0].Name
	}
	return account
}

// ClockMove moves the server's own time forward: to Now (unix seconds or RFC 3339) or by Advance (a Go duration).
type ClockMove struct {
	Account string `json:"account,omitempty"`
	Step    string `json:"step,omitempty"`
	Now     Ref    `json:"now,omitempty"`
	Advance string `json:"advance,omitempty"`
}

// ClockState is the server's time.
type ClockState struct {
	Now time.Time `json:"now"` // UTC
}

// MoveClock moves this server's time, not the clock it was given. It does what becomes due on the way; time never goes
// backwards.
func (s *Server) MoveClock(m ClockMove) (ClockState, error) {
	out, err := perform(s, s.shared(m.Account), "clock", m.Step, actorStaff, func(t *tx) (ClockState, error) {
		by, err := m.span(s.Now())
		if err != nil {
			return ClockState{}, err
		}
		offset := s.offset.Load() + int64(by)
		t.Count(clockCounter, offset)
		t.after = append(t.after, func() { s.offset.Store(offset) })
		return ClockState{Now: s.Now().Add(by)}, nil
	})
	if err != nil {
		return out, err
	}
	return out, s.sweep()
}

func (m ClockMove) span(now time.Time) (time.Duration, error) {
	var by time.Duration
	var err error
	switch {
	case m.Advance != "":
		by, err = time.ParseDuration(m.Advance)
	case m.Now != "":
		var at time.Time
		if unix, numErr := strconv.ParseInt(string(m.Now), 10, 64); numErr == nil {
			at = time.Unix(unix, 0)
		} else {
			at, err = time.Parse(time.RFC3339, string(m.Now))
		}
		by = at.Sub(now)
	default:
		err = fmt.Errorf("now or advance is missing")
	}
	if err != nil || by < 0 {
		return 0, wire.Invalid("now", "The clock moves forward, by now (unix seconds or RFC 3339) or by advance (such as 72h)")
	}
	return by, nil
}

// FaultSet replaces the fault rules of the vendor's API.
type FaultSet struct {
	Account string     `json:"account,omitempty"`
	Step    string     `json:"step,omitempty"`
	Seed    uint64     `json:"seed,omitempty"`
	Rules   []kit.Rule `json:"rules"`
}

// Done says that a control action without another answer was carried out.
type Done struct {
	OK bool `json:"ok"`
}

// SetFaults replaces the fault rules. They do not outlive the process.
func (s *Server) SetFaults(f FaultSet) (Done, error) {
	return perform(s, s.shared(f.Account), "faults", f.Step, actorStaff, func(*tx) (Done, error) {
		if err := s.Faults.Set(f.Seed, f.Rules...); err != nil {
			return Done{}, wire.Invalid("rules", "%v", err)
		}
		return Done{true}, nil
	})
}

// SetChaos replaces an account's disturbance of webhook deliveries; the zero Chaos ends it. It outlives a restart.
func (s *Server) SetChaos(c Chaos) (Done, error) {
	return perform(s, c.Account, "chaos", c.Step, actorStaff, func(t *tx) (Done, error) {
		for _, p := range []int{c.DuplicatePercent, c.ReorderPercent, c.DropPercent, c.WrongSignaturePercent} {
			if p < 0 || p > 100 {
				return Done{}, wire.Invalid("", "a percentage must be 0 to 100")
			}
		}
		if c.DelayMS < 0 || c.ReorderMS < 0 {
			return Done{}, wire.Invalid("", "a delay cannot be negative")
		}
		for _, id := range s.store.IDs("chaos", t.acct.Name) {
			t.Remove("chaos", id)
		}
		t.Put(&chaosSetting{Head: t.newHead(), Chaos: c})
		t.after = append(t.after, func() { s.chaos[t.acct.Name] = newChaosState(c) })
		return Done{true}, nil
	})
}

// Reset is a request to forget objects.
type Reset struct {
	Account string `json:"account,omitempty"` // empty: all accounts
	Step    string `json:"step,omitempty"`
}

// Reset removes all objects, steps and files of one account or of all, empties the journal of calls and ends all faults.
// Webhooks of the configuration stay, enabled; ids go on ascending.
func (s *Server) Reset(r Reset) (Done, error) {
	if r.Account != "" {
		if _, err := s.account(r.Account); err != nil {
			return Done{}, err
		}
	}
	return perform(s, s.shared(r.Account), "reset", r.Step, actorStaff, func(t *tx) (Done, error) {
		for _, a := range s.accounts {
			if r.Account == "" || r.Account == a.Name {
				t.wipe(a)
			}
		}
		t.after = append(t.after, s.Calls.Reset)
		return Done{true}, s.Faults.Set(0)
	})
}

func (t *tx) wipe(a *account) {
	for _, kind := range t.s.store.Kinds() {
		for _, id := range append([]int64(nil), t.s.store.IDs(kind, a.Name)...) {
			o := t.s.store.Get(kind, a.Name, id)
			if w, ok := o.(*webhook); ok && w.Configured {
				next := revise(t, w)
				next.Attr["enabled"] = true
				t.Put(next)
				continue
			}
			if f, ok := o.(*file); ok && f.Token != "" {
				t.after = append(t.after, func() { t.s.files.drop(f.Token) })
			}
			t.Remove(kind, id)
		}
		t.Count(kind+"/"+a.Name, 0)
	}
	t.after = append(t.after, func() { delete(t.s.chaos, a.Name) })
}

// Endpoint is the webhook endpoint of an account's configuration.
type Endpoint struct {
	Account string `json:"account,omitempty"`
	Step    string `json:"step,omitempty"`
	URL     string `json:"url"`
	Secret  string `json:"secret,omitempty"` // empty: the account's
}

// SetWebhook points an account's configured webhook elsewhere and enables it.
func (s *Server) SetWebhook(e Endpoint) (Done, error) {
	return perform(s, e.Account, "webhook", e.Step, actorStaff, func(t *tx) (Done, error) {
		next := &webhook{Head: t.newHead(), Configured: true, Attr: attrs{}}
		for _, id := range s.store.IDs("webhook", t.acct.Name) {
			if w, ok := s.store.Get("webhook", t.acct.Name, id).(*webhook); ok && w.Configured {
				next = revise(t, w)
			}
		}
		if err := t.fillWebhook(next, wire.Values{"url": e.URL, "secret": e.Secret, "enabled": true}); err != nil {
			return Done{}, err
		}
		t.Put(next)
		return Done{true}, nil
	})
}

// control is the control interface (invoiced-api 16.5). It is ours and never part of Invoiced.
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /_sim/portal/invoices/{ref}/view", action(s, s.View))
	mux.Handle("POST /_sim/portal/invoices/{ref}/comment", action(s, s.Comment))
	mux.Handle("POST /_sim/portal/invoices/{ref}/promise", action(s, s.Promise))
	mux.Handle("POST /_sim/portal/invoices/{ref}/acknowledge", action(s, s.Acknowledge))
	mux.Handle("POST /_sim/invoices/{ref}/void", action(s, s.VoidDocument))
	mux.Handle("POST /_sim/invoices/{ref}/delete", action(s, s.DeleteDocument))
	mux.Handle("POST /_sim/portal/customers/{ref}/profile", action(s, s.ChangeProfile))
	mux.Handle("POST /_sim/portal/payments", action(s, s.Pay))
	mux.Handle("POST /_sim/payments", action(s, s.Record))
	mux.Handle("POST /_sim/payments/{ref}/settle", action(s, s.Settle))
	mux.Handle("POST /_sim/payments/{ref}/void", action(s, s.Void))
	mux.Handle("POST /_sim/payments/{ref}/return", action(s, s.Return))
	mux.Handle("POST /_sim/payments/{ref}/dispute", action(s, s.Dispute))
	mux.Handle("POST /_sim/charges/{ref}/refund", action(s, s.Refund))
	mux.Handle("POST /_sim/customers/{ref}/merge", action(s, s.Merge))
	mux.Handle("POST /_sim/clock", action(s, s.MoveClock))
	mux.Handle("POST /_sim/faults", action(s, s.SetFaults))
	mux.Handle("POST /_sim/chaos", action(s, s.SetChaos))
	mux.Handle("POST /_sim/webhook", action(s, s.SetWebhook))
	mux.Handle("POST /_sim/reset", action(s, s.Reset))
	mux.HandleFunc("GET /_sim/clock", func(w http.ResponseWriter, _ *http.Request) {
		kit.WriteJSON(w, http.StatusOK, ClockState{Now: s.Now()})
	})
	mux.HandleFunc("GET /_sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		kit.WriteJSON(w, http.StatusOK, s.Faults.Hits())
	})
	mux.HandleFunc("GET /_sim/requests", func(w http.ResponseWriter, _ *http.Request) {
		kit.WriteJSON(w, http.StatusOK, map[string]any{"counts": s.Calls.Counts(), "requests": s.Calls.Recent()})
	})
	mux.HandleFunc("GET /_sim/pending", func(w http.ResponseWriter, _ *http.Request) {
		kit.WriteJSON(w, http.StatusOK, map[string]int{"pending": s.Pending()})
	})
	mux.HandleFunc("GET /_sim/ledger", answerAccount(s, func(name string) (any, error) { return s.Ledger(name) }))
	mux.HandleFunc("GET /_sim/emails", answerAccount(s, func(name string) (any, error) { return s.Emails(name) }))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		send(w, s.failure(wire.Missing("control action", r.Method+" "+r.URL.Path)))
	})
	return mux
}

// answerAccount serves what read returns for the account of the query.
func answerAccount(s *Server, read func(string) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := read(r.URL.Query().Get("account"))
		if err != nil {
			send(w, s.failure(err))
			return
		}
		kit.WriteJSON(w, http.StatusOK, out)
	}
}

// action serves one control action. The body is strict JSON: a misspelt key would silently do something else. account
// may also be a query parameter; {ref} of the path goes to the request's ref.
func action[Q, R any](s *Server, do func(Q) (R, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.baseURL(r)
		q, err := readAction[Q](r)
		if err != nil {
			send(w, s.failure(err))
			return
		}
		out, err := do(q)
		if err != nil {
			send(w, s.failure(err))
			return
		}
		kit.WriteJSON(w, http.StatusOK, out)
	})
}

func readAction[Q any](r *http.Request) (Q, error) {
	var q Q
	raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return q, wire.Invalid("", "The request body could not be read")
	}
	members := map[string]json.RawMessage{}
	if text := bytes.TrimSpace(raw); len(text) > 0 {
		if err := json.Unmarshal(text, &members); err != nil {
			return q, wire.Invalid("", "The request body must be a JSON object: %v", err)
		}
	}
	if members == nil { // a body of null
		members = map[string]json.RawMessage{}
	}
	for name, value := range map[string]string{"ref": r.PathValue("ref"), "account": r.URL.Query().Get("account")} {
		if value != "" {
			members[name] = wire.Encode(value)
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		return q, wire.Invalid("", "The request body must be a JSON object: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&q); err != nil {
		return q, wire.Invalid("", "%v", err)
	}
	return q, nil
}

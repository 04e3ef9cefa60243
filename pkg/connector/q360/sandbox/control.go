package sandbox

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	kit "github.com/arbridge/arbridge/pkg/sandbox"
)

const controlPrefix = "/__sandbox/"

// Batch is rows to load as they are: values must fit their columns, but no business rule runs, nothing is journalled, and
// nothing is audited. A row with a known key replaces it.
type Batch struct {
	Step     string              `json:"step,omitempty"`
	Tables   map[string][]Record `json:"tables"`
	Contents map[string][]byte   `json:"contents,omitempty"` // bytes by document number
}

// Loaded counts what a batch brought in.
type Loaded struct {
	Rows     int `json:"rows"`
	Contents int `json:"contents"`
}

// LoadRows loads a batch in one commit. Rows without a key get one; rows without a change stamp get the current time.
func (s *Server) LoadRows(in Batch) (Loaded, error) {
	return once(s, "seed", in.Step, func(t *tx) (Loaded, error) { return t.load(in) })
}

func (t *tx) load(in Batch) (Loaded, error) {
	var n Loaded
	for name, records := range in.Tables {
		tab := t.s.tables[name]
		if tab == nil {
			return n, fmt.Errorf("loading rows: table %q is unknown", name)
		}
		for i, rec := range records {
			r, err := rec.row(tab.def, t.s.quirks.ExactTimes)
			if err != nil {
				return n, fmt.Errorf("loading row %d of %s: %w", i, name, err)
			}
			if r.id() == "" {
				r.cells[tab.def.key] = t.nextKey(tab.def)
			}
			if r.def.stamp >= 0 && r.cells[r.def.stamp] == nil {
				t.stamp(r)
			}
			t.passKey(r)
			t.put(r)
			n.Rows++
		}
	}
	for no, data := range in.Contents {
		t.content(no, data)
		n.Contents++
	}
	return n, nil
}

// SeedRequest loads a named scenario, or the rows of a batch.
type SeedRequest struct {
	Batch
	Scenario string `json:"scenario,omitempty"`
}

// Seed loads a scenario of the configuration together with the given rows.
func (s *Server) Seed(in SeedRequest) (Loaded, error) {
	return once(s, "seed", in.Step, func(t *tx) (Loaded, error) {
		total, err := t.load(in.Batch)
		if err != nil || in.Scenario == "" {
			return total, err
		}
		scenario, ok := s.config.Scenarios[in.Scenario]
		if !ok {
			return total, fmt.Errorf("scenario %q is unknown", in.Scenario)
		}
		rows, err := scenario()
		if err != nil {
			return total, fmt.Errorf("making scenario %q: %w", in.Scenario, err)
		}
		n, err := t.load(rows)
		return Loaded{Rows: total.Rows + n.Rows, Contents: total.Contents + n.Contents}, err
	})
}

// StepOnly is an operation without anything else to say.
type StepOnly struct {
	Step string `json:"step,omitempty"`
}

// Reset empties the site: rows, documents, steps, quirks, grants and faults are as configured, the journal of calls is
// empty.
func (s *Server) Reset(in StepOnly) (Done, error) {
	return once(s, "reset", in.Step, func(t *tx) (Done, error) {
		for name, tab := range s.tables {
			for key := range tab.rows {
				t.write(name, key, nil)
			}
		}
		for name := range s.sequences {
			t.changes = append(t.changes, kit.Change{Kind: kindSequence, ID: name})
		}
		for no := range s.contents {
			t.changes = append(t.changes, kit.Change{Kind: kindContent, ID: no})
		}
		for step := range s.steps {
			t.changes = append(t.changes, kit.Change{Kind: kindStep, ID: step})
		}
		for _, id := range []string{settingQuirks, settingFaults} {
			t.changes = append(t.changes, kit.Change{Kind: kindSetting, ID: id})
		}
		for name := range s.users {
			t.changes = append(t.changes, kit.Change{Kind: kindSetting, ID: settingAccess + name})
		}
		t.enrol()
		t.done = append(t.done, func() {
			s.clear()
			s.tables["USERID"].apply(t.writes["USERID"])
			s.calls.Reset()
			_ = s.faults.Set(0) // no rule, no error
		})
		return Done{OK: true}, nil
	})
}

// ClockMove moves a movable clock forward.
type ClockMove struct {
	Step    string `json:"step,omitempty"`
	Advance string `json:"advance"` // such as "90m"; empty only reads the clock
}

// ClockAnswer is the time of the site.
type ClockAnswer struct {
	Now   time.Time `json:"now"`   // UTC
	Local string    `json:"local"` // as the database would store it
}

// errFixedClock is returned when the clock is not one that can be moved.
var errFixedClock = errors.New("the clock of this sandbox cannot be moved")

// MoveClock advances the clock, if it is movable.
func (s *Server) MoveClock(in ClockMove) (ClockAnswer, error) {
	return once(s, "clock", in.Step, func(*tx) (ClockAnswer, error) {
		if in.Advance != "" {
			d, err := time.ParseDuration(in.Advance)
			if err != nil || d < 0 {
				return ClockAnswer{}, fmt.Errorf("advance %q is not a duration such as 90m", in.Advance)
			}
			movable, ok := s.config.Clock.(interface{ Advance(time.Duration) })
			if !ok {
				return ClockAnswer{}, errFixedClock
			}
			movable.Advance(d)
		}
		return ClockAnswer{Now: s.config.Clock.Now(), Local: s.wall().Format(datetimeLayout)}, nil
	})
}

// control serves the control interface (q360-api 5.4).
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	handle(mux, "reset", s.Reset)
	handle(mux, "seed", s.Seed)
	handle(mux, "quirks", s.ChangeQuirks)
	handle(mux, "grants", s.SetAccess)
	handle(mux, "clock", s.MoveClock)
	handle(mux, "faults", s.SetFaults)
	handle(mux, "period", s.SetPeriod)
	handle(mux, "create-invoice", s.CreateInvoice)
	handle(mux, "post-invoice", s.PostInvoice)
	handle(mux, "unpost-invoice", s.UnpostInvoice)
	handle(mux, "change-invoice", s.ChangeInvoice)
	handle(mux, "delete-invoice", s.DeleteInvoice)
	handle(mux, "merge-invoices", s.MergeInvoices)
	handle(mux, "write-off", s.WriteOff)
	handle(mux, "native-payment", s.NativePayment)
	for name, table := range map[string]string{"change-customer": "CUSTOMER", "change-contact": "CONTACT", "change-site": "SITE"} {
		handle(mux, name, func(in Change) (KeyAnswer, error) { return s.ChangeRow(table, in) })
	}
	mux.HandleFunc("GET "+controlPrefix+"ledger", func(w http.ResponseWriter, _ *http.Request) {
		kit.WriteJSON(w, http.StatusOK, s.Ledger())
	})
	mux.HandleFunc("GET "+controlPrefix+"requests", func(w http.ResponseWriter, _ *http.Request) {
		kit.WriteJSON(w, http.StatusOK, map[string]any{"calls": s.calls.Recent(), "counts": s.calls.Counts(), "faults": s.faults.Hits()})
	})
	mux.HandleFunc("GET "+controlPrefix+"rows/{table}", s.dump)
	return mux
}

// dump answers with all rows of a table, unpadded.
func (s *Server) dump(w http.ResponseWriter, r *http.Request) {
	rows, err := s.Rows(r.PathValue("table"))
	if err != nil {
		kit.WriteJSON(w, http.StatusNotFound, map[string]string{"error": err.Error()})
		return
	}
	kit.WriteJSON(w, http.StatusOK, map[string]any{"rows": rows})
}

// Rows returns all rows of a table in key order.
func (s *Server) Rows(table string) ([]Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.tables[table] == nil {
		return nil, fmt.Errorf("table %q is unknown", table)
	}
	out := []Record{}
	for _, r := range s.all(table) {
		out = append(out, r.record())
	}
	return out, nil
}

// handle registers an operation: its request is read strictly, a refusal is answered with 422, any other bad input with
// 400.
func handle[Q, A any](mux *http.ServeMux, name string, run func(Q) (A, error)) {
	mux.HandleFunc("POST "+controlPrefix+name, func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if len(raw) == 0 {
			raw = []byte("{}")
		}
		var in Q
		if err == nil {
			err = strictJSON(raw, &in)
		}
		if err != nil {
			kit.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": fmt.Sprintf("reading the request of %s: %v", name, err)})
			return
		}
		answer, err := run(in)
		var refused *refusal
		switch {
		case errors.As(err, &refused):
			kit.WriteJSON(w, http.StatusUnprocessableEntity, map[string]string{"error": err.Error(), "referencecode": refused.reference})
		case err != nil:
			kit.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		default:
			kit.WriteJSON(w, http.StatusOK, answer)
		}
	})
}

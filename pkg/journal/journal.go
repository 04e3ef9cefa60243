// Package journal remembers every effect on a vendor under its natural key: intended before anything happens, started
// right before the call, then done, refused, or unknown. It is what makes "posted twice" impossible: an effect found
// started or unknown is looked up at the vendor, never repeated blindly (design 5).
package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/store"
)

// State is how far an effect got.
type State string

// The states of an effect.
const (
	Intended State = "intended" // decided, nothing sent
	Started  State = "started"  // the call may have been sent; after a crash it counts as unknown
	Done     State = "done"     // the vendor has it
	Unknown  State = "unknown"  // the answer was lost; to be looked up at CheckAt
	Refused  State = "refused"  // the vendor definitely did not do it
)

// Entry is one effect. Entries of money are never deleted.
type Entry struct {
	Key      string `json:"key"` // company/natural key
	Company  string `json:"company"`
	Record   string `json:"record"` // id of the sync record it belongs to
	Vendor   string `json:"vendor"` // q360, invoiced
	Op       string `json:"op"`     // create, update, delete
	Kind     string `json:"kind"`
	State    State  `json:"state"`
	Digest   string `json:"digest"` // of the step last intended
	Amount   string `json:"amount,omitempty"`
	Currency string `json:"currency,omitempty"`
	// VendorID is the vendor's id of what was made, once known.
	VendorID string `json:"vendor_id,omitempty"`
	// Attempts counts the calls sent; Checks the clear "absent" answers since the last one.
	Attempts int    `json:"attempts"`
	Checks   int    `json:"checks,omitempty"`
	Error    string `json:"error,omitempty"`
	Fence    int64  `json:"fence"` // of the record's lease under which it was last changed

	IntendedAt store.Time `json:"intended_at"`
	StartedAt  store.Time `json:"started_at,omitzero"`
	EndedAt    store.Time `json:"ended_at,omitzero"`
	CheckAt    store.Time `json:"check_at,omitzero"`

	version store.Version
}

// Open reports whether the effect may have happened without our knowing.
func (e *Entry) Open() bool { return e.State == Started || e.State == Unknown }

// Journal reads and writes entries.
type Journal struct {
	table store.Table[Entry]
	store store.Store
	clock clock.Clock
}

// New makes a journal on a store.
func New(s store.Store, c clock.Clock) *Journal {
	return &Journal{table: store.Table[Entry]{Store: s, Collection: store.Journal}, store: s, clock: c}
}

// Get reads the entry of a key; nil without an error when there is none.
func (j *Journal) Get(ctx context.Context, key string) (*Entry, error) {
	e, v, err := j.table.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e.version = v
	return &e, nil
}

// Intend records the intention. An entry of the key that is there already is returned as it is, except that a refused or
// merely intended one takes the new digest: those have happened in no way.
func (j *Journal) Intend(ctx context.Context, want Entry) (*Entry, error) {
	have, err := j.Get(ctx, want.Key)
	if err != nil {
		return nil, err
	}
	if have != nil {
		if have.State == Refused || have.State == Intended {
			return have, j.Reopen(ctx, have, want)
		}
		return have, nil
	}
	want.State, want.IntendedAt = Intended, store.At(j.clock.Now())
	want.version, err = j.table.Create(ctx, want.Key, want)
	if errors.Is(err, store.ErrExists) {
		return j.Get(ctx, want.Key) // somebody else intended it at the same moment
	}
	return &want, err
}

// Reopen makes an entry an intention again, with the new content. It is for what has not happened, and for updates, which
// may be wanted again after others; what creates something happens once for its key.
func (j *Journal) Reopen(ctx context.Context, e *Entry, want Entry) error {
	e.State, e.Digest, e.Record, e.Error, e.EndedAt = Intended, want.Digest, want.Record, "", store.Time{}
	e.Amount, e.Currency, e.Fence = want.Amount, want.Currency, want.Fence
	return j.save(ctx, e)
}

// Start marks the entry started, together with other writes that must hold at the same moment (the record's lease). When
// it returns nil the call may be made, once.
func (j *Journal) Start(ctx context.Context, e *Entry, guard ...store.Write) ([]store.Version, error) {
	e.State, e.StartedAt, e.Checks = Started, store.At(j.clock.Now()), 0
	e.Attempts++
	// A crash from here on leaves the entry started: the sweep finds it by CheckAt.
	e.CheckAt = store.At(j.clock.Now().Add(5 * time.Minute))
	w, err := j.table.Write(e.Key, *e, store.IfVersion, e.version)
	if err != nil {
		return nil, err
	}
	versions, err := j.store.Write(ctx, append([]store.Write{w}, guard...)...)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", e.Key, err)
	}
	e.version = versions[0]
	return versions[1:], nil
}

// Finish marks the entry done with the vendor's id.
func (j *Journal) Finish(ctx context.Context, e *Entry, vendorID string) error {
	e.State, e.VendorID, e.Error, e.EndedAt, e.CheckAt = Done, vendorID, "", store.At(j.clock.Now()), store.Time{}
	return j.save(ctx, e)
}

// Refuse marks the entry refused: the vendor said clearly that it did not do it.
func (j *Journal) Refuse(ctx context.Context, e *Entry, why error) error {
	e.State, e.Error, e.EndedAt, e.CheckAt = Refused, why.Error(), store.At(j.clock.Now()), store.Time{}
	return j.save(ctx, e)
}

// Lose marks the outcome unknown, to be looked up at check.
func (j *Journal) Lose(ctx context.Context, e *Entry, why error, check time.Time) error {
	e.State, e.CheckAt = Unknown, store.At(check)
	if why != nil {
		e.Error = why.Error()
	}
	return j.save(ctx, e)
}

// Absent counts a clear "it is not there" and sets the next look-up.
func (j *Journal) Absent(ctx context.Context, e *Entry, check time.Time) error {
	e.State, e.CheckAt = Unknown, store.At(check)
	e.Checks++
	return j.save(ctx, e)
}

// OfRecord lists the effects of a record, oldest first.
func (j *Journal) OfRecord(ctx context.Context, record string) ([]Entry, error) {
	rows, err := j.table.Query(ctx, store.Query{Equal: []store.Equal{{Field: "record", Value: record}}, OrderBy: "intended_at", Limit: 200})
	if err != nil {
		return nil, err
	}
	out := make([]Entry, len(rows))
	for i, r := range rows {
		out[i] = r.Value
		out[i].version = r.Version
	}
	return out, nil
}

// Overdue lists the effects of a company that are open, and whose look-up was due at or before a time.
func (j *Journal) Overdue(ctx context.Context, company string, before time.Time) ([]Entry, error) {
	var out []Entry
	for _, state := range []State{Unknown, Started} {
		const page = 200
		query := store.Query{Equal: []store.Equal{{Field: "state", Value: string(state)}}, OrderBy: "check_at", UpTo: store.At(before).Text(), Limit: page}
		for {
			rows, err := j.table.Query(ctx, query)
			if err != nil {
				return nil, err
			}
			for _, r := range rows {
				if r.Value.Company == company {
					r.Value.version = r.Version
					out = append(out, r.Value)
				}
			}
			if len(rows) < page {
				break
			}
			last := rows[page-1]
			query.After = store.Position{Value: last.Value.CheckAt.Text(), ID: last.ID}
		}
	}
	return out, nil
}

// Forget drops the vendor's words from the effects of a record that the vendor refused at or before a time, and says how
// many it changed. What decides stays for ever: key, state, digest, amounts, ids and times. An effect that may have happened
// keeps everything, and so does one that somebody changes at the same moment.
func (j *Journal) Forget(ctx context.Context, record string, before time.Time) (int, error) {
	const page = 200
	query := store.Query{Equal: []store.Equal{{Field: "record", Value: record}}, OrderBy: "intended_at", UpTo: store.At(before).Text(), Limit: page}
	changed := 0
	for {
		rows, err := j.table.Query(ctx, query)
		if err != nil {
			return changed, err
		}
		for _, r := range rows {
			e := r.Value
			if e.State != Refused || e.Error == "" || e.EndedAt.After(before) {
				continue
			}
			e.Error, e.version = "", r.Version
			switch err := j.save(ctx, &e); {
			case err == nil:
				changed++
			case !errors.Is(err, store.ErrConflict):
				return changed, err
			}
		}
		if len(rows) < page {
			return changed, nil
		}
		last := rows[page-1]
		query.After = store.Position{Value: last.Value.IntendedAt.Text(), ID: last.ID}
	}
}

func (j *Journal) save(ctx context.Context, e *Entry) error {
	v, err := j.table.Update(ctx, e.Key, *e, e.version)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	e.version = v
	return nil
}

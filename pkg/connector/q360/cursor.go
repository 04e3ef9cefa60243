package q360

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
)

const cursorVersion = 1

// The phases of a feed.
const (
	phaseBackfill = "backfill" // everything, by key
	phaseChanges  = "changes"  // by change stamp, or recent documents by key
	phaseSweep    = "sweep"    // open balances by key; all customers by key
	phaseLeft     = "left"     // documents that left the open balances, one by one
)

// The change strategies (q360-api 4.5).
const (
	strategyModdate  = "moddate"
	strategySnapshot = "snapshot"
)

// cursor is the position of a feed. It is opaque to its keeper: base64 of JSON.
type cursor struct {
	V        int          `json:"v"`
	Feed     billing.Kind `json:"feed"`
	Phase    string       `json:"phase"`
	Strategy string       `json:"strategy,omitempty"`
	Since    billing.Date `json:"since,omitempty"`
	Key      string       `json:"key,omitempty"`    // last key taken, in phases that go by key
	Track    track        `json:"track"`            // position by change stamp
	Swept    int64        `json:"swept,omitempty"`  // when the last sweep began, Unix seconds
	Day      billing.Date `json:"day,omitempty"`    // snapshot: the day whose first full pass is done
	Round    byte         `json:"round,omitempty"`  // marks what the current sweep has seen
	Open     digests      `json:"open,omitzero"`    // documents with an open balance
	Recent   digests      `json:"recent,omitzero"`  // snapshot: recent documents without one
	RRound   byte         `json:"rround,omitempty"` // as Round, for Recent
}

func (c cursor) encode() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic("q360: " + err.Error()) // plain texts and numbers always encode
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeCursor reads a cursor of a feed. One that is not ours is ClassInvalid: the remedy is to start the feed again.
func decodeCursor(s string, feed billing.Kind) (cursor, error) {
	var c cursor
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err == nil && (c.V != cursorVersion || c.Feed != feed) {
		err = fmt.Errorf("version %d of feed %q, expected version %d of feed %q", c.V, c.Feed, cursorVersion, feed)
	}
	if err != nil {
		return cursor{}, connector.NewError(connector.ClassInvalid, "reading the cursor of the "+string(feed)+" feed",
			"%w; delete the cursor to start the feed from the beginning", err)
	}
	return c, nil
}

// digests remembers what records looked like: a short digest per key, and the round of the sweep that saw it last. It
// is how a sweep tells changed records from unchanged ones without any state but the cursor.
type digests struct{ entries map[string]digest }

type digest struct {
	sum   [5]byte
	round byte
}

// maxDigests bounds the cursor. What does not fit is delivered again by each sweep: more work, never less.
const maxDigests = 20_000

func (d *digests) set(key, sum string, round byte) {
	if d.entries == nil {
		d.entries = map[string]digest{}
	}
	if _, known := d.entries[key]; !known && len(d.entries) >= maxDigests {
		return
	}
	e := digest{round: round}
	copy(e.sum[:], sum)
	d.entries[key] = e
}

// same reports whether the record is known and unchanged.
func (d *digests) same(key, sum string) bool {
	e, known := d.entries[key]
	return known && string(e.sum[:]) == sum[:len(e.sum)]
}

func (d *digests) remove(key string) { delete(d.entries, key) }

// stale lists up to n keys that the round did not see, in a stable order that means nothing.
func (d *digests) stale(round byte, n int) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(d.entries)) {
		if d.entries[key].round != round && len(out) < n {
			out = append(out, key)
		}
	}
	return out
}

// IsZero is for omitzero.
func (d digests) IsZero() bool { return len(d.entries) == 0 }

// inflaters and deflaters are kept, because they are large, a deflater most of a megabyte, and each poll reads and writes a cursor.
var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic("q360: " + err.Error()) // the level is one
	}
	return w
}}

// MarshalJSON writes the set compressed.
func (d digests) MarshalJSON() ([]byte, error) {
	var plain []byte
	for _, key := range slices.Sorted(maps.Keys(d.entries)) {
		e := d.entries[key]
		plain = binary.AppendUvarint(plain, uint64(len(key)))
		plain = append(plain, key...)
		plain = append(plain, e.sum[:]...)
		plain = append(plain, e.round)
	}
	var buf bytes.Buffer
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&buf)
	_, err := w.Write(plain)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(buf.Bytes())
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (d *digests) UnmarshalJSON(b []byte) error {
	var packed []byte
	if err := json.Unmarshal(b, &packed); err != nil {
		return err
	}
	const most = 4 << 20
	r := inflaters.Get().(io.Reader)
	defer inflaters.Put(r)
	err := r.(flate.Resetter).Reset(bytes.NewReader(packed), nil)
	var plain []byte
	if err == nil {
		plain, err = io.ReadAll(io.LimitReader(r, most))
	}
	if err != nil || len(plain) == most {
		return errors.New("the digests of the cursor are damaged")
	}
	d.entries = map[string]digest{}
	for len(plain) > 0 {
		n, used := binary.Uvarint(plain)
		if used <= 0 || n > uint64(len(plain)-used) || uint64(len(plain)-used)-n < 6 {
			return errors.New("the digests of the cursor are cut short")
		}
		plain = plain[used:]
		e := digest{round: plain[n+5]}
		copy(e.sum[:], plain[n:n+5])
		d.entries[string(plain[:n])] = e
		plain = plain[n+6:]
	}
	return nil
}

package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	kit "github.com/arbridge/arbridge/pkg/sandbox"
	"github.com/shopspring/decimal"
)

// Kinds of objects in the state log.
const (
	rowPrefix    = "row." // followed by the table's name
	kindSequence = "sequence"
	kindContent  = "content"
	kindStep     = "step"
	kindSetting  = "setting"
)

// actor is who a transaction runs for.
type actor struct {
	name  string
	clerk bool // a person at the site: every right
	user  User
}

func (a actor) has(right string) bool {
	return a.clerk || slices.Contains(a.user.Rights, right)
}

// clerk is a person at the site.
func clerk() actor { return actor{name: "CLERK", clerk: true} }

// tx is one transaction. It reads its own writes; nothing shows outside before commit. The server's write lock is held
// for its whole life.
type tx struct {
	s         *Server
	actor     actor
	now       time.Time // wall clock time of the server
	writes    map[string]map[string]*row
	sequences map[string]int64
	changes   []kit.Change    // beside rows and sequences
	receipts  map[string]bool // headers whose sum is checked at the end
	done      []func()        // run after the commit
}

func (s *Server) begin(a actor) *tx {
	return &tx{s: s, actor: a, now: s.wall(), writes: map[string]map[string]*row{}, sequences: map[string]int64{}, receipts: map[string]bool{}}
}

// today is midnight of the server's current day.
func (t *tx) today() time.Time { return t.now.Truncate(24 * time.Hour) }

func (t *tx) get(table, key string) *row {
	key = fold(key)
	if r, written := t.writes[table][key]; written {
		return r
	}
	return t.s.tables[table].rows[key]
}

func (t *tx) put(r *row) { t.write(r.def.name, r.key(), r) }

func (t *tx) remove(r *row) { t.write(r.def.name, r.key(), nil) }

func (t *tx) write(table, key string, r *row) {
	if t.writes[table] == nil {
		t.writes[table] = map[string]*row{}
	}
	t.writes[table][key] = r
}

// where returns the rows with a value in a column, in key order.
func (t *tx) where(table, column string, value cell) []*row {
	tab := t.s.tables[table]
	c := condition{col: tab.def.mustAt(column), op: "=", want: value}
	found, _ := tab.find(query{conditions: []condition{c}})
	written := t.writes[table]
	if len(written) == 0 {
		return found
	}
	found = slices.DeleteFunc(found, func(r *row) bool { _, ok := written[r.key()]; return ok })
	for _, r := range written {
		if r != nil && c.holds(r) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *row) int { return compareCells(a.cells[a.def.key], b.cells[b.def.key]) })
	return found
}

// nextKey generates the next free key of a table.
func (t *tx) nextKey(d *definition) cell {
	n, ok := t.sequences[d.name]
	if !ok {
		n = max(t.s.sequences[d.name], d.firstNo)
	}
	for {
		n++
		key := fmt.Sprintf(d.numbering, n)
		if t.get(d.name, key) != nil {
			continue
		}
		t.sequences[d.name] = n
		if d.columns[d.key].kind() == kindNumber {
			return decimal.New(n, 0)
		}
		return key
	}
}

var trailingDigits = regexp.MustCompile(`[0-9]{1,12}$`)

// passKey moves the table's sequence behind a key that was given, so that generated keys stay growing.
func (t *tx) passKey(r *row) {
	n, err := strconv.ParseInt(trailingDigits.FindString(r.id()), 10, 64)
	if err != nil || fmt.Sprintf(r.def.numbering, n) != r.id() {
		return
	}
	t.sequences[r.def.name] = max(n, t.sequences[r.def.name], t.s.sequences[r.def.name])
}

// stamp sets the change stamp.
func (t *tx) stamp(r *row) {
	if r.def.stamp >= 0 {
		r.cells[r.def.stamp] = roundTime(t.now, t.s.quirks.ExactTimes)
	}
}

// audit records who did what to a row (q360-api 5.3 rule 9).
func (t *tx) audit(r *row, action string) {
	d := t.s.tables["AUDITLOG"].def
	entry := newRow(d)
	entry.cells[d.key] = t.nextKey(d)
	entry.set("TABLENAME", r.def.name)
	entry.set("LINKNO", r.id())
	entry.set("ACTION", action)
	entry.set("DATE", roundTime(t.now, t.s.quirks.ExactTimes))
	entry.set("USERID", t.actor.name)
	t.put(entry)
}

// content stores the bytes of a document.
func (t *tx) content(documentNo string, data []byte) {
	t.changes = append(t.changes, kit.Change{Kind: kindContent, ID: fold(documentNo), Data: base64.StdEncoding.EncodeToString(data)})
	t.done = append(t.done, func() { t.s.contents[fold(documentNo)] = data })
}

// check runs what can only be known when all records of a call are in.
func (t *tx) check() error {
	for _, no := range slices.Sorted(maps.Keys(t.receipts)) {
		if r := t.get("CASHRECEIPT", no); r != nil && r.amount("UNAPPLIED").Sign() < 0 {
			return refuse("ReceiptExceeded", "The items of receipt %s exceed its amount %s.", r.id(), r.amount("AMOUNT").StringFixed(2))
		}
	}
	return nil
}

// commit makes the transaction durable and then visible.
func (t *tx) commit() error {
	if err := t.check(); err != nil {
		return err
	}
	var changes []kit.Change
	for _, table := range slices.Sorted(maps.Keys(t.writes)) {
		writes := t.writes[table]
		for _, key := range slices.Sorted(maps.Keys(writes)) {
			c := kit.Change{Kind: rowPrefix + table, ID: key}
			if r := writes[key]; r != nil {
				c.Data = r.record()
			}
			changes = append(changes, c)
		}
	}
	for _, table := range slices.Sorted(maps.Keys(t.sequences)) {
		changes = append(changes, kit.Change{Kind: kindSequence, ID: table, Data: t.sequences[table]})
	}
	if err := t.s.log.Commit(append(changes, t.changes...)...); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	for table, writes := range t.writes {
		t.s.tables[table].apply(writes)
	}
	maps.Copy(t.s.sequences, t.sequences)
	for _, f := range t.done {
		f()
	}
	return nil
}

// setting stores a value that outlives the process.
func (t *tx) setting(id string, v any) {
	t.changes = append(t.changes, kit.Change{Kind: kindSetting, ID: id, Data: v})
}

// doneStep is a control operation that was carried out under a step key.
type doneStep struct {
	Operation string          `json:"operation"`
	Answer    json.RawMessage `json:"answer"`
}

// once runs a control operation as one transaction. A step key that was seen before returns the answer of the first
// time; the key is recorded in the operation's own commit.
func once[A any](s *Server, operation, step string, run func(*tx) (A, error)) (A, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var answer A
	if past, ok := s.steps[step]; ok && step != "" {
		if past.Operation != operation {
			return answer, fmt.Errorf("step %q was a %s before, now it is a %s: use another key", step, past.Operation, operation)
		}
		if err := json.Unmarshal(past.Answer, &answer); err != nil {
			return answer, fmt.Errorf("reading the answer of step %q: %w", step, err)
		}
		return answer, nil
	}
	t := s.begin(clerk())
	answer, err := run(t)
	if err != nil {
		return answer, err
	}
	if step != "" {
		raw, err := json.Marshal(answer)
		if err != nil {
			return answer, fmt.Errorf("recording step %q: %w", step, err)
		}
		past := doneStep{Operation: operation, Answer: raw}
		t.changes = append(t.changes, kit.Change{Kind: kindStep, ID: step, Data: past})
		t.done = append(t.done, func() { s.steps[step] = past })
	}
	return answer, t.commit()
}

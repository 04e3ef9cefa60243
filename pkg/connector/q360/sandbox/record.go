package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// writeRequest is the jsonRequest of a create, update or delete.
type writeRequest struct {
	GridData struct {
		Record []map[string]any `json:"record"`
	} `json:"griddata"`
}

// batch is a write call: the same operation on each record.
type batch struct {
	def     *definition
	proc    string
	records []map[string]any
	dry     bool // everything but the commit
	run     func(t *tx, rec map[string]any) (*row, error)
}

// readBatch reads the parts that all writes share.
func (c *call) readBatch(action string) (batch, error) {
	name, _ := c.part("_tablename")
	name = strings.ToUpper(strings.TrimSpace(name))
	b := batch{def: c.s.definition(name), proc: name + "_Record_" + action}
	raw, err := c.jsonRequest()
	if err != nil {
		return b, err
	}
	if b.def == nil {
		return b, c.user.notPermitted(name)
	}
	if b.def.viewOf != "" {
		return b, refuse("NotATable", "%s is not a table.", name)
	}
	if err := c.user.mayEdit(b.def); err != nil {
		return b, err
	}
	var request writeRequest
	if err := decodeJSON(raw, &request); err != nil || len(request.GridData.Record) == 0 {
		return b, refuse("RequestInvalid", "jsonRequest must hold griddata.record with at least one record.")
	}
	b.records = request.GridData.Record
	return b, nil
}

func (c *call) isSet(part string) bool {
	v, _ := c.part(part)
	return strings.EqualFold(strings.TrimSpace(v), "Y")
}

// createRecords answers PUT /api/Record.
func (c *call) createRecords() {
	b, err := c.readBatch("Create")
	if err != nil {
		c.fail(err, b.proc, nil)
		return
	}
	b.dry = c.isSet("_preview")
	b.run = func(t *tx, rec map[string]any) (*row, error) { return t.create(b.def, rec) }
	c.execute(b)
}

// updateRecords answers PATCH /api/Record. A record without its key becomes a new row (q360-api 1.4).
func (c *call) updateRecords() {
	b, err := c.readBatch("Save")
	if err != nil {
		c.fail(err, b.proc, nil)
		return
	}
	b.run = func(t *tx, rec map[string]any) (*row, error) {
		key, given := recordKey(b.def, rec)
		switch {
		case given:
			return t.update(b.def, key, rec)
		case c.quirks.RefuseKeylessPatch:
			return nil, refuse("KeyMissing", "The key %s is missing.", b.def.keyName())
		}
		return t.create(b.def, rec)
	}
	c.execute(b)
}

// deleteRecords answers DELETE /api/Record.
func (c *call) deleteRecords() {
	b, err := c.readBatch("Delete")
	if err != nil {
		c.fail(err, b.proc, nil)
		return
	}
	b.dry = c.isSet("ValidateOnly")
	b.run = func(t *tx, rec map[string]any) (*row, error) {
		key, given := recordKey(b.def, rec)
		if !given {
			return nil, refuse("KeyMissing", "The key %s is missing.", b.def.keyName())
		}
		return nil, t.delete(b.def, key)
	}
	c.execute(b)
}

// recordKey finds the key in a record, in whatever case its name is.
func recordKey(d *definition, rec map[string]any) (string, bool) {
	for name, v := range rec {
		if d.at(name) != d.key {
			continue
		}
		text, given, err := plain(v)
		text = strings.TrimSpace(text)
		return text, given && err == nil && text != ""
	}
	return "", false
}

// execute runs the batch as one transaction, or as one per record where the site is set to keep what came before a bad
// record, and answers.
func (c *call) execute(b batch) {
	rows, err := c.transact(b)
	outvars := map[string]string{}
	if !b.dry && len(rows) > 0 {
		outvars = c.outvars(b.def, rows)
	}
	if err != nil {
		c.fail(err, b.proc, outvars)
		return
	}
	shown := []*row{}
	if c.isSet("_outputdata") {
		for _, r := range rows {
			if b.dry {
				r = r.clone()
				r.cells[b.def.key] = nil
			}
			shown = append(shown, r)
		}
	}
	columns, _ := listRequest{}.columns(b.def, c.quirks) // no names, no error
	c.ok(c.records(encodeRows(b.def, columns, shown, c.quirks)), outvars)
}

func (c *call) transact(b batch) ([]*row, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	as := actor{name: strings.ToUpper(c.user.Name), user: c.user}
	var rows []*row
	t := c.s.begin(as)
	for i, rec := range b.records {
		r, err := b.run(t, rec)
		if err == nil && c.quirks.PartialCreate && !b.dry {
			if err = t.commit(); err == nil {
				t = c.s.begin(as)
			}
		}
		if err != nil {
			if !c.quirks.PartialCreate {
				rows = nil
			}
			return rows, numbered(err, i, len(b.records))
		}
		if r != nil {
			rows = append(rows, r)
		}
	}
	if b.dry {
		return rows, t.check()
	}
	if err := t.commit(); err != nil {
		return nil, err
	}
	for i, r := range rows { // later records may have changed earlier rows
		if latest := c.s.tables[b.def.name].rows[r.key()]; latest != nil {
			rows[i] = latest
		}
	}
	return rows, nil
}

// numbered adds the position of the bad record to the message of a call with several.
func numbered(err error, i, n int) error {
	r, ok := err.(*refusal)
	if !ok || n < 2 {
		return err
	}
	out := *r
	out.message = fmt.Sprintf("Record %d: %s", i+1, r.message)
	return &out
}

// outvars are the keys and the tokens of a write.
func (c *call) outvars(d *definition, rows []*row) map[string]string {
	keys := make([]string, len(rows))
	digest := sha256.New()
	for i, r := range rows {
		keys[i] = d.columns[d.key].format(r.cells[d.key], c.quirks.TrimChar)
		for col, v := range r.cells {
			fmt.Fprintf(digest, "%d=%s;", col, d.columns[col].format(v, true))
		}
	}
	sum := hex.EncodeToString(digest.Sum(nil))
	return map[string]string{"primarykey": strings.Join(keys, ","), "_editguid": sum[:32], "reverttoken": sum[32:]}
}

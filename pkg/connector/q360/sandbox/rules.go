package sandbox

import (
	"maps"
	"slices"
	"strings"
)

// rules are the stored procedures of one table.
type rules struct {
	readOnly []string                          // columns that only the server writes
	defaults func(t *tx, r *row) error         // of a new row, before mandatory columns are checked
	check    func(t *tx, old, next *row) error // old is nil for a new row
	after    func(t *tx, old, next *row) error // effects on other rows
	remove   func(t *tx, old *row) error       // refusal or cascade
}

// businessRules are the procedures of all tables that have any (q360-api 5.3).
func businessRules() map[string]rules {
	return map[string]rules{
		"INVOICE": {
			readOnly: []string{"PRTID", "POSTDATE", "BALANCE", "PAIDAMOUNT", "PAIDDATE", "WRITEOFFAMOUNT"},
			defaults: invoiceDefaults, check: checkInvoice, after: afterInvoice, remove: removeInvoice,
		},
		"INVOICEITEM":     {defaults: lineDefaults, check: checkLine, remove: removeLine},
		"CASHRECEIPT":     {readOnly: []string{"UNAPPLIED", "STATUS", "USERID"}, defaults: receiptDefaults, check: checkReceipt, after: afterReceipt, remove: keepReceipt},
		"CASHRECEIPTITEM": {defaults: itemDefaults, check: checkItem, after: afterItem, remove: keepReceipt},
		"CONTACTHISTORY":  {defaults: historyDefaults},
		"ARJOURNAL":       {check: refuseJournal, remove: func(t *tx, _ *row) error { return refuseJournal(t, nil, nil) }},
		"AUDITLOG":        {check: refuseJournal, remove: func(t *tx, _ *row) error { return refuseJournal(t, nil, nil) }},
	}
}

func refuseJournal(*tx, *row, *row) error {
	return refuse("JournalReadOnly", "Journals are written by the server only.")
}

func historyDefaults(t *tx, r *row) error {
	r.setDefault("DATE", roundTime(t.now, t.s.quirks.ExactTimes))
	r.setDefault("USERID", t.actor.name)
	return nil
}

// fill puts the given values into the row and returns the positions it set.
func (t *tx) fill(r *row, rec map[string]any) ([]int, error) {
	var given []int
	for _, name := range slices.Sorted(maps.Keys(rec)) {
		i := r.def.at(name)
		if i < 0 {
			return nil, invalidColumn(name)
		}
		v, err := r.def.columns[i].parse(rec[name], t.s.quirks.ExactTimes)
		if err != nil {
			return nil, err
		}
		r.cells[i] = v
		given = append(given, i)
	}
	return given, nil
}

// create runs <Table>_Record_Create.
func (t *tx) create(d *definition, rec map[string]any) (*row, error) {
	r := newRow(d)
	given, err := t.fill(r, rec)
	if err != nil {
		return nil, err
	}
	if r.id() == "" {
		r.cells[d.key] = t.nextKey(d)
	} else if t.get(d.name, r.key()) != nil {
		return nil, refuse("DuplicateKey", "Violation of PRIMARY KEY constraint of %s: %s.", d.name, r.id()).number("2627")
	} else {
		t.passKey(r)
	}
	rule := t.s.rules[d.name]
	wanted := r.clone()
	for _, name := range rule.readOnly {
		r.set(name, nil)
	}
	if rule.defaults != nil {
		if err := rule.defaults(t, r); err != nil {
			return nil, err
		}
	}
	if err := refuseReadOnly(rule, wanted, r, given); err != nil {
		return nil, err
	}
	t.stamp(r)
	if err := t.store(rule, nil, r, "CREATED"); err != nil {
		return nil, err
	}
	return t.get(d.name, r.key()), nil
}

// update runs <Table>_Record_Save: columns that are not given stay.
func (t *tx) update(d *definition, key string, rec map[string]any) (*row, error) {
	old := t.get(d.name, key)
	if old == nil {
		return nil, refuse("RecordNotFound", "Record %s of %s does not exist.", key, d.name)
	}
	next := old.clone()
	given, err := t.fill(next, rec)
	if err != nil {
		return nil, err
	}
	next.cells[d.key] = old.cells[d.key]
	rule := t.s.rules[d.name]
	if err := refuseReadOnly(rule, next, old, given); err != nil {
		return nil, err
	}
	if !t.actor.clerk {
		if err := t.actor.user.mayEdit(d, old); err != nil {
			return nil, err
		}
	}
	t.stamp(next)
	if err := t.store(rule, old, next, "MODIFIED"); err != nil {
		return nil, err
	}
	return t.get(d.name, next.key()), nil
}

// refuseReadOnly refuses given values that differ from what the server puts into its own columns.
func refuseReadOnly(rule rules, wanted, actual *row, given []int) error {
	for _, name := range rule.readOnly {
		i := actual.def.mustAt(name)
		if slices.Contains(given, i) && compareCells(wanted.cells[i], actual.cells[i]) != 0 {
			return refuse("ReadOnlyColumn", "Column %s is maintained by the server.", name)
		}
	}
	return nil
}

// store checks a new or changed row and writes it with its effects.
func (t *tx) store(rule rules, old, next *row, action string) error {
	if err := t.checkColumns(old, next); err != nil {
		return err
	}
	if !t.actor.clerk {
		if err := t.actor.user.mayEdit(next.def, next); err != nil {
			return err
		}
	}
	if rule.check != nil {
		if err := rule.check(t, old, next); err != nil {
			return err
		}
	}
	t.put(next)
	t.audit(next, action)
	if rule.after != nil {
		return rule.after(t, old, next)
	}
	return nil
}

// checkColumns checks mandatory columns and references; a reference that did not change is not looked at again.
func (t *tx) checkColumns(old, next *row) error {
	for i, c := range next.def.columns {
		v := next.cells[i]
		blank := v == nil || v == ""
		if blank && c.mandatory {
			return refuse("MandatoryField", "Field %s is mandatory.", c.name)
		}
		if blank || c.related == "" || (old != nil && compareCells(old.cells[i], v) == 0) {
			continue
		}
		if t.get(c.related, c.format(v, true)) == nil {
			return refuse("InvalidReference", "%s %s does not exist in %s.", c.name, c.format(v, true), c.related)
		}
	}
	return nil
}

// delete runs <Table>_Record_Delete; rows that other rows refer to stay (q360-api 1.4).
func (t *tx) delete(d *definition, key string) error {
	old := t.get(d.name, key)
	if old == nil {
		return refuse("RecordNotFound", "Record %s of %s does not exist.", key, d.name)
	}
	if !t.actor.clerk {
		if err := t.actor.user.mayEdit(d, old); err != nil {
			return err
		}
	}
	if rule := t.s.rules[d.name]; rule.remove != nil {
		if err := rule.remove(t, old); err != nil {
			return err
		}
	}
	if user := t.referrer(old); user != "" {
		return refuse("RecordInUse", "The DELETE statement conflicted with the REFERENCE constraint: %s is used by %s.", old.id(), user).number("547")
	}
	t.remove(old)
	t.audit(old, "DELETED")
	return nil
}

// referrer names a table with a row that refers to r.
func (t *tx) referrer(r *row) string {
	for _, name := range slices.Sorted(maps.Keys(t.s.tables)) {
		for _, c := range t.s.tables[name].def.columns {
			if c.related == r.def.name && len(t.where(name, c.name, r.id())) > 0 {
				return name
			}
		}
	}
	return ""
}

// fields turns a control interface's record into what create and update take.
func (rec Record) fields() map[string]any {
	out := make(map[string]any, len(rec))
	for k, v := range rec {
		out[strings.ToUpper(k)] = v
	}
	return out
}

package sandbox

import (
	"maps"
	"net/http"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

// note is an internal note on a customer or an invoice (invoiced-api 7.2).
type note struct {
	objects.Head
	Customer int64 `json:"customer,omitempty"`
	Invoice  int64 `json:"invoice,omitempty"`
	Attr     attrs `json:"attr"`
}

// Kind implements objects.Object.
func (*note) Kind() string { return "note" }

// Owners lists the note under its customer or invoice.
func (n *note) Owners() []int64 { return []int64{max(n.Customer, n.Invoice)} }

func (n *note) attributes() attrs { return n.Attr }

// Clone implements objects.Object.
func (n *note) Clone() objects.Object {
	next := *n
	next.Attr = maps.Clone(n.Attr)
	return &next
}

func noteSchema() *schema {
	fields := append(head("note"),
		field{name: "notes", kind: longText},
		link("customer", "customer", func(_ *view, n *note) any { return nullable(n.Customer) }),
		link("invoice", "invoice", func(_ *view, n *note) any { return nullable(n.Invoice) }),
		show("customer_id", func(_ *view, n *note) any { return nullable(n.Customer) }),
		show("user", func(*view, *note) any { return actorAPI.render() }),
		fixed("user_id", int64(actorAPI)),
	)
	return newSchema("note", []string{"invoice_id"}, append(fields, tail()...)...)
}

// task is a to-do of the vendor's staff (invoiced-api 7.3).
type task struct {
	objects.Head
	Attr attrs `json:"attr"`
}

// Kind implements objects.Object.
func (*task) Kind() string { return "task" }

// Owners lists the task under its customer.
func (k *task) Owners() []int64 { return []int64{k.Attr.whole("customer_id")} }

func (k *task) attributes() attrs { return k.Attr }

// Clone implements objects.Object.
func (k *task) Clone() objects.Object {
	next := *k
	next.Attr = maps.Clone(k.Attr)
	return &next
}

func taskSchema() *schema {
	fields := append(head("task"),
		field{name: "name", kind: shortText},
		field{name: "action", kind: shortText, oneOf: []string{"phone", "letter", "email", "review"}},
		field{name: "customer_id", kind: whole},
		field{name: "user_id", kind: whole},
		field{name: "due_date", kind: whole},
		field{name: "complete", kind: flag, def: false},
		field{name: "completed_date", kind: whole},
		field{name: "completed_by_user_id", kind: whole},
		field{name: "chase_step_id", kind: whole},
	)
	return newSchema("task", nil, append(fields, tail()...)...)
}

func noteEndpoints() []endpoint {
	return []endpoint{
		{pattern: "POST /notes", do: func(c *call) (*answer, error) { return createNote(c, c.body) }},
		{pattern: "GET /notes", do: func(c *call) (*answer, error) {
			return c.list(listing{kind: "note", ids: c.s.store.IDs("note", c.acct.Name)})
		}},
		{pattern: "GET /notes/{id}", do: showOne[*note]("note")},
		{pattern: "PATCH /notes/{id}", do: updateNote},
		{pattern: "DELETE /notes/{id}", do: removeOne[*note]("note")},
		{pattern: "GET /customers/{id}/notes", do: func(c *call) (*answer, error) { return listOwned(c, "note") }},
		{pattern: "GET /invoices/{id}/notes", do: func(c *call) (*answer, error) {
			o, err := find[*document](c, "invoice")
			if err != nil {
				return nil, err
			}
			return c.list(listing{kind: "note", ids: c.s.store.Owned("note", o.ID)})
		}},
		{pattern: "POST /invoices/{id}/notes", do: func(c *call) (*answer, error) {
			o, err := find[*document](c, "invoice")
			if err != nil {
				return nil, err
			}
			in := maps.Clone(c.body)
			in["invoice_id"] = jsonNumber(o.ID)
			return createNote(c, in)
		}},
		{pattern: "POST /tasks", do: saveTask},
		{pattern: "GET /tasks", do: func(c *call) (*answer, error) {
			return c.list(listing{kind: "task", ids: c.s.store.IDs("task", c.acct.Name)})
		}},
		{pattern: "GET /tasks/{id}", do: showOne[*task]("task")},
		{pattern: "PATCH /tasks/{id}", do: saveTask},
		{pattern: "DELETE /tasks/{id}", do: removeOne[*task]("task")},
	}
}

// showOne answers with the object of the path.
func showOne[T objects.Object](kind string) func(*call) (*answer, error) {
	return func(c *call) (*answer, error) {
		o, err := find[T](c, kind)
		if err != nil {
			return nil, err
		}
		return c.object(http.StatusOK, o), nil
	}
}

// removeOne deletes the object of the path.
func removeOne[T objects.Object](kind string) func(*call) (*answer, error) {
	return func(c *call) (*answer, error) {
		o, err := find[T](c, kind)
		if err != nil {
			return nil, err
		}
		c.t.deleted(o)
		return noContent(), nil
	}
}

func createNote(c *call, in wire.Values) (*answer, error) {
	o := &note{Head: c.t.newHead(), Attr: attrs{}}
	if err := c.s.schemas["note"].apply(o.Attr, in, c.s.opt); err != nil {
		return nil, err
	}
	if o.Attr.text("notes") == "" {
		return nil, wire.Invalid("notes", "notes is missing")
	}
	cust, err := in.Integer("customer_id")
	if err != nil {
		return nil, err
	}
	inv, err := in.Integer("invoice_id")
	if err != nil {
		return nil, err
	}
	switch {
	case (cust == nil) == (inv == nil):
		return nil, wire.Invalid("", "Give exactly one of customer_id and invoice_id")
	case cust != nil:
		if _, err := get[*customer](c.t, "customer", *cust); err != nil {
			return nil, wire.Invalid("customer_id", "No such customer: %d", *cust)
		}
		o.Customer = *cust
	default:
		if _, err := get[*document](c.t, "invoice", *inv); err != nil {
			return nil, wire.Invalid("invoice_id", "No such invoice: %d", *inv)
		}
		o.Invoice = *inv
	}
	c.t.created(o)
	return c.object(http.StatusCreated, o), nil
}

func updateNote(c *call) (*answer, error) {
	old, err := find[*note](c, "note")
	if err != nil {
		return nil, err
	}
	next := revise(c.t, old)
	if err := c.s.schemas["note"].apply(next.Attr, c.body, c.s.opt); err != nil {
		return nil, err
	}
	if next.Attr.text("notes") == "" {
		return nil, wire.Invalid("notes", "notes is missing")
	}
	c.t.updated(next)
	return c.object(http.StatusOK, next), nil
}

// saveTask creates or, when the path names one, updates a task.
func saveTask(c *call) (*answer, error) {
	status, next := http.StatusCreated, &task{Head: c.t.newHead(), Attr: attrs{}}
	var old *task
	if c.r.PathValue("id") != "" {
		var err error
		if old, err = find[*task](c, "task"); err != nil {
			return nil, err
		}
		status, next = http.StatusOK, revise(c.t, old)
	}
	if err := c.s.schemas["task"].apply(next.Attr, c.body, c.s.opt); err != nil {
		return nil, err
	}
	for _, name := range []string{"name", "action"} {
		if next.Attr.text(name) == "" {
			return nil, wire.Invalid(name, "%s is missing", name)
		}
	}
	if id := next.Attr.whole("customer_id"); id != 0 && c.s.store.Get("customer", c.acct.Name, id) == nil {
		return nil, wire.Invalid("customer_id", "No such customer: %d", id)
	}
	if old == nil {
		c.t.created(next)
		return c.object(status, next), nil
	}
	c.t.updated(next)
	if next.Attr.flag("complete", false) && !old.Attr.flag("complete", false) {
		c.t.emit("task.completed", next, nil)
	}
	return c.object(status, next), nil
}

package plan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/settings"
)

// customerCase is the input of a case about a customer or its contacts.
type customerCase struct {
	Source json.RawMessage   `json:"source"`
	Known  string            `json:"known"`  // older: written before from another source; same: from this one
	Before json.RawMessage   `json:"before"` // the settings under which it was created, when Known
	Plain  bool              `json:"plain"`  // nothing is remembered of its fields
	Unread bool              `json:"unread"`
	Found  []json.RawMessage `json:"found"`  // customers with the number, on top of what would be created
	Tagged []json.RawMessage `json:"tagged"` // customers with our metadata, on top of what would be created; absent: not looked for
	Dest   json.RawMessage   `json:"dest"`
	Gone   bool              `json:"gone"` // deleted in the portal

	// Of contacts: those of the ERP before, which were created as 501, 502 and so on, and what became of them.
	Synced  bool                       `json:"synced"`
	Changed map[string]json.RawMessage `json:"changed"` // portal contacts by id; null deletes one
	Others  []billing.PortalContact    `json:"others"`  // made by other people
	Kept    map[string]string          `json:"kept"`    // what sandbox mode replaced before
}

func (c customerCase) source(t *testing.T) billing.Customer {
	src := customer()
	if bytes.Contains(c.Source, []byte(`"contacts"`)) {
		src.Contacts = nil
	}
	merged(t, c.Source, &src)
	return src
}

// created is the usual customer as it was created, and what is remembered of it.
func (c customerCase) created(t *testing.T) (billing.PortalCustomer, plan.Memory) {
	in := plan.CustomerInput{Source: customer(), Settings: settingsWith(t, c.Before), Looked: true}
	got := *plan.Customer(in).Steps[0].Customer
	got.ID = "77"
	return got, plan.CustomerMemory(in)
}

func customerDecision(t *testing.T, d decision) outcome {
	var c customerCase
	merged(t, d.Input, &c)
	have, memory := c.created(t)
	there := func(all []json.RawMessage) (out []billing.PortalCustomer) {
		for _, raw := range all {
			h := have
			h.Metadata = map[string]string{plan.MetaID: "C1"}
			merged(t, raw, &h)
			out = append(out, h)
		}
		return out
	}
	in := plan.CustomerInput{Source: c.source(t), Settings: settingsWith(t, d.Settings), Looked: !c.Unread, Found: there(c.Found)}
	in.Tagged, in.TagsLooked = there(c.Tagged), c.Tagged != nil
	if c.Known != "" {
		in.Known = plan.Known{PortalID: "77", Fingerprint: c.Known}
		if c.Known == "same" {
			in.Known.Fingerprint = in.Source.Fingerprint()
		}
		if in.Memory = memory.With(c.Kept); c.Plain {
			in.Memory = nil
		}
		if !c.Gone {
			merged(t, c.Dest, &have)
			in.Dest = &have
		}
	}
	p := plan.Customer(in)
	checkRecipients(t, in.Settings, p)
	return outcomeOf(p, customerLines)
}

// checkRecipients: in sandbox mode no step stores any other address than the safe one (F17).
func checkRecipients(t testing.TB, set settings.Company, p plan.Plan) {
	t.Helper()
	if set.Mode != settings.ModeSandbox {
		return
	}
	for _, s := range p.Steps {
		emails := []string{}
		switch {
		case s.Customer != nil:
			emails = append(emails, s.Customer.Email)
		case s.Patch != nil && s.Patch.Email != nil:
			emails = append(emails, *s.Patch.Email)
		case s.Contact != nil && s.Op != plan.OpDelete:
			emails = append(emails, s.Contact.Email)
		}
		for _, e := range emails {
			if e != "" && e != set.SafeEmail {
				t.Fatalf("step %s would store %s", s.Key, e)
			}
		}
	}
}

func customerLines(s plan.Step) []string {
	head := fmt.Sprintf("%s %s", s.Op, s.Kind)
	var parts []string
	add := func(name string, value *string) {
		if value != nil {
			parts = append(parts, fmt.Sprintf("%s %q", name, *value))
		}
	}
	flag := func(name string, value *bool) {
		if value != nil {
			parts = append(parts, fmt.Sprintf("%s %v", name, *value))
		}
	}
	switch {
	case s.Customer != nil:
		c := s.Customer
		head += " " + c.Number
		parts = append(parts, fmt.Sprintf("name %q, e-mail %q, terms %q, phone %q, %s, in %s", c.Name, c.Email, c.Terms, c.Phone, c.Currency, c.Address.Line1),
			fmt.Sprintf("reminders %v, AutoPay %v", c.Chase, c.AutoPay))
	case s.Patch != nil:
		p := s.Patch
		head += " " + s.Target
		add("name", p.Name)
		add("e-mail", p.Email)
		add("terms", p.Terms)
		add("phone", p.Phone)
		flag("reminders", p.Chase)
		flag("AutoPay", p.AutoPay)
		if p.Address != nil {
			parts = append(parts, "address "+p.Address.Line1+", "+p.Address.City)
		}
	case s.Contact != nil:
		c := s.Contact
		head += strings.TrimRight(" "+s.Target+" "+c.ID, " ")
		parts = append(parts, fmt.Sprintf("%q <%s> %q %q primary %v", c.Name, c.Email, c.Title, c.Phone, c.Primary))
	}
	return []string{head + ": " + strings.Join(parts, "; ")}
}

func TestCustomerTables(t *testing.T) { runTables(t, "customer", 15, customerDecision) }

// contactState is the state of contacts after the usual ones were created under earlier settings.
func (c customerCase) contactState(t *testing.T, in *plan.ContactsInput) {
	in.Known, in.Memory = map[string]string{}, plan.Memory{}
	if c.Synced {
		before := settingsWith(t, c.Before)
		_, in.Memory = c.created(t)
		p := plan.Contacts(plan.ContactsInput{Source: customer(), Settings: before, CustomerID: "77", Memory: in.Memory})
		for i, s := range p.Steps {
			s.Contact.ID = fmt.Sprint(501 + i)
			in.Known[s.Target] = s.Contact.ID
			in.Memory = in.Memory.With(p.Done[i])
			raw, changed := c.Changed[s.Contact.ID]
			if changed && string(raw) == "null" {
				continue
			}
			merged(t, raw, s.Contact)
			in.Have = append(in.Have, *s.Contact)
		}
	}
	if c.Plain {
		in.Memory = nil
	}
	in.Memory = in.Memory.With(c.Kept)
	for _, o := range c.Others {
		o.CustomerID = "77"
		in.Have = append(in.Have, o)
	}
}

func contactDecision(t *testing.T, d decision) outcome {
	var c customerCase
	merged(t, d.Input, &c)
	in := plan.ContactsInput{Source: c.source(t), Settings: settingsWith(t, d.Settings), CustomerID: "77"}
	c.contactState(t, &in)
	p := plan.Contacts(in)
	checkRecipients(t, in.Settings, p.Plan)
	again := follow(in, p)
	if q := plan.Contacts(again); len(q.Steps) > 0 {
		t.Errorf("done, it would go on with %v", outcomeOf(q.Plan, customerLines))
	}
	return outcomeOf(p.Plan, customerLines)
}

// follow is the state after every step of a plan was made, with the recipients as the settings want them.
func follow(in plan.ContactsInput, p plan.ContactPlan) plan.ContactsInput {
	out := in
	out.Known, out.Have = map[string]string{}, slices.Clone(in.Have)
	for number, id := range in.Known {
		out.Known[number] = id
	}
	for number, id := range p.IDs {
		out.Known[number] = id
	}
	out.Memory = in.Memory.With(p.Memory)
	for i, s := range p.Steps {
		at := slices.IndexFunc(out.Have, func(h billing.PortalContact) bool { return h.ID == s.Contact.ID })
		switch s.Op {
		case plan.OpCreate:
			made := *s.Contact
			made.ID = fmt.Sprint(601 + i)
			out.Have, out.Known[s.Target] = append(out.Have, made), made.ID
		case plan.OpUpdate:
			out.Have[at] = *s.Contact
		case plan.OpDelete:
			out.Have = slices.Delete(out.Have, at, at+1)
			delete(out.Known, s.Target)
		}
		out.Memory = out.Memory.With(p.Done[i])
	}
	out.Memory = out.Memory.With(plan.Memory{"recipients": plan.Recipients(in.Settings)})
	return out
}

func TestContactTables(t *testing.T) { runTables(t, "contact", 15, contactDecision) }

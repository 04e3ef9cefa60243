package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/settings"
)

// ContactsInput is everything the decision on a customer's contacts depends on.
type ContactsInput struct {
	Source     billing.Customer
	Settings   settings.Company
	CustomerID string
	// Have are the portal's contacts of the customer; empty for a customer we have just created.
	Have []billing.PortalContact
	// Known maps our contact numbers to the portal's contact ids.
	Known map[string]string
	// Memory is what the customer's record remembers, as it was before the customer itself was written.
	Memory Memory
}

// ContactPlan is a decision on contacts. The steps of one contact are its own: each may be done while another is not.
type ContactPlan struct {
	Plan
	// IDs are the portal's ids of the contacts that are there, by the ERP's number.
	IDs map[string]string `json:"ids,omitempty"`
	// Memory is the change to remember before the steps are made: of contacts that need none, and what sandbox mode is
	// about to replace.
	Memory Memory `json:"memory,omitempty"`
	// Done is the change to remember after the step with the same position.
	Done []Memory `json:"done,omitempty"`
}

func (p *ContactPlan) add(s Step, done Memory) {
	p.Steps, p.Done = append(p.Steps, s), append(p.Done, done)
}

// Contacts decides on the contacts of a customer that is in the portal (F04). They are matched by the id we remember,
// then by e-mail in lower case and name, then by an e-mail that only one has; contacts that others made are left alone,
// except that sandbox mode allows no address but the safe one. A contact of ours that was deleted in the portal is not
// made again.
func Contacts(in ContactsInput) ContactPlan {
	c := contacts{in: in, shield: newShield(in.Memory, in.Settings), taken: map[string]bool{}, byID: map[string]billing.PortalContact{}}
	c.out = ContactPlan{Plan: Plan{Verdict: None}, IDs: map[string]string{}, Memory: Memory{}}
	for _, h := range in.Have {
		h.Email = strings.ToLower(h.Email)
		c.byID[h.ID] = h
	}
	for _, id := range in.Known {
		c.taken[id] = true
	}
	if in.Settings.Contacts.Sync {
		c.wanted()
		c.remove()
	}
	c.others()
	if len(c.out.Steps) > 0 {
		c.out.Verdict = Update
	}
	return c.out
}

// contacts is a decision in the making.
type contacts struct {
	in     ContactsInput
	shield shield
	byID   map[string]billing.PortalContact
	taken  map[string]bool // portal ids that are somebody's already
	judged []string        // portal ids that were decided on
	out    ContactPlan
}

// wanted decides on the contacts that go over.
func (c *contacts) wanted() {
	all := wantedContacts(c.in.Source, c.in.Settings)
	primary, _ := primaryContact(c.in.Source, c.in.Settings)
	matched := c.match(all)
	for _, person := range all {
		want := billing.PortalContact{
			CustomerID: c.in.CustomerID, Name: clip(cmp.Or(person.Name, person.Email), maxName), Title: person.Title, Phone: person.Phone,
			Email: strings.ToLower(person.Email), Primary: person.Number == primary.Number,
		}
		id := cmp.Or(c.in.Known[person.Number], matched[person.Number])
		have, there := c.byID[id]
		switch {
		case there:
			c.keepUp(person.Number, have, want)
		case c.in.Known[person.Number] == "":
			c.create(person.Number, want)
		}
	}
}

// match finds the contacts that are in the portal without our knowing. Each is matched with one person at most, whatever
// addresses and names several of them share.
func (c *contacts) match(all []billing.Contact) map[string]string {
	found := map[string]string{}
	claim := func(number string, fits func(billing.PortalContact) bool) {
		for _, h := range c.in.Have {
			if h := c.byID[h.ID]; !c.taken[h.ID] && fits(h) {
				found[number], c.taken[h.ID] = h.ID, true
				return
			}
		}
	}
	var rest []billing.Contact
	for _, person := range all {
		if c.in.Known[person.Number] != "" {
			continue
		}
		email := strings.ToLower(person.Email)
		name := clip(cmp.Or(person.Name, person.Email), maxName)
		claim(person.Number, func(h billing.PortalContact) bool {
			return h.Name == name && (h.Email == email || c.shield.on && h.Email == c.shield.safe)
		})
		if found[person.Number] == "" {
			rest = append(rest, person)
		}
	}
	for _, person := range rest {
		email := strings.ToLower(person.Email)
		if c.count(email) == 1 && countPeople(rest, email) == 1 {
			claim(person.Number, func(h billing.PortalContact) bool { return h.Email == email })
		}
	}
	return found
}

func (c *contacts) count(email string) (n int) {
	for _, h := range c.byID {
		if h.Email == email && !c.taken[h.ID] {
			n++
		}
	}
	return n
}

func countPeople(people []billing.Contact, email string) (n int) {
	for _, p := range people {
		if strings.ToLower(p.Email) == email {
			n++
		}
	}
	return n
}

// The origin of a contact in the portal, as the memory has it.
const (
	madeContact    = "made"
	adoptedContact = "adopted"
	removedContact = "removed" // by us; the portal's former id follows
)

// trace is what the memory has of a contact.
type trace struct {
	origin, name, title, email, phone, primary string
}

func (t trace) text() string {
	return strings.Join([]string{t.origin, t.name, t.title, t.email, t.phone, t.primary}, " ")
}

func readTrace(text string) trace {
	p := strings.Split(text, " ")
	if len(p) != 6 {
		return trace{origin: p[0]}
	}
	return trace{p[0], p[1], p[2], p[3], p[4], p[5]}
}

func traceOf(origin string, want billing.PortalContact) trace {
	primary := "no"
	if want.Primary {
		primary = "yes"
	}
	return trace{origin, digest(want.Name), digest(want.Title), digest(want.Email), digest(want.Phone), primary}
}

func (c *contacts) create(number string, want billing.PortalContact) {
	done := Memory{memoryContact + number: traceOf(madeContact, want).text()}
	k := key("contact", c.in.Source.Number, number)
	if former, removed := strings.CutPrefix(c.in.Memory[memoryContact+number], removedContact+" "); removed {
		k = key("contact", c.in.Source.Number, number, "after", former)
	}
	want.Email = safe(want.Email, c.in.Settings)
	c.out.add(Step{Op: OpCreate, Kind: billing.KindContact, Key: k, Target: number, Contact: &want}, done)
}

// keepUp updates a contact where the ERP's values changed since they were written.
func (c *contacts) keepUp(number string, have, want billing.PortalContact) {
	c.judged = append(c.judged, have.ID)
	c.out.IDs[number] = have.ID
	name := memoryContact + number
	was, now := readTrace(c.in.Memory[name]), traceOf(madeContact, want)
	if was.origin == "" && c.in.Known[number] == "" {
		was = trace{origin: adoptedContact}
	}
	now.origin = cmp.Or(was.origin, madeContact)
	update := c.in.Settings.Contacts.Update
	merged := have
	if update {
		merged = merge(was, now, have, want)
	}
	email, kept := c.shield.judge(recipient{have: have.Email, want: want.Email, known: was.email, kept: c.in.Memory[keptContact+have.ID]}, update, true)
	merged.Email = email
	done := c.keep(have.ID, kept)
	done[name] = now.text()
	if !update && was.name != "" {
		done[name] = was.text()
	}
	if merged == have {
		c.out.Memory = c.out.Memory.join(done)
		return
	}
	k := key("contact", c.in.Source.Number, number, c.in.Source.Fingerprint())
	c.out.add(Step{Op: OpUpdate, Kind: billing.KindContact, Key: k, Target: number, Contact: &merged}, done)
}

// keep notes what sandbox mode replaces now, and returns what to forget once the step is done.
func (c *contacts) keep(id, kept string) Memory {
	done := Memory{}
	switch was := c.in.Memory[keptContact+id]; {
	case kept == was:
	case kept == "":
		done[keptContact+id] = ""
	default:
		c.out.Memory[keptContact+id] = kept
	}
	return done
}

// merge takes the ERP's value where it changed, and the portal's elsewhere. Of a contact that others made it only fills
// what is empty at first.
func merge(was, now trace, have, want billing.PortalContact) billing.PortalContact {
	out := have
	fill := was.origin == adoptedContact && was.name == ""
	take := func(was, now, want string, field *string) {
		if was != now && (!fill || *field == "") {
			*field = want
		}
	}
	take(was.name, now.name, want.Name, &out.Name)
	take(was.title, now.title, want.Title, &out.Title)
	take(was.phone, now.phone, want.Phone, &out.Phone)
	if was.primary != now.primary && (!fill || want.Primary) {
		out.Primary = want.Primary
	}
	return out
}

// remove takes away contacts that we made and that are inactive or gone in the ERP (contacts.deactivate). A customer
// without a single contact in the ERP keeps them: rather the contacts could not be read.
func (c *contacts) remove() {
	if !c.in.Settings.Contacts.Deactivate {
		return
	}
	for _, number := range sortedKeys(c.in.Known) {
		have, there := c.byID[c.in.Known[number]]
		if !there || !c.left(number) || readTrace(c.in.Memory[memoryContact+number]).origin != madeContact {
			continue
		}
		c.judged = append(c.judged, have.ID)
		done := Memory{memoryContact + number: removedContact + " " + have.ID, keptContact + have.ID: ""}
		c.out.add(Step{
			Op: OpDelete, Kind: billing.KindContact, Key: key("contact", c.in.Source.Number, number, "remove", have.ID), Target: number, Contact: &have,
		}, done)
	}
}

// left reports whether a contact is inactive or gone in the ERP.
func (c *contacts) left(number string) bool {
	for _, person := range c.in.Source.Contacts {
		if person.Number == number {
			return !person.Active
		}
	}
	return len(c.in.Source.Contacts) > 0
}

// others keeps real addresses out of the portal in sandbox mode, also those of contacts that are not ours to change, and
// puts them back afterwards (invoiced-api 13).
func (c *contacts) others() {
	if !c.shield.on && !c.shield.leaves() {
		return
	}
	for _, h := range c.in.Have {
		have := c.byID[h.ID]
		if slices.Contains(c.judged, have.ID) {
			continue
		}
		email, kept := have.Email, c.in.Memory[keptContact+have.ID]
		switch {
		case c.shield.on && have.Email != "":
			email, kept = c.shield.judge(recipient{have: have.Email, kept: kept}, false, false)
		case c.shield.leaves() && kept != "" && c.shield.placed(have.Email):
			email, kept = kept, ""
		}
		done := c.keep(have.ID, kept)
		if email == have.Email {
			c.out.Memory = c.out.Memory.join(done)
			continue
		}
		have.Email = email
		c.out.add(Step{
			Op: OpUpdate, Kind: billing.KindContact, Key: key("contact", c.in.Source.Number, "other", have.ID), Contact: &have,
		}, done)
	}
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// wantedContacts are the active contacts with an e-mail address in a wanted role, by number.
func wantedContacts(src billing.Customer, set settings.Company) []billing.Contact {
	var out []billing.Contact
	for _, c := range src.Contacts {
		if c.Active && c.Email != "" && hasRole(c, set.Contacts.Roles) {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b billing.Contact) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Email, b.Email), cmp.Compare(a.Name, b.Name))
	})
	return slices.CompactFunc(out, func(a, b billing.Contact) bool { return a.Number == b.Number })
}

func hasRole(c billing.Contact, roles []string) bool {
	for _, r := range roles {
		if r == "ALL" || slices.Contains(c.Roles, billing.Role(r)) {
			return true
		}
	}
	return false
}

// primaryContact is the wanted contact that becomes primary: the main contact if it has the primary role, else the first
// with that role, else the first wanted one.
func primaryContact(src billing.Customer, set settings.Company) (billing.Contact, bool) {
	wanted := wantedContacts(src, set)
	if len(wanted) == 0 {
		return billing.Contact{}, false
	}
	best, rank := wanted[0], 0
	for _, c := range wanted {
		r := 1
		if hasRole(c, []string{set.Contacts.PrimaryRole}) {
			r = 2
			if c.Number == src.MainContact {
				r = 3
			}
		}
		if r > rank {
			best, rank = c, r
		}
	}
	return best, true
}

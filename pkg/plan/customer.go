package plan

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/settings"
)

// CustomerInput is everything the decision on a customer depends on.
type CustomerInput struct {
	Source   billing.Customer
	Settings settings.Company
	Known    Known
	Found    []billing.PortalCustomer // with this number, when Known has no id
	Looked   bool
	Dest     *billing.PortalCustomer // with Known.PortalID, when the source changed; nil with Looked: deleted there
}

// Customer decides what to do with a customer of the ERP. A field is updated only when the ERP's value changed since we
// wrote it and the setting says so: what the portal's people filled in stays theirs.
func Customer(in CustomerInput) Plan {
	if in.Known.PortalID != "" && in.Known.Fingerprint == in.Source.Fingerprint() {
		return stop(None, Because(Unchanged))
	}
	if !in.Looked {
		return Plan{Verdict: Hold, Reasons: []Reason{Because(NeedLook)}}
	}
	want := desiredCustomer(in.Source, in.Settings)
	if in.Known.PortalID != "" {
		if in.Dest == nil {
			return stop(Conflict, Because(GoneInPortal))
		}
		return patchCustomer(in, *in.Dest, want)
	}
	switch len(in.Found) {
	case 0:
		if !in.Settings.Customers.Create {
			return stop(Hold, Because(CustomerNotMade, "customer", in.Source.Number))
		}
		return Plan{Verdict: Create, Steps: []Step{{
			Op: OpCreate, Kind: billing.KindCustomer, Key: key("customer", in.Source.Number), Customer: &want,
		}}}
	case 1:
	default:
		return stop(Conflict, Because(SeveralWithNumber, "number", want.Number, "count", strconv.Itoa(len(in.Found))))
	}
	have := in.Found[0]
	if owner := have.Metadata[MetaID]; owner != "" && owner != want.Metadata[MetaID] {
		return stop(Conflict, Because(NumberTaken, "number", want.Number, "owner", owner))
	}
	p := patchCustomer(in, have, want)
	p.Reasons = append(p.Reasons, Because(AlreadyThere))
	if p.Verdict == None {
		p.Verdict = Adopt
	}
	return p
}

func desiredCustomer(src billing.Customer, set settings.Company) billing.PortalCustomer {
	c := billing.PortalCustomer{
		Number: src.Number, Name: clip(cmp.Or(strings.TrimSpace(src.Name), src.Number), maxName), Phone: src.Phone,
		Currency: cmp.Or(src.Currency, set.Currency), Chase: set.Customers.Chase && set.Mode != settings.ModeSandbox,
		AutoPay:  set.AutoPayCustomers[src.Number] == settings.AutoPayAll,
		Metadata: map[string]string{MetaID: src.Number, MetaNumber: src.Number, MetaSource: "arbridge"},
	}
	c.Terms, _ = terms(src.Terms, set)
	if set.Customers.SyncAddress {
		c.Address = address(src, set)
	}
	if primary, ok := primaryContact(src, set); ok {
		c.Email = safe(primary.Email, set)
	}
	return c
}

func address(src billing.Customer, set settings.Company) billing.Address {
	if set.Customers.AddressSource == "billing" && !src.Billing.IsZero() {
		return src.Billing
	}
	return src.Main
}

// safe is the only place an e-mail address passes on its way to the portal: in sandbox mode it becomes the safe one (F17).
func safe(email string, set settings.Company) string {
	if email == "" || set.Mode != settings.ModeSandbox {
		return strings.ToLower(email)
	}
	return strings.ToLower(set.SafeEmail)
}

// patchCustomer compares the fields that are kept up to date with what the portal has.
func patchCustomer(in CustomerInput, have, want billing.PortalCustomer) Plan {
	set := in.Settings.Customers
	var p billing.CustomerPatch
	var changed bool
	patch := func(on bool, have, want string, field **string) {
		if on && want != "" && have != want {
			*field, changed = &want, true
		}
	}
	patch(set.Updates("name"), have.Name, want.Name, &p.Name)
	patch(set.Updates("terms"), have.Terms, want.Terms, &p.Terms)
	patch(set.Updates("phone"), have.Phone, want.Phone, &p.Phone)
	patch(in.Settings.Mode == settings.ModeSandbox, have.Email, want.Email, &p.Email)
	if set.SyncAddress && set.UpdateAddress && !want.Address.IsZero() && have.Address != want.Address {
		p.Address, changed = &want.Address, true
	}
	if !changed {
		return stop(None, Because(Unchanged))
	}
	return Plan{Verdict: Update, Steps: []Step{{
		Op: OpUpdate, Kind: billing.KindCustomer, Target: have.ID, Patch: &p,
		Key: key("customer", in.Source.Number, in.Source.Fingerprint()),
	}}}
}

// ContactsInput is everything the decision on a customer's contacts depends on.
type ContactsInput struct {
	Source     billing.Customer
	Settings   settings.Company
	CustomerID string
	// Have are the portal's contacts of the customer; empty for a customer we have just created.
	Have []billing.PortalContact
	// Known maps our contact numbers to the portal's contact ids.
	Known map[string]string
}

// Contacts decides on the contacts of a customer that is in the portal (F04). They are matched by the id we remember,
// then by e-mail in lower case; contacts that others made are left alone.
func Contacts(in ContactsInput) Plan {
	if !in.Settings.Contacts.Sync {
		return Plan{Verdict: None}
	}
	byID, byEmail := map[string]billing.PortalContact{}, map[string]billing.PortalContact{}
	for _, h := range in.Have {
		byID[h.ID] = h
		byEmail[strings.ToLower(h.Email)+"\x00"+h.Name] = h
	}
	primary, _ := primaryContact(in.Source, in.Settings)
	p := Plan{Verdict: None}
	for _, c := range wantedContacts(in.Source, in.Settings) {
		want := billing.PortalContact{
			CustomerID: in.CustomerID, Name: clip(cmp.Or(c.Name, c.Email), maxName), Title: c.Title, Phone: c.Phone,
			Email: safe(c.Email, in.Settings), Primary: c.Number == primary.Number,
		}
		have, ok := byID[in.Known[c.Number]]
		if !ok {
			have, ok = byEmail[want.Email+"\x00"+want.Name]
		}
		want.ID = have.ID
		switch {
		case !ok:
			p.Steps = append(p.Steps, Step{Op: OpCreate, Kind: billing.KindContact, Key: key("contact", in.Source.Number, c.Number), Target: c.Number, Contact: &want})
		case have != want && in.Settings.Contacts.Update:
			p.Steps = append(p.Steps, Step{Op: OpUpdate, Kind: billing.KindContact, Key: key("contact", in.Source.Number, c.Number, in.Source.Fingerprint()), Target: c.Number, Contact: &want})
		}
	}
	if len(p.Steps) > 0 {
		p.Verdict = Update
	}
	return p
}

// wantedContacts are the active contacts with an e-mail address in a wanted role, by number.
func wantedContacts(src billing.Customer, set settings.Company) []billing.Contact {
	var out []billing.Contact
	for _, c := range src.Contacts {
		if c.Active && c.Email != "" && hasRole(c, set.Contacts.Roles) {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b billing.Contact) int { return cmp.Compare(a.Number, b.Number) })
	return out
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

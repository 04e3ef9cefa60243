package plan

import (
	"cmp"
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
	// Memory is what the record remembers of the fields we wrote.
	Memory Memory
	// Found are the portal's customers with this number, read when Known has no id. Looked says that they were read.
	Found  []billing.PortalCustomer
	Looked bool
	// Tagged are the portal's customers whose metadata name this one, read when the plan asks with NeedTagged.
	Tagged     []billing.PortalCustomer
	TagsLooked bool
	// Dest is the portal's customer with Known.PortalID, read when the source changed; nil with Looked: deleted there.
	Dest *billing.PortalCustomer
}

// NeedTagged asks the caller to look for the customer by its metadata and to plan again; it is never stored.
const NeedTagged Code = "need_look_by_metadata"

// Customer decides what to do with a customer of the ERP. A field is updated only when the ERP's value changed since we
// wrote it and the setting says so: what the portal's people filled in stays theirs. The AutoPay flag is set at creation
// and never touched again: customers enroll by themselves.
func Customer(in CustomerInput) Plan {
	p, _ := decideCustomer(in)
	return p
}

// CustomerMemory is what to remember of the customer once the plan's steps are done.
func CustomerMemory(in CustomerInput) Memory {
	_, m := decideCustomer(in)
	return m
}

func decideCustomer(in CustomerInput) (Plan, Memory) {
	if in.Known.PortalID != "" && in.Known.Fingerprint == in.Source.Fingerprint() && RecipientsRight(in.Memory, in.Settings) {
		return stop(None, Because(Unchanged)), in.Memory
	}
	if !in.Looked {
		return stop(Hold, Because(NeedLook)), in.Memory
	}
	if in.Known.PortalID != "" {
		if in.Dest == nil {
			return stop(Conflict, Because(GoneInPortal)), in.Memory
		}
		return patchCustomer(in, *in.Dest)
	}
	have, refused := matchCustomer(in)
	if refused != nil {
		return *refused, in.Memory
	}
	if have != nil {
		p, m := patchCustomer(in, *have)
		p.Reasons = append(p.Reasons, Because(AlreadyThere))
		if have.Number != in.Source.Number {
			p.Reasons = append(p.Reasons, Because(FoundByMetadata, "number", have.Number))
		}
		if p.Verdict == None {
			p.Verdict = Adopt
		}
		return p, m
	}
	if !in.Settings.Customers.Create {
		return stop(Hold, Because(CustomerNotMade, "customer", in.Source.Number)), in.Memory
	}
	return createCustomer(in)
}

// Matched is the customer of the portal that an adopting plan is about; nil for any other plan.
func Matched(in CustomerInput) *billing.PortalCustomer {
	if in.Known.PortalID != "" || !in.Looked {
		return nil
	}
	have, refused := matchCustomer(in)
	if refused != nil {
		return nil
	}
	return have
}

// matchCustomer finds the portal's customer by its number, then by its metadata where that is wanted; never by its name
// (customers.match, invoiced-api 14.1). A plan says why there can be no answer.
func matchCustomer(in CustomerInput) (*billing.PortalCustomer, *Plan) {
	number := in.Source.Number
	refuse := func(v Verdict, r Reason) (*billing.PortalCustomer, *Plan) {
		p := stop(v, r)
		return nil, &p
	}
	if len(in.Found) > 1 {
		return refuse(Conflict, Because(SeveralWithNumber, "number", number, "count", strconv.Itoa(len(in.Found))))
	}
	taken := ""
	if len(in.Found) == 1 {
		have := in.Found[0]
		if taken = have.Metadata[MetaID]; taken == "" || taken == number {
			return &have, nil
		}
	}
	if in.Settings.Customers.Match == "number_then_metadata" {
		switch {
		case !in.TagsLooked:
			return refuse(Hold, Because(NeedTagged))
		case len(in.Tagged) > 1:
			return refuse(Conflict, Because(SeveralTagged, "number", number, "count", strconv.Itoa(len(in.Tagged))))
		case len(in.Tagged) == 1:
			have := in.Tagged[0]
			return &have, nil
		}
	}
	if taken != "" {
		return refuse(Conflict, Because(NumberTaken, "number", number, "owner", taken))
	}
	return nil, nil
}

func createCustomer(in CustomerInput) (Plan, Memory) {
	set := in.Settings
	want := desiredCustomer(in.Source, set)
	m := Memory{
		memoryName: digest(want.Name), memoryTerms: digest(want.Terms), memoryPhone: digest(want.Phone),
		memoryAddress: digest(addressText(want.Address)), memoryEmail: digest(want.Email), memoryRecipients: recipients(set),
	}
	if set.Mode == settings.ModeSandbox {
		want.Email = safe(want.Email, set)
		if want.Chase {
			want.Chase, m[keptChase] = false, "true"
		}
	}
	return Plan{Verdict: Create, Steps: []Step{{
		Op: OpCreate, Kind: billing.KindCustomer, Key: key("customer", in.Source.Number), Customer: &want,
	}}}, m
}

// desiredCustomer is the customer as it would be in a live company.
func desiredCustomer(src billing.Customer, set settings.Company) billing.PortalCustomer {
	c := billing.PortalCustomer{
		Number: src.Number, Name: clip(cmp.Or(strings.TrimSpace(src.Name), src.Number), maxName), Phone: src.Phone,
		Currency: cmp.Or(src.Currency, set.Currency), Chase: set.Customers.Chase,
		AutoPay:  set.For(src.Number).AutoPay == settings.AutoPayAll,
		Metadata: map[string]string{MetaID: src.Number, MetaNumber: src.Number, MetaSource: "arbridge"},
	}
	c.Terms, _ = terms(src.Terms, set)
	if set.Customers.SyncAddress {
		c.Address = address(src, set)
	}
	if primary, ok := primaryContact(src, set); ok {
		c.Email = strings.ToLower(primary.Email)
	}
	return c
}

func address(src billing.Customer, set settings.Company) billing.Address {
	if set.Customers.AddressSource == "billing" && !src.Billing.IsZero() {
		return src.Billing
	}
	return src.Main
}

// safe is the address that may be stored in place of an e-mail address: in sandbox mode the safe one (F17).
func safe(email string, set settings.Company) string {
	if email == "" || set.Mode != settings.ModeSandbox {
		return strings.ToLower(email)
	}
	return strings.ToLower(set.SafeEmail)
}

// patchCustomer compares the fields that are kept up to date with what the portal has, and what we wrote before.
func patchCustomer(in CustomerInput, have billing.PortalCustomer) (Plan, Memory) {
	set, want, m := in.Settings.Customers, desiredCustomer(in.Source, in.Settings), in.Memory.clone()
	var p billing.CustomerPatch
	patch := func(on bool, name, have, want string, field **string) {
		if !on || want == "" || m[name] == digest(want) {
			return
		}
		m[name] = digest(want)
		if have != want {
			*field = &want
		}
	}
	patch(set.Updates("name"), memoryName, have.Name, want.Name, &p.Name)
	patch(set.Updates("terms"), memoryTerms, have.Terms, want.Terms, &p.Terms)
	patch(set.Updates("phone"), memoryPhone, have.Phone, want.Phone, &p.Phone)
	if a := digest(addressText(want.Address)); set.SyncAddress && set.UpdateAddress && !want.Address.IsZero() && m[memoryAddress] != a {
		m[memoryAddress] = a
		if have.Address != want.Address {
			p.Address = &want.Address
		}
	}
	patchRecipient(in, have, want, &p, m)
	if p == (billing.CustomerPatch{}) {
		return stop(None, Because(Unchanged)), m
	}
	return Plan{Verdict: Update, Steps: []Step{{
		Op: OpUpdate, Kind: billing.KindCustomer, Target: have.ID, Patch: &p,
		Key: key("customer", in.Source.Number, in.Source.Fingerprint()),
	}}}, m
}

// patchRecipient decides on the customer's own e-mail address and its reminders. The address is the portal's own as soon
// as somebody changed it there.
func patchRecipient(in CustomerInput, have, want billing.PortalCustomer, p *billing.CustomerPatch, m Memory) {
	s := newShield(in.Memory, in.Settings)
	follow := in.Settings.Contacts.Sync && in.Settings.Contacts.Update
	address := strings.ToLower(have.Email)
	first := in.Known.PortalID == "" && address == ""
	email, kept := s.judge(recipient{have: address, want: want.Email, known: m[memoryEmail], kept: m[keptEmail]}, follow || first, first)
	if email != address {
		p.Email = &email
	}
	if !s.on && email == want.Email && email != "" {
		m[memoryEmail] = digest(email)
	}
	keep(m, keptEmail, kept)
	on, off := true, false
	switch {
	case s.on && have.Chase:
		p.Chase = &off
		m[keptChase] = "true"
	case s.leaves() && m[keptChase] != "":
		if !have.Chase {
			p.Chase = &on
		}
		delete(m, keptChase)
	}
	m[memoryRecipients] = recipients(in.Settings)
}

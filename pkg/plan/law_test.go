package plan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/settings"
)

// business is one generated input of every kind of decision, under one company's settings.
type business struct {
	set      settings.Company
	invoice  plan.InvoiceInput
	customer plan.CustomerInput
	contacts plan.ContactsInput
	payment  plan.PaymentInput
	credit   plan.CreditInput
	activity plan.ActivityInput
	gone     plan.GoneInput
}

func drawBusiness(r *rapid.T) business {
	set := drawSettings(r)
	b := business{set: set, payment: drawPayment(r, set), credit: drawCredit(r, set)}
	src, _ := drawInvoice(r)
	b.invoice = plan.InvoiceInput{Source: src, Settings: set, CustomerID: "77", Looked: true, File: plan.FileLook{Looked: true}}
	people := drawCustomer(r)
	b.customer = plan.CustomerInput{Source: people, Settings: set, Looked: true}
	b.contacts = plan.ContactsInput{Source: people, Settings: set, CustomerID: "77"}
	paid := money.FromMinor(rapid.Int64Range(0, 1).Draw(r, "paid"), src.Currency)
	dest := billing.PortalDocument{ID: "900", Kind: src.Kind(), Currency: src.Currency, Total: src.Total.Abs(), Balance: src.Total.Abs().Sub(paid)}
	b.gone = plan.GoneInput{Number: src.Number, Settings: set, Known: plan.Known{PortalID: "900", Kind: src.Kind()}, Dest: &dest, Looked: true, Confirmed: true}
	if rapid.Bool().Draw(r, "known") {
		b.invoice.Known, b.invoice.Dest = plan.Known{PortalID: "900", Kind: src.Kind(), Fingerprint: "older"}, &dest
	}
	b.activity = plan.ActivityInput{Settings: set, InvoiceNo: "A1", CustomerNo: "C1", Event: billing.Event{
		ID: "7", At: time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(r, "at"), 0), Object: billing.KindInvoice, ObjectID: "900",
		Type:    rapid.SampledFrom([]string{"invoice.viewed", "invoice.paid", "invoice.updated"}).Draw(r, "event"),
		Comment: drawText(r, "comment"), Author: drawText(r, "author"), Commented: rapid.Bool().Draw(r, "commented"),
	}}
	return b
}

// with is the same business under other settings.
func (b business) with(set settings.Company) business {
	b.set, b.invoice.Settings, b.customer.Settings, b.contacts.Settings = set, set, set, set
	b.payment.Settings, b.credit.Settings, b.activity.Settings, b.gone.Settings = set, set, set, set
	return b
}

// plans decides on everything.
func (b business) plans() map[string]plan.Plan {
	return map[string]plan.Plan{
		"invoice": plan.Invoice(b.invoice), "customer": plan.Customer(b.customer), "contacts": plan.Contacts(b.contacts).Plan,
		"payment": plan.Payment(b.payment), "credit": plan.Credit(b.credit), "activity": plan.Activity(b.activity), "gone": plan.Gone(b.gone),
	}
}

func bytesOf(r *rapid.T, v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		r.Fatal(err)
	}
	return out
}

// TestSameInputSameBytes: a decision depends on nothing but its input, down to the last byte (law a).
func TestSameInputSameBytes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := drawBusiness(r)
		want := bytesOf(r, b.plans())
		for range 3 {
			if got := bytesOf(r, b.plans()); !bytes.Equal(got, want) {
				r.Fatalf("the same input gave\n%s\nand\n%s", want, got)
			}
		}
	})
}

// TestPlansSurviveJSON: what is stored and read again is the same plan, and the same effects to the journal (law g).
func TestPlansSurviveJSON(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		for kind, p := range drawBusiness(r).plans() {
			text := bytesOf(r, p)
			var back plan.Plan
			if err := json.Unmarshal(text, &back); err != nil {
				r.Fatalf("%s: %v", kind, err)
			}
			if d := cmp.Diff(p, back, cmpopts.EquateEmpty()); d != "" || !slices.Equal(digests(back), digests(p)) {
				r.Fatalf("%s: stored as\n%s\nread as another (-was +is):\n%s", kind, text, d)
			}
			if plan.Text(back.Reasons) != plan.Text(p.Reasons) {
				r.Fatalf("%s: other words: %s", kind, plan.Text(back.Reasons))
			}
		}
	})
}

// guards are the settings that hold something back, switched on.
func guards() map[string]func(*settings.Company) {
	return map[string]func(*settings.Company){
		"start date":         func(s *settings.Company) { s.Qualify.StartDate = "2999-01-01" },
		"least balance":      func(s *settings.Company) { s.Qualify.MinBalance = "1000000" },
		"payment methods":    func(s *settings.Company) { s.Qualify.PayMethods = []string{"WIRE"} },
		"excluded methods":   func(s *settings.Company) { s.Qualify.ExcludePayMethod = []string{"CHECK"} },
		"invoice types":      func(s *settings.Company) { s.Qualify.InvoiceTypes = []string{"SERVICE"} },
		"pilot customers":    func(s *settings.Company) { s.Qualify.Customers = []string{"C7"} },
		"excluded customers": func(s *settings.Company) { s.Qualify.ExcludeCustomers = []string{"C1"} },
		"zero":               func(s *settings.Company) { s.Invoices.ZeroTotal = "skip" },
		"no updates":         func(s *settings.Company) { s.Invoices.Update = "never" },
		"gone is flagged":    func(s *settings.Company) { s.Invoices.Gone = "flag" },
		"no credits":         func(s *settings.Company) { s.CreditNotes.Sync = false },
		"credits stay":       func(s *settings.Company) { s.CreditNotes.Apply = "none" },
		"no creation":        func(s *settings.Company) { s.Customers.Create = false },
		"no contacts":        func(s *settings.Company) { s.Contacts.Sync = false },
		"contacts stay":      func(s *settings.Company) { s.Contacts.Update = false },
		"contacts remain":    func(s *settings.Company) { s.Contacts.Deactivate = false },
		"files are needed":   func(s *settings.Company) { s.Documents.Attach, s.Documents.Required = true, true },
		"no payments":        func(s *settings.Company) { s.Payments.Mode = "off" },
		"charged only":       func(s *settings.Company) { s.Payments.Mode = "charged" },
		"overpayments wait":  func(s *settings.Company) { s.Payments.Overpayment = "hold" },
		"receipts are held":  func(s *settings.Company) { s.Payments.ReceiptMode = "hold" },
		"no bank account":    func(s *settings.Company) { s.Payments.GLAccounts = nil },
		"no views":           func(s *settings.Company) { s.Activity.Viewed = false },
		"no comments":        func(s *settings.Company) { s.Activity.Commented = false },
		"no paid entries":    func(s *settings.Company) { s.Activity.Paid = false },
		"another company":    func(s *settings.Company) { s.Q360Company = "99" },
	}
}

// TestGuardsNeverAddSteps: switching a guard on takes steps away or leaves them; no step appears or changes (law c).
func TestGuardsNeverAddSteps(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := drawBusiness(r)
		before := b.plans()
		for name, guard := range guards() {
			set := b.set
			guard(&set)
			for kind, p := range b.with(set).plans() {
				if kind == "payment" && name == "another company" {
					continue // whose account takes the money is no guard
				}
				have := digests(before[kind])
				for _, d := range digests(p) {
					if !slices.Contains(have, d) {
						r.Fatalf("the guard %q adds a step to the plan of the %s: %+v", name, kind, p)
					}
				}
			}
		}
	})
}

// TestEveryGuardHolds: each guard takes something away from one of a few businesses that send everything.
func TestEveryGuardHolds(t *testing.T) {
	open := company()
	open.Payments.Mode, open.Payments.Overpayment, open.CreditNotes.Apply = "all", "on_account", "oldest"
	open.Invoices.Gone, open.Invoices.ZeroTotal, open.Contacts.Deactivate = "void_if_unpaid", "send", true
	src, zero, credit, dest := invoice(), invoice(), invoice(), billing.PortalDocument{ID: "900", Kind: billing.KindInvoice, Currency: money.USD, Total: usd("1"), Balance: usd("1")}
	zero.Lines, zero.Total, zero.Tax, zero.Freight, zero.Balance = nil, usd("0"), usd("0"), usd("0"), usd("0")
	credit.Total, credit.Tax, credit.Freight, credit.Balance = credit.Total.Neg(), credit.Tax.Neg(), credit.Freight.Neg(), credit.Balance.Neg()
	known := plan.Known{PortalID: "900", Kind: billing.KindInvoice, Fingerprint: "older"}
	check, advance := card(), card()
	check.Payment.Charge = nil
	lower(&advance, "2", "100")
	event := billing.Event{ID: "7", Type: "invoice.viewed", Object: billing.KindInvoice, ObjectID: "900", At: time.Unix(1_000_000_000, 0)}
	comment, paid := event, event
	comment.Type, comment.Commented, paid.Type = "invoice.updated", true, "invoice.paid"
	note := plan.CreditInput{Note: billing.PortalDocument{ID: "8", CustomerID: "77", Currency: money.USD, Balance: usd("1")}, Open: []plan.OpenInvoice{{Number: "A1", Document: dest}}}
	note.Open[0].Document.CustomerID = "77"
	contacts := contactsThere(open)
	businesses := []business{
		{invoice: plan.InvoiceInput{Source: src, CustomerID: "77", Looked: true, File: plan.FileLook{Looked: true}}, contacts: contacts,
			customer: plan.CustomerInput{Source: customer(), Looked: true}, payment: card(), credit: note, activity: plan.ActivityInput{Event: event, InvoiceNo: "A1"},
			gone: plan.GoneInput{Number: "104233", Known: known, Dest: &dest, Looked: true, Confirmed: true}},
		{invoice: plan.InvoiceInput{Source: src, CustomerID: "77", Known: known, Dest: &dest, Looked: true, File: plan.FileLook{Looked: true}}, payment: check,
			activity: plan.ActivityInput{Event: comment, InvoiceNo: "A1"}},
		{invoice: plan.InvoiceInput{Source: zero, CustomerID: "77", Looked: true, File: plan.FileLook{Looked: true}}, payment: advance, activity: plan.ActivityInput{Event: paid, InvoiceNo: "A1"}},
		{invoice: plan.InvoiceInput{Source: credit, CustomerID: "77", Looked: true, File: plan.FileLook{Looked: true}}},
	}
	for name, guard := range guards() {
		held := false
		for _, b := range businesses {
			before := b.with(open).plans()
			set := open
			guard(&set)
			for kind, p := range b.with(set).plans() {
				held = held || len(p.Steps) < len(before[kind].Steps) || len(p.Steps) > 0 && p.Verdict != before[kind].Verdict
			}
		}
		if !held {
			t.Errorf("the guard %q holds nothing back", name)
		}
	}
}

// contactsThere is a customer whose contacts are in the portal, one with a new title and one inactive now.
func contactsThere(set settings.Company) plan.ContactsInput {
	in := plan.ContactsInput{Source: customer(), Settings: set, CustomerID: "77", Known: map[string]string{}, Memory: plan.Memory{}}
	d := &peopleOf{contacts: map[string]billing.PortalContact{}, known: in.Known, memory: plan.Memory{}}
	first := plan.Contacts(in)
	for i, s := range first.Steps {
		d.writeContact(s)
		d.memory = d.memory.With(first.Done[i])
	}
	in.Have, in.Memory = d.have(), d.memory
	in.Source.Contacts = slices.Clone(in.Source.Contacts)
	in.Source.Contacts[0].Title, in.Source.Contacts[1].Active = "Clerk", false
	return in
}

// TestPaidIsNeverRemoved: whatever the settings say, a document with money on it is never voided or deleted (law d, F16).
func TestPaidIsNeverRemoved(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := drawBusiness(r)
		b.set.Invoices.Gone = rapid.SampledFrom([]string{"flag", "void_if_unpaid"}).Draw(r, "gone")
		b = b.with(b.set)
		paid := !b.gone.Dest.Paid().IsZero()
		for _, kind := range []string{"invoice", "gone", "credit"} {
			for _, s := range b.plans()[kind].Steps {
				if s.Op == plan.OpDelete || s.Op == plan.OpVoid && (paid || kind != "gone") {
					r.Fatalf("%s: step %+v of a document on which %s is paid", kind, s, b.gone.Dest.Paid())
				}
			}
		}
	})
}

// TestPeopleSettle: once the steps on a customer and its contacts are done, there is nothing left to do, also after a change
// in the ERP and after the company went from one mode to the other (law b).
func TestPeopleSettle(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := &peopleOf{contacts: map[string]billing.PortalContact{}, known: map[string]string{}}
		for round := range 3 {
			src, set := drawCustomer(r), drawSettings(r)
			d.write(r, src, set)
			if set.Mode == settings.ModeSandbox {
				d.checkSafe(r, set)
			}
			if p, c := d.decide(src, set); p.Verdict != plan.None || len(c.Steps) > 0 {
				r.Fatalf("round %d: planned again: %s %+v, contacts %+v", round, p.Verdict, p.Steps, c.Steps)
			}
		}
	})
}

func (d *peopleOf) input(src billing.Customer, set settings.Company) plan.CustomerInput {
	in := plan.CustomerInput{Source: src, Settings: set, Looked: true, Memory: d.memory, TagsLooked: true}
	if d.customer != nil {
		in.Known, in.Dest = plan.Known{PortalID: d.customer.ID, Fingerprint: "older"}, d.customer
	}
	return in
}

func (d *peopleOf) decide(src billing.Customer, set settings.Company) (plan.Plan, plan.ContactPlan) {
	return plan.Customer(d.input(src, set)), plan.Contacts(d.contactsInput(src, set))
}

func (d *peopleOf) contactsInput(src billing.Customer, set settings.Company) plan.ContactsInput {
	return plan.ContactsInput{Source: src, Settings: set, CustomerID: "77", Have: d.have(), Known: maps.Clone(d.known), Memory: d.memory}
}

// write does what the plans on a customer and its contacts say, in the order in which the engine does it.
func (d *peopleOf) write(r *rapid.T, src billing.Customer, set settings.Company) {
	in := d.input(src, set)
	p, after := plan.Customer(in), plan.CustomerMemory(in)
	if p.Verdict != plan.Create && p.Verdict != plan.Update && p.Verdict != plan.None {
		r.Fatalf("verdict %s: %s", p.Verdict, plan.Text(p.Reasons))
	}
	for _, s := range p.Steps {
		d.writeCustomer(s)
	}
	if d.memory = after; p.Verdict != plan.Create {
		d.memory = after.WithRecipients(in.Memory)
	}
	if set.Contacts.Sync || p.Verdict != plan.Create && plan.RecipientsMove(in.Memory, set) {
		c := plan.Contacts(d.contactsInput(src, set))
		maps.Copy(d.known, c.IDs)
		d.memory = d.memory.With(c.Memory)
		written := map[string]bool{}
		for i, s := range c.Steps {
			if id := s.Contact.ID; id != "" && written[id] {
				r.Fatalf("contact %s is written twice in one plan: %+v", id, c.Steps)
			}
			written[s.Contact.ID] = true
			d.writeContact(s)
			d.memory = d.memory.With(c.Done[i])
		}
	}
	d.memory = d.memory.WithRecipients(after)
}

// checkSafe holds everything stored to the one safe address (F17).
func (d *peopleOf) checkSafe(r *rapid.T, set settings.Company) {
	if d.customer.Email != "" && d.customer.Email != set.SafeEmail || d.customer.Chase {
		r.Fatalf("customer %+v in sandbox mode", d.customer)
	}
	for _, c := range d.contacts {
		if c.Email != "" && c.Email != set.SafeEmail {
			r.Fatalf("contact %+v in sandbox mode", c)
		}
	}
}

// TestMoneySettles: once receipts are posted or a credit is used, planning again asks for nothing (law b).
func TestMoneySettles(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := drawBusiness(r)
		if p := plan.Payment(b.payment); len(p.Steps) > 0 {
			in := b.payment
			in.Posted, in.PostedAs = map[string]billing.Receipt{}, plan.Parts(in.Payment)
			for i, s := range p.Steps {
				receipt := *s.Receipt
				receipt.Number = fmt.Sprintf("R%d", i)
				in.Posted[receipt.Reference] = receipt
			}
			if again := plan.Payment(in); len(again.Steps) > 0 || again.Verdict != plan.None {
				r.Fatalf("planned again with all receipts there: %s (%s)", again.Verdict, plan.Text(again.Reasons))
			}
			in.Complete = true
			if again := plan.Payment(in); again.Verdict != plan.None {
				r.Fatalf("planned again when complete: %s (%s)", again.Verdict, plan.Text(again.Reasons))
			}
		}
		credit := b.credit
		for _, s := range plan.Credit(credit).Steps {
			use := *s.Credit
			credit.Note.Balance, credit.Used = credit.Note.Balance.Sub(use.Amount), append(credit.Used, use.InvoiceNo)
			i := slices.IndexFunc(credit.Open, func(o plan.OpenInvoice) bool { return o.Document.ID == use.InvoiceID })
			open := &credit.Open[i].Document
			if open.Balance = open.Balance.Sub(use.Amount); open.Balance.Sign() < 0 || use.Amount.Sign() <= 0 {
				r.Fatalf("use %+v of a credit for an invoice of %s", use, open.Total)
			}
		}
		if credit.Note.Balance.Sign() < 0 || len(plan.Credit(credit).Steps) > 0 {
			r.Fatalf("after its use the credit has %s and plans %+v", credit.Note.Balance, plan.Credit(credit).Steps)
		}
	})
}

// TestReferencesFollowThePrefix: the reference is what a receipt is found by for ever: the prefix and the payment's id, with
// a counter from the second receipt on.
func TestReferencesFollowThePrefix(t *testing.T) {
	in := card()
	b := in.Invoices["2"]
	b.CustomerNo = "C2"
	in.Invoices["2"] = b
	for _, prefix := range []string{"IVD-", "PAY", ""} {
		in.Settings.Payments.ReferencePrefix = prefix
		p := plan.Payment(in)
		if len(p.Steps) != 2 || p.Steps[0].Receipt.Reference != prefix+"9001" || p.Steps[1].Receipt.Reference != prefix+"9001-2" {
			t.Errorf("prefix %q gives %+v", prefix, p.Steps)
		}
	}
}

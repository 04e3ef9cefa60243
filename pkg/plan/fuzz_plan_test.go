package plan_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/settings"
)

// TestPaymentAddsUp: whatever a payment consists of, its receipts add up to the cash that was received, to the cent, and no
// line takes more than its invoice owes.
func TestPaymentAddsUp(t *testing.T) { rapid.Check(t, paymentAddsUp) }

// FuzzPayment is TestPaymentAddsUp over inputs that the fuzzer finds.
func FuzzPayment(f *testing.F) { f.Fuzz(rapid.MakeFuzz(paymentAddsUp)) }

func paymentAddsUp(r *rapid.T) {
	in := drawPayment(r, drawSettings(r))
	p := plan.Payment(in)
	if len(p.Steps) > 0 && p.Verdict != plan.Create && !(p.Verdict == plan.Hold && p.Has(plan.HeldForEntry)) {
		r.Fatalf("verdict %s with %d receipts", p.Verdict, len(p.Steps))
	}
	if p.Verdict != plan.Create && len(p.Reasons) == 0 {
		r.Fatalf("verdict %s without a reason", p.Verdict)
	}
	if len(p.Steps) == 0 {
		return
	}
	checkCash(r, in, p)
	shuffled := in
	shuffled.Payment.Applications = rapid.Permutation(in.Payment.Applications).Draw(r, "order")
	if again := plan.Payment(shuffled); !slices.Equal(digests(again), digests(p)) {
		r.Fatalf("the order of the parts changed the receipts")
	}
}

// checkCash holds the receipts of a plan to the money that was received: all of it, but for the fee of companies that
// leave it out.
func checkCash(r *rapid.T, in plan.PaymentInput, p plan.Plan) {
	total, fee, applied := usd("0"), usd("0"), map[string]billing.ReceiptLine{}
	for _, a := range in.Payment.Applications {
		if a.Type == billing.ApplyConvenienceFee {
			fee = fee.Add(a.Amount)
		}
	}
	excludes, references := false, map[string]bool{}
	for _, s := range p.Steps {
		rc := s.Receipt
		strategy := in.Settings.Fees.Strategy
		if rc.CompanyNo != in.Settings.Q360Company {
			strategy = in.Others[rc.CompanyNo].Fees.Strategy
		}
		excludes = excludes || strategy == "exclude"
		lines := usd("0")
		for _, l := range rc.Lines {
			if l.Amount.Sign() <= 0 {
				r.Fatalf("line %+v is not positive", l)
			}
			lines = lines.Add(l.Amount)
			if l.Kind != billing.LineApplication {
				continue
			}
			if _, twice := applied[l.InvoiceNo]; twice {
				r.Fatalf("invoice %s is paid in two lines", l.InvoiceNo)
			}
			applied[l.InvoiceNo] = l
		}
		if references[rc.Reference] || !lines.Equal(rc.Amount) || s.Key != plan.ReceiptKey(rc.Reference) {
			r.Fatalf("receipt %+v with lines of %s", rc, lines)
		}
		references[rc.Reference] = true
		total = total.Add(rc.Amount)
	}
	for _, b := range in.Invoices {
		if l, ok := applied[b.Number]; ok && l.Amount.Cmp(b.Balance) > 0 {
			r.Fatalf("%s of invoice %s, which owes %s", l.Amount, b.Number, b.Balance)
		}
	}
	missing := in.Payment.Amount.Sub(total)
	if !excludes && !missing.IsZero() || missing.Sign() < 0 || missing.Cmp(fee) > 0 {
		r.Fatalf("receipts of %s for %s with a fee of %s", total, in.Payment.Amount, fee)
	}
}

// TestPeopleFitThePortal: whatever a customer and its portal copy hold, the plan has reasons or steps, its texts fit the
// portal, and in sandbox mode no address but the safe one is in it.
func TestPeopleFitThePortal(t *testing.T) { rapid.Check(t, peopleFit) }

// FuzzCustomer is TestPeopleFitThePortal over inputs that the fuzzer finds.
func FuzzCustomer(f *testing.F) { f.Fuzz(rapid.MakeFuzz(peopleFit)) }

func peopleFit(r *rapid.T) {
	set := drawSettings(r)
	in := plan.CustomerInput{Source: drawCustomer(r), Settings: set, Looked: rapid.Bool().Draw(r, "looked"), TagsLooked: true}
	if rapid.Bool().Draw(r, "there") {
		have := billing.PortalCustomer{
			ID: "77", Number: "C1", Name: drawText(r, "its name"), Email: drawText(r, "its email"), Terms: drawText(r, "its terms"), Chase: rapid.Bool().Draw(r, "its chase"),
			Metadata: map[string]string{plan.MetaID: rapid.SampledFrom([]string{"", "C1", "C2"}).Draw(r, "owner")},
		}
		if rapid.Bool().Draw(r, "known") {
			in.Known, in.Dest = plan.Known{PortalID: "77", Fingerprint: "older"}, &have
		} else {
			in.Found = []billing.PortalCustomer{have}
		}
	}
	p := plan.Customer(in)
	if len(p.Steps) == 0 && len(p.Reasons) == 0 || len(p.Steps) > 1 || len(p.Steps) == 1 && p.Verdict != plan.Create && p.Verdict != plan.Update {
		r.Fatalf("verdict %s with %d steps (%s)", p.Verdict, len(p.Steps), plan.Text(p.Reasons))
	}
	for _, s := range p.Steps {
		checkPeople(r, s, set)
	}
	contacts := plan.Contacts(plan.ContactsInput{Source: in.Source, Settings: set, CustomerID: "77"})
	primaries := 0
	for _, s := range contacts.Steps {
		checkPeople(r, s, set)
		if s.Contact.Primary {
			primaries++
		}
	}
	if primaries > 1 || len(contacts.Done) != len(contacts.Steps) {
		r.Fatalf("%d primary contacts, %d steps with %d notes", primaries, len(contacts.Steps), len(contacts.Done))
	}
}

// checkPeople holds a step on a customer or contact to what the portal takes and sandbox mode allows.
func checkPeople(r *rapid.T, s plan.Step, set settings.Company) {
	var name, email string
	switch {
	case s.Customer != nil:
		name, email = s.Customer.Name, s.Customer.Email
		if s.Customer.Number == "" || s.Customer.Chase && set.Mode == settings.ModeSandbox {
			r.Fatalf("customer %+v", s.Customer)
		}
	case s.Contact != nil:
		name, email = s.Contact.Name, s.Contact.Email
	case s.Patch != nil:
		name = "unchanged"
		if s.Patch.Name != nil {
			name = *s.Patch.Name
		}
		if s.Patch.Email != nil {
			email = *s.Patch.Email
		}
	}
	if strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > 255 || s.Key == "" {
		r.Fatalf("name %q in %+v", name, s)
	}
	if set.Mode == settings.ModeSandbox && email != "" && email != set.SafeEmail {
		r.Fatalf("address %q in sandbox mode", email)
	}
}

package plan_test

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/settings"
)

// drawSettings makes up the settings of a company, most of them anything they can be.
func drawSettings(r *rapid.T) settings.Company {
	set := company()
	set.Payments.GLAccounts = map[money.Currency]string{"USD": "1010", "JPY": "1020", "KWD": "1030"}
	flag := func(name string) bool { return rapid.Bool().Draw(r, name) }
	one := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(r, name) }
	set.Mode = rapid.SampledFrom([]settings.Mode{settings.ModeLive, settings.ModeSandbox}).Draw(r, "mode")
	set.Customers = settings.Customers{
		Create: true, SyncAddress: flag("address"), AddressSource: one("source", "billing", "main_site"), UpdateAddress: flag("keep address"),
		UpdateFields: rapid.SampledFrom([][]string{nil, {"name"}, {"name", "terms", "phone"}}).Draw(r, "fields"), Match: "number", Chase: flag("chase"),
	}
	set.Contacts = settings.Contacts{
		Sync: flag("contacts"), Roles: rapid.SampledFrom([][]string{{"AP"}, {"ALL"}, {"AR", "COLLECTIONS"}}).Draw(r, "roles"),
		PrimaryRole: one("primary", "AP", "AR"), Update: flag("keep contacts"), Deactivate: flag("deactivate"),
	}
	set.Invoices.Comment, set.Invoices.ZeroTotal = one("comment", "off", "notes"), one("zero", "skip", "send")
	set.Invoices.LinesWithoutPDF, set.Invoices.Update = one("lines", "summary", "detail"), one("update", "unpaid_only", "never")
	set.Invoices.Gone = one("gone", "flag", "void_if_unpaid")
	set.AutoPay = rapid.SampledFrom([]settings.AutoPayRule{settings.AutoPayOff, settings.AutoPayAll, settings.AutoPayContracts}).Draw(r, "autopay")
	set.CreditNotes.Apply = one("apply", "none", "oldest", "same_contract")
	set.Payments.Mode, set.Payments.Overpayment = one("payments", "charged", "all"), one("over", "hold", "on_account")
	set.Payments.ReceiptMode, set.Fees.Strategy = one("receipts", "post", "hold"), one("fees", "proportional", "gl_line", "unapplied", "exclude")
	set.Activity.ViewedCollapse = one("collapse", "each", "daily", "first")
	return set
}

// drawText makes up a text that may be empty, padded, long or odd.
func drawText(r *rapid.T, name string) string {
	return rapid.OneOf(rapid.SampledFrom([]string{"", " ", "North Peak", "{total}", "Z\u00fcrich AG", "2% 10 NET 30"}), rapid.String()).Draw(r, name)
}

func drawAddress(r *rapid.T, name string) billing.Address {
	return billing.Address{Line1: drawText(r, name), City: drawText(r, name), Country: rapid.SampledFrom([]string{"", "CA"}).Draw(r, name)}
}

// drawCustomer makes up a customer with contacts that share names, addresses and roles.
func drawCustomer(r *rapid.T) billing.Customer {
	c := billing.Customer{
		Number: "C1", Name: drawText(r, "name"), Active: true, Terms: drawText(r, "terms"), Phone: drawText(r, "phone"),
		Main: drawAddress(r, "main"), Billing: drawAddress(r, "billing"), MainContact: "K1",
	}
	for i := range rapid.IntRange(0, 5).Draw(r, "contacts") {
		c.Contacts = append(c.Contacts, billing.Contact{
			Number: fmt.Sprintf("K%d", i), CustomerNo: "C1", Name: rapid.SampledFrom([]string{"", "Ann", "Bob"}).Draw(r, "person"),
			Email: rapid.SampledFrom([]string{"", "ann@x.example", "Bob@X.example", "c@x.example"}).Draw(r, "email"), Title: drawText(r, "title"),
			Roles:  rapid.SampledFrom([][]billing.Role{nil, {billing.RoleAP}, {billing.RoleAR, billing.RoleAP}, {billing.RoleCollections}}).Draw(r, "roles"),
			Active: rapid.Bool().Draw(r, "active"),
		})
	}
	return c
}

// drawPayment makes up a payment with parts of every kind, over invoices of several customers, companies and currencies.
func drawPayment(r *rapid.T, set settings.Company) plan.PaymentInput {
	amount := func(name string, low, high int64) money.Money {
		return money.FromMinor(rapid.Int64Range(low, high).Draw(r, name), money.USD)
	}
	other := set
	other.Q360Company = "02"
	other.Fees.Strategy = rapid.SampledFrom([]string{"proportional", "exclude"}).Draw(r, "other fees")
	pay := billing.Payment{
		ID: "9001", CustomerID: "77", Currency: money.USD, Date: time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(r, "date"), 0), Unapplied: usd("0"),
		Method: rapid.SampledFrom([]string{"credit_card", "credit_card", "ach", "ach", "paypal"}).Draw(r, "method"), Voided: rapid.IntRange(0, 9).Draw(r, "voided") == 0,
	}
	if rapid.IntRange(0, 4).Draw(r, "charged") > 0 {
		status := rapid.SampledFrom([]billing.ChargeStatus{billing.ChargeSucceeded, billing.ChargeSucceeded, billing.ChargeSucceeded, billing.ChargePending, "odd"}).Draw(r, "status")
		pay.Charge = &billing.Charge{ID: "1", Status: status, Refunded: usd("0")}
	}
	in := plan.PaymentInput{Settings: set, Invoices: map[string]billing.Balance{}, PayerNo: "C9", Others: map[string]settings.Company{"02": other}}
	kinds := []billing.ApplicationType{billing.ApplyInvoice, billing.ApplyInvoice, billing.ApplyInvoice, billing.ApplyConvenienceFee, billing.ApplyCredit,
		billing.ApplyCreditNote, billing.ApplyAppliedCredit, billing.ApplyEstimate}
	sum := usd("0")
	for range rapid.IntRange(0, 6).Draw(r, "parts") {
		a := billing.Application{Type: rapid.SampledFrom(kinds).Draw(r, "type"), Amount: amount("amount", 0, 9_000)}
		if rapid.IntRange(0, 30).Draw(r, "odd") == 0 {
			a.Type, a.Amount = "gift", amount("odd amount", -500, 500)
		}
		if a.Type == billing.ApplyInvoice {
			a.InvoiceID = fmt.Sprint(rapid.IntRange(1, 4).Draw(r, "invoice"))
		}
		if a.Cash() {
			sum = sum.Add(a.Amount)
		}
		pay.Applications = append(pay.Applications, a)
	}
	for id := range 4 {
		balance := amount("balance", -100, 100_000)
		in.Invoices[fmt.Sprint(id+1)] = billing.Balance{
			Number: fmt.Sprintf("A%d", id), CompanyNo: rapid.SampledFrom([]string{"01", "01", "02"}).Draw(r, "company"), Currency: money.USD, Total: balance,
			CustomerNo: rapid.SampledFrom([]string{"C1", "C2"}).Draw(r, "customer"), Balance: balance, Posted: rapid.IntRange(0, 20).Draw(r, "posted") > 0,
		}
	}
	if rapid.IntRange(0, 3).Draw(r, "advance") == 0 {
		pay.Unapplied = amount("unapplied", 0, 9_000)
	}
	pay.Amount = sum.Add(pay.Unapplied)
	if rapid.IntRange(0, 20).Draw(r, "off") == 0 {
		pay.Amount = pay.Amount.Add(usd("0.01"))
	}
	in.Payment = pay
	return in
}

// drawCredit makes up a credit note and open invoices.
func drawCredit(r *rapid.T, set settings.Company) plan.CreditInput {
	amount := func(name string) money.Money {
		return money.FromMinor(rapid.Int64Range(0, 50_000).Draw(r, name), money.USD)
	}
	left := amount("note")
	in := plan.CreditInput{
		Settings: set, Number: "CN1", ContractNo: rapid.SampledFrom([]string{"", "K1"}).Draw(r, "contract"),
		Note: billing.PortalDocument{ID: "800", Kind: billing.KindCreditNote, CustomerID: "77", Currency: money.USD, Total: left, Balance: left},
	}
	for i := range rapid.IntRange(0, 5).Draw(r, "open") {
		total := amount("total")
		in.Open = append(in.Open, plan.OpenInvoice{
			Number: fmt.Sprintf("A%d", i), ContractNo: rapid.SampledFrom([]string{"", "K1", "K2"}).Draw(r, "its contract"),
			Document: billing.PortalDocument{
				ID: fmt.Sprint(900 + i), Kind: billing.KindInvoice, CustomerID: rapid.SampledFrom([]string{"77", "77", "78"}).Draw(r, "its customer"),
				Currency: money.USD, Date: rapid.SampledFrom([]billing.Date{"2026-05-01", "2026-05-02"}).Draw(r, "date"), Total: total, Balance: total,
				Status: rapid.SampledFrom([]string{"not_sent", "pending"}).Draw(r, "status"),
			},
		})
	}
	return in
}

// peopleOf is the portal's side of one customer: it does what steps say.
type peopleOf struct {
	customer *billing.PortalCustomer
	contacts map[string]billing.PortalContact
	known    map[string]string
	memory   plan.Memory
	next     int
}

func (d *peopleOf) have() (out []billing.PortalContact) {
	for i := range d.next + 1 {
		if c, ok := d.contacts[fmt.Sprint(i)]; ok {
			out = append(out, c)
		}
	}
	return out
}

func (d *peopleOf) writeCustomer(s plan.Step) {
	if s.Op == plan.OpCreate {
		c := *s.Customer
		c.ID = "77"
		d.customer = &c
		return
	}
	c, p := *d.customer, s.Patch
	set(&c.Name, p.Name)
	set(&c.Email, p.Email)
	set(&c.Phone, p.Phone)
	set(&c.Terms, p.Terms)
	set(&c.Address, p.Address)
	set(&c.Chase, p.Chase)
	set(&c.AutoPay, p.AutoPay)
	set(&c.Metadata, p.Metadata)
	d.customer = &c
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

func (d *peopleOf) writeContact(s plan.Step) {
	switch s.Op {
	case plan.OpCreate:
		c := *s.Contact
		d.next++
		c.ID = fmt.Sprint(d.next)
		d.contacts[c.ID], d.known[s.Target] = c, c.ID
	case plan.OpUpdate:
		d.contacts[s.Contact.ID] = *s.Contact
	case plan.OpDelete:
		delete(d.contacts, s.Contact.ID)
		delete(d.known, s.Target)
	}
}

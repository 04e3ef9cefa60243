package plan

import (
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/settings"
)

// OpSend is an e-mail: nothing is made, and a repetition is a second e-mail.
const OpSend Op = "send"

// Mail is an e-mail that a step makes the portal send.
type Mail struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Mails reports whether a new document is sent by e-mail (invoices.send). Drafts are not: a person looks at them first.
func Mails(kind billing.Kind, set settings.Company) bool {
	return kind == billing.KindInvoice && set.Invoices.Send == "email" && !set.Invoices.Draft
}

// Send is the step that mails a document to the customer's primary contact; in sandbox mode to the safe address (F17). ok
// is false when the customer has no contact with an address.
func Send(kind billing.Kind, number, target string, customer billing.Customer, set settings.Company) (step Step, ok bool) {
	contact, ok := primaryContact(customer, set)
	email := safe(contact.Email, set)
	if !ok || email == "" {
		return Step{}, false
	}
	return Step{Op: OpSend, Kind: kind, Key: key("mail", string(kind), number), Target: target, Mail: &Mail{Name: contact.Name, Email: email}}, true
}

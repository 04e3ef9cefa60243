// Package gateway is the vendor's test gateway: the cards and bank accounts it knows and what happens when one of them is
// stored or charged (invoiced-api 2.4, 6.6).
package gateway

import (
	"strings"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
)

// Behaviour is what happens to a charge.
type Behaviour int

// The behaviours of instruments.
const (
	Succeeds Behaviour = iota
	Declined
	Broken          // fails when it is stored and when it is charged
	Pending         // pends until somebody settles it
	PendingSucceeds // pends and then succeeds by itself
	PendingFails    // pends and then fails by itself
)

// The instruments that succeed, one per kind.
const (
	Card = "4242424242424242"
	ACH  = "110000000/123456789"
	SEPA = "DE89370400440532013000"
)

type instrument struct {
	text  string // card number, routing/account, or IBAN
	brand string // of a card; empty for bank accounts
	does  Behaviour
}

func instruments() []instrument {
	return []instrument{
		{Card, "Visa", Succeeds},
		{"4111111111111111", "Visa", Succeeds},
		{"5454545454545454", "Mastercard", Succeeds},
		{"378282246310005", "American Express", Succeeds},
		{"4000000000000069", "Visa", Declined},
		{"4000000000000127", "Visa", Broken},
		{ACH, "", Succeeds},
		{"123123123/123123456", "", Declined},
		{"123123123/123123893", "", PendingSucceeds},
		{"123123123/000222222227", "", PendingFails},
		{"123123123/000111111116", "", Broken},
		{SEPA, "", Succeeds},
		{"DE62370400440532013001", "", Declined},
	}
}

func find(text string) (instrument, bool) {
	text = strings.TrimPrefix(strings.NewReplacer(" ", "", "-", "").Replace(text), "tok_")
	for _, i := range instruments() {
		if strings.EqualFold(i.text, text) {
			return i, true
		}
	}
	return instrument{}, false
}

// Source is a card or bank account that can be charged.
type Source struct {
	ID         int64  `json:"id"`
	Object     string `json:"object"` // card or bank_account
	Brand      string `json:"brand,omitempty"`
	Bank       string `json:"bank,omitempty"`
	Last4      string `json:"last4"`
	Routing    string `json:"routing,omitempty"`
	Currency   string `json:"currency,omitempty"` // lower case
	Country    string `json:"country,omitempty"`  // ISO 3166 alpha-2
	Instrument string `json:"instrument"`
	Created    int64  `json:"created"` // unix seconds
}

// New makes a source from the text of an instrument: a card number, routing/account or an IBAN, with or without tok_ in
// front, blanks and hyphens ignored; false when the gateway does not know it. The caller fills the rest.
func New(text string) (*Source, bool) {
	i, ok := find(text)
	if !ok {
		return nil, false
	}
	s := &Source{Object: "card", Brand: i.brand, Last4: i.text[len(i.text)-4:], Instrument: i.text}
	if i.brand == "" {
		s.Object, s.Bank = "bank_account", "TEST BANK"
		if routing, _, ach := strings.Cut(i.text, "/"); ach {
			s.Routing = routing
		}
	}
	return s, true
}

// Behaviour is what charging the source does; charging no source succeeds.
func (s *Source) Behaviour() Behaviour {
	if s == nil {
		return Succeeds
	}
	i, _ := find(s.Instrument)
	return i.does
}

// IsCard reports whether the source is a card.
func (s *Source) IsCard() bool { return s != nil && s.Object == "card" }

// Method is the payment method that charging the source has (invoiced-api 6.2).
func (s *Source) Method() string {
	switch {
	case s.IsCard():
		return "credit_card"
	case s != nil && s.Routing == "":
		return "direct_debit"
	}
	return "ach"
}

// Render is the source as the API shows it; nil is null.
func (s *Source) Render() any {
	if s == nil {
		return nil
	}
	o := wire.Object{{Key: "id", Value: s.ID}, {Key: "object", Value: s.Object}}
	if s.Object == "card" {
		o = append(o, wire.Object{
			{Key: "brand", Value: s.Brand}, {Key: "last4", Value: s.Last4}, {Key: "exp_month", Value: 12},
			{Key: "exp_year", Value: 2035}, {Key: "funding", Value: "credit"}, {Key: "issuing_country", Value: s.Country},
		}...)
	} else {
		var routing any
		if s.Routing != "" {
			routing = s.Routing
		}
		o = append(o, wire.Object{
			{Key: "bank_name", Value: s.Bank}, {Key: "last4", Value: s.Last4}, {Key: "routing_number", Value: routing},
			{Key: "verified", Value: true}, {Key: "currency", Value: s.Currency}, {Key: "country", Value: s.Country},
		}...)
	}
	return append(o, wire.Object{
		{Key: "chargeable", Value: true}, {Key: "failure_reason", Value: nil}, {Key: "gateway", Value: "test"},
		{Key: "gateway_id", Value: nil}, {Key: "gateway_customer", Value: nil}, {Key: "merchant_account", Value: nil},
		{Key: "receipt_email", Value: nil}, {Key: "created_at", Value: s.Created}, {Key: "updated_at", Value: s.Created},
	}...)
}

package enginetest

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/settings"
)

// Start is when worlds begin.
func Start() time.Time { return time.Date(2026, 5, 5, 14, 0, 0, 0, time.UTC) }

// USD is an amount in US dollars.
func USD(s string) money.Money { return money.MustParse(s, money.USD) }

// Settings are those of a live company with everything on.
func Settings() settings.Company {
	return settings.Company{
		Enabled: true, Mode: settings.ModeLive, Q360Company: "01", TimeZone: time.FixedZone("EST", -5*3600), Currency: money.USD,
		SafeEmail: "safe@arbridge.example",
		Customers: settings.Customers{
			Create: true, SyncAddress: true, AddressSource: "billing", UpdateAddress: true, UpdateFields: []string{"name", "terms"}, Match: "number", Chase: true,
		},
		Contacts: settings.Contacts{Sync: true, Roles: []string{"AP"}, PrimaryRole: "AP", Update: true},
		Invoices: settings.Invoices{
			Send: "portal_default", Comment: "off", LinesWithPDF: "summary", LinesWithoutPDF: "detail", SummaryText: "Invoice {{number}}",
			ZeroTotal: "skip", Update: "unpaid_only", Gone: "flag",
		},
		CreditNotes: settings.CreditNotes{Sync: true, Apply: "none"},
		AutoPay:     settings.AutoPayOff,
		Qualify:     settings.Qualify{StartDate: "2026-01-01"},
		Payments: settings.Payments{
			Mode: "charged", Methods: map[string]string{"credit_card": "CARD", "ach": "ACH", "check": "CHECK"},
			GLAccounts: map[money.Currency]string{money.USD: "1010"}, Date: "payment", ReferencePrefix: "IVD-", Overpayment: "hold",
			ClosedPeriod: "hold", ReceiptMode: "post", Attempts: 2,
		},
		Fees:     settings.Fees{Strategy: "proportional", GLAccount: "4950"},
		Activity: settings.Activity{Viewed: true, Commented: true, Paid: true, ViewedCollapse: "daily"},
	}
}

// Invoice is a posted, unpaid invoice over 100.00 and 7.00 tax, with one line.
func Invoice(number, customer string) billing.Invoice {
	return billing.Invoice{
		Number: number, CompanyNo: "01", CustomerNo: customer, Posted: true, Date: "2026-05-01", PostedDate: "2026-05-02", DueDate: "2026-05-31",
		Currency: money.USD, Terms: "NET30", PayMethod: "CHECK", Subtotal: USD("100"), Freight: USD("0"), Tax: USD("7"), Total: USD("107"),
		Paid: USD("0"), Balance: USD("107"),
		Lines: []billing.Line{
			{ID: "1", Seq: 10, Item: "LAB", Description: "Labour", Quantity: decimal.NewFromInt(2), UnitPrice: decimal.NewFromInt(50), Amount: USD("100")},
		},
	}
}

// Over is the invoice with another unit price for its line, and so with another total.
func Over(inv billing.Invoice, unitPrice int64) billing.Invoice {
	line := inv.Lines[0]
	line.UnitPrice = decimal.NewFromInt(unitPrice)
	line.Amount = money.Round(line.Quantity.Mul(line.UnitPrice), inv.Currency)
	inv.Lines = []billing.Line{line}
	inv.Subtotal, inv.Total = line.Amount, line.Amount.Add(inv.Tax)
	inv.Balance = inv.Total.Sub(inv.Paid)
	return inv
}

// Customer is a customer with one contact for payables.
func Customer(number string) billing.Customer {
	return billing.Customer{
		Number: number, Name: "Customer " + number, Active: true, Currency: money.USD, Terms: "NET30", MainContact: "K" + number,
		Main: billing.Address{Line1: "1 Main Street", City: "Springfield", State: "IL", PostalCode: "62701"},
		Contacts: []billing.Contact{
			{Number: "K" + number, CustomerNo: number, Name: "Payables " + number, Email: "ap-" + number + "@customer.example", Roles: []billing.Role{billing.RoleAP}, Active: true},
		},
	}
}

// On is a part of a payment that pays an invoice of the portal.
func On(documentID, amount string) billing.Application {
	return billing.Application{Type: billing.ApplyInvoice, InvoiceID: documentID, Amount: USD(amount)}
}

// Fee is a convenience fee in a payment.
func Fee(amount string) billing.Application {
	return billing.Application{Type: billing.ApplyConvenienceFee, Amount: USD(amount)}
}

package plan_test

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/settings"
)

// company is a live company with everything on, as a starting point for cases.
func company() settings.Company {
	return settings.Company{
		Enabled: true, Mode: settings.ModeLive, Q360Company: "01", TimeZone: time.FixedZone("EST", -5*3600), Currency: money.USD,
		SafeEmail: "safe@arbridge.example",
		Customers: settings.Customers{Create: true, SyncAddress: true, AddressSource: "billing", UpdateAddress: true, UpdateFields: []string{"name", "terms"}, Match: "number", Chase: true},
		Contacts:  settings.Contacts{Sync: true, Roles: []string{"AP"}, PrimaryRole: "AP", Update: true},
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

func usd(s string) money.Money { return money.MustParse(s, money.USD) }

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// invoice is posted, unpaid, 1000.00 + 25.00 freight + 75.00 tax over two lines.
func invoice() billing.Invoice {
	return billing.Invoice{
		Number: "104233", CompanyNo: "01", CustomerNo: "C1", Posted: true, Date: "2026-05-01", PostedDate: "2026-05-02", DueDate: "2026-05-31",
		Currency: money.USD, Terms: "NET30", PayMethod: "CHECK", Subtotal: usd("1000"), Freight: usd("25"), Tax: usd("75"), Total: usd("1100"),
		Paid: usd("0"), Balance: usd("1100"), CustomerPO: "PO-1",
		Lines: []billing.Line{
			{ID: "1", Seq: 10, Item: "DSP-900", Description: "DSP processor", Quantity: dec("1"), UnitPrice: dec("750"), Amount: usd("750")},
			{ID: "2", Seq: 20, Item: "LAB", Description: "Labour", Quantity: dec("2.5"), UnitPrice: dec("100"), Amount: usd("250")},
		},
	}
}

func portalTotal(t *testing.T, d billing.PortalDocument) money.Money {
	t.Helper()
	return computed(d)
}

// computed is the total that the portal's own arithmetic gives.
func computed(d billing.PortalDocument) money.Money {
	total := d.Tax
	for _, it := range d.Items {
		total = total.Add(money.Round(it.Quantity.Mul(it.UnitCost), d.Currency))
	}
	return total
}

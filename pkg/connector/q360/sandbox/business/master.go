package business

import (
	"fmt"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
)

// company is a legal entity of the site.
type company struct {
	no, name, currency, bank string
	tax                      int // in hundredths of a percent
	country                  string
}

func companies() []company {
	return []company{
		{no: "01", name: "Brightline AV Inc.", currency: "USD", bank: "1010", tax: 625, country: "US"},
		{no: "02", name: "Brightline AV Canada Ltd.", currency: "CAD", bank: "1020", tax: 1300, country: "CA"},
		{no: "03", name: "Brightline AV Europe GmbH", currency: "EUR", bank: "1030", tax: 1900, country: "DE"},
		{no: "04", name: "Brightline AV Labs Inc.", currency: "USD", bank: "1010", country: "US"},
		{no: "05", name: "Brightline AV Rentals Inc.", currency: "USD", bank: "1010", country: "US"},
	}
}

// bankOf is the bank account of a currency (one account per currency, q360-api 2.8).
func bankOf(currency string) string {
	return map[string]string{"USD": "1010", "CAD": "1020", "EUR": "1030", "GBP": "1040"}[currency]
}

// FeeAccount is the income account for convenience fees.
const FeeAccount = "4950"

// master makes companies, currencies, accounts, rates, periods and codes.
func (g *generator) master() {
	for _, c := range companies()[:g.options.Companies] {
		g.add("COMPANY", sandbox.Record{
			"COMPANYNO": c.no, "COMPANY": c.name, "DEFCURRENCY": c.currency, "BANKACCOUNT": c.bank, "ARACCOUNT": "1200",
			"SALESACCOUNT": "4000", "WRITEOFFACCOUNT": "6900", "FXACCOUNT": "7100", "STATUS": "ACTIVE", "MODDATE": stamp(g.options.Start),
		})
		g.periods(c)
	}
	for _, c := range [][3]string{{"USD", "US dollar", "$"}, {"CAD", "Canadian dollar", "C$"}, {"EUR", "Euro", "€"}, {"GBP", "Pound sterling", "£"}} {
		g.add("CURRENCY", sandbox.Record{"CURRENCY": c[0], "DESCRIPTION": c[1], "SYMBOL": c[2], "STATUS": "ACTIVE"})
	}
	for _, a := range [][5]string{
		{"1010", "Operating bank USD", "ASSET", "Y", "USD"}, {"1020", "Operating bank CAD", "ASSET", "Y", "CAD"},
		{"1030", "Operating bank EUR", "ASSET", "Y", "EUR"}, {"1040", "Operating bank GBP", "ASSET", "Y", "GBP"},
		{"1200", "Accounts receivable", "ASSET", "N", ""}, {"4000", "Sales", "INCOME", "N", ""}, {"4100", "Service revenue", "INCOME", "N", ""},
		{"4200", "Freight revenue", "INCOME", "N", ""}, {FeeAccount, "Convenience fees", "INCOME", "N", ""},
		{"6900", "Bad debt", "EXPENSE", "N", ""}, {"7100", "Exchange gain and loss", "EXPENSE", "N", ""},
	} {
		g.add("GLACCOUNT", sandbox.Record{"ACCOUNTNO": a[0], "DESCRIPTION": a[1], "ACCTYPE": a[2], "BANKFLAG": a[3], "CURRENCY": a[4], "STATUS": "ACTIVE", "MODDATE": stamp(g.options.Start)})
	}
	g.rates()
	for i, c := range [][3]string{
		{"ACTTYPE", "RP-VIEWED", "Viewed in the portal"}, {"ACTTYPE", "RP-COMMENTED", "Commented in the portal"},
		{"ACTTYPE", "RP-PAID", "Paid in the portal"}, {"ACTTYPE", "EMAIL", "E-mail"}, {"PAYMETHOD", "CHECK", "Check"},
		{"PAYMETHOD", "ACH", "Bank transfer"}, {"PAYMETHOD", "CARD", "Card"},
	} {
		g.add("CODE", sandbox.Record{"CODENO": fmt.Sprint(i + 1), "CODETYPE": c[0], "CODE": c[1], "DESCRIPTION": c[2], "STATUS": "ACTIVE"})
	}
}

// periods makes the month before the first day closed and every month until two years after the last day open.
func (g *generator) periods(c company) {
	first := monthOf(g.options.Start).AddDate(0, -1, 0)
	for month := first; !month.After(g.options.End.AddDate(2, 0, 0)); month = month.AddDate(0, 1, 0) {
		status := "OPEN"
		if month.Equal(first) {
			status = "CLOSED"
		}
		g.add("FISCALENDAR", sandbox.Record{
			"FISCALENDARNO": fmt.Sprint(len(g.rows["FISCALENDAR"]) + 1), "COMPANYNO": c.no, "PERIOD": month.Format("2006-01"),
			"STARTDATE": stamp(month), "ENDDATE": stamp(month.AddDate(0, 1, -1)), "STATUS": status,
		})
	}
}

func monthOf(day time.Time) time.Time {
	return time.Date(day.Year(), day.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// rates makes one posting rate per currency and month, in US dollars.
func (g *generator) rates() {
	r := random(g.options.Seed, "rates", 0)
	base := map[string]int{"USD": 1_000_000, "CAD": 735_000, "EUR": 1_085_000, "GBP": 1_270_000}
	for _, currency := range []string{"USD", "CAD", "EUR", "GBP"} {
		for month := monthOf(g.options.Start).AddDate(0, -1, 0); !month.After(g.options.End.AddDate(0, 6, 0)); month = month.AddDate(0, 1, 0) {
			rate := base[currency]
			if currency != "USD" {
				rate += r.IntN(20_000) - 10_000
			}
			g.add("FXRATE", sandbox.Record{
				"FXRATENO": fmt.Sprint(len(g.rows["FXRATE"]) + 1), "CURRENCY": currency, "STARTDATE": stamp(month),
				"ENDDATE": stamp(month.AddDate(0, 1, -1)), "RATE": fmt.Sprintf("%d.%06d", rate/1_000_000, rate%1_000_000),
			})
		}
	}
}

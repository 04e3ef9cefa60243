package business

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
)

// customer is what invoices need to know of one.
type customer struct {
	no, site, terms, paymethod string
	company                    company // of its invoices
	active                     bool
}

type contract struct {
	no       string
	customer customer
}

func firstNames() []string {
	return []string{"Dana", "Lee", "Priya", "Marta", "Jürgen", "Chloé", "Sam", "Noor", "Ana", "Tom", "Zoë", "Ravi"}
}

func lastNames() []string {
	return []string{"Ruiz", "Orr", "Patel", "Kowalski", "Müller", "Lefèvre", "O'Neil", "Haddad", "Núñez", "Smith", "Van Dyk", "Ito"}
}

func places() map[string][][3]string {
	return map[string][][3]string{
		"US": {{"Ogden", "UT", "84401"}, {"Boston", "MA", "02110"}, {"Austin", "TX", "78701"}, {"Albany", "NY", "12207"}},
		"CA": {{"Toronto", "ON", "M5H 2N2"}, {"Montréal", "QC", "H2Y 1C6"}, {"Calgary", "AB", "T2P 1J9"}},
		"DE": {{"München", "", "80331"}, {"Köln", "", "50667"}, {"Hamburg", "", "20095"}},
	}
}

func customerName(r *rand.Rand, i int) string {
	first := []string{"North Peak", "Harbour", "Blue Ridge", "Saint-Élie", "Lakeside", "Westfalen", "Grand Union", "O'Hara", "Pinecrest", "Øresund"}
	second := []string{"University", "Medical Center", "School District", "Hotels", "Bank", "County Courts", "Theatre", "Logistics & Sons", "Museum", "Werke"}
	return fmt.Sprintf("%s %s %d", pick(r, first), pick(r, second), i+1)
}

// trading is how many companies have customers of the generated business.
const trading = 3

// parties makes customers with their sites, contacts and contracts.
func (g *generator) parties() {
	all := companies()[:min(g.options.Companies, trading)]
	for i := range g.options.Customers {
		r := random(g.options.Seed, "customer", i)
		own := all[i%len(all)]
		place := pick(r, places()[own.country])
		no, siteNo := fmt.Sprintf("C%05d", i+1), fmt.Sprintf("S%05d", 2*i+1)
		row := sandbox.Record{
			"CUSTOMERNO": no, "COMPANY": customerName(r, i), "TYPE": "CUSTOMER", "STATUS": "ACTIVE",
			"ADDRESS1": fmt.Sprintf("%d Main Street", 1+r.IntN(999)), "CITY": place[0], "STATE": place[1], "ZIP": place[2],
			"PHONE": fmt.Sprintf("555-01%02d", i%100), "PAYMENTTERMS": pick(r, []string{"NET30", "NET60", "NET15"}),
			"CREDITLIMIT": "50000", "DEFCURRENCY": own.currency, "COMPANYNO": own.no, "INVOICESITENO": siteNo,
			"PAYMETHOD": pick(r, []string{"CHECK", "ACH", "CARD"}), "CREDITHOLD": "0", "SALESREP": "REP1", "MODDATE": stamp(g.options.Start),
		}
		if own.country != "US" { // blank for the site's own country (q360-api 2.1)
			row["COUNTRY"] = own.country
		}
		kind := g.shape(i, row, all)
		g.note(kind, no)
		g.sites(i, row, place)
		g.contacts(i, r, row)
		g.add("CUSTOMER", row)
		if kind == CustomerProspect {
			continue
		}
		c := customer{no: no, site: row["INVOICESITENO"], terms: row["PAYMENTTERMS"], paymethod: row["PAYMETHOD"], company: own, active: kind != CustomerInactive}
		g.billable = append(g.billable, c)
		if i%4 == 2 {
			g.contract(i, c)
		}
	}
}

// shape gives a customer its oddity.
func (g *generator) shape(i int, row sandbox.Record, all []company) Case {
	switch i % 20 {
	case 3:
		row["TYPE"] = "CUSTVEND"
		return CustomerVendor
	case 5:
		row["TYPE"] = "PROSPECT"
		return CustomerProspect
	case 7:
		row["STATUS"] = "INACTIVE"
		return CustomerInactive
	case 9:
		row["MASTERCUSTOMERNO"] = fmt.Sprintf("C%05d", i-2) // one of the same company
		return CustomerChild
	case 11:
		if len(all) > 1 {
			row["COMPANYNO"] = all[(i+1)%len(all)].no
			return CustomerOtherCompany
		}
	case 13, 16:
		row["INVOICESITENO"] = ""
		return CustomerNoSite
	}
	return CustomerNormal
}

func (g *generator) sites(i int, customer sandbox.Record, place [3]string) {
	for n, name := range []string{"Accounts office", "Main campus"} {
		status := "ACTIVE"
		if n == 1 && i%6 == 4 {
			status = "INACTIVE"
		}
		g.add("SITE", sandbox.Record{
			"SITENO": fmt.Sprintf("S%05d", 2*i+n+1), "CUSTOMERNO": customer["CUSTOMERNO"], "SITENAME": name,
			"ADDRESS": fmt.Sprintf("%d Billing Road", 10*(i+1)+n), "CITY": place[0], "STATE": place[1], "ZIP": place[2],
			"COUNTRY": customer["COUNTRY"], "STATUS": status, "MODDATE": stamp(g.options.Start),
		})
	}
}

// person is a contact to be made.
type person struct {
	kind         Case
	role, status string
	email        string // "" is a valid one, "-" none
	same         bool   // has the name of the one before
}

// people are the contacts of the i-th customer.
func people(i int) []person {
	switch i % 8 {
	case 0:
		return []person{{kind: ContactAP, role: "AP"}, {kind: ContactAR, role: "AR"}, {kind: ContactNoRole}}
	case 1:
		return []person{{kind: ContactAP, role: "AP"}}
	case 2:
		return []person{{kind: ContactAR, role: "ACCOUNTING"}, {kind: ContactCollections, role: "COLLECT"}}
	case 3:
		return nil
	case 4:
		return []person{{kind: ContactInactive, role: "AP", status: "INACTIVE"}, {kind: ContactAR, role: "AR"}}
	case 5:
		return []person{{kind: ContactSameName, role: "AP"}, {kind: ContactSameName, same: true}}
	case 6:
		return []person{{kind: ContactNoEmail, role: "AP", email: "-"}, {kind: ContactAR, role: "ar"}}
	}
	return []person{{kind: ContactInvalidEmail, role: "AP", email: "accounts payable(at)example"}, {kind: ContactCollections, role: "COLLECTIONS"}}
}

func (g *generator) contacts(i int, r *rand.Rand, customer sandbox.Record) {
	var first, last string
	all := people(i)
	if len(all) == 0 {
		g.note(CustomerNoContact, customer["CUSTOMERNO"])
	}
	for n, p := range all {
		no := fmt.Sprintf("K%05d", 3*i+n+1)
		if !p.same {
			first, last = pick(r, firstNames()), pick(r, lastNames())
		}
		row := sandbox.Record{
			"CONTACTNO": no, "CUSTOMERNO": customer["CUSTOMERNO"], "SITENO": customer["INVOICESITENO"], "FIRSTNAME": first, "LASTNAME": last,
			"EMAIL": fmt.Sprintf("contact%d@customer%d.example", n+1, i+1), "PHONE": customer["PHONE"], "TYPE": p.role,
			"STATUS": p.status, "TITLE": strings.TrimSpace(p.role + " lead"), "MODDATE": stamp(g.options.Start),
		}
		switch p.email {
		case "":
		case "-":
			delete(row, "EMAIL")
		default:
			row["EMAIL"] = p.email
		}
		if p.status == "" && n%2 == 0 {
			row["STATUS"] = "ACTIVE" // others leave it NULL
		}
		if n == 0 {
			customer["CONTACTNO"] = no
		}
		g.add("CONTACT", row)
		g.note(p.kind, no)
	}
}

// contract makes a service contract; every second one has expired.
func (g *generator) contract(i int, c customer) {
	no := fmt.Sprintf("SC-%04d", 2200+len(g.contracts))
	status, kind, end := "ACTIVE", ContractActive, g.options.End.AddDate(1, 0, 0)
	if len(g.contracts)%2 == 1 {
		status, kind, end = "EXPIRED", ContractExpired, g.options.Start.AddDate(0, 1, 0)
	}
	g.contracts = append(g.contracts, contract{no: no, customer: c})
	g.note(kind, no)
	g.add("SERVICECONTRACT", sandbox.Record{
		"CONTRACTNO": no, "CUSTOMERNO": c.no, "SITENO": c.site, "TITLE": fmt.Sprintf("Care plan %d", i+1), "STARTDATE": stamp(g.options.Start.AddDate(-1, 0, 0)),
		"ENDDATE": stamp(end), "STATUSCODE": status, "CONTYPE": "RECURRING", "BILLINGMETHOD": "MONTHLY", "MONTHLYTOTAL": "249.00",
		"TOTAL": "2988.00", "MODDATE": stamp(g.options.Start),
	})
}

package settings

import (
	"errors"
	"slices"

	"github.com/arbridge/arbridge/pkg/money"
)

// conflicts reports company settings that contradict each other. Rules whose settings were refused do not speak.
func (c *Company) conflicts(sound func(keys ...string) bool) []Problem {
	var out []Problem
	rule := func(broken bool, key, message string, others ...string) {
		if broken && sound(append(others, key)...) {
			s, _ := Lookup(key)
			out = append(out, Problem{Key: key, Expected: s.Expected(), Message: message})
		}
	}
	con, q := c.Contacts, c.Qualify
	rule(len(con.Roles) == 0, "contacts.roles", "empty; set contacts.sync to false to send no contacts")
	rule(len(con.Roles) > 0 && !slices.Contains(con.Roles, "ALL") && !slices.Contains(con.Roles, con.PrimaryRole), "contacts.primary_role",
		con.PrimaryRole+" is none of contacts.roles, so no contact could be the primary one", "contacts.roles")
	if both := common(q.PayMethods, q.ExcludePayMethod); both != nil {
		rule(true, "qualify.exclude_payment_methods", Echo(both)+" is in qualify.payment_methods too",
			"qualify.payment_methods")
	}
	if both := common(q.Customers, q.ExcludeCustomers); both != nil {
		rule(true, "qualify.exclude_customers", Echo(both)+" is in qualify.customers too", "qualify.customers")
	}
	rule(!holds(c.Invoices.Variance, c.Currency), "invoices.variance", tooFine(c.Currency), "company.currency")
	rule(!holds(q.MinBalance, c.Currency), "qualify.min_balance", tooFine(c.Currency), "company.currency")
	return out
}

func common(a, b []string) []string {
	var out []string
	for _, v := range a {
		if slices.Contains(b, v) {
			out = append(out, v)
		}
	}
	return out
}

// holds reports whether the amount is possible in the currency: 0.005 is none in USD and would silently count as zero.
func holds(a Amount, cur money.Currency) bool {
	if a == "" {
		return true
	}
	_, err := money.Parse(string(a), cur)
	return !errors.Is(err, money.ErrInexact)
}

func tooFine(cur money.Currency) string {
	return "has more decimals than " + string(cur) + ", the company's currency"
}

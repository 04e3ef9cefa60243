package demo

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
)

// row is a record that is out of step, or about which something is worth knowing.
type row struct {
	company, kind, number string
	status                record.Status
	reasons               []plan.Reason
	text, currency        string
	amount                string
}

// code is what groups rows: the codes of their reasons, or the words where there are none.
func (r row) code() string {
	if len(r.reasons) == 0 {
		return r.text
	}
	codes := ""
	for _, reason := range r.reasons {
		codes += string(reason.Code) + " "
	}
	return codes
}

// shownNumbers is how many numbers of a group are printed.
const shownNumbers = 10

// print writes the tables and everything that is not in step, and reports whether both sides agree.
func (b *books) print(out io.Writer) bool {
	agree := true
	fmt.Fprintln(out, "\nDocuments: what the ERP posted and what the portal has")
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "company\tcurrency\tposted\tin portal\tERP total\t+ out of step\tportal total\tdifference\t")
	for _, key := range sortedKeys(b.at) {
		k := b.at[key]
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\t\n", k.company, k.currency, k.posted, k.inPortal, k.erp.Amount(), k.apart.Amount(), k.portal.Amount(),
			k.documents().Amount())
		agree = agree && k.documents().IsZero() && k.cash().IsZero()
	}
	_ = t.Flush() // the terminal, or what stands in for it
	fmt.Fprintln(out, "ERP total + out of step = portal total. Out of step is what documents listed below changed by, or kept, after money or a person was on them.")
	fmt.Fprintln(out, "\nMoney: what came in through the portal and what the ERP has receipts for")
	t = tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "company\tcurrency\tpayments\t- not posted\treceipts\tno.\tof that fees\twent back later\ttold as tasks\tdifference\t")
	for _, key := range sortedKeys(b.at) {
		k := b.at[key]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t\n", k.company, k.currency, k.settled.Amount(), k.waiting.Amount(), k.receipts.Amount(), k.count,
			k.fees.Amount(), k.back.Amount(), k.tasks.Amount(), k.cash().Amount())
	}
	_ = t.Flush()
	fmt.Fprintln(out, "Payments - not posted = receipts, and every cent that went back after its receipt was posted is told as a task with the receipt's number.")
	for _, part := range []struct {
		title string
		in    func(row) bool
	}{
		{"Needs a person:", needsPerson},
		{"Not in step, with the reason:", func(r row) bool {
			return !needsPerson(r) && r.status != record.Synced && r.status != record.Variance
		}},
		{"In step, and worth knowing:", func(r row) bool { return r.status == record.Synced || r.status == record.Variance }},
	} {
		fmt.Fprintf(out, "\n%s\n", part.title)
		printRows(out, slices.DeleteFunc(slices.Clone(b.rows), func(r row) bool { return !part.in(r) }))
	}
	return agree
}

// needsPerson tells what a person has to see to: decisions, and receipts whose money went back.
func needsPerson(r row) bool { return r.status == record.Attention || r.status == record.Reversed }

// printRows groups rows by kind, status and reason.
func printRows(out io.Writer, rows []row) {
	for len(rows) > 0 {
		first, n := rows[0], 0
		for n < len(rows) && rows[n].kind == first.kind && rows[n].status == first.status && rows[n].code() == first.code() {
			n++
		}
		group := rows[:n]
		rows = rows[n:]
		if first.kind == "payment" && needsPerson(first) {
			printTasks(out, group)
			continue
		}
		text := first.text
		if slices.ContainsFunc(group, func(r row) bool { return r.text != text }) {
			text += " (and the like)"
		}
		fmt.Fprintf(out, "  %3d %s, %s (%s): %s\n      %s\n", n, words(first.kind)+plural(n), words(string(first.status)), companies(group), text, what(group))
	}
}

// printTasks prints payments that need a person one by one, by amount: their numbers and receipts are what the person needs.
func printTasks(out io.Writer, group []row) {
	slices.SortFunc(group, func(x, y row) int {
		return cmp.Or(strings.Compare(x.company, y.company), strings.Compare(x.amount, y.amount))
	})
	for _, r := range group {
		fmt.Fprintf(out, "    1 payment of %s %s, %s (%s): %s\n", r.amount, r.currency, words(string(r.status)), r.company, r.text)
	}
}

// companies counts the rows of each company.
func companies(group []row) string {
	var out []string
	for i := 0; i < len(group); {
		n := i
		for n < len(group) && group[n].company == group[i].company {
			n++
		}
		out = append(out, fmt.Sprintf("%s %d", group[i].company, n-i))
		i = n
	}
	return strings.Join(out, ", ")
}

// what names the rows of a group: payments by their sums, everything else by numbers.
func what(group []row) string {
	if group[0].kind == "payment" {
		return strings.Join(sums(group), ", ")
	}
	var numbers []string
	for _, r := range group[:min(len(group), shownNumbers)] {
		numbers = append(numbers, r.number)
	}
	out := strings.Join(numbers, " ")
	if more := len(group) - len(numbers); more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}

// sums are the amounts of payments, by currency.
func sums(rows []row) []string {
	byCurrency := map[string]money.Money{}
	for _, r := range rows {
		if amount, err := amountOf(r.amount, r.currency); err == nil {
			byCurrency[r.currency] = byCurrency[r.currency].Add(amount)
		}
	}
	var out []string
	for _, cur := range sortedKeys(byCurrency) {
		out = append(out, byCurrency[cur].String())
	}
	return out
}

// words are a code in plain words.
func words(code string) string { return strings.ReplaceAll(code, "_", " ") }

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

package reconcile

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/arbridge/arbridge/pkg/money"
)

// maxShown is the number of unexplained differences that a table shows of a company without all.
const maxShown = 50

// Table writes a report for people: the sums of both sides, then what is unexplained with what would mend it, then what is
// explained, by reason. With all, every difference is shown.
func (r Report) Table(w io.Writer, all bool) error {
	fmt.Fprintf(w, "%s, %s to %s: %s\n", r.Company, r.From, r.To, r.headline())
	for _, n := range r.Notes {
		fmt.Fprintf(w, "  note: %s\n", oneLine(n))
	}
	if len(r.Books) == 0 {
		_, err := fmt.Fprintln(w, "  Neither side has anything in this time.")
		return err
	}
	if err := r.sums(w); err != nil {
		return err
	}
	n := r.Unexplained()
	if n > 0 {
		fmt.Fprintf(w, "\n  Unexplained (%d)\n", n)
		shown := n
		if !all {
			shown = min(n, maxShown)
		}
		if err := list(w, r.Differences[:shown]); err != nil {
			return err
		}
		if shown < n {
			fmt.Fprintf(w, "    … and %d more (--all)\n", n-shown)
		}
	}
	if n == len(r.Differences) {
		return nil
	}
	fmt.Fprintf(w, "\n  Explained (%d)\n", len(r.Differences)-n)
	if all {
		return list(w, r.Differences[n:])
	}
	return reasons(w, r.Differences[n:])
}

func (r Report) headline() string {
	switch r.State() {
	case OK:
		return "both sides agree"
	case Explained:
		return countText(len(r.Differences), "difference") + ", all explained"
	}
	return strings.ToUpper(countText(r.Unexplained(), "unexplained difference")) + ", " + texts(r.Stake()) + " at stake"
}

// sums writes the books: documents and their balances, then money.
func (r Report) sums(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\n  Documents, and the balances of those that both sides have")
	fmt.Fprintln(t, "\t\tposted\tERP total\tdue in portal\tin portal\tportal total\tdifference\tcredits\topen in ERP\topen in portal\tdifference\t")
	for i := range r.Books {
		b := &r.Books[i]
		fmt.Fprintf(t, "  %s\t%s\t%d\t%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t\n", b.Period, b.Currency, b.Posted.Count, b.Posted.Amount.Amount(), b.Qualified.Count,
			b.Portal.Count, b.Portal.Amount.Amount(), gapText(b.DocumentsGap), credits(b), b.ERPOpen.Amount.Amount(), b.PortalOpen.Amount.Amount(), gapText(b.BalancesGap))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	t = tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\t\tpayments\tsettled\tgone back\treceipts\tposted\tdifference\tfees in: payments\treceipts\tunapplied\ton account\tpending\tother receipts\t")
	some := false
	for i := range r.Books {
		b := &r.Books[i]
		if b.Payments.Count+b.Receipts.Count+b.Pending.Count+b.ByHand.Count == 0 {
			continue
		}
		if !some {
			fmt.Fprintln(w, "\n  Payments of the portal, and cash receipts of them in the ERP")
		}
		some = true
		fmt.Fprintf(t, "  %s\t%s\t%d\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", b.Period, b.Currency, b.Payments.Count, b.Payments.Amount.Amount(),
			zeroDash(b.GoneBack), b.Receipts.Count, b.Receipts.Amount.Amount(), gapText(b.MoneyGap), zeroDash(b.FeesPortal), zeroDash(b.FeesERP),
			zeroDash(b.Unapplied), zeroDash(b.OnAccount), zeroDash(b.Pending), zeroDash(b.ByHand))
	}
	if !some {
		_, err := fmt.Fprintln(w, "\n  No payments and no receipts.")
		return err
	}
	return t.Flush()
}

// credits shows the credits of both sides, once where they agree.
func credits(b *Book) string {
	if b.CreditsERP.Amount.Equal(b.CreditsPortal.Amount) {
		return zeroDash(b.CreditsERP)
	}
	return b.CreditsERP.Amount.Amount() + " / " + b.CreditsPortal.Amount.Amount()
}

func zeroDash(s Sum) string {
	if s.Amount.IsZero() {
		return "–"
	}
	return s.Amount.Amount()
}

func gapText(m money.Money) string {
	if m.IsZero() {
		return "–"
	}
	return m.Amount()
}

// list writes differences one by one: what and how much, why, and what would mend it.
func list(w io.Writer, differences []Difference) error {
	for i := range differences {
		d := &differences[i]
		fmt.Fprintf(w, "    %s %s: %s", title(string(d.Object)), oneLine(d.Number), plain(string(d.Kind)))
		fmt.Fprintf(w, " — ERP %s, portal %s", d.amount(d.ERP), d.amount(d.Portal))
		if d.Stake != magnitude(d.ERP-d.Portal) && d.Stake != 0 {
			fmt.Fprintf(w, ", at stake %s", d.amount(d.Stake))
		}
		if d.Amount != d.ERP-d.Portal {
			fmt.Fprintf(w, ", of that %s", d.amount(d.Amount))
		}
		fmt.Fprintf(w, " (%s)\n      %s\n", details(d), oneLine(d.Why))
		if d.Action != "" {
			if _, err := fmt.Fprintf(w, "      → %s\n", oneLine(d.Action)); err != nil {
				return err
			}
		}
	}
	return nil
}

// details names what belongs to the difference beside its number.
func details(d *Difference) string {
	out := []string{string(d.Date)}
	for _, x := range []struct{ name, value string }{{"customer", d.Customer}, {"receipt", d.Receipt}, {"reference", d.Reference}} {
		if x.value != "" {
			out = append(out, x.name+" "+oneLine(x.value))
		}
	}
	if d.PortalID != "" && d.PortalID != d.Number {
		out = append(out, "portal id "+oneLine(d.PortalID))
	}
	return strings.Join(out, ", ")
}

// reasons writes differences by what they are and why, with their sum and examples.
func reasons(w io.Writer, differences []Difference) error {
	type key struct {
		currency money.Currency
		kind     Kind
		code     string
	}
	groups := map[key][]*Difference{}
	var order []key
	for i := range differences {
		d := &differences[i]
		k := key{d.Currency, d.Kind, d.Code}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], d)
	}
	slices.SortStableFunc(order, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.currency, b.currency), cmp.Compare(a.kind, b.kind), cmp.Compare(len(groups[b]), len(groups[a])), cmp.Compare(a.code, b.code))
	})
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "    NO.\tWHAT\tERP − PORTAL\tSUCH AS\tWHY")
	for _, k := range order {
		list := groups[k]
		sum := money.Zero(k.currency)
		var examples []string
		for _, d := range list {
			sum = sum.Add(d.amount(d.Amount))
			if len(examples) < 3 {
				examples = append(examples, oneLine(d.Number))
			}
		}
		why := oneLine(list[0].Why)
		if len(list) > 1 && list[len(list)-1].Why != list[0].Why {
			why += " (and the like)"
		}
		fmt.Fprintf(t, "    %d\t%s\t%s\t%s\t%s\n", len(list), plain(string(k.kind)), sum, strings.Join(examples, ", "), why)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if todo := countActions(differences); todo > 0 {
		_, err := fmt.Fprintf(w, "    %d of them ask for something to be done: --all shows what\n", todo)
		return err
	}
	return nil
}

func countActions(differences []Difference) int {
	n := 0
	for i := range differences {
		if differences[i].Action != "" {
			n++
		}
	}
	return n
}

func plain(s string) string { return strings.ReplaceAll(s, "_", " ") }

func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + plain(s[1:])
}

// oneLine makes a text safe for a terminal: what a vendor says may hold line ends, tabs, codes, or marks that turn the
// direction of what follows them.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, s)), " ")
}

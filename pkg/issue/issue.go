// Package issue turns what needs a person into issues: one per company and cause, with the records concerned, the money
// at stake, and what to do about it. Issues appear, grow, shrink and resolve by themselves: each refresh compares what is
// there with what was, and writes the difference.
package issue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/store"
)

// Severity says how much an issue matters.
type Severity string

// The severities, the worst first.
const (
	High   Severity = "high"   // money is wrong or held up, or a company stands still
	Normal Severity = "normal" // a document or a customer is not in step
	Low    Severity = "low"    // worth knowing; it may pass by itself
)

// State is what became of an issue.
type State string

// The states.
const (
	Open     State = "open"
	Resolved State = "resolved" // the cause is gone
)

// MaxRecords is the number of record ids that an issue keeps; Count tells how many there are.
const MaxRecords = 50

// Issue is one cause with everything it concerns. Its key is store.ID(Company, Cause).
type Issue struct {
	Company  string   `json:"company"`
	Cause    string   `json:"cause"` // a reason code (package plan), or one of the causes of a whole company
	Title    string   `json:"title"`
	Fix      string   `json:"fix"`              // what to do
	Detail   string   `json:"detail,omitempty"` // in the words of the records or of the vendor, where all say the same
	Severity Severity `json:"severity"`
	State    State    `json:"state"`
	Count    int      `json:"count"` // of records or events; 0 for a cause of the whole company
	// Records are the first MaxRecords keys, sorted, of records; of inbox entries for the cause CauseEvents.
	Records []string `json:"records,omitempty"`
	// Money is the sum of what the records are about, by currency, as decimal text without a sign.
	Money map[string]string `json:"money,omitempty"`
	// FirstSeen is since when the cause is there, as far as is known. A resolved issue that comes back begins anew.
	FirstSeen store.Time `json:"first_seen"`
	// LastSeen is when a refresh last found the issue changed; a resolved one was there until then.
	LastSeen   store.Time `json:"last_seen"`
	ResolvedAt store.Time `json:"resolved_at,omitzero"`
	UpdatedAt  store.Time `json:"updated_at"`
}

// ID is the issue's key.
func (i Issue) ID() string { return store.ID(i.Company, i.Cause) }

// same reports whether two issues tell a person the same.
func (i Issue) same(o Issue) bool {
	return i.Cause == o.Cause && i.Title == o.Title && i.Fix == o.Fix && i.Detail == o.Detail && i.Severity == o.Severity &&
		i.State == o.State && i.Count == o.Count && slices.Equal(i.Records, o.Records) && maps.Equal(i.Money, o.Money)
}

// Stake is the money of issues together in words, such as "12,400.00 USD, 30.00 EUR"; empty when there is none. Amounts of
// different currencies are never added.
func Stake(issues ...Issue) string {
	sums := map[money.Currency]money.Money{}
	for _, i := range issues {
		for cur, text := range i.Money {
			if m, err := money.Parse(text, money.Currency(cur)); err == nil {
				add(sums, m)
			}
		}
	}
	return Amounts(sums)
}

// Amounts writes sums with separators of thousands, the currencies in order of their codes; zero sums are left out.
func Amounts(sums map[money.Currency]money.Money) string {
	var out []string
	for _, cur := range slices.Sorted(maps.Keys(sums)) {
		if m := sums[cur]; !m.IsZero() {
			out = append(out, grouped(m.Amount())+" "+string(cur))
		}
	}
	return strings.Join(out, ", ")
}

// grouped puts commas between the thousands of a decimal text.
func grouped(amount string) string {
	sign := ""
	if rest, negative := strings.CutPrefix(amount, "-"); negative {
		sign, amount = "-", rest
	}
	whole, fraction, dot := strings.Cut(amount, ".")
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if dot {
		whole += "." + fraction
	}
	return sign + whole
}

func add(sums map[money.Currency]money.Money, m money.Money) {
	was, ok := sums[m.Currency()]
	if !ok {
		was = money.Zero(m.Currency())
	}
	sums[m.Currency()] = was.Add(m)
}

// List reads the issues of a company, the worst first: the open ones, or the resolved ones too.
func List(ctx context.Context, s store.Store, company string, all bool) ([]Issue, error) {
	rows, err := query(ctx, s, company, Open)
	if err == nil && all {
		var resolved []store.Row[Issue]
		resolved, err = query(ctx, s, company, Resolved)
		rows = append(rows, resolved...)
	}
	if err != nil {
		return nil, fmt.Errorf("listing the issues of %s: %w", company, err)
	}
	out := make([]Issue, len(rows))
	for i, r := range rows {
		out[i] = r.Value
	}
	slices.SortStableFunc(out, worse)
	return out, nil
}

// ErrNone is a cause of which nothing is known in a company.
var ErrNone = errors.New("no such issue")

// Find reads one issue, whatever its state; ErrNone when there never was one.
func Find(ctx context.Context, s store.Store, company, cause string) (Issue, error) {
	i, _, err := table(s).Get(ctx, store.ID(company, cause))
	if errors.Is(err, store.ErrNotFound) {
		return i, fmt.Errorf("issue %s of %s: %w", cause, company, ErrNone)
	}
	return i, err
}

func table(s store.Store) store.Table[Issue] {
	return store.Table[Issue]{Store: s, Collection: store.Issues}
}

func query(ctx context.Context, s store.Store, company string, state State) ([]store.Row[Issue], error) {
	var out []store.Row[Issue]
	q := store.Query{
		Equal:   []store.Equal{{Field: "company", Value: company}, {Field: "state", Value: string(state)}},
		OrderBy: "updated_at", Desc: true, Limit: 500,
	}
	for {
		rows, err := table(s).Query(ctx, q)
		if err != nil {
			return nil, err
		}
		if out = append(out, rows...); len(rows) < q.Limit {
			return out, nil
		}
		last := rows[len(rows)-1]
		q.After = store.Position{Value: last.Value.UpdatedAt.Text(), ID: last.ID}
	}
}

// worse orders issues: open before resolved, then by severity, then the largest, then by cause.
func worse(a, b Issue) int {
	rank := []Severity{High, Normal, Low}
	return cmp.Or(cmp.Compare(a.State, b.State), cmp.Compare(slices.Index(rank, a.Severity), slices.Index(rank, b.Severity)),
		cmp.Compare(b.Count, a.Count), cmp.Compare(a.Cause, b.Cause))
}

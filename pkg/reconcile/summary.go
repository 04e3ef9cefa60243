package reconcile

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/store"
)

const (
	// kept is how long a summary is kept.
	kept = 400 * 24 * time.Hour
	// maxStored is the number of differences that a summary holds: the unexplained ones first.
	maxStored = 200
	// maxWhy bounds the words of a stored difference, in characters.
	maxWhy = 500
)

// Summary is a stored comparison, in the collection store.Reconciliations under company/time. Amounts are texts.
type Summary struct {
	Company  string     `json:"company"`
	At       store.Time `json:"at"` // when the reading began
	ExpireAt store.Time `json:"expire_at"`
	State    State      `json:"state"` // ok, explained, unexplained
	From     string     `json:"from"`
	To       string     `json:"to"`
	// Differences and Unexplained are counts; Stake the money at stake in unexplained ones, such as "12.50 USD, 3.00 EUR".
	Differences int        `json:"differences"`
	Unexplained int        `json:"unexplained"`
	Stake       string     `json:"stake,omitempty"`
	Books       []BookLine `json:"books"`
	// First are the first 200 differences, unexplained ones first.
	First []DifferenceLine `json:"first"`
	Notes []string         `json:"notes,omitempty"`
}

// keep stores the summary of a report.
func (r *Reconciler) keep(ctx context.Context, report Report, at time.Time) error {
	s := report.Summary(at)
	table := store.Table[Summary]{Store: r.store, Collection: store.Reconciliations}
	for size := len(s.First); ; size /= 2 { // long words of a vendor must not keep the rest from being stored
		s.First = s.First[:size]
		text, err := json.Marshal(s)
		if err != nil {
			return err
		}
		if len(text) < store.MaxDocument || size == 0 {
			break
		}
	}
	_, err := table.Put(ctx, store.ID(s.Company, s.At.Text()), s)
	return err
}

// Summary is the report as it is stored. at is when its reading began.
func (r Report) Summary(at time.Time) Summary {
	s := Summary{
		Company: r.Company, At: store.At(at), ExpireAt: store.At(at.Add(kept)), State: r.State(), From: string(r.From), To: string(r.To),
		Differences: len(r.Differences), Unexplained: r.Unexplained(), Stake: texts(r.Stake()), Notes: r.Notes, Books: []BookLine{}, First: []DifferenceLine{},
	}
	for i := range r.Books {
		s.Books = append(s.Books, r.Books[i].line())
	}
	for i := range min(len(r.Differences), maxStored) {
		line := r.Differences[i].line()
		if words := []rune(line.Why); len(words) > maxWhy {
			line.Why = string(words[:maxWhy]) + "…"
		}
		s.First = append(s.First, line)
	}
	return s
}

// texts joins amounts.
func texts(amounts []money.Money) string {
	out := make([]string, len(amounts))
	for i, a := range amounts {
		out[i] = a.String()
	}
	return strings.Join(out, ", ")
}

// Total is a number of things and their amount as text.
type Total struct {
	Count  int    `json:"count"`
	Amount string `json:"amount"`
}

// BookLine is a Book with amounts as texts in Currency.
type BookLine struct {
	Company       string `json:"company"`
	Currency      string `json:"currency"`
	Period        string `json:"period"`
	Posted        Total  `json:"posted"`
	Qualified     Total  `json:"qualified"`
	Portal        Total  `json:"portal"`
	CreditsERP    Total  `json:"credits_erp"`
	CreditsPortal Total  `json:"credits_portal"`
	Foreign       Total  `json:"foreign"`
	ERPOpen       Total  `json:"erp_open"`
	PortalOpen    Total  `json:"portal_open"`
	Payments      Total  `json:"payments"`
	Pending       Total  `json:"pending"`
	GoneBack      Total  `json:"gone_back"`
	Receipts      Total  `json:"receipts"`
	ByHand        Total  `json:"by_hand"`
	FeesPortal    Total  `json:"fees_portal"`
	FeesERP       Total  `json:"fees_erp"`
	Unapplied     Total  `json:"unapplied"`
	OnAccount     Total  `json:"on_account"`
	Explained     Total  `json:"explained"`
	Unexplained   Total  `json:"unexplained"`
	DocumentsGap  string `json:"documents_gap"`
	BalancesGap   string `json:"balances_gap"`
	MoneyGap      string `json:"money_gap"`
}

func (s Sum) total() Total { return Total{s.Count, s.Amount.Amount()} }

func (b *Book) line() BookLine {
	return BookLine{
		Company: b.Company, Currency: string(b.Currency), Period: b.Period, Posted: b.Posted.total(), Qualified: b.Qualified.total(),
		Portal: b.Portal.total(), CreditsERP: b.CreditsERP.total(), CreditsPortal: b.CreditsPortal.total(), Foreign: b.Foreign.total(),
		ERPOpen: b.ERPOpen.total(), PortalOpen: b.PortalOpen.total(), Payments: b.Payments.total(), Pending: b.Pending.total(),
		GoneBack: b.GoneBack.total(), Receipts: b.Receipts.total(), ByHand: b.ByHand.total(), FeesPortal: b.FeesPortal.total(),
		FeesERP: b.FeesERP.total(), Unapplied: b.Unapplied.total(), OnAccount: b.OnAccount.total(), Explained: b.Explained.total(),
		Unexplained: b.Unexplained.total(), DocumentsGap: b.DocumentsGap.Amount(), BalancesGap: b.BalancesGap.Amount(), MoneyGap: b.MoneyGap.Amount(),
	}
}

// DifferenceLine is a Difference with amounts as texts in Currency.
type DifferenceLine struct {
	Kind      Kind   `json:"kind"`
	Class     Class  `json:"class"`
	Object    string `json:"object"`
	Number    string `json:"number"`
	PortalID  string `json:"portal_id,omitempty"`
	Reference string `json:"reference,omitempty"`
	Receipt   string `json:"receipt,omitempty"`
	Customer  string `json:"customer,omitempty"`
	Date      string `json:"date"`
	Currency  string `json:"currency"`
	Period    string `json:"period"`
	ERP       string `json:"erp"`
	Portal    string `json:"portal"`
	Amount    string `json:"amount"`
	Stake     string `json:"stake"`
	Explained bool   `json:"explained"`
	Code      string `json:"code"`
	Why       string `json:"why"`
	Action    string `json:"action,omitempty"`
}

func (d *Difference) line() DifferenceLine {
	text := func(minor int64) string { return d.amount(minor).Amount() }
	return DifferenceLine{
		Kind: d.Kind, Class: d.Class, Object: string(d.Object), Number: d.Number, PortalID: d.PortalID, Reference: d.Reference, Receipt: d.Receipt,
		Customer: d.Customer, Date: string(d.Date), Currency: string(d.Currency), Period: d.Period, ERP: text(d.ERP), Portal: text(d.Portal),
		Amount: text(d.Amount), Stake: text(d.Stake), Explained: d.Explained, Code: d.Code, Why: d.Why, Action: d.Action,
	}
}

// Package view answers what a person asks about records: the list, and one record with everything that happened to it.
// The same values are printed as tables and as JSON; the JSON's fields are stable and named by a schema.
package view

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// The schemas of the JSON forms.
const (
	ListSchema = "arbridge/list/v1"
	ShowSchema = "arbridge/show/v1"
)

// Filter narrows a list; empty fields match everything.
type Filter struct {
	Company string
	Status  record.Status
	Kind    billing.Kind
	Limit   int
}

// Row is one record of a list. Amounts are decimal texts in Currency.
type Row struct {
	Company     string        `json:"company"`
	Kind        billing.Kind  `json:"kind"`
	Number      string        `json:"number"`
	Customer    string        `json:"customer,omitempty"`
	Status      record.Status `json:"status"`
	Currency    string        `json:"currency,omitempty"`
	SourceTotal string        `json:"source_total,omitempty"`
	PortalTotal string        `json:"portal_total,omitempty"`
	PortalID    string        `json:"portal_id,omitempty"`
	Reasons     []plan.Reason `json:"reasons,omitempty"`
	Text        string        `json:"text,omitempty"`
	UpdatedAt   store.Time    `json:"updated_at"`
	DueAt       store.Time    `json:"due_at,omitzero"`
}

// List is the answer to "what is there".
type List struct {
	Schema string `json:"schema"`
	Rows   []Row  `json:"rows"`
	More   bool   `json:"more"` // Limit cut the list off
}

// Records reads a list, newest first within each company.
func Records(ctx context.Context, s store.Store, companies []string, f Filter) (List, error) {
	out := List{Schema: ListSchema, Rows: []Row{}}
	table := store.Table[record.Record]{Store: s, Collection: store.Records}
	if f.Limit <= 0 {
		f.Limit = 100
	}
	for _, company := range companies {
		if f.Company != "" && f.Company != company {
			continue
		}
		q := store.Query{Equal: []store.Equal{{Field: "company", Value: company}}, OrderBy: "updated_at", Desc: true, Limit: 500}
		if f.Status != "" {
			q.Equal = append(q.Equal, store.Equal{Field: "status", Value: string(f.Status)})
		}
		for {
			rows, err := table.Query(ctx, q)
			if err != nil {
				return out, fmt.Errorf("listing %s: %w", company, err)
			}
			for _, r := range rows {
				if f.Kind != "" && kindOf(r.Value) != f.Kind {
					continue
				}
				if len(out.Rows) == f.Limit {
					out.More = true
					return out, nil
				}
				out.Rows = append(out.Rows, row(r.Value))
			}
			if len(rows) < q.Limit {
				break
			}
			last := rows[len(rows)-1]
			q.After = store.Position{Value: last.Value.UpdatedAt.Text(), ID: last.ID}
		}
	}
	return out, nil
}

// kindOf tells credits from invoices, which share one kind of record because a document's sign may change.
func kindOf(r record.Record) billing.Kind {
	if r.PortalKind == billing.KindCreditNote {
		return billing.KindCreditNote
	}
	return r.Kind
}

func row(r record.Record) Row {
	return Row{
		Company: r.Company, Kind: kindOf(r), Number: r.SourceID, Customer: r.Customer, Status: r.Status, Currency: r.Currency,
		SourceTotal: r.SourceTotal, PortalTotal: r.PortalTotal, PortalID: r.PortalID, Reasons: r.Reasons, Text: r.Summary,
		UpdatedAt: r.UpdatedAt, DueAt: r.DueAt,
	}
}

// Event is one line of a timeline.
type Event struct {
	At   store.Time `json:"at"`
	What string     `json:"what"`
	Text string     `json:"text,omitempty"`
}

// Detail is one record with its effects and its timeline.
type Detail struct {
	Row
	URL      string           `json:"url,omitempty"`
	Attempts int              `json:"attempts,omitempty"`
	WaitsFor string           `json:"waits_for,omitempty"`
	Receipts []record.Receipt `json:"receipts,omitempty"`
	Fee      string           `json:"fee,omitempty"`
	Method   string           `json:"method,omitempty"`
	Effects  []journal.Entry  `json:"effects,omitempty"`
	Timeline []Event          `json:"timeline"`
}

// Show is the answer to "what about this number": every record that has it.
type Show struct {
	Schema  string   `json:"schema"`
	Number  string   `json:"number"`
	Records []Detail `json:"records"`
}

// Find reads everything known about a document, customer or payment number.
func Find(ctx context.Context, s store.Store, companies []string, number string) (Show, error) {
	out := Show{Schema: ShowSchema, Number: number, Records: []Detail{}}
	table := store.Table[record.Record]{Store: s, Collection: store.Records}
	for _, company := range companies {
		for _, kind := range []billing.Kind{billing.KindInvoice, billing.KindDocument, billing.KindPayment, billing.KindCustomer} {
			rec, _, err := table.Get(ctx, record.ID(company, kind, number))
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return out, err
			}
			d, err := detail(ctx, s, rec)
			if err != nil {
				return out, err
			}
			out.Records = append(out.Records, d)
		}
	}
	return out, nil
}

func detail(ctx context.Context, s store.Store, r record.Record) (Detail, error) {
	d := Detail{
		Row: row(r), URL: r.PortalURL, Attempts: r.Attempts, WaitsFor: r.WaitsFor, Receipts: r.Receipts, Fee: r.Fee, Method: r.Method,
		Timeline: []Event{},
	}
	effects, err := journal.New(s, nil).OfRecord(ctx, r.ID())
	if err != nil {
		return d, err
	}
	d.Effects = effects
	for _, e := range r.Timeline {
		d.Timeline = append(d.Timeline, Event(e))
	}
	for _, e := range effects {
		d.Timeline = append(d.Timeline, effectEvent(e))
	}
	if r.PortalID != "" {
		inbox := store.Table[record.Inbox]{Store: s, Collection: store.Inbox}
		rows, err := inbox.Query(ctx, store.Query{
			Equal: []store.Equal{{Field: "subject", Value: store.ID(r.Company, string(kindOf(r)), r.PortalID)}}, OrderBy: "received_at", Limit: 200,
		})
		if err != nil {
			return d, err
		}
		for _, in := range rows {
			d.Timeline = append(d.Timeline, Event{At: in.Value.ReceivedAt, What: "event " + in.Value.Type, Text: in.Value.Effect})
		}
	}
	slices.SortStableFunc(d.Timeline, func(a, b Event) int { return a.At.Compare(b.At.Time) })
	return d, nil
}

func effectEvent(e journal.Entry) Event {
	at := e.EndedAt
	if at.IsZero() {
		at = e.StartedAt
	}
	if at.IsZero() {
		at = e.IntendedAt
	}
	text := fmt.Sprintf("%s: %s", e.Key, e.State)
	if e.VendorID != "" {
		text += " as " + e.VendorID
	}
	if e.Attempts > 1 {
		text += fmt.Sprintf(" after %d attempts", e.Attempts)
	}
	if e.Error != "" {
		text += " (" + e.Error + ")"
	}
	return Event{At: at, What: e.Op + " " + e.Kind + " at " + e.Vendor, Text: text}
}

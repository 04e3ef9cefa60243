// Package record holds arbridge's own record of each thing it keeps in step: both ids, what was last written, the status,
// its reasons and the next attempt. A record is written to be read by a person in the store's console.
package record

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/store"
)

// Status is what a person is told about a record.
type Status string

// The statuses (design 8).
const (
	Waiting   Status = "waiting"         // for something named in the reasons
	Scheduled Status = "scheduled"       // will be worked on at DueAt
	Working   Status = "working"         // a worker has it
	Synced    Status = "synced"          // both sides agree
	Variance  Status = "synced_variance" // both sides agree on the total, the lines could not
	Skipped   Status = "skipped"         // not part of the sync
	Attention Status = "needs_attention" // a person has to decide
	Unknown   Status = "unknown_outcome" // a write's answer was lost; being looked up
	Reversed  Status = "reversed"        // money went back after it was posted
	Ignored   Status = "ignored"         // a person decided to leave it
)

// maxTimeline is the number of entries kept: the newest.
const maxTimeline = 40

// Record is a sync record. Amounts are texts in Currency; they never take part in arithmetic.
type Record struct {
	Company  string       `json:"company"`
	Kind     billing.Kind `json:"kind"` // invoice (credit notes too), customer, payment, document, credit
	SourceID string       `json:"source_id"`
	// Customer is the ERP's customer number.
	Customer string        `json:"customer,omitempty"`
	Status   Status        `json:"status"`
	Reasons  []plan.Reason `json:"reasons,omitempty"`
	// Summary is the reasons in words, for the reader of the store.
	Summary string `json:"summary,omitempty"`

	// Seen is the fingerprint of the source as last read, for which the ERP was asked at SeenAt; Written that of the source last
	// written to the portal.
	Seen    string     `json:"seen,omitempty"`
	SeenAt  store.Time `json:"seen_at,omitzero"`
	Written string     `json:"written,omitempty"`

	PortalID    string       `json:"portal_id,omitempty"`
	PortalKind  billing.Kind `json:"portal_kind,omitempty"` // invoice or credit_note
	PortalURL   string       `json:"portal_url,omitempty"`
	Currency    string       `json:"currency,omitempty"`
	SourceTotal string       `json:"source_total,omitempty"`
	PortalTotal string       `json:"portal_total,omitempty"`
	// Bare says that the document was last written without its file: its lines are those of invoices.lines_without_pdf.
	Bare bool `json:"bare,omitempty"`
	// Sent says that the creation of the document was begun. Where it is set and PortalID is not, what came of it is in the
	// journal only.
	Sent bool `json:"sent,omitempty"`
	// MailDue says that the document is new to its customer and that its e-mail was not sent yet.
	MailDue bool `json:"mail_due,omitempty"`

	// Contacts maps the ERP's contact numbers to the portal's contact ids, for customers.
	Contacts map[string]string `json:"contacts,omitempty"`
	// Memory is what plan.Memory documents: digests of what was last written, by field, and what the sandbox replaced.
	Memory plan.Memory `json:"memory,omitempty"`
	// Attachment is the file of an invoice, for documents.
	Attachment *Attachment `json:"attachment,omitempty"`
	// Receipts are the cash receipts of a payment.
	Receipts []Receipt `json:"receipts,omitempty"`
	// Begun are all receipts of a payment as they were planned when the posting began, as JSON texts, until it is complete;
	// see Begin.
	Begun json.RawMessage `json:"begun,omitempty"`
	// Complete says that Receipts account for the whole payment; PostedAs is what its parts were then, or when Begun was
	// planned (plan.Parts).
	Complete bool   `json:"complete,omitempty"`
	PostedAs string `json:"posted_as,omitempty"`
	// Applied is what the receipts have to take off balances, until that was seen in the ERP.
	Applied []Applied `json:"applied,omitempty"`
	// Wanted are the receipts that a person is to key in, as JSON texts; see Want.
	Wanted json.RawMessage `json:"wanted,omitempty"`
	// Doubles may be receipts of the payment that somebody keyed in; Distinct are numbers of receipts that are not.
	Doubles  []Double `json:"doubles,omitempty"`
	Distinct []string `json:"distinct,omitempty"`
	// Uses are the uses of a credit note, for credits.
	Uses []Use `json:"uses,omitempty"`
	// Method and Fee describe a payment.
	Method string `json:"method,omitempty"`
	Fee    string `json:"fee,omitempty"`
	// Events are ids of inbox entries that concern a payment, newest last.
	Events []string `json:"events,omitempty"`

	DueAt store.Time `json:"due_at,omitzero"` // next attempt; absent when there is nothing to do
	// OverdueSince is when the record first came due without a worker taking it; every sweep moves DueAt on.
	OverdueSince store.Time `json:"overdue_since,omitzero"`
	WaitsFor     string     `json:"waits_for,omitempty"`
	Attempts     int        `json:"attempts,omitempty"` // without success, since the last one
	Backfill     bool       `json:"backfill,omitempty"` // came in a first full read: look-ups are done in bulk

	LeaseOwner string     `json:"lease_owner,omitempty"`
	LeaseUntil store.Time `json:"lease_until,omitzero"`
	Fence      int64      `json:"fence,omitempty"` // grows with every lease

	CreatedAt store.Time `json:"created_at"`
	UpdatedAt store.Time `json:"updated_at"`
	Timeline  []Entry    `json:"timeline,omitempty"`
}

// Receipt is a cash receipt in the ERP.
type Receipt struct {
	Reference string `json:"reference"`
	Number    string `json:"number,omitempty"`
	Amount    string `json:"amount"`
	Fees      string `json:"fees,omitempty"`
	OnAccount string `json:"on_account,omitempty"`
	Adopted   bool   `json:"adopted,omitempty"` // keyed in by a person under another reference
}

// Entry is one thing that happened to a record.
type Entry struct {
	At   store.Time `json:"at"`
	What string     `json:"what"`
	Text string     `json:"text,omitempty"`
}

// ID is the key of a record.
func ID(company string, kind billing.Kind, sourceID string) string {
	return store.ID(company, string(kind), sourceID)
}

// ID is the record's key.
func (r *Record) ID() string { return ID(r.Company, r.Kind, r.SourceID) }

// Note adds to the timeline. An entry equal to the last one only moves its time.
func (r *Record) Note(at time.Time, what, text string) {
	e := Entry{At: store.At(at), What: what, Text: text}
	if n := len(r.Timeline); n > 0 && r.Timeline[n-1].What == what && r.Timeline[n-1].Text == text {
		r.Timeline[n-1] = e
		return
	}
	r.Timeline = append(r.Timeline, e)
	if extra := len(r.Timeline) - maxTimeline; extra > 0 {
		r.Timeline = slices.Clone(r.Timeline[extra:])
	}
}

// Set gives the record a status with its reasons.
func (r *Record) Set(s Status, reasons []plan.Reason) {
	r.Status, r.Reasons, r.Summary = s, reasons, plan.Text(reasons)
}

// Settled reports whether nothing is to be done until the source changes.
func (r *Record) Settled() bool {
	switch r.Status {
	case Synced, Variance, Skipped, Ignored, Reversed:
		return true
	}
	return false
}

// Source is an ERP record as last read, so that a sync need not read it again. Make one with NewSource.
type Source struct {
	Company     string       `json:"company"`
	Kind        billing.Kind `json:"kind"`
	SourceID    string       `json:"source_id"`
	Fingerprint string       `json:"fingerprint"`
	ReadAt      store.Time   `json:"read_at"`
	// Document is the canonical record as JSON. Its amounts and quantities are texts, so that no store sees a number that
	// it could round.
	Document json.RawMessage `json:"document"`
	// Files are the ERP's files of an invoice, the preferred one first, as listed when it was read; Listed says that they were.
	Files  []plan.File `json:"files,omitempty"`
	Listed bool        `json:"listed,omitempty"`
}

// NewSource stores an invoice or a customer as it was read at a time.
func NewSource[T billing.Invoice | billing.Customer](company string, kind billing.Kind, number, fingerprint string, at time.Time, doc T) (Source, error) {
	text, err := json.Marshal(doc)
	if err != nil {
		return Source{}, fmt.Errorf("storing %s %s: %w", kind, number, err)
	}
	return Source{Company: company, Kind: kind, SourceID: number, Fingerprint: fingerprint, ReadAt: store.At(at), Document: text}, nil
}

// Decode reads the record into an invoice or a customer.
func (s Source) Decode(doc any) error {
	if err := json.Unmarshal(s.Document, doc); err != nil {
		return fmt.Errorf("reading the stored %s %s: %w", s.Kind, s.SourceID, err)
	}
	return nil
}

// Inbox is an event as received.
type Inbox struct {
	Company    string     `json:"company"`
	EventID    string     `json:"event_id"`
	Type       string     `json:"type"`
	Subject    string     `json:"subject,omitempty"` // company/portal kind/portal id
	State      string     `json:"state"`             // new, done, failed
	Via        string     `json:"via"`               // webhook, gap_fill
	SecretNo   int        `json:"secret_no,omitempty"`
	Raw        string     `json:"raw"`
	Effect     string     `json:"effect,omitempty"` // what it led to, in words
	Attempts   int        `json:"attempts,omitempty"`
	ReceivedAt store.Time `json:"received_at"`
	DueAt      store.Time `json:"due_at,omitzero"`
	ExpireAt   store.Time `json:"expire_at,omitzero"`
}

// The states of an inbox entry.
const (
	InboxNew    = "new"
	InboxDone   = "done"
	InboxFailed = "failed"
)

// Cursor is a position in a feed.
type Cursor struct {
	Company  string `json:"company"`
	Feed     string `json:"feed"`
	Value    string `json:"value"`
	Backfill bool   `json:"backfill,omitempty"` // the first full read is still going on
	Items    int64  `json:"items"`              // read so far
	// Since is the posting date from which the feed of invoices was first read. It moves when a person says so, never
	// because a setting changed.
	Since     string     `json:"since,omitempty"`
	UpdatedAt store.Time `json:"updated_at"`
}

// Run is the last run of a flow or of a job that is due by the calendar, with its counts.
type Run struct {
	Company   string     `json:"company"`
	Flow      string     `json:"flow"`
	StartedAt store.Time `json:"started_at"`
	EndedAt   store.Time `json:"ended_at,omitzero"`
	Read      int        `json:"read"`
	Changed   int        `json:"changed"`
	Bad       int        `json:"bad"`
	Attempts  int        `json:"attempts,omitempty"` // of a job, since it last succeeded
	Error     string     `json:"error,omitempty"`
	// SucceededAt is the end of the last run that succeeded; for a job that never ran, since when it is watched.
	SucceededAt store.Time `json:"succeeded_at,omitzero"`
}

// Lease says who works on something that is no record, such as a company's poll or a customer's receipts.
type Lease struct {
	Owner string     `json:"owner"`
	Until store.Time `json:"until"`
	Fence int64      `json:"fence"`
}

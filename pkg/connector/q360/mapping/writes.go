package mapping

import (
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
)

// Receipts maps cash receipts (q360-api 4.4.8, 4.6).
type Receipts struct {
	Mode         string        `yaml:"mode"`        // record, or hold: nothing is sent
	UsePreview   bool          `yaml:"use_preview"` // dry run before each create, and as a probe of the rights
	Header       ReceiptHeader `yaml:"header"`
	Application  ReceiptLine   `yaml:"application"`
	AppliedWhen  string        `yaml:"applied_when"` // on_create, on_post, nightly: when balances fall
	Post         *string       `yaml:"post"`         // must be null: no posting call is known
	Action       *string       `yaml:"action"`       // must be null: only mode record creates receipts
	Reference    Reference     `yaml:"reference"`
	Fee          Fee           `yaml:"fee"`
	ClosedPeriod ClosedPeriod  `yaml:"closed_period"`
}

// ReceiptHeader maps the header of a receipt.
type ReceiptHeader struct {
	Table     string            `yaml:"table"`
	Key       string            `yaml:"key"`
	Columns   ReceiptColumns    `yaml:"columns"`
	Constants map[string]string `yaml:"constants"` // column: value, in every created row
}

// ReceiptColumns names the columns of a receipt's header.
type ReceiptColumns struct {
	Number     string `yaml:"receiptno"`
	CompanyNo  string `yaml:"companyno"`
	CustomerNo string `yaml:"customerno"`
	Date       string `yaml:"date"`
	Amount     string `yaml:"amount"`
	Currency   string `yaml:"currency"`
	Reference  string `yaml:"reference"`
	GLAccount  string `yaml:"gl_account"`
	PayMethod  string `yaml:"paymethod"`
	Comment    string `yaml:"comment"`
}

// ReceiptLine maps the lines of a receipt.
type ReceiptLine struct {
	Table     string                      `yaml:"table"`
	Key       string                      `yaml:"key"`
	Columns   ReceiptLineColumns          `yaml:"columns"`
	Kinds     map[billing.LineKind]string `yaml:"kinds"` // kind: value of the kind column; a kind without one is never written
	Constants map[string]string           `yaml:"constants"`
	OneCall   bool                        `yaml:"one_call"` // all lines in one create call
}

// ReceiptLineColumns names the columns of a receipt's lines.
type ReceiptLineColumns struct {
	ID        string `yaml:"application_id"`
	ReceiptNo string `yaml:"receiptno"`
	InvoiceNo string `yaml:"invoiceno"`
	Amount    string `yaml:"amount"`
	GLAccount string `yaml:"gl_account"`
	Kind      string `yaml:"kind"`
	Comment   string `yaml:"comment"`
}

// Reference is the form of a receipt's reference: prefix and the portal's payment id, at most MaxLen characters.
type Reference struct {
	Prefix string `yaml:"prefix"`
	MaxLen int    `yaml:"max_len"`
}

// Fee says how the site books convenience fees; the settings of the company decide over it.
type Fee struct {
	Mode      string `yaml:"mode"` // exclude, gl_line, unapplied
	GLAccount string `yaml:"gl_account"`
}

// ClosedPeriod says what to do when a receipt's date lies in a closed period.
type ClosedPeriod struct {
	Policy string `yaml:"policy"` // next_open_day, fail
}

// History maps the history entries (q360-api 4.4.9).
type History struct {
	Enabled        bool              `yaml:"enabled"`
	Table          string            `yaml:"table"`
	Key            string            `yaml:"key"`
	Columns        HistoryColumns    `yaml:"columns"`
	LinkTypeValues map[string]string `yaml:"link_type_values"` // invoice: the value that links to an invoice
	Codes          map[string]string `yaml:"codes"`
	CommentMax     int               `yaml:"comment_max"` // characters
	Constants      map[string]string `yaml:"constants"`
}

// HistoryColumns names the columns of the history entries.
type HistoryColumns struct {
	ID         string `yaml:"history_id"`
	Code       string `yaml:"code"`
	LinkType   string `yaml:"link_type"`
	LinkNo     string `yaml:"link_no"`
	CustomerNo string `yaml:"customerno"`
	Date       string `yaml:"date"`
	UserID     string `yaml:"userid"`
	Comment    string `yaml:"comment"`
}

// Changes says how changed invoices are found (q360-api 4.5).
type Changes struct {
	Strategy string        `yaml:"strategy"` // auto, moddate, snapshot
	Overlap  time.Duration `yaml:"overlap"`
	Snapshot Snapshot      `yaml:"snapshot"`
	Audit    Audit         `yaml:"audit"`
}

// Snapshot bounds the reads that find changes without a change stamp.
type Snapshot struct {
	RecentDays    int           `yaml:"recent_days"`
	FullOpenEvery time.Duration `yaml:"full_open_every"`
}

// Audit names an audit table. It is part of the format; no strategy reads it yet.
type Audit struct {
	Table   string       `yaml:"table"`
	Key     string       `yaml:"key"`
	Columns AuditColumns `yaml:"columns"`
}

// AuditColumns names the columns of the audit table.
type AuditColumns struct {
	Table  string `yaml:"table"`
	Record string `yaml:"record"`
	Action string `yaml:"action"`
	At     string `yaml:"at"`
}

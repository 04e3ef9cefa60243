// Package mapping holds the one file per Q360 site that says where things are on that site: how calls look, which table
// and column holds what, which values mean what (q360-api 4.3). Everything about Q360 that is not known for certain is a
// value in this file and never code, so that a finding at a live site changes a value.
package mapping

import (
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// Contract is the version of the mapping format; files with another one are refused.
const Contract = "q360-gateway/v1"

// Mapping is a site's mapping file. Load checks it; the zero value is not usable.
type Mapping struct {
	Contract string    `yaml:"contract"`
	Site     Site      `yaml:"site"`
	Dialect  Dialect   `yaml:"dialect"`
	Entities Entities  `yaml:"entities"`
	Receipts *Receipts `yaml:"receipts"` // nil: the site has none
	History  *History  `yaml:"history"`  // nil: the site has none
	Changes  Changes   `yaml:"changes"`
	Classify []Rule    `yaml:"classify"`
	Defaults Defaults  `yaml:"defaults"`
}

// Site is where the server is and how gently it wants to be treated.
type Site struct {
	Name              string   `yaml:"name"`
	Version           string   `yaml:"q360_version"`
	BaseURL           string   `yaml:"base_url"`
	Networks          []string `yaml:"networks"`           // private networks that the server is in, such as 10.20.0.0/16; a public server needs none
	Timezone          string   `yaml:"timezone"`           // IANA name; all stored times are local to it
	CredentialsSecret string   `yaml:"credentials_secret"` // name of a secret with {user, password}
	MaxParallel       int      `yaml:"max_parallel"`       // calls in flight
	Timeouts          Timeouts `yaml:"timeouts"`
}

// Location is the site's time zone; UTC when the name is unknown, which Load refuses.
func (s Site) Location() *time.Location {
	zone, err := time.LoadLocation(s.Timezone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Prefixes are the Networks; one that is none, which Load refuses, is left out.
func (s Site) Prefixes() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range s.Networks {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// Timeouts bound the kinds of call.
type Timeouts struct {
	Connect  time.Duration `yaml:"connect"`
	List     time.Duration `yaml:"list"`
	Write    time.Duration `yaml:"write"`
	Download time.Duration `yaml:"download"`
}

// Dialect is the form of the calls and answers (q360-api 1.3, 1.4).
type Dialect struct {
	List             Call     `yaml:"list"`
	Create           Call     `yaml:"create"`
	Update           Call     `yaml:"update"`
	Tables           Call     `yaml:"tables"`
	Columns          Call     `yaml:"columns"`
	Download         Call     `yaml:"download"`
	RowsAt           []string `yaml:"rows_at"`          // places of the rows in an answer, first found wins
	OutvarsAt        []string `yaml:"outvars_at"`       // places of the output variables
	DatetimeLiteral  string   `yaml:"datetime_literal"` // Go layout of a date-time in a filter or record
	PageSize         int      `yaml:"page_size"`        // rows per list call
	LinePageSize     int      `yaml:"line_page_size"`   // rows per list call of narrow tables (lines, sites, contacts)
	UppercaseColumns *bool    `yaml:"uppercase_columns"`
}

// Call is the form of one kind of call. Path and query values may hold {table}, {tablename} and {documentno}.
type Call struct {
	Method      string            `yaml:"method"`
	Path        string            `yaml:"path"`
	Query       map[string]string `yaml:"query"`
	Body        string            `yaml:"body"` // form, or json for lists
	Part        string            `yaml:"part"`
	TablePart   string            `yaml:"table_part"`
	PreviewPart string            `yaml:"preview_part"`
	OutputPart  string            `yaml:"output_part"`
}

// Condition is a test of one column that both the server's filter and our own code can decide.
type Condition struct {
	Column string `yaml:"column"`
	Op     string `yaml:"op"` // =, !=, isnull, isnotnull
	Value  string `yaml:"value"`
}

// Entities are the tables that are read. A nil one means the site has no such table: its feature is off.
type Entities struct {
	Invoice     *Invoice   `yaml:"invoice"`
	InvoiceLine *Line      `yaml:"invoice_line"`
	Customer    *Customer  `yaml:"customer"`
	Site        *SiteTable `yaml:"site"`
	Contact     *Contact   `yaml:"contact"`
	Agreement   *Agreement `yaml:"contract"`
	Document    *Document  `yaml:"document"`
	GLAccount   *GLAccount `yaml:"glaccount"`
	Company     *Company   `yaml:"company"`
}

// Invoice maps the invoice header.
type Invoice struct {
	Table      string         `yaml:"table"`
	Key        string         `yaml:"key"`
	Columns    InvoiceColumns `yaml:"columns"`
	PostedWhen Condition      `yaml:"posted_when"`
}

// InvoiceColumns names the columns of the invoice header; "" means the site has no such column.
type InvoiceColumns struct {
	Number     string `yaml:"invoiceno"`
	CustomerNo string `yaml:"customerno"`
	SiteNo     string `yaml:"siteno"`
	CompanyNo  string `yaml:"companyno"`
	Currency   string `yaml:"currency"`
	Date       string `yaml:"invoice_date"`
	DueDate    string `yaml:"due_date"`
	PostedDate string `yaml:"posted_date"`
	Subtotal   string `yaml:"subtotal"`
	Total      string `yaml:"total"`
	Tax        string `yaml:"tax"`
	Freight    string `yaml:"freight"`
	Paid       string `yaml:"paid"`
	Balance    string `yaml:"balance"`
	Type       string `yaml:"type"`
	Terms      string `yaml:"terms"`
	PayMethod  string `yaml:"paymethod"`
	ContractNo string `yaml:"contractno"`
	ProjectNo  string `yaml:"projectno"`
	DispatchNo string `yaml:"dispatchno"`
	CustomerPO string `yaml:"customer_po"`
	Comment    string `yaml:"comment"`
	Modified   string `yaml:"modified_at"`
}

// Line maps the invoice lines. Key needs to be unique within one invoice only.
type Line struct {
	Table   string      `yaml:"table"`
	Key     string      `yaml:"key"`
	Parent  string      `yaml:"parent"`
	OrderBy string      `yaml:"order_by"`
	Columns LineColumns `yaml:"columns"`
}

// LineColumns names the columns of the invoice lines.
type LineColumns struct {
	ID          string `yaml:"line_id"`
	Seq         string `yaml:"seq"`
	Item        string `yaml:"item"`
	Description string `yaml:"description"`
	Quantity    string `yaml:"quantity"`
	UnitPrice   string `yaml:"unit_price"`
	Amount      string `yaml:"amount"`
	Tax         string `yaml:"tax"`
	GLAccount   string `yaml:"gl_account"`
}

// Customer maps the customers.
type Customer struct {
	Table      string          `yaml:"table"`
	Key        string          `yaml:"key"`
	Columns    CustomerColumns `yaml:"columns"`
	ActiveWhen *Condition      `yaml:"active_when"` // nil: all are active
}

// CustomerColumns names the columns of the customers.
type CustomerColumns struct {
	Number      string `yaml:"customerno"`
	Name        string `yaml:"name"`
	Type        string `yaml:"type"`
	Status      string `yaml:"status"`
	Address1    string `yaml:"address1"`
	Address2    string `yaml:"address2"`
	City        string `yaml:"city"`
	State       string `yaml:"state"`
	PostalCode  string `yaml:"postal_code"`
	Country     string `yaml:"country"`
	Phone       string `yaml:"phone"`
	Terms       string `yaml:"terms"`
	Currency    string `yaml:"currency"`
	CompanyNo   string `yaml:"companyno"`
	InvoiceSite string `yaml:"invoice_siteno"`
	MainContact string `yaml:"main_contactno"`
	PayMethod   string `yaml:"paymethod"`
	Balance     string `yaml:"balance"`
	Parent      string `yaml:"parent"`
	Modified    string `yaml:"modified_at"`
}

// SiteTable maps the customers' sites.
type SiteTable struct {
	Table   string      `yaml:"table"`
	Key     string      `yaml:"key"`
	Columns SiteColumns `yaml:"columns"`
}

// SiteColumns names the columns of the sites.
type SiteColumns struct {
	Number     string `yaml:"siteno"`
	CustomerNo string `yaml:"customerno"`
	Name       string `yaml:"name"`
	Address1   string `yaml:"address1"`
	Address2   string `yaml:"address2"`
	City       string `yaml:"city"`
	State      string `yaml:"state"`
	PostalCode string `yaml:"postal_code"`
	Country    string `yaml:"country"`
	Phone      string `yaml:"phone"`
	Status     string `yaml:"status"`
}

// Contact maps the customers' contacts. With RoleSource "column" Roles lists the values of the role column that mean each
// role, with "flags" the Y/N columns that do.
type Contact struct {
	Table      string              `yaml:"table"`
	Key        string              `yaml:"key"`
	RoleSource string              `yaml:"role_source"`
	Columns    ContactColumns      `yaml:"columns"`
	Roles      map[string][]string `yaml:"roles"`
	ActiveWhen *Condition          `yaml:"active_when"`
}

// ContactColumns names the columns of the contacts.
type ContactColumns struct {
	Number     string `yaml:"contactno"`
	CustomerNo string `yaml:"customerno"`
	FirstName  string `yaml:"first_name"`
	LastName   string `yaml:"last_name"`
	Title      string `yaml:"title"`
	Email      string `yaml:"email"`
	Phone      string `yaml:"phone"`
	Mobile     string `yaml:"mobile"`
	SiteNo     string `yaml:"siteno"`
	Status     string `yaml:"status"`
	Role       string `yaml:"role"`
}

// Agreement maps the service contracts.
type Agreement struct {
	Table   string           `yaml:"table"`
	Key     string           `yaml:"key"`
	Columns AgreementColumns `yaml:"columns"`
}

// AgreementColumns names the columns of the service contracts.
type AgreementColumns struct {
	Number     string `yaml:"contractno"`
	CustomerNo string `yaml:"customerno"`
	Title      string `yaml:"title"`
	Status     string `yaml:"status"`
	Type       string `yaml:"type"`
	Start      string `yaml:"start_date"`
	End        string `yaml:"end_date"`
}

// Document maps the attached files.
type Document struct {
	Table          string            `yaml:"table"`
	Key            string            `yaml:"key"`
	Columns        DocumentColumns   `yaml:"columns"`
	LinkTypeValues map[string]string `yaml:"link_type_values"` // invoice: the value that marks an invoice's file
	Pick           Pick              `yaml:"pick"`
}

// DocumentColumns names the columns of the attached files.
type DocumentColumns struct {
	Number   string `yaml:"documentno"`
	LinkType string `yaml:"link_type"`
	LinkNo   string `yaml:"link_no"`
	Filename string `yaml:"filename"`
	Type     string `yaml:"doc_type"`
	Size     string `yaml:"size"`
	Modified string `yaml:"modified_at"`
}

// Pick says which files of an invoice count and which comes first.
type Pick struct {
	Extensions  []string `yaml:"extensions"` // without the dot; empty: all
	Types       []string `yaml:"doc_types"`  // empty: all
	NewestFirst bool     `yaml:"newest_first"`
}

// GLAccount maps the general ledger accounts.
type GLAccount struct {
	Table   string           `yaml:"table"`
	Key     string           `yaml:"key"`
	Columns GLAccountColumns `yaml:"columns"`
}

// GLAccountColumns names the columns of the general ledger accounts.
type GLAccountColumns struct {
	Number   string `yaml:"accountno"`
	Name     string `yaml:"name"`
	Type     string `yaml:"type"`
	BankFlag string `yaml:"bank_flag"`
	Status   string `yaml:"status"`
}

// Company maps the site's own companies.
type Company struct {
	Table   string         `yaml:"table"`
	Key     string         `yaml:"key"`
	Columns CompanyColumns `yaml:"columns"`
}

// CompanyColumns names the columns of the companies.
type CompanyColumns struct {
	Number   string `yaml:"companyno"`
	Name     string `yaml:"name"`
	Currency string `yaml:"currency"`
}

// Rule gives refusals of the server a code of ours, such as closed_period. Empty patterns match everything; at least one
// is set. ReferenceCode is compared without regard to case, Message is a regular expression.
type Rule struct {
	Code          string `yaml:"code"`
	Table         string `yaml:"table"`
	ReferenceCode string `yaml:"referencecode"`
	Message       string `yaml:"message"`

	message *regexp.Regexp
}

// Defaults apply where the site's data says nothing.
type Defaults struct {
	CompanyNo  string                       `yaml:"companyno"`
	GLAccounts map[string]map[string]string `yaml:"gl_accounts"` // company, currency: bank account
}

// ClassifyRefusal gives the code of the first rule that matches a refusal, "" when none does.
func (m *Mapping) ClassifyRefusal(table, referenceCode, message string) string {
	for _, r := range m.Classify {
		if (r.Table == "" || strings.EqualFold(r.Table, table)) &&
			(r.ReferenceCode == "" || strings.EqualFold(r.ReferenceCode, referenceCode)) &&
			(r.message == nil || r.message.MatchString(message)) {
			return r.Code
		}
	}
	return ""
}

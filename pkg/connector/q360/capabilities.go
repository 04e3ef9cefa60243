package q360

import (
	"cmp"
	"slices"

	"github.com/arbridge/arbridge/pkg/connector"
)

// Ability is a feature and the methods of connector.ERP that need it.
type Ability struct {
	Feature connector.Feature
	Methods []string
}

// Abilities lists what this package can do at a site that has everything. Check says what one site really has.
func Abilities() []Ability {
	return []Ability{
		{connector.FeatureInvoices, []string{"Invoices", "Invoice", "Balance", "Balances"}},
		{connector.FeatureCustomers, []string{"Customers", "Customer"}},
		{connector.FeatureContacts, []string{"Customers", "Customer"}},
		{connector.FeatureDocuments, []string{"Documents", "DocumentsOf", "Download"}},
		{connector.FeatureFind, []string{"FindReceipts", "SimilarReceipts"}},
		{connector.FeatureReceipts, []string{"PreviewReceipt", "CreateReceipt", "CreateReceiptLines"}},
		{connector.FeatureHistory, []string{"FindHistory", "CreateHistory"}},
	}
}

// The states of a feature in connector.Capabilities, from good to bad.
const (
	stateOK        = "ok"
	stateOff       = "off"       // not mapped or switched off
	stateMissing   = "missing"   // the site lacks something the mapping names
	stateForbidden = "forbidden" // the API user lacks a right
)

// report collects the result of a check.
type report struct {
	caps connector.Capabilities
	dead map[string]bool // key paths of tables that need no probe any more
}

func (c *Connector) newReport() *report {
	r := &report{caps: connector.Capabilities{Features: map[connector.Feature]string{}}, dead: map[string]bool{}}
	for _, a := range Abilities() {
		r.caps.Features[a.Feature] = stateOK
	}
	if c.m.Receipts != nil && c.m.Receipts.Mode == "record" {
		r.caps.Applied = c.m.Receipts.AppliedWhen
	}
	e := c.m.Entities
	off := map[connector.Feature]bool{
		connector.FeatureContacts: e.Contact == nil, connector.FeatureDocuments: e.Document == nil,
		connector.FeatureReceipts: c.m.Receipts == nil || c.m.Receipts.Mode != "record",
		connector.FeatureFind:     c.m.Receipts == nil || c.m.Receipts.Mode != "record",
		connector.FeatureHistory:  c.m.History == nil || !c.m.History.Enabled,
	}
	for f, is := range off {
		if is {
			r.caps.Features[f] = stateOff
		}
	}
	return r
}

// effect says what a problem with a table means: which features go, and whether the company can run at all.
type effect struct {
	features []connector.Feature
	fatal    bool
	warning  bool // nothing is switched off
}

func effectOf(path string) effect {
	switch path {
	case "entities.invoice", "entities.invoice_line":
		return effect{features: []connector.Feature{connector.FeatureInvoices}, fatal: true}
	case "entities.customer":
		return effect{features: []connector.Feature{connector.FeatureCustomers}, fatal: true}
	case "entities.contact":
		return effect{features: []connector.Feature{connector.FeatureContacts}}
	case "entities.document":
		return effect{features: []connector.Feature{connector.FeatureDocuments}}
	case "receipts.header", "receipts.application":
		return effect{features: []connector.Feature{connector.FeatureFind, connector.FeatureReceipts}}
	case "receipts":
		return effect{features: []connector.Feature{connector.FeatureReceipts}}
	case "history":
		return effect{features: []connector.Feature{connector.FeatureHistory}}
	case "entities.site":
		return effect{features: []connector.Feature{connector.FeatureCustomers}, warning: true}
	case "entities.glaccount":
		return effect{features: []connector.Feature{connector.FeatureReceipts}, warning: true}
	}
	return effect{features: []connector.Feature{connector.FeatureInvoices}, warning: true}
}

// problem records a problem and switches off what it takes with it.
func (r *report) problem(e effect, state, table, column, message string) {
	for i, f := range e.features {
		if !e.warning && (r.caps.Features[f] == stateOK || state == stateForbidden) {
			r.caps.Features[f] = state
		}
		if i == 0 || !e.warning {
			p := connector.Problem{Feature: f, Table: table, Column: column, Fatal: e.fatal, Message: message}
			if !slices.Contains(r.caps.Problems, p) {
				r.caps.Problems = append(r.caps.Problems, p)
			}
		}
	}
}

// result is the finished report. Receipts are never created where they can not be found (q360-api 4.6 rule 0).
func (r *report) result() connector.Capabilities {
	f := r.caps.Features
	if f[connector.FeatureFind] != stateOK && f[connector.FeatureReceipts] == stateOK {
		f[connector.FeatureReceipts] = stateOff
	}
	slices.SortStableFunc(r.caps.Problems, func(a, b connector.Problem) int {
		return cmp.Or(order(b.Fatal)-order(a.Fatal), cmp.Compare(a.Feature, b.Feature))
	})
	return r.caps
}

func order(fatal bool) int {
	if fatal {
		return 1
	}
	return 0
}

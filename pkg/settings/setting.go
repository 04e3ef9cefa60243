package settings

import (
	"fmt"
	"slices"
	"strings"
)

// Scope says where a value may be given. A narrower scope wins over a wider one.
type Scope string

// The scopes, widest first.
const (
	ScopeDeployment Scope = "deployment" // once for the whole installation
	ScopeCompany    Scope = "company"    // for each company
	ScopeCustomer   Scope = "customer"   // a single customer may have its own value
)

// Kind is the type of a value.
type Kind string

// The kinds. In YAML and JSON a set and a list are lists, a map is a map, and all others are scalars.
const (
	KindBool     Kind = "bool"
	KindEnum     Kind = "enum"
	KindString   Kind = "string"
	KindTemplate Kind = "template" // text with {{placeholders}}
	KindInt      Kind = "int"
	KindDuration Kind = "duration" // 90s, 5m, 1h30m
	KindDate     Kind = "date"     // a calendar date
	KindAmount   Kind = "amount"   // a number in each document's own currency
	KindList     Kind = "list"     // texts, order kept
	KindSet      Kind = "set"      // a selection from the choices
	KindMap      Kind = "map"      // text to text
	KindCron     Kind = "cron"
	KindEmail    Kind = "email"
	KindZone     Kind = "zone"
	KindCurrency Kind = "currency"
	KindAccount  Kind = "account" // a general-ledger account of the ERP
)

// Choice is one allowed value with its meaning.
type Choice struct {
	Value string
	Help  string
}

// Condition is a comparison with another setting of the same scope, in a form that a program and a person can read.
type Condition struct {
	Key string // an enumeration
	Not bool   // holds for every value but Value
	// Value is the value compared with.
	Value string
}

// String is the condition in words, such as "company.mode is sandbox".
func (c Condition) String() string {
	if c.Not {
		return c.Key + " is not " + c.Value
	}
	return c.Key + " is " + c.Value
}

func (c Condition) holds(value string) bool { return (value == c.Value) != c.Not }

// Setting is the declaration of one setting. Everything that is known of it follows from here: validation, the typed
// field, the reference page, the JSON schema and the Terraform variable.
type Setting struct {
	Key    string  // group.name, stable for ever
	Title  string  // label of a form field
	Help   string  // first sentence stands alone and has at most 80 characters
	Scopes []Scope // where a value may be given, widest first
	Kind   Kind
	// Default is a bool, int, string, []string or map[string]string; nil when there is none.
	Default any
	// Choices are the allowed values of an enumeration, or of the entries of a set, list or map, or a template's placeholders.
	Choices []Choice
	// Keys are the allowed keys of a map; nil when KeyPattern alone decides.
	Keys []Choice
	// Required settings must be given; RequiredWhen only while the condition holds.
	Required     bool
	RequiredWhen *Condition
	Min, Max     string // limits of an int, duration or amount, as they would be written; empty is none
	// Pattern (RE2, anchored) must match every text, entry or map value; KeyPattern every map key.
	Pattern, KeyPattern string
	// Secret values are never shown. Private ones, such as e-mail addresses, appear in forms but not in messages.
	Secret, Private bool
	Advanced        bool   // rarely needed; forms fold it away
	Deprecated      string // why it should no longer be used; empty while it is current
	Successor       string // the key that replaces a deprecated setting and takes its value
	Example         any    // a value as Default would hold it

	form   string // the expected form in words, where the kind alone does not say it
	keys   string // the expected form of a map key in words
	merge  bool   // a given map is completed with the entries of Default
	target any    // pointer to the typed field
	accept func(s Setting, raw any, zone ZoneFunc) (any, []complaint)
	bind   func(value any)
}

// Group is the part of the key before the dot.
func (s Setting) Group() string {
	group, _, _ := strings.Cut(s.Key, ".")
	return group
}

// Name is the part of the key after the dot.
func (s Setting) Name() string {
	_, name, _ := strings.Cut(s.Key, ".")
	return name
}

// Has reports whether a value may be given in the scope.
func (s Setting) Has(scope Scope) bool { return slices.Contains(s.Scopes, scope) }

// Summary is the first sentence of the help.
func (s Setting) Summary() string {
	first, _, more := strings.Cut(s.Help, ". ")
	if more {
		return first + "."
	}
	return first
}

// Multiple reports whether the value is a list, a set or a map.
func (s Setting) Multiple() bool {
	return s.Kind == KindList || s.Kind == KindSet || s.Kind == KindMap
}

// Expected is the form of a value in words, such as "one of live, sandbox" or "a duration such as 5m, at least 1m".
func (s Setting) Expected() string {
	text := s.form
	if text == "" {
		text = s.kindForm()
	}
	switch {
	case s.Min != "" && s.Max != "":
		return text + ", from " + s.Min + " to " + s.Max
	case s.Min != "":
		return text + ", at least " + s.Min
	case s.Max != "":
		return text + ", at most " + s.Max
	}
	return text
}

func (s Setting) kindForm() string {
	values := strings.Join(choiceValues(s.Choices), ", ")
	switch s.Kind {
	case KindBool:
		return "true or false"
	case KindEnum:
		return "one of " + values
	case KindSet:
		return "a list of any of " + values
	case KindInt:
		return "a whole number"
	case KindDuration:
		return "a duration such as 90s, 5m or 1h30m"
	case KindDate:
		return "a calendar date such as 2026-01-31"
	case KindAmount:
		return "a number without currency such as 0.05"
	case KindList:
		return "a list of texts"
	case KindMap:
		return "a map of texts"
	case KindCron:
		return `five cron fields such as "0 3 * * *"`
	case KindEmail:
		return "one e-mail address"
	case KindZone:
		return "an IANA time zone such as America/New_York"
	case KindCurrency:
		return "an ISO 4217 currency such as USD"
	case KindAccount:
		return `a general-ledger account such as "1010"`
	}
	return "a text"
}

func choiceValues(choices []Choice) []string {
	values := make([]string, len(choices))
	for i, c := range choices {
		values[i] = c.Value
	}
	return values
}

// Declarations returns every setting, in the order of the reference page. A setting of two scopes appears once.
func Declarations() []Setting {
	out := new(Company).declare()
	for _, d := range new(Deployment).declare() {
		if !slices.ContainsFunc(out, func(s Setting) bool { return s.Key == d.Key }) {
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b Setting) int {
		return slices.Index(groupOrder(), a.Group()) - slices.Index(groupOrder(), b.Group())
	})
	return out
}

// Lookup returns the setting of a key.
func Lookup(key string) (Setting, error) {
	all := Declarations()
	i := slices.IndexFunc(all, func(s Setting) bool { return s.Key == key })
	if i < 0 {
		return Setting{}, fmt.Errorf("setting %s: %s", quote(key), unknown(key, all))
	}
	return all[i], nil
}

// Groups are the groups in the order of the reference page, each with its title.
func Groups() []Choice {
	return []Choice{
		{"company", "Company"}, {"sandbox", "Sandbox"}, {"customers", "Customers"}, {"contacts", "Contacts"},
		{"invoices", "Invoices"}, {"credit_notes", "Credit notes"}, {"autopay", "AutoPay"}, {"documents", "Documents"},
		{"qualify", "Qualification"}, {"payments", "Payments"}, {"fees", "Convenience fees"}, {"activity", "Activity"},
		{"schedule", "Schedule"}, {"limits", "Limits"}, {"retention", "Retention"}, {"notify", "Notification"},
	}
}

func groupOrder() []string { return choiceValues(Groups()) }

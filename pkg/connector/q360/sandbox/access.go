package sandbox

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// Types of user (q360-api 1.2). Only API users may use Basic credentials.
const (
	TypeAPI = "Q360API"
	TypeWeb = "WEB"
)

// RightInvoiceChange lets a user change posted invoices (q360-api 3.2).
const RightInvoiceChange = "INVOICECHG"

// User is a login of the site.
type User struct {
	Name     string
	Password string
	Type     string   // TypeAPI or TypeWeb
	Grants   []Grant  // none: every data source is refused
	Rights   []string // form permissions, such as RightInvoiceChange
}

// Grant lets a user read a data source and, with Edit, write rows that meet EditCondition.
type Grant struct {
	Source        string `json:"source"` // table or view; "*" is every one
	Edit          bool   `json:"edit,omitempty"`
	EditCondition string `json:"edit_condition,omitempty"` // COLUMN op 'value', several joined by AND
}

// ConnectorGrants are the grants a site gives to arbridge: reading everything, writing receipts and history.
func ConnectorGrants() []Grant {
	return []Grant{
		{Source: "CASHRECEIPT", Edit: true}, {Source: "CASHRECEIPTITEM", Edit: true}, {Source: "CONTACTHISTORY", Edit: true},
		{Source: "*"},
	}
}

// Access replaces a user's grants and rights through the control interface; nil keeps them.
type Access struct {
	Step   string    `json:"step,omitempty"`
	User   string    `json:"user"`
	Grants *[]Grant  `json:"grants,omitempty"`
	Rights *[]string `json:"rights,omitempty"`
	Active *bool     `json:"active,omitempty"` // ACTIVEFLAG
	Login  *bool     `json:"login,omitempty"`  // LOGINFLAG
}

func (a Access) apply(u User) User {
	if a.Grants != nil {
		u.Grants = *a.Grants
	}
	if a.Rights != nil {
		u.Rights = *a.Rights
	}
	return u
}

// SetAccess changes what a user may do, from the next call on.
func (s *Server) SetAccess(a Access) (Done, error) {
	return once(s, "access", a.Step, func(t *tx) (Done, error) {
		name := fold(a.User)
		user, ok := s.users[name]
		r := t.get("USERID", name)
		if !ok || r == nil {
			return Done{}, fmt.Errorf("user %q is not configured: name one of the configured users", a.User)
		}
		r = r.clone()
		for column, on := range map[string]*bool{"ACTIVEFLAG": a.Active, "LOGINFLAG": a.Login} {
			if on != nil {
				r.set(column, yesNo(*on))
			}
		}
		t.put(r)
		user = a.apply(user)
		a := Access{User: a.User, Grants: &user.Grants, Rights: &user.Rights}
		t.setting(settingAccess+name, a)
		t.done = append(t.done, func() { s.users[name] = user })
		return Done{OK: true}, nil
	})
}

func yesNo(b bool) string {
	if b {
		return "Y"
	}
	return "N"
}

// login checks a name and password; the second result says whether they are right.
func (s *Server) login(name, password string) (User, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	user, known := s.users[fold(name)]
	same := subtle.ConstantTimeCompare([]byte(user.Password), []byte(password)) == 1
	row := s.tables["USERID"].rows[fold(name)]
	if !known || !same || row == nil || !row.is("ACTIVEFLAG", "Y") || !row.is("LOGINFLAG", "Y") {
		return User{}, false
	}
	return user, true
}

// authenticate reads the Basic credentials of an API call.
func (s *Server) authenticate(r *http.Request) (User, *refusal) {
	s.mu.RLock()
	outage := s.config.Clock.Now().Before(s.noAuth)
	s.mu.RUnlock()
	name, password, ok := r.BasicAuth()
	user, right := s.login(name, password)
	switch {
	case !ok || outage || !right:
		return user, denied(http.StatusUnauthorized, "", "Access denied. Invalid user or password.")
	case user.Type != TypeAPI:
		return user, denied(http.StatusUnauthorized, "", "Access denied. Invalid user type.")
	}
	return user, nil
}

// grant finds the user's grant for a source; one that names it wins over "*".
func (u User) grant(source string) (Grant, bool) {
	var all *Grant
	for i, g := range u.Grants {
		if strings.EqualFold(g.Source, source) {
			return g, true
		}
		if g.Source == "*" {
			all = &u.Grants[i]
		}
	}
	if all != nil {
		return *all, true
	}
	return Grant{}, false
}

// mayRead refuses sources that the user was not granted.
func (u User) mayRead(source string) *refusal {
	if _, ok := u.grant(source); ok {
		return nil
	}
	return u.notPermitted(source)
}

func (u User) notPermitted(source string) *refusal {
	return denied(http.StatusForbidden, "DataSourceNotPermitted", "Access denied. %s must be granted permission to %s.", strings.ToUpper(u.Name), source)
}

// mayEdit refuses writes to sources not granted for editing and to rows outside the edit condition.
func (u User) mayEdit(d *definition, rows ...*row) error {
	g, ok := u.grant(d.name)
	if !ok || !g.Edit {
		return u.notPermitted(d.name)
	}
	if g.EditCondition == "" || len(rows) == 0 {
		return nil
	}
	conditions, err := parseCondition(d, g.EditCondition)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if !(query{conditions: conditions}).accepts(r) {
			return denied(http.StatusForbidden, "EditConditionNotMet", "Access denied. %s may not edit this record of %s.", strings.ToUpper(u.Name), d.name)
		}
	}
	return nil
}

var (
	conditionPart = regexp.MustCompile(`(?i)^\s*([A-Z0-9_]+)\s*(=|!=|<=|>=|<|>|like)\s*'([^']*)'\s*$`)
	conditionAnd  = regexp.MustCompile(`(?i)\s+AND\s+`)
)

// parseCondition reads an edit condition such as "COMPANYNO = '01' AND STATUS != 'CLOSED'".
func parseCondition(d *definition, s string) ([]condition, error) {
	var out []condition
	for _, part := range conditionAnd.Split(s, -1) {
		m := conditionPart.FindStringSubmatch(part)
		if m == nil {
			return nil, refuse("RequestInvalid", "The edit condition %q of %s cannot be read.", s, d.name)
		}
		c, err := filter{Field: m[1], Op: m[2], Value: m[3]}.compile(d, true)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// Quirks switch behaviour that differs between sites or that no source settles (q360-api 5.2, 5.3). The zero value is the
// default site.
type Quirks struct {
	TrimChar             bool   `json:"trim_char"`              // CHAR values without padding
	NumbersAsJSON        bool   `json:"numbers_as_json"`        // numbers instead of strings
	Rows                 string `json:"rows"`                   // "" result, "griddata" for lists of records
	Outvars              string `json:"outvars"`                // "" top level, "payload" inside it
	Case                 string `json:"case"`                   // of column names: "" upper, "lower"
	Errors               string `json:"errors"`                 // business errors: "" HTTP 200, "http400"
	IgnoreUnknownColumns bool   `json:"ignore_unknown_columns"` // in columns and filters
	AcceptRawJSON        bool   `json:"accept_raw_json"`        // a JSON body in place of the form part
	MaxLimit             int    `json:"max_limit"`              // 0 is 500, negative is none
	ClampLimit           bool   `json:"clamp_limit"`            // a higher limit counts as the maximum
	AccessList           bool   `json:"access_list"`            // API users may read their grants
	RefuseKeylessPatch   bool   `json:"refuse_keyless_patch"`   // instead of creating a row
	PartialCreate        bool   `json:"partial_create"`         // records before the bad one stay
	ExactTimes           bool   `json:"exact_times"`            // no rounding to 0, 3 or 7 ms
	ReceiptTouchesStamp  bool   `json:"receipt_touches_invoice"`
	ZeroReceipts         bool   `json:"zero_receipts"` // headers of amount 0, to net credits
	ForeignExchange      bool   `json:"foreignexchange"`
	FXReceipts           bool   `json:"fxartrans"`
}

func (q Quirks) validate() error {
	for _, c := range []struct{ name, value, other string }{
		{"rows", q.Rows, "griddata"}, {"outvars", q.Outvars, "payload"}, {"case", q.Case, "lower"}, {"errors", q.Errors, "http400"},
	} {
		if c.value != "" && c.value != c.other {
			return fmt.Errorf("quirk %s: %q is unknown; use %q or nothing", c.name, c.value, c.other)
		}
	}
	return nil
}

// maxLimit is the largest page, 0 for no bound.
func (q Quirks) maxLimit() int {
	switch {
	case q.MaxLimit == 0:
		return 500
	case q.MaxLimit < 0:
		return 0
	}
	return q.MaxLimit
}

// QuirkChange changes quirks: Set holds the JSON names to change and leaves the others alone.
type QuirkChange struct {
	Step  string          `json:"step,omitempty"`
	Reset bool            `json:"reset,omitempty"` // start from the configured quirks
	Set   json.RawMessage `json:"set,omitempty"`
}

// ChangeQuirks applies a change and returns the quirks now in force.
func (s *Server) ChangeQuirks(c QuirkChange) (Quirks, error) {
	return once(s, "quirks", c.Step, func(t *tx) (Quirks, error) {
		q := s.quirks
		if c.Reset {
			q = s.config.Quirks
		}
		if len(c.Set) > 0 {
			if err := strictJSON(c.Set, &q); err != nil {
				return q, fmt.Errorf("reading the quirks: %w", err)
			}
		}
		return q, t.setQuirks(q)
	})
}

// SetQuirks replaces all quirks.
func (s *Server) SetQuirks(q Quirks) error {
	_, err := once(s, "quirks", "", func(t *tx) (Quirks, error) { return q, t.setQuirks(q) })
	return err
}

func (t *tx) setQuirks(q Quirks) error {
	if err := q.validate(); err != nil {
		return err
	}
	t.setting(settingQuirks, q)
	t.done = append(t.done, func() { t.s.quirks = q })
	return nil
}

package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	kit "github.com/arbridge/arbridge/pkg/sandbox"
)

// Record is a row as text by column name; a column that is absent is NULL. Amounts are decimals, datetimes are
// "2006-01-02 15:04:05.000" in the server's zone.
type Record map[string]string

// Config is what a sandbox is made from.
type Config struct {
	StatePath string         // file of the durable state; empty keeps nothing
	Clock     clock.Clock    // required
	Location  *time.Location // the server's zone, in which all datetimes are stored; nil is UTC
	Users     []User
	Quirks    Quirks // until changed through the control interface, which is durable
	Logger    *slog.Logger
	// Scenarios are named sets of rows that the control interface can seed.
	Scenarios map[string]func() (Batch, error)
}

// Server is a Q360 site. It is safe for concurrent use; make one with New.
type Server struct {
	config Config
	log    *kit.Log
	faults kit.Faults
	calls  kit.Calls
	rules  map[string]rules

	mu        sync.RWMutex // guards what follows; rows themselves never change
	tables    map[string]*table
	views     map[string]*definition
	sequences map[string]int64
	contents  map[string][]byte
	steps     map[string]doneStep
	users     map[string]User // by folded name
	quirks    Quirks
	noAuth    time.Time // until then every call is answered with 401
	faultSet  FaultRules
}

// New opens or creates the state and returns a server. Users of the configuration get a row in USERID; grants and quirks
// that were changed through the control interface win over the configuration.
func New(config Config) (*Server, error) {
	if config.Clock == nil || config.Logger == nil {
		return nil, fmt.Errorf("making the Q360 sandbox: Clock and Logger are required")
	}
	if config.Location == nil {
		config.Location = time.UTC
	}
	if err := config.Quirks.validate(); err != nil {
		return nil, fmt.Errorf("making the Q360 sandbox: %w", err)
	}
	s := &Server{config: config, rules: businessRules()}
	s.clear()
	log, err := kit.Open(config.StatePath, s.load)
	if err != nil {
		return nil, fmt.Errorf("making the Q360 sandbox: %w", err)
	}
	s.log = log
	if err := s.enrol(); err != nil {
		_ = log.Close() // the first error says more
		return nil, fmt.Errorf("making the Q360 sandbox: %w", err)
	}
	return s, nil
}

// clear sets the state of a new site.
func (s *Server) clear() {
	s.tables, s.views = map[string]*table{}, map[string]*definition{}
	for _, d := range schema() {
		if d.viewOf == "" {
			s.tables[d.name] = newTable(d)
		} else {
			s.views[d.name] = d
		}
	}
	s.sequences, s.contents, s.steps = map[string]int64{}, map[string][]byte{}, map[string]doneStep{}
	s.users, s.quirks, s.noAuth, s.faultSet = map[string]User{}, s.config.Quirks, time.Time{}, FaultRules{}
	for _, u := range s.config.Users {
		s.users[fold(u.Name)] = u
	}
}

// load takes one object of the state log.
func (s *Server) load(objectKind, id string, data json.RawMessage) error {
	if name, ok := strings.CutPrefix(objectKind, rowPrefix); ok {
		t := s.tables[name]
		if t == nil {
			return fmt.Errorf("table %s is unknown", name)
		}
		var rec Record
		if err := json.Unmarshal(data, &rec); err != nil {
			return err
		}
		r, err := rec.row(t.def, true)
		if err != nil {
			return err
		}
		t.rows[id] = r
		return nil
	}
	switch objectKind {
	case kindSequence:
		var n int64
		if err := json.Unmarshal(data, &n); err != nil {
			return err
		}
		s.sequences[id] = n
	case kindContent:
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
		content, err := base64.StdEncoding.DecodeString(text)
		s.contents[id] = content
		return err
	case kindStep:
		var past doneStep
		if err := json.Unmarshal(data, &past); err != nil {
			return err
		}
		s.steps[id] = past
	case kindSetting:
		return s.loadSetting(id, data)
	}
	return nil
}

const (
	settingQuirks = "quirks"
	settingFaults = "faults"
	settingAccess = "access." // followed by the user's folded name
)

func (s *Server) loadSetting(id string, data json.RawMessage) error {
	switch {
	case id == settingQuirks:
		return json.Unmarshal(data, &s.quirks)
	case id == settingFaults:
		if err := json.Unmarshal(data, &s.faultSet); err != nil {
			return err
		}
		return s.faults.Set(s.faultSet.Seed, s.faultSet.Rules...)
	}
	name := strings.TrimPrefix(id, settingAccess)
	user, ok := s.users[name]
	if !ok {
		return nil // no longer configured
	}
	var access Access
	if err := json.Unmarshal(data, &access); err != nil {
		return err
	}
	s.users[name] = access.apply(user)
	return nil
}

// enrol makes the USERID rows of configured users that have none.
func (s *Server) enrol() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.begin(clerk())
	t.enrol()
	return t.commit()
}

func (t *tx) enrol() {
	for _, u := range t.s.config.Users {
		if t.get("USERID", u.Name) != nil {
			continue
		}
		r := newRow(t.s.tables["USERID"].def)
		r.set("USERID", u.Name)
		r.set("NAME", u.Name)
		r.set("TYPE", u.Type)
		r.set("ACTIVEFLAG", "Y")
		r.set("LOGINFLAG", "Y")
		t.stamp(r)
		t.put(r)
	}
}

// row reads the record; exact keeps milliseconds as they are.
func (rec Record) row(d *definition, exact bool) (*row, error) {
	r := newRow(d)
	for name, v := range rec {
		i := d.at(name)
		if i < 0 {
			return nil, refuse("InvalidColumn", "Invalid column name '%s'.", name).number("207")
		}
		c, err := d.columns[i].parse(v, exact)
		if err != nil {
			return nil, err
		}
		r.cells[i] = c
	}
	return r, nil
}

// wall is the server's wall clock time, held as if it were UTC.
func (s *Server) wall() time.Time {
	at := s.config.Clock.Now().In(s.config.Location)
	return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
}

// Handler serves the vendor's API, with faults and the call journal around it, and the control interface.
func (s *Server) Handler() http.Handler {
	api := s.faults.Wrap(http.HandlerFunc(s.serve))
	now := func() time.Time { return s.config.Clock.Now() }
	kept, bare := s.calls.Wrap(api, now, label, true), s.calls.Wrap(api, now, label, false)
	control := kit.LoopbackOnly(s.control())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, controlPrefix):
			control.ServeHTTP(w, r)
		case r.URL.Path == "/api/authenticate": // its body is a password
			bare.ServeHTTP(w, r)
		default:
			kept.ServeHTTP(w, r)
		}
	})
}

// label names a call in the journal, such as "POST /api/Record/INVOICE list".
func label(r *http.Request) string {
	return strings.TrimSpace(r.Method + " " + r.URL.Path + " " + r.URL.Query().Get("_a"))
}

// Calls is the journal of the calls to the vendor's API.
func (s *Server) Calls() *kit.Calls { return &s.calls }

// Faults are the faults in front of the vendor's API. Rules set here are not durable; SetFaults makes them so.
func (s *Server) Faults() *kit.Faults { return &s.faults }

// Close closes the state file.
func (s *Server) Close() error {
	if err := s.log.Close(); err != nil {
		return fmt.Errorf("closing the Q360 sandbox: %w", err)
	}
	return nil
}

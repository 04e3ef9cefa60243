package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/objects"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox/wire"
	kit "github.com/arbridge/arbridge/pkg/sandbox"
)

const maxPerPage = 100

// endpoint is one route of the vendor's API.
type endpoint struct {
	pattern string // as in http.ServeMux
	do      func(*call) (*answer, error)
	// before runs without any lock, for slow work such as storing an upload. nil is none.
	before func(*call) error
}

// call is one authenticated request.
type call struct {
	s     *Server
	r     *http.Request
	acct  *account
	query *wire.Query
	raw   []byte
	body  wire.Values
	view  *view
	t     *tx // only in writes
	file  *file
}

// answer is what an endpoint returns.
type answer struct {
	Status int
	Type   string
	Header map[string]string
	Body   []byte
}

func jsonAnswer(status int, v any) *answer {
	return &answer{Status: status, Type: "application/json", Body: wire.Encode(v)}
}

func noContent() *answer { return &answer{Status: http.StatusNoContent} }

// object answers with one object.
func (c *call) object(status int, o objects.Object) *answer {
	return jsonAnswer(status, c.view.render(o))
}

// id reads an id of the path; what is no number is no object.
func (c *call) id(name, kind string) (int64, error) {
	id, err := strconv.ParseInt(c.r.PathValue(name), 10, 64)
	if err != nil {
		return 0, wire.Missing(kind, c.r.PathValue(name))
	}
	return id, nil
}

// find reads the object that the path names.
func find[T objects.Object](c *call, kind string) (T, error) {
	id, err := c.id("id", kind)
	if err != nil {
		var none T
		return none, err
	}
	return lookup[T](c.s, c.acct, kind, id)
}

// routes puts everything together: journal, then faults, then the vendor's API; beside them portal and control.
func (s *Server) routes() http.Handler {
	api := http.NewServeMux()
	for _, list := range [][]endpoint{
		customerEndpoints(), contactEndpoints(), documentEndpoints("invoice"), documentEndpoints("credit_note"),
		paymentEndpoints(), chargeEndpoints(), fileEndpoints(), eventEndpoints(), webhookEndpoints(),
		noteEndpoints(), catalogEndpoints(), balanceEndpoints(),
	} {
		for _, e := range list {
			api.Handle(e.pattern, s.serve(e))
		}
	}
	api.Handle("/", s.serve(endpoint{do: func(c *call) (*answer, error) {
		return nil, &wire.Error{Status: http.StatusNotFound, Message: "Request was not recognized: " + c.r.Method + " " + c.r.URL.Path}
	}}))
	root := http.NewServeMux()
	root.Handle("/", s.Calls.Wrap(s.Faults.Wrap(api), s.Now, label, true))
	root.Handle("/portal/", s.portal())
	root.Handle("/_sim/", kit.LoopbackOnly(s.control()))
	return root
}

// label names a call for the journal, with ids replaced: "GET /invoices/:id".
func label(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	for i, p := range parts {
		if _, err := strconv.ParseInt(p, 10, 64); err == nil {
			parts[i] = ":id"
		}
	}
	return r.Method + " /" + strings.Join(parts, "/")
}

func isWrite(method string) bool { return method != http.MethodGet && method != http.MethodHead }

func (s *Server) serve(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := s.open(r)
		if err == nil && e.before != nil {
			err = e.before(c)
		}
		var a *answer
		if err == nil {
			a, err = s.perform(c, e)
		}
		if err != nil {
			a = s.failure(err)
		}
		if isWrite(r.Method) {
			s.nudge()
		}
		send(w, a)
	})
}

// open authenticates a request and reads it.
func (s *Server) open(r *http.Request) (*call, error) {
	acct, err := s.authenticate(r)
	if err != nil {
		return nil, err
	}
	if err := s.sweep(); err != nil {
		return nil, err
	}
	q, err := wire.ParseQuery(r.URL.RawQuery, wire.Paging{
		Default: s.opt.DefaultPerPage, Max: maxPerPage, RejectAbove: s.opt.RejectLargePages,
	})
	if err != nil {
		return nil, err
	}
	c := &call{s: s, r: r, acct: acct, query: q, view: &view{
		s: s, acct: acct, base: s.baseURL(r), now: s.Now().Unix(), expand: q.Expand, include: q.Include,
	}}
	if !isWrite(r.Method) {
		return c, nil
	}
	limit := s.opt.MaxFileSize + 1<<20
	if c.raw, err = io.ReadAll(io.LimitReader(r.Body, limit+1)); err != nil {
		return nil, wire.Invalid("", "The request body could not be read")
	}
	if int64(len(c.raw)) > limit {
		return nil, wire.Invalid("", "The request body is longer than %d bytes", limit)
	}
	contentType := r.Header.Get("Content-Type")
	if r.Method == http.MethodDelete || strings.HasPrefix(contentType, "multipart/") {
		c.body = wire.Values{}
		return c, nil
	}
	c.body, err = wire.Parse(contentType, c.raw)
	return c, err
}

// authenticate accepts HTTP Basic with the key as user and no password, or the key as bearer token (T1).
func (s *Server) authenticate(r *http.Request) (*account, error) {
	key, password, basic := r.BasicAuth()
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		key, basic = token, true
	}
	g, known := s.keys[key]
	if !basic || password != "" || !known {
		return nil, &wire.Error{Status: http.StatusUnauthorized, Message: "We could not authenticate you with the API key given. " +
			"Send it as the user name of HTTP Basic with an empty password."}
	}
	if g.readOnly && isWrite(r.Method) {
		return nil, &wire.Error{Status: http.StatusForbidden, Message: "The API key does not permit this request."}
	}
	return g.acct, nil
}

// perform runs an endpoint: reads under the shared lock, writes as one commit.
func (s *Server) perform(c *call, e endpoint) (*answer, error) {
	if !isWrite(c.r.Method) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return e.do(c)
	}
	var a *answer
	err := s.write(c.acct, c.view.base, actorAPI, func(t *tx) error {
		key := c.idempotencyKey()
		if key != "" {
			old, err := c.replay(t, key)
			if old != nil || err != nil {
				a = old
				return err
			}
		}
		c.t = t
		var err error
		if a, err = e.do(c); err != nil {
			return err
		}
		if key != "" {
			t.Put(&recorded{Head: t.newHead(), Name: key, Request: c.digest(), Status: a.Status, Type: a.Type, Body: a.Body})
		}
		return nil
	})
	return a, err
}

// failure turns an error into an answer; what is no wire.Error is a fault of the sandbox.
func (s *Server) failure(err error) *answer {
	var e *wire.Error
	if !errors.As(err, &e) {
		s.log.Error("invoiced sandbox", "error", err)
		e = &wire.Error{Status: http.StatusInternalServerError, Message: "Internal error"}
	}
	return &answer{Status: e.Status, Type: "application/json", Body: e.Body()}
}

func send(w http.ResponseWriter, a *answer) {
	for name, value := range a.Header {
		w.Header()[name] = []string{value} // exactly this spelling (T5)
	}
	if a.Type != "" {
		w.Header().Set("Content-Type", a.Type)
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // a client that went away needs no answer
}

// recorded is an answer kept for a repeated Idempotency-Key or control step.
type recorded struct {
	objects.Head
	Name    string `json:"name"`
	Request string `json:"request"`
	Status  int    `json:"status"`
	Type    string `json:"type"`
	Body    []byte `json:"body"`
}

// Kind implements objects.Object.
func (*recorded) Kind() string { return "answer" }

// UniqueName makes the answer findable by its key.
func (r *recorded) UniqueName() string { return r.Name }

// Clone implements objects.Object.
func (r *recorded) Clone() objects.Object { c := *r; return &c }

// idempotencyKey is empty when the feature is off, which is the default (T11).
func (c *call) idempotencyKey() string {
	key := c.r.Header.Get("Idempotency-Key")
	if !c.s.opt.Idempotency || key == "" || c.r.Method == http.MethodDelete {
		return ""
	}
	return "key:" + key
}

func (c *call) digest() string {
	sum := sha256.Sum256([]byte(c.r.Method + " " + c.r.URL.Path + "\n" + string(c.raw)))
	return hex.EncodeToString(sum[:])
}

// replay returns the answer of an earlier request with the same key.
func (c *call) replay(t *tx, key string) (*answer, error) {
	old, ok := c.s.store.Find("answer", c.acct.Name, key).(*recorded)
	if !ok {
		return nil, nil
	}
	if t.now-old.Created >= int64(c.s.opt.IdempotencyWindow.Seconds()) {
		t.Remove("answer", old.ID)
		return nil, nil
	}
	if old.Request != c.digest() {
		return nil, wire.Invalid("", "The Idempotency-Key was used for another request")
	}
	return &answer{Status: old.Status, Type: old.Type, Body: old.Body}, nil
}

// wantsPDF reports whether the client asked for the document as PDF (T15).
func (c *call) wantsPDF() bool {
	return slices.ContainsFunc(c.r.Header.Values("Accept"), func(v string) bool { return strings.Contains(v, "application/pdf") })
}

func pdfAnswer(lines ...string) *answer {
	return &answer{Status: http.StatusOK, Type: "application/pdf", Body: kit.PDF(lines...)}
}

// address is the list's address as the client called it, without the query.
func (c *call) address() string { return hostOf(c.r) + (&url.URL{Path: c.r.URL.Path}).EscapedPath() }

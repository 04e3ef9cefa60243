package simulation

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Where the vendors are; the network knows no other place.
const (
	erpURL    = "https://q360.invalid"
	portalURL = "https://invoiced.invalid"
)

// network carries a process's calls to the vendors, and does to them what networks and vendors do.
type network struct {
	p  *process
	co *company
}

// errTimeout is a call whose answer did not come in time.
type errTimeout struct{}

func (errTimeout) Error() string   { return "no answer in time" }
func (errTimeout) Timeout() bool   { return true }
func (errTimeout) Temporary() bool { return true }

var _ net.Error = errTimeout{}

// RoundTrip implements http.RoundTripper.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	w := n.p.w
	body, err := readAll(r.Body)
	if err != nil {
		return nil, err
	}
	if n.p.dead {
		panic(killed{})
	}
	c := &call{p: n.p, co: n.co, r: r, body: body, erp: strings.HasPrefix(erpURL, r.URL.Scheme+"://"+r.URL.Host)}
	what := n.co.id + " " + r.Method + " " + r.URL.Host[:strings.IndexByte(r.URL.Host, '.')] + r.URL.Path
	w.leaves(c)
	if err := n.p.cross(what); err != nil {
		return nil, err
	}
	if res := n.down(c); res != nil {
		n.p.after(what)
		return res, nil
	}
	if res, err, hit := n.before(c); hit {
		n.p.after(what)
		return res, err
	}
	n.meanwhile(c)
	if res := n.stale(c); res != nil {
		n.p.after(what)
		return res, nil
	}
	res, content := n.vendor(r, body)
	res, content = n.lagged(c, res, content)
	w.saw(c, res.StatusCode, content)
	if c.write() {
		w.trace.add("%s %s -> %d", n.p.name, what, res.StatusCode)
		w.wrote(c, res.StatusCode)
	}
	n.remember(c, res, content)
	n.p.after(what)
	if c.write() && w.disturbs(c, Outage) {
		w.outages[c.vendor()] = outage{w.loop.now.Add(w.loop.between(2*time.Minute, 90*time.Minute)), w.loop.chance(5000)}
		return nil, errTimeout{}
	}
	return n.behind(c, res)
}

// outage is a time in which a vendor answers nothing, or forbids lists while all else goes on.
type outage struct {
	until time.Time
	lists bool
}

// down is what the vendor answers during an outage; nil when there is none.
func (n *network) down(c *call) *http.Response {
	out := n.p.w.outages[c.vendor()]
	switch {
	case n.p.w.calm || !n.p.w.loop.now.Before(out.until) || out.lists && !c.list():
		return nil
	case out.lists:
		return forbidden(c.r)
	}
	return answer(c.r, http.StatusServiceUnavailable, "text/plain", "upstream connect error", nil)
}

func forbidden(r *http.Request) *http.Response {
	return answer(r, http.StatusForbidden, "application/json", `{"type":"invalid_request","message":"You do not have permission."}`, nil)
}

// meanwhile has people do something at the very moment of a call.
func (n *network) meanwhile(c *call) {
	w := n.p.w
	switch {
	case !w.hit(ClerkEdits):
	case w.loop.chance(5000) && w.overtake(n.p, 10*time.Second):
		w.loop.pause(w.loop.between(15*time.Second, 90*time.Second))
	default:
		w.atOnce(true)
	}
	if w.hit(CustomerActs) {
		w.atOnce(false)
	}
	if c.download() && w.hit(PDFChanged) {
		w.changeFile(c.r.URL.Query().Get("documentno"))
	}
}

// staleAnswer is what a list said before.
type staleAnswer struct {
	at     time.Time
	header http.Header
	body   []byte
}

// lagging is how far a vendor's lists may be behind its writes: less than the time in which arbridge believes that something
// is absent, which is 70 seconds for documents and 21 minutes for money.
const lagging = 65 * time.Second

func (c *call) key() string { return c.co.id + c.r.Method + c.r.URL.String() + string(c.body) }

// stale is the answer that the same question had a while ago, in place of the one that it has now.
func (n *network) stale(c *call) *http.Response {
	w := n.p.w
	if w.calm || w.rates[StaleRead] == 0 || !c.list() {
		return nil
	}
	old, there := w.stale[c.key()]
	if !there || w.loop.now.Sub(old.at) > lagging || !w.hit(StaleRead) {
		return nil
	}
	res := answer(c.r, http.StatusOK, "", string(old.body), nil)
	res.Header = old.header.Clone()
	return res
}

// laggingMoney is how far the ERP's lists of receipts may be behind.
const laggingMoney = 20 * time.Minute

// unlisted has lists not know for a while, in half of the cases, the receipts of a call that was disturbed: both come from a
// vendor that is behind with its work.
func (w *world) unlisted(c *call) {
	if len(c.made) == 0 || w.rates[StaleRead] == 0 || !w.loop.chance(5000) {
		return
	}
	for _, no := range c.made {
		w.past.receipts[no] = maxTime(w.past.receipts[no], w.loop.now.Add(w.loop.between(0, laggingMoney-2*time.Minute)))
	}
}

// lagged leaves receipts out of a list of the ERP that does not know them yet.
func (n *network) lagged(c *call, res *http.Response, content []byte) (*http.Response, []byte) {
	w := n.p.w
	if w.calm || !c.erp || !c.list() || !strings.HasSuffix(c.r.URL.Path, "/CASHRECEIPT") || res.StatusCode != http.StatusOK {
		return res, content
	}
	late := func(v any) bool {
		row, _ := v.(map[string]any)
		no, _ := row["RECEIPTNO"].(string)
		return w.loop.now.Before(w.past.receipts[strings.TrimSpace(no)]) // columns are padded
	}
	var doc any
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.UseNumber()
	if dec.Decode(&doc) != nil || !without(doc, late) {
		return res, content
	}
	w.happened(StaleRead)
	content, err := json.Marshal(doc)
	if err != nil {
		panic("simulation: " + err.Error())
	}
	return answer(c.r, http.StatusOK, "application/json", string(content), nil), content
}

// without takes rows out of the lists of a document, and reports whether there were any.
func without(doc any, row func(any) bool) bool {
	found := false
	object, _ := doc.(map[string]any)
	for name, v := range object {
		if list, ok := v.([]any); ok {
			n := len(list)
			object[name] = slices.DeleteFunc(list, row)
			found = found || len(object[name].([]any)) < n
			continue
		}
		found = without(v, row) || found
	}
	return found
}

// remember keeps what a list said, for a later one that lags. How old it is counts from when it was true.
func (n *network) remember(c *call, res *http.Response, content []byte) {
	w := n.p.w
	if w.calm || w.rates[StaleRead] == 0 || !c.list() || res.StatusCode != http.StatusOK {
		return
	}
	w.stale[c.key()] = staleAnswer{w.loop.now, res.Header.Clone(), content}
}

// vendor hands the request to the sandbox.
func (n *network) vendor(r *http.Request, body []byte) (*http.Response, []byte) {
	w := n.p.w
	out := &reply{header: http.Header{}}
	in := r.WithContext(r.Context())
	in.Body, in.RequestURI, in.RemoteAddr = io.NopCloser(bytes.NewReader(body)), r.URL.RequestURI(), "127.0.0.1:1"
	in.Host, in.ContentLength = r.URL.Host, int64(len(body))
	h := w.portal.Handler()
	if strings.HasPrefix(erpURL, r.URL.Scheme+"://"+r.URL.Host) {
		h = w.erpHandler
	}
	h.ServeHTTP(out, in)
	content := out.body.Bytes()
	res := answer(r, out.code(), "", "", nil)
	res.Header, res.Body, res.ContentLength = out.header, io.NopCloser(bytes.NewReader(content)), int64(len(content))
	return res, content
}

// reply takes an answer.
type reply struct {
	status int
	header http.Header
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *reply) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter. As in a real server the first status counts.
func (r *reply) WriteHeader(status int) { r.status = cmp.Or(r.status, status) }

func (r *reply) code() int { return cmp.Or(r.status, http.StatusOK) }

// Write implements http.ResponseWriter.
func (r *reply) Write(b []byte) (int, error) { return r.body.Write(b) }

// changeFile puts another file in the place of one that is being read.
func (w *world) changeFile(documentNo string) {
	if b := w.past.bills[strings.TrimPrefix(documentNo, "D")]; b != nil {
		(&doer{w: w, co: b.co}).attach(b, fmt.Sprintf(" changed at %s", w.loop.now.Format(time.RFC3339Nano)))
	}
}

// download reports whether a file of the ERP is read.
func (c *call) download() bool { return c.erp && c.r.URL.Path == "/api/Document" }

// before are faults of calls that the vendor never sees.
func (n *network) before(c *call) (*http.Response, error, bool) {
	w, r := n.p.w, c.r
	switch {
	case w.disturbs(c, TimeoutBefore):
		w.loop.pause(90 * time.Second)
		return nil, errTimeout{}, true
	case w.disturbs(c, Refused):
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, true
	case w.disturbs(c, HTML502):
		return answer(r, http.StatusBadGateway, "text/html", "<html><h1>502 Bad Gateway</h1></html>", nil), nil, true
	case w.disturbs(c, Answer503):
		return answer(r, http.StatusServiceUnavailable, "text/plain", "upstream connect error", nil), nil, true
	case w.disturbs(c, TooMany):
		return answer(r, http.StatusTooManyRequests, "application/json", `{"type":"rate_limit_error","message":"slow down"}`, nil), nil, true
	case w.disturbs(c, TooManyWait):
		wait := 1 + w.loop.rng.IntN(120)
		n.mustWait(r, time.Duration(wait)*time.Second)
		return answer(r, http.StatusTooManyRequests, "application/json", `{"type":"rate_limit_error","message":"slow down"}`,
			map[string]string{"Retry-After": fmt.Sprint(wait)}), nil, true
	case w.disturbs(c, BadCredentials):
		return answer(r, http.StatusUnauthorized, "application/json", `{"type":"invalid_request","message":"Missing API key!"}`, nil), nil, true
	case w.disturbs(c, Forbidden):
		return forbidden(r), nil, true
	}
	return nil, nil, false
}

// behind are faults of answers: whatever was asked for has happened.
func (n *network) behind(c *call, res *http.Response) (*http.Response, error) {
	w, r := n.p.w, c.r
	if c.download() && w.hit(PDFEmpty) {
		return answer(r, http.StatusOK, "application/pdf", "", nil), nil
	}
	switch {
	case w.disturbs(c, TimeoutAfter):
		w.loop.pause(90 * time.Second)
		return nil, errTimeout{}
	case w.disturbs(c, ResetBody):
		content, _ := readAll(res.Body)
		res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(content[:len(content)/2]), broken{}))
		res.ContentLength = -1
		return res, nil
	case w.disturbs(c, TruncatedJSON):
		content, _ := readAll(res.Body)
		res.Body = io.NopCloser(bytes.NewReader(content[:len(content)/2]))
		res.ContentLength = -1
		res.Header.Del("Content-Length")
		return res, nil
	case w.disturbs(c, Answer500):
		return answer(r, http.StatusInternalServerError, "application/json", `{"type":"api_error","message":"An internal error occurred."}`, nil), nil
	case w.disturbs(c, SlowAnswer):
		w.loop.pause(w.loop.between(20*time.Second, 4*time.Minute))
	}
	return res, nil
}

// mustWait remembers that a vendor wants no calls of the process for a while.
func (n *network) mustWait(r *http.Request, d time.Duration) {
	name := "portal"
	if strings.HasPrefix(erpURL, r.URL.Scheme+"://"+r.URL.Host) {
		name = "erp"
	}
	a := n.p.account(n.co, name)
	a.closed = maxTime(a.closed, n.p.w.loop.now.Add(d))
}

// broken is a connection that was reset.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, syscall.ECONNRESET }

func answer(r *http.Request, status int, kind, body string, header map[string]string) *http.Response {
	res := &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
	for k, v := range header {
		res.Header.Set(k, v)
	}
	return res
}

func readAll(r io.ReadCloser) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return content, err
}

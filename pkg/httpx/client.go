// Package httpx is the one HTTP client of all connectors: authorisation, pacing, time-outs, size limits, repetition of
// reads, and the translation of transport failures to error classes. It never repeats a write, never follows a redirect
// to another host or scheme, so that credentials do not leave, and never follows one of a write. It connects to public
// addresses only, unless the configuration says otherwise (Reach). No URL of an answer is ever followed elsewhere.
package httpx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector"
)

// Options of a client. Zero values take the defaults named.
type Options struct {
	BaseURL      string                                     // such as https://api.invoiced.com, without a trailing slash
	HTTP         *http.Client                               // without a transport, or nil: one that keeps to BaseURL and Networks
	Clock        clock.Clock                                // System
	Logger       *slog.Logger                               // none
	Authorize    func(context.Context, *http.Request) error // adds the credentials
	UserAgent    string                                     // arbridge
	Networks     []netip.Prefix                             // private networks that the server is in; none
	Connect      time.Duration                              // until a connection is made, 30 s
	PerSecond    int                                        // calls per second, 5
	Parallel     int                                        // calls in flight, 4
	ReadTimeout  time.Duration                              // 60 s
	WriteTimeout time.Duration                              // 90 s
	MaxBody      int64                                      // bytes of an answer, 32 MiB
	ReadAttempts int                                        // tries of a read, 5
	MinBackoff   time.Duration                              // 2 s, doubling
	MaxBackoff   time.Duration                              // 30 s; a vendor's longer wish is returned, not waited for
	Trace        func(http.RoundTripper) http.RoundTripper  // sees every call as it is sent; none
}

// Client calls one vendor account. It is safe for concurrent use; make one with New.
type Client struct {
	opt   Options
	base  *url.URL
	pace  *rate.Limiter
	slots chan struct{}

	mu       sync.Mutex
	closedTo time.Time // no call before this: the vendor said so
}

// Request is one call.
type Request struct {
	Op          string // what is being done, for errors: "creating invoice 104233"
	Method      string
	Path        string // below the base URL, already escaped
	Query       url.Values
	Header      http.Header
	Body        []byte
	ContentType string
	Write       bool // may change something at the vendor: never repeated, ambiguous when the answer is lost
	Timeout     time.Duration
	MaxBody     int64
}

// Response is an answer of any status below 500 except 429, the refused redirect of a write included; the connector reads
// its meaning.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// New checks the options and makes a client. The base URL must be https unless its host is a loopback address.
func New(opt Options) (*Client, error) {
	base, err := url.Parse(opt.BaseURL)
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("base URL: expected a form like https://host, without credentials, query or fragment")
	}
	if base.Scheme != "https" && !loopback(base.Hostname()) {
		return nil, fmt.Errorf("base URL %q: must be https, because credentials are sent with every call", opt.BaseURL)
	}
	opt.defaults()
	var own http.Client
	if opt.HTTP != nil {
		own = *opt.HTTP
	}
	if own.Transport == nil {
		own.Transport = NewTransport(Reach{BaseURLs: []string{opt.BaseURL}, Networks: opt.Networks}, opt.Parallel, opt.Connect)
	}
	own.CheckRedirect = redirectPolicy(base)
	if opt.Trace != nil {
		own.Transport = opt.Trace(own.Transport)
	}
	opt.HTTP = &own
	return &Client{
		opt: opt, base: base, slots: make(chan struct{}, opt.Parallel),
		pace: rate.NewLimiter(rate.Limit(opt.PerSecond), max(1, opt.PerSecond/2)),
	}, nil
}

func (o *Options) defaults() {
	o.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.UserAgent == "" {
		o.UserAgent = "arbridge"
	}
	o.PerSecond, o.Parallel = or(o.PerSecond, 5), or(o.Parallel, 4)
	o.ReadAttempts, o.MaxBody = or(o.ReadAttempts, 5), or(o.MaxBody, 32<<20)
	o.ReadTimeout, o.WriteTimeout = or(o.ReadTimeout, 60*time.Second), or(o.WriteTimeout, 90*time.Second)
	o.MinBackoff, o.MaxBackoff = or(o.MinBackoff, 2*time.Second), or(o.MaxBackoff, 30*time.Second)
}

func or[T int | int64 | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// errRedirect marks an answer that wanted to send us somewhere we do not go.
var errRedirect = errors.New("redirect refused")

// redirectPolicy follows a few redirects of a read within the vendor's own scheme and host. A write is never sent twice,
// so its redirect is handed to the connector as the answer.
func redirectPolicy(base *url.URL) func(*http.Request, []*http.Request) error {
	return func(r *http.Request, via []*http.Request) error {
		if m := via[0].Method; m != http.MethodGet && m != http.MethodHead {
			return http.ErrUseLastResponse
		}
		if r.URL.Host != base.Host || r.URL.Scheme != base.Scheme || len(via) > 3 {
			return errRedirect
		}
		return nil
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Do sends the request at the client's pace. Reads are repeated with growing, jittered pauses while the failure is of
// ClassRetry; writes are sent once. Errors are *connector.Error.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	attempts := c.opt.ReadAttempts
	if r.Write {
		attempts = 1
	}
	pause := c.opt.MinBackoff
	for attempt := 1; ; attempt++ {
		resp, err := c.once(ctx, r)
		var e *connector.Error
		if err == nil || attempt >= attempts || !errors.As(err, &e) || e.Class != connector.ClassRetry {
			return resp, err
		}
		wait := max(e.RetryAfter, pause/2+clock.Jitter(c.opt.Clock, pause/2+1))
		if wait > c.opt.MaxBackoff || ctx.Err() != nil || c.opt.Clock.Sleep(ctx, wait) != nil {
			return nil, err
		}
		pause = min(2*pause, c.opt.MaxBackoff)
	}
}

func (c *Client) once(ctx context.Context, r Request) (*Response, error) {
	if err := c.wait(ctx, r.Op); err != nil {
		return nil, err
	}
	defer func() { <-c.slots }()
	timeout := c.opt.ReadTimeout
	if r.Write {
		timeout = c.opt.WriteTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, or(r.Timeout, timeout))
	defer cancel()
	req, err := c.build(ctx, r)
	if err != nil {
		return nil, err
	}
	started := c.opt.Clock.Now()
	res, err := c.opt.HTTP.Do(req)
	if err != nil {
		return nil, c.lost(r, err)
	}
	defer res.Body.Close()
	limit := or(r.MaxBody, c.opt.MaxBody)
	body, err := readBody(res, limit+1)
	c.opt.Logger.DebugContext(ctx, "vendor call", "op", r.Op, "method", r.Method, "path", r.Path, "status", res.StatusCode,
		"ms", c.opt.Clock.Now().Sub(started).Milliseconds())
	if err != nil {
		return nil, c.lost(r, err)
	}
	if int64(len(body)) > limit && res.StatusCode < 500 && res.StatusCode != http.StatusTooManyRequests {
		return nil, &connector.Error{Class: connector.ClassBadResponse, Op: r.Op, Ambiguous: r.Write, Status: res.StatusCode,
			Err: fmt.Errorf("answer is larger than %d bytes", limit)}
	}
	return c.judge(r, res, body)
}

// readBody reads an answer up to a limit, at once where the vendor says how long a small one is, and else in small steps.
func readBody(res *http.Response, limit int64) ([]byte, error) {
	body := io.LimitReader(res.Body, limit)
	if res.ContentLength <= 0 || res.ContentLength > 1<<20 {
		return io.ReadAll(body)
	}
	var buf bytes.Buffer
	buf.Grow(int(res.ContentLength) + bytes.MinRead)
	_, err := buf.ReadFrom(body)
	return buf.Bytes(), err
}

// judge turns the statuses that mean the same at every vendor into errors.
func (c *Client) judge(r Request, res *http.Response, body []byte) (*Response, error) {
	retryAfter := parseRetryAfter(res.Header.Get("Retry-After"), c.opt.Clock.Now())
	switch {
	case res.StatusCode == http.StatusTooManyRequests:
		c.close(retryAfter)
		return nil, &connector.Error{Class: connector.ClassRetry, Op: r.Op, RetryAfter: retryAfter, Status: res.StatusCode,
			Err: errors.New("the vendor limits the rate of calls")}
	case res.StatusCode >= 500:
		return nil, &connector.Error{Class: connector.ClassRetry, Op: r.Op, Ambiguous: r.Write, RetryAfter: retryAfter,
			Status: res.StatusCode, Err: fmt.Errorf("the vendor answered %d", res.StatusCode)}
	}
	return &Response{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

func (c *Client) build(ctx context.Context, r Request) (*http.Request, error) {
	target := c.opt.BaseURL + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(describe(ctx, r), r.Method, target, bytes.NewReader(r.Body))
	if err != nil {
		return nil, connector.NewError(connector.ClassBug, r.Op, "building the request: %w", withoutURL(err))
	}
	for k, v := range r.Header {
		req.Header[http.CanonicalHeaderKey(k)] = v
	}
	if r.Write {
		sendOnce(req, r.Body)
	}
	if r.ContentType != "" {
		req.Header.Set("Content-Type", r.ContentType)
	}
	req.Header.Set("User-Agent", c.opt.UserAgent)
	if c.opt.Authorize != nil {
		if err := c.opt.Authorize(ctx, req); err != nil {
			return nil, &connector.Error{Class: connector.ClassAuth, Op: r.Op, Err: err}
		}
	}
	return req, nil
}

// sendOnce keeps net/http from repeating a request that carries an idempotency key when a connection that was used before
// breaks: whether the vendor honours such a key is not known. A body that can be read only once prevents it; without a
// body the header is hidden from net/http by its case, which no server sees as a difference.
func sendOnce(req *http.Request, body []byte) {
	req.GetBody = nil
	for _, k := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if v, ok := req.Header[k]; ok && len(body) == 0 {
			delete(req.Header, k)
			req.Header[strings.ToLower(k)] = v
		}
	}
}

// lost is the error of a call without a usable answer. Only a connection that was never made is sure to have done
// nothing; everything else leaves a write unknown.
func (c *Client) lost(r Request, err error) error {
	err = withoutURL(err)
	if errors.Is(err, ErrRecorded) {
		return &connector.Error{Class: connector.ClassUnsupported, Op: r.Op, Err: err}
	}
	if errors.Is(err, ErrAddress) { // nothing was sent
		return &connector.Error{Class: connector.ClassBadResponse, Op: r.Op, Err: err}
	}
	if errors.Is(err, errRedirect) {
		return &connector.Error{Class: connector.ClassBadResponse, Op: r.Op, Ambiguous: r.Write, Err: err}
	}
	return &connector.Error{Class: connector.ClassRetry, Op: r.Op, Ambiguous: r.Write && !refusedToConnect(err), Err: err}
}

// withoutURL drops the URL from an error, because its query may hold an e-mail address.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// wait takes a slot, in the vendor's time and at our pace. A pause the vendor asked for that is longer than MaxBackoff is
// returned as an error at once, so that the work is parked and not the worker.
func (c *Client) wait(ctx context.Context, op string) error {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return &connector.Error{Class: connector.ClassRetry, Op: op, Err: ctx.Err()}
	}
	if err := c.pause(ctx, op); err != nil {
		<-c.slots
		return err
	}
	return nil
}

// pause sleeps until our pace and the vendor allow the call. It looks again after sleeping, because another call may have
// been told to wait meanwhile.
func (c *Client) pause(ctx context.Context, op string) error {
	now := c.opt.Clock.Now()
	turn := c.pace.ReserveN(now, 1)
	for delay := max(turn.DelayFrom(now), c.closed(now)); delay > 0; delay = c.closed(now) {
		if delay > c.opt.MaxBackoff {
			turn.CancelAt(now)
			return &connector.Error{Class: connector.ClassRetry, Op: op, RetryAfter: delay,
				Err: errors.New("waiting as the vendor asked")}
		}
		if err := c.opt.Clock.Sleep(ctx, delay); err != nil {
			turn.CancelAt(c.opt.Clock.Now())
			return &connector.Error{Class: connector.ClassRetry, Op: op, Err: err}
		}
		now = c.opt.Clock.Now()
	}
	return nil
}

// closed is how long the vendor wants no calls.
func (c *Client) closed(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closedTo.Sub(now)
}

func (c *Client) close(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until := c.opt.Clock.Now().Add(d); d > 0 && until.After(c.closedTo) {
		c.closedTo = until
	}
}

// parseRetryAfter reads both forms of the header, at most one day; 0 when absent or unreadable.
func parseRetryAfter(s string, now time.Time) time.Duration {
	if s == "" {
		return 0
	}
	if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil && n > 0 {
		return min(time.Duration(min(n, 86400))*time.Second, 24*time.Hour)
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(0, at.Sub(now)), 24*time.Hour)
	}
	return 0
}

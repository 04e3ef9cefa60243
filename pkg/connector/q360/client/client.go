// Package client speaks Q360's own API (q360-api 1): record lists, creates and updates as multipart forms, the data
// dictionary and downloads. The forms come from the mapping's dialect. It turns answers into rows of exact texts and
// failures into *connector.Error; what the rows mean is the connector's business.
//
// Writes are sent once. Reads are repeated by httpx while the site is unavailable, and here while it answers with
// something that is no answer (an error page of a proxy, half a JSON document).
package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/httpx"
	"github.com/arbridge/arbridge/pkg/secret"
)

// Sizes of answers that are taken (q360-api 4.8).
const (
	MaxList     = 32 << 20  // bytes of a list answer
	MaxDocument = 25 << 20  // bytes of a downloaded file, unless Options say otherwise
	CapDocument = 100 << 20 // bytes of a downloaded file, whatever Options say
)

const (
	readTries = 3               // of a read whose answer is unreadable
	readPause = 2 * time.Second // before the second try, doubling
)

// Options of a client. Mapping, SecretName and Secrets are needed; the rest has defaults.
type Options struct {
	Mapping    *mapping.Mapping
	BaseURL    string // instead of the mapping's
	SecretName string // instead of the mapping's; the secret is JSON {"user": …, "password": …}
	Secrets    secret.Source
	Clock      clock.Clock
	Logger     *slog.Logger
	HTTP       *http.Client
	Trace      func(http.RoundTripper) http.RoundTripper // sees every call as it is sent
	PerSecond  int                                       // calls per second
	Parallel   int                                       // calls in flight, instead of the mapping's
	MaxFile    int64                                     // bytes of a downloaded file: MaxDocument, at most CapDocument
}

// Client calls one Q360 site. It is safe for concurrent use; make one with New.
type Client struct {
	m       *mapping.Mapping
	zone    *time.Location
	http    *httpx.Client
	clock   clock.Clock
	secrets secret.Source
	name    string
	maxFile int64

	mu      sync.Mutex
	version int    // of the secret that the site accepts, 0 is the newest
	secret  string // the text that cred is of
	cred    credentials
	private []string // texts that never leave in an error
}

// New makes a client. The base URL must be https unless it is on loopback.
func New(opt Options) (*Client, error) {
	if opt.Mapping == nil || opt.Secrets == nil {
		return nil, errors.New("making the Q360 client: a mapping and a secret source are needed")
	}
	c := &Client{m: opt.Mapping, zone: opt.Mapping.Site.Location(), clock: opt.Clock, secrets: opt.Secrets,
		name: cmp.Or(opt.SecretName, opt.Mapping.Site.CredentialsSecret), maxFile: min(cmp.Or(opt.MaxFile, MaxDocument), CapDocument)}
	if c.name == "" {
		return nil, errors.New("making the Q360 client: the name of the credentials secret is missing (site.credentials_secret)")
	}
	if c.clock == nil {
		c.clock = clock.System{}
	}
	times := opt.Mapping.Site.Timeouts
	parallel := cmp.Or(opt.Parallel, opt.Mapping.Site.MaxParallel)
	var err error
	c.http, err = httpx.New(httpx.Options{
		BaseURL: cmp.Or(opt.BaseURL, opt.Mapping.Site.BaseURL), HTTP: opt.HTTP, Clock: c.clock, Logger: opt.Logger,
		Authorize: c.authorize, Trace: opt.Trace, PerSecond: opt.PerSecond, Parallel: parallel,
		Networks: opt.Mapping.Site.Prefixes(), Connect: times.Connect,
		ReadTimeout: times.List, WriteTimeout: times.Write, MaxBody: MaxList,
	})
	if err != nil {
		return nil, fmt.Errorf("making the Q360 client: %w", err)
	}
	return c, nil
}

// Zone is the time zone of the site's stored times.
func (c *Client) Zone() *time.Location { return c.zone }

type credentials struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// authorize adds HTTP Basic, the only way in (q360-api 1.2).
func (c *Client) authorize(ctx context.Context, req *http.Request) error {
	versions, err := c.secrets.Get(ctx, c.name)
	if err != nil {
		return fmt.Errorf("reading the Q360 credentials: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version >= len(versions) {
		c.version = 0
	}
	if len(versions) == 0 {
		return fmt.Errorf("reading the Q360 credentials: secret %q has no version", c.name)
	}
	if text := versions[c.version].Reveal(); text != c.secret {
		var cred credentials
		if json.Unmarshal([]byte(text), &cred) != nil || cred.User == "" || cred.Password == "" {
			return fmt.Errorf("reading the Q360 credentials: secret %q is not of the form {\"user\": …, \"password\": …}", c.name)
		}
		c.secret, c.cred, c.private = text, cred, []string{cred.Password}
	}
	req.SetBasicAuth(c.cred.User, c.cred.Password)
	return nil
}

// otherVersion switches to the next version of the secret after a refusal, and reports whether there is one. Two versions
// are valid while a password is changed.
func (c *Client) otherVersion(ctx context.Context, refused int) bool {
	versions, err := c.secrets.Get(ctx, c.name)
	if err != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version != refused {
		return true // somebody else has switched meanwhile
	}
	c.version = (refused + 1) % max(1, len(versions))
	return c.version != refused
}

// anew reads the secret anew after all its versions were refused, and reports whether there are others now.
func (c *Client) anew(ctx context.Context) bool {
	refused, err := c.secrets.Get(ctx, c.name)
	if err != nil {
		return false
	}
	_, changed, err := secret.Reread(ctx, c.secrets, c.name, refused)
	if err != nil || !changed {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version = 0
	return true
}

// authorized does a call, with the other version of the credentials when this one is refused, and with what the secret holds
// by then when that is refused as well. A refusal is clear, so that nothing is written twice.
func (c *Client) authorized(ctx context.Context, about call, req httpx.Request) (answer, error) {
	version := c.currentVersion()
	a, err := c.once(ctx, about, req)
	if refusedHere(err) && c.otherVersion(ctx, version) {
		a, err = c.once(ctx, about, req)
	}
	if refusedHere(err) && c.anew(ctx) {
		a, err = c.once(ctx, about, req)
	}
	return a, err
}

// refusedHere reports whether the site did not take the credentials.
func refusedHere(err error) bool {
	var e *connector.Error
	return errors.As(err, &e) && e.Class == connector.ClassAuth && e.Status == http.StatusUnauthorized
}

func (c *Client) currentVersion() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version
}

// call describes a call for its errors.
type call struct {
	op, table string
	write     bool
	preview   bool // a write that leaves nothing behind
}

// read sends a read until its answer makes sense, at most readTries times.
func (c *Client) read(ctx context.Context, about call, req httpx.Request) (answer, error) {
	pause := readPause
	for try := 1; ; try++ {
		a, err := c.authorized(ctx, about, req)
		var e *connector.Error
		if err == nil || !errors.As(err, &e) || e.Class != connector.ClassBadResponse || try >= readTries || c.clock.Sleep(ctx, pause) != nil {
			return a, err
		}
		pause *= 2
	}
}

// once sends a call and reads its envelope.
func (c *Client) once(ctx context.Context, about call, req httpx.Request) (answer, error) {
	req.Op, req.Write = about.op, about.write
	res, err := c.http.Do(ctx, req)
	if err != nil {
		return answer{}, about.settle(err)
	}
	a, err := parseEnvelope(res.Body)
	if err != nil {
		return answer{}, about.settle(c.unreadable(about, res, err))
	}
	if a.code == 0 {
		a.code = res.Status
	}
	if !a.success || a.code >= 400 || res.Status >= 400 {
		return answer{}, about.settle(c.refused(about, res.Status, a))
	}
	return a, nil
}

// settle clears the doubt about a preview: it never leaves anything behind.
func (a call) settle(err error) error {
	var e *connector.Error
	if a.preview && errors.As(err, &e) {
		e.Ambiguous = false
	}
	return err
}

// request fills in a call form of the dialect. The values of vars are escaped where they go.
func request(form mapping.Call, vars map[string]string) httpx.Request {
	path, query := form.Path, url.Values{}
	for name, value := range vars {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
	}
	for key, text := range form.Query {
		for name, value := range vars {
			text = strings.ReplaceAll(text, "{"+name+"}", value)
		}
		query.Set(key, text)
	}
	return httpx.Request{Method: form.Method, Path: path, Query: query}
}

func tableVars(table string) map[string]string {
	return map[string]string{"table": table, "tablename": table}
}

func (c *Client) column(name string) string {
	if up := c.m.Dialect.UppercaseColumns; up == nil || *up {
		return strings.ToUpper(name)
	}
	return name
}

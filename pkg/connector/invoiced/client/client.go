package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/httpx"
	"github.com/arbridge/arbridge/pkg/secret"
)

// Client calls one Invoiced account. It keeps no state of its own and is safe for concurrent use; make one with New.
type Client struct {
	http    *httpx.Client
	host    string
	secrets secret.Source
	key     string // name of the API key's secret
}

// New makes a client. baseURL is the one the caller was made with; links to another host are refused by it. The API key
// is read from secrets under the given name at every call, so that a rotation needs no restart.
func New(caller *httpx.Client, baseURL string, secrets secret.Source, keySecret string) (*Client, error) {
	base, err := url.Parse(baseURL)
	switch {
	case err != nil || base.Host == "":
		return nil, errors.New("base URL: expected a form like https://api.invoiced.com")
	case caller == nil || secrets == nil || keySecret == "":
		return nil, errors.New("invoiced client: an HTTP client, a source of secrets and the name of the API key are needed")
	}
	return &Client{http: caller, host: base.Host, secrets: secrets, key: keySecret}, nil
}

// call is one request before it has a credential.
type call struct {
	op     string
	method string
	path   string
	query  url.Values
	body   any    // JSON, or with contentType the bytes as they are
	key    string // idempotency key of a POST, optional
	accept string // application/json unless set

	contentType string
	maxBody     int64
}

func (c call) write() bool { return c.method != http.MethodGet }

// send does the call under the newest version of the API key, and under the next one when that is refused. When all are, the
// secret is read anew, once: a refusal is clear, so nothing can happen twice.
func (c *Client) send(ctx context.Context, in call) (*httpx.Response, error) {
	req, err := in.request()
	if err != nil {
		return nil, err
	}
	keys, err := c.secrets.Get(ctx, c.key)
	if err != nil {
		return nil, &connector.Error{Class: classOfSecret(err), Op: in.op, Err: err}
	}
	res, key, err := c.under(ctx, req, keys)
	if err == nil && res != nil && res.Status == http.StatusUnauthorized {
		if again, changed, _ := secret.Reread(ctx, c.secrets, c.key, keys); changed { // an error leaves the refusal
			res, key, err = c.under(ctx, req, again)
		}
	}
	switch {
	case err != nil:
		return nil, err
	case res == nil:
		return nil, connector.NewError(connector.ClassAuth, in.op, "secret %q has no version; add one", c.key)
	case res.Status < 200 || res.Status > 299:
		res.Body = withoutKey(res.Body, key)
		return nil, failure(in.op, in.write(), res)
	}
	return res, nil
}

// under does the call under one key after the other until one is not refused, and says which it was. No keys, no answer.
func (c *Client) under(ctx context.Context, req httpx.Request, keys []secret.Value) (res *httpx.Response, key secret.Value, err error) {
	for _, key = range keys[:min(2, len(keys))] {
		req.Header.Set("Authorization", basic(key))
		res, err = c.http.Do(ctx, req)
		if err != nil || res.Status != http.StatusUnauthorized {
			break
		}
	}
	return res, key, err
}

func (c call) request() (httpx.Request, error) {
	r := httpx.Request{Op: c.op, Method: c.method, Path: c.path, Query: c.query, Header: http.Header{}, Write: c.write(),
		ContentType: c.contentType, MaxBody: c.maxBody}
	r.Header.Set("Accept", "application/json")
	if c.accept != "" {
		r.Header.Set("Accept", c.accept)
	}
	if c.key != "" {
		r.Header.Set("Idempotency-Key", c.key)
	}
	switch b := c.body.(type) {
	case nil:
	case []byte:
		r.Body = b
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			return r, connector.NewError(connector.ClassBug, c.op, "writing the request: %w", err)
		}
		r.Body, r.ContentType = encoded, "application/json"
	}
	return r, nil
}

// basic is HTTP Basic with the key as user name and an empty password (invoiced-api 1.2). White space around the key,
// which editors leave in secrets, is no part of it.
func basic(key secret.Value) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(strings.TrimSpace(key.Reveal())+":"))
}

// withoutKey removes the key from an answer that quotes it, before any of the answer becomes part of an error.
func withoutKey(body []byte, key secret.Value) []byte {
	for _, text := range []string{strings.TrimSpace(key.Reveal()), strings.TrimPrefix(basic(key), "Basic ")} {
		if text != "" {
			body = bytes.ReplaceAll(body, []byte(text), []byte("[redacted]"))
		}
	}
	return body
}

func classOfSecret(err error) connector.Class {
	if errors.Is(err, secret.ErrNotFound) {
		return connector.ClassAuth
	}
	return connector.ClassRetry
}

// object does the call and reads one object from the answer.
func object[T any](ctx context.Context, c *Client, in call) (T, error) {
	var out T
	res, err := c.send(ctx, in)
	if err != nil {
		return out, err
	}
	if !isJSON(res.Body) {
		return out, unreadable(in.op, in.write(), res.Status, errors.New("it is not JSON"))
	}
	if err := json.Unmarshal(res.Body, &out); err != nil {
		return out, unreadable(in.op, in.write(), res.Status, err)
	}
	return out, nil
}

// path joins the parts of a path. An id that could not be one is our own fault and never sent: an empty one would turn
// a read of one object into a list, or worse.
func path(op string, parts ...string) (string, error) {
	for _, p := range parts {
		if !validID(p) {
			return "", connector.NewError(connector.ClassBug, op, "%.40q is no id of the portal", p)
		}
	}
	return "/" + strings.Join(parts, "/"), nil
}

// get reads one object below the path.
func get[T any](ctx context.Context, c *Client, op string, query url.Values, parts ...string) (T, error) {
	p, err := path(op, parts...)
	if err != nil {
		var none T
		return none, err
	}
	return object[T](ctx, c, call{op: op, method: http.MethodGet, path: p, query: query})
}

// create POSTs the body below the path, under the idempotency key if there is one.
func create[T any](ctx context.Context, c *Client, op string, body any, key string, parts ...string) (T, error) {
	p, err := path(op, parts...)
	if err != nil {
		var none T
		return none, err
	}
	return object[T](ctx, c, call{op: op, method: http.MethodPost, path: p, body: body, key: key})
}

// update PATCHes one object.
func update[T any](ctx context.Context, c *Client, op string, body any, parts ...string) (T, error) {
	p, err := path(op, parts...)
	if err != nil {
		var none T
		return none, err
	}
	return object[T](ctx, c, call{op: op, method: http.MethodPatch, path: p, body: body})
}

// remove DELETEs one object; the answer has no body.
func (c *Client) remove(ctx context.Context, op string, parts ...string) error {
	p, err := path(op, parts...)
	if err != nil {
		return err
	}
	_, err = c.send(ctx, call{op: op, method: http.MethodDelete, path: p})
	return err
}

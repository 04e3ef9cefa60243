// Package pushauth checks the OIDC token that Pub/Sub and Cloud Scheduler send with a push, as the second wall behind the
// IAM check of Cloud Run (gcp-go-stack 5.2).
//
// The library behind it checks signature, audience and expiry. This package checks the rest, lets nothing but RS256
// reach the library, which panics on some other tokens, and stands between the handler and any panic.
package pushauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/api/idtoken"
	"google.golang.org/api/option"

	"github.com/arbridge/arbridge/pkg/clock"
)

// ErrRefused is a request whose token is missing or not acceptable; the text says which. Any other error of Check means
// that the token could not be judged, for example because Google's keys could not be fetched.
var ErrRefused = errors.New("push token refused")

const (
	// maxToken is the longest token looked at, in bytes; real ones have about 1,000.
	maxToken = 16 << 10
	// clockSkew is how far ahead of ours the clock of the issuer may be.
	clockSkew = 5 * time.Minute
	// keyTimeout bounds the fetching of Google's keys.
	keyTimeout = 10 * time.Second
	// strippedSignature is what Cloud Run puts in place of the signature of a token that it has verified.
	strippedSignature = "SIGNATURE_REMOVED_BY_GOOGLE"
)

// Options of a Checker.
type Options struct {
	// Audience is the audience that the subscription asks for; needed.
	Audience string
	// Emails are the service accounts that may push; at least one.
	Emails []string
	// BehindIAM accepts a token whose signature Cloud Run has removed, after its claims were checked. Cloud Run does
	// that with tokens it has verified itself, on services that require authentication. Never set it on a service that
	// anybody may call: there the mark proves nothing.
	BehindIAM bool
	// HTTPClient fetches Google's keys; a client with a time-out of 10 seconds when nil.
	HTTPClient *http.Client
	// Clock tells whether a token has expired; needed. The library looks at the machine's clock in addition.
	Clock clock.Clock
}

// Checker checks tokens. Make one with New; it is safe for concurrent use.
type Checker struct {
	opts      Options
	validator *idtoken.Validator
}

// New makes a checker. Options that would let anybody in are an error.
func New(ctx context.Context, opts Options) (*Checker, error) {
	switch {
	case opts.Audience == "":
		return nil, errors.New("checking push tokens: Audience is empty; set it to the audience of the subscription")
	case len(opts.Emails) == 0 || slices.Contains(opts.Emails, ""):
		return nil, errors.New("checking push tokens: Emails is empty or has an empty entry; list the pushing service accounts")
	case opts.Clock == nil:
		return nil, errors.New("checking push tokens: Clock is missing")
	}
	if opts.HTTPClient == nil {
		opts.HTTPClient = &http.Client{Timeout: keyTimeout}
	}
	validator, err := idtoken.NewValidator(ctx, option.WithHTTPClient(opts.HTTPClient))
	if err != nil {
		return nil, fmt.Errorf("checking push tokens: %w", err)
	}
	return &Checker{opts: opts, validator: validator}, nil
}

// Check returns nil if the request carries an acceptable token, and ErrRefused with the reason if it does not. Errors
// never hold the token or an e-mail address.
func (c *Checker) Check(r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil { // its value may hold parts of the token
			err = fmt.Errorf("%w: checking it panicked", ErrRefused)
		}
	}()
	token, err := bearer(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	claims, err := parse(token)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err := c.judge(claims); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if c.opts.BehindIAM && strings.HasSuffix(token, "."+strippedSignature) {
		return nil
	}
	return c.verify(r.Context(), token)
}

// verify checks the signature against Google's keys.
func (c *Checker) verify(ctx context.Context, token string) error {
	_, err := c.validator.Validate(ctx, token, c.opts.Audience)
	if err == nil {
		return nil
	}
	if _, network := errors.AsType[*url.Error](err); network || strings.Contains(err.Error(), "unable to retrieve cert") {
		return fmt.Errorf("checking push token: fetching keys: %w", err)
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

// bearer is the token of the one Authorization header.
func bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", fmt.Errorf("the request has %d Authorization headers, not one", len(values))
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", errors.New("the Authorization header is not a bearer token")
	}
	if len(token) > maxToken {
		return "", fmt.Errorf("the token has %d bytes, above the limit of %d", len(token), maxToken)
	}
	return token, nil
}

// claims are the parts of a token that are judged here.
type claims struct {
	Issuer        string `json:"iss"`
	Audience      string `json:"aud"`
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
	Expires       int64  `json:"exp"` // seconds since 1970
	IssuedAt      int64  `json:"iat"` // seconds since 1970
}

// parse reads the claims of a token signed with RS256, without checking the signature.
func parse(token string) (claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[2] == "" {
		return claims{}, fmt.Errorf("it has %d parts, not three that are filled", len(parts))
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	if decode(parts[0], &header) != nil {
		return claims{}, errors.New("its header is not JSON in base64")
	}
	if header.Algorithm != "RS256" {
		return claims{}, errors.New("it is not signed with RS256")
	}
	var out claims
	if decode(parts[1], &out) != nil {
		return claims{}, errors.New("its claims are not as expected")
	}
	return out, nil
}

// decode reads JSON in base64.
func decode(part string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// judge checks the claims.
func (c *Checker) judge(t claims) error {
	now := c.opts.Clock.Now()
	switch {
	case t.Issuer != "accounts.google.com" && t.Issuer != "https://accounts.google.com":
		return errors.New("its issuer is not Google")
	case t.Audience != c.opts.Audience:
		return errors.New("its audience is not that of this service")
	case !slices.Contains(c.opts.Emails, t.Email):
		return errors.New("its service account may not push here")
	case !t.EmailVerified:
		return errors.New("its e-mail address is not verified")
	case !now.Before(time.Unix(t.Expires, 0)):
		return errors.New("it has expired")
	case time.Unix(t.IssuedAt, 0).After(now.Add(clockSkew)):
		return errors.New("it was issued in the future")
	}
	return nil
}

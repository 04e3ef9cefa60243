package pushauth_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/pushauth"
)

const (
	audience = "https://sync.example.com/"
	email    = "pusher@test.iam.gserviceaccount.com"
)

// google holds keys like Google's and serves them to an http.Client.
type google struct {
	rsa     *rsa.PrivateKey
	ec      *ecdsa.PrivateKey
	status  atomic.Int32
	fetches atomic.Int32
}

// newGoogle makes the keys once: generating them is slow.
var newGoogle = sync.OnceValues(func() (*google, error) {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return &google{rsa: r, ec: e}, err
})

// keys gives the keys, as if nobody had fetched them yet.
func keys(t *testing.T) *google {
	t.Helper()
	g, err := newGoogle()
	if err != nil {
		t.Fatal(err)
	}
	out := &google{rsa: g.rsa, ec: g.ec}
	out.status.Store(http.StatusOK)
	return out
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// RoundTrip answers the addresses of Google's keys.
func (g *google) RoundTrip(r *http.Request) (*http.Response, error) {
	g.fetches.Add(1)
	type key map[string]string
	var set struct {
		Keys []key `json:"keys"`
	}
	switch r.URL.String() {
	case "https://www.googleapis.com/oauth2/v3/certs":
		set.Keys = []key{{"kid": "one", "kty": "RSA", "alg": "RS256", "use": "sig", "n": encode(g.rsa.N.Bytes()),
			"e": encode(big.NewInt(int64(g.rsa.E)).Bytes())}}
	case "https://www.gstatic.com/iap/verify/public_key-jwk":
		point, err := g.ec.PublicKey.Bytes()
		if err != nil {
			return nil, err
		}
		set.Keys = []key{{"kid": "one", "kty": "EC", "alg": "ES256", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])}}
	default:
		return nil, errors.New("unexpected address " + r.URL.String())
	}
	body, err := json.Marshal(set)
	if err != nil {
		return nil, err
	}
	status := int(g.status.Load())
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Cache-Control": {"public, max-age=3600"}},
		Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

// claims are good claims with some replaced; nil removes one.
func claims(now time.Time, change map[string]any) map[string]any {
	out := map[string]any{
		"iss": "https://accounts.google.com", "aud": audience, "email": email, "email_verified": true, "sub": "1",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	for k, v := range change {
		if out[k] = v; v == nil {
			delete(out, k)
		}
	}
	return out
}

// unsigned is a token without its signature.
func unsigned(t *testing.T, header, claims map[string]any) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return encode(h) + "." + encode(c)
}

// sign makes an RS256 token.
func (g *google) sign(t *testing.T, key *rsa.PrivateKey, kid string, claims map[string]any) string {
	t.Helper()
	text := unsigned(t, map[string]any{"alg": "RS256", "typ": "JWT", "kid": kid}, claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + encode(signature)
}

// signEC makes a valid ES256 token, as Google's IAP does.
func (g *google) signEC(t *testing.T, claims map[string]any) string {
	t.Helper()
	text := unsigned(t, map[string]any{"alg": "ES256", "typ": "JWT", "kid": "one"}, claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, g.ec, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return text + "." + encode(signature)
}

func checker(t *testing.T, g *google, clk clock.Clock, behindIAM bool) *pushauth.Checker {
	t.Helper()
	c, err := pushauth.New(context.Background(), pushauth.Options{
		Audience: audience, Emails: []string{"scheduler@test.iam.gserviceaccount.com", email}, BehindIAM: behindIAM,
		HTTPClient: &http.Client{Transport: g}, Clock: clk,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func request(authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	for _, a := range authorization {
		r.Header.Add("Authorization", a)
	}
	return r
}

func TestCheckClaims(t *testing.T) {
	tests := []struct {
		name   string
		change map[string]any
		want   string // part of the refusal; empty when accepted
	}{
		{"good", nil, ""},
		{"short issuer", map[string]any{"iss": "accounts.google.com"}, ""},
		{"other listed account", map[string]any{"email": "scheduler@test.iam.gserviceaccount.com"}, ""},
		{"expires soon", map[string]any{"exp": time.Now().Add(time.Minute).Unix()}, ""},
		{"wrong issuer", map[string]any{"iss": "https://accounts.google.com.evil.example"}, "issuer"},
		{"no issuer", map[string]any{"iss": nil}, "issuer"},
		{"wrong audience", map[string]any{"aud": "https://other.example.com/"}, "audience"},
		{"no audience", map[string]any{"aud": nil}, "audience"},
		{"audiences", map[string]any{"aud": []string{audience}}, "not as expected"},
		{"wrong email", map[string]any{"email": "other@test.iam.gserviceaccount.com"}, "may not push"},
		{"email in capitals", map[string]any{"email": strings.ToUpper(email)}, "may not push"},
		{"no email", map[string]any{"email": nil}, "may not push"},
		{"unverified", map[string]any{"email_verified": false}, "not verified"},
		{"verified is text", map[string]any{"email_verified": "true"}, "not as expected"},
		{"nothing about verified", map[string]any{"email_verified": nil}, "not verified"},
		{"expired", map[string]any{"exp": time.Now().Add(-time.Second).Unix()}, "expired"},
		{"no expiry", map[string]any{"exp": nil}, "expired"},
		{"from the future", map[string]any{"iat": time.Now().Add(time.Hour).Unix()}, "future"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := keys(t)
			token := g.sign(t, g.rsa, "one", claims(time.Now(), tt.change))
			stripped := token[:strings.LastIndex(token, ".")] + ".SIGNATURE_REMOVED_BY_GOOGLE"
			expect(t, checker(t, g, clock.System{}, false).Check(request("Bearer "+token)), tt.want)
			expect(t, checker(t, g, clock.System{}, true).Check(request("Bearer "+token)), tt.want)
			expect(t, checker(t, g, clock.System{}, true).Check(request("Bearer "+stripped)), tt.want)
			if tt.want == "" {
				tt.want = "refused"
			}
			expect(t, checker(t, g, clock.System{}, false).Check(request("Bearer "+stripped)), tt.want)
		})
	}
}

// expect requires acceptance, or a refusal that says want and shows no address.
func expect(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want != "" && (!errors.Is(err, pushauth.ErrRefused) || !strings.Contains(err.Error(), want)):
		t.Errorf("error = %v, want a refusal with %q", err, want)
	case err != nil && strings.Contains(err.Error(), "@"):
		t.Errorf("error = %v shows an address", err)
	}
}

func TestCheckTokens(t *testing.T) {
	g := keys(t)
	good := claims(time.Now(), nil)
	token := g.sign(t, g.rsa, "one", good)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	header := func(alg any) map[string]any { return map[string]any{"alg": alg, "typ": "JWT", "kid": "one"} }
	tests := []struct {
		name          string
		authorization []string
		want          string
	}{
		{"good", []string{"Bearer " + token}, ""},
		{"lower-case scheme", []string{"bearer " + token}, ""},
		{"no header", nil, "0 Authorization headers"},
		{"two headers", []string{"Bearer " + token, "Bearer " + token}, "2 Authorization headers"},
		{"empty", []string{""}, "not a bearer"},
		{"no token", []string{"Bearer "}, "not a bearer"},
		{"basic", []string{"Basic " + token}, "not a bearer"},
		{"garbage", []string{"Bearer garbage"}, "parts"},
		{"dots", []string{"Bearer ..x"}, "header"},
		{"not base64", []string{"Bearer !.!.!"}, "header"},
		{"not JSON", []string{"Bearer " + encode([]byte("x")) + ".e30.e30"}, "header"},
		{"claims not JSON", []string{"Bearer " + encode([]byte(`{"alg":"RS256"}`)) + ".!.e30"}, "claims"},
		{"huge", []string{"Bearer " + strings.Repeat("x", 20_000)}, "above the limit"},
		{"other key", []string{"Bearer " + g.sign(t, other, "one", good)}, "refused"},
		{"unknown key", []string{"Bearer " + g.sign(t, g.rsa, "two", good)}, "refused"},
		{"changed claims", []string{"Bearer " + unsigned(t, header("RS256"), claims(time.Now(), map[string]any{"sub": "2"})) + token[strings.LastIndex(token, "."):]}, "refused"},
		{"no signature", []string{"Bearer " + token[:strings.LastIndex(token, ".")+1]}, "parts"},
		{"signature not base64", []string{"Bearer " + token + "!"}, "refused"},
		{"valid ES256", []string{"Bearer " + g.signEC(t, good)}, "RS256"},
		{"short ES256", []string{"Bearer " + unsigned(t, header("ES256"), good) + ".eA"}, "RS256"},
		{"none", []string{"Bearer " + unsigned(t, header("none"), good) + ".eA"}, "RS256"},
		{"HS256", []string{"Bearer " + unsigned(t, header("HS256"), good) + ".eA"}, "RS256"},
		{"algorithm in small letters", []string{"Bearer " + unsigned(t, header("rs256"), good) + ".eA"}, "RS256"},
		{"algorithm is a list", []string{"Bearer " + unsigned(t, header([]string{"RS256"}), good) + ".eA"}, "header"},
		{"no algorithm", []string{"Bearer " + unsigned(t, map[string]any{}, good) + ".eA"}, "RS256"},
	}
	for _, behindIAM := range []bool{false, true} {
		c := checker(t, g, clock.System{}, behindIAM)
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) { expect(t, c.Check(request(tt.authorization...)), tt.want) })
		}
	}
}

func TestClockDecidesExpiry(t *testing.T) {
	g := keys(t)
	clk := clock.NewMovable(time.Now())
	c := checker(t, g, clk, false)
	r := request("Bearer " + g.sign(t, g.rsa, "one", claims(time.Now(), nil)))
	expect(t, c.Check(r), "")
	clk.Advance(time.Hour)
	expect(t, c.Check(r), "expired")
}

func TestKeysAreCached(t *testing.T) {
	g := keys(t)
	c := checker(t, g, clock.System{}, false)
	for range 5 {
		expect(t, c.Check(request("Bearer "+g.sign(t, g.rsa, "one", claims(time.Now(), nil)))), "")
	}
	if n := g.fetches.Load(); n != 1 {
		t.Errorf("keys were fetched %d times, want once", n)
	}
}

// TestKeysUnavailable is not a refusal: the sender did nothing wrong.
func TestKeysUnavailable(t *testing.T) {
	for _, status := range []int32{0, http.StatusServiceUnavailable} {
		g := keys(t)
		g.status.Store(status)
		err := checker(t, g, clock.System{}, false).Check(request("Bearer " + g.sign(t, g.rsa, "one", claims(time.Now(), nil))))
		if err == nil || errors.Is(err, pushauth.ErrRefused) {
			t.Errorf("with status %d for the keys: %v, want an error that is no refusal", status, err)
		}
	}
}

// panicking is a transport that panics, standing for any fault in the library.
type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("secret text") }

func TestPanicIsRefusal(t *testing.T) {
	g := keys(t)
	c, err := pushauth.New(context.Background(), pushauth.Options{
		Audience: audience, Emails: []string{email}, HTTPClient: &http.Client{Transport: panicking{}}, Clock: clock.System{}})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Check(request("Bearer " + g.sign(t, g.rsa, "one", claims(time.Now(), nil))))
	if !errors.Is(err, pushauth.ErrRefused) || strings.Contains(err.Error(), "secret") {
		t.Errorf("error = %v, want a refusal without the text of the panic", err)
	}
}

func TestOptions(t *testing.T) {
	good := pushauth.Options{Audience: audience, Emails: []string{email}, Clock: clock.System{}}
	if _, err := pushauth.New(context.Background(), good); err != nil {
		t.Errorf("good options: %v", err)
	}
	noAudience, noEmails, emptyEmail, noClock := good, good, good, good
	noAudience.Audience, noEmails.Emails, emptyEmail.Emails, noClock.Clock = "", nil, []string{""}, nil
	for i, opts := range []pushauth.Options{noAudience, noEmails, emptyEmail, noClock} {
		if _, err := pushauth.New(context.Background(), opts); err == nil {
			t.Errorf("bad options %d were accepted", i)
		}
	}
}

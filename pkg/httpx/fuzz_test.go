package httpx

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// FuzzRetryAfter: a vendor's wish is between nothing and a day.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"7", "-1", "86401", "99999999999999999999", "Sun, 31 May 2026 12:00:30 GMT", "soon", "1e9"} {
		f.Add(s)
	}
	now := time.Date(2026, 5, 31, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if d := parseRetryAfter(s, now); d < 0 || d > 24*time.Hour {
			t.Errorf("%q: %s", s, d)
		}
	})
}

// FuzzAddress: whichever way an address is written, a public name never leads to one that the standard library knows as
// local, and a network in the configuration opens private addresses alone.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"8.8.8.8:443", "127.0.0.1:80", "[::ffff:10.0.0.1]:80", "[fe80::1%eth0]:1", "[64:ff9b::7f00:1]:80", "0177.0.0.1:80", "[::]:0", "1.1.1.1"} {
		f.Add(s)
	}
	d := newDialer(Reach{BaseURLs: []string{"https://api.invoiced.com"}, Networks: []netip.Prefix{netip.MustParsePrefix("::/0"), netip.MustParsePrefix("0.0.0.0/0")}}, 0, nil)
	closed := newDialer(Reach{}, 0, nil)
	f.Fuzz(func(t *testing.T, address string) {
		at, err := netip.ParseAddrPort(address)
		a := at.Addr().Unmap()
		if d.judge("x:443", address) == nil && (err != nil || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified()) {
			t.Errorf("%s may be dialled", address)
		}
		if closed.judge("x:443", address) == nil && (a.IsPrivate() || !a.IsGlobalUnicast()) {
			t.Errorf("%s may be dialled without a network", address)
		}
	})
}

// FuzzBaseURL: a client is made for an https address, or for one on this machine, without credentials, query or fragment in
// it; what is refused is told without them; and no redirect of a read leaves the host.
func FuzzBaseURL(f *testing.F) {
	for _, s := range []string{"https://api.invoiced.com", "http://127.0.0.1:8080", "http://localhost", "http://example.com", "https://u:hunter2@host", "https://host/?k=hunter2",
		"https://host/#x", "//host", "ftp://localhost", "https://[::1%25lo]:1", "https://", "https://host/a/../b/", "HTTPS://host", "https:host", "https://ho st"} {
		f.Add(s, "/next")
		f.Add(s, "https://evil.example/x")
	}
	f.Fuzz(func(t *testing.T, text, location string) {
		c, err := New(Options{BaseURL: text})
		if err != nil {
			if strings.Contains(text, "hunter2@") && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats a password: %v", err)
			}
			return
		}
		if c.base.Host == "" || c.base.User != nil || c.base.RawQuery != "" || c.base.Scheme != "https" && !loopback(c.base.Hostname()) {
			t.Errorf("%q is taken", text)
		}
		first, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base.String(), nil)
		if err != nil {
			return
		}
		next, err := first.URL.Parse(location)
		if err != nil {
			return
		}
		err = c.opt.HTTP.CheckRedirect(&http.Request{URL: next}, []*http.Request{first})
		if err == nil && (next.Host != c.base.Host || next.Scheme != c.base.Scheme) {
			t.Errorf("from %s to %s", c.base, next)
		}
	})
}

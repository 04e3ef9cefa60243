package server

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func newTokens(t *testing.T) Tokens {
	t.Helper()
	tokens, err := NewTokens()
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestGuard(t *testing.T) {
	tokens := newTokens(t)
	op, view := "Bearer "+tokens.Token(Operator), "Bearer "+tokens.Token(Viewer)
	for name, c := range map[string]struct {
		remote, host, auth string
		header             http.Header
		viewer, operator   int
	}{
		"operator":                  {"", "", op, nil, 204, 204},
		"viewer":                    {"", "", view, nil, 204, 401},
		"by name":                   {"", "localhost:8080", op, nil, 204, 204},
		"by IPv6":                   {"[::1]:9", "[::1]:8080", op, nil, 204, 204},
		"without a port":            {"", "127.0.0.1", op, nil, 204, 204},
		"scheme in another case":    {"", "", "bearer " + tokens.Token(Operator), nil, 204, 204},
		"no token":                  {"", "", "", nil, 401, 401},
		"the scheme alone":          {"", "", "Bearer ", nil, 401, 401},
		"another scheme":            {"", "", "Basic " + tokens.Token(Operator), nil, 401, 401},
		"half a token":              {"", "", op[:len(op)-2], nil, 401, 401},
		"more than a token":         {"", "", op + "0", nil, 401, 401},
		"an old token":              {"", "", "Bearer " + newTokens(t).Token(Operator), nil, 401, 401},
		"another machine":           {"10.0.0.7:4711", "", op, nil, 403, 403},
		"no address":                {"localhost:1", "", op, nil, 403, 403},
		"a name that points here":   {"", "evil.example", op, nil, 403, 403},
		"a name like an address":    {"", "127.0.0.1.evil.example:8080", op, nil, 403, 403},
		"another address":           {"", "192.168.1.5:8080", op, nil, 403, 403},
		"a form of a web page":      {"", "", op, http.Header{"Origin": {"https://evil.example"}}, 403, 403},
		"a sandboxed frame":         {"", "", op, http.Header{"Origin": {"null"}}, 403, 403},
		"a picture of a web page":   {"", "", op, http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403, 403},
		"an address typed in":       {"", "", op, http.Header{"Sec-Fetch-Site": {"none"}}, 403, 403},
		"a link of an old browser":  {"", "", op, http.Header{"Referer": {"https://evil.example/"}}, 403, 403},
		"a page of this very place": {"", "", op, http.Header{"Sec-Fetch-Mode": {"no-cors"}}, 403, 403},
	} {
		for role, want := range map[Role]int{Viewer: c.viewer, Operator: c.operator, Public: 204} {
			called := false
			h := tokens.Guard(role, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { called = true; w.WriteHeader(http.StatusNoContent) }))
			rec, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/x", nil)
			r.RemoteAddr = "127.0.0.1:5"
			if c.remote != "" {
				r.RemoteAddr = c.remote
			}
			if c.host != "" {
				r.Host = c.host
			}
			for k, v := range c.header {
				r.Header[k] = v
			}
			if c.auth != "" {
				r.Header.Set("Authorization", c.auth)
			}
			h.ServeHTTP(rec, r)
			if rec.Code != want || called != (want == 204) {
				t.Errorf("%s as %s: %d, want %d", name, role, rec.Code, want)
			}
			if strings.Contains(rec.Body.String(), tokens.Token(Operator)) {
				t.Errorf("%s as %s: the answer holds the token", name, role)
			}
		}
	}
}

func TestNoTokensLetNobodyIn(t *testing.T) {
	h := Tokens{}.Guard(Viewer, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let in") }))
	for _, auth := range []string{"", "Bearer", "Bearer ", "bearer  "} {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/", nil)
		r.RemoteAddr = "127.0.0.1:5"
		r.Header.Set("Authorization", auth)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

func TestTokensInTheDataFolder(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadToken(dir, Operator); err == nil || !strings.Contains(err.Error(), "reading the token of the operator") {
		t.Errorf("without a file: %v", err)
	}
	path := filepath.Join(dir, "operator.token")
	if err := os.WriteFile(path, []byte("short\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadToken(dir, Operator); err == nil || !strings.Contains(err.Error(), "holds none") {
		t.Errorf("with half a token: %v", err)
	}
	var last string
	for range 2 {
		tokens := newTokens(t)
		if err := tokens.Save(dir); err != nil {
			t.Fatal(err)
		}
		for _, r := range []Role{Viewer, Operator} {
			info, err := os.Stat(filepath.Join(dir, r.file()))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v, want mode 0600 although the file was readable by all", r.file(), info, err)
			}
			if got, err := LoadToken(dir, r); err != nil || got != tokens.Token(r) || len(got) != 2*tokenBytes {
				t.Errorf("token of the %s: %q, %v", r, got, err)
			}
		}
		if tokens.Token(Operator) == last || tokens.Token(Operator) == tokens.Token(Viewer) || tokens.Token(Public) != "" {
			t.Error("tokens repeat")
		}
		last = tokens.Token(Operator)
	}
	if names, err := filepath.Glob(filepath.Join(dir, ".token-*")); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
	if err := newTokens(t).Save(filepath.Join(dir, "gone")); err == nil {
		t.Error("no error without the folder")
	}
}

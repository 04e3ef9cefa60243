package host

import (
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/server"
)

// guarded is a host of a company whose vendors are never called, with its data folder.
func guarded(t *testing.T) (*Host, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"config.yaml": `secrets: {dir: .}
companies:
  - id: us
    q360: {base_url: "http://127.0.0.1:1", credentials_secret: q360}
    invoiced: {base_url: "http://127.0.0.1:1", api_key_secret: key, webhook_secret: hook}
    settings:
      company: {mode: live, q360_company: "01", time_zone: UTC, currency: USD}
      qualify.start_date: 2026-01-01
      payments.mode: "off"
      fees.strategy: exclude
`, "q360": `{"user":"API","password":"sandbox-only"}`, "key": "key-sandbox-only", "hook": "x",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(filepath.Join(dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	clk := clock.NewMovable(time.Date(2026, 5, 5, 14, 0, 0, 0, time.UTC))
	p, err := platform.Open(t.Context(), cfg, platform.Options{DataDir: dir, Clock: clk, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	h, err := New(p, Options{TestClock: clk, TokenDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return h, dir
}

// TestEveryRouteIsGuarded walks everything that is served. A route that is added is decided on here, or this fails.
func TestEveryRouteIsGuarded(t *testing.T) {
	h, dir := guarded(t)
	want := map[string]server.Role{
		"/webhook/":                   server.Public, // checks the vendor's signature
		"GET /healthz":                server.Public, // says nothing
		"POST /tick":                  server.Operator,
		"POST /operator/{action}":     server.Operator,
		"POST /operator/dead-letters": server.Viewer,
		"POST /_test/clock/advance":   server.Operator,
	}
	got := map[string]server.Role{}
	for _, r := range h.table() {
		got[r.pattern] = r.role
	}
	if !maps.Equal(got, want) {
		t.Errorf("routes %v, want %v", got, want)
	}
	tokens := map[server.Role]string{server.Public: ""}
	for _, r := range []server.Role{server.Viewer, server.Operator} {
		token, err := server.LoadToken(dir, r)
		if err != nil {
			t.Fatal(err)
		}
		tokens[r] = "Bearer " + token
	}
	for pattern, role := range got {
		method, path, ok := strings.Cut(pattern, " ")
		if !ok {
			method, path = http.MethodPost, pattern
		}
		for caller, auth := range tokens {
			for _, remote := range []string{"127.0.0.1:9", "10.1.2.3:9"} {
				r := httptest.NewRequest(method, "http://127.0.0.1:8080"+strings.Replace(path, "{action}", "dance", 1)+"?company=mars", strings.NewReader("{"))
				r.RemoteAddr = remote
				r.Header.Set("Content-Type", "application/json")
				if auth != "" {
					r.Header.Set("Authorization", auth)
				}
				rec := httptest.NewRecorder()
				h.Handler().ServeHTTP(rec, r)
				refused := rec.Code == http.StatusUnauthorized || rec.Code == http.StatusForbidden
				if let := role == server.Public || caller >= role && remote == "127.0.0.1:9"; refused == let {
					t.Errorf("%s %s from %s as %s: %d, let through should be %v", method, path, remote, caller, rec.Code, let)
				}
			}
		}
	}
}

// TestWithoutTokensNobodyActs: a host that was given no folder answers what is public and nothing else.
func TestWithoutTokensNobodyActs(t *testing.T) {
	h, _ := guarded(t)
	h.tokens = server.Tokens{}
	for _, auth := range []string{"", "Bearer ", "Bearer x"} {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/tick", nil)
		r.RemoteAddr = "127.0.0.1:9"
		r.Header.Set("Authorization", auth)
		rec := httptest.NewRecorder()
		h.routes().ServeHTTP(rec, r)
		if rec.Code != http.StatusUnauthorized {
			t.Errorf("%q: %d", auth, rec.Code)
		}
	}
}

// TestOneDoor: routes are registered in one place, out of the table that TestEveryRouteIsGuarded walks.
func TestOneDoor(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	registered := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Handle" || sel.Sel.Name == "HandleFunc") {
				registered++
			}
			return true
		})
	}
	if registered != 1 {
		t.Errorf("routes are registered in %d places, want 1", registered)
	}
}

func FuzzOperatorRequest(f *testing.F) {
	f.Add(`{"actor":"dana","reason":"year end","flow":"all"}`)
	f.Add(`{"actor":"dana","target":"104233","since":"2026-01-31"} {}`)
	f.Add(`{"actor":1}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		req, err := decodeRequest(strings.NewReader(body))
		if err != nil {
			if req != (Request{}) {
				t.Errorf("a refused request left %+v", req)
			}
			return
		}
		if strings.Count(body, "{") == 0 && strings.TrimSpace(body) != "null" {
			t.Errorf("%q was taken for a request", body)
		}
	})
}

// actions are the operator's actions as the code names them.
func actions(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "operator.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Action") {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, text)
		}
		return true
	})
	return out
}

// TestEveryActionIsGuarded asks for every action that the code knows: without a token, with the viewer's, and by paths that
// pretend to be what a viewer may ask for. None reaches the desk that way, apart from what only looks; and the operator's
// token does reach it.
func TestEveryActionIsGuarded(t *testing.T) {
	h, dir := guarded(t)
	tokens := map[server.Role]string{}
	for _, r := range []server.Role{server.Viewer, server.Operator} {
		token, err := server.LoadToken(dir, r)
		if err != nil {
			t.Fatal(err)
		}
		tokens[r] = "Bearer " + token
	}
	ask := func(path, auth string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080"+path, strings.NewReader(`{"actor":"dana","company":"mars"}`))
		r.RemoteAddr = "127.0.0.1:9"
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", auth)
		rec := httptest.NewRecorder()
		h.Handler().ServeHTTP(rec, r)
		return rec
	}
	reached := func(rec *httptest.ResponseRecorder) bool {
		return rec.Header().Get("Content-Type") == "application/json"
	}
	all := actions(t)
	if len(all) < 12 {
		t.Fatalf("actions %q", all)
	}
	for _, action := range all {
		looks := slices.Contains(looking(), action)
		if rec := ask("/operator/"+action, ""); rec.Code != http.StatusUnauthorized || reached(rec) {
			t.Errorf("%s without a token: %d %s", action, rec.Code, rec.Body)
		}
		if rec := ask("/operator/"+action, tokens[server.Viewer]); reached(rec) != looks || !looks && rec.Code != http.StatusUnauthorized {
			t.Errorf("%s as a viewer: %d %s", action, rec.Code, rec.Body)
		}
		if rec := ask("/operator/"+action, tokens[server.Operator]); !reached(rec) || strings.Contains(rec.Body.String(), "there is no action") {
			t.Errorf("%s as an operator: %d %s", action, rec.Code, rec.Body)
		}
		if looks {
			continue
		}
		for _, path := range []string{"/operator/dead-letters/../" + action, "/operator/dead-letters/" + action, "/operator//" + action, "/operator/./" + action,
			"/operator/dead-letters%2F..%2F" + action, "/operator/" + action + "/", "/operator/" + strings.ToUpper(action), "/webhook/../operator/" + action} {
			if rec := ask(path, tokens[server.Viewer]); reached(rec) {
				t.Errorf("%s as a viewer reaches the desk: %d %s", path, rec.Code, rec.Body)
			}
		}
	}
}

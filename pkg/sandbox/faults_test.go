package sandbox

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// vendor answers every request and counts what it did.
type vendor struct{ done atomic.Int64 }

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	v.done.Add(1)
	w.Header().Set("Vendor", "yes")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, "answer to "+string(body))
}

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

// post sends a body over a connection of its own.
func post(url, body string) answer {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(text), err}
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = nil
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL
}

func setRules(t *testing.T, f *Faults, seed uint64, rules ...Rule) {
	t.Helper()
	if err := f.Set(seed, rules...); err != nil {
		t.Fatal(err)
	}
}

func TestEveryKindOfFault(t *testing.T) {
	tests := []struct {
		rule   Rule
		done   int64 // what the vendor did
		status int   // 0 when there is no answer
		body   string
		lost   bool // no whole answer
		header string
	}{
		{rule: Rule{Kind: FaultDelay, DelayMS: 1}, done: 1, status: 201, body: "answer to hi"},
		{rule: Rule{Kind: FaultDropBefore}, lost: true},
		{rule: Rule{Kind: FaultDropAfter}, done: 1, lost: true},
		{rule: Rule{Kind: FaultStatus, Status: 429, RetryAfter: "7", Body: "slow down"}, status: 429, body: "slow down", header: "7"},
		{rule: Rule{Kind: FaultStatus}, status: 500, body: "injected fault"},
		{rule: Rule{Kind: FaultStatusDone, Status: 503}, done: 1, status: 503, body: "injected fault"},
		{rule: Rule{Kind: FaultHTML}, status: 502, body: "<html>"},
		{rule: Rule{Kind: FaultTruncate}, done: 1, status: 201, body: "answer", lost: true},
	}
	for _, tt := range tests {
		t.Run(string(tt.rule.Kind), func(t *testing.T) {
			var f Faults
			v := new(vendor)
			url := serve(t, f.Wrap(v))
			setRules(t, &f, 1, tt.rule)
			got := post(url, "hi")
			if (got.err != nil) != tt.lost || got.status != tt.status || !strings.Contains(got.body, tt.body) || strings.Contains(got.body, "to hi") && tt.lost {
				t.Errorf("got %+v", got)
			}
			if got.header.Get("Retry-After") != tt.header {
				t.Errorf("Retry-After %q, want %q", got.header.Get("Retry-After"), tt.header)
			}
			if v.done.Load() != tt.done {
				t.Errorf("the vendor worked %d times, want %d", v.done.Load(), tt.done)
			}
			if f.Hits()[tt.rule.Kind] != 1 {
				t.Errorf("hits: %v", f.Hits())
			}
			setRules(t, &f, 1)
			if got := post(url, "again"); got.status != http.StatusCreated || got.body != "answer to again" {
				t.Errorf("without rules: %+v", got)
			}
		})
	}
}

func TestAnEmptyAnswerCannotBeTruncatedAndIsDropped(t *testing.T) {
	var f Faults
	setRules(t, &f, 1, Rule{Kind: FaultTruncate})
	url := serve(t, f.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })))
	if got := post(url, ""); got.err == nil {
		t.Errorf("got %+v, want no answer", got)
	}
}

func TestADelayEndsWithTheClient(t *testing.T) {
	var f Faults
	v := new(vendor)
	setRules(t, &f, 1, Rule{Kind: FaultDelay, DelayMS: 3_600_000})
	url := serve(t, f.Wrap(v))
	client := http.Client{Timeout: 50 * time.Millisecond}
	if res, err := client.Post(url, "text/plain", nil); err == nil {
		res.Body.Close()
		t.Error("an answer came before its time")
	}
	if v.done.Load() != 0 {
		t.Error("the vendor worked for a client that had left")
	}
}

func TestRulesChooseTheirCalls(t *testing.T) {
	call := func(f *Faults, method, path, query, body string) bool {
		_, hit := f.pick(method, path, path+"?"+query+"\n"+body)
		return hit
	}
	tests := map[string]struct {
		rule Rule
		want [4]bool // POST /a/1 with body x, GET /a/1?q=x, GET /b, GET /a
	}{
		"all":      {Rule{}, [4]bool{true, true, true, true}},
		"method":   {Rule{Method: "GET"}, [4]bool{false, true, true, true}},
		"path":     {Rule{Path: "/a/"}, [4]bool{true, true, false, false}},
		"contains": {Rule{Contains: "x"}, [4]bool{true, true, false, false}},
		"together": {Rule{Method: "POST", Path: "/a", Contains: "x"}, [4]bool{true, false, false, false}},
		"skip":     {Rule{Skip: 2}, [4]bool{false, false, true, true}},
		"times":    {Rule{Times: 1}, [4]bool{true, false, false, false}},
		"both":     {Rule{Skip: 1, Times: 2}, [4]bool{false, true, true, false}},
		"percent":  {Rule{Percent: 100}, [4]bool{true, true, true, true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var f Faults
			tt.rule.Kind = FaultHTML
			setRules(t, &f, 1, tt.rule)
			got := [4]bool{call(&f, "POST", "/a/1", "", "x"), call(&f, "GET", "/a/1", "q=x", ""), call(&f, "GET", "/b", "", ""),
				call(&f, "GET", "/a", "", "")}
			if got != tt.want {
				t.Errorf("hit %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTheFirstRuleThatHitsWins(t *testing.T) {
	var f Faults
	setRules(t, &f, 1, Rule{Kind: FaultHTML, Times: 1}, Rule{Kind: FaultStatus})
	for i, want := range []FaultKind{FaultHTML, FaultStatus, FaultStatus} {
		if got, hit := f.pick("GET", "/", "/"); !hit || got.Kind != want {
			t.Errorf("call %d: %s, want %s", i, got.Kind, want)
		}
	}
	if hits := f.Hits(); hits[FaultHTML] != 1 || hits[FaultStatus] != 2 {
		t.Errorf("hits: %v", hits)
	}
}

func TestPercentIsDrivenByTheSeed(t *testing.T) {
	draw := func(seed uint64) (pattern string, hits int) {
		var f Faults
		setRules(t, &f, seed, Rule{Kind: FaultHTML, Percent: 30})
		for range 1000 {
			_, hit := f.pick("GET", "/", "/")
			if hit {
				hits++
				pattern += "x"
			} else {
				pattern += "."
			}
		}
		return pattern, hits
	}
	first, hits := draw(7)
	if again, _ := draw(7); again != first {
		t.Error("the same seed gives another pattern")
	}
	if other, _ := draw(8); other == first {
		t.Error("another seed gives the same pattern")
	}
	if hits < 200 || hits > 400 {
		t.Errorf("%d of 1000 hit, want about 300", hits)
	}
}

func TestUnknownKindsAreRefused(t *testing.T) {
	var f Faults
	setRules(t, &f, 1, Rule{Kind: FaultHTML})
	if err := f.Set(1, Rule{Kind: FaultHTML}, Rule{Kind: "gremlin"}); err == nil || !strings.Contains(err.Error(), "gremlin") || !strings.Contains(err.Error(), "rule 1") {
		t.Errorf("error %v, want one that names rule 1 and its kind", err)
	}
	if _, hit := f.pick("GET", "/", "/"); !hit {
		t.Error("a refused set replaced the rules")
	}
}

package sandbox

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FaultKind names what goes wrong with a call.
type FaultKind string

// The kinds of fault.
const (
	FaultDelay      FaultKind = "delay"       // answer after Rule.DelayMS
	FaultDropBefore FaultKind = "drop_before" // connection closed, nothing done
	FaultDropAfter  FaultKind = "drop_after"  // done, then the connection is closed without an answer
	FaultStatus     FaultKind = "status"      // Rule.Status with Rule.Body, nothing done
	FaultStatusDone FaultKind = "status_done" // done, but answered with Rule.Status
	FaultHTML       FaultKind = "html"        // 502 with an HTML page, nothing done
	FaultTruncate   FaultKind = "truncate"    // done, half of the answer's body, then the connection is closed
)

// Rule makes calls fail. Empty Method, Path and Contains match everything.
type Rule struct {
	Method     string    `json:"method,omitempty"`   // exact
	Path       string    `json:"path,omitempty"`     // prefix of the path
	Contains   string    `json:"contains,omitempty"` // part of path, query or body, such as a table name
	Kind       FaultKind `json:"kind"`
	Skip       int       `json:"skip,omitempty"`    // matching calls left alone first
	Times      int       `json:"times,omitempty"`   // matching calls hit; 0 is all
	Percent    int       `json:"percent,omitempty"` // of matching calls hit; 0 is all
	Status     int       `json:"status,omitempty"`
	RetryAfter string    `json:"retry_after,omitempty"`
	Body       string    `json:"body,omitempty"`
	DelayMS    int       `json:"delay_ms,omitempty"`
}

// Faults applies rules to calls. The zero value has none. It is safe for concurrent use.
type Faults struct {
	mu    sync.Mutex
	rules []*activeRule
	rng   *rand.Rand
	hits  map[FaultKind]int
}

type activeRule struct {
	Rule
	seen, hit int
}

// Set replaces all rules and restarts their counters; seed drives Percent.
func (f *Faults) Set(seed uint64, rules ...Rule) error {
	active := make([]*activeRule, len(rules))
	for i, r := range rules {
		switch r.Kind {
		case FaultDelay, FaultDropBefore, FaultDropAfter, FaultStatus, FaultStatusDone, FaultHTML, FaultTruncate:
		default:
			return fmt.Errorf("fault rule %d: kind %q is unknown", i, r.Kind)
		}
		active[i] = &activeRule{Rule: r}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.rng = active, rand.New(rand.NewPCG(seed, seed))
	return nil
}

// Hits says how often each kind of fault happened.
func (f *Faults) Hits() map[FaultKind]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[FaultKind]int{}
	for k, n := range f.hits {
		out[k] = n
	}
	return out
}

// pick returns the first rule that hits the call.
func (f *Faults) pick(method, path, text string) (Rule, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if r.Method != "" && r.Method != method || !strings.HasPrefix(path, r.Path) || !strings.Contains(text, r.Contains) {
			continue
		}
		r.seen++
		spent := r.Times > 0 && r.hit >= r.Times
		if r.seen <= r.Skip || spent || (r.Percent > 0 && f.rng.IntN(100) >= r.Percent) {
			continue
		}
		r.hit++
		if f.hits == nil {
			f.hits = map[FaultKind]int{}
		}
		f.hits[r.Kind]++
		return r.Rule, true
	}
	return Rule{}, false
}

// Wrap puts the faults in front of a handler. The body of every call is read first, so that Contains can look at it.
func (f *Faults) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := bufferBody(r)
		if err != nil {
			http.Error(w, "reading body: "+err.Error(), http.StatusBadRequest)
			return
		}
		rule, hit := f.pick(r.Method, r.URL.Path, r.URL.Path+"?"+r.URL.RawQuery+"\n"+string(body))
		if !hit {
			next.ServeHTTP(w, r)
			return
		}
		rule.apply(w, r, next)
	})
}

func (r Rule) apply(w http.ResponseWriter, req *http.Request, next http.Handler) {
	switch r.Kind {
	case FaultDelay:
		select {
		case <-time.After(time.Duration(r.DelayMS) * time.Millisecond):
			next.ServeHTTP(w, req)
		case <-req.Context().Done():
		}
	case FaultDropBefore:
		panic(http.ErrAbortHandler)
	case FaultDropAfter:
		next.ServeHTTP(httptest.NewRecorder(), req)
		panic(http.ErrAbortHandler)
	case FaultStatusDone:
		next.ServeHTTP(httptest.NewRecorder(), req)
		r.answer(w, r.Status)
	case FaultTruncate:
		truncated(w, req, next)
	case FaultHTML:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<html><body><h1>502 Bad Gateway</h1></body></html>"))
	default:
		r.answer(w, r.Status)
	}
}

func (r Rule) answer(w http.ResponseWriter, status int) {
	if r.RetryAfter != "" {
		w.Header().Set("Retry-After", r.RetryAfter)
	}
	w.Header().Set("Content-Type", "application/json")
	if status == 0 {
		status = http.StatusInternalServerError
	}
	w.WriteHeader(status)
	body := r.Body
	if body == "" {
		body = `{"type":"api","message":"injected fault"}`
	}
	_, _ = w.Write([]byte(body))
}

func truncated(w http.ResponseWriter, req *http.Request, next http.Handler) {
	rec := httptest.NewRecorder()
	next.ServeHTTP(rec, req)
	if rec.Body.Len() == 0 { // nothing to cut off: an empty answer that arrives is no fault
		panic(http.ErrAbortHandler)
	}
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Length", strconv.Itoa(rec.Body.Len()))
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
	hangUp(w)
}

// hangUp closes the connection without finishing the answer. What was written before reaches the client.
func hangUp(w http.ResponseWriter) {
	_ = http.NewResponseController(w).Flush() // nothing written yet, or no flusher: the abort below is all there is
	panic(http.ErrAbortHandler)
}

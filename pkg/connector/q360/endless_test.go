package q360

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"net/http/httptest"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/money"
)

// TestListsThatNeverEnd: a site that always has another page, whatever is asked for, is given up with an error.
func TestListsThatNeverEnd(t *testing.T) {
	for name, c := range map[string]struct {
		key   func(call int) string
		want  string
		calls int
	}{
		"the same page":   {func(int) string { return "R1" }, "it does not apply the filter", 2},
		"two in turn":     {func(n int) string { return fmt.Sprintf("R%d", n%2) }, `leads to page "R0" again`, 3},
		"on and on":       {func(n int) string { return fmt.Sprintf("R%d", n) }, "does not end after 1000 pages", maxPages},
		"one key for all": {func(int) string { return "" }, "which the mapping names as its key", 1},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"code":200,"success":true,"message":"","payload":{"result":[{"CASHRECEIPTNO":%q}]},"outvars":{"hasmore":"Y"}}`, c.key(calls))
				calls++
			}))
			defer server.Close()
			conn, err := New(Config{Mapping: mapping.Default(), CompanyNo: "01", DefaultCurrency: money.USD, BaseURL: server.URL, CredentialsSecret: "api",
				PerSecond: 1_000_000, Parallel: 1}, Deps{Secrets: fixedSecrets{"api": `{"user":"A","password":"` + testPassword + `"}`}, Clock: &stillClock{now: time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = conn.all(context.Background(), source{op: "listing receipts", table: "CASHRECEIPT", key: "CASHRECEIPTNO", columns: []string{"CASHRECEIPTNO"}})
			if connector.ClassOf(err) != connector.ClassBadResponse || !strings.Contains(err.Error(), "listing receipts") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want a bad response with %q", err, c.want)
			}
			if calls != c.calls {
				t.Errorf("%d calls, want %d", calls, c.calls)
			}
		})
	}
}

// FuzzCursor: a cursor that is not ours is an error, and one that is taken can be written again.
func FuzzCursor(f *testing.F) {
	valid := cursor{V: cursorVersion, Feed: "invoice", Phase: phaseBackfill, Key: "A1"}
	valid.Open.set("104233", "abcde", 1)
	f.Add(valid.encode())
	f.Add("")
	f.Add("e30")
	f.Add("eyJ2IjoxfQ==")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := decodeCursor(text, "invoice")
		if err != nil {
			if connector.ClassOf(err) != connector.ClassInvalid {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		again, err := decodeCursor(c.encode(), "invoice")
		if err != nil || again.encode() != c.encode() {
			t.Errorf("%q: %v, or it does not survive being written", text, err)
		}
	})
}

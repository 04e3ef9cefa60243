package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/secret"
)

const password = "pa55-w0rd!"

type stillClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *stillClock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *stillClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

type versions []string

func (v versions) Get(context.Context, string) ([]secret.Value, error) {
	var out []secret.Value
	for _, text := range v {
		out = append(out, secret.NewValue(text))
	}
	if len(out) == 0 {
		return nil, secret.ErrNotFound
	}
	return out, nil
}

func credential(pass string) string { return fmt.Sprintf(`{"user":"APIUSER","password":%q}`, pass) }

// against makes a client of a handler; log receives everything it logs.
func against(t testing.TB, h http.HandlerFunc, edit ...func(*Options)) (c *Client, log *bytes.Buffer) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	log = new(bytes.Buffer)
	opt := Options{Mapping: mapping.Default(), BaseURL: server.URL, Secrets: versions{credential(password)}, PerSecond: 1_000_000,
		Clock: &stillClock{now: time.Date(2026, 5, 4, 14, 0, 0, 0, time.UTC)}, Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, f := range edit {
		f(&opt)
	}
	c, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return c, log
}

func answerWith(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

var listing = Query{Op: "listing invoices", Table: "INVOICE", Columns: []string{"INVOICENO", "InvAmount"}, Limit: 2,
	Filters: []Filter{{"BALANCE", "!=", "0"}}, Order: []Order{{"INVOICENO", true}}}

func TestListSendsTheDocumentedForm(t *testing.T) {
	var got *http.Request
	var form map[string][]string
	c, _ := against(t, func(w http.ResponseWriter, r *http.Request) {
		r.ParseMultipartForm(1 << 20)
		got, form = r, r.MultipartForm.Value
		io.WriteString(w, `{"code":200,"success":true,"message":"","payload":{"result":[]},"outvars":{"hasmore":"N"}}`)
	})
	if _, err := c.List(context.Background(), listing); err != nil {
		t.Fatal(err)
	}
	user, pass, _ := got.BasicAuth()
	if got.Method != "POST" || got.URL.Path != "/api/Record/INVOICE" || got.URL.RawQuery != "_a=list" || user != "APIUSER" || pass != password {
		t.Errorf("request %s %s as %s", got.Method, got.URL, user)
	}
	want := `{"columns":["INVOICENO","INVAMOUNT"],"filters":[{"field":"BALANCE","op":"!=","value":"0"}],"orderBy":[{"field":"INVOICENO","dir":"DESC"}],"offset":0,"limit":2}`
	if len(form) != 1 || form["jsonRequest"][0] != want {
		t.Errorf("form %v, want %s", form, want)
	}
}

func TestListReadsBothEnvelopes(t *testing.T) {
	cases := []struct {
		name, body string
		rows       int
		more       bool
		class      connector.Class
	}{
		{"result", `{"code":200,"success":true,"payload":{"result":[{"INVOICENO":"104233   ","INVAMOUNT":"1250.0000"}],"total":1},"outvars":{"hasmore":"Y"}}`, 1, true, ""},
		{"griddata, lower case", `{"code":"200","success":true,"payload":{"griddata":{"record":[{"invoiceno":"104233","invamount":1250.00}]},"outvars":{"HASMORE":"N"}}}`, 1, false, ""},
		{"silent about more", `{"code":200,"success":true,"payload":{"result":[{"INVOICENO":"104233","INVAMOUNT":"1250"}]}}`, 1, true, ""},
		{"empty", `{"code":200,"success":true,"payload":{"result":[]},"outvars":{"hasmore":"Y"}}`, 0, false, ""},
		{"no rows at all", `{"code":200,"success":true,"payload":[]}`, 0, false, connector.ClassBadResponse},
		{"rows are no objects", `{"code":200,"success":true,"payload":{"result":["x"]}}`, 0, false, connector.ClassBadResponse},
		{"nested value", `{"code":200,"success":true,"payload":{"result":[{"A":{}}]}}`, 0, false, connector.ClassBadResponse},
		{"two cases, two values", `{"code":200,"success":true,"payload":{"result":[{"A":"1","a":"2"}]}}`, 0, false, connector.ClassBadResponse},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := against(t, answerWith(200, "application/json", tc.body))
			page, err := c.List(context.Background(), listing)
			if tc.class != "" {
				if connector.ClassOf(err) != tc.class {
					t.Fatalf("error %v, want %s", err, tc.class)
				}
				return
			}
			if err != nil || len(page.Rows) != tc.rows || page.More != tc.more {
				t.Fatalf("page %+v, error %v", page, err)
			}
			if tc.rows > 0 && (page.Rows[0].Text("InvoiceNo") != "104233" || !strings.HasPrefix(page.Rows[0].Text("INVAMOUNT"), "1250")) {
				t.Errorf("row %+v", page.Rows[0])
			}
		})
	}
}

const login = `<!DOCTYPE html><html><body><form action="/login"><input type="password" name="p"></form></body></html>`

func refusalBody(code int, reference, message string) string {
	b, _ := json.Marshal(map[string]any{"code": code, "success": false, "message": message,
		"payload": map[string]any{"_error": []any{map[string]any{"seq": "1", "errorno": "50000", "errormessage": message, "referencecode": reference, "procname": "X"}}}})
	return string(b)
}

func TestClassification(t *testing.T) {
	denied := "Access denied. APIUSER must be granted permission to INVOICE."
	cases := []struct {
		name           string
		status         int
		body           string
		read, write    connector.Class
		ambiguousWrite bool
		code           string
	}{
		{"HTTP 200, source not permitted", 200, refusalBody(400, "DataSourceNotPermitted", denied), connector.ClassForbidden, connector.ClassForbidden, false, "DataSourceNotPermitted"},
		{"message alone", 200, `{"code":400,"success":false,"message":"` + denied + `","payload":{}}`, connector.ClassForbidden, connector.ClassForbidden, false, ""},
		{"403 endpoint", 403, `{"code":403,"success":false,"message":"Access denied. Invalid or unauthorized endpoint.","payload":{"_error":[]}}`, connector.ClassUnsupported, connector.ClassUnsupported, false, ""},
		{"401", 401, `no`, connector.ClassAuth, connector.ClassAuth, false, ""},
		{"401 in the envelope", 200, refusalBody(401, "", "who are you"), connector.ClassAuth, connector.ClassAuth, false, ""},
		{"404", 404, `<html>not found</html>`, connector.ClassUnsupported, connector.ClassUnsupported, false, ""},
		{"business rule", 200, refusalBody(400, "OverApplied", "The amount exceeds the balance."), connector.ClassInvalid, connector.ClassInvalid, false, "OverApplied"},
		{"code 500 in the envelope", 200, refusalBody(500, "", "Procedure failed"), connector.ClassRetry, connector.ClassInvalid, false, ""},
		{"closed period", 200, refusalBody(400, "X", "Fiscal period 2026-03 of company 01 is closed."), connector.ClassInvalid, connector.ClassInvalid, false, "closed_period"},
		{"login page", 200, login, connector.ClassAuth, connector.ClassAuth, true, ""},
		{"web page", 200, `<html><body>Fatal error</body></html>`, connector.ClassBadResponse, connector.ClassBadResponse, true, ""},
		{"half an answer", 200, `{"code":200,"success":tr`, connector.ClassBadResponse, connector.ClassBadResponse, true, ""},
		{"no envelope", 200, `{"hello":"world"}`, connector.ClassBadResponse, connector.ClassBadResponse, true, ""},
		{"502", 502, `<html>bad gateway</html>`, connector.ClassRetry, connector.ClassRetry, true, ""},
		{"429", 429, ``, connector.ClassRetry, connector.ClassRetry, false, ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			calls := 0
			c, _ := against(t, func(w http.ResponseWriter, r *http.Request) {
				calls++
				answerWith(tc.status, "text/plain", tc.body)(w, r)
			})
			_, err := c.List(context.Background(), listing)
			if connector.ClassOf(err) != tc.read || connector.Ambiguous(err) {
				t.Errorf("read: %v, want %s", err, tc.read)
			}
			calls = 0
			_, err = c.Create(context.Background(), Write{Op: "creating", Table: "CASHRECEIPT", Records: []map[string]string{{"A": "1"}}})
			if connector.ClassOf(err) != tc.write || connector.Ambiguous(err) != tc.ambiguousWrite {
				t.Errorf("write: %v, ambiguous %v, want %s, %v", err, connector.Ambiguous(err), tc.write, tc.ambiguousWrite)
			}
			var e *connector.Error
			if errors.As(err, &e) && tc.code != "" && e.Code != tc.code {
				t.Errorf("code %q, want %q", e.Code, tc.code)
			}
			if calls != 1 {
				t.Errorf("the write was sent %d times", calls)
			}
			_, err = c.Create(context.Background(), Write{Op: "previewing", Table: "CASHRECEIPT", Preview: true, Records: []map[string]string{{"A": "1"}}})
			if connector.Ambiguous(err) {
				t.Errorf("a preview is ambiguous: %v", err)
			}
		})
	}
}

func TestUnreadableReadsAreRepeated(t *testing.T) {
	calls := 0
	c, _ := against(t, func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls < 3 {
			io.WriteString(w, `<html>proxy error</html>`)
			return
		}
		io.WriteString(w, `{"code":200,"success":true,"payload":{"result":[]}}`)
	})
	if _, err := c.List(context.Background(), listing); err != nil || calls != 3 {
		t.Errorf("%d calls, error %v", calls, err)
	}
}

func TestDroppedWriteIsAmbiguous(t *testing.T) {
	var calls atomic.Int32 // the handler ends without an answer, so nothing orders it before the reads below
	c, _ := against(t, func(w http.ResponseWriter, r *http.Request) { calls.Add(1); panic(http.ErrAbortHandler) })
	_, err := c.Create(context.Background(), Write{Op: "creating", Table: "T", Records: []map[string]string{{"A": "1"}}})
	if !connector.Ambiguous(err) || connector.ClassOf(err) != connector.ClassRetry || calls.Load() != 1 {
		t.Errorf("%d calls, error %v", calls.Load(), err)
	}
}

func TestCreate(t *testing.T) {
	var form map[string][]string
	body := ""
	c, _ := against(t, func(w http.ResponseWriter, r *http.Request) {
		r.ParseMultipartForm(1 << 20)
		form = r.MultipartForm.Value
		io.WriteString(w, body)
	})
	w := Write{Op: "creating", Table: "CASHRECEIPT", Records: []map[string]string{{"reference": "IVD-1"}, {"REFERENCE": "IVD-2"}}}
	for _, tc := range []struct {
		outvars string
		want    []string
	}{
		{`{"primarykey":"R1    "}`, []string{"R1"}}, {`{"PRIMARYKEY":17}`, []string{"17"}}, {`{"primarykey":["R1","R2"]}`, []string{"R1", "R2"}}, {`{"primarykey":"R1,R2"}`, []string{"R1", "R2"}},
	} {
		body = `{"code":200,"success":true,"payload":{},"outvars":` + tc.outvars + `}`
		keys, err := c.Create(context.Background(), w)
		if err != nil || !slices.Equal(keys, tc.want) {
			t.Errorf("%s: keys %v, error %v", tc.outvars, keys, err)
		}
	}
	want := `{"griddata":{"record":[{"REFERENCE":"IVD-1"},{"REFERENCE":"IVD-2"}]}}`
	if form["_tablename"][0] != "CASHRECEIPT" || form["jsonRequest"][0] != want || form["_preview"] != nil {
		t.Errorf("form %v", form)
	}
	body = `{"code":200,"success":true,"payload":{}}`
	if _, err := c.Create(context.Background(), w); !connector.Ambiguous(err) {
		t.Errorf("success without a key: %v", err)
	}
	w.Preview = true
	if keys, err := c.Create(context.Background(), w); err != nil || keys != nil || form["_preview"][0] != "Y" {
		t.Errorf("preview: %v, %v, form %v", keys, err, form)
	}
	if _, err := c.Create(context.Background(), Write{Op: "creating", Table: "T"}); connector.ClassOf(err) != connector.ClassBug {
		t.Errorf("no records: %v", err)
	}
}

func TestUpdateWithoutKeyIsNeverSent(t *testing.T) {
	calls := 0
	var method string
	c, _ := against(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		method = r.Method
		io.WriteString(w, `{"code":200,"success":true,"payload":{}}`)
	})
	for _, w := range []Write{
		{Table: "T", Key: "", Records: []map[string]string{{"A": "1"}}},
		{Table: "T", Key: "NO", Records: []map[string]string{{"A": "1"}}},
		{Table: "T", Key: "NO", Records: []map[string]string{{"NO": "1"}, {"NO": "  "}}},
	} {
		if err := c.Update(context.Background(), w); connector.ClassOf(err) != connector.ClassBug || connector.Ambiguous(err) {
			t.Errorf("update %+v: %v", w, err)
		}
	}
	if calls != 0 {
		t.Fatalf("%d calls were sent", calls)
	}
	if err := c.Update(context.Background(), Write{Table: "T", Key: "NO", Records: []map[string]string{{"no": "1", "A": "2"}}}); err != nil || method != "PATCH" {
		t.Errorf("a proper update: %s, %v", method, err)
	}
}

func TestDictionary(t *testing.T) {
	c, _ := against(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("_a") == "tableList" {
			io.WriteString(w, `{"code":200,"success":true,"payload":{"result":[{"table_dbf":"Invoice","table_type":"TABLE"},{"TABLE_DBF":"GRIDVIEW_X"}]}}`)
			return
		}
		if r.URL.Query().Get("tablename") != "INVOICE" {
			io.WriteString(w, `{"code":200,"success":true,"payload":{"result":[]}}`)
			return
		}
		io.WriteString(w, `{"code":200,"success":true,"payload":{"result":[{"field_name":"invoiceno","sqltype":"char","field_len":"12","mandatoryflag":"Y","p_key":"T"},{"field_name":"COMMENT","sqltype":"TEXT","field_len":null,"mandatoryflag":"N","p_key":"F"}]}}`)
	})
	tables, err := c.Tables(context.Background())
	if err != nil || !tables["INVOICE"] || !tables["GRIDVIEW_X"] || len(tables) != 2 {
		t.Errorf("tables %v, %v", tables, err)
	}
	columns, err := c.Columns(context.Background(), "INVOICE")
	want := map[string]Column{"INVOICENO": {"INVOICENO", "CHAR", 12, true, true}, "COMMENT": {"COMMENT", "TEXT", 0, false, false}}
	if err != nil || len(columns) != 2 || columns["INVOICENO"] != want["INVOICENO"] || columns["COMMENT"] != want["COMMENT"] {
		t.Errorf("columns %v, %v", columns, err)
	}
	if columns, err := c.Columns(context.Background(), "NONE"); err != nil || len(columns) != 0 {
		t.Errorf("unknown table: %v, %v", columns, err)
	}
}

func TestDownload(t *testing.T) {
	cases := []struct {
		name, contentType, body string
		status                  int
		class                   connector.Class
	}{
		{"file", "application/pdf", "%PDF-1.7 …", 200, ""},
		{"web page", "text/html", "<html>sorry</html>", 200, connector.ClassBadResponse},
		{"login page", "text/html", login, 200, connector.ClassAuth},
		{"refusal", "application/json", refusalBody(400, "DataSourceNotPermitted", "Access denied."), 200, connector.ClassForbidden},
		{"success without a file", "application/json", `{"code":200,"success":true,"payload":{}}`, 200, connector.ClassBadResponse},
		{"missing", "text/plain", "", 404, connector.ClassNotFound},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			query := ""
			c, _ := against(t, func(w http.ResponseWriter, r *http.Request) {
				query = r.URL.Query().Get("documentno")
				answerWith(tc.status, tc.contentType, tc.body)(w, r)
			})
			f, err := c.Download(context.Background(), "D 1&x=2")
			if query != "D 1&x=2" {
				t.Errorf("the number arrived as %q", query)
			}
			if tc.class != "" {
				if connector.ClassOf(err) != tc.class {
					t.Errorf("error %v, want %s", err, tc.class)
				}
			} else if err != nil || string(f.Body) != tc.body {
				t.Errorf("file %q, error %v", f.Body, err)
			}
		})
	}
}

func TestLargestDownload(t *testing.T) {
	const size = 5000
	for _, tc := range []struct {
		limit int64
		fits  bool
	}{{0, true}, {size, true}, {size - 1, false}, {CapDocument + 1, true}} {
		c, _ := against(t, answerWith(200, "application/pdf", "%PDF-"+strings.Repeat("x", size-5)), func(o *Options) { o.MaxFile = tc.limit })
		f, err := c.Download(context.Background(), "D1")
		var big *http.MaxBytesError
		if fits := err == nil && len(f.Body) == size; fits != tc.fits || errors.As(err, &big) == tc.fits {
			t.Errorf("limit %d: %d bytes, %v", tc.limit, len(f.Body), err)
		}
		if big != nil && (big.Limit != tc.limit || connector.ClassOf(err) != connector.ClassBadResponse) {
			t.Errorf("limit %d: %v", tc.limit, err)
		}
	}
	if c, _ := against(t, nil, func(o *Options) { o.MaxFile = CapDocument + 1 }); c.maxFile != CapDocument {
		t.Errorf("%d bytes are taken", c.maxFile)
	}
}

func TestTwoVersionsOfTheCredentials(t *testing.T) {
	used := []string{}
	c, _ := against(t, func(w http.ResponseWriter, r *http.Request) {
		_, pass, _ := r.BasicAuth()
		used = append(used, pass)
		if pass != "old" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, `{"code":200,"success":true,"payload":{"result":[]}}`)
	}, func(o *Options) { o.Secrets = versions{credential("new"), credential("old")} })
	for range 2 {
		if _, err := c.List(context.Background(), listing); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(used, []string{"new", "old", "old"}) {
		t.Errorf("used %v", used)
	}
}

// kept is a source that goes on giving what it once read until it is told to forget.
type kept struct{ read, now versions }

func (k *kept) Get(ctx context.Context, name string) ([]secret.Value, error) {
	return k.read.Get(ctx, name)
}

func (k *kept) Forget(string) { k.read = k.now }

// TestRotationOfTheCredentials: a password that was replaced is read again when the site refuses the one that is kept, also
// for a write, which then is made once.
func TestRotationOfTheCredentials(t *testing.T) {
	for name, kind := range map[string]string{"read": "list", "write": "create"} {
		for _, c := range []struct {
			was, is, used []string
			accepted      string
		}{
			{[]string{"a"}, []string{"b"}, []string{"a", "b"}, "b"},
			{[]string{"b", "a"}, []string{"c", "b"}, []string{"b", "a", "c"}, "c"},
			{[]string{"b", "a"}, []string{"c", "b"}, []string{"b", "a"}, "a"},
			{[]string{"a"}, []string{"a"}, []string{"a"}, "none"},
			{[]string{"a"}, []string{"b"}, []string{"a", "b"}, "none"},
		} {
			var used []string
			source := &kept{}
			for _, text := range c.was {
				source.read = append(source.read, credential(text))
			}
			for _, text := range c.is {
				source.now = append(source.now, credential(text))
			}
			client, _ := against(t, func(w http.ResponseWriter, r *http.Request) {
				_, pass, _ := r.BasicAuth()
				if used = append(used, pass); pass != c.accepted {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				io.WriteString(w, `{"code":200,"success":true,"payload":{"result":[]}}`)
			}, func(o *Options) { o.Secrets = source })
			var err error
			if kind == "list" {
				_, err = client.List(t.Context(), listing)
			} else {
				_, err = client.Create(t.Context(), Write{Op: "creating", Table: "T", Records: []map[string]string{{"COMMENT": "x"}}})
			}
			if !slices.Equal(used, c.used) || (connector.ClassOf(err) == connector.ClassAuth) != (c.accepted == "none") {
				t.Errorf("%s, %v then %v: used %v, want %v; %v", name, c.was, c.is, used, c.used, err)
			}
		}
	}
}

func TestSecretsNeverShow(t *testing.T) {
	message := "Login of APIUSER with " + password + " by dana.ruiz@northpeak.example refused"
	for name, h := range map[string]http.HandlerFunc{
		"refusal":  answerWith(200, "application/json", refusalBody(400, "X", message)),
		"401":      answerWith(401, "application/json", refusalBody(401, "X", message)),
		"web page": answerWith(200, "text/html", "<html>"+message+"</html>"),
		"500":      answerWith(500, "text/plain", message),
		"dropped":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		c, log := against(t, h)
		_, err := c.List(context.Background(), listing)
		_, werr := c.Create(context.Background(), Write{Op: "creating", Table: "T", Records: []map[string]string{{"COMMENT": "dana.ruiz@northpeak.example"}}})
		for _, text := range []string{fmt.Sprint(err), fmt.Sprint(werr), fmt.Sprintf("%+v", werr), log.String(), fmt.Sprint(Write{Records: []map[string]string{{"A": "secret"}}})} {
			if strings.Contains(text, password) || strings.Contains(text, "dana.ruiz") || strings.Contains(text, "Basic ") {
				t.Errorf("%s: leaked in %q", name, text)
			}
		}
		if err == nil || werr == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, v := range map[string]versions{"not JSON": {"user:" + password}, "incomplete": {`{"password":"` + password + `"}`}, "none": {}} {
		c, _ := against(t, answerWith(200, "", ""), func(o *Options) { o.Secrets = v })
		_, err := c.List(context.Background(), listing)
		if connector.ClassOf(err) != connector.ClassAuth || strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), "credentials") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, opt := range map[string]Options{
		"nothing":   {},
		"plaintext": {Mapping: mapping.Default(), Secrets: versions{}, BaseURL: "http://q360.example.com"},
		"no secret": {Mapping: func() *mapping.Mapping { m := mapping.Default(); m.Site.CredentialsSecret = ""; return m }(), Secrets: versions{}},
	} {
		if _, err := New(opt); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

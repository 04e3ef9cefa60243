package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/httpx"
	"github.com/arbridge/arbridge/pkg/secret"
)

func TestFailuresAreClassifiedByStatus(t *testing.T) {
	const refused = `{"type":"invalid_request","message":"no"}`
	for _, c := range []struct {
		name      string
		status    int
		body      string
		class     connector.Class
		field     string
		code      string
		ambiguous bool // of a write
	}{
		{"field at fault", 400, `{"type":"invalid_request","message":"Bad total","param":"items"}`, connector.ClassInvalid, "items", "invalid_request", false},
		{"number exists", 400, `{"type":"invalid_request","message":"taken","param":"number"}`, connector.ClassConflict, "number", "invalid_request", false},
		{"edge page", 400, `<html>bad</html>`, connector.ClassInvalid, "", "", false},
		{"odd body", 400, `{"message":["a"],"param":7}`, connector.ClassInvalid, "7", "", false},
		{"misleading type", 401, `{"type":"api"}`, connector.ClassAuth, "", "api", false},
		{"forbidden", 403, refused, connector.ClassForbidden, "", "invalid_request", false},
		{"not found", 404, refused, connector.ClassNotFound, "", "invalid_request", false},
		{"gone", 410, ``, connector.ClassNotFound, "", "", false},
		{"method", 405, ``, connector.ClassUnsupported, "", "", false},
		{"conflict", 409, refused, connector.ClassConflict, "", "invalid_request", false},
		{"timeout", 408, ``, connector.ClassRetry, "", "", true},
		{"too large", 413, ``, connector.ClassInvalid, "", "", false},
		{"throttled", 429, refused, connector.ClassRetry, "", "", false},
		{"vendor fault", 500, refused, connector.ClassRetry, "", "", true},
		{"edge fault", 502, `<html>`, connector.ClassRetry, "", "", true},
		{"redirect", 302, ``, connector.ClassBadResponse, "", "", true},
		{"not JSON", 200, `<html>`, connector.ClassBadResponse, "", "", true},
		{"nothing", 201, ``, connector.ClassBadResponse, "", "", true},
		{"a number", 201, `7`, connector.ClassBadResponse, "", "", true},
		{"unusable field", 201, `{"id":{"a":1},"number":[]}`, connector.ClassBadResponse, "", "", true},
	} {
		v, cl := serve(t, keys{testKey}, answer(c.status, c.body))
		_, err := cl.CreateCustomer(context.Background(), CustomerFields{Number: Some("C-1")}, "k")
		var e *connector.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: error %v is no connector error", c.name, err)
			continue
		}
		if e.Class != c.class || e.Field != c.field || e.Code != c.code || e.Ambiguous != c.ambiguous || e.Op != "creating customer C-1" {
			t.Errorf("%s: %+v", c.name, *e)
		}
		if n := len(v.requests()); n != 1 {
			t.Errorf("%s: the write was sent %d times", c.name, n)
		}
		if c.status == 302 {
			continue // a read follows it
		}
		_, err = cl.Customer(context.Background(), "1")
		if connector.Ambiguous(err) || (c.class != connector.ClassConflict && connector.ClassOf(err) != c.class) {
			t.Errorf("%s: a read gives %v", c.name, err)
		}
	}
}

func TestErrorsNeverQuoteCredentialsOrMail(t *testing.T) {
	_, cl := serve(t, keys{testKey}, func(w http.ResponseWriter, r *http.Request) {
		answer(400, `{"type":"invalid_request","param":"jane@acme.example","message":"Mail <jane.doe@acme.example> with `+
			r.Header.Get("Authorization")+` and `+testKey+` \u0000 refused`+strings.Repeat("x", 500)+`"}`)(w, r)
	})
	_, err := cl.CreateCustomer(context.Background(), CustomerFields{}, "")
	var e *connector.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	text := err.Error() + e.Field
	for _, forbidden := range []string{"@", testKey, strings.TrimPrefix(basic(secret.NewValue(testKey)), "Basic "), "\x00"} {
		if strings.Contains(text, forbidden) {
			t.Errorf("the error quotes %q: %s", forbidden, text)
		}
	}
	if len(text) > 500 || !strings.Contains(text, "[e-mail]") || !strings.Contains(text, "refused") {
		t.Errorf("the error is not useful: %s", text)
	}
}

func TestDecodingErrorsDoNotQuoteTheAnswer(t *testing.T) {
	_, cl := serve(t, keys{testKey}, answer(200, `{"id":1,"autopay":"jane@acme.example"}`))
	_, err := cl.Customer(context.Background(), "1")
	if err == nil || strings.Contains(err.Error(), "@") || !strings.Contains(err.Error(), "expected true or false") {
		t.Errorf("error %v", err)
	}
}

func TestSayable(t *testing.T) {
	for in, want := range map[string]string{
		" a\n\tb ":                         "a  b",
		"bearer abcdefgh12345 x":           "bearer [redacted] x",
		"api key: abcdefghijk":             "api key: [redacted]",
		"write to a.b+c@d.example, please": "write to [e-mail], please",
		"invoice 104233 is closed":         "invoice 104233 is closed",
	} {
		if got := sayable(in); got != want {
			t.Errorf("sayable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestKeyVersions(t *testing.T) {
	accept := func(key string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			user, pass, _ := r.BasicAuth()
			if user != key || pass != "" {
				answer(401, `{"type":"invalid_request","message":"Invalid key"}`)(w, r)
				return
			}
			answer(201, `{"id":9,"number":"C-1"}`)(w, r)
		}
	}
	for _, c := range []struct {
		name     string
		versions keys
		accepted string
		class    connector.Class
		calls    int
	}{
		{"newest", keys{testKey, oldKey}, testKey, "", 1},
		{"newest with a line end", keys{testKey + "\n"}, testKey, "", 1},
		{"older one still valid", keys{testKey, oldKey}, oldKey, "", 2},
		{"a third is not tried", keys{testKey, oldKey, "third-version"}, "third-version", connector.ClassAuth, 2},
		{"none accepted", keys{testKey, oldKey}, "other", connector.ClassAuth, 2},
		{"only one", keys{testKey}, "other", connector.ClassAuth, 1},
		{"no secret", keys{}, testKey, connector.ClassAuth, 0},
	} {
		v, cl := serve(t, c.versions, accept(c.accepted))
		_, err := cl.CreateCustomer(context.Background(), CustomerFields{}, "same-key")
		if c.class == "" && err != nil || c.class != "" && (connector.ClassOf(err) != c.class || connector.Ambiguous(err)) {
			t.Errorf("%s: error %v, want class %q", c.name, err, c.class)
		}
		got := v.requests()
		if len(got) != c.calls {
			t.Errorf("%s: %d calls, want %d", c.name, len(got), c.calls)
		}
		for _, r := range got {
			if r.Header.Get("Idempotency-Key") != "same-key" {
				t.Errorf("%s: idempotency key %q", c.name, r.Header.Get("Idempotency-Key"))
			}
		}
	}
}

// brokenSource is a source of secrets that is out of order.
type brokenSource struct{}

func (brokenSource) Get(context.Context, string) ([]secret.Value, error) {
	return nil, errors.New("unavailable")
}

func TestSecretsOutOfOrder(t *testing.T) {
	v, _ := serve(t, keys{testKey}, answer(200, `{}`))
	caller, err := httpx.New(httpx.Options{BaseURL: v.URL})
	if err != nil {
		t.Fatal(err)
	}
	cl, err := New(caller, v.URL, brokenSource{}, "k")
	if err != nil {
		t.Fatal(err)
	}
	_, err = cl.CreateCustomer(context.Background(), CustomerFields{}, "")
	if connector.ClassOf(err) != connector.ClassRetry || connector.Ambiguous(err) {
		t.Errorf("error %v, want an unambiguous retry: nothing was sent", err)
	}
	for name, bad := range map[string]func() (*Client, error){
		"URL":     func() (*Client, error) { return New(caller, "://", keys{}, "k") },
		"caller":  func() (*Client, error) { return New(nil, v.URL, keys{}, "k") },
		"secrets": func() (*Client, error) { return New(caller, v.URL, nil, "k") },
		"name":    func() (*Client, error) { return New(caller, v.URL, keys{}, "") },
	} {
		if _, err := bad(); err == nil {
			t.Errorf("New accepts a bad %s", name)
		}
	}
}

func TestIDsThatAreNoneAreNeverSent(t *testing.T) {
	v, cl := serve(t, keys{testKey}, answer(200, `{}`))
	ctx := context.Background()
	for _, id := range []string{"", "../customers", "1/2", "a b", "1?x=1", strings.Repeat("1", 65)} {
		_, e1 := cl.Customer(ctx, id)
		_, e2 := cl.UpdateDocument(ctx, Invoices, id, DocumentFields{})
		_, e3 := cl.VoidDocument(ctx, Invoices, id)
		_, e4 := cl.PDF(ctx, Invoices, id, 10)
		_, e5 := cl.Contacts(ctx, id)
		for i, err := range []error{e1, e2, e3, e4, e5, cl.DeleteContact(ctx, "1", id), cl.DeleteFile(ctx, id)} {
			if connector.ClassOf(err) != connector.ClassBug || connector.Ambiguous(err) {
				t.Errorf("call %d with id %q gives %v", i, id, err)
			}
		}
	}
	_, e1 := cl.FindDocuments(ctx, Payments, "1")
	_, e2 := cl.ListDocuments(ctx, "estimates", "")
	for _, err := range []error{e1, e2} {
		if connector.ClassOf(err) != connector.ClassBug {
			t.Errorf("a kind without documents gives %v", err)
		}
	}
	if n := len(v.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestUploadIsMultipart(t *testing.T) {
	var name, typ, content, part string
	v, cl := serve(t, keys{testKey}, func(w http.ResponseWriter, r *http.Request) {
		f, h, err := r.FormFile("file")
		if err != nil {
			answer(400, `{"message":"no part named file"}`)(w, r)
			return
		}
		b, _ := io.ReadAll(f)
		name, typ, content, part = h.Filename, h.Header.Get("Content-Type"), string(b), h.Header.Get("Content-Disposition")
		answer(201, `{"id":13,"object":"file","name":"a.pdf","size":9,"type":"application/pdf","url":"https://f/1"}`)(w, r)
	})
	for in, want := range map[string]string{
		"invoice.pdf": "invoice.pdf", `C:\tmp\été "1".pdf`: `été "1".pdf`, "/etc/x\r\n.pdf": "x.pdf", "..": "file", "": "file", "a/": "file",
	} {
		f, err := cl.UploadFile(context.Background(), in, "application/pdf", []byte("%PDF-1.4\x00"))
		if err != nil || f.ID != "13" {
			t.Fatalf("%q: %+v, %v", in, f, err)
		}
		if name != want || typ != "application/pdf" || content != "%PDF-1.4\x00" || strings.Contains(part, "filename*") {
			t.Errorf("%q: the portal got name %q type %q content %q (%s), want name %q", in, name, typ, content, part, want)
		}
	}
	if h := v.last(t).Header.Get("Content-Type"); !strings.HasPrefix(h, "multipart/form-data; boundary=") {
		t.Errorf("content type %q", h)
	}
	if _, err := cl.UploadFile(context.Background(), "a", "text/plain\r\nX: y", nil); connector.ClassOf(err) != connector.ClassBug {
		t.Errorf("a content type with a line end gives %v", err)
	}
}

func TestPDF(t *testing.T) {
	body := "%PDF-1.4 small"
	v, cl := serve(t, keys{testKey}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
	got, err := cl.PDF(context.Background(), CreditNotes, "7", 100)
	if err != nil || string(got) != body {
		t.Fatalf("%q, %v", got, err)
	}
	if r := v.last(t); r.Header.Get("Accept") != "application/pdf" || r.Path != "/credit_notes/7" {
		t.Errorf("request %+v", r)
	}
	for _, bad := range []string{`{"id":7}`, "", "%PDF-" + strings.Repeat("x", 100)} {
		body = bad
		if _, err := cl.PDF(context.Background(), CreditNotes, "7", 100); connector.ClassOf(err) != connector.ClassBadResponse {
			t.Errorf("%.20q gives %v, want a bad response", bad, err)
		}
	}
}

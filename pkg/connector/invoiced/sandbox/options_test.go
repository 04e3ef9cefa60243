package sandbox_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
)

// Every assumption of the reference is a switch; each is shown in both positions.
func TestOptions(t *testing.T) {
	runOptions(t, transportOptions())
	runOptions(t, documentOptions())
}

// optionCase is one switch: what is observed without it and with it.
type optionCase struct {
	name    string
	set     func(*sandbox.Options)
	observe func(*rig) string
	off, on string
}

func transportOptions() []optionCase {
	status := func(method, path, body string) func(*rig) string {
		return func(r *rig) string {
			a := r.call(method, path, body)
			return a.param() + statusText(a.status)
		}
	}
	return []optionCase{
		{"RejectLargePages", func(o *sandbox.Options) { o.RejectLargePages = true },
			status("GET", "/customers?per_page=101", ""), " 200", "per_page 400"},
		{"DefaultPerPage", func(o *sandbox.Options) { o.DefaultPerPage = 2 }, func(r *rig) string {
			for range 3 {
				r.customer("")
			}
			return strings.Repeat("x", len(r.list("/customers")))
		}, "xxx", "xx"},
		{"UpperCaseRefused", func(o *sandbox.Options) { o.UpperCaseRefused = true },
			status("POST", "/customers", `{"name":"A","currency":"EUR"}`), " 201", "currency 400"},
		{"MaxText", func(o *sandbox.Options) { o.MaxText = 3 },
			status("POST", "/customers", `{"name":"Acme"}`), " 201", "name 400"},
		{"MaxLongText", func(o *sandbox.Options) { o.MaxLongText = 3 },
			status("POST", "/customers", `{"name":"A","notes":"long"}`), " 201", "notes 400"},
		{"MaxFileSize", func(o *sandbox.Options) { o.MaxFileSize = 3 }, func(r *rig) string {
			a := r.call("POST", "/files", "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nlong\r\n--B--\r\n",
				"Content-Type: multipart/form-data; boundary=B")
			return statusText(a.status)
		}, " 201", " 400"},
	}
}

func documentOptions() []optionCase {
	draft := func(r *rig) obj { return r.invoice(r.customer(""), "10", `,"draft":true`) }
	return []optionCase{
		{"AllowReissueToDraft", func(o *sandbox.Options) { o.AllowReissueToDraft = true }, func(r *rig) string {
			return statusText(r.call("PATCH", "/invoices/"+r.invoice(r.customer(""), "10", "").id(), `{"draft":true}`).status)
		}, " 400", " 200"},
		{"AllowVoidTwice", func(o *sandbox.Options) { o.AllowVoidTwice = true }, func(r *rig) string {
			path := "/invoices/" + r.invoice(r.customer(""), "10", "").id() + "/void"
			r.must(200, "POST", path, "")
			return statusText(r.call("POST", path, "").status)
		}, " 400", " 200"},
		{"AllowEditVoided", func(o *sandbox.Options) { o.AllowEditVoided = true }, func(r *rig) string {
			path := "/invoices/" + r.invoice(r.customer(""), "10", "").id()
			r.must(200, "POST", path+"/void", "")
			return statusText(r.call("PATCH", path, `{"notes":"n"}`).status) + statusText(r.call("DELETE", path, "").status)
		}, " 400 400", " 200 204"},
		{"RefuseNegativeLines", func(o *sandbox.Options) { o.RefuseNegativeLines = true }, func(r *rig) string {
			return statusText(r.call("PATCH", "/invoices/"+draft(r).id(), `{"items":[{"unit_cost":5},{"unit_cost":-1}]}`).status)
		}, " 200", " 400"},
		{"RefuseZeroTotals", func(o *sandbox.Options) { o.RefuseZeroTotals = true }, func(r *rig) string {
			return statusText(r.call("PATCH", "/invoices/"+draft(r).id(), `{"items":[]}`).status)
		}, " 200", " 400"},
		{"RoundHalfEven", func(o *sandbox.Options) { o.RoundHalfEven = true }, func(r *rig) string {
			return r.invoice(r.customer(""), "0.125", "").str("total")
		}, "0.13", "0.12"},
		{"WholeDiscountOffTax", func(o *sandbox.Options) { o.WholeDiscountOffTax = true }, func(r *rig) string {
			return r.must(201, "POST", "/invoices", `{"customer":`+r.customer("")+`,"items":[{"unit_cost":50},{"unit_cost":50,"taxable":false}],
				"discounts":[{"amount":10}],"taxes":[{"tax_rate":{"value":10}}]}`).str("total")
		}, "94.5", "94"},
		{"PastDueByInstant", func(o *sandbox.Options) { o.PastDueByInstant = true }, func(r *rig) string {
			inv := r.invoice(r.customer(""), "1", `,"payment_terms":"NET 1"`)
			r.clk.Advance(25 * time.Hour)
			return r.get("/invoices/" + inv.id()).str("status")
		}, "not_sent", "past_due"},
		{"PortalSource", func(o *sandbox.Options) { o.PortalSource = "virtual" }, func(r *rig) string {
			r.customer("")
			return r.sim(200, "/portal/payments", `{"customer":"CUST-00001","unapplied":1}`).str("object.source")
		}, "customer_portal", "virtual"},
		{"FirstID", func(o *sandbox.Options) { o.FirstID = 77 }, func(r *rig) string { return r.customer("") }, "5000001", "77"},
	}
}

func runOptions(t *testing.T, cases []optionCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := c.observe(newRig(t)); got != c.off {
				t.Errorf("normally %q, want %q", got, c.off)
			}
			if got := c.observe(newRig(t, func(cfg *sandbox.Config) { c.set(&cfg.Options) })); got != c.on {
				t.Errorf("switched %q, want %q", got, c.on)
			}
		})
	}
}

func statusText(status int) string { return " " + strconv.Itoa(status) }

// Signatures with a prefix, as other platforms write them.
func TestSignaturePrefixOption(t *testing.T) {
	k := newSink(t)
	r := newRig(t, hooked(k, func(c *sandbox.Config) {
		c.Options.SignaturePrefix, c.Options.MaxAttempts = "sha256=", 1
	}))
	r.run()
	r.customer("")
	r.quiet()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bad != 1 || !strings.HasPrefix(k.last, "sha256=") || len(k.last) != len("sha256=")+64 {
		t.Errorf("signature %q", k.last)
	}
}

// An exhausted delivery leaves the endpoint alone when told so.
func TestKeepExhaustedOption(t *testing.T) {
	k := newSink(t)
	k.fail = 1
	r := newRig(t, hooked(k, func(c *sandbox.Config) { c.Options.MaxAttempts, c.Options.KeepExhausted = 1, true }))
	r.run()
	r.customer("")
	r.quiet()
	r.list("/webhooks")[0].want(t, "enabled", "true")
	r.customer("")
	r.quiet()
	if k.count() != 1 {
		t.Errorf("received %d", k.count())
	}
}

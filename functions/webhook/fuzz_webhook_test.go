package webhook_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/functions/webhook"
	"github.com/arbridge/arbridge/pkg/connector/invoiced"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/secret"
)

// FuzzWebhook sends anything with any signature through the whole function: nothing that is not signed is stored, nothing
// is the fault of the server, and no vendor is called.
func FuzzWebhook(f *testing.F) {
	const key = "new key"
	real := `{"id":7001,"type":"invoice.viewed","timestamp":1777989600,"data":{"object":{"id":900,"object":"invoice","number":"A1"}}}`
	for _, body := range []string{real, `{"id":1,"type":"payment.created","data":[]}`, `{"id":"` + strings.Repeat("x", 65) + `","type":"x"}`,
		`{"id":1,"type":"\u0000"}`, "{}", "", "\xff\xfe", `{"id":1,"type":"` + strings.Repeat("y", 4000) + `"}`} {
		for _, signature := range []string{"", sign(body, key), "sha256=" + sign(body, key), sign(body, "guess"), strings.Repeat("00", 32), "zz"} {
			f.Add(body, signature, false)
		}
		f.Add(body, "", true)
	}
	f.Fuzz(func(t *testing.T, body, signature string, genuine bool) {
		if genuine {
			signature = sign(body, key)
		}
		x := setup()
		x.handler = webhook.Handler(x.Start(), vault{"invoiced-us-webhook": {key}}, func(company string) string { return "invoiced-" + company + "-webhook" },
			webhook.Vendor{Verify: invoiced.Verify, Parse: invoiced.ParseEvent}, slog.New(slog.DiscardHandler))
		_, err := invoiced.Verify([]byte(body), signature, []secret.Value{secret.NewValue(key)})
		verified := err == nil
		w := x.post(http.MethodPost, "/webhook/us", body, signature)
		stored := x.inbox(t)
		switch {
		case w.Code >= 500:
			t.Errorf("status %d for %q", w.Code, body)
		case !verified && (w.Code != http.StatusUnauthorized || len(stored) != 0):
			t.Errorf("unverified: status %d, %d events stored of %q", w.Code, len(stored), body)
		case verified && (w.Code == http.StatusNoContent) != (len(stored) == 1):
			t.Errorf("verified: status %d, %d events stored of %q", w.Code, len(stored), body)
		}
		if n := x.ERP.Count() + x.Portal.Count(); n != 0 {
			t.Errorf("%d calls to vendors", n)
		}
		repeatIt(t, x, body, signature, stored)
	})
}

// repeatIt delivers the same once more: nothing is stored twice, and nothing stored changes.
func repeatIt(t *testing.T, x *fixture, body, signature string, before map[string]record.Inbox) {
	t.Helper()
	if w := x.post(http.MethodPost, "/webhook/us", body, signature); w.Code >= 500 {
		t.Errorf("status %d for a repetition", w.Code)
	}
	after := x.inbox(t)
	if len(after) != len(before) {
		t.Errorf("%d events stored of one", len(after))
	}
	for id, in := range before {
		if after[id].Raw != in.Raw || after[id].State != in.State {
			t.Errorf("a repetition changes %s", id)
		}
	}
}

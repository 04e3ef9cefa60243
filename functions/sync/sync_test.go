package sync_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/arbridge/arbridge/functions/sync"
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/record"
)

func TestTask(t *testing.T) {
	for _, c := range []struct {
		name   string
		data   string
		fault  enginetest.Fault
		store  error
		code   int
		status record.Status
	}{
		{"an invoice", `{"company":"us","kind":"invoice","id":"1"}`, enginetest.Fault{}, nil, 204, record.Synced},
		{"the portal is down: parked, not repeated", `{"company":"us","kind":"invoice","id":"1"}`,
			enginetest.Fault{Method: "FindDocuments", Class: connector.ClassRetry}, nil, 204, record.Scheduled},
		{"our store is down: comes again", `{"company":"us","kind":"invoice","id":"1"}`, enginetest.Fault{}, errors.New("disk full"), 500, record.Scheduled},
		{"unknown company", `{"company":"xx","kind":"invoice","id":"1"}`, enginetest.Fault{}, nil, 204, record.Scheduled},
		{"no task", `"1"`, enginetest.Fault{}, nil, 400, record.Scheduled},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := enginetest.NewWorld()
			e := w.Start()
			if err := w.Tick(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			w.ERP.PutCustomers(enginetest.Customer("C1"))
			w.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
			if _, err := e.Poll(t.Context(), "us"); err != nil {
				t.Fatal(err)
			}
			w.Portal.Fail(c.fault)
			w.Store.Break(c.store)
			b, err := bus.EncodePush(bus.Delivery{ID: "1", Data: []byte(c.data)})
			if err != nil {
				t.Fatal(err)
			}
			answer := httptest.NewRecorder()
			sync.Handler(e, slog.New(slog.DiscardHandler)).ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(b)))
			w.Store.Break(nil)
			if r := w.Record(billing.KindInvoice, "1"); answer.Code != c.code || r.Status != c.status {
				t.Errorf("answer %d, record %s (%s); want %d, %s", answer.Code, r.Status, r.Summary, c.code, c.status)
			}
		})
	}
}

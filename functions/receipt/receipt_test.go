package receipt_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/functions/receipt"
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
)

func TestEvent(t *testing.T) {
	for _, c := range []struct {
		name     string
		data     string // of the message; the event's own reference when empty
		fault    enginetest.Fault
		store    error
		code     int
		receipts int
	}{
		{"a payment", "", enginetest.Fault{}, nil, 204, 1},
		{"the ERP is down: parked, not repeated", "", enginetest.Fault{Method: "Balance", Class: connector.ClassRetry}, nil, 204, 0},
		{"our store is down: comes again", "", enginetest.Fault{}, errors.New("disk full"), 500, 0},
		{"an event nobody stored", `{"company":"us","event_id":"zz"}`, enginetest.Fault{}, nil, 204, 0},
		{"no event", `[1]`, enginetest.Fault{}, nil, 400, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := enginetest.NewWorld()
			e := w.Start()
			w.ERP.PutCustomers(enginetest.Customer("C1"))
			w.ERP.PutInvoices(enginetest.Invoice("1", "C1"))
			if err := w.Tick(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			ev := w.Portal.Pay("credit_card", billing.ChargeSucceeded, enginetest.On(w.Portal.Invoices()[0].ID, "107"))
			if err := w.Hook(t.Context(), e, ev); err != nil {
				t.Fatal(err)
			}
			if c.data == "" {
				c.data = fmt.Sprintf(`{"company":"us","event_id":%q}`, ev.ID)
			}
			w.ERP.Fail(c.fault)
			w.Store.Break(c.store)
			b, err := bus.EncodePush(bus.Delivery{ID: "1", Data: []byte(c.data)})
			if err != nil {
				t.Fatal(err)
			}
			answer := httptest.NewRecorder()
			receipt.Handler(e, slog.New(slog.DiscardHandler)).ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(b))))
			if n := len(w.ERP.Receipts()); answer.Code != c.code || n != c.receipts {
				t.Errorf("answer %d and %d receipts, want %d and %d", answer.Code, n, c.code, c.receipts)
			}
		})
	}
}

package engine_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
)

// endlessERP says that there is more, for ever, and gives nothing.
type endlessERP struct {
	*enginetest.ERP
	customers, invoices bool
}

func (e *endlessERP) Customers(ctx context.Context, cur string, limit int) (connector.CustomerPage, error) {
	if !e.customers {
		return e.ERP.Customers(ctx, cur, limit)
	}
	return connector.CustomerPage{Next: "same", More: true}, nil
}

func (e *endlessERP) Invoices(ctx context.Context, cur string, since billing.Date, limit int) (connector.InvoicePage, error) {
	if !e.invoices {
		return e.ERP.Invoices(ctx, cur, since, limit)
	}
	return connector.InvoicePage{Next: "same", More: true}, nil
}

// endlessPortal lists the same page again and again.
type endlessPortal struct{ *enginetest.Portal }

func (p *endlessPortal) ListPayments(context.Context, time.Time, string) (connector.Page[billing.Payment], error) {
	return connector.Page[billing.Payment]{Next: "again"}, nil
}

func (p *endlessPortal) Events(context.Context, time.Time, time.Time, string) (connector.Page[billing.Event], error) {
	return connector.Page[billing.Event]{Next: "again"}, nil
}

// TestListsThatNeverEnd: a vendor that always has another page ends the reading with an error that names the list.
func TestListsThatNeverEnd(t *testing.T) {
	for name, c := range map[string]struct {
		erp    endlessERP
		portal bool
		do     func(*engine.Engine, *engine.Company) error
		want   string
	}{
		"customers": {endlessERP{customers: true}, false, poll, `listing customers: bad_response: the feed says that there is more`},
		"invoices":  {endlessERP{invoices: true}, false, poll, `listing invoices: bad_response: the feed says that there is more`},
		"payments": {endlessERP{}, true, func(e *engine.Engine, c *engine.Company) error {
			return e.RereadPayments(t.Context(), c)
		}, `listing payments: bad_response: the list leads to page "again" again`},
		"events": {endlessERP{}, true, func(e *engine.Engine, c *engine.Company) error {
			return e.GapFill(t.Context(), c)
		}, `listing events: bad_response: the list leads to page "again" again`},
	} {
		t.Run(name, func(t *testing.T) {
			w := enginetest.NewWorld()
			c.erp.ERP = w.ERP
			company := &engine.Company{ID: "us", Settings: w.Settings, ERP: &c.erp, Portal: w.Portal, ParseEvent: enginetest.ParseEvent}
			if c.portal {
				company.Portal = &endlessPortal{w.Portal}
			}
			e := engine.New(w.Store, w.Bus, w.Clock, slog.New(slog.DiscardHandler), []*engine.Company{company}, engine.Options{Owner: "p", Blobs: w.Blobs})
			if err := c.do(e, company); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func poll(e *engine.Engine, c *engine.Company) error {
	_, err := e.Poll(context.Background(), c.ID)
	return err
}

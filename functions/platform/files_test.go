package platform_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/config"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox/business"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

var filesDay = time.Date(2026, 6, 15, 14, 0, 0, 0, time.UTC)

// billed is a Q360 site with one new invoice of company 01 and its file of some MiB. Where the site says nothing of sizes,
// only the download shows that a file is too large.
func billed(t *testing.T, clk clock.Clock, mib int, sized bool) (h http.Handler, number string) {
	t.Helper()
	erp, err := q360sim.New(q360sim.Config{Clock: clk, Logger: slog.New(slog.DiscardHandler),
		Users: []q360sim.User{{Name: "API", Password: "sandbox-only", Type: q360sim.TypeAPI, Grants: q360sim.ConnectorGrants()}}})
	if err != nil {
		t.Fatal(err)
	}
	b := business.Generate(business.Options{Seed: 7, Companies: 1, Customers: 40, Invoices: 80})
	if err := b.Load(erp); err != nil {
		t.Fatal(err)
	}
	in := b.NextInvoice(0, clk.Now())
	posted, err := erp.CreateInvoice(in)
	if err != nil {
		t.Fatal(err)
	}
	content := append([]byte("%PDF-1.7\n"), bytes.Repeat([]byte("x"), mib<<20-9)...)
	row := q360sim.Record{"DOCUMENTNO": "D1", "LINKTYPE": "INVOICE", "LINKNO": posted.InvoiceNo, "FILENAME": "a.pdf", "DOCTYPE": "INVOICE"}
	if sized {
		row["FILESIZE"] = fmt.Sprint(len(content))
	}
	_, err = erp.LoadRows(q360sim.Batch{Tables: map[string][]q360sim.Record{"DOCUMENT": {row}}, Contents: map[string][]byte{"D1": content}})
	if err != nil {
		t.Fatal(err)
	}
	return erp.Handler(), posted.InvoiceNo
}

// open is a platform between the site and a portal that takes large files, with documents.max_mib set.
func open(t *testing.T, clk clock.Clock, erp http.Handler, maxMiB int) *platform.Platform {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	portal, err := invoicedsim.New(invoicedsim.Config{Clock: clk, Logger: quiet, Options: invoicedsim.Options{MaxFileSize: 64 << 20},
		Accounts: []invoicedsim.Account{{Name: "us", Location: time.UTC, Currency: "USD", APIKeys: []invoicedsim.Key{{Value: "key-sandbox-only"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	erpServer, portalServer := httptest.NewServer(erp), httptest.NewServer(portal.Handler())
	t.Cleanup(erpServer.Close)
	t.Cleanup(portalServer.Close)
	dir := t.TempDir()
	text := fmt.Sprintf(`deployment: {settings: {documents.max_mib: %d}}
secrets: {dir: .}
companies:
  - id: us
    q360: {base_url: %q, credentials_secret: q360}
    invoiced: {base_url: %q, api_key_secret: invoiced, webhook_secret: hook}
    settings:
      company: {mode: live, q360_company: "01", time_zone: UTC, currency: USD}
      qualify.start_date: %s
      payments.mode: "off"
      fees.strategy: exclude
      limits.q360_rps: 100
      limits.invoiced_rps: 100
`, maxMiB, erpServer.URL, portalServer.URL, filesDay.Format(time.DateOnly))
	for name, content := range map[string]string{"config.yaml": text, "q360": `{"user":"API","password":"sandbox-only"}`, "invoiced": "key-sandbox-only", "hook": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(filepath.Join(dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := platform.Open(t.Context(), cfg, platform.Options{DataDir: dir, Clock: clk, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestLargestFile: documents.max_mib decides what is downloaded, kept and uploaded.
func TestLargestFile(t *testing.T) {
	for _, c := range []struct {
		maxMiB, mib int
		sized       bool
		goes        bool
	}{{1, 2, true, false}, {1, 2, false, false}, {2, 2, false, true}, {25, 30, false, false}, {40, 30, false, true}} {
		t.Run(fmt.Sprintf("%d of %d MiB, sized %v", c.mib, c.maxMiB, c.sized), func(t *testing.T) {
			clk := clock.NewMovable(filesDay)
			erp, number := billed(t, clk, c.mib, c.sized)
			p := open(t, clk, erp, c.maxMiB)
			if _, err := p.Engine.PollAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := p.Engine.Sync(t.Context(), engine.Task{Company: "us", Kind: billing.KindInvoice, ID: number}); err != nil {
				t.Fatal(err)
			}
			records := store.Table[record.Record]{Store: p.Store, Collection: store.Records}
			inv, _, err := records.Get(t.Context(), record.ID("us", billing.KindInvoice, number))
			if err != nil || inv.Status != record.Synced && inv.Status != record.Variance {
				t.Fatalf("invoice %s %s, %v", inv.Status, inv.Summary, err)
			}
			r, _, err := records.Get(t.Context(), record.ID("us", billing.KindDocument, number))
			if err != nil {
				t.Fatal(err)
			}
			if c.goes && (r.Status != record.Synced || r.Attachment.Size != int64(c.mib)<<20) {
				t.Errorf("%s %s, want it attached", r.Status, r.Summary)
			}
			want := fmt.Sprintf("the ERP's file a.pdf has more than %d MiB (documents.max_mib)", c.maxMiB)
			if !c.goes && (r.Attachment != nil || !plan.Plan{Reasons: r.Reasons}.Has(plan.FileTooLarge) || r.Summary != want) {
				t.Errorf("%s %s, want: %s", r.Status, r.Summary, want)
			}
		})
	}
}

package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/store"
)

// Bench measures what arbridge promises about its cost and prints it, all in one run: ratios and counts, because times
// alone say more about the machine. self is the path of the binary, for what only a process of its own can show.
func Bench(ctx context.Context, out io.Writer, self string) error {
	dir, err := os.MkdirTemp("", "arbridge-bench-")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(out, "Webhook: accepted and durable, 32 connections")
	if err := benchWebhook(ctx, out, filepath.Join(dir, "webhook")); err != nil {
		return fmt.Errorf("bench of the webhook: %w", err)
	}
	fmt.Fprintf(out, "\nVendor calls, %d documents of 3 companies; the aims are for documents without PDFs\n", benchDocuments)
	if err := benchCalls(ctx, out, filepath.Join(dir, "calls"), false); err != nil {
		return fmt.Errorf("bench of the calls: %w", err)
	}
	if err := benchCalls(ctx, out, filepath.Join(dir, "files"), true); err != nil {
		return fmt.Errorf("bench of the calls with PDFs: %w", err)
	}
	fmt.Fprintln(out, "\nA process of its own: arbridge serve")
	if err := benchProcess(ctx, out, filepath.Join(dir, "process"), self); err != nil {
		return fmt.Errorf("bench of the process: %w", err)
	}
	return nil
}

// benchDocuments is the size of the backfill: large enough that what is read once a company does not blur it.
const benchDocuments = 2400

// tally is the calls of both vendors since the last reset.
type tally struct{ portalReads, portalWrites, documents, files, erpReads, erpChecks, downloads int }

func (w *world) resetCalls() {
	w.portal.Calls.Reset()
	w.erp.Calls().Reset()
}

func (w *world) tally() tally {
	var t tally
	for label, n := range w.portal.Calls.Counts() {
		switch {
		case strings.HasPrefix(label, "GET /events"): // the gap fill, by time and not by document
		case strings.HasPrefix(label, "GET"):
			t.portalReads += n
		default:
			t.portalWrites += n
			switch label {
			case "POST /invoices", "POST /credit_notes":
				t.documents += n
			case "POST /files":
				t.files += n
			}
		}
	}
	for label, n := range w.erp.Calls().Counts() {
		switch {
		case strings.Contains(label, "DataDict"):
			t.erpChecks += n
		case strings.Contains(label, "download"):
			t.downloads += n
		case strings.Contains(label, "list"):
			t.erpReads += n
		}
	}
	return t
}

// benchCalls counts calls in a backfill; without files also for new invoices of known customers, and for invoices seen again.
func benchCalls(ctx context.Context, out io.Writer, dir string, files bool) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	opt := Options{Dir: dir, Out: io.Discard, Logger: slog.New(slog.DiscardHandler), Seed: 1, Customers: 160, Invoices: benchDocuments, NoFiles: !files}
	clk, err := openClock(opt)
	if err != nil {
		return err
	}
	s, err := start(ctx, opt, clk)
	if err != nil {
		return err
	}
	return s.during(ctx, func(ctx context.Context) error {
		if files {
			return s.countFiles(ctx, out)
		}
		return s.countCalls(ctx, out)
	})
}

func (s *stage) countCalls(ctx context.Context, out io.Writer) error {
	if err := s.probes(ctx); err != nil { // the start-up check reads each table once a day, whatever there is to sync
		return err
	}
	s.world.resetCalls()
	if err := s.settle(ctx, ""); err != nil {
		return err
	}
	t := s.world.tally()
	customers := s.world.portal.Calls.Counts()["POST /customers"]
	fmt.Fprintf(out, "  backfill      per document: %s portal writes, %s portal look-ups (aim 0.05), %s Q360 reads (aim 0.10); %d documents, %d customers\n",
		ratio(t.documents, t.documents), ratio(t.portalReads, t.documents), ratio(t.erpReads, t.documents), t.documents, customers)
	const fresh = 20
	s.world.resetCalls()
	made, polls := 0, s.polls
	for n := range fresh {
		if err := s.bill(n, n+1); err != nil {
			return err
		}
		if err := s.settle(ctx, ""); err != nil {
			return err
		}
		made++
	}
	t = s.world.tally()
	extra := s.world.portal.Calls.Counts()["POST /customers"]
	fmt.Fprintf(out, "  steady state  per new invoice: %s portal writes (aim 1), %s portal look-ups (aim 1), %s Q360 reads per poll and company; %d invoices, %d new customers\n",
		ratio(t.documents, made), ratio(t.portalReads, made), ratio(t.erpReads, (s.polls-polls)*len(branches)), made, extra)
	return s.seenAgain(ctx, out)
}

// countFiles counts what files cost on top.
func (s *stage) countFiles(ctx context.Context, out io.Writer) error {
	if err := s.probes(ctx); err != nil {
		return err
	}
	s.world.resetCalls()
	if err := s.settle(ctx, ""); err != nil {
		return err
	}
	t := s.world.tally()
	fmt.Fprintf(out, "  with PDFs     per document: %s Q360 reads (aim 0.20) besides %s downloads; %d documents, %d files uploaded\n",
		ratio(t.erpReads, t.documents), ratio(t.downloads, t.documents), t.documents, t.files)
	return nil
}

// seenAgain reads every invoice once more from the start.
func (s *stage) seenAgain(ctx context.Context, out io.Writer) error {
	for _, b := range branches {
		_, err := s.platform.Store.Write(ctx, store.Write{Collection: store.Cursors, ID: store.ID(b.id, "invoices"), Delete: true})
		if err != nil {
			return err
		}
	}
	s.world.resetCalls()
	if err := s.settle(ctx, ""); err != nil {
		return err
	}
	t := s.world.tally()
	fmt.Fprintf(out, "  seen again    unchanged: %d portal calls (aim 0), %d Q360 reads for all documents\n", t.portalReads+t.portalWrites, t.erpReads)
	return nil
}

// probes runs the start-up checks.
func (s *stage) probes(ctx context.Context) error {
	for _, id := range s.platform.Engine.CompanyIDs() {
		c, err := s.platform.Engine.Company(id)
		if err != nil {
			return err
		}
		if _, err := s.platform.Engine.Check(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// ratio is a/b with two decimals, exactly rounded.
func ratio(a, b int) string {
	if b == 0 {
		return "–"
	}
	return money.Round(decimalOf(a).Div(decimalOf(b)), money.USD).Amount()
}

package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/arbridge/arbridge/functions/host"
	"github.com/arbridge/arbridge/functions/platform"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/engine"
)

// correct lets clerks and the staff of the portal change and remove documents that are on both sides.
func (s *stage) correct(ctx context.Context) error {
	w := s.world
	change := func(no, amount string) func() error {
		return func() error {
			lines := storyLines(amount)
			_, err := w.erp.ChangeInvoice(q360sim.Change{Step: "story-change-" + no, No: no, Set: q360sim.Record{"INVAMOUNT": amount}, Lines: &lines})
			return err
		}
	}
	unpost := func(no string) func() error {
		return func() error {
			_, err := w.erp.UnpostInvoice(q360sim.InvoiceStep{Step: "story-unpost-" + no, InvoiceNo: no})
			return err
		}
	}
	staff := func(no string, do func(invoicedsim.PortalAction) (invoicedsim.Result, error)) func() error {
		return func() error {
			_, err := do(invoicedsim.PortalAction{Account: "us", Step: "story-staff-" + no, Number: no})
			return err
		}
	}
	return each(
		change("CHANGE-1", "650.00"), func() error { return s.preview(ctx, "CHANGE-1") },
		func() error {
			return s.command(ctx, host.ActionSync, host.Request{Company: "us", Target: "CHANGE-1", Reason: "the customer waits for it"})
		},
		change("CHANGE-2", "900.00"), unpost("UNPOST-1"), unpost("GONE-1"),
		func() error {
			_, err := w.erp.DeleteInvoice(q360sim.InvoiceStep{Step: "story-delete", InvoiceNo: "GONE-1"})
			return err
		},
		staff("VOID-1", w.portal.VoidDocument), staff("DELETE-1", w.portal.DeleteDocument),
		change("VOID-1", "125.00"), change("DELETE-1", "135.00"),
		w.moveHouse,
		func() error { return w.file("WAIT-1", "1", "Invoice WAIT-1") },
		func() error { return w.file("NOTE-1", "2", "Invoice NOTE-1, corrected") },
	)
}

// moveHouse changes a customer on both sides: each side's fields stay its own.
func (w *world) moveHouse() error {
	for _, c := range []struct {
		table string
		q360sim.Change
	}{
		{"CUSTOMER", q360sim.Change{No: "STAGE-US", Set: q360sim.Record{"COMPANY": "Harbour Stage & Screen", "PAYMENTTERMS": "NET60"}}},
		{"SITE", q360sim.Change{No: "S-STAGE-US", Set: q360sim.Record{"ADDRESS": "7 Quay Street"}}},
		{"CONTACT", q360sim.Change{No: "A-STAGE-US", Set: q360sim.Record{"EMAIL": "accounts@STAGE-US.example"}}},
	} {
		c.Step = "story-move-" + c.table
		if _, err := w.erp.ChangeRow(c.table, c.Change); err != nil {
			return fmt.Errorf("changing %s %s: %w", c.table, c.No, err)
		}
	}
	_, err := w.portal.ChangeProfile(invoicedsim.Profile{
		Account: "us", Step: "story-profile", Customer: "STAGE-US", Changes: map[string]any{"attention_to": portalsOwn},
	})
	return err
}

// portalsOwn is what a customer wrote into its profile in the portal.
const portalsOwn = "Night desk"

// preview shows what a sync would do, as arbridge sync --dry-run does.
func (s *stage) preview(ctx context.Context, no string) error {
	opt := platform.Options{DataDir: s.opt.Dir, Clock: s.clock, Logger: s.opt.Logger, HTTP: &http.Client{}}
	t, err := platform.OpenTrial(ctx, s.platform.Config, opt, true)
	if err != nil {
		return fmt.Errorf("preview of %s: %w", no, err)
	}
	_, err = t.Engine.SyncNow(ctx, engine.By{Actor: operator}, "preview", engine.Target{Company: "us", Number: no})
	if err = errors.Join(err, t.Close()); err != nil {
		s.progress.note("arbridge sync %s --dry-run: a vendor did not answer (%v)", no, err)
		return nil
	}
	for _, d := range t.Decisions() {
		s.progress.note("arbridge sync %s --dry-run: %s would be: %s", no, d.Record, d.Verdict)
	}
	for _, c := range t.Requests.Calls() {
		s.progress.note("    would send: %s (%s)", c.Op, c.Method)
	}
	return nil
}

// decide lets an operator leave a record alone.
func (s *stage) decide(ctx context.Context) error {
	return s.command(ctx, host.ActionIgnore, host.Request{Company: "us", Target: "DELETE-1", Kind: "invoice", Reason: "billed twice, deleted on purpose"})
}

// readOnly makes a company read-only while an invoice is posted, and lets it go on.
func (s *stage) readOnly(ctx context.Context) error {
	return each(
		func() error {
			return s.command(ctx, host.ActionPause, host.Request{Company: "rent", ReadOnly: true, Reason: "auditors in the house"})
		},
		func() error { return s.world.post(charge{"READ-1", "RENT-1", "150.00", nil}) },
		func() error { return s.settle(ctx, "a company is read-only") },
		func() error {
			rec, err := s.record(ctx, engine.Target{Company: "rent", Number: "READ-1"})
			if err == nil {
				s.progress.note("READ-1, %s: %s", words(string(rec.Status)), rec.Summary)
			}
			return err
		},
		func() error {
			return s.command(ctx, host.ActionResume, host.Request{Company: "rent", Reason: "auditors have gone"})
		},
	)
}

// loosen drops the pilot's rule: arbridge is started again with the changed configuration.
func (s *stage) loosen(context.Context) error {
	if s.world.looser {
		return nil
	}
	if err := s.keep(looserFile, ""); err != nil {
		return err
	}
	return errAgain
}

const looserFile = "looser"

// backfill shows what the looser rule lets through, and lets it go over.
func (s *stage) backfill(ctx context.Context) error {
	p, err := s.platform.Engine.PlanBackfill(ctx, "lab", "")
	if err != nil {
		return err
	}
	for _, row := range p.Rows {
		s.progress.note("arbridge backfill --plan: %d %s, %s", row.Documents, row.Outcome, row.Text)
	}
	if err := s.command(ctx, host.ActionBackfill, host.Request{Company: "lab", Reason: "the pilot went well"}); err != nil {
		return err
	}
	for range 1000 {
		_, err := s.platform.Engine.BackfillStep(ctx, "lab")
		if errors.Is(err, engine.ErrNothing) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return errors.New("the backfill does not end")
}

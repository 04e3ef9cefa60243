package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/functions/host"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/sandbox"
)

// paid is a payment of the story: repeating it gives the same one.
type paid struct{ id, charge int64 }

func (p paid) ref() invoicedsim.Ref { return invoicedsim.RefID(p.id) }

// pays lets a customer of the story pay invoices at once; part is the amount of a single one, empty for all of it.
func (w *world) pays(account, method, part string, numbers ...string) (paid, error) {
	q := invoicedsim.PortalPayment{Account: account, Step: "story-pay-" + numbers[0], Method: method, Outcome: "succeeded"}
	for _, no := range numbers {
		line := invoicedsim.PortalLine{Number: no}
		if part != "" {
			amount, err := decimal.NewFromString(part)
			if err != nil {
				return paid{}, err
			}
			line.Amount = &amount
		}
		q.Lines = append(q.Lines, line)
	}
	do := w.portal.Pay
	switch method {
	case "credit_card":
		q.FeePercent = &feePercent
	case "check":
		do = w.portal.Record
	}
	r, err := do(q)
	if err != nil {
		return paid{}, fmt.Errorf("paying %s: %w", numbers[0], err)
	}
	var object struct {
		Charge struct {
			ID int64 `json:"id"`
		} `json:"charge"`
	}
	if err := json.Unmarshal(r.Object, &object); err != nil {
		return paid{}, fmt.Errorf("payment of %s: %w", numbers[0], err)
	}
	return paid{r.ID, object.Charge.ID}, nil
}

// each does steps in their order until one does not work.
func each(steps ...func() error) error {
	for _, do := range steps {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// payStory pays those invoices of the story whose money comes back later, and others that need a payment first.
func (s *stage) payStory(context.Context) error {
	w := s.world
	pay := func(account, method, part string, numbers ...string) func() error {
		return func() error { _, err := w.pays(account, method, part, numbers...); return err }
	}
	return each(
		pay("us", "credit_card", "", "VOIDPAY-1"), pay("us", "credit_card", "", "REFUND-1"), pay("us", "credit_card", "", "REFUND-2"),
		pay("us", "credit_card", "", "DISPUTE-1"), pay("us", "ach", "", "RETURN-1"), pay("us", "credit_card", "300.00", "CHANGE-2"),
		pay("us", "check", "", "CHECK-1"), pay("lab", "ach", "", "HOLD-1"),
		func() error {
			_, err := w.portal.Merge(invoicedsim.Merge{Account: "us", Step: "story-merge", Customer: "TWIN-B", Into: "TWIN-A"})
			return err
		},
		pay("us", "credit_card", "", "TWIN-1", "TWIN-2"),
		func() error {
			return w.post(charge{"CREDIT-1", "LAKE-US", "-80.00", q360sim.Record{"INVOICETYPE": "CREDIT", "CONTRACTNO": lakeContract}})
		},
		func() error {
			_, err := w.portal.ChangeProfile(invoicedsim.Profile{Account: "eu", Step: "story-source", Customer: "STAGE-EU", Changes: map[string]any{
				"autopay": true, "payment_source": map[string]any{"method": "card", "invoiced_token": "4242424242424242"},
			}})
			return err
		},
		func() error {
			return w.post(charge{"AUTO-1", "STAGE-EU", "199.00", q360sim.Record{"CONTRACTNO": stageContract}})
		},
	)
}

// takeBack takes money back that was posted: in each of the ways in which that happens.
func (s *stage) takeBack(context.Context) error {
	w := s.world
	on := func(no, method string, do func(invoicedsim.PaymentAction) (invoicedsim.Result, error), amount *decimal.Decimal, ofCharge bool) func() error {
		return func() error {
			p, err := w.pays("us", method, "", no)
			if err != nil {
				return err
			}
			a := invoicedsim.PaymentAction{Account: "us", Step: "story-back-" + no, Ref: p.ref(), Amount: amount}
			if ofCharge {
				a.Ref = invoicedsim.RefID(p.charge)
			}
			if _, err := do(a); err != nil {
				return fmt.Errorf("taking back the payment of %s: %w", no, err)
			}
			return nil
		}
	}
	part := decimal.NewFromInt(100)
	return each(
		on("VOIDPAY-1", "credit_card", w.portal.Void, nil, false), on("REFUND-1", "credit_card", w.portal.Refund, &part, true),
		on("REFUND-2", "credit_card", w.portal.Refund, nil, true), on("DISPUTE-1", "credit_card", w.portal.Dispute, nil, false),
		on("RETURN-1", "ach", w.portal.Return, nil, false),
		func() error { _, err := w.pays("us", "ach", "", "CRED-1"); return err },
	)
}

// loseWebhooks lets payments happen while the portal's webhooks do not arrive.
func (s *stage) loseWebhooks(ctx context.Context) error {
	chaos := func(step string, drop int) func() error {
		return func() error {
			_, err := s.world.portal.SetChaos(invoicedsim.Chaos{Account: "eu", Step: step, DropPercent: drop})
			return err
		}
	}
	steps := []func() error{chaos("story-deaf", 100)}
	for n := 1; n <= 3; n++ {
		steps = append(steps, func() error { _, err := s.world.pays("eu", "ach", "", "WEB-"+strconv.Itoa(n)); return err })
	}
	return each(append(steps, func() error { return s.settle(ctx, "webhooks are lost") }, chaos("story-hears", 0))...)
}

// holdPayments pauses the payments of two companies, lets customers pay, and resumes. One of the payments is keyed in by
// hand meanwhile.
func (s *stage) holdPayments(ctx context.Context) error {
	pause := func(action, company, reason string) func() error {
		return func() error {
			return s.command(ctx, action, host.Request{Company: company, Flow: record.FlowPayments, Reason: reason})
		}
	}
	pay := func(account, no string) func() error {
		return func() error { _, err := s.world.pays(account, "ach", "", no); return err }
	}
	return each(
		pause(host.ActionPause, "eu", "bank reconciliation"), pause(host.ActionPause, "us", "month end"),
		pay("eu", "PAUSE-1"), pay("us", "HAND-1"),
		func() error {
			_, err := s.world.erp.NativePayment(q360sim.NativePayment{Step: "story-hand", InvoiceNo: "HAND-1", Header: q360sim.Record{"REFERENCE": "CHK 7781"}})
			return err
		},
		func() error { return s.settle(ctx, "payments are paused") },
		func() error { return s.tell(ctx, "eu", "PAUSE-1") },
		pause(host.ActionResume, "eu", "reconciliation is done"), pause(host.ActionResume, "us", "month end is over"),
	)
}

// tell prints what arbridge says of the payment of an invoice.
func (s *stage) tell(ctx context.Context, account, no string) error {
	rec, err := s.payment(ctx, account, no)
	if err == nil {
		s.progress.note("the payment of %s, %s: %s", no, words(string(rec.Status)), rec.Summary)
	}
	return err
}

// payment is the record of a payment of the story.
func (s *stage) payment(ctx context.Context, account, no string) (record.Record, error) {
	p, err := s.world.pays(account, "", "", no) // the step was done: this only says which one
	if err != nil {
		return record.Record{}, err
	}
	return s.record(ctx, engine.Target{Company: account, Kind: "payment", Number: strconv.FormatInt(p.id, 10)})
}

// adopt is the operator's answer to a receipt that was keyed in by hand.
func (s *stage) adopt(ctx context.Context) error {
	rec, err := s.payment(ctx, "us", "HAND-1")
	if err != nil || len(rec.Receipts) > 0 {
		return err
	}
	if len(rec.Doubles) == 0 {
		return fmt.Errorf("the receipt keyed in for HAND-1 was not found: %s", rec.Summary)
	}
	s.progress.note("payment of HAND-1: %s", rec.Summary)
	by := engine.By{Actor: operator, Reason: "keyed in from the bank statement"}
	_, err = s.platform.Engine.ResolveDuplicate(ctx, by, "us", rec.SourceID, rec.Doubles[0].Number)
	return err
}

// payTooMuch lets customers pay what the ERP does not want any more, and pay in a closed period.
func (s *stage) payTooMuch(context.Context) error {
	w := s.world
	less := func(no string) func() error {
		return func() error {
			_, err := w.erp.WriteOff(q360sim.WriteOff{Step: "story-less-" + no, InvoiceNo: no, Amount: "100.00"})
			return err
		}
	}
	pay := func(account, no string) func() error {
		return func() error { _, err := w.pays(account, "ach", "", no); return err }
	}
	return each(
		less("OVER-1"), less("OVER-2"), w.period("02", "CLOSED"), w.period("03", "CLOSED"),
		pay("ca", "PERIOD-1"), pay("eu", "PERIOD-2"), pay("ca", "OVER-1"), pay("eu", "OVER-2"),
	)
}

func (w *world) period(company, status string) func() error {
	return func() error {
		_, err := w.erp.SetPeriod(q360sim.Period{Step: "story-" + company + "-" + status, CompanyNo: company, Period: "2026-05", Status: status})
		return err
	}
}

// putRight does what people do about the payments that wait for them.
func (s *stage) putRight(ctx context.Context) error {
	if err := each(s.world.period("02", "OPEN"), s.world.period("03", "OPEN")); err != nil {
		return err
	}
	p, err := s.payment(ctx, "eu", "PERIOD-2")
	if err != nil {
		return err
	}
	s.progress.note("the payment of PERIOD-2, %s: %s", words(string(p.Status)), p.Summary)
	if err := s.command(ctx, host.ActionSync, host.Request{Company: "eu", Kind: "payment", Target: p.SourceID, Reason: "May is open again"}); err != nil {
		return err
	}
	if err := s.world.post(charge{"CREDIT-2", "LAB-1", "-30.00", q360sim.Record{"INVOICETYPE": "CREDIT"}}); err != nil {
		return err
	}
	held, err := s.world.pays("lab", "", "", "HOLD-1")
	if err != nil {
		return err
	}
	_, err = s.world.erp.NativePayment(q360sim.NativePayment{
		Step: "story-held", InvoiceNo: "HOLD-1", Header: q360sim.Record{"REFERENCE": "IVD-" + strconv.FormatInt(held.id, 10), "PAYMETHOD": "ACH"},
	})
	return err
}

// loseAnswers makes the ERP lose the answer to a receipt that it took, and refuse entries for a while.
func (s *stage) loseAnswers(ctx context.Context) error {
	base := q360sim.FaultRules{Seed: s.opt.Seed}
	if s.opt.Faults {
		base.Rules = erpFaults()
	}
	more := base
	more.Rules = append([]sandbox.Rule{
		{Method: "PUT", Contains: `"INVOICENO":"LOST-1"`, Kind: sandbox.FaultDropAfter, Times: 1}, // the line of its receipt
		{Method: "PUT", Contains: "CONTACTHISTORY", Kind: sandbox.FaultStatus, Status: 503, Times: 2},
	}, base.Rules...)
	if _, err := s.world.erp.SetFaults(more); err != nil {
		return fmt.Errorf("faults of the ERP: %w", err)
	}
	if _, err := s.world.pays("us", "ach", "", "LOST-1"); err != nil {
		return err
	}
	if err := s.settle(ctx, "the ERP does not answer"); err != nil {
		return err
	}
	if _, err := s.world.erp.SetFaults(base); err != nil {
		return fmt.Errorf("faults of the ERP: %w", err)
	}
	return nil
}

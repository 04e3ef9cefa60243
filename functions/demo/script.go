package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
)

// toTheEnd plays ninety days of business and what people do with it, until nothing is left to do; then it compares both
// sides, and says what was seen and where to look.
func (s *stage) toTheEnd(ctx context.Context) error {
	begin := "Two sandboxes and arbridge run"
	if done, err := s.played(); err != nil {
		return err
	} else if len(done) > 0 {
		begin = "Started again, everything goes on where it was. Two sandboxes and arbridge run"
	}
	fmt.Fprintf(s.opt.Out, "%s on loopback: Q360 %s, Invoiced %s, webhooks http://%s\n", begin, s.world.erpURL, s.world.portalURL, s.listener.Addr())
	if s.opt.Faults {
		if err := s.world.misbehave(s.opt.Seed); err != nil {
			return err
		}
	}
	acts := s.business(ctx)
	if s.world.story {
		acts = append(acts, s.people()...)
	}
	if err := s.play(ctx, acts); err != nil {
		return err
	}
	s.progress.end()
	return s.conclude(ctx)
}

// conclude compares both vendors and prints what there is.
func (s *stage) conclude(ctx context.Context) error {
	b, err := s.compare(ctx)
	if err != nil {
		return err
	}
	agree := b.print(s.opt.Out)
	shown := true
	if s.world.story {
		if shown, err = s.printFeatures(ctx, b); err != nil {
			return err
		}
	}
	if err := s.keep(doneFile, ""); err != nil {
		return err
	}
	fmt.Fprintf(s.opt.Out, "\nLook closer: .build/arbridge show --data %s %s\n", s.opt.Dir, example(s))
	if n := b.unknownMails(); n > 0 {
		fmt.Fprintf(s.opt.Out, "The answers to %d e-mails were lost: these are noted at their invoices, and not sent a second time.\n", n)
	}
	switch {
	case !agree:
		return ErrDifferences
	case !shown:
		return ErrNotShown
	}
	fmt.Fprintln(s.opt.Out, "Both sides agree to the cent.")
	return nil
}

// business is what the generated business does.
func (s *stage) business(ctx context.Context) []act {
	nothing := func(context.Context) error { return nil }
	return []act{
		{"documents", 0, "Day 0: arbridge starts. 90 days of posted invoices go over", []string{
			"customers, contacts, lines, taxes, freight and PDFs go with them; each company has its own rules",
		}, nothing},
		{"payments", 3*time.Hour + 30*time.Minute, "Day 0, evening: customers view, comment and pay", []string{
			"by card with a fee, by bank debit, in part, several invoices at once; some fail, some are pending; company ca gets every webhook twice",
		}, func(context.Context) error { return s.pay(ctx) }},
		{"new", 6 * time.Hour, "Day 0, night: 30 new invoices are posted", nil, func(context.Context) error { return s.bill(0, 30) }},
	}
}

// people is what people do with invoices of the story.
func (s *stage) people() []act {
	const hour = time.Hour
	return []act{
		{"enter", 8 * hour, "Clerks post invoices whose numbers say what will happen to them", []string{
			"company lab tries arbridge out: sandbox mode, one pilot customer, no invoice without its PDF, receipts keyed in by hand",
			"company rent issues its invoices itself: they go over as drafts",
		}, func(context.Context) error { return s.world.enter() }},
		{"pay", 28 * hour, "Day 1: customers pay some of them", []string{
			"two customers are merged in the portal and pay TWIN-1 and TWIN-2 at once; CHECK-1 is a check that the portal did not charge",
			"credit note CREDIT-1 is posted and finds its contract's open invoice CRED-1; a customer enrolls in AutoPay, and AUTO-1 is collected",
		}, s.payStory},
		{"back", 32 * hour, "Day 1, night: money goes back after its receipts were posted", []string{
			"VOIDPAY-1 is voided, REFUND-1 refunded in part, REFUND-2 in whole, DISPUTE-1 disputed, RETURN-1 returned by the bank",
			"CRED-1 is paid, but for what the credit note paid",
		}, s.takeBack},
		{"correct", 52 * hour, "Day 2: clerks correct invoices, and staff removes some in the portal", []string{
			"CHANGE-1 changes while unpaid, CHANGE-2 after a part was paid; UNPOST-1 is un-posted, GONE-1 deleted",
			"VOID-1 is voided and DELETE-1 deleted in the portal; both change in the ERP afterwards",
			"customer STAGE-US gets another name, terms, address and e-mail in the ERP, and its own data in the portal",
			"the PDF that WAIT-1 waits for comes, and that of NOTE-1 is replaced",
		}, s.correct},
		{"webhooks", 56 * hour, "Day 2, night: the portal's webhooks are lost for a while", []string{"WEB-1, WEB-2 and WEB-3 are paid meanwhile"}, s.loseWebhooks},
		{"pause", 76 * hour, "Day 3: an operator pauses payments, and resumes", []string{
			"PAUSE-1 is paid meanwhile; HAND-1 is paid, and a clerk keys its receipt in by hand under another reference",
		}, s.holdPayments},
		{"decide", 78 * hour, "Day 3: the operator decides", []string{
			"the receipt of HAND-1 is taken as the payment's own; DELETE-1 is left alone, with a reason; company rent is read-only for a while",
		}, func(ctx context.Context) error {
			return each(func() error { return s.adopt(ctx) }, func() error { return s.decide(ctx) }, func() error { return s.readOnly(ctx) })
		}},
		{"much", 80 * hour, "Day 3, night: payments that the ERP does not take as they are", []string{
			"100.00 of OVER-1 and OVER-2 were written off, and customers pay all of it; PERIOD-1 and PERIOD-2 are paid in a closed period",
			"company ca puts the rest on account and takes the next open day; company eu holds both for a person",
		}, s.payTooMuch},
		{"right", 100 * hour, "Day 4: people put it right", []string{
			"the period is opened and the payment of PERIOD-2 synced; a clerk keys in the receipt of HOLD-1 under its reference",
			"credit note CREDIT-2 finds its customer's oldest open invoice, WAIT-1",
		}, s.putRight},
		{"lost", 104 * hour, "Day 4, night: the ERP loses the answer to a receipt, and refuses history entries", []string{"LOST-1 is paid"}, s.loseAnswers},
		{"loosen", 124 * hour, "Day 5: company lab lets all its customers take part; arbridge starts again with the new rule", nil, s.loosen},
		{"backfill", 125 * hour, "Day 5: what the looser rule lets through goes over", nil, s.backfill},
		{"end", 148 * hour, "Day 6: a day later nothing is left to do", nil, func(context.Context) error { return nil }},
	}
}

// example is the number of an invoice that was paid.
func example(s *stage) string {
	l, err := s.world.portal.Ledger(branches[0].id)
	if err != nil {
		return "NUMBER"
	}
	for _, p := range l.Payments {
		if p.Status == "succeeded" && len(p.Applied) > 0 {
			return p.Applied[0].Invoice
		}
	}
	return "NUMBER"
}

// live lets the business go on until the context ends: invoices are posted, customers view, comment and pay.
func (s *stage) live(ctx context.Context) error {
	fmt.Fprintf(s.opt.Out, `arbridge is running; Ctrl-C ends it and the next make run continues.
  Q360 sandbox      %s   books: %s/__sandbox/ledger
  Invoiced sandbox  %s   books: %s/_sim/ledger?account=us
  arbridge          http://%s
  records           .build/arbridge list --data %s
  one document      .build/arbridge show --data %s NUMBER

`, s.world.erpURL, s.world.erpURL, s.world.portalURL, s.world.portalURL, s.listener.Addr(), s.opt.Dir, s.opt.Dir)
	for n := s.firstLive(); ; n++ {
		if err := (clock.System{}).Sleep(ctx, 2*time.Second); err != nil {
			return nil
		}
		if err := s.bill(n, n+1); err != nil {
			return err
		}
		if err := s.liveCustomers(n); err != nil {
			return err
		}
		if err := s.rememberLive(n + 1); err != nil {
			return err
		}
		s.progress.show(fmt.Sprintf("%d new invoices so far", n+1), s.world)
	}
}

// liveCustomers lets one customer look and, every other time, pay.
func (s *stage) liveCustomers(n int) error {
	groups, err := s.world.debts()
	if err != nil || len(groups) == 0 {
		return err
	}
	g := groups[n%len(groups)]
	if err := s.world.look(g[0], n); err != nil {
		return err
	}
	switch n % 4 {
	case 0:
		return s.world.payment(g[:min(2, len(g))], "credit_card", "succeeded", nil)
	case 1:
		return s.world.debit(g[:1], "succeeded")
	case 2:
		return s.world.payment(g[:1], "credit_card", "succeeded", half)
	}
	return nil
}

func (s *stage) firstLive() int {
	text, err := os.ReadFile(filepath.Join(s.opt.Dir, "live"))
	if err != nil {
		return 0
	}
	var n int
	if _, err := fmt.Sscan(string(text), &n); err != nil {
		return 0
	}
	return n
}

func (s *stage) rememberLive(n int) error {
	return os.WriteFile(filepath.Join(s.opt.Dir, "live"), []byte(fmt.Sprint(n)), 0o600)
}

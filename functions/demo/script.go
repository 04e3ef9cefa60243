package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
)

// toTheEnd plays ninety days of business until nothing is left to do, compares both sides, and says where to look.
func (s *stage) toTheEnd(ctx context.Context) error {
	fmt.Fprintf(s.opt.Out, "Two sandboxes and arbridge run on loopback: Q360 %s, Invoiced %s, webhooks http://%s\n", s.world.erpURL, s.world.portalURL, s.listener.Addr())
	if s.opt.Faults {
		if err := s.world.misbehave(s.opt.Seed); err != nil {
			return err
		}
	}
	for _, act := range []struct {
		doing string
		do    func() error
	}{
		{"90 days of posted invoices go over", func() error { return nil }},
		{"customers view, comment and pay", func() error { return s.pay(ctx) }},
		{"new invoices are posted", func() error { return s.bill(0, 30) }},
	} {
		if err := act.do(); err != nil {
			return err
		}
		if err := s.settle(ctx, act.doing); err != nil {
			return err
		}
		if err := s.clock.move(2 * time.Hour); err != nil {
			return err
		}
	}
	s.progress.end()
	books, left, err := s.compare(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.opt.Out)
	agree := printBooks(s.opt.Out, books, left)
	if err := os.WriteFile(filepath.Join(s.opt.Dir, doneFile), nil, 0o600); err != nil {
		return fmt.Errorf("ending the demo: %w", err)
	}
	fmt.Fprintf(s.opt.Out, "\nLook closer: .build/arbridge show --data %s %s\n", s.opt.Dir, example(s))
	if !agree {
		return ErrDifferences
	}
	fmt.Fprintln(s.opt.Out, "Both sides agree to the cent.")
	return nil
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

package main

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/issue"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/sqlite"
)

// troubled is a site with records that need a person, an event that could not be used and a vendor that is not called.
func troubled(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	now := clock.System{}.Now()
	add := func(db *sqlite.Store, c store.Collection, id string, v any) {
		data, err := json.Marshal(v)
		if err == nil {
			_, err = db.Write(t.Context(), store.Write{Collection: c, ID: id, Data: data})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.change(func(db *sqlite.Store) {
		for _, r := range []struct {
			kind                     billing.Kind
			number, customer, amount string
			reason                   plan.Reason
		}{
			{billing.KindPayment, "5007001", "", "12399.50", plan.Because(plan.Overpayment, "amount", "12399.50 USD", "invoice", "104233", "balance", "0.00 USD")},
			{billing.KindPayment, "5007002", "", "1000.50", plan.Because(plan.Overpayment, "amount", "1000.50 USD", "invoice", "104240", "balance", "10.00 USD")},
			{billing.KindInvoice, "104300", "C00012", "250.00", plan.Because(plan.NumberTaken, "number", "104300", "owner", "C00099")},
		} {
			rec := record.Record{Company: "us", Kind: r.kind, SourceID: r.number, Customer: r.customer, Currency: "USD", PortalTotal: r.amount,
				CreatedAt: store.At(now.AddDate(0, 0, -3)), UpdatedAt: store.At(now)}
			rec.Set(record.Attention, []plan.Reason{r.reason})
			add(db, store.Records, rec.ID(), rec)
		}
		add(db, store.Inbox, "us/99", record.Inbox{Company: "us", EventID: "99", Type: "invoice.viewed", State: record.InboxFailed, Via: "webhook",
			Raw: `{"email":"dana@example.org"}`, Effect: "history entry refused: no such code", ReceivedAt: store.At(now)})
		add(db, store.Controls, "us/breaker/q360", record.Breaker{Company: "us", Vendor: "q360", State: record.BreakerOpen, Problem: "connection refused",
			Until: store.At(now.Add(time.Minute)), ChangedAt: store.At(now)})
		if err := issue.New(db, clock.System{}, slog.New(slog.DiscardHandler)).Refresh(t.Context(), "us"); err != nil {
			t.Fatal(err)
		}
	})
	return s
}

func TestIssues(t *testing.T) {
	s := troubled(t)
	list := answer[struct{ Issues []issue.Issue }](s, exitAttention, "issues").Issues
	var causes []string
	for _, i := range list {
		causes = append(causes, i.Cause)
	}
	if got := strings.Join(causes, " "); got != "overpayment erp_not_called events_failed number_taken" || list[0].Money["USD"] != "13400.00" {
		t.Fatalf("%s: %+v", got, list[0])
	}
	text := s.arbridge(exitAttention, "issues", "--company", "us")
	for _, want := range []string{"AT STAKE", "13,400.00 USD", "payments.overpayment", "4 open, 13,650.00 USD at stake"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	s.arbridge(exitUsage, "issues", "--company", "mars")
	s.arbridge(exitUsage, "issues", "show", "us")
	s.arbridge(exitUsage, "issues", "show", "mars", "overpayment")
	if text := s.arbridge(exitFailure, "issues", "show", "us", "late_fees"); !strings.Contains(text, "no such issue") {
		t.Error(text)
	}
	d := answer[issueDetail](s, exitAttention, "issues", "show", "us", "overpayment")
	if len(d.Rows) != 2 || d.Rows[0].Number != "5007001" || d.Issue.Count != 2 {
		t.Errorf("%+v", d)
	}
	text = s.arbridge(exitAttention, "issues", "show", "us", "overpayment")
	if !strings.Contains(text, "5007002") || !strings.Contains(text, "what to do") || !strings.Contains(text, "pays 12399.50 USD on invoice 104233") {
		t.Error(text)
	}
	text = s.arbridge(exitAttention, "issues", "show", "us", "events_failed")
	if !strings.Contains(text, "invoice.viewed") || strings.Contains(text, "dana") {
		t.Error(text)
	}
	if events := answer[issueDetail](s, exitAttention, "issues", "show", "us", "events_failed").Events; len(events) != 1 || events[0].Raw != "" {
		t.Errorf("%+v", events)
	}
}

// TestIssuesResolve: what a person puts right is no issue any more, and is still known.
func TestIssuesResolve(t *testing.T) {
	s := troubled(t)
	s.change(func(db *sqlite.Store) {
		records := store.Table[record.Record]{Store: db, Collection: store.Records}
		r, version, err := records.Get(t.Context(), "us/invoice/104300")
		if err != nil {
			t.Fatal(err)
		}
		r.Set(record.Synced, nil)
		r.UpdatedAt = store.At(r.UpdatedAt.Add(time.Second))
		if _, err := records.Update(t.Context(), "us/invoice/104300", r, version); err != nil {
			t.Fatal(err)
		}
		if err := issue.New(db, clock.System{}, slog.New(slog.DiscardHandler)).Refresh(t.Context(), "us"); err != nil {
			t.Fatal(err)
		}
	})
	if text := s.arbridge(exitAttention, "issues"); strings.Contains(text, "number_taken") {
		t.Error(text)
	}
	text := s.arbridge(exitAttention, "issues", "--all")
	if !strings.Contains(text, "resolved") || !strings.Contains(text, "number_taken") {
		t.Error(text)
	}
	if text := s.arbridge(exitOK, "issues", "show", "us", "number_taken"); !strings.Contains(text, "until") {
		t.Error(text)
	}
}

func TestNoIssues(t *testing.T) {
	s := newSite(t)
	s.change(func(*sqlite.Store) {})
	if text := s.arbridge(exitOK, "issues"); text != "Nothing needs a person.\n" {
		t.Error(text)
	}
	if list := answer[struct{ Issues []issue.Issue }](s, exitOK, "issues").Issues; list == nil || len(list) != 0 {
		t.Errorf("%v", list)
	}
}

func TestDigestPreview(t *testing.T) {
	s := troubled(t)
	s.arbridge(exitUsage, "digest")
	s.arbridge(exitUsage, "digest", "--preview", "--company", "mars")
	s.arbridge(exitUsage, "digest", "--preview", "--day", "monday")
	text := s.arbridge(exitOK, "digest", "--preview")
	for _, want := range []string{"Next: never: notify.digest is off", "Subject: arbridge: 4 problems, 13,650.00 USD at stake (us)", "What to do: Check the invoice's balance"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	s.configure("      notify.recipients: [ar@example.com]\n      notify.at: 06:30\n")
	if text := s.arbridge(exitOK, "digest", "--preview", "--day", "2026-05-04"); !strings.Contains(text, "Next: never: deployment.mail is missing") ||
		!strings.Contains(text, "Monday, 4 May 2026") {
		t.Error(text)
	}
	if text := s.arbridge(exitAttention, "config", "validate"); !strings.Contains(text, "deployment.mail: missing, so the digest of us is not sent") {
		t.Error(text)
	}
}

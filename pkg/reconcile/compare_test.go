package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/reconcile"
	"github.com/arbridge/arbridge/pkg/record"
)

// texts is what a test says of differences: kind, number, amount, stake and whether it is explained.
func texts(r reconcile.Report) []string {
	var out []string
	for _, d := range r.Differences {
		state := "UNEXPLAINED"
		if d.Explained {
			state = d.Code
		}
		out = append(out, fmt.Sprintf("%s %s %d stake %d %s", d.Kind, d.Number, d.Amount, d.Stake, state))
	}
	slices.Sort(out)
	return out
}

func TestInStep(t *testing.T) {
	r := reconcile.Compare(inStep())
	if len(r.Differences) != 0 || r.State() != reconcile.OK {
		t.Fatalf("differences in a business in step: %+v", r.Differences)
	}
	exact(t, r)
	if len(r.Books) != 2 || r.Books[0].Period != "2026-04" || r.Books[1].Period != "2026-05" {
		t.Fatalf("books %+v", r.Books)
	}
	april, may := r.Books[0], r.Books[1]
	for _, c := range []struct {
		name  string
		sum   reconcile.Sum
		count int
		text  string
	}{
		{"posted in April", april.Posted, 1, "100.00 USD"}, {"qualified in April", april.Qualified, 1, "100.00 USD"},
		{"posted in May", may.Posted, 2, "30.00 USD"}, {"portal in May", may.Portal, 2, "30.00 USD"},
		{"credits in the ERP", may.CreditsERP, 1, "-20.00 USD"}, {"credits in the portal", may.CreditsPortal, 1, "-20.00 USD"},
		{"payments", may.Payments, 1, "103.00 USD"}, {"receipts", may.Receipts, 1, "103.00 USD"}, {"fees in payments", may.FeesPortal, 1, "3.00 USD"},
		{"fees in receipts", may.FeesERP, 1, "3.00 USD"}, {"open in the ERP", may.ERPOpen, 2, "30.00 USD"},
	} {
		if c.sum.Count != c.count || c.sum.Amount.String() != c.text {
			t.Errorf("%s: %d, %s; want %d, %s", c.name, c.sum.Count, c.sum.Amount, c.count, c.text)
		}
	}
}

// disturbance is one thing that is not in step and what the comparison has to say of it.
type disturbance struct {
	name   string
	change func(in *reconcile.Input)
	want   []string
}

func documentDisturbances() []disturbance {
	return []disturbance{
		{"a posted document is missing in the portal", func(in *reconcile.Input) {
			dropPortal(in, "104234")
			dropRecord(in, "104234")
		}, []string{"missing_in_portal 104234 5000 stake 5000 UNEXPLAINED"}},
		{"it was posted after the last poll", func(in *reconcile.Input) {
			dropPortal(in, "104234")
			dropRecord(in, "104234")
			erp(in, "104234").Modified = now().Unix()
		}, []string{"missing_in_portal 104234 5000 stake 5000 not_polled_yet"}},
		{"a rule keeps it out", func(in *reconcile.Input) {
			dropPortal(in, "104234")
			dropRecord(in, "104234")
			in.Settings.Qualify.ExcludeCustomers = []string{"C1"}
		}, []string{"missing_in_portal 104234 5000 stake 5000 customer_excluded"}},
		{"its currency has no bank account", func(in *reconcile.Input) {
			dropPortal(in, "104234")
			dropRecord(in, "104234")
			in.Settings.Payments.GLAccounts = map[money.Currency]string{}
		}, []string{"missing_in_portal 104234 5000 stake 5000 no_gl_account"}},
		{"its record says why it waits", func(in *reconcile.Input) {
			dropPortal(in, "104234")
			status(in, "104234", record.Waiting, plan.Because(plan.WaitsForCustomer, "customer", "C1"))
			rec(in, "104234").PortalID = ""
		}, []string{"missing_in_portal 104234 5000 stake 5000 waits_for_customer"}},
		{"its record has been due for days", func(in *reconcile.Input) {
			dropPortal(in, "104234")
			status(in, "104234", record.Scheduled)
			rec(in, "104234").PortalID, rec(in, "104234").Due = "", now().Add(-50*time.Hour).Unix()
		}, []string{"missing_in_portal 104234 5000 stake 5000 UNEXPLAINED"}},
		{"it was deleted in the portal", func(in *reconcile.Input) { dropPortal(in, "104234") },
			[]string{"deleted_in_portal 104234 5000 stake 5000 UNEXPLAINED"}},
		{"it was voided in the portal", func(in *reconcile.Input) { portal(in, "104234").Voided = true },
			[]string{"voided_in_portal 104234 5000 stake 5000 UNEXPLAINED"}},
		{"it was voided in the portal, and its record knows", func(in *reconcile.Input) {
			portal(in, "104234").Voided = true
			status(in, "104234", record.Attention, plan.Because(plan.VoidedInPortal))
		}, []string{"voided_in_portal 104234 5000 stake 5000 voided_in_portal"}},
		{"it vanished from the ERP", func(in *reconcile.Input) { dropERP(in, "104234") },
			[]string{"missing_in_erp 104234 -5000 stake 5000 UNEXPLAINED"}},
		{"it was paid and vanished from the ERP", func(in *reconcile.Input) { dropERP(in, "104233") },
			[]string{"missing_in_erp 104233 -10000 stake 10000 UNEXPLAINED"}},
		{"it was partly paid and is not posted any more", func(in *reconcile.Input) {
			erp(in, "104233").Posted = false
			portal(in, "104233").Balance = 4_000
		}, []string{"unposted_in_erp 104233 -10000 stake 6000 UNEXPLAINED"}},
		{"its total differs", func(in *reconcile.Input) { erp(in, "104234").Total, erp(in, "104234").Balance = 5_100, 5_100 },
			[]string{"balance_differs 104234 100 stake 0 follows", "total_differs 104234 100 stake 100 UNEXPLAINED"}},
		{"its total differs, and its record knows", func(in *reconcile.Input) {
			erp(in, "104234").Total, erp(in, "104234").Balance = 5_100, 5_100
			status(in, "104234", record.Attention, plan.Because(plan.UpdatesOff))
		}, []string{"balance_differs 104234 100 stake 0 follows", "total_differs 104234 100 stake 100 updates_off"}},
		{"its currency differs", func(in *reconcile.Input) { portal(in, "104234").Currency = money.CAD },
			[]string{"currency_differs 104234 -5000 stake 5000 UNEXPLAINED", "currency_differs 104234 5000 stake 5000 UNEXPLAINED"}},
		{"a credit has another amount", func(in *reconcile.Input) {
			portal(in, "104235").Total, portal(in, "104235").Balance = -1_900, -1_900
		}, []string{"balance_differs 104235 -100 stake 0 follows", "total_differs 104235 -100 stake 100 UNEXPLAINED"}},
		{"a credit is missing in the portal", func(in *reconcile.Input) {
			dropPortal(in, "104235")
			status(in, "104235", record.Skipped, plan.Because(plan.CreditsOff))
			rec(in, "104235").PortalID = ""
		}, []string{"missing_in_portal 104235 -2000 stake 2000 credit_notes_off"}},
		{"the portal has it twice", func(in *reconcile.Input) {
			d := *portal(in, "104234")
			d.ID = "px"
			in.Portal.Documents = append(in.Portal.Documents, d)
		}, []string{"several_in_portal 104234 -5000 stake 5000 UNEXPLAINED"}},
		{"the other one of two was voided", func(in *reconcile.Input) {
			d := *portal(in, "104234")
			d.ID, d.Voided = "px", true
			in.Portal.Documents = append(in.Portal.Documents, d)
		}, nil},
		{"documents that are not ours", func(in *reconcile.Input) {
			in.Portal.Documents = append(in.Portal.Documents,
				reconcile.Document{Traits: invoice(""), Number: "X-1", ID: "f1", Total: 700, Balance: 700},
				reconcile.Document{Traits: invoice("02/104299"), Number: "104299", ID: "f2", Total: 900})
		}, nil},
		{"it is outside of the compared time", func(in *reconcile.Input) {
			bill(in, "1", 100, "2026-03-31")
			bill(in, "2", 100, "2026-05-21")
			dropPortal(in, "1")
			dropERP(in, "2")
		}, nil},
		{"it is older and still open", func(in *reconcile.Input) {
			in.Open = true
			bill(in, "1", 100, "2025-12-31")
			dropPortal(in, "1")
		}, []string{"deleted_in_portal 1 100 stake 100 UNEXPLAINED"}},
	}
}

func balanceDisturbances() []disturbance {
	return []disturbance{
		{"a payment was keyed in by hand", func(in *reconcile.Input) {
			erp(in, "104234").Balance -= 2_000
			in.ERP.Receipts = append(in.ERP.Receipts, reconcile.Receipt{Number: "R9", Reference: "check 77", Company: "01", Date: "2026-05-06",
				Currency: money.USD, Amount: 2_000, Lines: []reconcile.Applied{{Invoice: "104234", Amount: 2_000}}})
		}, []string{"paid_outside 104234 -2000 stake 2000 keyed_by_hand"}},
		{"the ERP's balance fell and no receipt says why", func(in *reconcile.Input) { erp(in, "104234").Balance -= 2_000 },
			[]string{"paid_outside 104234 -2000 stake 2000 UNEXPLAINED"}},
		{"part by hand, part without a reason", func(in *reconcile.Input) {
			erp(in, "104234").Balance -= 2_001
			in.ERP.Receipts = append(in.ERP.Receipts, reconcile.Receipt{Number: "R9", Reference: "check 77", Company: "01", Date: "2026-05-06",
				Currency: money.USD, Amount: 2_000, Lines: []reconcile.Applied{{Invoice: "104234", Amount: 2_000}}})
		}, []string{"paid_outside 104234 -1 stake 1 UNEXPLAINED", "paid_outside 104234 -2000 stake 2000 keyed_by_hand"}},
		{"it was partly paid before it went over", func(in *reconcile.Input) {
			erp(in, "104234").Balance -= 2_000
			status(in, "104234", record.Synced, plan.Because(plan.PartlyPaidInERP, "paid", "20.00 USD", "total", "50.00 USD"))
		}, []string{"paid_outside 104234 -2000 stake 2000 partly_paid_in_erp"}},
		{"receipts can not be listed", func(in *reconcile.Input) {
			erp(in, "104234").Balance -= 2_000
			in.ERP.Receipts, in.NoReceipts = nil, "receipts are switched off"
		}, []string{"balance_differs 104234 -2000 stake 2000 receipts_not_listed", "payment_without_receipt 5001 -10300 stake 0 receipts_not_listed"}},
		{"the portal's balance fell and no payment says why", func(in *reconcile.Input) { portal(in, "104234").Balance -= 2_000 },
			[]string{"balance_differs 104234 2000 stake 2000 UNEXPLAINED"}},
		{"a payment is on its way", func(in *reconcile.Input) {
			portal(in, "104234").Balance = 0
			in.Portal.Payments = append(in.Portal.Payments, reconcile.Payment{ID: "5002", Date: "2026-05-18", Currency: money.USD, Charged: true,
				Status: billing.ChargePending, Amount: 5_000, Parts: []reconcile.Part{{Type: billing.ApplyInvoice, InvoiceID: "p104234", Amount: 5_000}}})
		}, []string{"balance_differs 104234 5000 stake 0 payment_pending"}},
		{"credit was applied in the portal only", func(in *reconcile.Input) {
			portal(in, "104234").Balance -= 2_000
			portal(in, "104235").Balance = 0
			in.Portal.Payments = append(in.Portal.Payments, reconcile.Payment{ID: "5002", Date: "2026-05-18", Currency: money.USD,
				Parts: []reconcile.Part{{Type: billing.ApplyCreditNote, InvoiceID: "p104234", Amount: 2_000}}})
		}, []string{"credit_used 104234 2000 stake 2000 credit_applied", "credit_used 104235 -2000 stake 2000 credit_applied"}},
		{"a receipt's lines are not those of the payment", func(in *reconcile.Input) {
			in.ERP.Receipts[0].Lines, in.ERP.Receipts[0].OnAccount = nil, 10_000
			erp(in, "104233").Balance = 10_000
		}, []string{"balance_differs 104233 10000 stake 10000 UNEXPLAINED"}},
		{"what was paid too much is owed again, because the invoice was raised", func(in *reconcile.Input) {
			in.ERP.Receipts[0].Lines, in.ERP.Receipts[0].OnAccount = nil, 10_000
			erp(in, "104233").Balance = 10_000
			status(in, "104233", record.Attention, plan.Because(plan.ChangedWhenPaid, "total", "100.00 USD", "paid", "100.00 USD", "portal", "100.00 USD"))
		}, []string{"balance_differs 104233 10000 stake 10000 on_account"}},
		{"more was paid than is owed by now", func(in *reconcile.Input) {
			in.ERP.Receipts[0].Lines[0].Amount, in.ERP.Receipts[0].OnAccount = 4_000, 6_000
			erp(in, "104233").Total, portal(in, "104233").Balance = 4_000, 1
		}, []string{"balance_differs 104233 -6000 stake 0 follows", "balance_differs 104233 6000 stake 6000 on_account", "paid_outside 104233 -1 stake 1 UNEXPLAINED", "total_differs 104233 -6000 stake 6000 UNEXPLAINED"}},
		{"the ERP applies receipts later", func(in *reconcile.Input) {
			in.Later = true
			erp(in, "104233").Balance = 10_000
		}, []string{"balance_differs 104233 10000 stake 0 applied_later"}},
	}
}

func moneyDisturbances() []disturbance {
	return []disturbance{
		{"a settled payment has no receipt", func(in *reconcile.Input) {
			dropReceipt(in, "R5001")
			rec(in, "5001").Receipts = nil
			erp(in, "104233").Balance = 10_000
		}, []string{"balance_differs 104233 10000 stake 0 follows", "payment_without_receipt 5001 -10300 stake 10300 UNEXPLAINED"}},
		{"its receipt waits to be keyed in", func(in *reconcile.Input) {
			dropReceipt(in, "R5001")
			status(in, "5001", record.Waiting, plan.Because(plan.HeldForEntry, "reference", "IVD-5001"))
			erp(in, "104233").Balance = 10_000
		}, []string{"balance_differs 104233 10000 stake 0 follows", "payment_without_receipt 5001 -10300 stake 10300 held_for_entry"}},
		{"its receipt was reversed in the ERP", func(in *reconcile.Input) {
			dropReceipt(in, "R5001")
			erp(in, "104233").Balance = 10_000
		}, []string{"balance_differs 104233 10000 stake 0 follows", "receipt_gone 5001 -10300 stake 10300 UNEXPLAINED"}},
		{"payments are not synced", func(in *reconcile.Input) {
			dropReceipt(in, "R5001")
			dropRecord(in, "5001")
			in.Settings.Payments.Mode = "off"
			erp(in, "104233").Balance = 10_000
		}, []string{"balance_differs 104233 10000 stake 0 follows", "payment_without_receipt 5001 -10300 stake 10300 payments_off"}},
		{"no event told of it", func(in *reconcile.Input) {
			dropReceipt(in, "R5001")
			dropRecord(in, "5001")
			erp(in, "104233").Balance = 10_000
		}, []string{"balance_differs 104233 10000 stake 0 follows", "payment_untold 5001 -10300 stake 10300 UNEXPLAINED"}},
		{"its event may be on its way", func(in *reconcile.Input) {
			dropReceipt(in, "R5001")
			dropRecord(in, "5001")
			in.Portal.Payments[0].Updated = now().Add(-time.Minute).Unix()
			erp(in, "104233").Balance = 10_000
		}, []string{"balance_differs 104233 10000 stake 0 follows", "payment_without_receipt 5001 -10300 stake 10300 event_on_its_way"}},
		{"the receipt has another amount", func(in *reconcile.Input) { in.ERP.Receipts[0].Amount++ },
			[]string{"receipt_differs 5001 1 stake 1 UNEXPLAINED"}},
		{"the fee is left out", func(in *reconcile.Input) {
			in.ERP.Receipts[0].Amount, in.ERP.Receipts[0].Fees = 10_000, 0
			in.Settings.Fees.Strategy = "exclude"
		}, []string{"fee_left_out 5001 -300 stake 0 fee_excluded"}},
		{"the fee is missing and should not be", func(in *reconcile.Input) { in.ERP.Receipts[0].Amount, in.ERP.Receipts[0].Fees = 10_000, 0 },
			[]string{"receipt_differs 5001 -300 stake 300 UNEXPLAINED"}},
		{"part of it was refunded", func(in *reconcile.Input) {
			in.Portal.Payments[0].Refunded = 1_000
			status(in, "5001", record.Attention, plan.Because(plan.Refunded))
		}, []string{"money_went_back 5001 1000 stake 1000 refunded"}},
		{"all of it was refunded, and nobody noticed", func(in *reconcile.Input) { in.Portal.Payments[0].Refunded = 10_300 },
			[]string{"money_went_back 5001 10300 stake 10300 refunded_in_full"}},
		{"it was refunded before it was posted", func(in *reconcile.Input) {
			dropReceipt(in, "R5001")
			in.Portal.Payments[0].Refunded = 10_300
			status(in, "5001", record.Attention, plan.Because(plan.RefundedBefore))
			rec(in, "5001").Receipts = nil
		}, nil},
		{"it was voided after it was posted", func(in *reconcile.Input) {
			in.Portal.Payments[0].Voided = true
			portal(in, "104233").Balance = 10_000
		}, []string{"balance_differs 104233 -10000 stake 0 follows", "receipt_of_unsettled_payment 5001 10300 stake 10300 reversed_after_posting"}},
		{"it is pending and was posted", func(in *reconcile.Input) { in.Portal.Payments[0].Status = billing.ChargePending },
			[]string{"receipt_of_unsettled_payment 5001 10300 stake 10300 UNEXPLAINED"}},
		{"it is gone in the portal", func(in *reconcile.Input) {
			in.Portal.Payments = nil
			portal(in, "104233").Balance = 10_000
		}, []string{"balance_differs 104233 -10000 stake 0 follows", "payment_deleted 5001 10300 stake 10300 UNEXPLAINED"}},
		{"a receipt has our prefix and no payment", func(in *reconcile.Input) { orphan(in, "R9", "IVD-9999") },
			[]string{"receipt_without_payment 9999 700 stake 700 UNEXPLAINED"}},
		{"it belongs to another company's payment", func(in *reconcile.Input) {
			orphan(in, "R9", "IVD-9999-2")
			in.Elsewhere = map[string]string{"IVD-9999-2": "ca"}
		}, []string{"receipt_of_other_company 9999 700 stake 0 other_company"}},
		{"part of the payment is another company's", func(in *reconcile.Input) {
			in.Portal.Payments[0].Amount += 700
			orphan(in, "R9", "IVD-5001-2")
			in.ERP.Receipts[1].Company = "02"
		}, []string{"receipt_of_other_company 5001 -700 stake 0 other_company"}},
		{"two receipts have one reference", func(in *reconcile.Input) { orphan(in, "R9", "IVD-5001") },
			[]string{"several_receipts 5001 700 stake 700 UNEXPLAINED"}},
		{"the second of two receipts", func(in *reconcile.Input) {
			in.Portal.Payments[0].Amount += 700
			in.Portal.Payments[0].Unapply = 700
			orphan(in, "R9", "IVD-5001-2")
		}, nil},
		{"a receipt by hand that was adopted", func(in *reconcile.Input) {
			in.ERP.Receipts[0].Reference = "check 9"
			rec(in, "5001").Receipts[0].Adopted = true
		}, nil},
		{"a receipt in another currency", func(in *reconcile.Input) { in.ERP.Receipts[0].Currency = money.CAD },
			[]string{"currency_differs 5001 10300 stake 10300 UNEXPLAINED",
				"payment_without_receipt 5001 -10300 stake 10300 UNEXPLAINED"}},
		{"a receipt without a payment of ours", func(in *reconcile.Input) { orphan(in, "R9", "wire 4") }, nil},
	}
}

// invoice has the traits of an invoice in the portal.
func invoice(owner string) *reconcile.Traits {
	return &reconcile.Traits{Kind: billing.KindInvoice, Date: "2026-05-02", Currency: money.USD, Owner: owner}
}

func orphan(in *reconcile.Input, number, reference string) {
	in.ERP.Receipts = append(in.ERP.Receipts, reconcile.Receipt{Number: number, Reference: reference, Company: "01", Customer: "C1", Date: "2026-05-07",
		Currency: money.USD, Amount: 700, OnAccount: 700})
}

// TestDifferences: each thing that can go wrong gives exactly its difference, and the sums still add up.
func TestDifferences(t *testing.T) {
	for _, c := range slices.Concat(documentDisturbances(), balanceDisturbances(), moneyDisturbances()) {
		t.Run(c.name, func(t *testing.T) {
			in := inStep()
			c.change(&in)
			r := reconcile.Compare(in)
			if got := texts(r); !slices.Equal(got, c.want) {
				t.Errorf("got\n  %s\nwant\n  %s\nin full %+v", strings.Join(got, "\n  "), strings.Join(c.want, "\n  "), r.Differences)
			}
			for _, d := range r.Differences {
				if d.Why == "" || d.Code == "" || !d.Explained && d.Action == "" {
					t.Errorf("no reason or nothing to do: %+v", d)
				}
			}
			exact(t, r)
		})
	}
}

func TestForeignDocumentsAreCounted(t *testing.T) {
	in := inStep()
	in.Portal.Documents = append(in.Portal.Documents,
		reconcile.Document{Traits: invoice(""), Number: "X-1", ID: "f1", Total: 700, Balance: 700},
		reconcile.Document{Traits: invoice(""), Number: "X-2", ID: "f2", Total: 700, Voided: true})
	orphan(&in, "R9", "wire 4")
	r := reconcile.Compare(in)
	if may := r.Books[1]; may.Foreign.Count != 1 || may.Foreign.Amount.String() != "7.00 USD" || may.ByHand.Count != 1 || len(r.Differences) != 0 {
		t.Errorf("%+v, %+v", may, r.Differences)
	}
}

func TestNotes(t *testing.T) {
	in := inStep()
	in.NoReceipts = "receipts are switched off"
	for i := range 7 {
		in.Unread = append(in.Unread, fmt.Sprintf("invoice %d: no total", i))
	}
	notes := reconcile.Compare(in).Notes
	if len(notes) != 7 || !strings.Contains(notes[0], "switched off") || !strings.Contains(notes[6], "2 more") {
		t.Errorf("notes %q", notes)
	}
}

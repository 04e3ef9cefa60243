package plan_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/settings"
)

// found is what the portal would have after the plan's create.
func found(d billing.PortalDocument) billing.PortalDocument {
	d.ID, d.Balance, d.Status = "900", d.Total, "not_sent"
	return d
}

func TestInvoiceVerdicts(t *testing.T) {
	base := func() plan.InvoiceInput {
		return plan.InvoiceInput{Source: invoice(), Settings: company(), CustomerID: "77", Looked: true}
	}
	known := plan.Known{PortalID: "900", Kind: billing.KindInvoice, Fingerprint: "older"}
	for _, c := range []struct {
		name    string
		change  func(*plan.InvoiceInput)
		verdict plan.Verdict
		reason  plan.Code
	}{
		{"new", func(*plan.InvoiceInput) {}, plan.Create, ""},
		{"other company", func(in *plan.InvoiceInput) { in.Source.CompanyNo = "02" }, plan.Skip, plan.OtherCompany},
		{"unposted", func(in *plan.InvoiceInput) { in.Source.Posted = false }, plan.Skip, plan.NotPosted},
		{"before the start date", func(in *plan.InvoiceInput) { in.Settings.Qualify.StartDate = "2026-05-03" }, plan.Skip, plan.BeforeStart},
		{"on the start date", func(in *plan.InvoiceInput) { in.Settings.Qualify.StartDate = "2026-05-02" }, plan.Create, ""},
		{"no posting date: its own date counts", func(in *plan.InvoiceInput) {
			in.Source.PostedDate, in.Settings.Qualify.StartDate = "", "2026-05-02"
		}, plan.Skip, plan.BeforeStart},
		{"zero total", func(in *plan.InvoiceInput) {
			in.Source.Total, in.Source.Balance, in.Source.Tax, in.Source.Freight, in.Source.Lines = usd("0"), usd("0"), usd("0"), usd("0"), nil
		}, plan.Skip, plan.ZeroTotal},
		{"zero total wanted", func(in *plan.InvoiceInput) {
			in.Source.Total, in.Source.Balance, in.Source.Tax, in.Source.Freight, in.Source.Lines = usd("0"), usd("0"), usd("0"), usd("0"), nil
			in.Settings.Invoices.ZeroTotal = "send"
		}, plan.Create, ""},
		{"method not listed", func(in *plan.InvoiceInput) { in.Settings.Qualify.PayMethods = []string{"CARD"} }, plan.Skip, plan.MethodExcluded},
		{"method excluded", func(in *plan.InvoiceInput) { in.Settings.Qualify.ExcludePayMethod = []string{"CHECK"} }, plan.Skip, plan.MethodExcluded},
		{"type not listed", func(in *plan.InvoiceInput) { in.Settings.Qualify.InvoiceTypes = []string{"PROGRESS"} }, plan.Skip, plan.TypeExcluded},
		{"not a pilot customer", func(in *plan.InvoiceInput) { in.Settings.Qualify.Customers = []string{"C9"} }, plan.Skip, plan.CustomerExcluded},
		{"excluded customer", func(in *plan.InvoiceInput) { in.Settings.Qualify.ExcludeCustomers = []string{"C1"} }, plan.Skip, plan.CustomerExcluded},
		{"settled before", func(in *plan.InvoiceInput) { in.Source.Balance = usd("0") }, plan.Skip, plan.SettledInERP},
		{"partly paid before", func(in *plan.InvoiceInput) { in.Source.Balance = usd("600") }, plan.Create, plan.PartlyPaidInERP},
		{"small balance", func(in *plan.InvoiceInput) { in.Settings.Qualify.MinBalance = "1100.01" }, plan.Skip, plan.BalanceBelow},
		{"no bank account", func(in *plan.InvoiceInput) { in.Settings.Payments.GLAccounts = nil }, plan.Hold, plan.NoGLAccount},
		{"no bank account, payments off", func(in *plan.InvoiceInput) {
			in.Settings.Payments.GLAccounts, in.Settings.Payments.Mode = nil, "off"
		}, plan.Create, ""},
		{"customer not there yet", func(in *plan.InvoiceInput) { in.CustomerID = "" }, plan.Hold, plan.WaitsForCustomer},
		{"portal not read yet", func(in *plan.InvoiceInput) { in.Looked = false }, plan.Hold, plan.NeedLook},
		{"there already", func(in *plan.InvoiceInput) { in.Found = []billing.PortalDocument{found(want(t, *in))} }, plan.Adopt, plan.AlreadyThere},
		{"there with another total", func(in *plan.InvoiceInput) {
			d := found(want(t, *in))
			d.Total = usd("1099.99")
			in.Found = []billing.PortalDocument{d}
		}, plan.Conflict, plan.PortalDiffers},
		{"number of somebody else", func(in *plan.InvoiceInput) {
			d := found(want(t, *in))
			d.Metadata = map[string]string{plan.MetaID: "02/104233"}
			in.Found = []billing.PortalDocument{d}
		}, plan.Conflict, plan.NumberTaken},
		{"made by hand with the same total", func(in *plan.InvoiceInput) {
			d := found(want(t, *in))
			d.Metadata = nil
			in.Found = []billing.PortalDocument{d}
		}, plan.Adopt, plan.AlreadyThere},
		{"twice in the portal", func(in *plan.InvoiceInput) {
			in.Found = []billing.PortalDocument{found(want(t, *in)), found(want(t, *in))}
		}, plan.Conflict, plan.SeveralWithNumber},
		{"voided there before we knew it", func(in *plan.InvoiceInput) {
			d := found(want(t, *in))
			d.Voided = true
			in.Found = []billing.PortalDocument{d}
		}, plan.Conflict, plan.VoidedInPortal},
		{"unchanged", func(in *plan.InvoiceInput) {
			in.Known = plan.Known{PortalID: "900", Kind: billing.KindInvoice, Fingerprint: in.Source.Fingerprint()}
			in.Looked, in.CustomerID = false, ""
		}, plan.None, plan.Unchanged},
		{"changed, unpaid", func(in *plan.InvoiceInput) {
			in.Known = known
			in.Dest = &billing.PortalDocument{ID: "900", Total: usd("5"), Balance: usd("5")}
		}, plan.Update, ""},
		{"changed, partly paid", func(in *plan.InvoiceInput) {
			in.Known = known
			in.Dest = &billing.PortalDocument{ID: "900", Total: usd("5"), Balance: usd("4")}
		}, plan.Conflict, plan.ChangedWhenPaid},
		{"changed words only, paid", func(in *plan.InvoiceInput) {
			in.Known = known
			in.Dest = &billing.PortalDocument{ID: "900", Total: usd("1100"), Balance: usd("0")}
		}, plan.None, plan.Unchanged},
		{"changed, voided there", func(in *plan.InvoiceInput) {
			in.Known = known
			in.Dest = &billing.PortalDocument{ID: "900", Total: usd("5"), Balance: usd("5"), Voided: true}
		}, plan.Conflict, plan.VoidedInPortal},
		{"changed, deleted there", func(in *plan.InvoiceInput) { in.Known = known }, plan.Conflict, plan.GoneInPortal},
		{"changed, updates off", func(in *plan.InvoiceInput) {
			in.Known, in.Settings.Invoices.Update = known, "never"
			in.Dest = &billing.PortalDocument{ID: "900", Total: usd("5"), Balance: usd("5")}
		}, plan.Conflict, plan.UpdatesOff},
		{"became a credit", func(in *plan.InvoiceInput) {
			in.Known = known
			in.Source = credit()
		}, plan.Conflict, plan.KindChanged},
		{"rules changed later: what is there stays in the sync", func(in *plan.InvoiceInput) {
			in.Known, in.Settings.Qualify.PayMethods = known, []string{"CARD"}
			in.Dest = &billing.PortalDocument{ID: "900", Total: usd("5"), Balance: usd("5")}
		}, plan.Update, ""},
		{"credits off", func(in *plan.InvoiceInput) { in.Source = credit(); in.Settings.CreditNotes.Sync = false }, plan.Skip, plan.CreditsOff},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := base()
			c.change(&in)
			p := plan.Invoice(in)
			if p.Verdict != c.verdict || c.reason != "" && !p.Has(c.reason) {
				t.Fatalf("got %s (%s), want %s because %s", p.Verdict, plan.Text(p.Reasons), c.verdict, c.reason)
			}
			if write := c.verdict == plan.Create || c.verdict == plan.Update; write != (len(p.Steps) == 1) {
				t.Fatalf("verdict %s has %d steps", p.Verdict, len(p.Steps))
			}
		})
	}
}

// want is the document a first sync would create.
func want(t *testing.T, in plan.InvoiceInput) billing.PortalDocument {
	t.Helper()
	in.Known, in.Found, in.Looked = plan.Known{}, nil, true
	p := plan.Invoice(in)
	if p.Verdict != plan.Create {
		t.Fatalf("first sync: %s", plan.Text(p.Reasons))
	}
	return *p.Steps[0].Document
}

func credit() billing.Invoice {
	inv := invoice()
	inv.Total, inv.Tax, inv.Freight, inv.Balance, inv.Subtotal = usd("-107"), usd("-7"), usd("0"), usd("-107"), usd("-100")
	inv.Lines = []billing.Line{{ID: "1", Seq: 1, Item: "RET", Quantity: dec("-1"), UnitPrice: dec("100"), Amount: usd("-100")}}
	return inv
}

func TestItemsGiveTheERPTotal(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*billing.Invoice, *settings.Company)
		items  int
		reason plan.Code
	}{
		{"detail with freight", func(*billing.Invoice, *settings.Company) {}, 3, ""},
		{"summary", func(_ *billing.Invoice, s *settings.Company) { s.Invoices.LinesWithoutPDF = "summary" }, 2, ""},
		{"freight is a line already", func(i *billing.Invoice, _ *settings.Company) {
			i.Lines = append(i.Lines, billing.Line{ID: "3", Seq: 30, Item: "FREIGHT", Quantity: dec("1"), UnitPrice: dec("25"), Amount: usd("25")})
		}, 3, ""},
		{"price rounded differently", func(i *billing.Invoice, _ *settings.Company) {
			i.Lines[1].Quantity, i.Lines[1].UnitPrice = dec("3"), dec("83.335")
		}, 3, ""},
		{"words only", func(i *billing.Invoice, _ *settings.Company) {
			i.Lines = append(i.Lines, billing.Line{ID: "9", Seq: 5, Description: "Rack room", Quantity: dec("0"), UnitPrice: dec("0"), Amount: usd("0")})
		}, 4, ""},
		{"a cent off, none accepted", func(i *billing.Invoice, _ *settings.Company) { i.Lines[0].Amount = usd("750.01") }, 2, plan.LinesDoNotAddUp},
		{"a cent off, five accepted", func(i *billing.Invoice, s *settings.Company) {
			i.Lines[0].Amount, s.Invoices.Variance = usd("750.01"), "0.05"
		}, 4, plan.RoundingLine},
		{"far off", func(i *billing.Invoice, s *settings.Company) {
			i.Lines[0].Amount, s.Invoices.Variance = usd("700"), "0.05"
		}, 2, plan.LinesDoNotAddUp},
		{"no lines", func(i *billing.Invoice, _ *settings.Company) { i.Lines = nil }, 2, ""},
		{"tax of the other sign", func(i *billing.Invoice, _ *settings.Company) { i.Tax = usd("-75") }, 1, plan.MixedSigns},
		{"credit", func(i *billing.Invoice, _ *settings.Company) { *i = credit() }, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := plan.InvoiceInput{Source: invoice(), Settings: company(), CustomerID: "77", Looked: true}
			c.change(&in.Source, &in.Settings)
			p := plan.Invoice(in)
			if p.Verdict != plan.Create {
				t.Fatalf("verdict %s: %s", p.Verdict, plan.Text(p.Reasons))
			}
			d := *p.Steps[0].Document
			if got := portalTotal(t, d); !got.Equal(in.Source.Total.Abs()) {
				t.Errorf("the portal would compute %s, the ERP has %s", got, in.Source.Total)
			}
			if len(d.Items) != c.items {
				t.Errorf("%d items, want %d: %+v", len(d.Items), c.items, d.Items)
			}
			if c.reason != "" && !p.Has(c.reason) {
				t.Errorf("reasons %q lack %s", plan.Text(p.Reasons), c.reason)
			}
		})
	}
}

func TestDocumentFields(t *testing.T) {
	in := plan.InvoiceInput{Source: invoice(), Settings: company(), CustomerID: "77", Looked: true}
	in.Source.Terms, in.Source.ContractNo, in.Source.Comment = "2% 10 NET 30", "SC-1", "Phase 1"
	in.Settings.AutoPay, in.Settings.Invoices.Comment, in.Settings.Invoices.Draft = settings.AutoPayContracts, "notes", true
	d := *plan.Invoice(in).Steps[0].Document
	if d.Terms != "" || !plan.Invoice(in).Has(plan.DiscountTerms) {
		t.Errorf("terms %q would make the portal grant a discount", d.Terms)
	}
	if !d.AutoPay || d.Notes != "Phase 1" || !d.Draft || d.MarkSent || d.DueDate != "2026-05-31" {
		t.Errorf("autopay, notes, draft, sent or due date wrong: %+v", d)
	}
	in.Settings.AutoPayCustomers = map[string]settings.AutoPayRule{"C1": settings.AutoPayOff}
	in.Settings.Mode, in.Settings.Invoices.TermsMap = settings.ModeSandbox, map[string]string{"2% 10 NET 30": "NET 30"}
	d = *plan.Invoice(in).Steps[0].Document
	if d.AutoPay || !d.MarkSent || d.Terms != "NET 30" {
		t.Errorf("override, sandbox or terms map not honoured: %+v", d)
	}
	if d.Metadata[plan.MetaID] != "01/104233" || d.Metadata[plan.MetaHash] != in.Source.Fingerprint() || len(d.Metadata) > 10 {
		t.Errorf("metadata %v", d.Metadata)
	}
}

func TestInvoicePlanSurvivesJSON(t *testing.T) {
	p := plan.Invoice(plan.InvoiceInput{Source: invoice(), Settings: company(), CustomerID: "77", Looked: true})
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back plan.Plan
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(b), string(again)); diff != "" {
		t.Error(diff)
	}
	if p.Steps[0].Digest() != back.Steps[0].Digest() {
		t.Error("the digest changed on the way through JSON")
	}
}

func TestEveryReasonHasWords(t *testing.T) {
	for _, c := range plan.Codes() {
		if text := plan.Because(c).Text(); text == string(c) || text == "" {
			t.Errorf("%s has no words", c)
		}
	}
	got := plan.Because(plan.BeforeStart, "posted", "2026-05-02", "start", "2026-05-03").Text()
	if want := "was posted on 2026-05-02, before the start date 2026-05-03"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := plan.Because(plan.Code("later")).Text(); got != "later" {
		t.Errorf("an unknown code reads %q", got)
	}
}

package billing_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
)

func usd(s string) money.Money { return money.MustParse(s, money.USD) }

func invoice() billing.Invoice {
	return billing.Invoice{
		Number: "104233", CompanyNo: "01", CustomerNo: "10045", Posted: true, Date: "2026-05-01", DueDate: "2026-05-31",
		Currency: money.USD, Terms: "NET30", Subtotal: usd("90"), Tax: usd("10"), Freight: usd("0"), Total: usd("100"),
		Paid: usd("0"), Balance: usd("100"), Comment: "thanks", Modified: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC),
		Lines: []billing.Line{
			{ID: "1", Seq: 1, Item: "LAB", Quantity: decimal.New(2, 0), UnitPrice: decimal.New(30, 0), Amount: usd("60")},
			{ID: "2", Seq: 2, Item: "MAT", Quantity: decimal.New(1, 0), UnitPrice: decimal.New(30, 0), Amount: usd("30")},
		},
	}
}

func customer() billing.Customer {
	return billing.Customer{
		Number: "10045", Name: "Harbor Stage Systems", Active: true, Terms: "NET30", Main: billing.Address{Line1: "1 Quay", Country: "US"},
		Modified: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC),
		Contacts: []billing.Contact{
			{Number: "7", CustomerNo: "10045", Name: "Accounts", Email: "ap@example.com", Roles: []billing.Role{billing.RoleAP, billing.RoleAR}},
			{Number: "8", CustomerNo: "10045", Name: "Front desk", Active: true},
		},
	}
}

func TestInvoiceFingerprintChangesWithWhatIsSent(t *testing.T) {
	was := invoice().Fingerprint()
	if len(was) != 32 || strings.Trim(was, "0123456789abcdef") != "" {
		t.Errorf("fingerprint %q is not 16 bytes of hex", was)
	}
	tests := map[string]struct {
		change func(*billing.Invoice)
		same   bool
	}{
		"nothing":          {func(*billing.Invoice) {}, true},
		"modified":         {func(i *billing.Invoice) { i.Modified = i.Modified.Add(time.Hour) }, true},
		"payment":          {func(i *billing.Invoice) { i.Paid, i.Balance = usd("40"), usd("60") }, true},
		"another spelling": {func(i *billing.Invoice) { i.Total = usd("100.0000") }, true},
		"quantity spelled": {func(i *billing.Invoice) { i.Lines[0].Quantity = decimal.RequireFromString("2.000") }, true},
		"line order":       {func(i *billing.Invoice) { slices.Reverse(i.Lines) }, true},
		"total":            {func(i *billing.Invoice) { i.Total = usd("100.01") }, false},
		"currency":         {func(i *billing.Invoice) { i.Currency = money.CAD }, false},
		"due date":         {func(i *billing.Invoice) { i.DueDate = "2026-06-01" }, false},
		"posted":           {func(i *billing.Invoice) { i.Posted = false }, false},
		"comment":          {func(i *billing.Invoice) { i.Comment = "" }, false},
		"purchase order":   {func(i *billing.Invoice) { i.CustomerPO = "PO-1" }, false},
		"line text":        {func(i *billing.Invoice) { i.Lines[1].Description = "cable" }, false},
		"line amount":      {func(i *billing.Invoice) { i.Lines[1].Amount = usd("30.01") }, false},
		"sequence":         {func(i *billing.Invoice) { i.Lines[0].Seq, i.Lines[1].Seq = 2, 1 }, false},
		"a line less":      {func(i *billing.Invoice) { i.Lines = i.Lines[:1] }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			i := invoice()
			tt.change(&i)
			if got := i.Fingerprint() == was; got != tt.same {
				t.Errorf("fingerprint is the same: %v, want %v", got, tt.same)
			}
		})
	}
}

func TestCustomerFingerprint(t *testing.T) {
	was := customer().Fingerprint()
	tests := map[string]struct {
		change func(*billing.Customer)
		same   bool
	}{
		"modified":      {func(c *billing.Customer) { c.Modified = time.Time{} }, true},
		"contact order": {func(c *billing.Customer) { slices.Reverse(c.Contacts) }, true},
		"role order":    {func(c *billing.Customer) { slices.Reverse(c.Contacts[0].Roles) }, true},
		"role":          {func(c *billing.Customer) { c.Contacts[0].Roles = c.Contacts[0].Roles[:1] }, false},
		"name":          {func(c *billing.Customer) { c.Name += " Inc." }, false},
		"address":       {func(c *billing.Customer) { c.Main.City = "Salem" }, false},
		"e-mail":        {func(c *billing.Customer) { c.Contacts[0].Email = "" }, false},
		"inactive":      {func(c *billing.Customer) { c.Active = false }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := customer()
			tt.change(&c)
			if got := c.Fingerprint() == was; got != tt.same {
				t.Errorf("fingerprint is the same: %v, want %v", got, tt.same)
			}
		})
	}
}

func TestFingerprintsLeaveTheRecordAlone(t *testing.T) {
	i, c := invoice(), customer()
	slices.Reverse(i.Lines)
	slices.Reverse(c.Contacts)
	slices.Reverse(c.Contacts[1].Roles)
	wantInvoice, wantCustomer := invoice(), customer()
	slices.Reverse(wantInvoice.Lines)
	slices.Reverse(wantCustomer.Contacts)
	slices.Reverse(wantCustomer.Contacts[1].Roles)
	i.Fingerprint()
	c.Fingerprint()
	if diff := cmp.Diff(wantInvoice, i); diff != "" {
		t.Errorf("invoice changed (-was +is):\n%s", diff)
	}
	if diff := cmp.Diff(wantCustomer, c); diff != "" {
		t.Errorf("customer changed (-was +is):\n%s", diff)
	}
}

func TestFingerprintNeverDependsOnTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := invoice()
		in.Lines = nil
		for range rapid.IntRange(0, 8).Draw(t, "lines") {
			in.Lines = append(in.Lines, billing.Line{ // few different values: numbers and ids do repeat
				ID: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "id"), Seq: rapid.IntRange(-1, 2).Draw(t, "seq"),
				Description: rapid.SampledFrom([]string{"", "x"}).Draw(t, "text"), Quantity: decimal.New(rapid.Int64Range(1, 2).Draw(t, "n"), 0),
				Amount: money.FromMinor(rapid.Int64Range(0, 2).Draw(t, "amount"), money.USD),
			})
		}
		was := in.Fingerprint()
		in.Lines = rapid.Permutation(in.Lines).Draw(t, "order")
		if got := in.Fingerprint(); got != was {
			t.Fatalf("order changed the fingerprint of %v", in.Lines)
		}
	})
}

func TestKinds(t *testing.T) {
	i := invoice()
	if got := i.Kind(); got != billing.KindInvoice {
		t.Errorf("positive total is a %s", got)
	}
	i.Total = usd("0")
	if got := i.Kind(); got != billing.KindInvoice {
		t.Errorf("zero total is a %s", got)
	}
	i.Total = usd("-0.01")
	if got := i.Kind(); got != billing.KindCreditNote {
		t.Errorf("negative total is a %s", got)
	}
}

func TestRecordsSurviveJSON(t *testing.T) {
	for _, in := range []billing.Invoice{invoice(), {Number: "1"}} {
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var back billing.Invoice
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, back); diff != "" || back.Fingerprint() != in.Fingerprint() {
			t.Errorf("(-written +read):\n%s", diff)
		}
	}
}

func TestPortalDocumentPaid(t *testing.T) {
	d := billing.PortalDocument{Total: usd("100"), Balance: usd("60")}
	if got := d.Paid(); !got.Equal(usd("40")) {
		t.Errorf("paid %s", got)
	}
	d.Balance = money.Money{} // as JSON leaves a zero balance out
	if got := d.Paid(); !got.Equal(usd("100")) {
		t.Errorf("paid %s", got)
	}
}

func TestApplications(t *testing.T) {
	tests := []struct {
		of          billing.ApplicationType
		cash, known bool
	}{
		{billing.ApplyInvoice, true, true}, {billing.ApplyEstimate, true, true}, {billing.ApplyCredit, true, true},
		{billing.ApplyConvenienceFee, true, true}, {billing.ApplyCreditNote, false, true}, {billing.ApplyAppliedCredit, false, true},
		{"document_adjustment", false, false}, {"", false, false},
	}
	for _, tt := range tests {
		a := billing.Application{Type: tt.of}
		if a.Cash() != tt.cash || a.Known() != tt.known {
			t.Errorf("%q: cash %v, known %v", tt.of, a.Cash(), a.Known())
		}
	}
}

func TestEmptyAddress(t *testing.T) {
	if !(billing.Address{}).IsZero() || (billing.Address{Country: "US"}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

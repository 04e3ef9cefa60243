package plan

import (
	"maps"
	"regexp"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/money"
	"github.com/arbridge/arbridge/pkg/settings"
)

// The metadata keys we set on portal objects: five of the ten the portal allows (invoiced-api 11.1).
const (
	MetaCompany = "q360_company"
	MetaID      = "q360_id"
	MetaNumber  = "q360_number"
	MetaHash    = "q360_hash"
	MetaSource  = "sync_source"
)

// discountTerms are the terms that make the portal grant an early-payment discount by itself (invoiced-api 4.4).
var discountTerms = regexp.MustCompile(`^\s*\d+(\.\d+)?\s*%`)

const (
	maxName        = 255  // characters of a portal line's name [assumed, invoiced-api 11.2]
	maxDescription = 4000 // characters of a description
	maxMetadata    = 10   // keys of an object's metadata (invoiced-api 11.1)
)

// desired is the portal document that the source should become. Its Total is the ERP's, always.
func desired(in InvoiceInput) (billing.PortalDocument, []Reason) {
	src, set := in.Source, in.Settings
	kind := src.Kind()
	doc := billing.PortalDocument{
		Kind: kind, CustomerID: in.CustomerID, Number: src.Number, Currency: src.Currency, Date: src.Date,
		PurchaseOrder: clip(src.CustomerPO, maxName), Draft: set.Invoices.Draft,
		Metadata: map[string]string{
			MetaCompany: src.CompanyNo, MetaID: src.CompanyNo + "/" + src.Number, MetaNumber: src.Number,
			MetaHash: src.Fingerprint(), MetaSource: "arbridge",
		},
	}
	var reasons []Reason
	if kind == billing.KindInvoice {
		doc.DueDate = src.DueDate
		doc.AutoPay = autoPay(src, set)
		doc.MarkSent = set.Invoices.Send == "mark_sent" || Mails(kind, set) || set.Mode == settings.ModeSandbox // no second e-mail by the portal itself
		var dropped bool
		if doc.Terms, dropped = terms(src.Terms, set); dropped {
			reasons = append(reasons, Because(DiscountTerms, "terms", src.Terms))
		}
		if !src.Balance.Equal(src.Total) {
			reasons = append(reasons, Because(PartlyPaidInERP, "paid", src.Total.Sub(src.Balance).String(), "total", src.Total.String()))
		}
	} else {
		src = negated(src)
	}
	if set.Invoices.Comment == "notes" {
		doc.Notes = clip(src.Comment, maxDescription)
	}
	lines := set.Invoices.LinesWithoutPDF
	if in.HasPDF {
		lines = set.Invoices.LinesWithPDF
	}
	var more []Reason
	doc.Items, doc.Tax, more = items(src, set, lines == "detail")
	doc.Total = src.Total
	return doc, append(reasons, more...)
}

// negated turns a customer credit into the positive amounts of a credit note.
func negated(src billing.Invoice) billing.Invoice {
	src.Total, src.Tax, src.Freight, src.Subtotal = src.Total.Neg(), src.Tax.Neg(), src.Freight.Neg(), src.Subtotal.Neg()
	src.Paid, src.Balance = src.Paid.Neg(), src.Balance.Neg()
	lines := make([]billing.Line, len(src.Lines))
	for i, l := range src.Lines {
		l.Amount = l.Amount.Neg()
		if l.UnitPrice.Sign() < 0 {
			l.UnitPrice = l.UnitPrice.Neg()
		} else {
			l.Quantity = l.Quantity.Neg()
		}
		lines[i] = l
	}
	src.Lines = lines
	return src
}

// autoPay applies the rule of the customer, or the company's (F14).
func autoPay(src billing.Invoice, set settings.Company) bool {
	switch set.For(src.CustomerNo).AutoPay {
	case settings.AutoPayAll:
		return true
	case settings.AutoPayContracts:
		return src.ContractNo != ""
	}
	return false
}

// terms maps the ERP's terms; dropped reports terms that would change the total in the portal.
func terms(code string, set settings.Company) (text string, dropped bool) {
	text, mapped := set.Invoices.TermsMap[code]
	if !mapped {
		text = code
	}
	if discountTerms.MatchString(text) {
		return "", true
	}
	return clip(text, maxName), false
}

// items makes the lines and the tax so that the portal's own arithmetic gives the ERP's total exactly (q360-api 4.4.3,
// design "Lines that do not add up").
func items(src billing.Invoice, set settings.Company, detail bool) ([]billing.PortalItem, money.Money, []Reason) {
	tax, freight := src.Tax, src.Freight
	if tax.Sign() < 0 || freight.Sign() < 0 {
		return []billing.PortalItem{summary(src, set, src.Total)}, money.Zero(src.Currency), []Reason{Because(MixedSigns)}
	}
	net := src.Total.Sub(tax)
	if !detail || len(src.Lines) == 0 {
		return withFreight([]billing.PortalItem{summary(src, set, net.Sub(freight))}, freight), tax, nil
	}
	lines := money.Zero(src.Currency)
	var out []billing.PortalItem
	for _, l := range sortedLines(src.Lines) {
		lines = lines.Add(l.Amount)
		out = append(out, item(l, src.Currency, set))
	}
	difference, apart := gap(net.Sub(lines), freight)
	if apart {
		out = withFreight(out, freight)
	}
	if difference.IsZero() {
		return out, tax, nil
	}
	if difference.Abs().Cmp(set.Invoices.Variance.In(src.Currency)) <= 0 {
		return append(out, fixed("Rounding", difference)), tax, []Reason{Because(RoundingLine, "difference", difference.String())}
	}
	reason := Because(LinesDoNotAddUp, "lines", lines.Add(freight).Add(tax).String(), "total", src.Total.String())
	return withFreight([]billing.PortalItem{summary(src, set, net.Sub(freight))}, freight), tax, []Reason{reason}
}

// gap is what the lines lack, and whether the freight comes on top of them. Where the lines with it are nearer to the total
// than without, it is one of the lines already and is not added again (q360-api 4.4.3).
func gap(missing, freight money.Money) (difference money.Money, apart bool) {
	with := missing.Sub(freight)
	if missing.Abs().Cmp(with.Abs()) < 0 {
		return missing, false
	}
	return with, !freight.IsZero()
}

func withFreight(items []billing.PortalItem, freight money.Money) []billing.PortalItem {
	if freight.IsZero() {
		return items
	}
	f := fixed("Freight", freight)
	f.Type = "shipping"
	return append(items, f)
}

// statusPending is the portal's status of a document with a payment that has not settled (invoiced-api 4.3).
const statusPending = "pending"

// lateFees is what the portal added to a document by itself (invoiced-api 4.6).
func lateFees(d billing.PortalDocument) money.Money {
	sum := money.Zero(d.Currency)
	for _, it := range d.Items {
		if it.Type == "late_fee" {
			sum = sum.Add(money.Round(it.Quantity.Mul(it.UnitCost), d.Currency))
		}
	}
	return sum
}

// withPortals is the wanted document with what the portal owns of the one that is there: whether it was issued, collected
// automatically or annotated there is nobody's business here, and metadata of others is not ours to remove.
func withPortals(want, have billing.PortalDocument, set settings.Company) billing.PortalDocument {
	want.Draft = have.Draft
	want.AutoPay = want.AutoPay || have.AutoPay
	if set.Invoices.Comment != "notes" || want.Notes == "" {
		want.Notes = have.Notes
	}
	merged := maps.Clone(have.Metadata)
	if merged == nil {
		merged = map[string]string{}
	}
	for _, name := range []string{MetaID, MetaHash, MetaSource, MetaNumber, MetaCompany} {
		if _, there := merged[name]; there || len(merged) < maxMetadata {
			merged[name] = want.Metadata[name]
		}
	}
	want.Metadata = merged
	return want
}

func summary(src billing.Invoice, set settings.Company, amount money.Money) billing.PortalItem {
	text := strings.ReplaceAll(set.Invoices.SummaryText, "{{number}}", src.Number)
	text = strings.ReplaceAll(text, "{{po}}", src.CustomerPO)
	if strings.TrimSpace(text) == "" {
		text = src.Number
	}
	return fixed(clip(text, maxName), amount)
}

func fixed(name string, amount money.Money) billing.PortalItem {
	return billing.PortalItem{Name: name, Quantity: decimal.NewFromInt(1), UnitCost: amount.Decimal()}
}

// item is one ERP line. Where the ERP rounded its extended price differently from quantity × price, the amount goes over
// as it is and the factors as text, because the portal multiplies again (invoiced-api 4.5).
func item(l billing.Line, cur money.Currency, set settings.Company) billing.PortalItem {
	name := l.Item
	if mapped, ok := set.Invoices.ItemMap[l.Item]; ok {
		name = mapped
	}
	if name == "" {
		name = firstLine(l.Description)
	}
	if name == "" {
		name = "Item"
	}
	it := billing.PortalItem{Name: clip(name, maxName), Description: clip(l.Description, maxDescription), Quantity: l.Quantity, UnitCost: l.UnitPrice}
	if !money.Round(l.Quantity.Mul(l.UnitPrice), cur).Equal(l.Amount) || l.Quantity.IsZero() {
		it.Quantity, it.UnitCost = decimal.NewFromInt(1), l.Amount.Decimal()
		if !l.Quantity.IsZero() && !l.Quantity.Equal(it.Quantity) {
			it.Description = clip(strings.TrimSpace(it.Description+" ("+l.Quantity.String()+" × "+l.UnitPrice.String()+")"), maxDescription)
		}
	}
	return it
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// clip shortens to n characters, not bytes.
func clip(s string, n int) string {
	r := []rune(strings.TrimSpace(s))
	if len(r) <= n {
		return string(r)
	}
	return string(r[:n-1]) + "…"
}

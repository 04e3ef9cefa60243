package q360

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/money"
)

const similarDays = 3 // around a payment's date (q360-api 4.4.7)

// receiptTables are the mapped receipt tables; ClassUnsupported when the site's receipts are not written by us.
func (c *Connector) receiptTables(op string) (*mapping.Receipts, error) {
	r := c.m.Receipts
	if r == nil || r.Mode != "record" {
		return nil, connector.NewError(connector.ClassUnsupported, op, "receipts are switched off for this site; set receipts.mode to record in the mapping")
	}
	return r, nil
}

// FindReceipts implements connector.ERP. Receipts of every company are found, so that a reference used twice is noticed.
func (c *Connector) FindReceipts(ctx context.Context, reference string) ([]billing.Receipt, error) {
	op := "finding receipts with reference " + reference
	m, err := c.receiptTables(op)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(reference) == "" {
		return nil, connector.NewError(connector.ClassBug, op, "the reference is empty")
	}
	rows, err := c.all(ctx, c.receiptSource(op), client.Filter{Column: m.Header.Columns.Reference, Op: "=", Value: reference})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if !client.SameKey(r.Raw(m.Header.Columns.Reference), reference) {
			return nil, strangerError(op, m.Header.Table, m.Header.Columns.Reference, reference)
		}
	}
	return c.receipts(ctx, op, rows)
}

// SimilarReceipts implements connector.ERP.
func (c *Connector) SimilarReceipts(ctx context.Context, customerNo string, amount money.Money, date billing.Date) ([]billing.Receipt, error) {
	op := "finding receipts of customer " + customerNo + " like " + amount.String()
	m, err := c.receiptTables(op)
	if err != nil {
		return nil, err
	}
	col := m.Header.Columns
	filters := []client.Filter{
		{Column: col.Amount, Op: "=", Value: amount.Amount()},
		{Column: col.Date, Op: ">=", Value: c.api.DateLiteral(date.AddDays(-similarDays))},
		{Column: col.Date, Op: "<", Value: c.api.DateLiteral(date.AddDays(similarDays + 1))},
	}
	if filters[1].Value == "" {
		return nil, connector.NewError(connector.ClassBug, op, "%q is not a date", date)
	}
	if col.CustomerNo != "" {
		filters = append(filters, client.Filter{Column: col.CustomerNo, Op: "=", Value: customerNo})
	}
	if col.CompanyNo != "" {
		filters = append(filters, client.Filter{Column: col.CompanyNo, Op: "=", Value: c.cfg.CompanyNo})
	}
	rows, err := c.all(ctx, c.receiptSource(op), filters...)
	if err != nil {
		return nil, err
	}
	found, err := c.receipts(ctx, op, rows)
	if err != nil {
		return nil, err
	}
	var out []billing.Receipt
	for _, r := range found {
		if r.Amount.Equal(amount) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (c *Connector) receiptSource(op string) source {
	h := c.m.Receipts.Header
	return source{op: op, table: h.Table, key: h.Key, columns: mapping.Names(h.Columns)}
}

// receipts translates header rows and reads their lines.
func (c *Connector) receipts(ctx context.Context, op string, rows []client.Row) ([]billing.Receipt, error) {
	m := c.m.Receipts
	col := m.Application.Columns
	lines := source{op: op + ": lines", table: m.Application.Table, key: m.Application.Key, columns: append(mapping.Names(col), m.Application.Key)}
	var out []billing.Receipt
	for _, row := range rows {
		r, err := c.receipt(ctx, row)
		if err != nil {
			return nil, badRecord(op, err)
		}
		found, err := c.childrenOf(ctx, lines, col.ReceiptNo, r.Number)
		if err != nil {
			return nil, err
		}
		for _, l := range found {
			line, err := c.receiptLine(l, r.Amount.Currency())
			if err != nil {
				return nil, badRecord(op, err)
			}
			r.Lines = append(r.Lines, line)
		}
		out = append(out, r)
	}
	return out, nil
}

func (c *Connector) receipt(ctx context.Context, row client.Row) (billing.Receipt, error) {
	h := c.m.Receipts.Header
	col := h.Columns
	r := c.reader(h.Table, h.Key, row)
	out := billing.Receipt{
		Number: r.required(h.Key), Reference: r.text(col.Reference), CompanyNo: cmp.Or(r.code(col.CompanyNo), c.cfg.CompanyNo),
		CustomerNo: r.text(col.CustomerNo), Date: r.date(col.Date), GLAccount: r.text(col.GLAccount), PayMethod: r.code(col.PayMethod),
		Comment: r.text(col.Comment),
	}
	cur := r.currency(col.Currency)
	if cur == "" && r.err == nil { // a bank account has one currency (q360-api 2.8)
		for known, account := range c.bankAccounts() {
			if client.SameKey(account, out.GLAccount) {
				cur = known
			}
		}
	}
	if cur == "" && r.err == nil {
		company, err := c.companyCurrency(ctx)
		if err != nil {
			return billing.Receipt{}, err
		}
		if cur = cmp.Or(company, c.cfg.DefaultCurrency); cur == "" {
			r.fail(cmp.Or(col.Currency, "currency"), errors.New("is unknown"), "map the receipt's currency column, or set a default currency")
		}
	}
	out.Amount = r.money(col.Amount, cur, true)
	return out, r.err
}

// receiptLine translates a line. A kind that the mapping does not name is kept as it is written, never guessed; without a
// kind column the line's own columns tell.
func (c *Connector) receiptLine(row client.Row, cur money.Currency) (billing.ReceiptLine, error) {
	m := c.m.Receipts.Application
	col := m.Columns
	r := c.reader(m.Table, m.Key, row)
	line := billing.ReceiptLine{InvoiceNo: r.text(col.InvoiceNo), Amount: r.money(col.Amount, cur, true), GLAccount: r.text(col.GLAccount), Comment: r.text(col.Comment)}
	switch {
	case col.Kind != "":
		line.Kind = billing.LineKind(r.text(col.Kind))
		for kind, value := range m.Kinds {
			if value != "" && client.SameKey(value, r.text(col.Kind)) {
				line.Kind = kind
			}
		}
	case line.GLAccount != "":
		line.Kind = billing.LineFee
	case line.InvoiceNo != "":
		line.Kind = billing.LineApplication
	default:
		line.Kind = billing.LineOnAccount
	}
	return line, r.err
}

// PreviewReceipt implements connector.ERP. Nothing is called when the mapping says that the site has no previews.
func (c *Connector) PreviewReceipt(ctx context.Context, r billing.Receipt) error {
	op := "previewing receipt " + r.Reference
	m, err := c.receiptTables(op)
	if err != nil || !m.UsePreview {
		return err
	}
	record, err := c.receiptRecord(ctx, op, r)
	if err != nil {
		return err
	}
	_, err = c.api.Create(ctx, client.Write{Op: op, Table: m.Header.Table, Records: []map[string]string{record}, Preview: true})
	return err
}

// CreateReceipt implements connector.ERP with one call.
func (c *Connector) CreateReceipt(ctx context.Context, r billing.Receipt) (string, error) {
	op := "creating receipt " + r.Reference
	m, err := c.receiptTables(op)
	if err != nil {
		return "", err
	}
	record, err := c.receiptRecord(ctx, op, r)
	if err != nil {
		return "", err
	}
	keys, err := c.api.Create(ctx, client.Write{Op: op, Table: m.Header.Table, Records: []map[string]string{record}})
	if err != nil {
		return "", err
	}
	if len(keys) != 1 {
		return "", &connector.Error{Class: connector.ClassBadResponse, Op: op, Ambiguous: true, Err: errors.New("the site named several keys for one receipt")}
	}
	return keys[0], nil
}

// receiptRecord is the native header of a receipt, its limits checked. Errors are ClassInvalid with the field.
func (c *Connector) receiptRecord(ctx context.Context, op string, r billing.Receipt) (map[string]string, error) {
	m := c.m.Receipts
	col := m.Header.Columns
	switch {
	case r.Reference == "" || len([]rune(r.Reference)) > m.Reference.MaxLen:
		return nil, invalid(op, "reference", "%q has %d characters; 1 to %d are possible (receipts.reference.max_len)", r.Reference, len([]rune(r.Reference)), m.Reference.MaxLen)
	case !c.ours(r.CompanyNo):
		return nil, invalid(op, "company_no", "%q is not the company served, %q", r.CompanyNo, c.cfg.CompanyNo)
	case c.api.DateLiteral(r.Date) == "":
		return nil, invalid(op, "date", "%q is not a date such as 2026-05-04", r.Date)
	case r.GLAccount == "":
		return nil, invalid(op, "gl_account", "is empty; set the bank account of %s", r.Amount.Currency())
	case r.CustomerNo == "" && col.CustomerNo != "":
		return nil, invalid(op, "customer_no", "is empty")
	}
	comment, err := c.fit(ctx, m.Header.Table, col.Comment, r.Comment)
	if err != nil {
		return nil, err
	}
	return record(m.Header.Constants,
		col.CompanyNo, c.cfg.CompanyNo, col.CustomerNo, r.CustomerNo, col.Date, c.api.DateLiteral(r.Date), col.Amount, r.Amount.Amount(),
		col.Currency, string(r.Amount.Currency()), col.Reference, r.Reference, col.GLAccount, r.GLAccount, col.PayMethod, r.PayMethod,
		col.Comment, comment), nil
}

// CreateReceiptLines implements connector.ERP. All lines go in one call where the mapping says so. Otherwise a failure
// after the first line is Ambiguous: some lines are there.
func (c *Connector) CreateReceiptLines(ctx context.Context, number string, r billing.Receipt, lines []billing.ReceiptLine) error {
	op := "creating lines of receipt " + cmp.Or(r.Reference, number)
	m, err := c.receiptTables(op)
	if err != nil {
		return err
	}
	if strings.TrimSpace(number) == "" {
		return connector.NewError(connector.ClassBug, op, "the number of the receipt is empty")
	}
	var records []map[string]string
	for _, line := range lines {
		rec, err := c.lineRecord(ctx, op, number, r, line)
		if err != nil {
			return err
		}
		if rec != nil {
			records = append(records, rec)
		}
	}
	if len(records) == 0 {
		return nil
	}
	w := client.Write{Op: op, Table: m.Application.Table, Records: records}
	if m.Application.OneCall {
		_, err := c.api.Create(ctx, w)
		return err
	}
	for i, rec := range records {
		w.Records = []map[string]string{rec}
		if _, err := c.api.Create(ctx, w); err != nil {
			var e *connector.Error
			if i > 0 && errors.As(err, &e) {
				e.Ambiguous = true
			}
			return err
		}
	}
	return nil
}

// lineRecord is the native form of a line, nil for an on-account line that the site leaves implicit.
func (c *Connector) lineRecord(ctx context.Context, op, number string, r billing.Receipt, line billing.ReceiptLine) (map[string]string, error) {
	m := c.m.Receipts.Application
	col := m.Columns
	kind := m.Kinds[line.Kind]
	switch {
	case col.Kind == "" || kind != "":
	case line.Kind == billing.LineOnAccount:
		return nil, nil
	default:
		return nil, invalid(op, "kind", "%q has no value in receipts.application.kinds of the mapping", line.Kind)
	}
	if line.Amount.Currency() != r.Amount.Currency() {
		return nil, invalid(op, "amount", "%s is not in the receipt's currency %s", line.Amount, r.Amount.Currency())
	}
	if line.Kind == billing.LineApplication && line.InvoiceNo == "" {
		return nil, invalid(op, "invoice_no", "is empty in an application")
	}
	comment, err := c.fit(ctx, m.Table, col.Comment, line.Comment)
	if err != nil {
		return nil, err
	}
	return record(m.Constants, col.ReceiptNo, number, col.InvoiceNo, line.InvoiceNo, col.Amount, line.Amount.Amount(),
		col.GLAccount, line.GLAccount, col.Kind, kind, col.Comment, comment), nil
}

// record makes a native record of constants and column-value pairs; unmapped columns and empty values are left out, so
// that the server's defaults apply.
func record(constants map[string]string, pairs ...string) map[string]string {
	out := map[string]string{}
	for column, value := range constants {
		out[column] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] != "" && pairs[i+1] != "" {
			out[pairs[i]] = pairs[i+1]
		}
	}
	return out
}

// fit cuts a free text to the length of its column, as far as the site tells it.
func (c *Connector) fit(ctx context.Context, table, column, text string) (string, error) {
	if column == "" || len(text) <= 30 { // no comment column is that short
		return text, nil
	}
	columns, err := c.columns(ctx, table)
	if err != nil && !missing(err) {
		return "", err
	}
	return cut(text, columns[strings.ToUpper(column)].Len), nil
}

// cut shortens a text to n characters; 0 means no limit.
func cut(s string, n int) string {
	if r := []rune(s); n > 0 && len(r) > n {
		return strings.TrimSpace(string(r[:n]))
	}
	return s
}

func invalid(op, field, format string, args ...any) error {
	e := connector.NewError(connector.ClassInvalid, op, field+": "+format, args...)
	e.Field = field
	return e
}

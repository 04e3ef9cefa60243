package q360

import (
	"context"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
)

const maxHistoryPages = 50 // of one invoice and code

func (c *Connector) historyTable(op string) (*mapping.History, error) {
	h := c.m.History
	if h == nil || !h.Enabled {
		return nil, connector.NewError(connector.ClassUnsupported, op, "history is switched off for this site; set history.enabled in the mapping")
	}
	return h, nil
}

// FindHistory implements connector.ERP: it looks for the key in brackets in the comments of the invoice's entries with
// this code, newest first (q360-api 4.4 (13)).
func (c *Connector) FindHistory(ctx context.Context, e billing.HistoryEntry) (bool, error) {
	op := "finding history entry " + e.Key
	h, err := c.historyTable(op)
	if err != nil {
		return false, err
	}
	if e.Key == "" || e.InvoiceNo == "" || e.Code == "" {
		return false, connector.NewError(connector.ClassBug, op, "key, code and invoice number are needed")
	}
	col := h.Columns
	src := source{op: op, table: h.Table, key: h.Key, columns: mapping.Names(mapping.HistoryColumns{ID: h.Key, LinkNo: col.LinkNo, Comment: col.Comment})}
	src.filters = []client.Filter{{Column: col.LinkNo, Op: "=", Value: e.InvoiceNo}, {Column: col.Code, Op: "=", Value: e.Code}}
	if col.LinkType != "" {
		src.filters = append(src.filters, client.Filter{Column: col.LinkType, Op: "=", Value: h.LinkTypeValues["invoice"]})
	}
	var before []client.Filter
	for range maxHistoryPages {
		p, err := c.page(ctx, src, c.m.Dialect.PageSize, []client.Order{{Column: src.key, Desc: true}}, before...)
		if err != nil {
			return false, err
		}
		for _, r := range p.Rows {
			switch {
			case !client.SameKey(r.Raw(col.LinkNo), e.InvoiceNo):
				return false, strangerError(op, h.Table, col.LinkNo, e.InvoiceNo)
			case len(before) > 0 && client.SameKey(r.Raw(src.key), before[0].Value):
				return false, strangerError(op, h.Table, src.key, "< "+before[0].Value)
			case strings.Contains(r.Text(col.Comment), suffix(e.Key)):
				return true, nil
			}
		}
		if !p.More {
			return false, nil
		}
		before = []client.Filter{{Column: src.key, Op: "<", Value: p.Rows[len(p.Rows)-1].Raw(src.key)}}
	}
	return false, connector.NewError(connector.ClassBadResponse, op, "invoice %s has too many history entries with code %s to look through", e.InvoiceNo, e.Code)
}

func suffix(key string) string { return "[" + key + "]" }

// CreateHistory implements connector.ERP. The comment ends with the key in brackets; a long comment loses its own end,
// never the key.
func (c *Connector) CreateHistory(ctx context.Context, e billing.HistoryEntry) error {
	op := "creating history entry " + e.Key
	h, err := c.historyTable(op)
	if err != nil {
		return err
	}
	switch {
	case e.Key == "" || strings.ContainsAny(e.Key, "[]"):
		return invalid(op, "key", "%q is empty or has brackets", e.Key)
	case e.InvoiceNo == "":
		return invalid(op, "invoice_no", "is empty")
	case e.Code == "":
		return invalid(op, "code", "is empty")
	}
	tail := " " + suffix(e.Key)
	room := h.CommentMax - len([]rune(tail))
	if room < 1 {
		return invalid(op, "key", "has %d characters, which leaves no room in a comment of %d (history.comment_max)", len([]rune(e.Key)), h.CommentMax)
	}
	col := h.Columns
	comment := strings.TrimSpace(cut(strings.TrimSpace(e.Comment), room) + tail)
	at := e.At
	if at.IsZero() {
		at = c.clock.Now()
	}
	_, err = c.api.Create(ctx, client.Write{Op: op, Table: h.Table, Records: []map[string]string{record(h.Constants,
		col.Code, e.Code, col.LinkType, h.LinkTypeValues["invoice"], col.LinkNo, e.InvoiceNo, col.CustomerNo, e.CustomerNo,
		col.Date, c.api.TimeLiteral(at), col.Comment, comment)}})
	return err
}

package q360

import (
	"bytes"
	"context"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
)

// Documents implements connector.ERP. Only files that the mapping's pick allows are listed.
func (c *Connector) Documents(ctx context.Context, invoiceNo string) ([]connector.Document, error) {
	op := "listing the documents of invoice " + invoiceNo
	e := c.m.Entities.Document
	if e == nil {
		return nil, connector.NewError(connector.ClassUnsupported, op, "this site has no documents in its mapping (entities.document)")
	}
	if strings.TrimSpace(invoiceNo) == "" {
		return nil, connector.NewError(connector.ClassBug, op, "the invoice number is empty")
	}
	col := e.Columns
	src := source{op: op, table: e.Table, key: e.Key, columns: mapping.Names(col)}
	if col.LinkType != "" {
		src.filters = []client.Filter{{Column: col.LinkType, Op: "=", Value: e.LinkTypeValues["invoice"]}}
	}
	rows, err := c.childrenOf(ctx, src, col.LinkNo, invoiceNo)
	if err != nil {
		return nil, err
	}
	var out []connector.Document
	for _, row := range rows {
		r := c.reader(e.Table, e.Key, row)
		d := connector.Document{Number: r.text(e.Key), Filename: r.text(col.Filename), Type: r.text(col.Type), Size: r.whole(col.Size), Modified: r.moment(col.Modified)}
		if picked(e.Pick, d) {
			out = append(out, d)
		}
	}
	if e.Pick.NewestFirst {
		slices.SortStableFunc(out, func(a, b connector.Document) int { return b.Modified.Compare(a.Modified) })
	}
	return out, nil
}

func picked(p mapping.Pick, d connector.Document) bool {
	extension := strings.TrimPrefix(path.Ext(d.Filename), ".")
	return (len(p.Extensions) == 0 || slices.ContainsFunc(p.Extensions, func(x string) bool { return strings.EqualFold(strings.TrimPrefix(x, "."), extension) })) &&
		(len(p.Types) == 0 || slices.ContainsFunc(p.Types, func(x string) bool { return client.SameKey(x, d.Type) }))
}

// Download implements connector.ERP. Where the mapping allows PDF files only, the content must be one; a web page or an
// error in place of the file is never handed on.
func (c *Connector) Download(ctx context.Context, documentNo string) (io.ReadCloser, error) {
	op := "downloading document " + documentNo
	e := c.m.Entities.Document
	if e == nil {
		return nil, connector.NewError(connector.ClassUnsupported, op, "this site has no documents in its mapping (entities.document)")
	}
	file, err := c.api.Download(ctx, documentNo)
	if err != nil {
		return nil, err
	}
	if len(file.Body) == 0 {
		return nil, connector.NewError(connector.ClassBadResponse, op, "the file is empty")
	}
	pdfOnly := len(e.Pick.Extensions) == 1 && strings.EqualFold(strings.TrimPrefix(e.Pick.Extensions[0], "."), "pdf")
	if pdfOnly && !bytes.HasPrefix(file.Body, []byte("%PDF-")) {
		return nil, connector.NewError(connector.ClassBadResponse, op, "the file does not begin as a PDF does; replace the document in Q360")
	}
	return io.NopCloser(bytes.NewReader(file.Body)), nil
}

package q360

import (
	"bytes"
	"context"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
)

// documentSource is the table of files, bounded to those of invoices.
func (c *Connector) documentSource(op string) (source, error) {
	e := c.m.Entities.Document
	if e == nil {
		return source{}, connector.NewError(connector.ClassUnsupported, op, "this site has no documents in its mapping (entities.document)")
	}
	src := source{op: op, table: e.Table, key: e.Key, columns: mapping.Names(e.Columns)}
	if col := e.Columns.LinkType; col != "" {
		src.filters = []client.Filter{{Column: col, Op: "=", Value: e.LinkTypeValues["invoice"]}}
	}
	return src, nil
}

// Documents implements connector.ERP. Only files that the mapping's pick allows are listed.
func (c *Connector) Documents(ctx context.Context, invoiceNo string) ([]connector.Document, error) {
	src, err := c.documentSource("listing the documents of invoice " + invoiceNo)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(invoiceNo) == "" {
		return nil, connector.NewError(connector.ClassBug, src.op, "the invoice number is empty")
	}
	rows, err := c.childrenOf(ctx, src, c.m.Entities.Document.Columns.LinkNo, invoiceNo)
	if err != nil {
		return nil, err
	}
	return c.documents(rows), nil
}

// DocumentsOf implements connector.ERP. Invoices with consecutive numbers are one list over their range, as long as the range
// does not hold much else; an invoice that the lists did not cover is not in the answer.
func (c *Connector) DocumentsOf(ctx context.Context, invoiceNos []string) (map[string][]connector.Document, error) {
	src, err := c.documentSource("listing the documents of " + strconv.Itoa(len(invoiceNos)) + " invoices")
	if err != nil {
		return nil, err
	}
	out := map[string][]connector.Document{}
	for _, run := range runs(invoiceNos) {
		n := len(run)
		if n < fewRecords {
			continue
		}
		found, complete, err := c.children(ctx, src, c.m.Entities.Document.Columns.LinkNo, span{run[0], run[n-1], max(3, n/10)})
		if err != nil {
			return nil, err
		}
		for _, number := range run {
			if rows, has := found[client.KeyOf(number)]; has || complete {
				out[number] = c.documents(rows)
			}
		}
	}
	return out, nil
}

// runs sorts numbers into those whose order is beyond doubt: the same text before digits of the same count. Any collation
// has those in the order of the digits, and a column of numbers has too; about other texts only the server knows
// (q360-api 4.5).
func runs(numbers []string) [][]string {
	shapes := map[string][]string{}
	for _, number := range numbers {
		prefix := strings.TrimRight(number, "0123456789")
		if len(prefix) == len(number) {
			continue
		}
		shape := prefix + "/" + strconv.Itoa(len(number)-len(prefix))
		shapes[shape] = append(shapes[shape], number)
	}
	out := make([][]string, 0, len(shapes))
	for _, run := range shapes {
		slices.Sort(run)
		out = append(out, slices.Compact(run))
	}
	slices.SortFunc(out, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return out
}

// documents are the files of one invoice's rows that the mapping's pick allows, in its order.
func (c *Connector) documents(rows []client.Row) []connector.Document {
	e := c.m.Entities.Document
	col := e.Columns
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
	return out
}

func picked(p mapping.Pick, d connector.Document) bool {
	extension := strings.TrimPrefix(path.Ext(d.Filename), ".")
	return (len(p.Extensions) == 0 || slices.ContainsFunc(p.Extensions, func(x string) bool { return strings.EqualFold(strings.TrimPrefix(x, "."), extension) })) &&
		(len(p.Types) == 0 || slices.ContainsFunc(p.Types, func(x string) bool { return client.SameKey(x, d.Type) }))
}

// contents is a downloaded file. It can be read again from its beginning, so that nobody needs a copy.
type contents struct{ *bytes.Reader }

// Close implements io.Closer.
func (contents) Close() error { return nil }

// Download implements connector.ERP; what it opens is an io.Seeker as well. Where the mapping allows PDF files only, the content must be one; a web page or an
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
	return contents{bytes.NewReader(file.Body)}, nil
}

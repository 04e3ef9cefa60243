package business

import (
	"bytes"
	"fmt"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
)

// attach gives the i-th invoice its documents.
func (g *generator) attach(i int, v *invoice, changed time.Time) {
	file := "Invoice_" + v.no
	whole := PDF(fmt.Sprintf("Invoice %s  Total %s %s", v.no, v.total.StringFixed(2), v.currency))
	kind := DocumentPDF
	switch i % 10 {
	case 6:
		kind = DocumentTwo
		g.document(v, "Delivery note "+v.no+".pdf", "NOTE", changed.Add(-time.Hour), PDF("Delivery note "+v.no))
		g.document(v, file+".pdf", "INVOICE", changed, whole)
	case 7:
		kind = DocumentWord
		g.document(v, file+".docx", "INVOICE", changed, append([]byte("PK\x03\x04"), bytes.Repeat([]byte{0}, 60)...))
	case 8:
		kind = DocumentBroken
		broken := whole[:len(whole)/2]
		if i%20 == 8 {
			broken = []byte("<html><body>File server not available</body></html>")
		}
		g.document(v, file+".pdf", "INVOICE", changed, broken)
	case 9:
		kind = DocumentNone
	default:
		g.document(v, file+".pdf", "INVOICE", changed, whole)
	}
	g.note(kind, v.no)
}

func (g *generator) document(v *invoice, name, kind string, changed time.Time, data []byte) {
	g.documents++
	no := fmt.Sprintf("D%05d", 50000+g.documents)
	g.add("DOCUMENT", sandbox.Record{
		"DOCUMENTNO": no, "LINKTYPE": "INVOICE", "LINKNO": v.no, "FILENAME": name, "DOCTYPE": kind, "FILESIZE": fmt.Sprint(len(data)),
		"MODDATE": stamp(changed),
	})
	g.contents[no] = data
}

// PDF is a valid one-page document that shows a line of ASCII text without parentheses.
func PDF(text string) []byte {
	content := "BT /F1 14 Tf 60 760 Td (" + text + ") Tj ET"
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	table := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, at := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, table)
	return b.Bytes()
}

package business

import (
	"bytes"
	"fmt"
	"time"

	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	kit "github.com/arbridge/arbridge/pkg/sandbox"
)

// attach gives the i-th invoice its documents.
func (g *generator) attach(i int, v *invoice, changed time.Time) {
	file := "Invoice_" + v.no
	whole := kit.PDF(fmt.Sprintf("Invoice %s  Total %s %s", v.no, v.total.StringFixed(2), v.currency))
	kind := DocumentPDF
	switch i % 10 {
	case 6:
		kind = DocumentTwo
		g.document(v, "Delivery note "+v.no+".pdf", "NOTE", changed.Add(-time.Hour), kit.PDF("Delivery note "+v.no))
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

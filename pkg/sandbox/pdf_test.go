package sandbox

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
)

// The offsets in the cross-reference table point at the objects.
func TestPDF(t *testing.T) {
	doc := PDF("Invoice (1) \\", "é")
	_, tail, _ := bytes.Cut(doc, []byte("startxref\n"))
	at, err := strconv.Atoi(string(tail[:bytes.IndexByte(tail, '\n')]))
	if err != nil || !bytes.HasPrefix(doc[at:], []byte("xref\n0 6\n")) {
		t.Fatalf("startxref %q: %v", tail, err)
	}
	entries := bytes.Split(doc[at:], []byte("\n"))[3:8]
	for i, e := range entries {
		offset, err := strconv.Atoi(string(e[:10]))
		if err != nil || !bytes.HasPrefix(doc[offset:], fmt.Appendf(nil, "%d 0 obj", i+1)) {
			t.Errorf("entry %d %q: %v", i, e, err)
		}
	}
	if !bytes.Contains(doc, []byte(`(Invoice \(1\) \\) Tj`)) || !bytes.Contains(doc, []byte("(?) Tj")) {
		t.Error("text is not escaped")
	}
}

package q360

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
	"github.com/arbridge/arbridge/pkg/money"
)

func TestDocuments(t *testing.T) {
	s := newSite()
	for _, row := range []string{"D1|old.PDF|2026-05-01 10:00:00.000|INVOICE|A1", "D2|new.pdf|2026-05-02 10:00:00.000|INVOICE|A1", "D3|note.docx|2026-05-03 10:00:00.000|INVOICE|A1",
		"D4|quote.pdf|2026-05-03 10:00:00.000|QUOTE|A1", "D5|other.pdf|2026-05-03 10:00:00.000|INVOICE|A2"} {
		f := strings.Split(row, "|")
		s.add("DOCUMENT", "DOCUMENTNO="+f[0], "FILENAME="+f[1], "MODDATE="+f[2], "LINKTYPE="+f[3], "LINKNO="+f[4], "DOCTYPE=INV", "FILESIZE=182044")
	}
	c, _ := serve(t, s)
	got, err := c.Documents(context.Background(), "A1")
	if err != nil || len(got) != 2 || got[0].Number != "D2" || got[1].Number != "D1" {
		t.Fatalf("documents %+v, %v", got, err)
	}
	want := connector.Document{Number: "D2", Filename: "new.pdf", Type: "INV", Size: 182044, Modified: time.Date(2026, 5, 2, 14, 0, 0, 0, time.UTC)}
	if got[0] != want {
		t.Errorf("document %+v, want %+v", got[0], want)
	}
	m := mapping.Default()
	m.Entities.Document.Pick = mapping.Pick{Types: []string{"other"}}
	c, _ = serve(t, s, func(cfg *Config) { cfg.Mapping = m })
	if got, err := c.Documents(context.Background(), "A1"); err != nil || len(got) != 0 {
		t.Errorf("documents of another type: %+v, %v", got, err)
	}
	m.Entities.Document = nil
	_, err = c.Documents(context.Background(), "A1")
	classOf(t, err, connector.ClassUnsupported)
	_, err = c.Download(context.Background(), "D1")
	classOf(t, err, connector.ClassUnsupported)
}

func TestDocumentsOfMany(t *testing.T) {
	s := newSite()
	put := func(n int, invoice, name string) {
		s.add("DOCUMENT", fmt.Sprintf("DOCUMENTNO=D%05d", n), "FILENAME="+name, fmt.Sprintf("MODDATE=%s", stamp(n)), "LINKTYPE=INVOICE", "LINKNO="+invoice, "DOCTYPE=INV", "FILESIZE=9")
	}
	var asked []string
	for n := range 100 { // every fourth without, every tenth with two
		number := fmt.Sprint(104200 + n)
		asked = append(asked, number)
		if n%4 != 0 {
			put(n, number, "a.pdf")
		}
		if n%10 == 1 {
			put(n+1000, number, "b.pdf")
		}
	}
	put(2000, "104100", "before.pdf")
	put(2001, "104300", "after.pdf")
	c, _ := serve(t, s)
	slices.Reverse(asked)
	got, err := c.DocumentsOf(context.Background(), asked)
	if err != nil || len(got) != 100 {
		t.Fatalf("%d invoices, %v", len(got), err)
	}
	if n := s.count(); n != 1 {
		t.Errorf("%d calls for the files of 100 invoices", n)
	}
	for number, docs := range got {
		one, err := c.Documents(context.Background(), number)
		if err != nil || !reflect.DeepEqual(one, docs) {
			t.Errorf("%s: %+v in bulk, %+v singly, %v", number, docs, one, err)
		}
	}
}

// TestDocumentsOfUncertainOrder: what the range of two keys holds is only known for numbers whose order no collation and no
// type of column makes different. The others are not in the answer, unless they were met.
func TestDocumentsOfUncertainOrder(t *testing.T) {
	for _, tc := range []struct {
		name  string
		asked string
		files string // the invoices that have one
		want  string
		calls int
	}{
		{"too few", "1001 1002 1003", "1001", "", 0},
		{"of two lengths", "98 99 100 101", "98", "", 0},
		{"letters at the end", "1a 1b 1c 1d", "1a", "", 0},
		{"prefixes apart", "A-11 A-12 A-13 A-14 B-11 B-12", "A-12 B-11", "A-11:0 A-12:1 A-13:0 A-14:0", 1},
		{"two ranges", "11 12 13 14 1011 1012 1013 1014 14", "14 1014", "1011:0 1012:0 1013:0 1014:1 11:0 12:0 13:0 14:1", 2},
	} {
		s := newSite()
		for i, number := range strings.Fields(tc.files) {
			s.add("DOCUMENT", fmt.Sprint("DOCUMENTNO=D", i), "FILENAME=a.pdf", "MODDATE="+stamp(1), "LINKTYPE=INVOICE", "LINKNO="+number)
		}
		c, _ := serve(t, s)
		got, err := c.DocumentsOf(context.Background(), strings.Fields(tc.asked))
		var said []string
		for number, docs := range got {
			said = append(said, fmt.Sprint(number, ":", len(docs)))
		}
		slices.Sort(said)
		if text := strings.Join(said, " "); err != nil || text != tc.want || s.count() != tc.calls {
			t.Errorf("%s: %q in %d calls, %v; want %q", tc.name, text, s.count(), err, tc.want)
		}
	}
}

// TestDocumentsOfASparseRange: when the range holds much else, what was met in a few calls is told, and nothing is said of
// the rest.
func TestDocumentsOfASparseRange(t *testing.T) {
	s := newSite()
	for n := range 400 {
		s.add("DOCUMENT", fmt.Sprintf("DOCUMENTNO=D%05d", n), "FILENAME=a.pdf", "MODDATE="+stamp(1), "LINKTYPE=INVOICE", fmt.Sprint("LINKNO=", 1000+n))
	}
	m := mapping.Default()
	m.Dialect.LinePageSize = 20
	c, _ := serve(t, s, func(cfg *Config) { cfg.Mapping = m })
	got, err := c.DocumentsOf(context.Background(), []string{"1000", "1010", "1030", "1300", "1399"})
	if err != nil || len(got) != 3 || len(got["1030"]) != 1 || s.count() != 3 {
		t.Errorf("%v in %d calls, %v", got, s.count(), err)
	}
	s.denied["DOCUMENT"] = true
	_, err = c.DocumentsOf(context.Background(), []string{"1000", "1010", "1030", "1300"})
	classOf(t, err, connector.ClassForbidden)
	m.Entities.Document = nil
	_, err = c.DocumentsOf(context.Background(), []string{"1000"})
	classOf(t, err, connector.ClassUnsupported)
}

func TestDownload(t *testing.T) {
	s := newSite()
	c, _ := serve(t, s)
	for body, class := range map[string]connector.Class{"%PDF-1.7 content": "", "": connector.ClassBadResponse, "PK\x03\x04": connector.ClassBadResponse, "<html>login</html>": connector.ClassBadResponse} {
		s.answer = func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if r.URL.Path != "/api/Document" || r.URL.Query().Get("documentno") != "D1" {
				t.Errorf("call %s", r.URL)
			}
			io.WriteString(w, body)
			return true
		}
		f, err := c.Download(context.Background(), "D1")
		if class != "" {
			classOf(t, err, class)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // it can be read again
			got, err := io.ReadAll(f)
			if err != nil || string(got) != body {
				t.Errorf("file %q, %v", got, err)
			}
			if at, err := f.(io.Seeker).Seek(0, io.SeekStart); err != nil || at != 0 {
				t.Errorf("back to %d, %v", at, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What the package says it can do is what it implements: every method of the contract belongs to a feature, and no other.
func TestAbilitiesMatchTheContract(t *testing.T) {
	contract := reflect.TypeFor[connector.ERP]()
	var want, got []string
	for i := range contract.NumMethod() {
		if name := contract.Method(i).Name; name != "Check" {
			want = append(want, name)
		}
	}
	features := map[connector.Feature]bool{}
	for _, a := range Abilities() {
		features[a.Feature] = true
		for _, name := range a.Methods {
			if _, ok := reflect.TypeFor[*Connector]().MethodByName(name); !ok {
				t.Errorf("%s needs %s, which does not exist", a.Feature, name)
			}
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("abilities name %v, the contract has %v", got, want)
	}
	if len(features) != 7 {
		t.Errorf("%d features: %v", len(features), features)
	}
}

func TestNewReportsEverything(t *testing.T) {
	_, err := New(Config{DefaultCurrency: "DOLLAR", PerSecond: -1, MaxFile: 101 << 20, BankAccounts: map[money.Currency]string{"USD": " "}}, Deps{})
	for _, field := range []string{"Mapping", "CompanyNo", "DefaultCurrency", "PerSecond", "MaxFile", "BankAccounts"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not reported in: %v", field, err)
		}
	}
	if _, err := New(Config{Mapping: mapping.Default(), CompanyNo: "01", BaseURL: "http://q360.example.com"}, Deps{Secrets: fixedSecrets{}}); err == nil || !strings.Contains(err.Error(), "https") {
		t.Errorf("plain text was accepted: %v", err)
	}
	if _, err := New(Config{Mapping: mapping.Default(), CompanyNo: "01"}, Deps{}); err == nil {
		t.Error("no secret source was accepted")
	}
}

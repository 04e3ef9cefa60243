package q360

import (
	"context"
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
		got, err := io.ReadAll(f)
		if err != nil || string(got) != body || f.Close() != nil {
			t.Errorf("file %q, %v", got, err)
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
	_, err := New(Config{DefaultCurrency: "DOLLAR", PerSecond: -1, BankAccounts: map[money.Currency]string{"USD": " "}}, Deps{})
	for _, field := range []string{"Mapping", "CompanyNo", "DefaultCurrency", "PerSecond", "BankAccounts"} {
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

package client

import (
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector/q360/mapping"
)

func TestInZone(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, local, utc string }{
		{"summer", "2026-05-04 09:58:40.003", "2026-05-04T13:58:40.003Z"},
		{"winter", "2026-01-04 09:58:40.000", "2026-01-04T14:58:40Z"},
		{"repeated hour, the first time", "2026-11-01 01:30:00.000", "2026-11-01T05:30:00Z"},
		{"after the repeated hour", "2026-11-01 02:00:00.000", "2026-11-01T07:00:00Z"},
		{"before the repeated hour", "2026-11-01 00:59:59.997", "2026-11-01T04:59:59.997Z"},
		{"skipped hour", "2026-03-08 02:30:00.000", "2026-03-08T07:30:00Z"},
		{"date alone", "2026-03-28", "2026-03-28T04:00:00Z"},
		{"ISO", "2026-03-28T00:00:00", "2026-03-28T04:00:00Z"},
		{"padded", "  2026-03-28 00:00:00.000   ", "2026-03-28T04:00:00Z"},
	}
	for _, tc := range cases {
		reading, err := ParseWall(tc.local, "2006-01-02 15:04:05.000")
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if got := InZone(reading, zone).Format(time.RFC3339Nano); got != tc.utc {
			t.Errorf("%s: %s is %s, want %s", tc.name, tc.local, got, tc.utc)
		}
	}
	for _, bad := range []string{"", "tomorrow", "2026-13-01", "0001-01-01 00:00:00", "2026-03-28 25:00:00"} {
		if got, err := ParseWall(bad, ""); err == nil {
			t.Errorf("%q was read as %s", bad, got)
		}
	}
}

func TestLiterals(t *testing.T) {
	c := &Client{m: mapping.Default(), zone: mapping.Default().Site.Location()}
	if got := c.DateLiteral("2026-05-04"); got != "2026-05-04 00:00:00.000" {
		t.Errorf("date literal %q", got)
	}
	if got := c.DateLiteral("nonsense"); got != "" {
		t.Errorf("literal of no date %q", got)
	}
	at := time.Date(2026, 5, 4, 14, 10, 0, 7_000_000, time.UTC)
	if got := c.TimeLiteral(at); got != "2026-05-04 10:10:00.007" {
		t.Errorf("time literal %q", got)
	}
	if got, err := c.ParseTime(c.TimeLiteral(at)); err != nil || !got.Equal(at) {
		t.Errorf("there and back: %s, %v", got, err)
	}
	if d, err := c.ParseDate("2026-05-31 00:00:00.000"); err != nil || d != billing.Date("2026-05-31") {
		t.Errorf("date %q, %v", d, err)
	}
}

func TestRows(t *testing.T) {
	r, err := newRow(map[string]any{"InvoiceNo": "104233   ", "COMMENT": "   ", "NOTHING": nil, "FLAG": true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Raw("INVOICENO") != "104233   " || r.Text("invoiceno") != "104233" || r.Text("COMMENT") != "" || r.Text("FLAG") != "Y" || r.Text("") != "" {
		t.Errorf("row %+v", r)
	}
	if r.Has("nothing") || !r.Has("comment") {
		t.Error("null and blank are confused")
	}
	same := NewRow(map[string]string{"INVOICENO": "104233", "FLAG": "Y"})
	other := NewRow(map[string]string{"INVOICENO": "104233", "FLAG": "N"})
	if r.Digest() != same.Digest() || r.Digest() == other.Digest() || len(r.Digest()) != 8 {
		t.Error("digests do not follow the content")
	}
	if NewRow(map[string]string{"A": "1;B=\"2\""}).Digest() == NewRow(map[string]string{"A": "1", "B": "2"}).Digest() {
		t.Error("a value can imitate another column")
	}
	if !SameKey("a1  ", "A1") || SameKey("a1", "a2") {
		t.Error("SameKey")
	}
}

func TestHolds(t *testing.T) {
	row := NewRow(map[string]string{"PRTID": "y  ", "BLANK": "  "})
	for c, want := range map[mapping.Condition]bool{
		{Column: "PRTID", Op: "=", Value: "Y"}: true, {Column: "PRTID", Op: "=", Value: "N"}: false, {Column: "PRTID", Op: "!=", Value: "N"}: true,
		{Column: "BLANK", Op: "isnull"}: true, {Column: "PRTID", Op: "isnotnull"}: true, {Column: "PRTID", Op: "isnull"}: false,
	} {
		if Holds(c, row) != want {
			t.Errorf("%+v is not %v", c, want)
		}
	}
}

func FuzzParseEnvelope(f *testing.F) {
	for _, s := range []string{`{"code":200,"success":true,"payload":{"result":[{"A":"1"}]},"outvars":{"hasmore":"N"}}`, `{"success":false,"payload":{"_error":[null,{"errorno":5}]}}`,
		`{"success":true,"payload":{"griddata":{"record":[{"a":1e5,"A":null}]}}}`, `<html>`, `[]`, `{"success":"Y"}`, ``} {
		f.Add([]byte(s))
	}
	places := []string{"payload.result", "payload.griddata.record"}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := parseEnvelope(body)
		if err != nil {
			if a.success {
				t.Error("an error with success")
			}
			return
		}
		rows, found, err := a.rows(places)
		if err == nil && !found && len(rows) > 0 {
			t.Error("rows from nowhere")
		}
		for _, r := range rows {
			_ = r.Digest()
		}
		keysOf(a.outvar([]string{"outvars"}, "primarykey"))
	})
}

func FuzzParseWall(f *testing.F) {
	for _, s := range []string{"2026-03-28 00:00:00.000", "2026-11-01 01:30:00.997", "2026-03-28", "20260328", "9999-12-31 23:59:59.997", "1753-01-01"} {
		f.Add(s)
	}
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		f.Fatal(err)
	}
	const layout = "2006-01-02 15:04:05.000"
	f.Fuzz(func(t *testing.T, s string) {
		reading, err := ParseWall(s, layout)
		if err != nil {
			return
		}
		again, err := ParseWall(reading.Format("2006-01-02 15:04:05.999999999"), layout)
		if err != nil || !again.Equal(reading) {
			t.Fatalf("%q: %s, then %s, %v", s, reading, again, err)
		}
		at := InZone(reading, zone)
		if local := wall(at.In(zone)); !local.Equal(reading) && local.Sub(reading) != time.Hour {
			t.Errorf("%q: %s in the zone is %s", s, at, local)
		}
	})
}

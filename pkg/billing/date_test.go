package billing_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/arbridge/arbridge/pkg/billing"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestParseDate(t *testing.T) {
	for _, good := range []string{"2026-05-31", "2024-02-29", "1999-12-31"} {
		if got, err := billing.ParseDate(good); err != nil || string(got) != good {
			t.Errorf("ParseDate(%q) = %q, %v", good, got, err)
		}
	}
	for _, bad := range []string{"", "2026-5-31", "2026-02-29", "2026-13-01", "31.05.2026", "2026-05-31T00:00:00Z", " 2026-05-31", "0000-00-00"} {
		if got, err := billing.ParseDate(bad); err == nil {
			t.Errorf("ParseDate(%q) = %q", bad, got)
		}
	}
}

func TestDateOfAnInstantDependsOnTheZone(t *testing.T) {
	at := time.Date(2026, 6, 1, 3, 30, 0, 0, time.UTC)
	for name, want := range map[string]billing.Date{"America/New_York": "2026-05-31", "UTC": "2026-06-01", "Asia/Tokyo": "2026-06-01"} {
		if got := billing.DateOf(at, zone(t, name)); got != want {
			t.Errorf("in %s: %s, want %s", name, got, want)
		}
	}
}

func TestNoon(t *testing.T) {
	for _, tt := range []struct {
		date billing.Date
		zone string
		want string
	}{
		{"2026-05-31", "UTC", "2026-05-31T12:00:00Z"},
		{"2026-05-31", "America/New_York", "2026-05-31T16:00:00Z"},
		{"2026-03-08", "America/New_York", "2026-03-08T16:00:00Z"},  // the day summer time begins
		{"2026-11-01", "America/New_York", "2026-11-01T17:00:00Z"},  // the day it ends
		{"2018-11-04", "America/Sao_Paulo", "2018-11-04T14:00:00Z"}, // a day without midnight
	} {
		got := tt.date.Noon(zone(t, tt.zone))
		if got.Format(time.RFC3339) != tt.want || got.Location() != time.UTC {
			t.Errorf("noon of %s in %s: %s, want %s", tt.date, tt.zone, got.Format(time.RFC3339), tt.want)
		}
	}
	for _, bad := range []billing.Date{"", "soon"} {
		if !bad.Noon(time.UTC).IsZero() {
			t.Errorf("noon of %q is %s", bad, bad.Noon(time.UTC))
		}
	}
}

func TestNoonKeepsTheDate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := billing.Date("2020-01-01").AddDays(rapid.IntRange(0, 20000).Draw(t, "day"))
		home := time.FixedZone("", rapid.IntRange(-12, 14).Draw(t, "zone")*3600)
		if got := billing.DateOf(d.Noon(home), home); got != d {
			t.Fatalf("noon of %s is on %s", d, got)
		}
		reader := time.FixedZone("", 0)
		_, offset := d.Noon(home).In(home).Zone()
		if offset >= -11*3600 && offset <= 11*3600 && billing.DateOf(d.Noon(home), reader) != d {
			t.Fatalf("noon of %s in %d h reads %s in UTC", d, offset/3600, billing.DateOf(d.Noon(home), reader))
		}
	})
}

func TestAddDays(t *testing.T) {
	for _, tt := range []struct {
		from billing.Date
		n    int
		want billing.Date
	}{
		{"2026-05-31", 1, "2026-06-01"}, {"2026-01-01", -1, "2025-12-31"}, {"2024-02-28", 1, "2024-02-29"}, {"2026-03-07", 2, "2026-03-09"},
		{"2026-05-01", 0, "2026-05-01"}, {"", 3, ""}, {"soon", 3, "soon"},
	} {
		if got := tt.from.AddDays(tt.n); got != tt.want {
			t.Errorf("%s and %d days: %s, want %s", tt.from, tt.n, got, tt.want)
		}
	}
}

func TestDatesSortAsTexts(t *testing.T) {
	dates := []billing.Date{"2026-10-02", "2026-09-30", "", "2025-12-31"}
	slices.Sort(dates)
	if want := []billing.Date{"", "2025-12-31", "2026-09-30", "2026-10-02"}; !slices.Equal(dates, want) {
		t.Errorf("sorted: %v", dates)
	}
}

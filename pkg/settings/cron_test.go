package settings

import (
	"testing"
	"time"
)

func TestCronNext(t *testing.T) {
	cases := []struct{ expr, zone, from, want string }{
		{"0 3 * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T03:00:00Z"},
		{"0 3 * * *", "UTC", "2026-01-01T03:00:00Z", "2026-01-02T03:00:00Z"},
		{"0 3 * * *", "UTC", "2026-01-01T02:59:59Z", "2026-01-01T03:00:00Z"},
		{"*/15 * * * *", "UTC", "2026-01-01T00:46:10Z", "2026-01-01T01:00:00Z"},
		{"5/20 0 * * *", "UTC", "2026-01-01T00:05:00Z", "2026-01-01T00:25:00Z"},
		{"30 2 * * MON-FRI", "UTC", "2026-01-02T03:00:00Z", "2026-01-05T02:30:00Z"},
		{"0 0 * * 7", "UTC", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
		{"0 0 1,15 * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-15T00:00:00Z"},
		{"0 0 13 * 5", "UTC", "2026-01-03T00:00:00Z", "2026-01-09T00:00:00Z"}, // either day field
		{"0 0 29 FEB *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"0 0 31 12 *", "UTC", "2026-12-31T00:00:00Z", "2027-12-31T00:00:00Z"},
		{"30 2 * * *", "America/New_York", "2026-03-08T01:00:00-05:00", "2026-03-09T02:30:00-04:00"}, // 2:30 does not exist
		{"0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00-03:00", "2018-11-05T00:00:00-02:00"}, // nor does midnight
		{"0 12 * * *", "Australia/Lord_Howe", "2026-10-03T13:00:00+10:30", "2026-10-04T12:00:00+11:00"},
	}
	for _, tc := range cases {
		c, err := ParseCron(tc.expr)
		if err != nil {
			t.Errorf("%s: %v", tc.expr, err)
			continue
		}
		zone, err := time.LoadLocation(tc.zone)
		if err != nil {
			t.Fatal(err)
		}
		from, _ := time.Parse(time.RFC3339, tc.from)
		want, _ := time.Parse(time.RFC3339, tc.want)
		if got := c.Next(from.In(zone)); !got.Equal(want) {
			t.Errorf("%s after %s: %s, want %s", tc.expr, tc.from, got.Format(time.RFC3339), tc.want)
		}
	}
	if got := (Cron{}).Next(time.Unix(0, 0)); !got.IsZero() {
		t.Error("the zero schedule fired at", got)
	}
}

func TestBadCron(t *testing.T) {
	cases := map[string]string{
		"":              "has 0 fields, not minute, hour, day of month, month and day of week",
		"@daily":        "has 1 fields, not minute, hour, day of month, month and day of week",
		"60 * * * *":    "minute: is not a number from 0 to 59",
		"* 24 * * *":    "hour: is not a number from 0 to 23",
		"* * 0 * *":     "day of month: is not a number from 1 to 31",
		"* * * 13 *":    "month: is not a number from 1 to 12",
		"* * * * 8":     "day of week: is not a number from 0 to 7",
		"* * * ANF *":   "month: is not a number from 1 to 12",
		"5-1 * * * *":   "minute: a range runs backwards",
		"1-x * * * *":   "minute: is not a number from 0 to 59",
		"*/0 * * * *":   "minute: step is not a number from 1 to 59",
		"+5 * * * *":    "minute: is not a number from 0 to 59",
		"1,,2 * * * *":  "minute: is not a number from 0 to 59",
		"0 0 31 2 *":    "no such day: it would never run",
		"0 0 31 4,6 *":  "no such day: it would never run",
		"* * * * * 1/2": "has 6 fields, not minute, hour, day of month, month and day of week",
	}
	for expr, want := range cases {
		if _, err := ParseCron(expr); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", expr, err, want)
		}
	}
}

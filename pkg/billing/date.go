package billing

import (
	"fmt"
	"time"
)

// Date is a calendar date without a time zone, written "2026-05-31"; the empty Date is "no date". Dates sort and compare
// as their texts do.
type Date string

// ParseDate reads "2026-05-31".
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return "", fmt.Errorf("date %q: expected a calendar date such as 2026-05-31", s)
	}
	return Date(t.Format(time.DateOnly)), nil
}

// DateOf is the calendar date of an instant in a zone.
func DateOf(t time.Time, zone *time.Location) Date { return Date(t.In(zone).Format(time.DateOnly)) }

// Noon is 12:00 of the date in a zone: the instant that keeps its calendar date in every reader's zone up to eleven hours
// away and is safe from daylight saving (invoiced-api 11.4). The zero time for the empty Date.
func (d Date) Noon(zone *time.Location) time.Time {
	t, err := time.Parse(time.DateOnly, string(d)) // not in zone: some days there have no midnight
	if err != nil {
		return time.Time{}
	}
	return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, zone).UTC()
}

// AddDays is the date n days later.
func (d Date) AddDays(n int) Date {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return d
	}
	return Date(t.AddDate(0, 0, n).Format(time.DateOnly))
}

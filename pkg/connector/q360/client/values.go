package client

import (
	"fmt"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
)

// layouts of date-times besides the mapping's own; fractions of any length are read with each of them.
var layouts = [...]string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02", "20060102"}

// ParseWall reads a stored date-time as the wall-clock reading it is, given in UTC form. Stored times have no time zone
// (q360-api 1.3).
func ParseWall(s, layout string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if layout != "" {
		if t, err := time.Parse(layout, s); err == nil && plausible(t) {
			return wall(t), nil
		}
	}
	for _, l := range layouts {
		if t, err := time.Parse(l, s); err == nil && plausible(t) {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date-time such as 2026-03-28 00:00:00.000", clip(s, 40))
}

func plausible(t time.Time) bool { return t.Year() >= 1753 && t.Year() <= 9999 } // the range of SQL Server's datetime

func wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// InZone gives the instant of a wall-clock reading in a zone. In the hour that a change of the clocks repeats it is the
// earlier instant of the two, in the hour that one skips the reading counts by the time before the change.
func InZone(reading time.Time, zone *time.Location) time.Time {
	_, before := reading.Add(-26 * time.Hour).In(zone).Zone()
	_, after := reading.Add(26 * time.Hour).In(zone).Zone()
	first := reading.Add(-time.Duration(before) * time.Second)
	second := reading.Add(-time.Duration(after) * time.Second)
	if wall(first.In(zone)).Equal(reading) || !wall(second.In(zone)).Equal(reading) {
		return first.UTC()
	}
	return second.UTC()
}

// ParseTime reads a stored date-time as an instant in UTC.
func (c *Client) ParseTime(s string) (time.Time, error) {
	reading, err := ParseWall(s, c.m.Dialect.DatetimeLiteral)
	if err != nil {
		return time.Time{}, err
	}
	return InZone(reading, c.zone), nil
}

// ParseDate reads the calendar date of a stored date-time; no zone is applied, because dates are stored at local midnight.
func (c *Client) ParseDate(s string) (billing.Date, error) {
	reading, err := ParseWall(s, c.m.Dialect.DatetimeLiteral)
	if err != nil {
		return "", err
	}
	return billing.DateOf(reading, time.UTC), nil
}

// TimeLiteral writes an instant as the site stores it, in its zone.
func (c *Client) TimeLiteral(t time.Time) string {
	return t.In(c.zone).Format(c.m.Dialect.DatetimeLiteral)
}

// WallLiteral writes a wall-clock reading (ParseWall) as the site stores it.
func (c *Client) WallLiteral(reading time.Time) string {
	return reading.Format(c.m.Dialect.DatetimeLiteral)
}

// DateLiteral writes a calendar date as the site stores it, at midnight; "" for no date.
func (c *Client) DateLiteral(d billing.Date) string {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return ""
	}
	return t.Format(c.m.Dialect.DatetimeLiteral)
}

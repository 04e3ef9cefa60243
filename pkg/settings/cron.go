package settings

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Cron is a schedule of five fields: minute, hour, day of month, month, day of week, as crontab(5) and Cloud Scheduler
// read them. The zero value never fires.
type Cron struct {
	minute, hour, day, month, weekday uint64 // bit n is set when n matches
	anyDay, anyWeekday                bool   // the field is *, so that the other one decides alone
}

type cronField struct {
	name        string
	least, most int
	names       string // three-letter names in order, from least
}

func cronFields() [5]cronField {
	return [5]cronField{
		{"minute", 0, 59, ""}, {"hour", 0, 23, ""}, {"day of month", 1, 31, ""},
		{"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"}, {"day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT"},
	}
}

// ParseCron reads five fields such as "0 3 * * 1-5". Each is a list of numbers, names (JAN, MON), ranges and *, with an
// optional step such as */15. An expression that can never fire, such as 30 February, is an error.
func ParseCron(expr string) (Cron, error) {
	parts := strings.Fields(expr)
	if len(parts) != 5 {
		return Cron{}, fmt.Errorf("has %d fields, not minute, hour, day of month, month and day of week", len(parts))
	}
	var bits [5]uint64
	for i, f := range cronFields() {
		b, err := f.parse(parts[i])
		if err != nil {
			return Cron{}, fmt.Errorf("%s: %w", f.name, err)
		}
		bits[i] = b
	}
	bits[4] = (bits[4] | bits[4]>>7) & 0x7f // 7 is Sunday too
	c := Cron{bits[0], bits[1], bits[2], bits[3], bits[4], strings.HasPrefix(parts[2], "*"), strings.HasPrefix(parts[4], "*")}
	if c.Next(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Cron{}, errors.New("no such day: it would never run")
	}
	return c, nil
}

func (f cronField) parse(text string) (uint64, error) {
	var bits uint64
	for _, part := range strings.Split(text, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		low, high, err := f.span(span)
		if err != nil {
			return 0, err
		}
		step := 1
		if stepped {
			if step, err = f.value(stepText, 1); err != nil {
				return 0, fmt.Errorf("step %w", err)
			}
			if span != "*" && low == high {
				high = f.most // 5/10 counts from 5
			}
		}
		for n := low; n <= high; n += step {
			bits |= 1 << n
		}
	}
	return bits, nil
}

func (f cronField) span(text string) (low, high int, err error) {
	if text == "*" {
		return f.least, f.most, nil
	}
	from, to, ranged := strings.Cut(text, "-")
	if low, err = f.value(from, f.least); err != nil {
		return 0, 0, err
	}
	if !ranged {
		return low, low, nil
	}
	if high, err = f.value(to, f.least); err != nil {
		return 0, 0, err
	}
	if high < low {
		return 0, 0, errors.New("a range runs backwards")
	}
	return low, high, nil
}

func (f cronField) value(text string, least int) (int, error) {
	if i := strings.Index(f.names, strings.ToUpper(text)); len(text) == 3 && i >= 0 && i%3 == 0 {
		return f.least + i/3, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > f.most || strings.HasPrefix(text, "+") {
		return 0, fmt.Errorf("is not a number from %d to %d", least, f.most)
	}
	return n, nil
}

// Next is the first time after t, in t's zone, that the schedule fires. A time that a clock change skips fires at the
// next match. The zero time when nothing matches within the eight years that hold any 29 February.
func (c Cron) Next(t time.Time) time.Time {
	zone := t.Location()
	t = t.Truncate(time.Minute).Add(time.Minute)
	for end := t.AddDate(8, 0, 1); t.Before(end); {
		switch {
		case c.month>>int(t.Month())&1 == 0:
			t = forward(t, time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, zone))
		case !c.onDay(t):
			t = forward(t, time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, zone))
		case c.hour>>t.Hour()&1 == 0:
			t = t.Add(time.Duration(60-t.Minute()) * time.Minute)
		case c.minute>>t.Minute()&1 == 0:
			t = t.Add(time.Minute)
		default:
			return t
		}
	}
	return time.Time{}
}

// forward is to, or an hour after t where a clock change skips midnight and leaves to before it.
func forward(t, to time.Time) time.Time {
	if to.After(t) {
		return to
	}
	return t.Add(time.Hour)
}

// onDay follows crontab(5): when both day fields are restricted, either may match.
func (c Cron) onDay(t time.Time) bool {
	day, weekday := c.day>>t.Day()&1 == 1, c.weekday>>int(t.Weekday())&1 == 1
	if c.anyDay || c.anyWeekday {
		return day && weekday
	}
	return day || weekday
}

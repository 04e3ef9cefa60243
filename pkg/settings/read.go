package settings

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/pkg/money"
)

// ZoneFunc finds a time zone by its IANA name. It is handed in because zone data comes from files.
type ZoneFunc func(name string) (*time.Location, error)

// maxText bounds every text; longer ones are certainly a mistake.
const maxText = 500

// complaint is what is wrong with a value or with one entry of it.
type complaint struct {
	value any // what to show: the value or the entry
	text  string
}

func complain(value any, text string) []complaint { return []complaint{{value, text}} }

// scalar is the text of a scalar. Numbers keep the text they were written with, so that the code 01 stays 01.
func scalar(raw any) (string, bool) {
	switch v := raw.(type) {
	case string:
		return strings.TrimSpace(v), true
	case json.Number:
		return string(v), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	}
	return "", false
}

// plain is the text of a scalar that is neither blank nor too long and has no control characters.
func plain(raw any) (string, []complaint) {
	v, ok := scalar(raw)
	switch {
	case !ok:
		return "", complain(raw, shape(raw)+" is not a text")
	case v == "":
		return "", complain(raw, "blank; leave the key out to have the default")
	case len(v) > maxText:
		return "", complain(raw, "longer than "+strconv.Itoa(maxText)+" characters")
	case strings.ContainsFunc(v, unicode.IsControl) || !validUTF8(v):
		return "", complain(raw, "has line breaks or other control characters")
	}
	return v, nil
}

func validUTF8(s string) bool { return strings.ToValidUTF8(s, "") == s }

func shape(raw any) string {
	switch raw.(type) {
	case nil:
		return "nothing"
	case bool:
		return "true or false"
	case []any, []string:
		return "a list"
	case map[string]any, map[string]string:
		return "a map"
	}
	return "this kind of value" // such as a binary fraction, which can not hold what was written
}

func readBool(_ Setting, raw any, _ ZoneFunc) (bool, []complaint) {
	if v, ok := raw.(bool); ok {
		return v, nil
	}
	switch v, _ := scalar(raw); v {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, complain(raw, "neither true nor false")
}

func readChoice[T ~string](s Setting, raw any, _ ZoneFunc) (T, []complaint) {
	v, bad := plain(raw)
	if bad != nil {
		return "", bad
	}
	if text := notAmong(s.Choices, v); text != "" {
		return "", complain(raw, text)
	}
	return T(v), nil
}

// notAmong is what is wrong with a value that is none of the choices, empty when it is one.
func notAmong(choices []Choice, value string) string {
	values := choiceValues(choices)
	for _, v := range values {
		if v == value {
			return ""
		}
	}
	return "no such choice" + meant(value, values)
}

func readText[T ~string](s Setting, raw any, _ ZoneFunc) (T, []complaint) {
	v, bad := plain(raw)
	if bad != nil {
		return "", bad
	}
	if !matches(s.Pattern, v) {
		return "", complain(raw, "not of this form")
	}
	return T(v), nil
}

func matches(pattern, value string) bool {
	return pattern == "" || regexp.MustCompile(pattern).MatchString(value)
}

var placeholder = regexp.MustCompile(`\{\{[^{}]*\}\}`)

// readTemplate refuses placeholders that nothing fills and braces that are left open: both would reach the customer.
func readTemplate(s Setting, raw any, zone ZoneFunc) (string, []complaint) {
	v, bad := readText[string](s, raw, zone)
	if bad != nil {
		return "", bad
	}
	for _, p := range placeholder.FindAllString(v, -1) {
		if text := notAmong(s.Choices, p); text != "" {
			bad = append(bad, complaint{p, "no such placeholder" + strings.TrimPrefix(text, "no such choice")})
		}
	}
	if rest := placeholder.ReplaceAllString(v, ""); strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
		bad = append(bad, complaint{raw, "a placeholder is not closed"})
	}
	return v, bad
}

var wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,8})$`)

func readInt(s Setting, raw any, _ ZoneFunc) (int, []complaint) {
	v, ok := scalar(raw)
	if !ok || !wholeNumber.MatchString(v) {
		return 0, complain(raw, "not a plain whole number")
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, complain(raw, "not a plain whole number")
	}
	if s.Min != "" && n < mustInt(s.Min) {
		return 0, complain(raw, "too small")
	}
	if s.Max != "" && n > mustInt(s.Max) {
		return 0, complain(raw, "too large")
	}
	return n, nil
}

// mustInt reads a limit of a declaration; a test holds every limit to be readable.
func mustInt(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// DurationPattern is the form of a duration: hours, minutes and seconds, each at most once.
const DurationPattern = `^([0-9]{1,5}h([0-9]{1,7}m)?([0-9]{1,9}s)?|[0-9]{1,7}m([0-9]{1,9}s)?|[0-9]{1,9}s)$`

func readDuration(s Setting, raw any, _ ZoneFunc) (time.Duration, []complaint) {
	v, ok := scalar(raw)
	if !ok || !matches(DurationPattern, v) {
		return 0, complain(raw, "not a duration with its unit")
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		return 0, complain(raw, "not a duration with its unit")
	}
	if least, _ := time.ParseDuration(s.Min); s.Min != "" && d < least {
		return 0, complain(raw, "too short")
	}
	if most, _ := time.ParseDuration(s.Max); s.Max != "" && d > most {
		return 0, complain(raw, "too long")
	}
	return d, nil
}

func readDate(_ Setting, raw any, _ ZoneFunc) (string, []complaint) {
	v, ok := scalar(raw)
	if !ok {
		return "", complain(raw, "not a date")
	}
	if _, err := time.Parse(time.DateOnly, v); err != nil {
		return "", complain(raw, "not a date of the calendar")
	}
	return v, nil
}

// AmountPattern is the form of an amount: digits and at most one point, no sign, no exponent, no separators.
const AmountPattern = `^[0-9]{1,15}(\.[0-9]{1,4})?$`

func readAmount(_ Setting, raw any, _ ZoneFunc) (Amount, []complaint) {
	v, ok := scalar(raw)
	if ok && strings.HasPrefix(v, "-") && matches(AmountPattern, v[1:]) {
		return "", complain(raw, "negative")
	}
	if !ok || !matches(AmountPattern, v) {
		return "", complain(raw, "not a plain number")
	}
	if _, err := decimal.NewFromString(v); err != nil {
		return "", complain(raw, "not a plain number")
	}
	return Amount(v), nil
}

func readCron(_ Setting, raw any, _ ZoneFunc) (string, []complaint) {
	v, bad := plain(raw)
	if bad != nil {
		return "", bad
	}
	if _, err := ParseCron(v); err != nil {
		return "", complain(raw, err.Error())
	}
	return strings.Join(strings.Fields(v), " "), nil
}

// readZone refuses Local, which means another zone on every machine.
func readZone(_ Setting, raw any, find ZoneFunc) (*time.Location, []complaint) {
	v, bad := plain(raw)
	if bad != nil {
		return nil, bad
	}
	if v == "Local" {
		return nil, complain(raw, "depends on the machine")
	}
	zone, err := find(v)
	if err != nil || zone == nil {
		return nil, complain(raw, "no such time zone")
	}
	return zone, nil
}

func readCurrency(_ Setting, raw any, _ ZoneFunc) (money.Currency, []complaint) {
	v, bad := plain(raw)
	if bad != nil {
		return "", bad
	}
	cur := money.Currency(v)
	if !cur.Known() {
		return "", complain(raw, "no ISO 4217 currency"+upperHint(v))
	}
	return cur, nil
}

func upperHint(v string) string {
	if cur := money.Currency(strings.ToUpper(v)); cur.Known() {
		return "; write it in upper case, " + string(cur)
	}
	return ""
}

package money

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// Errors that Parse wraps; the message around them names the text and the currency.
var (
	// ErrSyntax is a text that is not a decimal number.
	ErrSyntax = errors.New("not a decimal number")
	// ErrInexact is a number with more decimals than the currency has minor units.
	ErrInexact = errors.New("more decimals than the currency has")
	// ErrRange is a number with more than 18 digits before the decimal point, or an amount with more than 18 digits in
	// minor units: larger ones would not fit Minor.
	ErrRange = errors.New("number out of range")
)

const (
	maxText     = 64 // characters of a number; longer input is refused before it is parsed
	maxIntegers = 18 // digits before the decimal point, and of an amount in minor units
	maxScale    = 99 // decimals; with more, not even a truncation is tried
)

// Money is an exact amount in one currency. The zero value is "no amount": zero in no currency. Adding it to an amount
// gives that amount. Money is a value; its methods never change the receiver. Compare with Equal, not with ==.
type Money struct {
	amount   decimal.Decimal
	currency Currency
}

// Zero is the amount 0 in cur.
func Zero(cur Currency) Money { return Money{currency: cur} }

// FromMinor is an amount given in minor units: FromMinor(1999, USD) is 19.99 USD.
func FromMinor(minor int64, cur Currency) Money {
	return Money{amount: decimal.New(minor, -int32(cur.MinorUnits())), currency: cur}
}

// Parse reads a decimal number such as "-1250.5000" as an amount in cur. Blanks around it are allowed, zeros beyond the
// currency's minor units too; any other digit there is ErrInexact. Errors: ErrSyntax, ErrInexact, ErrRange.
func Parse(s string, cur Currency) (Money, error) {
	d, err := ParseDecimal(s)
	if err != nil {
		return Money{}, fmt.Errorf("amount %q in %s: %w", clip(s), cur, err)
	}
	return FromDecimal(d, cur)
}

// MustParse is Parse for constants in tests and tables; it panics on bad input.
func MustParse(s string, cur Currency) Money {
	m, err := Parse(s, cur)
	if err != nil {
		panic(err)
	}
	return m
}

// FromDecimal takes d as an amount in cur, refusing digits beyond the minor units (ErrInexact) and more than 18 digits
// in minor units (ErrRange).
func FromDecimal(d decimal.Decimal, cur Currency) (Money, error) {
	units := int32(cur.MinorUnits())
	if d.IsZero() {
		return Zero(cur), nil
	}
	if d.Exponent() > maxIntegers || d.Exponent() < -maxScale { // writing it out could take any amount of memory
		return Money{}, fmt.Errorf("amount with the exponent %d in %s: %w", d.Exponent(), cur, ErrRange)
	}
	short := d.Truncate(units)
	if !short.Equal(d) {
		return Money{}, fmt.Errorf("amount %s in %s: %w (%d)", d, cur, ErrInexact, units)
	}
	if short.Abs().Cmp(decimal.New(1, maxIntegers-units)) >= 0 {
		return Money{}, fmt.Errorf("amount %s in %s: %w", d, cur, ErrRange)
	}
	return Money{amount: short, currency: cur}, nil
}

// Round takes d as an amount in cur, rounding half away from zero to the minor units. It is for amounts we compute
// (a quantity times a price), never for amounts we are given.
func Round(d decimal.Decimal, cur Currency) Money {
	return Money{amount: d.Round(int32(cur.MinorUnits())), currency: cur}
}

// ParseDecimal reads a plain or JSON-style decimal number exactly: sign, digits, point, exponent up to ±30. It is used
// for quantities and unit prices, which may have more decimals than money. Errors: ErrSyntax, ErrRange.
func ParseDecimal(s string) (decimal.Decimal, error) {
	t := strings.TrimSpace(s)
	if t == "" || len(t) > maxText {
		return decimal.Decimal{}, ErrSyntax
	}
	mantissa, exponent, hasExp := strings.Cut(strings.ToLower(t), "e")
	if !plainNumber(mantissa) || (hasExp && !smallExponent(exponent)) {
		return decimal.Decimal{}, ErrSyntax
	}
	d, err := decimal.NewFromString(t)
	if err != nil {
		return decimal.Decimal{}, ErrSyntax
	}
	if d.Abs().Cmp(decimal.New(1, maxIntegers)) >= 0 {
		return decimal.Decimal{}, ErrRange
	}
	return d, nil
}

func plainNumber(s string) bool {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	whole, frac, point := strings.Cut(s, ".")
	return (whole != "" || frac != "") && digits(whole) && digits(frac) && (!point || whole+frac != "")
}

func smallExponent(s string) bool {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	return s != "" && len(s) <= 2 && digits(s) && (len(s) < 2 || s <= "30")
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

func clip(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "…"
	}
	return s
}

// Currency is the currency of the amount; empty for the zero Money.
func (m Money) Currency() Currency { return m.currency }

// Decimal is the exact number without its currency.
func (m Money) Decimal() decimal.Decimal { return m.amount }

// Minor is the amount in minor units: 19.99 USD is 1999.
func (m Money) Minor() int64 { return m.amount.Shift(int32(m.currency.MinorUnits())).IntPart() }

// Sign is -1, 0 or 1.
func (m Money) Sign() int { return m.amount.Sign() }

// IsZero reports whether the amount is 0, in whatever currency.
func (m Money) IsZero() bool { return m.amount.IsZero() }

// Neg is the amount with the opposite sign.
func (m Money) Neg() Money { return Money{amount: m.amount.Neg(), currency: m.currency} }

// Abs is the amount without its sign.
func (m Money) Abs() Money { return Money{amount: m.amount.Abs(), currency: m.currency} }

// Add is m + o. Both must be in one currency: records are checked for that where they enter (billing.Validate), so a
// mismatch here is a programming error and panics with a message that names both.
func (m Money) Add(o Money) Money {
	return Money{amount: m.amount.Add(o.amount), currency: m.join(o)}
}

// Sub is m − o, under the same rule as Add.
func (m Money) Sub(o Money) Money {
	return Money{amount: m.amount.Sub(o.amount), currency: m.join(o)}
}

// Cmp compares two amounts of one currency: -1, 0 or 1. It panics on different currencies, as Add does.
func (m Money) Cmp(o Money) int {
	m.join(o)
	return m.amount.Cmp(o.amount)
}

// Equal reports whether both the currency and the amount are the same.
func (m Money) Equal(o Money) bool { return m.currency == o.currency && m.amount.Equal(o.amount) }

func (m Money) join(o Money) Currency {
	switch {
	case m.currency == o.currency || o.currency == "":
		return m.currency
	case m.currency == "":
		return o.currency
	}
	panic(fmt.Sprintf("money: %s and %s are different currencies", m.currency, o.currency))
}

// Sum adds amounts of one currency; without any it is 0 in cur.
func Sum(cur Currency, amounts ...Money) Money {
	total := Zero(cur)
	for _, a := range amounts {
		total = total.Add(a)
	}
	return total
}

// Amount is the number alone with all its minor units, as "1250.50".
func (m Money) Amount() string { return m.amount.StringFixed(int32(m.currency.MinorUnits())) }

// String is the amount and its currency, as "1250.50 USD".
func (m Money) String() string {
	if m.currency == "" {
		return m.amount.String()
	}
	return m.Amount() + " " + string(m.currency)
}

type wire struct {
	Amount   string   `json:"amount"`
	Currency Currency `json:"currency"`
}

// MarshalJSON writes {"amount":"1250.50","currency":"USD"}; the amount is a string so that no reader makes it a float.
func (m Money) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 64) // digits and letters need no escapes
	out = append(append(out, `{"amount":"`...), m.Amount()...)
	out = append(append(out, `","currency":"`...), m.currency...)
	return append(out, `"}`...), nil
}

// UnmarshalJSON reads what MarshalJSON wrote. The zero Money has an empty currency.
func (m *Money) UnmarshalJSON(b []byte) error {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("money: %w", err)
	}
	if w.Currency != "" && !w.Currency.Known() {
		return fmt.Errorf("money: currency %q is not an ISO 4217 code", w.Currency)
	}
	got, err := Parse(w.Amount, w.Currency)
	if err != nil {
		return err
	}
	*m = got
	return nil
}

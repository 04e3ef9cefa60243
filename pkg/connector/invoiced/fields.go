package invoiced

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
	"github.com/arbridge/arbridge/pkg/money"
)

// Limits of metadata (invoiced-api 11.1).
const (
	maxMetadata      = 10  // keys
	maxMetadataKey   = 40  // characters
	maxMetadataValue = 255 // characters
)

// checkMetadata refuses a map that the portal would refuse.
func checkMetadata(op string, m map[string]string) error {
	if len(m) > maxMetadata {
		return invalid(op, "metadata", "%d keys of metadata are more than the portal's %d; store fewer", len(m), maxMetadata)
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if n := utf8.RuneCountInString(k); n == 0 || n > maxMetadataKey {
			return invalid(op, "metadata", "the key %.60q of metadata must have 1 to %d characters; rename it", k, maxMetadataKey)
		}
		if n := utf8.RuneCountInString(m[k]); n > maxMetadataValue {
			return invalid(op, "metadata", "the value of %s in metadata has %d characters, more than the portal's %d; shorten it",
				k, n, maxMetadataValue)
		}
	}
	return nil
}

// wholeMap is the map to replace the portal's with; an empty one clears it.
func wholeMap(m map[string]string) client.Optional[map[string]string] {
	if m == nil {
		m = map[string]string{}
	}
	return client.Some(m)
}

func lower(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// instant is the UTC time of unix seconds, the zero time for none.
func instant(u client.Unix) time.Time {
	if u == 0 {
		return time.Time{}
	}
	return time.Unix(int64(u), 0).UTC()
}

// toDate is noon of the date in the zone, which every reader's zone shows as that date (invoiced-api 11.4).
func toDate(d billing.Date, zone *time.Location) (int64, bool) {
	noon := d.Noon(zone)
	if noon.IsZero() {
		return 0, false
	}
	return noon.Unix(), true
}

// fromDate is the calendar date of the instant in the zone; empty for none.
func fromDate(u client.Unix, zone *time.Location) billing.Date {
	if u == 0 {
		return ""
	}
	return billing.DateOf(instant(u), zone)
}

// fromCurrency reads a currency, taking the account's for none.
func fromCurrency(t client.Text, account money.Currency) (money.Currency, error) {
	if t == "" {
		return account, nil
	}
	cur, err := money.ParseCurrency(string(t))
	if err != nil {
		return "", fmt.Errorf("currency: %w", err)
	}
	return cur, nil
}

// fromAmount reads an amount that must be there and be exact.
func fromAmount(field string, n client.Number, cur money.Currency) (money.Money, error) {
	if !n.Given {
		return money.Money{}, missing(field)
	}
	m, err := money.FromDecimal(n.Decimal, cur)
	if err != nil {
		return money.Money{}, fmt.Errorf("%s: %w", field, err)
	}
	return m, nil
}

func missing(field string) error { return errors.New(field + " is missing") }

package settings

import (
	"time"

	"github.com/arbridge/arbridge/pkg/money"
)

// Patterns that several declarations share. They are RE2 and anchored, so that the JSON schema and the Terraform
// validation can use them as they are.
const (
	namePattern    = `^[A-Za-z0-9][A-Za-z0-9 ._/&-]{0,39}$`           // codes of the ERP
	accountPattern = `^[A-Za-z0-9][A-Za-z0-9.-]{0,19}$`               // q360-api 2.8: 4 to 6 digits; sites differ
	emailPattern   = `^[^@\s<>,;"]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$` // one bare address, no display name
	clockPattern   = `^([01][0-9]|2[0-3]):[0-5][0-9]$`                // a time of day
)

// reader turns a raw value into a typed one, or complains.
type reader[T any] func(s Setting, raw any, zone ZoneFunc) (T, []complaint)

// declare makes the declaration of a field. The typed builders below are the only callers.
func declare[T any](field *T, kind Kind, key, title, help string, read reader[T]) Setting {
	return Setting{
		Key: key, Title: title, Help: help, Kind: kind, target: field,
		accept: func(s Setting, raw any, zone ZoneFunc) (any, []complaint) { return read(s, raw, zone) },
		bind:   func(value any) { *field = value.(T) },
	}
}

func boolean(field *bool, key, title, help string) Setting {
	return declare(field, KindBool, key, title, help, readBool)
}

func enum[T ~string](field *T, key, title, help string, choices ...Choice) Setting {
	s := declare(field, KindEnum, key, title, help, readChoice[T])
	s.Choices = choices
	return s
}

func text(field *string, key, title, help string) Setting {
	return declare(field, KindString, key, title, help, readText[string])
}

func template(field *string, key, title, help string, placeholders ...Choice) Setting {
	s := declare(field, KindTemplate, key, title, help, readTemplate)
	s.Choices = placeholders
	return s
}

func number(field *int, key, title, help, least, most string) Setting {
	return declare(field, KindInt, key, title, help, readInt).limits(least, most)
}

func duration(field *time.Duration, key, title, help, least, most string) Setting {
	return declare(field, KindDuration, key, title, help, readDuration).limits(least, most)
}

func date(field *string, key, title, help string) Setting {
	return declare(field, KindDate, key, title, help, readDate)
}

// amount is never negative: no setting takes a negative number.
func amount(field *Amount, key, title, help string) Setting {
	return declare(field, KindAmount, key, title, help, readAmount).limits("0", "")
}

func list(field *[]string, key, title, help string) Setting {
	return declare(field, KindList, key, title, help, readList)
}

func set(field *[]string, key, title, help string, choices ...Choice) Setting {
	s := declare(field, KindSet, key, title, help, readSet)
	s.Choices = choices
	return s
}

func dict[K, V ~string](field *map[K]V, key, title, help string) Setting {
	return declare(field, KindMap, key, title, help, readMap[K, V])
}

// accounts is a map from currency to account.
func accounts(field *map[money.Currency]string, key, title, help string) Setting {
	s := declare(field, KindMap, key, title, help, readAccounts)
	s.KeyPattern, s.Pattern = "^[A-Z]{3}$", accountPattern
	s.form, s.keys = `a map from ISO 4217 currency to account, such as {USD: "1010"}`, "an ISO 4217 currency such as USD"
	return s
}

func account(field *string, key, title, help string) Setting {
	s := declare(field, KindAccount, key, title, help, readText[string])
	s.Pattern = accountPattern
	return s
}

func cron(field *string, key, title, help string) Setting {
	return declare(field, KindCron, key, title, help, readCron)
}

func email(field *string, key, title, help string) Setting {
	s := declare(field, KindEmail, key, title, help, readText[string])
	s.Pattern, s.Private = emailPattern, true
	return s
}

func zone(field **time.Location, key, title, help string) Setting {
	return declare(field, KindZone, key, title, help, readZone)
}

func currency(field *money.Currency, key, title, help string) Setting {
	return declare(field, KindCurrency, key, title, help, readCurrency)
}

func (s Setting) by(value any) Setting { s.Default = value; return s }

func (s Setting) like(example any) Setting { s.Example = example; return s }

func (s Setting) must() Setting { s.Required = true; return s }

func (s Setting) mustWhen(key, value string) Setting {
	s.RequiredWhen = &Condition{Key: key, Value: value}
	return s
}

func (s Setting) mustUnless(key, value string) Setting {
	s.RequiredWhen = &Condition{Key: key, Not: true, Value: value}
	return s
}

func (s Setting) limits(least, most string) Setting { s.Min, s.Max = least, most; return s }

// matching sets the pattern of the value or of each entry, and says in words what the whole value looks like.
func (s Setting) matching(pattern, form string) Setting { s.Pattern, s.form = pattern, form; return s }

// keyed sets the pattern of map keys and says in words what a key looks like.
func (s Setting) keyed(pattern, form string) Setting { s.KeyPattern, s.keys = pattern, form; return s }

// among sets the allowed values of the entries of a list or map.
func (s Setting) among(choices ...Choice) Setting { s.Choices = choices; return s }

// completed sets the allowed keys of a map whose missing entries come from the default.
func (s Setting) completed(keys ...Choice) Setting {
	s.Keys, s.merge = keys, true
	return s
}

func (s Setting) expert() Setting { s.Advanced = true; return s }

func (s Setting) private() Setting { s.Private = true; return s }

func (s Setting) also(scope Scope) Setting { s.Scopes = append(s.Scopes, scope); return s }

// scoped puts the scope first in all declarations that do not have it yet.
func scoped(scope Scope, groups ...[]Setting) []Setting {
	var out []Setting
	for _, g := range groups {
		for _, s := range g {
			if !s.Has(scope) {
				s.Scopes = append([]Scope{scope}, s.Scopes...)
			}
			out = append(out, s)
		}
	}
	return out
}

package logging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"unicode"
)

const redacted = "[redacted]"

// What may not stand in a text. A word after "Basic" or "Bearer" is taken for a credential even where it is not: a line
// that reads oddly is better than one that gives access.
var (
	userInfo    = regexp.MustCompile(`://[^/\s@]+@`)
	credential  = regexp.MustCompile(`(?i)\b(basic|bearer)\s+[A-Za-z0-9+/=._~-]{6,}`)
	assignment  = regexp.MustCompile(`(?i)\b([a-z_-]*(?:api_?key|token|secret|password|passwd|signature|credential)=)[^&\s"']+`)
	shortSigned = regexp.MustCompile(`(?i)([?&]sig=)[^&\s"']+`) // signed URLs of one more cloud
	jsonSecret  = regexp.MustCompile(`(?i)("[a-z_-]*(?:api_?key|token|secret|password|passwd|authorization|signature|cookie)"\s*:\s*)"(?:[^"\\]|\\.)*"`)
	quotedJSON  = regexp.MustCompile(`(?i)(\\+"[a-z_-]*(?:api_?key|token|secret|password|passwd|authorization|signature|cookie)\\+"\s*:\s*)\\+"(?:[^"]*\\\\\\")*[^"]*"`) // JSON in a quoted text
	cookie      = regexp.MustCompile(`(?i)\b((?:set-)?cookie:\s*)[^\r\n]+`)
	privateKey  = regexp.MustCompile(`(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`)
	mailAddress = regexp.MustCompile(`[^\s@<>"',;:()\[\]{}=/\\]+(?:@|%40)[^\s@<>"',;:()\[\]{}=/\\]+\.[\p{L}]{2,}`)
)

// Scrub replaces what must not be logged or stored in a text: e-mail addresses, escaped ones too, Basic and Bearer
// credentials, cookies, private keys, user and password of a URL, and the values of secret-looking query parameters, those
// of signed URLs among them, and JSON members.
func Scrub(s string) string {
	if strings.Contains(s, "PRIVATE KEY-----") {
		s = privateKey.ReplaceAllString(s, "$1 "+redacted)
	}
	if strings.Contains(s, "@") || strings.Contains(s, "%40") {
		s = userInfo.ReplaceAllString(s, "://"+redacted+"@")
		s = mailAddress.ReplaceAllString(s, "[email]")
	}
	s = credential.ReplaceAllString(s, "$1 "+redacted)
	if strings.Contains(s, "=") {
		s = assignment.ReplaceAllString(s, "${1}"+redacted)
		s = shortSigned.ReplaceAllString(s, "${1}"+redacted)
	}
	s = cookie.ReplaceAllString(s, "${1}"+redacted)
	if strings.Contains(s, `":`) || strings.Contains(s, `" :`) {
		s = jsonSecret.ReplaceAllString(s, `${1}"`+redacted+`"`)
		s = quotedJSON.ReplaceAllString(s, `${1}\"`+redacted+`\"`)
	}
	return s
}

// secretKey reports whether the value of the key must not be shown. The last word of the key decides: client_secret is a
// secret, secret_name is not.
func secretKey(key string) bool {
	words := keyWords(key)
	if len(words) == 0 {
		return false
	}
	switch last := words[len(words)-1]; last {
	case "authorization", "password", "passwd", "passphrase", "secret", "secrets", "token", "tokens", "apikey", "email",
		"emails", "mail", "recipient", "recipients", "cookie", "credential", "credentials", "signature":
		return true
	case "key", "keys":
		if len(words) > 1 {
			switch words[len(words)-2] {
			case "api", "private", "access", "signing", "secret", "encryption":
				return true
			}
		}
	}
	return false
}

// keyWords splits a key at punctuation and at changes from lower to upper case, in lower case.
func keyWords(key string) []string {
	var words []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			words = append(words, strings.ToLower(word.String()))
			word.Reset()
		}
	}
	lower := false
	for _, r := range key {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			flush()
			lower = false
			continue
		}
		if lower && unicode.IsUpper(r) {
			flush()
		}
		lower = unicode.IsLower(r)
		word.WriteRune(r)
	}
	flush()
	return words
}

// redactAttr is the ReplaceAttr of both formats. The value is resolved already; groups come member by member.
func redactAttr(_ []string, a slog.Attr) slog.Attr {
	if secretKey(a.Key) {
		if a.Value.Kind() == slog.KindBool || a.Value.Kind() == slog.KindString && a.Value.String() == "" {
			return a // that something is missing or switched on is no secret, and often the answer
		}
		return slog.String(a.Key, redacted)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, Scrub(a.Value.String()))
	case slog.KindAny:
		return slog.Attr{Key: a.Key, Value: redactAny(a.Value.Any())}
	}
	return a
}

// redactAny makes a value printable. A method that panics, as those of a nil pointer may, costs the value and not the
// process: slog itself guards only its own calls.
func redactAny(v any) (out slog.Value) {
	defer func() {
		if r := recover(); r != nil {
			out = slog.StringValue(fmt.Sprintf("unprintable %T", v))
		}
	}()
	switch v := v.(type) {
	case nil, slog.Level:
		return slog.AnyValue(v)
	case error:
		return slog.StringValue(Scrub(v.Error()))
	case fmt.Stringer:
		return slog.StringValue(Scrub(v.String()))
	case []byte:
		return slog.StringValue(Scrub(string(v)))
	}
	text, err := json.Marshal(v)
	if err != nil {
		return slog.StringValue(Scrub(fmt.Sprintf("%+v", v)))
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var plain any
	if err := dec.Decode(&plain); err != nil {
		return slog.StringValue(Scrub(string(text)))
	}
	return slog.AnyValue(redactTree(plain))
}

func redactTree(v any) any {
	switch v := v.(type) {
	case string:
		return Scrub(v)
	case []any:
		for i := range v {
			v[i] = redactTree(v[i])
		}
	case map[string]any:
		for k, member := range v {
			if s, isText := member.(string); secretKey(k) && (!isText || s != "") {
				v[k] = redacted
				continue
			}
			v[k] = redactTree(member)
		}
	}
	return v
}

package settings

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Hidden stands in a message for a value that must not be shown.
const Hidden = "[not shown]"

// maxEcho is how much of a value a message repeats.
const maxEcho = 60

// Echo is a raw value for a message: short, quoted, maps in the order of their keys, and Hidden where any part of it
// looks like a credential or an e-mail address.
func Echo(raw any) string {
	text := render(raw)
	if LooksSecret(text) || address.MatchString(text) {
		return Hidden
	}
	if r := []rune(text); len(r) > maxEcho {
		return string(r[:maxEcho]) + "…"
	}
	return text
}

func render(raw any) string {
	switch v := raw.(type) {
	case nil:
		return ""
	case string:
		return quote(v)
	case json.Number:
		return string(v)
	case bool, int, int64:
		return fmt.Sprint(v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = render(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, quote(k)+": "+render(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprintf("a %T", raw)
}

// quote makes control characters visible, so that a message stays on its line.
func quote(s string) string { return strconv.Quote(strings.ToValidUTF8(s, "\uFFFD")) }

// credentials match the usual forms of keys and tokens: vendors' prefixes, PEM blocks, JSON web tokens, key files, and
// credentials inside a URL.
var credentials = regexp.MustCompile(`(?i)-----BEGIN|\b(sk|pk|rk|whsec)_(live|test)?_?[a-z0-9]{8,}|\beyJ[a-z0-9_-]{10,}|` +
	`\bgh[a-z]_[a-z0-9]{16,}|\bAKIA[0-9A-Z]{12,}|\bAIza[a-z0-9_-]{20,}|\bya29\.|"private_key"|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|://[^/\s]*:[^/\s]*@|` +
	`\b(password|passwd|pwd|secret|api_?key|token|bearer|basic)\s*[=: ]\s*\S`)

var address = regexp.MustCompile(`[A-Za-z0-9._%+-]@[A-Za-z0-9]`)

var words = regexp.MustCompile(`[A-Za-z0-9+=]+`)

// LooksSecret reports whether a text looks like a credential rather than the name of one. It errs on the side of yes:
// it decides only what a message may repeat, and which texts are refused where the name of a secret belongs.
func LooksSecret(text string) bool {
	if credentials.MatchString(text) {
		return true
	}
	return slices.ContainsFunc(words.FindAllString(text, -1), random)
}

// random reports whether a run of letters and digits looks generated: very long, or letters with digits scattered in.
func random(word string) bool {
	var upper, lower, digits, digitRuns int
	var last rune
	for _, r := range word {
		switch {
		case unicode.IsUpper(r):
			upper = 1
		case unicode.IsLower(r):
			lower = 1
		case unicode.IsDigit(r):
			digits++
			if !unicode.IsDigit(last) {
				digitRuns++
			}
		}
		last = r
	}
	mixed := upper == 1 && lower == 1 && digits > 0
	return mixed && (len(word) >= 24 || len(word) >= 12 && digitRuns >= 2) ||
		len(word) >= 20 && digits >= 4 && digitRuns >= 2 || len(word) >= 40
}

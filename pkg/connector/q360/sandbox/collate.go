package sandbox

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// compareText orders text as a case-insensitive, accent-sensitive SQL Server collation does: punctuation before digits
// before letters, accented letters beside their base letter, trailing blanks ignored.
func compareText(a, b string) int {
	a, b = strings.TrimRight(a, " "), strings.TrimRight(b, " ")
	accent := 0
	for a != "" && b != "" {
		ra, na := decodeRune(a)
		rb, nb := decodeRune(b)
		if ra != rb {
			ra, rb = unicode.ToUpper(ra), unicode.ToUpper(rb)
			if c := cmp.Compare(weight(ra), weight(rb)); c != 0 {
				return c
			}
			if accent == 0 {
				accent = cmp.Compare(ra, rb)
			}
		}
		a, b = a[na:], b[nb:]
	}
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return accent
}

func decodeRune(s string) (rune, int) {
	if s[0] < utf8.RuneSelf {
		return rune(s[0]), 1
	}
	return utf8.DecodeRuneInString(s)
}

const (
	digitWeight  = 1 << 22
	letterWeight = 1 << 23
	latin1Upper  = 0xC0
	// latin1Base holds the base letters of U+00C0 to U+00DE; a blank marks the multiplication sign.
	latin1Base = "AAAAAAACEEEEIIIIDNOOOOO OUUUUYT"
)

// weight is the primary sort weight of an upper-case rune.
func weight(r rune) rune {
	switch {
	case r >= 'A' && r <= 'Z':
		return letterWeight + r
	case r >= '0' && r <= '9':
		return digitWeight + r
	case r < utf8.RuneSelf:
		return r
	}
	if i := int(r) - latin1Upper; i >= 0 && i < len(latin1Base) && latin1Base[i] != ' ' {
		return letterWeight + rune(latin1Base[i])
	}
	if unicode.IsLetter(r) {
		return letterWeight + r
	}
	return r
}

// fold maps texts that compare as equal to one string.
func fold(s string) string { return strings.ToUpper(strings.TrimRight(s, " ")) }

// pattern is a compiled SQL LIKE pattern.
type pattern []token

type token struct {
	many  bool // %
	one   bool // _
	class bool // [ ]
	not   bool // [^ ]
	set   [][2]rune
	r     rune
}

// compileLike reads %, _, [set], [a-z] and [^set]. A bracket that is never closed matches nothing, as in SQL Server.
func compileLike(s string) pattern {
	var p pattern
	runes := []rune(s)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; r {
		case '%':
			if len(p) == 0 || !p[len(p)-1].many {
				p = append(p, token{many: true})
			}
		case '_':
			p = append(p, token{one: true})
		case '[':
			t, used := compileClass(runes[i+1:])
			p = append(p, t)
			i += used
		default:
			p = append(p, token{r: unicode.ToUpper(r)})
		}
	}
	return p
}

// compileClass reads the runes after an opening bracket and returns how many it used.
func compileClass(runes []rune) (token, int) {
	t := token{class: true}
	end := -1
	for i, r := range runes {
		if r == ']' {
			end = i
			break
		}
	}
	if end < 0 {
		return t, len(runes)
	}
	body := runes[:end]
	if len(body) > 0 && body[0] == '^' {
		t.not, body = true, body[1:]
	}
	for i := 0; i < len(body); i++ {
		low, high := unicode.ToUpper(body[i]), unicode.ToUpper(body[i])
		if i+2 < len(body) && body[i+1] == '-' {
			high = unicode.ToUpper(body[i+2])
			i += 2
		}
		t.set = append(t.set, [2]rune{low, high})
	}
	return t, end + 1
}

func (t token) matches(r rune) bool {
	r = unicode.ToUpper(r)
	if t.one {
		return true
	}
	if !t.class {
		return r == t.r
	}
	if len(t.set) == 0 && !t.not {
		return false
	}
	for _, s := range t.set {
		if r == s[0] || r == s[1] || (s[0] != s[1] && weight(r) >= weight(s[0]) && weight(r) <= weight(s[1])) {
			return !t.not
		}
	}
	return t.not
}

// match reports whether the whole text matches, in time proportional to text times pattern.
func (p pattern) match(s string) bool {
	text := []rune(s)
	i, j, star, mark := 0, 0, -1, 0
	for i < len(text) {
		switch {
		case j < len(p) && p[j].many:
			star, mark = j, i
			j++
		case j < len(p) && p[j].matches(text[i]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j].many {
		j++
	}
	return j == len(p)
}

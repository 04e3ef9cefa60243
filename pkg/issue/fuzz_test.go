package issue_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/arbridge/arbridge/pkg/issue"
)

// FuzzOneLine: whatever a vendor says is one line of bounded length, with nothing that a terminal or a mail takes for more
// than text, and no word of a short one is lost.
func FuzzOneLine(f *testing.F) {
	f.Add("no route\n\x1b[31m to\thost")
	f.Add("\u202e\u2066x\u2028y\u0085")
	f.Add(strings.Repeat("word ", 100))
	f.Add("\xff\xfe")
	f.Fuzz(func(t *testing.T, s string) {
		got := issue.OneLine(s)
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.IsSpace(r) && r != ' ' {
				t.Errorf("%U is in %q", r, got)
			}
		}
		if n := utf8.RuneCountInString(got); n > 301 {
			t.Errorf("%d characters", n)
		}
		if again := issue.OneLine(got); again != got && !strings.HasSuffix(got, "…") {
			t.Errorf("%q becomes %q", got, again)
		}
		if utf8.ValidString(s) && utf8.RuneCountInString(s) <= 300 {
			words := strings.FieldsFunc(s, func(r rune) bool {
				return unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Bidi_Control, r)
			})
			if strings.Join(words, " ") != got {
				t.Errorf("%q becomes %q", s, got)
			}
		}
	})
}

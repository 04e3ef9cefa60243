package settings

import "strings"

// Nearest is the candidate that was most likely meant by text: equal but for case, else the fewest edits away. Empty
// when none is near. Among equals the earlier candidate wins.
func Nearest(text string, candidates []string) string {
	if len(text) > 64 {
		return ""
	}
	low := strings.ToLower(text)
	best, least := "", 1+max(1, len(text)/4)
	for _, c := range candidates {
		if d := edits(low, strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// edits is the number of insertions, deletions, replacements and swaps of neighbours that turn a into b.
func edits(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}

func meant(text string, candidates []string) string {
	if n := Nearest(text, candidates); n != "" {
		return "; did you mean " + n + "?"
	}
	return ""
}

// unknown is the message for a key that no setting has. A key without its group, or with the group of another setting,
// is recognised by its name when only one setting has it.
func unknown(key string, all []Setting) string {
	keys := make([]string, len(all))
	var named []string
	name := key[strings.LastIndex(key, ".")+1:]
	for i, s := range all {
		keys[i] = s.Key
		if s.Name() == name {
			named = append(named, s.Key)
		}
	}
	near := Nearest(key, keys)
	if near == "" && len(named) == 1 {
		near = named[0]
	}
	if near == "" {
		return "no such setting"
	}
	return "no such setting; did you mean " + near + "?"
}

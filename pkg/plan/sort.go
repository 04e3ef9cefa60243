package plan

import (
	"cmp"
	"slices"

	"github.com/arbridge/arbridge/pkg/billing"
)

// sortedLines orders lines as the ERP shows them, whatever order they were read in.
func sortedLines(lines []billing.Line) []billing.Line {
	out := slices.Clone(lines)
	slices.SortStableFunc(out, func(a, b billing.Line) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.ID, b.ID))
	})
	return out
}

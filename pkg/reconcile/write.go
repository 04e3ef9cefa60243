package reconcile

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
)

// File is the JSON form of comparisons.
type File struct {
	Schema  string       `json:"schema"` // Schema
	State   State        `json:"state"`  // the worst of the reports
	Reports []ReportLine `json:"reports"`
}

// ReportLine is a Report with amounts as texts.
type ReportLine struct {
	Company     string           `json:"company"`
	From        billing.Date     `json:"from"`
	To          billing.Date     `json:"to"`
	State       State            `json:"state"`
	Unexplained int              `json:"unexplained"`
	Stake       string           `json:"stake,omitempty"`
	Books       []BookLine       `json:"books"`
	Differences []DifferenceLine `json:"differences"`
	Notes       []string         `json:"notes,omitempty"`
}

// outline is the JSON form of reports without their differences.
func outline(reports []Report) File {
	f := File{Schema: Schema, State: Worst(reports), Reports: []ReportLine{}}
	for _, r := range reports {
		line := ReportLine{Company: r.Company, From: r.From, To: r.To, State: r.State(), Unexplained: r.Unexplained(), Stake: texts(r.Stake()),
			Books: []BookLine{}, Differences: []DifferenceLine{}, Notes: r.Notes}
		for i := range r.Books {
			line.Books = append(line.Books, r.Books[i].line())
		}
		f.Reports = append(f.Reports, line)
	}
	return f
}

// Worst is the worst state of reports.
func Worst(reports []Report) State {
	worst := OK
	for _, r := range reports {
		switch s := r.State(); {
		case s == Unexplained:
			return s
		case s == Explained:
			worst = s
		}
	}
	return worst
}

// WriteJSON writes reports as one indented document, every difference included. Differences are written one by one: there
// may be many, and their text would take more memory than the comparison.
func WriteJSON(w io.Writer, reports []Report) error {
	whole, err := indented(outline(reports), "")
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	parts := strings.SplitAfter(whole, "\n      \"differences\": [") // in a text there would be a backslash before the quote
	for i, part := range parts {
		out.WriteString(part)
		if i == len(parts)-1 {
			break
		}
		if err := writeDifferences(out, reports[i].Differences); err != nil {
			return err
		}
	}
	return out.Flush()
}

// writeDifferences writes the items of a list. What can not be written is told by the last Flush.
func writeDifferences(out *bufio.Writer, differences []Difference) error {
	const margin = "        "
	for i := range differences {
		text, err := indented(differences[i].line(), margin)
		if err != nil {
			return err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n" + margin + strings.TrimSuffix(text, "\n"))
	}
	if len(differences) > 0 {
		out.WriteString("\n      ")
	}
	return nil
}

func indented(v any, margin string) (string, error) {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetIndent(margin, "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return text.String(), err
}

// WriteCSV writes one line for each difference, after a line of column names. Texts can not act as formulas in a
// spreadsheet; amounts are plain numbers, negative ones too.
func WriteCSV(w io.Writer, reports []Report) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"company", "currency", "period", "state", "class", "kind", "object", "number", "customer", "date",
		"erp", "portal", "difference", "at_stake", "receipt", "reference", "portal_id", "code", "why", "action"}); err != nil {
		return err
	}
	for _, r := range reports {
		for i := range r.Differences {
			d := r.Differences[i].line()
			state := Unexplained
			if d.Explained {
				state = Explained
			}
			if err := out.Write([]string{cell(r.Company), d.Currency, d.Period, string(state), string(d.Class), string(d.Kind), d.Object,
				cell(d.Number), cell(d.Customer), d.Date, d.ERP, d.Portal, d.Amount, d.Stake, cell(d.Receipt), cell(d.Reference),
				cell(d.PortalID), d.Code, cell(d.Why), cell(d.Action)}); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

// cell makes a text that would begin a formula a text, in full width as well, and also where a program that takes another
// character than the comma for the separator would begin a cell.
func cell(s string) string {
	const formula, separators = "=+-@＝＋－＠", ";|\t\r\n"
	var out strings.Builder
	begins := true
	for i, r := range s {
		if i == 0 && strings.ContainsRune(separators, r) {
			out.WriteByte('\'')
		}
		if begins && strings.ContainsRune(formula, r) {
			out.WriteByte('\'')
		}
		out.WriteRune(r)
		begins = strings.ContainsRune(separators, r) || begins && (r == ' ' || r == '"' || r == '\ufeff')
	}
	return out.String()
}

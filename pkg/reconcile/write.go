package reconcile

import (
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

// NewFile is the JSON form of reports, every difference included.
func NewFile(reports []Report) File {
	f := File{Schema: Schema, State: Worst(reports), Reports: []ReportLine{}}
	for _, r := range reports {
		line := ReportLine{Company: r.Company, From: r.From, To: r.To, State: r.State(), Unexplained: r.Unexplained(), Stake: texts(r.Stake()),
			Books: []BookLine{}, Differences: make([]DifferenceLine, len(r.Differences)), Notes: r.Notes}
		for i := range r.Books {
			line.Books = append(line.Books, r.Books[i].line())
		}
		for i := range r.Differences {
			line.Differences[i] = r.Differences[i].line()
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

// WriteJSON writes reports as one indented document.
func WriteJSON(w io.Writer, reports []Report) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(NewFile(reports))
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

// cell makes a text that would begin a formula a text.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

package view

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// JSON writes v as one indented document.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

const shortTime = "2006-01-02 15:04:05"

// Print writes the list as a table; times are UTC.
func (l List) Print(w io.Writer) error {
	if len(l.Rows) == 0 {
		_, err := fmt.Fprintln(w, "No records match.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "COMPANY\tKIND\tNUMBER\tCUSTOMER\tSTATUS\tERP\tPORTAL\tCUR\tUPDATED\tWHY")
	for _, r := range l.Rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Company, r.Kind, oneLine(r.Number), oneLine(r.Customer), plain(string(r.Status)),
			dash(r.SourceTotal), dash(r.PortalTotal), r.Currency, r.UpdatedAt.Format(shortTime), oneLine(r.Text))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if l.More {
		_, err := fmt.Fprintf(w, "… more; this is the limit of %d (--limit)\n", len(l.Rows))
		return err
	}
	return nil
}

// Print writes each record with its timeline.
func (s Show) Print(w io.Writer) error {
	if len(s.Records) == 0 {
		_, err := fmt.Fprintf(w, "Nothing is known about %s. It may not have been seen yet, or belong to another data folder.\n", oneLine(s.Number))
		return err
	}
	for i, d := range s.Records {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := d.print(w); err != nil {
			return err
		}
	}
	return nil
}

func (d Detail) print(w io.Writer) error {
	fmt.Fprintf(w, "%s %s of %s: %s\n", title(string(d.Kind)), oneLine(d.Number), d.Company, strings.ToUpper(plain(string(d.Status))))
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "  %s\t%s\n", name, oneLine(value))
		}
	}
	line("why", d.Text)
	line("customer", d.Customer)
	line("total in the ERP", amount(d.SourceTotal, d.Currency))
	line("total in the portal", amount(d.PortalTotal, d.Currency))
	line("portal id", d.PortalID)
	line("portal", d.URL)
	line("paid by", d.Method)
	for _, r := range d.Receipts {
		line("cash receipt", fmt.Sprintf("%s (%s) over %s, fees %s", r.Number, r.Reference, amount(r.Amount, d.Currency), amount(r.Fees, d.Currency)))
	}
	line("waits for", d.WaitsFor)
	if !d.DueAt.IsZero() {
		line("next attempt", d.DueAt.Format(time.RFC3339))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "  timeline (UTC)")
	t = tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, e := range d.Timeline {
		fmt.Fprintf(t, "    %s\t%s\t%s\n", e.At.Format(shortTime), oneLine(e.What), oneLine(e.Text))
	}
	return t.Flush()
}

// oneLine makes a text safe for a cell: what a vendor says may hold line ends, tabs, codes for the terminal, or marks that turn
// the direction of what follows them.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

func amount(s, cur string) string {
	if s == "" {
		return ""
	}
	return s + " " + cur
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func plain(s string) string { return strings.ReplaceAll(s, "_", " ") }

func title(s string) string {
	s = plain(s)
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

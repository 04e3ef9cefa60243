package digest

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"
	"text/tabwriter"
)

// render writes both forms. Addresses that a vendor's words may hold are taken out of them.
func (r report) render() (text, html string, err error) {
	if text, err = r.text(); err != nil {
		return "", "", fmt.Errorf("writing the digest of %s: %w", r.ID, err)
	}
	var b bytes.Buffer
	if err = page().Execute(&b, r); err != nil {
		return "", "", fmt.Errorf("writing the digest of %s: %w", r.ID, err)
	}
	return address.ReplaceAllString(text, "[address]"), address.ReplaceAllString(b.String(), "[address]"), nil
}

// Headline says whether something needs a person.
func (r report) Headline() string {
	n := len(r.Issues) + r.More
	if n == 0 {
		return "Nothing needs a person"
	}
	text := counted(n, "problem") + " for a person"
	if r.Stake != "" {
		text += ", " + r.Stake + " at stake"
	}
	return text
}

func (r report) text() (string, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s\n\n", r.Name, r.Day)
	heading(&b, r.Headline())
	for i, p := range r.Issues {
		fmt.Fprintf(&b, "%d. %s\n   %s\n", i+1, p.Title, p.About)
		if p.Detail != "" {
			fmt.Fprintf(&b, "   %s\n", p.Detail)
		}
		fmt.Fprintf(&b, "   What to do: %s\n   %s\n\n", p.Fix, p.Show)
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "and %d more: arbridge issues --company %s\n\n", r.More, r.ID)
	}
	if len(r.Issues) == 0 {
		fmt.Fprintln(&b)
	}
	heading(&b, "What went over on "+r.Day)
	if err := table(&b, r.Went, "nothing"); err != nil {
		return "", err
	}
	heading(&b, "What waits and goes on by itself")
	if err := table(&b, r.Waits, "nothing"); err != nil {
		return "", err
	}
	heading(&b, "Last reconciliation")
	fmt.Fprintf(&b, "%s\n", r.Reconciled)
	return b.String(), nil
}

func heading(b *bytes.Buffer, text string) {
	fmt.Fprintf(b, "%s\n%s\n", text, strings.Repeat("-", len([]rune(text))))
}

func table(b *bytes.Buffer, lines []line, none string) error {
	if len(lines) == 0 {
		fmt.Fprintln(b, none)
	}
	t := tabwriter.NewWriter(b, 0, 4, 2, ' ', 0)
	for _, l := range lines {
		fmt.Fprintf(t, "%d\t%s", l.Count, l.What)
		if l.Money != "" {
			fmt.Fprintf(t, "\t%s", l.Money)
		}
		fmt.Fprintln(t)
	}
	err := t.Flush()
	b.WriteString("\n")
	return err
}

// page is the HTML form: no pictures, nothing loaded, readable in every mail program.
func page() *template.Template {
	return template.Must(template.New("digest").Parse(`<!DOCTYPE html>
<html><head><meta charset="utf-8"></head>
<body style="font-family: sans-serif; font-size: 14px; color: #222; max-width: 46em">
<p>{{.Name}}<br>{{.Day}}</p>
<h2 style="font-size: 17px">{{.Headline}}</h2>
{{- if .Issues}}
<ol>
{{- range .Issues}}
<li style="margin-bottom: 1em"><b>{{.Title}}</b><br>{{.About}}{{if .Detail}}<br>{{.Detail}}{{end}}<br>What to do: {{.Fix}}<br><code>{{.Show}}</code></li>
{{- end}}
</ol>
{{- end}}
{{- if .More}}
<p>and {{.More}} more: <code>arbridge issues --company {{.ID}}</code></p>
{{- end}}
<h3 style="font-size: 15px">What went over on {{.Day}}</h3>
{{template "lines" .Went}}
<h3 style="font-size: 15px">What waits and goes on by itself</h3>
{{template "lines" .Waits}}
<h3 style="font-size: 15px">Last reconciliation</h3>
<p>{{.Reconciled}}</p>
</body></html>
{{define "lines"}}
{{- if .}}<table>
{{- range .}}
<tr><td align="right" style="padding-right: 1em">{{.Count}}</td><td style="padding-right: 1em">{{.What}}</td><td>{{.Money}}</td></tr>
{{- end}}
</table>{{else}}<p>nothing</p>{{end}}
{{- end}}`))
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/arbridge/arbridge/functions/host"
	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/functions/view"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/httpx"
)

// previewSchema names the form of a preview.
const previewSchema = "arbridge/preview/v1"

// preview is what a sync would do.
type preview struct {
	Schema    string              `json:"schema"`
	Number    string              `json:"number"`
	Decisions []platform.Decision `json:"decisions"`
	Requests  []previewRequest    `json:"requests"`
	// Records are as they would be if every request was taken.
	Records []host.RecordAnswer `json:"records"`
}

// previewRequest is a request that would be sent, without its headers.
type previewRequest struct {
	Op          string `json:"op"`
	Method      string `json:"method"`
	URL         string `json:"url"`
	Path        string `json:"path"`
	ContentType string `json:"content_type,omitempty"`
	Body        string `json:"body,omitempty"`
	// BodyBytes is the size of a body that is no text and left out.
	BodyBytes int `json:"body_bytes,omitempty"`
}

func syncCommand() *cobra.Command {
	d := &desk{}
	dry := false
	cmd := &cobra.Command{
		Use: "sync NUMBER", Short: "Work on one document, customer or payment now, or show what would be sent", Args: cobra.ExactArgs(1),
		Long: "Read the number in the ERP, decide with today's settings and do what follows, whatever the record's status. With\n" +
			"--dry-run the decision and exactly the requests that would be sent are printed, and nothing is changed anywhere.",
		Example: "  arbridge sync 104233 --dry-run\n  arbridge sync 104233 --reason \"new pilot customer\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			d.request.Target = args[0]
			if dry {
				return d.preview(cmd)
			}
			return d.run(cmd, host.ActionSync)
		},
	}
	d.flags(cmd)
	d.kindFlag(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only show the decision and the requests; JSON has schema "+previewSchema)
	return cmd
}

// trial opens the data for looking at it, beside a running server.
func (d *desk) trial(cmd *cobra.Command, asPreview bool) (*platform.Trial, error) {
	cfg, err := d.load()
	if err != nil {
		return nil, err
	}
	if err := d.check(cmd, cfg); err != nil {
		return nil, err
	}
	return platform.OpenTrial(cmd.Context(), cfg, platform.Options{DataDir: d.data, Clock: clock.System{}, Logger: d.log(cmd)}, asPreview)
}

func (d *desk) preview(cmd *cobra.Command) error {
	t, err := d.trial(cmd, true)
	if err != nil {
		return err
	}
	r := d.request
	answer := host.Answer{}
	target := engine.Target{Number: r.Target, Company: r.Company, Kind: r.Kind}
	records, err := t.Engine.SyncNow(cmd.Context(), engine.By{Actor: d.actor, Reason: r.Reason}, "preview", target)
	if err = errors.Join(err, t.Close()); err != nil {
		return err
	}
	for _, rec := range records {
		answer.Records = append(answer.Records, host.RecordAnswer{
			Company: rec.Company, Kind: rec.Kind, Number: rec.SourceID, Status: rec.Status, Reasons: rec.Reasons, Text: rec.Summary,
		})
	}
	p := preview{Schema: previewSchema, Number: r.Target, Decisions: t.Decisions(), Requests: []previewRequest{}, Records: answer.Records}
	for _, c := range t.Requests.Calls() {
		p.Requests = append(p.Requests, requestOf(c))
	}
	if d.asJSON {
		err = view.JSON(cmd.OutOrStdout(), p)
	} else {
		err = p.print(cmd.OutOrStdout())
	}
	return errors.Join(err, attention(answer))
}

func requestOf(c httpx.Call) previewRequest {
	r := previewRequest{Op: c.Op, Method: c.Method, URL: c.URL, Path: c.Path, ContentType: c.ContentType}
	if utf8.Valid(c.Body) && !strings.ContainsRune(string(c.Body), 0) {
		r.Body = string(c.Body)
	} else {
		r.BodyBytes = len(c.Body)
	}
	return r
}

func (p preview) print(w io.Writer) error {
	for _, d := range p.Decisions {
		fmt.Fprintf(w, "%s: %s%s\n", d.Record, d.Verdict, because(d.Text))
		for _, s := range d.Steps {
			fmt.Fprintf(w, "    %s %s, key %s\n", s.Op, s.Kind, s.Key)
		}
	}
	if len(p.Requests) == 0 {
		fmt.Fprintln(w, "\nNothing would be sent.")
	} else {
		fmt.Fprintf(w, "\n%d requests would be sent, in this order. Ids that begin with NEW- are not known before.\n", len(p.Requests))
	}
	for i, r := range p.Requests {
		fmt.Fprintf(w, "\n%d. %s\n%s %s\n", i+1, r.Op, r.Method, r.Path)
		switch {
		case r.BodyBytes > 0:
			fmt.Fprintf(w, "(%d bytes of %s)\n", r.BodyBytes, r.ContentType)
		case r.Body != "":
			fmt.Fprintf(w, "%s\n", indented(r.Body))
		}
	}
	fmt.Fprintln(w, "\nAfterwards:")
	for _, r := range p.Records {
		fmt.Fprintf(w, "  %s %s %s: %s%s\n", r.Company, r.Kind, r.Number, words(string(r.Status)), because(r.Text))
	}
	return nil
}

// indented lays out JSON for people; anything else stays as it is.
func indented(body string) string {
	var raw json.RawMessage
	if json.Unmarshal([]byte(body), &raw) != nil {
		return body
	}
	out, err := json.MarshalIndent(raw, "", "  ")
	if err != nil {
		return body
	}
	return string(out)
}

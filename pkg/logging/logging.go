// Package logging makes the structured logger that every part is given. One record is one line: JSON with the field names
// that Cloud Logging lifts into its own (gcp-go-stack 1.4), or text for a terminal.
//
// Nothing secret reaches a line: values under telling keys (password, token, api_key, email, …) are replaced, and so are
// e-mail addresses, Authorization values, passwords in URLs and secrets in queries inside any text (Scrub). Pure packages
// do not log; they return reasons.
package logging

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"time"
)

// The keys of attributes that appear in more than one place. Searches and alerts are built on them.
const (
	KeyCompany  = "company"   // company code of the settings
	KeyKind     = "kind"      // kind of record, as billing.Kind
	KeySourceID = "source_id" // the ERP's number
	KeyDestID   = "dest_id"   // the portal's id
	KeyVerdict  = "verdict"   // what the plan decided
	KeyReason   = "reason"    // reason code
	KeyStep     = "step"      // operation of the plan being carried out
	KeyAttempt  = "attempt"   // from 1
	KeyEventID  = "event_id"  // the vendor's event id
	KeyFlow     = "flow"      // poll, sync, webhook, receipt, activity, reconcile, console
	KeyError    = "error"     // text of an error
)

// The formats of New.
const (
	FormatJSON = "json" // one JSON object a line, for Cloud Logging
	FormatText = "text" // key=value, for people
)

// The fields that Cloud Logging reads from a JSON line (gcp-go-stack 1.4).
const (
	fieldTrace   = "logging.googleapis.com/trace"
	fieldSpan    = "logging.googleapis.com/spanId"
	fieldSampled = "logging.googleapis.com/trace_sampled"
)

// New makes a logger that writes records of at least level to w. format is FormatJSON or FormatText; anything else counts
// as JSON. project is the Google Cloud project that traces belong to, empty when there is none.
func New(w io.Writer, level slog.Level, format, project string) *slog.Logger {
	if format == FormatText {
		opt := &slog.HandlerOptions{Level: level, ReplaceAttr: redactAttr}
		return slog.New(&handler{base: slog.NewTextHandler(w, opt), text: true})
	}
	opt := &slog.HandlerOptions{Level: level, ReplaceAttr: cloudAttr}
	return slog.New(&handler{base: slog.NewJSONHandler(w, opt), project: project})
}

// handler adds the trace of the context to each record and scrubs its message. Groups are kept here and not in base, so
// that the trace fields stay at the top of the object, where Cloud Logging looks for them.
type handler struct {
	base    slog.Handler
	text    bool
	project string
	groups  []group
}

type group struct {
	name  string
	attrs []slog.Attr
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.base.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	if len(h.groups) == 0 {
		next.base = h.base.WithAttrs(attrs)
		return &next
	}
	next.groups = slices.Clone(h.groups)
	last := &next.groups[len(next.groups)-1]
	last.attrs = slices.Concat(last.attrs, attrs)
	return &next
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.groups = append(slices.Clone(h.groups), group{name: name})
	return &next
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, Scrub(r.Message), r.PC)
	attrs := make([]slog.Attr, 0, r.NumAttrs()+3)
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	for _, g := range slices.Backward(h.groups) {
		inner := slices.Concat(g.attrs, attrs)
		attrs = []slog.Attr{{Key: g.name, Value: slog.GroupValue(inner...)}}
	}
	out.AddAttrs(attrs...)
	out.AddAttrs(h.traceAttrs(ctx)...)
	return h.base.Handle(ctx, out)
}

func (h *handler) traceAttrs(ctx context.Context) []slog.Attr {
	t, ok := TraceOf(ctx)
	switch {
	case !ok:
		return nil
	case h.text:
		return []slog.Attr{slog.String("trace", t.ID)}
	}
	id := t.ID
	if h.project != "" {
		id = "projects/" + h.project + "/traces/" + t.ID
	}
	attrs := []slog.Attr{slog.String(fieldTrace, id), slog.Bool(fieldSampled, t.Sampled)}
	if t.Span != "" {
		attrs = append(attrs, slog.String(fieldSpan, t.Span))
	}
	return attrs
}

// cloudAttr gives the built-in fields the names and values of Cloud Logging and redacts all others.
func cloudAttr(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return redactAttr(groups, a)
	}
	switch a.Key {
	case slog.MessageKey:
		return slog.Attr{Key: "message", Value: a.Value}
	case slog.LevelKey:
		if level, ok := a.Value.Any().(slog.Level); ok {
			return slog.String("severity", severity(level))
		}
	case slog.TimeKey:
		if a.Value.Kind() == slog.KindTime {
			return slog.String("time", a.Value.Time().UTC().Format(time.RFC3339Nano))
		}
	}
	return redactAttr(groups, a)
}

// severity is the Cloud Logging name of a level; the levels between slog's own are NOTICE and CRITICAL.
func severity(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "DEBUG"
	case l == slog.LevelInfo:
		return "INFO"
	case l < slog.LevelWarn:
		return "NOTICE"
	case l < slog.LevelError:
		return "WARNING"
	case l < slog.LevelError+4:
		return "ERROR"
	}
	return "CRITICAL"
}

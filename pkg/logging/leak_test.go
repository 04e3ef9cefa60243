package logging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
)

// Parts of what must never be written; every nasty text below is made of them.
const (
	hidden  = "d4f0a2c19b8e47d3a6f5c0b1"
	address = "jane.doe@customer.example"
	begin   = "-----BEGIN " // apart from the rest, so that no scan takes it for a key
)

// nasty are texts that hold a secret or an address in every form that vendors and libraries put them.
func nasty() map[string]string {
	return map[string]string{
		"basic":            "Authorization: Basic " + hidden,
		"bearer":           "calling with Bearer " + hidden + " was refused",
		"user info":        "Get \"https://api:" + hidden + "@q360.example.com/api\": EOF",
		"query":            "https://host/x?api_key=" + hidden + "&page=2",
		"google signed":    "https://storage.example/b/o?X-Goog-Credential=svc%40p.iam.example.com%2F2026&X-Goog-Signature=" + hidden,
		"amazon signed":    "https://s3.example/b/o?X-Amz-Credential=" + hidden + "&X-Amz-Security-Token=" + hidden + "&X-Amz-Signature=" + hidden,
		"azure signed":     "https://blob.example/c/f.pdf?sv=2024&sig=" + hidden + "&se=2026",
		"form":             "client_secret=" + hidden + "&grant_type=x",
		"json":             `{"access_token" : "` + hidden + `","expires":1}`,
		"json inside text": `answer: {"refresh_token":"` + hidden + `"}`,
		"quoted json":      fmt.Sprintf("body %q", `{"password":"a\"`+hidden+`","n":1}`),
		"cookie":           "Set-Cookie: session=" + hidden + "; Path=/",
		"key":              begin + "PRIVATE KEY-----\n" + hidden + "\n-----END PRIVATE KEY-----",
		"cut-off key":      begin + "RSA PRIVATE KEY-----\n" + hidden,
		"webhook":          "signature=sha256=" + hidden,
		"address":          "mail to " + address + " bounced",
		"named address":    "\"Jane\" <" + address + ">",
		"escaped address":  "/customers?filter[email]=" + url.QueryEscape(address),
	}
}

// wrapped is an error as layers make it.
type wrapped struct{ text string }

func (w wrapped) Error() string { return w.text }

// lazy is a value that is made when it is logged.
type lazy struct{ v any }

func (l lazy) LogValue() slog.Value { return slog.AnyValue(l.v) }

// lazyGroup is a value that is a group when it is logged.
type lazyGroup struct{ text string }

func (l lazyGroup) LogValue() slog.Value {
	return slog.GroupValue(slog.String("note", l.text), slog.String("password", hidden), slog.Any("deeper", lazy{l.text}))
}

type spoken struct{ text string }

func (s spoken) String() string { return s.text }

type record2 struct {
	Note  string
	Inner map[string]any
	Slice []string
	Err   error `json:"-"`
}

// styles are the ways in which a text gets into a record.
func styles() map[string]func(*slog.Logger, string) {
	ctx := context.Background()
	return map[string]func(*slog.Logger, string){
		"message":   func(l *slog.Logger, s string) { l.InfoContext(ctx, s) },
		"attribute": func(l *slog.Logger, s string) { l.InfoContext(ctx, "x", "note", s) },
		"typed":     func(l *slog.Logger, s string) { l.LogAttrs(ctx, slog.LevelError, "x", slog.String("note", s)) },
		"with":      func(l *slog.Logger, s string) { l.With("note", s).InfoContext(ctx, "x") },
		"group":     func(l *slog.Logger, s string) { l.InfoContext(ctx, "x", slog.Group("g", slog.Group("h", "note", s))) },
		"with group": func(l *slog.Logger, s string) {
			l.WithGroup("g").With("note", s).WithGroup("h").InfoContext(ctx, "x", "more", s)
		},
		"error": func(l *slog.Logger, s string) { l.ErrorContext(ctx, "x", KeyError, errors.New(s)) },
		"wrapped error": func(l *slog.Logger, s string) {
			l.ErrorContext(ctx, "x", KeyError, fmt.Errorf("reading: %w", wrapped{s}))
		},
		"joined errors": func(l *slog.Logger, s string) {
			l.ErrorContext(ctx, "x", KeyError, errors.Join(errors.New("a"), wrapped{s}))
		},
		"url error": func(l *slog.Logger, s string) {
			l.ErrorContext(ctx, "x", KeyError, &url.Error{Op: "Get", URL: s, Err: wrapped{s}})
		},
		"lazy":       func(l *slog.Logger, s string) { l.InfoContext(ctx, "x", "v", lazy{s}) },
		"lazy error": func(l *slog.Logger, s string) { l.InfoContext(ctx, "x", "v", lazy{wrapped{s}}) },
		"lazy twice": func(l *slog.Logger, s string) { l.InfoContext(ctx, "x", "v", lazy{lazy{s}}) },
		"lazy group": func(l *slog.Logger, s string) { l.InfoContext(ctx, "x", "v", lazyGroup{s}) },
		"stringer":   func(l *slog.Logger, s string) { l.InfoContext(ctx, "x", "v", spoken{s}) },
		"bytes":      func(l *slog.Logger, s string) { l.InfoContext(ctx, "x", "v", []byte(s)) },
		"list":       func(l *slog.Logger, s string) { l.InfoContext(ctx, "x", "v", []string{"a", s}) },
		"map": func(l *slog.Logger, s string) {
			l.InfoContext(ctx, "x", "v", map[string]any{"a": map[string]any{"b": s}})
		},
		"struct": func(l *slog.Logger, s string) {
			l.InfoContext(ctx, "x", "v", record2{Note: s, Inner: map[string]any{"a": s}, Slice: []string{s}, Err: wrapped{s}})
		},
		"pointer":        func(l *slog.Logger, s string) { l.InfoContext(ctx, "x", "v", &record2{Note: s}) },
		"list of errors": func(l *slog.Logger, s string) { l.InfoContext(ctx, "x", "v", []error{wrapped{s}}) },
	}
}

// TestNothingNastyInAnyStyle: every secret and address in every form, through every way into a record, in both formats.
func TestNothingNastyInAnyStyle(t *testing.T) {
	for _, format := range []string{FormatJSON, FormatText} {
		for style, log := range styles() {
			for name, text := range nasty() {
				var out bytes.Buffer
				log(New(&out, slog.LevelDebug, format, "proj"), text)
				if out.Len() == 0 {
					t.Fatalf("%s, %s, %s: nothing was written", format, style, name)
				}
				for _, bad := range []string{hidden, "jane.doe", "customer.example", "iam.example.com"} {
					if strings.Contains(out.String(), bad) {
						t.Errorf("%s, %s, %s: %q is in %s", format, style, name, bad, out.String())
					}
				}
			}
		}
	}
}

// TestKeysThatHide: under a telling key nothing of a value is written, whatever it looks like.
func TestKeysThatHide(t *testing.T) {
	for _, key := range []string{"password", "client_secret", "webhookSecret", "apiKey", "api_key", "Authorization", "access_token", "operator.token",
		"set-cookie", "X-Invoiced-Signature", "email", "customer_email", "recipients", "credentials"} {
		for style, value := range map[string]any{"text": "plain words", "number": 471147114711, "list": []string{"plain words"}, "error": wrapped{"plain words"},
			"lazy": lazy{"plain words"}, "map": map[string]string{"a": "plain words"}} {
			for _, format := range []string{FormatJSON, FormatText} {
				var out bytes.Buffer
				New(&out, slog.LevelDebug, format, "").With(key, value).Info("x", key, value, slog.Group("g", key, value))
				if strings.Contains(out.String(), "plain words") || strings.Contains(out.String(), "471147114711") {
					t.Errorf("%s under %s: %s", style, key, out.String())
				}
			}
		}
	}
}

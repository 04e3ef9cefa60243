package connector_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector"
)

func TestErrorTexts(t *testing.T) {
	cause := errors.New("duplicate number")
	tests := []struct {
		err  *connector.Error
		want string
	}{
		{&connector.Error{Class: connector.ClassInvalid, Op: "creating invoice 104233"}, "creating invoice 104233: invalid"},
		{&connector.Error{Class: connector.ClassConflict, Op: "creating invoice 104233", Err: cause},
			"creating invoice 104233: conflict: duplicate number"},
		{&connector.Error{Class: connector.ClassRetry, Op: "creating receipt IP1", Ambiguous: true, Err: io.EOF},
			"creating receipt IP1: retry (outcome unknown): EOF"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("text %q, want %q", got, tt.want)
		}
	}
}

func TestNewErrorWraps(t *testing.T) {
	err := connector.NewError(connector.ClassBadResponse, "reading page 3", "decoding: %w", io.ErrUnexpectedEOF)
	if !errors.Is(err, io.ErrUnexpectedEOF) || err.Class != connector.ClassBadResponse || err.Op != "reading page 3" || err.Ambiguous {
		t.Errorf("got %+v", err)
	}
	wrapped := fmt.Errorf("syncing us/invoice/1: %w", err)
	var got *connector.Error
	if !errors.As(wrapped, &got) || got != err {
		t.Error("the error is not found below a wrapping")
	}
	if !strings.HasPrefix(wrapped.Error(), "syncing us/invoice/1: reading page 3: bad_response: decoding: ") {
		t.Errorf("text %q", wrapped)
	}
}

func TestClassAndAmbiguity(t *testing.T) {
	lost := &connector.Error{Class: connector.ClassRetry, Op: "x", Ambiguous: true, RetryAfter: time.Second}
	refused := &connector.Error{Class: connector.ClassForbidden, Op: "x"}
	tests := []struct {
		name      string
		err       error
		class     connector.Class
		ambiguous bool
	}{
		{"lost answer", lost, connector.ClassRetry, true},
		{"refusal", refused, connector.ClassForbidden, false},
		{"wrapped", fmt.Errorf("a: %w", fmt.Errorf("b: %w", lost)), connector.ClassRetry, true},
		{"joined", errors.Join(io.EOF, refused), connector.ClassForbidden, false},
		{"the outer class counts", &connector.Error{Class: connector.ClassInvalid, Op: "y", Err: lost}, connector.ClassInvalid, false},
		{"no class is a bug of unknown outcome", io.EOF, connector.ClassBug, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := connector.ClassOf(tt.err); got != tt.class {
				t.Errorf("class %s, want %s", got, tt.class)
			}
			if got := connector.Ambiguous(tt.err); got != tt.ambiguous {
				t.Errorf("ambiguous %v, want %v", got, tt.ambiguous)
			}
		})
	}
	if connector.Ambiguous(nil) {
		t.Error("no error is ambiguous")
	}
}

func TestCapabilities(t *testing.T) {
	c := connector.Capabilities{
		Features: map[connector.Feature]string{connector.FeatureInvoices: "ok", connector.FeatureReceipts: "forbidden", connector.FeatureHistory: "off"},
		Problems: []connector.Problem{{Message: "warning"}, {Fatal: true, Message: "no rights"}, {Fatal: true, Message: "no table"}},
	}
	for f, want := range map[connector.Feature]bool{
		connector.FeatureInvoices: true, connector.FeatureReceipts: false, connector.FeatureHistory: false, connector.FeatureDocuments: false,
	} {
		if c.Has(f) != want {
			t.Errorf("Has(%s) = %v", f, !want)
		}
	}
	for state, want := range map[string]bool{"ok": true, "forbidden": true, "off": true, "missing": false} {
		if c.Any(state) != want {
			t.Errorf("any feature %s: %v, want %v", state, !want, want)
		}
	}
	if fatal := c.Fatal(); len(fatal) != 2 || fatal[0].Message != "no rights" || fatal[1].Message != "no table" {
		t.Errorf("fatal: %v", fatal)
	}
	if (connector.Capabilities{}).Has(connector.FeatureInvoices) || (connector.Capabilities{}).Fatal() != nil {
		t.Error("an empty check finds something")
	}
}

// ringed is a system that hides another and offers what that has.
type ringed struct{ offers []any }

func (r ringed) Abilities() []any { return r.offers }

type postman struct{ connector.Mailer }

func TestAs(t *testing.T) {
	for _, tt := range []struct {
		name   string
		system any
		mails  bool
	}{
		{"itself", postman{}, true},
		{"part of it", struct{ postman }{}, true},
		{"offered", ringed{[]any{struct{}{}, postman{}}}, true},
		{"not offered", ringed{[]any{struct{}{}}}, false},
		{"nothing offered", ringed{}, false},
		{"without", struct{}{}, false},
		{"nothing", nil, false},
	} {
		if got, ok := connector.As[connector.Mailer](tt.system); ok != tt.mails || (got != nil) != tt.mails {
			t.Errorf("%s: %v, %v", tt.name, got, ok)
		}
	}
}

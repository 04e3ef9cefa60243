package invoiced

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/client"
)

// Errors of webhook verification.
var (
	// ErrNoSecret means that no usable webhook secret was given: nothing can be accepted.
	ErrNoSecret = errors.New("no webhook secret")
	// ErrSignature means that the signature is missing, malformed or not made with any of the secrets.
	ErrSignature = errors.New("webhook signature does not match")
	// ErrEvent means that a body is not an event: not JSON, or without an id or a type.
	ErrEvent = errors.New("not an event")
)

// invalid is a record we refuse to send, naming the field and what to do.
func invalid(op, field, format string, args ...any) error {
	return &connector.Error{Class: connector.ClassInvalid, Op: op, Field: field, Err: fmt.Errorf(format, args...)}
}

// inexact is an answer that decodes but can not be used exactly. After a write it leaves the outcome unknown.
func inexact(op string, write bool, err error) error {
	return &connector.Error{Class: connector.ClassBadResponse, Op: op, Ambiguous: write, Err: err}
}

// ambiguous marks the failure of a second call after a first that succeeded: the record exists, and what it is now must
// be looked up.
func ambiguous(err error) error {
	var e *connector.Error
	if !errors.As(err, &e) {
		return err
	}
	marked := *e
	marked.Ambiguous = true
	return &marked
}

// resource is the path of a kind of document.
func resource(op string, kind billing.Kind) (client.Resource, error) {
	switch kind {
	case billing.KindInvoice:
		return client.Invoices, nil
	case billing.KindCreditNote:
		return client.CreditNotes, nil
	}
	return "", connector.NewError(connector.ClassBug, op, "the portal has no documents of kind %q", kind)
}

// badRecords translates items that did not decode.
func badRecords(kind billing.Kind, bad []client.Bad) []connector.BadRecord {
	var out []connector.BadRecord
	for _, b := range bad {
		out = append(out, badRecord(kind, b.ID, b.Number, b.Err))
	}
	return out
}

// badRecord names the record by its number, or by its id where it has none.
func badRecord(kind billing.Kind, id, number string, err error) connector.BadRecord {
	if number == "" {
		number = id
	}
	return connector.BadRecord{Kind: kind, Number: number, Message: fmt.Sprintf(
		"%s %s of the portal can not be read exactly: %v; correct it there, or exclude it", kind, id, mailPattern.ReplaceAllString(err.Error(), "[e-mail]"))}
}

var mailPattern = regexp.MustCompile(`\S+@\S+`)

// mapped translates the items of a page; an item that can not be exact is set aside and stops nothing.
func mapped[W, T any](kind billing.Kind, l client.List[W], head func(W) (id, number string),
	translate func(W) (T, error)) connector.Page[T] {
	p := connector.Page[T]{Bad: badRecords(kind, l.Bad), Next: l.Next}
	for _, w := range l.Items {
		v, err := translate(w)
		if err != nil {
			id, number := head(w)
			p.Bad = append(p.Bad, badRecord(kind, id, number, err))
			continue
		}
		p.Items = append(p.Items, v)
	}
	return p
}

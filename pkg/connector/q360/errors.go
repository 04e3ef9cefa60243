package q360

import (
	"errors"
	"fmt"

	"github.com/arbridge/arbridge/pkg/connector"
)

// CodeClosedPeriod is the Error.Code of a refusal that the mapping's classify rules recognise as a closed period
// (q360-api 4.6 rule 8).
const CodeClosedPeriod = "closed_period"

// recordError is a record whose content can not be taken exactly. It names table, column, record and remedy.
type recordError struct {
	table, column, record string
	cause                 error
	remedy                string
}

func (e *recordError) Error() string {
	return fmt.Sprintf("%s.%s of record %s: %v; %s", e.table, e.column, e.record, e.cause, e.remedy)
}

func (e *recordError) Unwrap() error { return e.cause }

// badRecord turns a recordError of a single read into the error of the call (q360-api 4.2: bad_response).
func badRecord(op string, err error) error {
	var r *recordError
	if errors.As(err, &r) {
		return &connector.Error{Class: connector.ClassBadResponse, Op: op, Field: r.column, Err: err}
	}
	return err
}

// strangerError is the answer to a filter that holds a record the filter excludes: the server did not apply it.
func strangerError(op, table, column, value string) error {
	return connector.NewError(connector.ClassBadResponse, op,
		"the site returned a record of %s whose %s is not %s: it does not apply filters on this column", table, column, value)
}

// missing reports whether the error of a read says that the table, or a column of it, can not be read at this site at
// all, in contrast to not now.
func missing(err error) bool {
	switch connector.ClassOf(err) {
	case connector.ClassForbidden, connector.ClassUnsupported, connector.ClassInvalid:
		return true
	}
	return false
}

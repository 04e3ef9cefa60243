package connector

import (
	"errors"
	"fmt"
	"time"
)

// Class says what kind of failure an error is. The engine switches on the class and on nothing else.
type Class string

// The error classes.
const (
	ClassRetry       Class = "retry"        // the vendor is unavailable or throttles: try later
	ClassAuth        Class = "auth"         // credentials refused: a person must act, the company pauses
	ClassForbidden   Class = "forbidden"    // this right is missing: the feature is off until granted
	ClassNotFound    Class = "not_found"    // no such object
	ClassInvalid     Class = "invalid"      // the vendor definitely refused this record
	ClassConflict    Class = "conflict"     // the object exists already or changed meanwhile
	ClassBadResponse Class = "bad_response" // an answer we can not trust
	ClassUnsupported Class = "unsupported"  // this site or vendor can not do it
	ClassBug         Class = "bug"          // our own fault
)

// Error is what connectors return.
type Error struct {
	Class Class
	// Op says what was being done, with ids: "creating invoice 104233".
	Op string
	// Ambiguous: this was a write and it is unknown whether it happened (time-out, dropped connection, 5xx, unreadable
	// answer after sending). It must be looked up, never repeated blindly. A definite refusal is not ambiguous.
	Ambiguous bool
	// RetryAfter is the vendor's own wish, 0 without one.
	RetryAfter time.Duration
	// Field names the request field at fault, when the vendor says so.
	Field string
	// Code is the vendor's machine-readable code, such as DataSourceNotPermitted, for classification lists.
	Code string
	// Status is the HTTP status, 0 without an answer.
	Status int
	// Err is the cause; its text holds no secret and no e-mail address.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Op + ": " + string(e.Class)
	if e.Ambiguous {
		s += " (outcome unknown)"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// NewError makes an error of a class with a message.
func NewError(class Class, op, format string, args ...any) *Error {
	return &Error{Class: class, Op: op, Err: fmt.Errorf(format, args...)}
}

// ClassOf is the class of an error; ClassBug for one that is not a *Error.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return ClassBug
}

// Ambiguous reports whether err leaves it unknown if a write happened. An error that is not a *Error counts as ambiguous.
func Ambiguous(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		return e.Ambiguous
	}
	return err != nil
}

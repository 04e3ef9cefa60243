package wire

import (
	"fmt"
	"net/http"
)

// Error is an error answer of the API (invoiced-api 1.4).
type Error struct {
	Status  int
	Message string
	Param   string // the request parameter at fault; empty when it is not a single one
}

// Error implements error.
func (e *Error) Error() string {
	if e.Param == "" {
		return fmt.Sprintf("%d: %s", e.Status, e.Message)
	}
	return fmt.Sprintf("%d: %s: %s", e.Status, e.Param, e.Message)
}

// Type is "api" for faults of the vendor and "invalid_request" for everything else (invoiced-api 16.1 T9).
func (e *Error) Type() string {
	if e.Status >= http.StatusInternalServerError {
		return "api"
	}
	return "invalid_request"
}

// Body is the JSON body of the answer.
func (e *Error) Body() []byte {
	o := Object{{"type", e.Type()}, {"message", e.Message}}
	if e.Param != "" {
		o = append(o, Pair{"param", e.Param})
	}
	return Encode(o)
}

// Invalid is a 400 about one parameter; an empty param is a rule that concerns the whole request.
func Invalid(param, format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Param: param, Message: fmt.Sprintf(format, args...)}
}

// Missing is a 404.
func Missing(kind string, id any) *Error {
	return &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("No such %s: %v", kind, id)}
}

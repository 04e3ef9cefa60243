package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/httpx"
)

// refusal is the vendor's error body (invoiced-api 1.4). The text is for people; nothing is decided by it.
type refusal struct {
	Type    Text            `json:"type"`
	Message json.RawMessage `json:"message"`
	Param   Text            `json:"param"`
}

// failure is the error of an answer that is not a success. The class comes from the status alone, because edge servers
// answer with other bodies and the wording is no contract.
func failure(op string, write bool, res *httpx.Response) *connector.Error {
	var r refusal
	if json.Unmarshal(res.Body, &r) != nil {
		r = refusal{}
	}
	e := &connector.Error{Class: classify(res.Status), Op: op, Status: res.Status,
		Field: sayable(string(r.Param)), Code: sayable(string(r.Type))}
	switch {
	case res.Status == http.StatusBadRequest && r.Param == "number":
		e.Class = connector.ClassConflict // a number that exists already: adopt it (invoiced-api 11.3)
	case e.Class == connector.ClassBadResponse, res.Status == http.StatusRequestTimeout:
		e.Ambiguous = write
	}
	e.Err = fmt.Errorf("the portal answered %d", res.Status)
	if text, err := literal(r.Message); err == nil && text != "" {
		e.Err = fmt.Errorf("the portal answered %d: %s", res.Status, sayable(text))
	}
	return e
}

func classify(status int) connector.Class {
	switch status {
	case http.StatusUnauthorized:
		return connector.ClassAuth
	case http.StatusForbidden:
		return connector.ClassForbidden
	case http.StatusNotFound, http.StatusGone:
		return connector.ClassNotFound
	case http.StatusConflict:
		return connector.ClassConflict
	case http.StatusRequestTimeout:
		return connector.ClassRetry
	case http.StatusMethodNotAllowed:
		return connector.ClassUnsupported
	}
	if status >= 400 {
		return connector.ClassInvalid
	}
	return connector.ClassBadResponse // redirects and other answers that no operation has
}

// unreadable is the error of a success whose body can not be used. A write has happened then, but what it made is
// unknown, so it must be looked up.
func unreadable(op string, write bool, status int, err error) *connector.Error {
	return &connector.Error{Class: connector.ClassBadResponse, Op: op, Ambiguous: write, Status: status, Err: quiet(err)}
}

// quiet keeps what a decoding error says about the place and drops what it quotes of the answer.
func quiet(err error) error {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return fmt.Errorf("reading the answer: field %q is %s, which does not fit", typ.Field, firstWord(typ.Value))
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return errors.New("reading the answer: it is not JSON")
	}
	return fmt.Errorf("reading the answer: %s", sayable(err.Error()))
}

func firstWord(s string) string {
	s, _, _ = strings.Cut(s, " ")
	return s
}

const maxSayable = 300 // characters of a vendor's text in an error

var (
	mailPattern  = regexp.MustCompile(`[^\s"'<>(),;:]+@[^\s"'<>(),;:]+`)
	tokenPattern = regexp.MustCompile(`(?i)(basic|bearer|key|token|secret)([\s:="']+)[A-Za-z0-9+/=_\-.]{8,}`)
)

// sayable is a vendor's text fit for an error: one short line without e-mail addresses and without anything that looks
// like a credential.
func sayable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
	s = tokenPattern.ReplaceAllString(mailPattern.ReplaceAllString(s, "[e-mail]"), "$1$2[redacted]")
	if r := []rune(strings.TrimSpace(s)); len(r) > maxSayable {
		return string(r[:maxSayable]) + "…"
	}
	return strings.TrimSpace(s)
}

// isJSON reports whether the body could be a JSON object or list.
func isJSON(body []byte) bool {
	k := kindOf(body)
	return (k == '{' || k == '[') && json.Valid(bytes.TrimSpace(body))
}

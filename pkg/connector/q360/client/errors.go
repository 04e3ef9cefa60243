package client

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/httpx"
)

const (
	sourceNotPermitted = "DataSourceNotPermitted" // the API user lacks a grant on the table (q360-api 1.5)
	deadlockVictim     = "1205"                   // SQL Server rolled the call back
	maxMessage         = 300                      // characters of the site's own words in an error
)

// refused is the error of a parsed envelope that says no: a definite answer, also to a write (q360-api 4.6 rule 2).
func (c *Client) refused(about call, status int, a answer) error {
	first := refusal{message: a.message}
	if len(a.errors) > 0 {
		first = a.errors[0]
		first.message = cmp.Or(first.message, a.message)
	}
	e := &connector.Error{Op: about.op, Status: status, Code: first.reference, Class: refusalClass(about, status, a.code, first)}
	if about.write && e.Class == connector.ClassInvalid {
		e.Code = cmp.Or(c.m.ClassifyRefusal(about.table, first.reference, first.message), first.reference)
	}
	words := cmp.Or(first.message, fmt.Sprintf("the site refused the call with code %d", a.code))
	if first.reference != "" && !strings.Contains(words, first.reference) {
		words += " (" + first.reference + ")"
	}
	e.Err = errors.New(c.redact(words) + remedy(e.Class, about.table))
	return e
}

func refusalClass(about call, status, code int, r refusal) connector.Class {
	message := strings.ToLower(r.message)
	denied := strings.HasPrefix(message, "access denied")
	switch {
	case status == http.StatusUnauthorized || code == http.StatusUnauthorized:
		return connector.ClassAuth
	case status == http.StatusNotFound || code == http.StatusNotFound || denied && strings.Contains(message, "unauthorized endpoint"):
		return connector.ClassUnsupported
	case strings.EqualFold(r.reference, sourceNotPermitted) || denied || status == http.StatusForbidden || code == http.StatusForbidden:
		return connector.ClassForbidden
	case r.number == deadlockVictim || code == http.StatusTooManyRequests || !about.write && code >= 500:
		return connector.ClassRetry
	}
	return connector.ClassInvalid
}

func remedy(class connector.Class, table string) string {
	switch {
	case class == connector.ClassAuth:
		return "; check the API user: type Q360API, active, allowed to log in, right password"
	case class == connector.ClassForbidden && table != "":
		return "; grant the API user the source " + table + " in Datasource Administration"
	}
	return ""
}

// unreadable is the error of an answer without an envelope. After a write it is unknown what happened, except where the
// status says that the call never reached its purpose.
func (c *Client) unreadable(about call, res *httpx.Response, cause error) error {
	e := &connector.Error{Op: about.op, Status: res.Status, Class: connector.ClassBadResponse, Ambiguous: about.write, Err: cause}
	switch {
	case res.Status == http.StatusUnauthorized:
		e.Class, e.Ambiguous, e.Err = connector.ClassAuth, false, errors.New("the site refused the credentials"+remedy(connector.ClassAuth, ""))
	case res.Status == http.StatusForbidden:
		e.Class, e.Ambiguous, e.Err = connector.ClassForbidden, false, errors.New("the site forbids the call"+remedy(connector.ClassForbidden, about.table))
	case res.Status == http.StatusNotFound:
		e.Class, e.Ambiguous, e.Err = connector.ClassUnsupported, false, errors.New("the site has no such call; check the paths of the mapping's dialect")
	case loginPage(res.Body):
		e.Class, e.Err = connector.ClassAuth, errors.New("the site answered with its login page"+remedy(connector.ClassAuth, ""))
	case isHTML(res):
		e.Err = fmt.Errorf("the site answered with a web page (status %d)", res.Status)
	default:
		e.Err = fmt.Errorf("%w (status %d, %d bytes)", cause, res.Status, len(res.Body))
	}
	return e
}

func isHTML(res *httpx.Response) bool {
	start := bytes.TrimLeft(res.Body[:min(len(res.Body), 512)], " \t\r\n\xef\xbb\xbf")
	return strings.HasPrefix(strings.ToLower(res.Header.Get("Content-Type")), "text/html") || bytes.HasPrefix(start, []byte("<"))
}

func loginPage(body []byte) bool {
	page := bytes.ToLower(body[:min(len(body), 64<<10)])
	return bytes.Contains(page, []byte("<html")) && bytes.Contains(page, []byte("<form")) && bytes.Contains(page, []byte("password"))
}

var emailAddress = regexp.MustCompile(`[^\s"'<>()\[\],;:]+@[^\s"'<>()\[\],;:]+`)

// redact makes the site's words fit for an error: no secret, no e-mail address, one short line.
func (c *Client) redact(s string) string {
	c.mu.Lock()
	private := c.private
	c.mu.Unlock()
	for _, p := range private {
		s = strings.ReplaceAll(s, p, "[redacted]")
	}
	s = emailAddress.ReplaceAllString(s, "[e-mail]")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	return clip(strings.Join(strings.Fields(s), " "), maxMessage)
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

package config

import (
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/arbridge/arbridge/pkg/settings"
)

// The values of deployment.mail.tls.
const (
	TLSRequired      = "required"      // nothing is sent over a connection that is not encrypted
	TLSOpportunistic = "opportunistic" // encrypted where the server offers it
	TLSNone          = "none"          // never encrypted; for a server on this machine only
)

// implicitTLS is the port on which a connection is encrypted from its first byte (RFC 8314 3.3).
const implicitTLS = 465

// Mail is the mail server that sends the digests (deployment.mail); the zero value sends none.
type Mail struct {
	Host           string
	Port           int    // 587 unless given; on 465 the connection is encrypted from the start
	From           string // sender address, without a display name
	Username       string // empty for a server that asks for no credentials
	PasswordSecret string // name of the secret with the password; empty with Username
	TLS            string // TLSRequired unless given
}

// Configured reports whether there is a mail server.
func (m Mail) Configured() bool { return m.Host != "" }

var (
	hostName   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$|^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*$`)
	bareMail   = regexp.MustCompile(`^[^@\s<>,;"]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)
	userName   = regexp.MustCompile(`^\S{1,200}$`)
	portNumber = regexp.MustCompile(`^[1-9][0-9]{0,4}$`)
)

func (r *reading) mail(n *yaml.Node, at place) Mail {
	f := r.fields(n, at, "host", "port", "from", "username", "password_secret", "tls")
	if n == nil || isNull(n) {
		return Mail{}
	}
	m := Mail{Port: 587, TLS: TLSRequired}
	m.Host = r.text(f["host"], n, at.at("host"), hostName, "the name of a mail server such as smtp.example.com")
	if f["port"] != nil {
		m.Port = r.port(f["port"], at.at("port"))
	}
	m.From = r.hidden(f["from"], n, at.at("from"), bareMail, "one e-mail address without a display name")
	if f["tls"] != nil {
		m.TLS = r.tls(f["tls"], at.at("tls"), m)
	}
	switch user, password := f["username"], f["password_secret"]; {
	case user != nil && password != nil:
		m.Username = r.hidden(user, n, at.at("username"), userName, "a user name without blanks")
		m.PasswordSecret = r.secret(password, n, at.at("password_secret"))
	case user != nil:
		r.add(Problem{Line: user.Line, Key: at.at("password_secret").path, Message: "required with username", Expected: "the name of a secret such as smtp-password"})
	case password != nil:
		r.add(Problem{Line: password.Line, Key: at.at("username").path, Message: "required with password_secret", Expected: "a user name"})
	}
	return m
}

func (r *reading) port(n *yaml.Node, at place) int {
	const expected = "a port from 1 to 65535, usually 587 or 465"
	port, err := strconv.Atoi(r.text(n, n, at, portNumber, expected))
	if err == nil && port > 65535 {
		r.add(Problem{Line: n.Line, Key: at.path, Value: settings.Echo(n.Value), Expected: expected, Message: "no port"})
	}
	return port
}

// hidden reads a text that names a person or an account: it is not repeated when it is wrong.
func (r *reading) hidden(n, section *yaml.Node, at place, form *regexp.Regexp, expected string) string {
	v, ok := r.required(n, section, at, expected)
	if ok && !form.MatchString(v) {
		r.add(Problem{Line: n.Line, Key: at.path, Value: settings.Hidden, Expected: expected, Message: "not of this form"})
		return ""
	}
	return v
}

func (r *reading) tls(n *yaml.Node, at place, m Mail) string {
	form := regexp.MustCompile("^(" + strings.Join([]string{TLSRequired, TLSOpportunistic, TLSNone}, "|") + ")$")
	v := r.text(n, n, at, form, "one of required, opportunistic, none")
	p := Problem{Line: n.Line, Key: at.path, Value: v}
	switch {
	case v == TLSNone && m.Host != "" && !loopback(m.Host):
		p.Message, p.Expected = "not encrypted; that is for this machine only", "one of required, opportunistic"
	case v != "" && v != TLSRequired && m.Port == implicitTLS:
		p.Message, p.Expected = "port 465 is always encrypted", "required"
	default:
		return v
	}
	r.add(p)
	return v
}

// mailed warns, once, when a digest is wanted and there is no server to send it.
func (r *reading) mailed(at int, m Mail, companies []located) {
	if m.Configured() {
		return
	}
	var wanted []string
	for _, c := range companies {
		if c.Settings.Notify.Wanted() && !r.problems.blocks(c.label) {
			wanted = append(wanted, c.label)
		}
	}
	if len(wanted) > 0 {
		r.add(Problem{Line: at, Key: "deployment.mail", Warning: true, Expected: "at least host and from",
			Message: "missing, so the digest of " + strings.Join(wanted, ", ") + " is not sent; add it, or set notify.digest to off"})
	}
}

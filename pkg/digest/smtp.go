package digest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/arbridge/arbridge/pkg/secret"
)

// Server is a mail server and how it is called (deployment.mail).
type Server struct {
	Host           string
	Port           int // on 465 the connection is encrypted from the start
	From           string
	Username       string // empty for a server that asks for no credentials
	PasswordSecret string // name of the secret with the password
	TLS            string // required, opportunistic or none
}

// callTimeout bounds each step of a call.
const callTimeout = 30 * time.Second

// SMTP is a Mailer that calls a mail server. The password is read anew for each message.
type SMTP struct {
	server  Server
	secrets secret.Source
	roots   *x509.CertPool // nil for the machine's
	direct  bool           // encrypted from the start
}

// NewSMTP makes a mailer of a server.
func NewSMTP(server Server, secrets secret.Source) *SMTP {
	return &SMTP{server: server, secrets: secrets, direct: server.Port == 465}
}

// Send implements Mailer: one message to all recipients, in plain text and HTML.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	msg, err := s.compose(m)
	if err != nil {
		return fmt.Errorf("%w: writing it: %w", ErrRefused, err)
	}
	var w wire
	client, err := s.client(ctx, &w)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("%w: calling %s: %w", ErrRefused, client.ServerAddr(), err), w.close())
	}
	err = client.SendWithSMTPClient(conn, msg)
	if err != nil && !msg.IsDelivered() {
		// The connection is cut without a farewell: ending an unfinished message with one would send the half of it.
		return errors.Join(judge(err), conn.Close())
	}
	_ = client.CloseWithSMTPClient(conn) // the message is taken; how the call ends changes nothing
	return nil
}

// judge tells a message that was clearly refused from one that may have been taken: only what goes wrong after the server
// began to receive it, without an answer, is unclear.
func judge(err error) error {
	var failed *mail.SendError
	switch {
	case !errors.As(err, &failed):
		return err
	case failed.Reason == mail.ErrWriteContent:
		return err
	case failed.Reason == mail.ErrSMTPDataClose && failed.ErrorCode() == 0:
		return err
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

// wire is the connection of a call, so that one that did not get as far as a message can be closed: the client keeps it open
// then, until its time limit ends it. It is not known where the connection is encrypted from the start.
type wire struct{ conn net.Conn }

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var err error
	w.conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
	return w.conn, err
}

func (w *wire) close() error {
	if w.conn == nil {
		return nil
	}
	if err := w.conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (s *SMTP) client(ctx context.Context, w *wire) (*mail.Client, error) {
	policy := map[string]mail.TLSPolicy{"opportunistic": mail.TLSOpportunistic, "none": mail.NoTLS}
	opts := []mail.Option{
		mail.WithPort(s.server.Port), mail.WithTimeout(callTimeout), mail.WithoutNoop(), mail.WithTLSPolicy(mail.TLSMandatory),
		mail.WithTLSConfig(&tls.Config{ServerName: s.server.Host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}),
	}
	if p, ok := policy[s.server.TLS]; ok {
		opts = append(opts, mail.WithTLSPolicy(p))
	}
	if s.direct {
		opts = append(opts, mail.WithSSL())
	} else {
		opts = append(opts, mail.WithDialContextFunc(w.dial))
	}
	if s.server.Username != "" {
		values, err := s.secrets.Get(ctx, s.server.PasswordSecret)
		if err != nil {
			return nil, fmt.Errorf("reading the password of the mail server: %w", err)
		}
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.server.Username),
			mail.WithPassword(strings.TrimSpace(values[0].Reveal())))
	}
	return mail.NewClient(s.server.Host, opts...)
}

func (s *SMTP) compose(m Message) (*mail.Msg, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.FromFormat("arbridge", s.server.From); err != nil {
		return nil, errors.New("the sender (deployment.mail.from) is no e-mail address")
	}
	if err := msg.To(m.To...); err != nil {
		return nil, errors.New("a recipient (notify.recipients) is no e-mail address")
	}
	_, domain, _ := strings.Cut(s.server.From, "@")
	msg.SetMessageIDWithValue(m.ID + "@" + domain)
	msg.SetDateWithValue(m.At)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.Subject(m.Subject)
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	return msg, nil
}

package digest

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/secret"
)

// postOffice is a mail server on loopback. It answers each command with 250 unless told otherwise.
type postOffice struct {
	t      *testing.T
	listen net.Listener
	tls    *tls.Config       // offered by STARTTLS, if set
	direct bool              // encrypted from the start
	auth   string            // the expected answer of AUTH PLAIN, if set
	answer map[string]string // by command; "." is the end of the message; "" cuts the connection
	mu     sync.Mutex
	taken  []string
	said   []string
}

func open(t *testing.T, o *postOffice) Server {
	t.Helper()
	var err error
	if o.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	o.t = t
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := o.listen.Accept()
			if err != nil {
				return
			}
			if o.direct {
				conn = tls.Server(conn, o.tls)
			}
			o.serve(conn)
		}
	}()
	t.Cleanup(func() { _ = o.listen.Close(); <-done })
	return Server{Host: "127.0.0.1", Port: o.listen.Addr().(*net.TCPAddr).Port, From: "arbridge@example.com", TLS: "none"}
}

func (o *postOffice) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	say := func(line string) { _, _ = io.WriteString(conn, line+"\r\n") }
	say("220 ready")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		verb := strings.ToUpper(strings.Fields(line + " ")[0])
		o.note(&o.said, line)
		if told, ok := o.answer[verb]; ok {
			if told == "" {
				return
			}
			say(told)
			continue
		}
		switch verb {
		case "EHLO":
			o.greet(conn, say)
		case "STARTTLS":
			say("220 go on")
			secure := tls.Server(conn, o.tls)
			conn, r = secure, bufio.NewReader(secure)
			say = func(line string) { _, _ = io.WriteString(secure, line+"\r\n") }
		case "AUTH":
			if line != "AUTH PLAIN "+o.auth {
				say("535 5.7.8 no")
				continue
			}
			say("235 welcome")
		case "DATA":
			say("354 go on")
			if !o.receive(r, say) {
				return
			}
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (o *postOffice) greet(conn net.Conn, say func(string)) {
	_, secure := conn.(*tls.Conn)
	say("250-127.0.0.1 greets you")
	if o.tls != nil && !secure {
		say("250-STARTTLS")
	}
	if o.auth != "" {
		say("250-AUTH PLAIN")
	}
	say("250 8BITMIME")
}

// receive takes a message, and reports whether the call goes on.
func (o *postOffice) receive(r *bufio.Reader, say func(string)) bool {
	var text strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(strings.TrimPrefix(line, "."))
	}
	told, ok := o.answer["."]
	if ok && told == "" {
		return false
	}
	if !ok {
		told = "250 queued"
		o.note(&o.taken, text.String())
	}
	say(told)
	return true
}

func (o *postOffice) note(list *[]string, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	*list = append(*list, text)
}

func (o *postOffice) messages() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.taken
}

// drawer is a secret source with one secret.
type drawer struct{ name, text string }

func (d drawer) Get(_ context.Context, name string) ([]secret.Value, error) {
	if name != d.name {
		return nil, secret.ErrNotFound
	}
	return []secret.Value{secret.NewValue(d.text)}, nil
}

func sample() Message {
	return Message{ID: "digest.us.2026-05-04", To: []string{"ar@example.com", "cfo@example.com"}, Subject: "arbridge: 1 problem (Größe)",
		Text: "Hello,\n.\nwaits for customer … and a line that is long enough to be wrapped somewhere, surely, in one of the two forms\n", HTML: "<p>Hello …</p>",
		At: time.Date(2026, 5, 5, 7, 0, 0, 0, time.FixedZone("", -4*3600))}
}

// TestMessageOnTheWire: one message to all recipients, plain text and HTML beside each other, marked as automatic.
func TestMessageOnTheWire(t *testing.T) {
	o := &postOffice{}
	if err := NewSMTP(open(t, o), nil).Send(t.Context(), sample()); err != nil {
		t.Fatal(err)
	}
	if len(o.messages()) != 1 {
		t.Fatalf("%d messages", len(o.messages()))
	}
	msg, err := mail.ReadMessage(strings.NewReader(o.messages()[0]))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": `"arbridge" <arbridge@example.com>`, "To": "<ar@example.com>, <cfo@example.com>", "Auto-Submitted": "auto-generated",
		"Message-Id": "<digest.us.2026-05-04@example.com>", "Date": "Tue, 05 May 2026 07:00:00 -0400", "Subject": "arbridge: 1 problem (Größe)",
	} {
		got, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get(name))
		if err != nil || got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatal(kind, err)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for _, want := range []string{sample().Text, sample().HTML} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil || strings.TrimSpace(strings.ReplaceAll(string(body), "\r\n", "\n")) != strings.TrimSpace(want) {
			t.Errorf("%s: %q, %v", p.Header.Get("Content-Type"), body, err)
		}
	}
	if said := strings.Join(o.said, "\n"); !strings.Contains(said, "RCPT TO:<ar@example.com>") || !strings.Contains(said, "RCPT TO:<cfo@example.com>") {
		t.Error(said)
	}
}

// TestAnswersOfTheServer: what is clearly refused is told from what may have been taken.
func TestAnswersOfTheServer(t *testing.T) {
	for name, c := range map[string]struct {
		answer  map[string]string
		refused bool
		ok      bool
	}{
		"taken":                        {map[string]string{}, false, true},
		"taken, then cut":              {map[string]string{"RSET": "", "QUIT": ""}, false, true},
		"taken, then an error":         {map[string]string{"RSET": "500 what"}, false, true},
		"sender refused":               {map[string]string{"MAIL": "553 5.1.8 no"}, true, false},
		"recipient refused":            {map[string]string{"RCPT": "550 5.1.1 <ar@example.com> unknown"}, true, false},
		"data refused":                 {map[string]string{"DATA": "554 no"}, true, false},
		"cut before the data":          {map[string]string{"DATA": ""}, true, false},
		"message refused":              {map[string]string{".": "550 5.7.1 looks like spam"}, true, false},
		"message refused for now":      {map[string]string{".": "451 4.3.0 try later"}, true, false},
		"cut after the data":           {map[string]string{".": ""}, false, false},
		"strange answer to the data":   {map[string]string{".": "299 hm"}, false, false},
		"not ready":                    {map[string]string{"EHLO": "554 no", "HELO": "554 no"}, true, false},
		"cut before anything was said": {map[string]string{"EHLO": "", "HELO": ""}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := &postOffice{answer: c.answer}
			err := NewSMTP(open(t, o), nil).Send(t.Context(), sample())
			if (err == nil) != c.ok || errors.Is(err, ErrRefused) != c.refused {
				t.Errorf("refused is %v, want %v: %v", errors.Is(err, ErrRefused), c.refused, err)
			}
			if got := len(o.messages()); (got == 1) != c.ok {
				t.Errorf("%d messages were taken", got)
			}
		})
	}
	nobody := open(t, &postOffice{})
	nobody.Port = 1
	if err := NewSMTP(nobody, nil).Send(t.Context(), sample()); !errors.Is(err, ErrRefused) {
		t.Errorf("nobody there: %v", err)
	}
}

// certificate is one for 127.0.0.1 that nobody but the pool knows.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, pool
}

// TestEncryption: nothing is sent unencrypted where that is required, to nobody but the server that is meant, and the
// password goes over encrypted connections only.
func TestEncryption(t *testing.T) {
	offered, pool := certificate(t)
	plain := base64.StdEncoding.EncodeToString([]byte("\x00mailer\x00s3cret"))
	for name, c := range map[string]struct {
		policy   string
		offered  *tls.Config
		roots    *x509.CertPool
		password string // of the client; none for no credentials
		ok       bool
		secure   bool
	}{
		"required and offered":          {"required", offered, pool, "", true, true},
		"required by default":           {"", offered, pool, "", true, true},
		"required and not offered":      {"required", nil, pool, "", false, false},
		"required, another certificate": {"required", offered, nil, "", false, true},
		"if offered, and it is":         {"opportunistic", offered, pool, "", true, true},
		"if offered, and it is not":     {"opportunistic", nil, pool, "", true, false},
		"none":                          {"none", offered, pool, "", true, false},
		"with a password":               {"required", offered, pool, "s3cret", true, true},
		"with a wrong password":         {"required", offered, pool, "wrong", false, true},
		"a password for all to read":    {"opportunistic", nil, pool, "s3cret", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := &postOffice{tls: c.offered}
			if c.password != "" {
				o.auth = plain
			}
			server := open(t, o)
			server.TLS = c.policy
			if c.password != "" {
				server.Username, server.PasswordSecret = "mailer", "smtp-key"
			}
			m := NewSMTP(server, drawer{"smtp-key", c.password + "\n"})
			m.roots = c.roots
			err := m.Send(t.Context(), sample())
			if (err == nil) != c.ok || err != nil && (!errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("%v", err)
			}
			said := strings.Join(o.said, "\n")
			if strings.Contains(said, "STARTTLS") != c.secure || !c.secure && strings.Contains(said, "AUTH PLAIN") {
				t.Errorf("said:\n%s", said)
			}
		})
	}
	o := &postOffice{tls: offered, direct: true, auth: plain}
	server := open(t, o)
	server.TLS, server.Username, server.PasswordSecret = "required", "mailer", "smtp-key"
	m := NewSMTP(server, drawer{"smtp-key", "s3cret"})
	m.direct, m.roots = true, pool // as on port 465
	if err := m.Send(t.Context(), sample()); err != nil || len(o.messages()) != 1 || strings.Contains(strings.Join(o.said, " "), "STARTTLS") {
		t.Errorf("encrypted from the start: %v, said %v", err, o.said)
	}
	server = open(t, &postOffice{})
	server.Username, server.PasswordSecret = "mailer", "other-key"
	if err := NewSMTP(server, drawer{}).Send(t.Context(), sample()); !errors.Is(err, ErrRefused) || !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("no such secret: %v", err)
	}
}

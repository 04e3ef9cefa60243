// Package digest sends the daily e-mail of a company: what went over, what needs a person and the money at stake, what
// waits. Every company has its own, to its own recipients (notify.*); one whose settings give none has the deployment's.
//
// A digest is sent at most once for a day, whatever crashes and however many processes there are: the day is claimed in the
// store before the mail server is called. What the server clearly refused is tried again a few times; when it is not clear
// whether the message was taken, that is noted, and it is not sent a second time.
package digest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/store"
)

// Message is an e-mail in two forms that say the same. No form holds the address of a customer.
type Message struct {
	ID      string // names the message for ever: a repetition would have the same
	To      []string
	Subject string
	Text    string
	HTML    string
	At      time.Time
}

// Mailer sends one message to all of its recipients or to none. An error that is ErrRefused means that nobody got it; after
// any other error somebody may have.
type Mailer interface {
	Send(ctx context.Context, m Message) error
}

// ErrRefused is a message that certainly was not sent.
var ErrRefused = errors.New("the message was not sent")

// MaxAttempts is how often a digest that is refused is tried.
const MaxAttempts = 5

// abandoned is how long a claim counts as being sent; longer than any mailer takes.
const abandoned = 15 * time.Minute

// Company is a company that may get a digest.
type Company struct {
	ID       string
	Name     string
	Settings settings.Company
}

// Sender sends digests. It is safe for concurrent use, also by several processes.
type Sender struct {
	store      store.Store
	clock      clock.Clock
	log        *slog.Logger
	mailer     Mailer
	companies  map[string]Company
	deliveries store.Table[Delivery]
}

// New makes a sender. Without a mailer nothing is sent, and a company that wants a digest is told so in the log.
func New(s store.Store, c clock.Clock, log *slog.Logger, m Mailer, companies []Company) *Sender {
	out := &Sender{
		store: s, clock: c, log: log, mailer: m, companies: map[string]Company{},
		deliveries: store.Table[Delivery]{Store: s, Collection: store.Runs},
	}
	for _, c := range companies {
		out.companies[c.ID] = c
	}
	return out
}

// Delivery is what became of one company's digest of one day, kept in the collection of runs. It names no recipient.
type Delivery struct {
	Company    string     `json:"company"`
	Flow       string     `json:"flow"` // digest
	Day        string     `json:"day"`  // the day it tells about, in the company's zone
	State      string     `json:"state"`
	Subject    string     `json:"subject"`
	Recipients int        `json:"recipients"`
	Attempts   int        `json:"attempts"`
	Problem    string     `json:"problem,omitempty"`
	StartedAt  store.Time `json:"started_at"`
	EndedAt    store.Time `json:"ended_at,omitzero"`
}

// The states of a Delivery.
const (
	Sending = "sending" // claimed; the mail server is being called
	Sent    = "sent"
	Refused = "refused" // tried again, up to MaxAttempts
	Unclear = "unclear" // perhaps sent: never again for that day
)

// DeliveryID is the key of a Delivery.
func DeliveryID(company string, day billing.Date) string {
	return store.ID(company, "digest", string(day))
}

// Next is the first time after t at which a company's digest is due; the zero time when it gets none.
func Next(set settings.Company, t time.Time) time.Time {
	at, err := time.Parse("15:04", set.Notify.At)
	if err != nil || !set.Enabled || !set.Notify.Wanted() || set.TimeZone == nil {
		return time.Time{}
	}
	local := t.In(set.TimeZone)
	for days := range 3 {
		due := time.Date(local.Year(), local.Month(), local.Day()+days, at.Hour(), at.Minute(), 0, 0, set.TimeZone)
		if due.After(t) {
			return due
		}
	}
	return time.Time{}
}

// Run sends the digest of the day before, if the company gets one and none was sent for that day. It can be called any number
// of times. An error means that the message was not sent and may be tried again.
func (s *Sender) Run(ctx context.Context, company string) error {
	c, err := s.company(company)
	if err != nil {
		return err
	}
	set := c.Settings
	if !set.Enabled || !set.Notify.Wanted() {
		return nil
	}
	if s.mailer == nil {
		s.log.WarnContext(ctx, "digest not sent: there is no mail server (deployment.mail)", "company", company)
		return nil
	}
	day := Yesterday(s.clock.Now(), set)
	m, problems, err := s.message(ctx, c, day)
	if err != nil {
		return err
	}
	if set.Notify.Digest == "problems" && problems == 0 {
		return nil
	}
	d, version, err := s.claim(ctx, company, day, m)
	if err != nil || version == "" {
		return err
	}
	return s.deliver(ctx, d, version, m)
}

// Preview is the digest of a company for a day, as it would be sent now.
func (s *Sender) Preview(ctx context.Context, company string, day billing.Date) (Message, error) {
	c, err := s.company(company)
	if err != nil {
		return Message{}, err
	}
	m, _, err := s.message(ctx, c, day)
	return m, err
}

func (s *Sender) company(id string) (Company, error) {
	c, ok := s.companies[id]
	if !ok {
		return c, fmt.Errorf("digest of company %q: it is not configured", id)
	}
	return c, nil
}

// Yesterday is the day that a digest sent at a time tells about: the day before, where the company is.
func Yesterday(now time.Time, set settings.Company) billing.Date {
	local := now.In(set.TimeZone)
	return billing.Date(time.Date(local.Year(), local.Month(), local.Day()-1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
}

// claim makes the digest of a day this process's to send; the version is empty when there is nothing to send.
func (s *Sender) claim(ctx context.Context, company string, day billing.Date, m Message) (Delivery, store.Version, error) {
	id, now := DeliveryID(company, day), s.clock.Now()
	next := Delivery{
		Company: company, Flow: "digest", Day: string(day), State: Sending, Subject: m.Subject, Recipients: len(m.To), Attempts: 1, StartedAt: store.At(now),
	}
	version, err := s.deliveries.Create(ctx, id, next)
	if !errors.Is(err, store.ErrExists) {
		return next, version, err
	}
	was, version, err := s.deliveries.Get(ctx, id)
	if err != nil {
		return next, "", err
	}
	switch {
	case was.State == Refused && was.Attempts < MaxAttempts:
		next.Attempts = was.Attempts + 1
		version, err = s.deliveries.Update(ctx, id, next, version)
	case was.State == Sending && now.Sub(was.StartedAt.Time) >= abandoned:
		was.State, was.EndedAt, was.Problem = Unclear, store.At(now), "the process that sent it ended before it knew the answer"
		s.log.WarnContext(ctx, "digest perhaps not sent", "company", company, "day", day, "problem", was.Problem)
		_, err = s.deliveries.Update(ctx, id, was, version)
		version = ""
	default:
		return was, "", nil
	}
	if errors.Is(err, store.ErrConflict) {
		return next, "", nil // another process has it
	}
	return next, version, err
}

// deliver sends a claimed digest and notes what came of it.
func (s *Sender) deliver(ctx context.Context, d Delivery, version store.Version, m Message) error {
	failed := s.mailer.Send(ctx, m)
	d.State, d.EndedAt = Sent, store.At(s.clock.Now())
	switch {
	case errors.Is(failed, ErrRefused):
		d.State, d.Problem = Refused, plain(failed.Error())
		s.log.ErrorContext(ctx, "digest not sent", "company", d.Company, "day", d.Day, "attempt", d.Attempts, "error", d.Problem)
		failed = fmt.Errorf("sending the digest of %s, attempt %d of %d: %s", d.Company, d.Attempts, MaxAttempts, d.Problem)
	case failed != nil:
		d.State, d.Problem = Unclear, plain(failed.Error())
		s.log.WarnContext(ctx, "digest perhaps sent; it is not sent again", "company", d.Company, "day", d.Day, "error", d.Problem)
		failed = nil
	default:
		s.log.InfoContext(ctx, "digest sent", "company", d.Company, "day", d.Day, "recipients", d.Recipients)
	}
	_, err := s.deliveries.Update(context.WithoutCancel(ctx), DeliveryID(d.Company, billing.Date(d.Day)), d, version)
	return errors.Join(failed, err)
}

var address = regexp.MustCompile(`[^\s<>()"',;:]+@[^\s<>()"',;]+`)

// plain takes e-mail addresses out of a text and makes one line of it.
func plain(text string) string {
	return address.ReplaceAllString(strings.Join(strings.Fields(text), " "), "[address]")
}

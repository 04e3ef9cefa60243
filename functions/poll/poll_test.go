package poll_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/functions/poll"
	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/schedule"
)

func tick(t *testing.T, ctx context.Context, h http.Handler, data string) int {
	t.Helper()
	b, err := bus.EncodePush(bus.Delivery{ID: "1", Data: []byte(data)})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(b)).WithContext(ctx))
	return w.Code
}

// rig is the function over a world with the companies us and ca.
type rig struct {
	*enginetest.World
	ca   *enginetest.Site
	poll *poll.Poll
	ran  []string // jobs and watches
}

func newRig() *rig {
	r := &rig{World: enginetest.NewWorld()}
	r.ca = r.AddSite("ca")
	job := schedule.Job{
		Name: "nightly", Next: func(_ string, t time.Time) time.Time { return t.Truncate(24 * time.Hour).Add(24 * time.Hour) },
		Run: func(_ context.Context, company string) error { r.ran = append(r.ran, "nightly "+company); return nil },
	}
	r.poll = &poll.Poll{
		Engine: r.Start(), Jobs: schedule.New(r.Store, r.Clock, job), Bus: r.Bus, Log: slog.New(slog.DiscardHandler),
		Watch: func(_ context.Context, company string) error { r.ran = append(r.ran, "watch "+company); return nil },
	}
	return r
}

// deliver hands every published tick to the function until there is none, and says what they were.
func (r *rig) deliver(t *testing.T) []string {
	t.Helper()
	var out []string
	for {
		sent := slices.DeleteFunc(r.Bus.Lose(), func(s enginetest.Sent) bool { return s.Topic != bus.TopicTicks })
		if len(sent) == 0 {
			return out
		}
		for _, m := range sent {
			out = append(out, m.Key+" "+string(m.Data))
			if got := tick(t, t.Context(), r.poll.Handler(), string(m.Data)); got != http.StatusNoContent {
				t.Fatalf("%s: status %d", m.Data, got)
			}
		}
	}
}

func TestTick(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		data   string
		broken bool // the ERP of us
		status int
		us, ca int // reads of the feeds
	}{
		{"everything", t.Context(), "", false, 204, 1, 1},
		{"everything, in so many words", t.Context(), "{}", false, 204, 1, 1},
		{"one company", t.Context(), `{"company":"ca"}`, false, 204, 0, 1},
		{"one is down: the other goes on, the tick is done", t.Context(), "", true, 204, 1, 1},
		{"a company nobody knows", t.Context(), `{"company":"xx"}`, false, 204, 0, 0},
		{"a job nobody knows", t.Context(), `{"company":"us","job":"dust"}`, false, 204, 0, 0},
		{"the caller went away", gone, "", false, 500, 0, 0},
		{"no tick", t.Context(), "[]", false, 400, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig()
			if c.broken {
				r.ERP.Fail(enginetest.Fault{Method: "Invoices", Class: connector.ClassRetry})
			}
			if got := tick(t, c.ctx, r.poll.Handler(), c.data); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			r.deliver(t)
			if us, ca := r.ERP.Count("Invoices"), r.ca.ERP.Count("Invoices"); us != c.us || ca != c.ca {
				t.Errorf("%d and %d reads of the feeds, want %d and %d", us, ca, c.us, c.ca)
			}
		})
	}
}

// TestJobsOfATick: what is due becomes a message of its own, so that a long job delays no poll.
func TestJobsOfATick(t *testing.T) {
	r := newRig()
	tick(t, t.Context(), r.poll.Handler(), "")
	if got, want := r.deliver(t), []string{`tick/ca/ {"company":"ca"}`, `tick/us/ {"company":"us"}`}; !slices.Equal(got, want) {
		t.Errorf("first day: %q", got)
	}
	r.Clock.Advance(24 * time.Hour)
	r.ran = nil
	tick(t, t.Context(), r.poll.Handler(), `{"company":"us"}`)
	tick(t, t.Context(), r.poll.Handler(), `{"company":"us"}`) // before the job's message came: asked for twice, run once
	job := `tick/us/nightly {"company":"us","job":"nightly"}`
	if got := r.deliver(t); !slices.Equal(got, []string{job, job}) {
		t.Errorf("next day: %q", got)
	}
	if want := []string{"watch us", "watch us", "nightly us"}; !slices.Equal(r.ran, want) {
		t.Errorf("ran %q, want %q", r.ran, want)
	}
}

// TestBeatTellsEverything: trouble of one part of a beat is reported and stops no other part.
func TestBeatTellsEverything(t *testing.T) {
	r := newRig()
	if _, err := r.poll.BeatAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Clock.Advance(24 * time.Hour)
	r.ERP.Fail(enginetest.Fault{Method: "Invoices", Class: connector.ClassRetry})
	watch := errors.New("issues can not be read")
	r.poll.Watch = func(context.Context, string) error { return watch }
	results, err := r.poll.BeatAll(t.Context())
	if len(results) != 2 || !errors.Is(err, watch) || !strings.Contains(err.Error(), "polling us: ") || strings.Contains(err.Error(), "polling ca") {
		t.Errorf("%+v, %v", results, err)
	}
	if got := r.deliver(t); len(got) != 2 || len(r.ran) != 4 {
		t.Errorf("jobs asked for: %q, ran %q", got, r.ran)
	}
	full := errors.New("no bus")
	r.Bus.Break(full)
	if got := tick(t, t.Context(), r.poll.Handler(), ""); got != http.StatusInternalServerError {
		t.Errorf("a tick that could not be handed on is answered %d: it has to come again", got)
	}
	r.Clock.Advance(24 * time.Hour)
	if _, err := r.poll.Beat(t.Context(), "us"); !errors.Is(err, full) {
		t.Errorf("beat without a bus: %v", err)
	}
	if _, err := r.poll.Beat(t.Context(), "xx"); !errors.Is(err, engine.ErrUnknownCompany) {
		t.Errorf("unknown company: %v", err)
	}
}

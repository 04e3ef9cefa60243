package retention_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/retention"
	"github.com/arbridge/arbridge/pkg/store"
)

const day = 24 * time.Hour

// world is a state, files and journal of companies over many days.
type world struct {
	t     *testing.T
	store *faultyStore
	blobs *faultyBlobs
	clock *enginetest.Clock
}

func newWorld(t *testing.T) *world {
	return &world{t: t, store: &faultyStore{Store: enginetest.NewStore()}, blobs: &faultyBlobs{Blobs: enginetest.NewBlobs()},
		clock: enginetest.NewClock(enginetest.Start())}
}

func (w *world) pruner(days int) *retention.Pruner {
	return retention.New(w.store, w.blobs, journal.New(w.store, w.clock), w.clock, slog.New(slog.DiscardHandler), days)
}

// run runs a Pruner that must have no trouble.
func (w *world) run(days int, company string) {
	w.t.Helper()
	if err := w.pruner(days).Run(w.t.Context(), company); err != nil {
		w.t.Fatal(err)
	}
}

// file keeps a file now.
func (w *world) file(name string) {
	w.t.Helper()
	w.blobs.SetTime(w.clock.Now())
	if _, err := w.blobs.Create(w.t.Context(), name, "application/pdf", strings.NewReader("%PDF"), 100); err != nil {
		w.t.Fatal(err)
	}
}

// put stores a record as of now.
func (w *world) put(r record.Record) {
	w.t.Helper()
	r.UpdatedAt = store.At(w.clock.Now())
	table := store.Table[record.Record]{Store: w.store, Collection: store.Records}
	if _, err := table.Put(w.t.Context(), r.ID(), r); err != nil {
		w.t.Fatal(err)
	}
}

// refuse stores a record with an effect that the vendor refused now.
func (w *world) refuse(company, number string) {
	w.t.Helper()
	r := record.Record{Company: company, Kind: billing.KindInvoice, SourceID: number, Status: record.Attention}
	w.put(r)
	j := journal.New(w.store, w.clock)
	e, err := j.Intend(w.t.Context(), journal.Entry{Key: company + "/invoice/" + number, Company: company, Record: r.ID(), Digest: "d", Amount: "107.00"})
	if err == nil {
		_, err = j.Start(w.t.Context(), e)
	}
	if err == nil {
		err = j.Refuse(w.t.Context(), e, errors.New("the vendor's words"))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// answers are the keys of the effects that still have the vendor's words.
func (w *world) answers() string {
	w.t.Helper()
	all, err := enginetest.All[journal.Entry](w.store.Store, store.Journal)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for key, e := range all {
		if e.State != journal.Refused || e.Digest != "d" || e.Amount != "107.00" || e.Attempts != 1 {
			w.t.Errorf("effect %s lost what decides: %+v", key, e)
		}
		if e.Error != "" {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// faultyStore can not do some things with some documents.
type faultyStore struct {
	*enginetest.Store
	bad    string // a document that can not be read, and a record whose effects can not be
	before func() // called before each query
}

var errBad = errors.New("bad object")

func (s *faultyStore) GetAll(ctx context.Context, c store.Collection, ids []string) ([]store.Doc, error) {
	if slices.Contains(ids, s.bad) {
		return nil, errBad
	}
	return s.Store.GetAll(ctx, c, ids)
}

func (s *faultyStore) Query(ctx context.Context, q store.Query) ([]store.Doc, error) {
	if s.before != nil {
		s.before()
	}
	if len(q.Equal) > 0 && q.Equal[0].Value == s.bad {
		return nil, errBad
	}
	return s.Store.Query(ctx, q)
}

// faultyBlobs can not delete one object.
type faultyBlobs struct {
	*enginetest.Blobs
	bad string
}

func (b *faultyBlobs) Delete(ctx context.Context, name string) error {
	if name == b.bad {
		return errBad
	}
	return b.Blobs.Delete(ctx, name)
}

// TestDaysDecide flips retention.payloads_days: what is older goes, what is younger stays, and other companies are not looked at.
func TestDaysDecide(t *testing.T) {
	for _, c := range []struct {
		setting string
		days    int
		files   []string
		answers string
	}{
		{"retention.payloads_days: 30", 30, []string{"ca/invoice/1/a.pdf", "us-east/invoice/1/a.pdf", "us/invoice/3/a.pdf"}, "ca/invoice/1 us/invoice/3"},
		{"retention.payloads_days: 90", 90, []string{"ca/invoice/1/a.pdf", "us-east/invoice/1/a.pdf", "us/invoice/2/a.pdf", "us/invoice/3/a.pdf"},
			"ca/invoice/1 us/invoice/2 us/invoice/3"},
		{"retention.payloads_days: 3650", 3650, []string{"ca/invoice/1/a.pdf", "us-east/invoice/1/a.pdf", "us/invoice/1/a.pdf", "us/invoice/2/a.pdf", "us/invoice/3/a.pdf"},
			"ca/invoice/1 us/invoice/1 us/invoice/2 us/invoice/3"},
	} {
		t.Run(c.setting, func(t *testing.T) {
			w := newWorld(t)
			for _, name := range []string{"us/invoice/1/a.pdf", "ca/invoice/1/a.pdf", "us-east/invoice/1/a.pdf"} {
				w.file(name)
			}
			w.refuse("us", "1")
			w.refuse("ca", "1")
			for i, after := range []time.Duration{50 * day, 30 * day} {
				w.clock.Advance(after)
				w.file(fmt.Sprintf("us/invoice/%d/a.pdf", i+2))
				w.refuse("us", fmt.Sprint(i+2))
			}
			w.clock.Advance(20 * day) // they are now 100, 50 and 20 days old
			w.run(c.days, "us")
			if diff := cmp.Diff(c.files, w.blobs.Names()); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if got := w.answers(); got != c.answers {
				t.Errorf("answers are left of %q, want %q", got, c.answers)
			}
		})
	}
}

// TestFilesThatWaitStay: a file goes only when its record does not wait to attach it.
func TestFilesThatWaitStay(t *testing.T) {
	const object = "us/invoice/A%2F1/D1-aa.pdf"
	attached := record.Attachment{Number: "D1", Object: object, SHA256: "aa"}
	other := record.Attachment{Number: "D1", Object: "us/invoice/A%2F1/D1-bb.pdf", SHA256: "bb"}
	for name, c := range map[string]struct {
		rec   record.Record
		stays bool
	}{
		"attached":                  {record.Record{Status: record.Synced, Attachment: &attached, Seen: "aa", Written: "aa"}, false},
		"waits for its invoice":     {record.Record{Status: record.Waiting, Attachment: &attached, Seen: "aa"}, true},
		"being attached":            {record.Record{Status: record.Working, Attachment: &attached, Seen: "aa", Written: "00"}, true},
		"a person has to decide":    {record.Record{Status: record.Attention, Attachment: &attached, Seen: "aa"}, true},
		"answer of the upload lost": {record.Record{Status: record.Unknown, Attachment: &attached, Seen: "aa"}, true},
		"files are off":             {record.Record{Status: record.Skipped, Attachment: &attached, Seen: "aa"}, false},
		"a newer one waits":         {record.Record{Status: record.Waiting, Attachment: &other, Seen: "bb"}, false},
		"no file":                   {record.Record{Status: record.Waiting}, false},
		"another company's":         {record.Record{Company: "ca", Status: record.Waiting, Attachment: &attached, Seen: "aa"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.rec.Company == "" {
				c.rec.Company = "us"
			}
			c.rec.Kind, c.rec.SourceID = billing.KindDocument, "A/1"
			w.file(object)
			w.put(c.rec)
			w.clock.Advance(91 * day)
			w.run(90, "us")
			if stays := len(w.blobs.Names()) == 1; stays != c.stays {
				t.Errorf("the file stays: %v, want %v", stays, c.stays)
			}
		})
	}
	w := newWorld(t)
	for _, name := range []string{"us/invoice/note.txt", "us/invoice/1/2/3/a.pdf", "us/other/1/a.pdf", "us/invoice/%zz/a.pdf"} {
		w.file(name)
	}
	w.clock.Advance(91 * day)
	w.run(90, "us")
	if left := w.blobs.Names(); len(left) != 4 {
		t.Errorf("of objects that are no files of invoices only %v are left", left)
	}
}

// TestOneBadObjectStopsNothing: what can not be removed is named, and everything else goes.
func TestOneBadObjectStopsNothing(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.file(fmt.Sprintf("us/invoice/%d/a.pdf", i))
		w.refuse("us", fmt.Sprint(i))
	}
	w.clock.Advance(91 * day)
	w.blobs.bad, w.store.bad = "us/invoice/1/a.pdf", "us/document/3"
	err := w.pruner(90).Run(t.Context(), "us")
	if !errors.Is(err, errBad) || !strings.Contains(err.Error(), "removing old payloads of us") || !strings.Contains(err.Error(), "us/document/3") {
		t.Errorf("error %v, want it to name what was bad", err)
	}
	if got := strings.Join(w.blobs.Names(), " "); got != "us/invoice/1/a.pdf us/invoice/3/a.pdf" {
		t.Errorf("files left: %s", got)
	}
	if got := w.answers(); got != "" {
		t.Errorf("answers left: %s", got)
	}
	w.blobs.bad, w.store.bad = "", "us/invoice/7" // a record whose effects can not be read
	w.refuse("us", "7")
	w.refuse("us", "8")
	w.clock.Advance(91 * day)
	if err := w.pruner(90).Run(t.Context(), "us"); !errors.Is(err, errBad) || !strings.Contains(err.Error(), "us/invoice/7") {
		t.Errorf("error %v, want it to name the record", err)
	}
	if got := w.answers(); got != "us/invoice/7" || len(w.blobs.Names()) > 0 {
		t.Errorf("left: answers of %q, files %v", got, w.blobs.Names())
	}
	w.store.bad = ""
	w.run(90, "us") // the record is in no window any more, but was remembered
	if got := w.answers(); got != "" {
		t.Errorf("answers left after the trouble was over: %s", got)
	}
	w.store.Break(errBad)
	if err := w.pruner(90).Run(t.Context(), "us"); !errors.Is(err, errBad) {
		t.Errorf("with a broken store: %v", err)
	}
}

// TestLargeCompanyIsDoneInParts: a run ends at its bound, and the next goes on, over what can not be removed.
func TestLargeCompanyIsDoneInParts(t *testing.T) {
	w := newWorld(t)
	const n = 1050
	for i := range n {
		w.file(fmt.Sprintf("us/invoice/%04d/a.pdf", i))
		w.refuse("us", fmt.Sprintf("%04d", i))
		if i%3 == 0 {
			w.clock.Advance(time.Second)
		}
	}
	w.blobs.bad = "us/invoice/0000/a.pdf"
	w.clock.Advance(91 * day)
	for i, want := range []struct{ files, answers int }{{451, 450}, {1, 0}, {1, 0}} {
		p := w.pruner(90)
		p.SetBound(600)
		if err := p.Run(t.Context(), "us"); errors.Is(err, errBad) != (i != 1) {
			t.Errorf("run %d: %v", i, err)
		}
		if files, answers := len(w.blobs.Names()), len(strings.Fields(w.answers())); files != want.files || answers != want.answers {
			t.Errorf("after run %d there are %d files and %d answers, want %d and %d", i, files, answers, want.files, want.answers)
		}
		w.clock.Advance(day)
	}
}

// TestInterruptedRunIsContinued ends the context at every query of the store in turn.
func TestInterruptedRunIsContinued(t *testing.T) {
	for stop := 1; ; stop++ {
		w := newWorld(t)
		for i := range 3 {
			w.file(fmt.Sprintf("us/invoice/%d/a.pdf", i))
			w.refuse("us", fmt.Sprint(i))
		}
		w.clock.Advance(91 * day)
		ctx, cancel := context.WithCancel(t.Context())
		queries := 0
		w.store.before = func() {
			if queries++; queries == stop {
				cancel()
			}
		}
		err := w.pruner(90).Run(ctx, "us")
		cancel()
		if queries < stop {
			if err != nil || stop < 4 {
				t.Errorf("%d queries, %v", queries, err)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended at query %d: %v", stop, err)
		}
		w.run(90, "us")
		if got := w.answers(); got != "" || len(w.blobs.Names()) > 0 {
			t.Errorf("ended at query %d and run again, left are answers of %q and files %v", stop, got, w.blobs.Names())
		}
	}
}

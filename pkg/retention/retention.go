// Package retention removes what a company need not keep for ever: the files of invoices on their way to the portal, and what
// vendors answered to writes that they refused (retention.payloads_days).
//
// Nothing that decides is removed. Journal entries stay with their keys, states, digests, amounts and ids; records stay, and
// so do the ERP's records as last read, from which plans are made. A file that is needed again is downloaded again. Received
// events have days of their own (retention.inbox_days) and go by the store's own retention. Requests are not kept at all:
// the journal holds their digests.
package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/arbridge/arbridge/pkg/blob"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// most bounds how many old files and how many records one run handles; the next run goes on where it ended.
const most = 5000

// page is how many of either are read at a time.
const page = 200

// Pruner removes what is too old. It is safe for concurrent use; make one with New.
type Pruner struct {
	store   store.Store
	blobs   blob.Store
	journal *journal.Journal
	clock   clock.Clock
	log     *slog.Logger
	days    int
	records store.Table[record.Record]
	cursors store.Table[record.Cursor]
	most    int
}

// New makes a Pruner that keeps payloads for so many days, at least one.
func New(s store.Store, b blob.Store, j *journal.Journal, c clock.Clock, log *slog.Logger, days int) *Pruner {
	return &Pruner{
		store: s, blobs: b, journal: j, clock: c, log: log, days: max(days, 1), most: most,
		records: store.Table[record.Record]{Store: s, Collection: store.Records},
		cursors: store.Table[record.Cursor]{Store: s, Collection: store.Cursors},
	}
}

// Run removes what of a company is older than the days. It is to be run once a day; a run that was cut off, by its bounds or
// by the end of ctx, is continued by the next. What can not be removed is named in the error and does not keep the rest from
// going.
func (p *Pruner) Run(ctx context.Context, company string) error {
	before := p.clock.Now().Add(-time.Duration(p.days) * 24 * time.Hour)
	var bad troubles
	files := p.removeFiles(ctx, company, before, &bad)
	texts := p.forgetAnswers(ctx, company, before, &bad)
	p.log.InfoContext(ctx, "old payloads removed", "company", company, "days", p.days, "files", files, "answers", texts, "problems", bad.count)
	if err := bad.err(); err != nil {
		return fmt.Errorf("removing old payloads of %s: %w", company, err)
	}
	return nil
}

// troubles are what went wrong: how often, and the first few in words.
type troubles struct {
	count int
	first []error
}

func (t *troubles) add(err error) {
	t.count++
	if len(t.first) < 3 {
		t.first = append(t.first, err)
	}
}

func (t *troubles) err() error {
	err := errors.Join(t.first...)
	if more := t.count - len(t.first); more > 0 {
		return fmt.Errorf("%w, and %d more", err, more)
	}
	return err
}

// position reads where the last run ended; empty for the start.
func (p *Pruner) position(ctx context.Context, company, feed string) (string, error) {
	c, _, err := p.cursors.Get(ctx, store.ID(company, feed))
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return c.Value, err
}

// remember keeps where this run ended, also when ctx is what ended it.
func (p *Pruner) remember(ctx context.Context, company, feed, was, value string) error {
	if value == was {
		return nil
	}
	c := record.Cursor{Company: company, Feed: feed, Value: value, UpdatedAt: store.At(p.clock.Now())}
	_, err := p.cursors.Put(context.WithoutCancel(ctx), store.ID(company, feed), c)
	return err
}

package retention

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/arbridge/arbridge/pkg/store"
)

// answersFeed names the cursor that holds a progress.
const answersFeed = "retention_answers"

// mostBad is how many records that could not be handled are kept for another attempt.
const mostBad = 100

// progress is how far the journal's texts are forgotten. A record that was left alone for the days has only effects as old,
// so each record is handled once in the window of time in which it was last changed: From to To, newest first. What changes
// later is in a later window.
type progress struct {
	From string `json:"from,omitempty"` // everything before is done
	To   string `json:"to,omitempty"`   // end of the window at work; empty for none
	At   string `json:"at,omitempty"`   // position in it
	ID   string `json:"id,omitempty"`
	// Bad are records that could not be handled.
	Bad []string `json:"bad,omitempty"`
}

// forgetAnswers drops what vendors answered to refused writes from journal entries, and counts them.
func (p *Pruner) forgetAnswers(ctx context.Context, company string, before time.Time, bad *troubles) int {
	was, err := p.position(ctx, company, answersFeed)
	if err != nil {
		bad.add(err)
		return 0
	}
	var at progress
	if was != "" {
		if err := json.Unmarshal([]byte(was), &at); err != nil {
			bad.add(fmt.Errorf("position %s of %s, which is begun anew: %w", answersFeed, company, err))
			at = progress{}
		}
	}
	forgotten := p.forget(ctx, &at, at.Bad, before, bad)
	for handled := 0; handled < p.most && ctx.Err() == nil; {
		if at.To == "" {
			at.To = store.At(before).Text()
		}
		if at.To <= at.From {
			at.To = ""
			break
		}
		ids, next, err := p.window(ctx, company, at)
		if err != nil {
			bad.add(err)
			break
		}
		forgotten += p.forget(ctx, &at, ids, before, bad)
		if handled += len(ids); ctx.Err() != nil {
			break // these are done again
		}
		at.At, at.ID = next.Value, next.ID
		if len(ids) < page {
			at = progress{From: at.To, Bad: at.Bad}
		}
	}
	text, err := json.Marshal(at)
	if err == nil {
		err = p.remember(ctx, company, answersFeed, was, string(text))
	}
	if err != nil {
		bad.add(err)
	}
	return forgotten
}

// window reads the next records of the window, and where they end. It needs no more of them than their ids.
func (p *Pruner) window(ctx context.Context, company string, at progress) ([]string, store.Position, error) {
	docs, err := p.store.Query(ctx, store.Query{
		Collection: store.Records, Equal: []store.Equal{{Field: "company", Value: company}}, OrderBy: "updated_at", Desc: true,
		From: at.From, UpTo: at.To, After: store.Position{Value: at.At, ID: at.ID}, Limit: page,
	})
	if err != nil {
		return nil, store.Position{}, err
	}
	ids := make([]string, len(docs))
	var end store.Position
	for i, d := range docs {
		var changed struct {
			At string `json:"updated_at"`
		}
		if err := json.Unmarshal(d.Data, &changed); err != nil {
			return nil, end, fmt.Errorf("reading %s/%s: %w", store.Records, d.ID, err)
		}
		ids[i], end = d.ID, store.Position{Value: changed.At, ID: d.ID}
	}
	return ids, end, nil
}

// forget handles records; those that can not be handled are remembered until they can.
func (p *Pruner) forget(ctx context.Context, at *progress, ids []string, before time.Time, bad *troubles) int {
	forgotten := 0
	var still []string
	for _, id := range ids {
		n, err := p.journal.Forget(ctx, id, before)
		if ctx.Err() != nil {
			bad.add(ctx.Err())
			return forgotten + n
		}
		if forgotten += n; err != nil {
			bad.add(fmt.Errorf("effects of %s: %w", id, err))
			still = append(still, id)
		}
	}
	at.Bad = slices.DeleteFunc(slices.Clone(at.Bad), func(id string) bool { return slices.Contains(ids, id) })
	at.Bad = append(at.Bad, still...)
	at.Bad = at.Bad[:min(len(at.Bad), mostBad)]
	return forgotten
}

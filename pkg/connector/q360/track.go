package q360

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/arbridge/arbridge/pkg/connector"
	"github.com/arbridge/arbridge/pkg/connector/q360/client"
)

// track is a position by change stamp (q360-api 4.5). A poll begins at a stamp a little before the last one (the
// overlap), because transactions can commit late and clocks drift, and then pages with (Stamp, Key) of the last row
// taken: first the rest of the same stamp by key, then what is later. Nothing is skipped while rows move to the end:
//
//   - a row with the stamp of the page's edge is found by its key, however many share the stamp;
//   - a row that changes while we page gets a later stamp and is met again;
//   - a row that was committed late is within the overlap of the next poll.
//
// When the last stamp has not moved for longer than the overlap, and a poll has seen the whole overlap after that, no
// late row can come any more: then the poll starts right after the last stamp and an idle poll is one call. Elapsed time
// is measured on our clock alone, so neither drift nor a wrong time zone can make rows disappear.
type track struct {
	Mode    string `json:"mode,omitempty"`  // "" between polls, else one of the modes
	Stamp   string `json:"stamp,omitempty"` // as received
	Key     string `json:"key,omitempty"`   // as received
	Began   int64  `json:"began,omitempty"` // Unix seconds of the poll's beginning
	Listed  bool   `json:"listed,omitempty"`
	Low     string `json:"low,omitempty"`  // first stamp of this poll that is near the present
	High    string `json:"high,omitempty"` // last stamp of the last complete poll
	HighAt  int64  `json:"high_at,omitempty"`
	Base    string `json:"base,omitempty"` // where the next poll starts, less the overlap
	Settled bool   `json:"settled,omitempty"`
	Seen    string `json:"seen,omitempty"` // digests of the rows of the last poll's end, base64
	Next    string `json:"next,omitempty"` // the same, of the poll in progress
}

const (
	modeFrom  = "from"  // stamp >= Stamp
	modeAfter = "after" // stamp > Stamp
	modeTie   = "tie"   // stamp = Stamp and key > Key
)

const (
	digestLen  = 8
	maxSeen    = 500           // rows of the overlap that are recognised; more are delivered again
	futureSlip = 2 * time.Hour // stamps further ahead wait, so that one absurd stamp does not hide all others
)

// start puts the track on a stamp noted before a full read; "" when the table had none yet.
func (t *track) start(c *Connector, stamp string) {
	if stamp == "" {
		stamp = c.api.TimeLiteral(c.clock.Now().Add(-24 * time.Hour))
	}
	*t = track{High: stamp, HighAt: c.clock.Now().Unix(), Base: stamp}
}

// step takes the next rows: at most limit that were not delivered by the last poll. done ends the poll.
func (t *track) step(ctx context.Context, c *Connector, src source, limit int) (fresh []client.Row, done bool, err error) {
	if t.Mode == "" {
		t.begin(c)
	}
	p, err := t.list(ctx, c, src, limit)
	if err != nil {
		return nil, false, err
	}
	before := unpackDigests(t.Seen)
	var added []byte
	cut := false
	for _, r := range p.Rows {
		sum := r.Digest()
		if !before[sum] {
			if len(fresh) == limit {
				cut = true
				break
			}
			fresh = append(fresh, r)
		}
		added = append(added, sum...)
		t.Stamp, t.Key, t.Listed = r.Raw(src.stamp), r.Raw(src.key), true
	}
	t.remember(added)
	if t.Low == "" && len(p.Rows) > 0 && c.nearPresent(t.Stamp) {
		t.Low = p.Rows[0].Raw(src.stamp)
	}
	switch {
	case cut || p.More:
		t.Mode = modeTie
	case t.Mode == modeTie:
		t.Mode = modeAfter
	default:
		t.finish(c)
		return fresh, true, nil
	}
	return fresh, false, nil
}

func (t *track) list(ctx context.Context, c *Connector, src source, limit int) (client.Page, error) {
	byStamp := []client.Order{{Column: src.stamp}, {Column: src.key}}
	ceiling := client.Filter{Column: src.stamp, Op: "<=", Value: c.api.TimeLiteral(c.clock.Now().Add(futureSlip))}
	size := min(limit, c.m.Dialect.PageSize)
	switch t.Mode {
	case modeTie:
		p, err := c.page(ctx, src, size, []client.Order{{Column: src.key}},
			client.Filter{Column: src.stamp, Op: "=", Value: t.Stamp}, client.Filter{Column: src.key, Op: ">", Value: t.Key})
		if err != nil {
			return p, err
		}
		return p, forward(src, p, src.key, t.Key)
	case modeAfter:
		p, err := c.page(ctx, src, size, byStamp, client.Filter{Column: src.stamp, Op: ">", Value: t.Stamp}, ceiling)
		if err != nil {
			return p, err
		}
		return p, t.beyond(src, p)
	}
	size = c.m.Dialect.PageSize
	if n := len(t.Seen) * 3 / 4 / digestLen; n > size/2 { // most of the overlap is known: take it in one call
		size = max(size, c.m.Dialect.LinePageSize)
	}
	return c.page(ctx, src, size, byStamp, client.Filter{Column: src.stamp, Op: ">=", Value: t.Stamp}, ceiling)
}

// beyond refuses a page of later stamps that holds the stamp itself: paging would stand still.
func (t *track) beyond(src source, p client.Page) error {
	for _, r := range p.Rows {
		if r.Raw(src.stamp) == t.Stamp {
			return connector.NewError(connector.ClassBadResponse, src.op, "the site returned %s = %s for %s > %s: either it ignores the filter, "+
				"or its stamps are finer than it shows; set changes.strategy to snapshot in the mapping", src.stamp, t.Stamp, src.stamp, t.Stamp)
		}
	}
	return nil
}

func (t *track) begin(c *Connector) {
	t.Began, t.Listed, t.Low, t.Next, t.Key = c.clock.Now().Unix(), false, "", "", ""
	if t.Settled {
		t.Mode, t.Stamp, t.Next = modeAfter, t.High, t.Seen
		return
	}
	t.Mode, t.Stamp = modeFrom, t.Base
	if reading, err := client.ParseWall(t.Base, c.m.Dialect.DatetimeLiteral); err == nil {
		t.Stamp = c.api.WallLiteral(reading.Add(-c.overlap(reading)))
	}
}

// finish ends a poll. A poll that took long may have passed a stamp before a late row of it was committed, long before
// the overlap of its last stamp; the next one goes back to where the present began.
func (t *track) finish(c *Connector) {
	now := c.clock.Now()
	patience := c.m.Changes.Overlap + c.clockChange(now)
	long := now.Sub(time.Unix(t.Began, 0)) > c.m.Changes.Overlap/3
	switch {
	case t.Listed && t.Stamp != t.High:
		t.High, t.HighAt, t.Settled = t.Stamp, now.Unix(), false
	case time.Unix(t.Began, 0).Sub(time.Unix(t.HighAt, 0)) > patience && !long:
		t.Settled = true
	}
	t.Base = t.High
	if long && t.Low != "" {
		t.Base = t.Low
	}
	if t.Listed {
		t.Seen = t.Next
	}
	t.Mode, t.Stamp, t.Key, t.Next, t.Low = "", "", "", "", ""
}

// remember keeps the digests of the last rows listed.
func (t *track) remember(added []byte) {
	all, _ := base64.RawStdEncoding.DecodeString(t.Next) // what does not decode is not known, and delivered again
	all = append(all, added...)
	if drop := len(all) - maxSeen*digestLen; drop > 0 {
		all = all[drop:]
	}
	t.Next = base64.RawStdEncoding.EncodeToString(all)
}

func unpackDigests(s string) map[string]bool {
	all, _ := base64.RawStdEncoding.DecodeString(s)
	out := make(map[string]bool, len(all)/digestLen)
	for ; len(all) >= digestLen; all = all[digestLen:] {
		out[string(all[:digestLen])] = true
	}
	return out
}

// overlap is how far a poll goes back from a stamp: as configured, and when the clocks are changed, by that much more. Set
// back, they stamp rows in the past; set forward, they put an hour that never was between a stamp and those before it.
func (c *Connector) overlap(reading time.Time) time.Duration {
	return c.m.Changes.Overlap + max(c.clockChange(client.InZone(reading, c.api.Zone())), c.clockChange(c.clock.Now()))
}

// clockChange is by how much the site's clocks are changed within four hours of an instant: 0 on most days.
func (c *Connector) clockChange(at time.Time) time.Duration {
	const around = 4 * time.Hour
	_, before := at.Add(-around).In(c.api.Zone()).Zone()
	_, after := at.Add(around).In(c.api.Zone()).Zone()
	return (time.Duration(before-after) * time.Second).Abs()
}

// nearPresent reports whether rows with this stamp may still be uncommitted.
func (c *Connector) nearPresent(stamp string) bool {
	at, err := c.api.ParseTime(stamp)
	return err != nil || at.After(c.clock.Now().Add(-2*c.m.Changes.Overlap))
}

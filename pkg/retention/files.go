package retention

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/blob"
	"github.com/arbridge/arbridge/pkg/record"
)

// filesFeed names the cursor that holds the last file handled by a run that was cut off.
const filesFeed = "retention_files"

// removeFiles removes the company's files that were kept before a time, and counts them. Names are company/invoice/number/file
// (package intake).
func (p *Pruner) removeFiles(ctx context.Context, company string, before time.Time, bad *troubles) int {
	was, err := p.position(ctx, company, filesFeed)
	if err != nil {
		bad.add(err)
		return 0
	}
	removed, handled, at := 0, 0, was
	for handled < p.most {
		list, err := p.blobs.List(ctx, company+"/invoice", at, page)
		if err != nil {
			bad.add(err)
			break
		}
		var old []blob.Listed
		for _, l := range list {
			if l.Created.Before(before) {
				old = append(old, l)
			}
		}
		removed += p.removeOld(ctx, company, old, bad)
		handled += len(old)
		if ctx.Err() != nil {
			break // its page is done again
		}
		if at = ""; len(list) < page {
			break // the next run starts anew
		}
		at = list[len(list)-1].Name
	}
	if err := p.remember(ctx, company, filesFeed, was, at); err != nil {
		bad.add(err)
	}
	return removed
}

// removeOld removes old files but those that are still to be attached.
func (p *Pruner) removeOld(ctx context.Context, company string, old []blob.Listed, bad *troubles) int {
	ids := make(map[string]string, len(old)) // of the files' records, by object
	for _, l := range old {
		if number, ok := invoice(l.Name); ok {
			ids[l.Name] = record.ID(company, billing.KindDocument, number)
		}
	}
	known := p.documents(ctx, ids, bad)
	removed := 0
	for _, l := range old {
		id, ours := ids[l.Name]
		rec, judged := known[id]
		if !ours || !judged || waits(rec, l.Name) {
			continue
		}
		if err := p.blobs.Delete(ctx, l.Name); err != nil {
			if bad.add(err); ctx.Err() != nil {
				return removed
			}
			continue
		}
		removed++
	}
	return removed
}

// documents reads the records of files; a file without one has the zero record. A record that can not be read is missing
// here: its file stays.
func (p *Pruner) documents(ctx context.Context, ids map[string]string, bad *troubles) map[string]record.Record {
	out := make(map[string]record.Record, len(ids))
	list := make([]string, 0, len(ids))
	for _, id := range ids {
		if _, twice := out[id]; !twice {
			out[id] = record.Record{}
			list = append(list, id)
		}
	}
	if len(list) == 0 {
		return out
	}
	rows, err := p.records.GetAll(ctx, list)
	if err == nil {
		for _, r := range rows {
			out[r.ID] = r.Value
		}
		return out
	}
	for _, id := range list { // one of them is bad: find it
		rows, err := p.records.GetAll(ctx, []string{id})
		if err != nil {
			bad.add(fmt.Errorf("keeping the file of %s: %w", id, err))
			delete(out, id)
		}
		for _, r := range rows {
			out[r.ID] = r.Value
		}
		if ctx.Err() != nil {
			return nil
		}
	}
	return out
}

// invoice is the number in a file's name.
func invoice(object string) (string, bool) {
	parts := strings.Split(object, "/")
	if len(parts) != 4 {
		return "", false
	}
	number, err := url.PathUnescape(parts[2])
	return number, err == nil && number != ""
}

// waits reports whether the file of the record is the one that is still to go to the portal.
func waits(rec record.Record, object string) bool {
	return rec.Attachment != nil && rec.Attachment.Object == object && rec.Written != rec.Seen && !rec.Settled()
}

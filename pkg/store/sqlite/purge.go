package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/arbridge/arbridge/pkg/store"
)

// Purge removes up to limit documents of store.Retained whose store.TTLField is before now, oldest first, and returns how
// many it removed. On Google Cloud a TTL policy does the same.
func (s *Store) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	removed := 0
	for _, c := range store.Retained {
		if removed >= limit {
			break
		}
		n, err := s.purge(ctx, c, store.At(now).Text(), min(limit-removed, store.MaxBatch))
		removed += n
		if err != nil {
			return removed, fmt.Errorf("removing old %s: %w", c, err)
		}
	}
	return removed, nil
}

func (s *Store) purge(ctx context.Context, c store.Collection, until string, limit int) (int, error) {
	expires := field(store.TTLField)
	old, err := rows(ctx, s.read, `SELECT id, version, data FROM `+string(c)+` WHERE `+expires+` <= ? ORDER BY `+expires+` LIMIT ?`, until, limit)
	if err != nil {
		return 0, err
	}
	writes := make([]store.Write, 0, len(old))
	for _, d := range old {
		writes = append(writes, store.Write{Collection: c, ID: d.ID, Delete: true, If: store.IfVersion, Version: d.Version})
	}
	if len(writes) == 0 {
		return 0, nil
	}
	if _, err := s.Write(ctx, writes...); err != nil {
		return 0, err // a document that changed meanwhile may live longer now: the next purge looks again
	}
	return len(writes), nil
}

package firestore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/internal/document"
)

// Write implements store.Store. The client repeats a Commit whose answer was lost; the repetition is then refused by
// what the first one wrote, which is recognised by its random text and reported as the success it is. Only a batch of
// nothing but deletions leaves no such trace: repeated, it may be refused with ErrNotFound.
func (s *Store) Write(ctx context.Context, writes ...store.Write) ([]store.Version, error) {
	objects, err := document.Batch(writes)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("writing to firestore: %w", err)
	}
	if len(writes) == 0 {
		return nil, nil
	}
	b := &batch{store: s, writes: writes, mark: rand.Text()}
	versions, err := b.commit(ctx, objects)
	var refused *store.WriteError
	if err != nil && !errors.As(err, &refused) {
		return nil, fmt.Errorf("writing %s/%s and what goes with it to firestore: %w", writes[0].Collection, writes[0].ID, err)
	}
	return versions, err
}

// batch is one call of Write.
type batch struct {
	store  *Store
	writes []store.Write
	mark   string
}

// commit sends the batch, again as long as it is certain that nothing was written and no condition is violated.
func (b *batch) commit(ctx context.Context, objects []document.Object) ([]store.Version, error) {
	ctx = b.store.route(ctx)
	req := &firestorepb.CommitRequest{Database: b.store.database}
	for i, w := range b.writes {
		req.Writes = append(req.Writes, b.request(w, objects[i]))
	}
	pause := backoff()
	for attempt := 1; ; attempt++ {
		res, err := b.store.client.Commit(ctx, req)
		if err == nil {
			return b.answer(res)
		}
		code := status.Code(err)
		switch code {
		case codes.AlreadyExists, codes.FailedPrecondition, codes.NotFound, codes.Aborted:
		case codes.InvalidArgument: // also a version newer than the document's
		default:
			return nil, ended(ctx, err)
		}
		versions, reason := b.inspect(ctx)
		if versions != nil || reason != nil {
			return versions, reason
		}
		// Contention, or what stood in the way is gone again; but an invalid request stays so.
		if code == codes.InvalidArgument || attempt == attempts || b.store.clock.Sleep(ctx, pause.Pause()) != nil {
			return nil, ended(ctx, err)
		}
	}
}

// request makes the protocol's form of a write.
func (b *batch) request(w store.Write, o document.Object) *firestorepb.Write {
	name := b.store.name(w.Collection, w.ID)
	req := &firestorepb.Write{}
	if w.Delete {
		req.Operation = &firestorepb.Write_Delete{Delete: name}
	} else {
		req.Operation = &firestorepb.Write_Update{Update: &firestorepb.Document{Name: name, Fields: encode(w.ID, b.mark, o)}}
	}
	switch w.If {
	case store.IfAbsent:
		req.CurrentDocument = &firestorepb.Precondition{ConditionType: &firestorepb.Precondition_Exists{Exists: false}}
	case store.IfVersion:
		req.CurrentDocument = &firestorepb.Precondition{ConditionType: &firestorepb.Precondition_UpdateTime{UpdateTime: updateTime(w.Version)}}
	}
	return req
}

// answer gives the new versions.
func (b *batch) answer(res *firestorepb.CommitResponse) ([]store.Version, error) {
	results := res.GetWriteResults()
	if len(results) != len(b.writes) {
		return nil, fmt.Errorf("commit of %d writes answered with %d results", len(b.writes), len(results))
	}
	versions := make([]store.Version, len(b.writes))
	for i, w := range b.writes {
		if w.Delete {
			continue
		}
		at := results[i].GetUpdateTime()
		if at == nil {
			at = res.GetCommitTime()
		}
		versions[i] = versionOf(at)
	}
	return versions, nil
}

// inspect finds out why a commit was refused: the versions if it had taken place before, else the violated condition,
// else neither.
func (b *batch) inspect(ctx context.Context) ([]store.Version, error) {
	var names []string
	for _, w := range b.writes {
		if w.If != store.Always || !w.Delete {
			names = append(names, b.store.name(w.Collection, w.ID))
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	found, err := b.store.fetch(ctx, names, []string{fieldWrite})
	if err != nil {
		return nil, fmt.Errorf("finding out why it was refused: %w", err)
	}
	for _, d := range found {
		if d.GetFields()[fieldWrite].GetStringValue() == b.mark {
			return b.versionsAt(d.GetUpdateTime()), nil
		}
	}
	for i, w := range b.writes {
		if err := refusal(w, found[b.store.name(w.Collection, w.ID)]); err != nil {
			return nil, &store.WriteError{Index: i, Collection: w.Collection, ID: w.ID, Err: err}
		}
	}
	return nil, nil
}

// versionsAt gives the versions of a batch by its commit time, which all its documents share.
func (b *batch) versionsAt(at *timestamppb.Timestamp) []store.Version {
	versions := make([]store.Version, len(b.writes))
	for i, w := range b.writes {
		if !w.Delete {
			versions[i] = versionOf(at)
		}
	}
	return versions
}

// refusal says which of the contract's errors a write meets, given the stored document or nil.
func refusal(w store.Write, d *firestorepb.Document) error {
	switch {
	case w.If == store.IfAbsent && d != nil:
		return store.ErrExists
	case w.If == store.IfVersion && d == nil:
		return store.ErrNotFound
	case w.If == store.IfVersion && versionOf(d.GetUpdateTime()) != w.Version:
		return store.ErrConflict
	}
	return nil
}

package simulation

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/arbridge/arbridge/pkg/blob"
	"github.com/arbridge/arbridge/pkg/store"
)

// errDeadline is a store that did not answer in time: whether a write happened is unknown.
var errDeadline = errors.New("store: deadline exceeded")

// disk is the store as a process has it.
type disk struct {
	store.Store
	p *process
}

// Get implements store.Store.
func (d *disk) Get(ctx context.Context, c store.Collection, id string) (store.Doc, error) {
	if err := d.p.cross("get", string(c), id); err != nil {
		return store.Doc{}, err
	}
	if d.p.w.hit(StoreBefore) {
		return store.Doc{}, errDeadline
	}
	return d.Store.Get(ctx, c, id)
}

// GetAll implements store.Store.
func (d *disk) GetAll(ctx context.Context, c store.Collection, ids []string) ([]store.Doc, error) {
	if err := d.p.cross("get all"); err != nil {
		return nil, err
	}
	return d.Store.GetAll(ctx, c, ids)
}

// Write implements store.Store.
func (d *disk) Write(ctx context.Context, writes ...store.Write) ([]store.Version, error) {
	w := d.p.w
	if err := d.p.cross("write"); err != nil {
		return nil, err
	}
	if w.hit(StoreBefore) {
		return nil, errDeadline
	}
	if i := conditional(writes); i >= 0 && w.hit(StoreConflict) {
		return nil, &store.WriteError{Index: i, Collection: writes[i].Collection, ID: writes[i].ID, Err: store.ErrConflict}
	}
	versions, err := d.Store.Write(ctx, writes...)
	if err == nil {
		d.p.stored(writes)
	}
	d.p.after("write")
	if err == nil && w.hit(StoreAfter) {
		return nil, errDeadline
	}
	return versions, err
}

// conditional is the first write that another process could have made fail.
func conditional(writes []store.Write) int {
	for i, w := range writes {
		if w.If == store.IfVersion {
			return i
		}
	}
	return -1
}

// stored looks at what a process has made durable: the effect that it begins or ends, and that no record is left without
// somebody who goes on with it.
func (p *process) stored(writes []store.Write) {
	for _, w := range writes {
		switch w.Collection {
		case store.Journal:
			begins := bytes.Contains(w.Data, []byte(`"state":"started"`))
			p.w.trace.add("%s journal %s", p.name, shortEntry(w))
			switch {
			case begins:
				p.effect, p.used = w.ID, false
			case p.effect == w.ID:
				p.effect = ""
			}
		case store.Records:
			p.w.trace.add("%s record %s", p.name, shortRecord(w))
			p.w.owned(w.ID, w.Data)
			p.w.due(w.Collection, w.ID, w.Data)
		case store.Inbox:
			p.w.due(w.Collection, w.ID, w.Data)
		}
	}
}

// Query implements store.Store.
func (d *disk) Query(ctx context.Context, q store.Query) ([]store.Doc, error) {
	if err := d.p.cross("query"); err != nil {
		return nil, err
	}
	return d.Store.Query(ctx, q)
}

// shelf keeps files, as a process has it.
type shelf struct {
	blob.Store
	p *process
}

// Create implements blob.Store.
func (s *shelf) Create(ctx context.Context, name, contentType string, body io.Reader, limit int64) (blob.Info, error) {
	if err := s.p.cross("keeping a file"); err != nil {
		return blob.Info{}, err
	}
	info, err := s.Store.Create(ctx, name, contentType, body, limit)
	s.p.after("keeping a file")
	return info, err
}

// Open implements blob.Store.
func (s *shelf) Open(ctx context.Context, name string) (io.ReadCloser, blob.Info, error) {
	if err := s.p.cross("opening a file"); err != nil {
		return nil, blob.Info{}, err
	}
	return s.Store.Open(ctx, name)
}

// shortEntry is a journal entry as the trace has it.
func shortEntry(w store.Write) string { return w.ID + " " + field(w.Data, "state") }

// shortRecord is a record as the trace has it.
func shortRecord(w store.Write) string {
	return w.ID + " " + field(w.Data, "status") + " " + field(w.Data, "summary")
}

// field is a text of a document.
func field(data []byte, name string) string {
	_, rest, _ := bytes.Cut(data, []byte(`"`+name+`":"`))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(text)
}

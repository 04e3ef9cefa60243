package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/arbridge/arbridge/pkg/store"
)

func TestReaderBesideWriter(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "a.db")
	if _, err := OpenReader(path); err == nil {
		t.Fatal("a missing file was opened")
	}
	w, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r, err := OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	change := store.Write{Collection: store.Records, ID: "us/invoice/1", Data: []byte(`{"company":"us"}`), If: store.IfAbsent}
	if _, err := w.Write(ctx, change); err != nil {
		t.Fatal(err)
	}
	d, err := r.Get(ctx, store.Records, "us/invoice/1")
	if err != nil || string(d.Data) != `{"company":"us"}` {
		t.Fatalf("the reader got %q, %v", d.Data, err)
	}
	if _, err := r.Write(ctx, change); !errors.Is(err, ErrReadOnly) {
		t.Fatalf("a write answered %v", err)
	}
	if err := r.Exec(ctx, nil); !errors.Is(err, ErrReadOnly) {
		t.Fatalf("an exec answered %v", err)
	}
}

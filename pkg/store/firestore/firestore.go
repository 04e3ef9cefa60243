// Package firestore is the store on Google Cloud Firestore in Native mode.
//
// A document is kept as native fields that a person can read in the console, under an id that starts with a piece of a
// hash so that writes spread over the key range (gcp-go-stack 5.3). Two fields are added: _id, the real id, which
// queries order by, and _write, a random text that makes every write a change. Each Write is one Commit with
// preconditions; nothing is read in a transaction, so nothing is locked while waiting for us.
//
// The package uses the generated client, because the hand-written one can not replace a document on a precondition. So
// it also converts every value itself: no decimal or floating-point number can reach Firestore (gcp-go-stack 2.5).
//
// Each shape of store.Shapes needs a composite index of its Equal fields, OrderBy, and _id in the direction of OrderBy.
package firestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	apiv1 "cloud.google.com/go/firestore/apiv1"
	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/store"
	"github.com/arbridge/arbridge/pkg/store/internal/document"
)

// Options say where the documents are.
type Options struct {
	// Project is the Google Cloud project id.
	Project string
	// Database is the id of the database, "(default)" when empty.
	Database string
	// Clock is used for pauses between attempts, the machine's when nil.
	Clock clock.Clock
}

// Store implements store.Store in one Firestore database. Make one with Open or New.
type Store struct {
	client    *apiv1.Client
	database  string // projects/p/databases/d
	documents string // the parent of the collections
	clock     clock.Clock
}

// Open connects to Firestore with the machine's credentials, unless the client options say otherwise.
func Open(ctx context.Context, opts Options, client ...option.ClientOption) (*Store, error) {
	if opts.Project == "" {
		return nil, errors.New("opening firestore: project is empty: set the Google Cloud project id")
	}
	c, err := apiv1.NewClient(ctx, client...)
	if err != nil {
		return nil, fmt.Errorf("opening firestore: %w", err)
	}
	return New(c, opts), nil
}

// New makes a store on a client, which Close closes.
func New(client *apiv1.Client, opts Options) *Store {
	if opts.Database == "" {
		opts.Database = "(default)"
	}
	if opts.Clock == nil {
		opts.Clock = clock.System{}
	}
	database := "projects/" + opts.Project + "/databases/" + opts.Database
	return &Store{client: client, database: database, documents: database + "/documents", clock: opts.Clock}
}

// Close implements store.Store.
func (s *Store) Close() error {
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("closing firestore: %w", err)
	}
	return nil
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, c store.Collection, id string) (store.Doc, error) {
	docs, err := s.GetAll(ctx, c, []string{id})
	if err != nil {
		return store.Doc{}, err
	}
	if len(docs) == 0 {
		return store.Doc{}, store.ErrNotFound
	}
	return docs[0], nil
}

// GetAll implements store.Store. An id given twice is answered twice.
func (s *Store) GetAll(ctx context.Context, c store.Collection, ids []string) ([]store.Doc, error) {
	names := make([]string, len(ids))
	for i, id := range ids {
		if err := document.Key(c, id); err != nil {
			return nil, fmt.Errorf("reading: %w", err)
		}
		names[i] = s.name(c, id)
	}
	if len(ids) == 0 {
		return nil, ctx.Err()
	}
	found, err := s.fetch(ctx, names, nil)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", c, err)
	}
	docs := make([]store.Doc, 0, len(found))
	for i, name := range names {
		d, ok := found[name]
		if !ok {
			continue
		}
		doc, err := decode(d)
		if err == nil && doc.ID != ids[i] {
			err = fmt.Errorf("field %s is %q: the document was changed by hand", fieldID, doc.ID)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s/%s: %w", c, ids[i], err)
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// fetch reads documents by name, whole or, with a mask, some fields of them. Those that do not exist are left out. It
// is BatchGetDocuments even for one, whose error can not mistake a missing database for a missing document.
func (s *Store) fetch(ctx context.Context, names, mask []string) (map[string]*firestorepb.Document, error) {
	req := &firestorepb.BatchGetDocumentsRequest{Database: s.database, Documents: unique(names)}
	if mask != nil {
		req.Mask = &firestorepb.DocumentMask{FieldPaths: mask}
	}
	var found map[string]*firestorepb.Document
	err := s.retry(ctx, func(ctx context.Context) error {
		found = make(map[string]*firestorepb.Document, len(names))
		stream, err := s.client.BatchGetDocuments(ctx, req)
		if err != nil {
			return err
		}
		for {
			r, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if d := r.GetFound(); d != nil {
				found[d.GetName()] = d
			}
		}
	})
	return found, err
}

func unique(names []string) []string {
	seen := make(map[string]bool, len(names))
	var once []string
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			once = append(once, n)
		}
	}
	return once
}

// attempts bounds how often a read, or a write that certainly did not happen, is tried.
const attempts = 6

func backoff() gax.Backoff {
	return gax.Backoff{Initial: 50 * time.Millisecond, Max: 2 * time.Second, Multiplier: 2}
}

// retry runs a read until it succeeds or its error is not of passing nature. The client itself repeats only the
// opening of a stream, but errors come with its first message.
func (s *Store) retry(ctx context.Context, read func(ctx context.Context) error) error {
	pause := backoff()
	ctx = s.route(ctx)
	for attempt := 1; ; attempt++ {
		err := read(ctx)
		if err == nil {
			return nil
		}
		switch status.Code(err) {
		case codes.Unavailable, codes.Internal, codes.Aborted, codes.ResourceExhausted:
		default:
			return ended(ctx, err)
		}
		if attempt == attempts || s.clock.Sleep(ctx, pause.Pause()) != nil {
			return ended(ctx, err)
		}
	}
}

// route adds the header by which Firestore finds the database.
func (s *Store) route(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "google-cloud-resource-prefix", s.database)
}

// ended adds the context's error, if it has one, to that of a call: gRPC's own does not match it.
func ended(ctx context.Context, err error) error {
	if ctxErr := ctx.Err(); ctxErr != nil {
		return fmt.Errorf("%w: %w", ctxErr, err)
	}
	return err
}

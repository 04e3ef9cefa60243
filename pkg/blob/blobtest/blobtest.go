// Package blobtest is the conformance suite of the blob contract: every implementation of blob.Store passes Run.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/arbridge/arbridge/pkg/blob"
)

// Run checks the contract against the empty store that open makes, anew for each test.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	tests := []struct {
		name string
		test func(t *testing.T, s blob.Store)
	}{
		{"round trip", testRoundTrip},
		{"neighbours", testNeighbours},
		{"exists", testExists},
		{"absent", testAbsent},
		{"delete", testDelete},
		{"too large", testTooLarge},
		{"failing reader", testFailingReader},
		{"ended context", testContext},
		{"names", testNames},
		{"concurrent creates", testConcurrentCreates},
		{"create and delete together", testCreateDelete},
		{"list", testList},
		{"list by pages", testListPages},
		{"list while objects come and go", testListChanging},
		{"list of nothing allowed", testListRefused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

// describe is the Info that an object must have.
func describe(name, contentType string, content []byte) blob.Info {
	sum := sha256.Sum256(content)
	return blob.Info{Name: name, Size: int64(len(content)), ContentType: contentType, SHA256: hex.EncodeToString(sum[:])}
}

// create stores an object that must be accepted.
func create(t *testing.T, s blob.Store, name string, content []byte) blob.Info {
	t.Helper()
	info, err := s.Create(t.Context(), name, "application/pdf", bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatalf("creating %s: %v", name, err)
	}
	return info
}

// read requires that an object has the content, and the same Info from Stat and Open.
func read(t *testing.T, s blob.Store, name string, content []byte, want blob.Info) {
	t.Helper()
	r, info, err := s.Open(t.Context(), name)
	if err != nil {
		t.Fatalf("opening %s: %v", name, err)
	}
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("closing %s: %v", name, err)
	}
	if !bytes.Equal(got, content) {
		t.Errorf("%s: content has %d bytes, want %d bytes that were stored", name, len(got), len(content))
	}
	if info != want {
		t.Errorf("opening %s: info = %+v, want %+v", name, info, want)
	}
	if info, err = s.Stat(t.Context(), name); err != nil || info != want {
		t.Errorf("describing %s: %+v, %v, want %+v", name, info, err, want)
	}
}

// absent requires that there is no object of the name.
func absent(t *testing.T, s blob.Store, name string) {
	t.Helper()
	if info, err := s.Stat(t.Context(), name); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("describing %s: %+v, %v, want ErrNotFound", name, info, err)
	}
	if r, _, err := s.Open(t.Context(), name); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("opening %s: %v, want ErrNotFound", name, err)
		if err == nil {
			_ = r.Close() // the test has failed
		}
	}
}

func testRoundTrip(t *testing.T, s blob.Store) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16) // above the chunks that clients send
	tests := []struct {
		name, contentType string
		content           []byte
	}{
		{"us/invoice/104233/D55102.pdf", "application/pdf", []byte("%PDF-1.7\n\x00\xff")},
		{"empty", "text/plain; charset=utf-8", []byte{}},
		{"big.bin", "application/octet-stream", big},
		{"Müller & Söhne (2)?#%41+=.pdf", "application/pdf", []byte("name")},
		{"..a/b../c.d/.e", "application/pdf", []byte("dots")},
	}
	for _, tt := range tests {
		want := describe(tt.name, tt.contentType, tt.content)
		// one byte at a time: a store must not rely on the sizes of reads
		var body io.Reader = bytes.NewReader(tt.content)
		if len(tt.content) < 100 {
			body = iotest.OneByteReader(body)
		}
		info, err := s.Create(t.Context(), tt.name, tt.contentType, body, int64(len(tt.content)))
		if err != nil || info != want {
			t.Errorf("creating %s: %+v, %v, want %+v", tt.name, info, err, want)
			continue
		}
		read(t, s, tt.name, tt.content, want)
	}
}

// testNeighbours stores names that could get into each other's way where names become paths.
func testNeighbours(t *testing.T, s blob.Store) {
	names := []string{"a", "a/b", "a/b/c", "a.blob", "a.blob/b", "a.blob~", "a.blob~/b", "a.json", "a/.info", "tmp/x", "objects/x"}
	for _, name := range names {
		create(t, s, name, []byte(name))
	}
	for _, name := range names {
		read(t, s, name, []byte(name), describe(name, "application/pdf", []byte(name)))
	}
	for i, name := range names {
		if err := s.Delete(t.Context(), name); err != nil {
			t.Fatalf("deleting %s: %v", name, err)
		}
		absent(t, s, name)
		for _, other := range names[i+1:] {
			if _, err := s.Stat(t.Context(), other); err != nil {
				t.Errorf("after deleting %s, describing %s: %v", name, other, err)
			}
		}
	}
}

func testExists(t *testing.T, s blob.Store) {
	want := create(t, s, "us/a.pdf", []byte("first"))
	for _, content := range []string{"second", "first"} {
		_, err := s.Create(t.Context(), "us/a.pdf", "text/plain", strings.NewReader(content), 100)
		if !errors.Is(err, blob.ErrExists) {
			t.Errorf("creating it again with %q: %v, want ErrExists", content, err)
		}
	}
	read(t, s, "us/a.pdf", []byte("first"), want)
}

func testAbsent(t *testing.T, s blob.Store) {
	absent(t, s, "nothing")
	absent(t, s, "no/thing.pdf")
	create(t, s, "folder/object.pdf", []byte("x"))
	absent(t, s, "folder")
	absent(t, s, "folder/object.pdf/more")
}

func testDelete(t *testing.T, s blob.Store) {
	create(t, s, "us/a.pdf", []byte("a"))
	other := create(t, s, "us/b.pdf", []byte("b"))
	for range 2 { // the second time it is absent, which is no error
		if err := s.Delete(t.Context(), "us/a.pdf"); err != nil {
			t.Fatalf("deleting: %v", err)
		}
		absent(t, s, "us/a.pdf")
	}
	if err := s.Delete(t.Context(), "never/was"); err != nil {
		t.Errorf("deleting what never was: %v", err)
	}
	read(t, s, "us/b.pdf", []byte("b"), other)
	create(t, s, "us/a.pdf", []byte("new"))
	read(t, s, "us/a.pdf", []byte("new"), describe("us/a.pdf", "application/pdf", []byte("new")))
}

func testTooLarge(t *testing.T, s blob.Store) {
	content := bytes.Repeat([]byte("x"), 5000)
	for _, limit := range []int64{0, 1, 4999} {
		_, err := s.Create(t.Context(), "us/a.pdf", "application/pdf", bytes.NewReader(content), limit)
		if !errors.Is(err, blob.ErrTooLarge) {
			t.Errorf("5000 bytes with limit %d: %v, want ErrTooLarge", limit, err)
		}
		absent(t, s, "us/a.pdf")
	}
	// an endless body ends at the limit
	if _, err := s.Create(t.Context(), "us/a.pdf", "application/pdf", endless{}, 100_000); !errors.Is(err, blob.ErrTooLarge) {
		t.Errorf("an endless body: %v, want ErrTooLarge", err)
	}
	create(t, s, "us/a.pdf", content)
	if _, err := s.Create(t.Context(), "us/none", "text/plain", strings.NewReader(""), 0); err != nil {
		t.Errorf("nothing with limit 0: %v", err)
	}
}

// endless is a body without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func testFailingReader(t *testing.T, s blob.Store) {
	broken := errors.New("test: connection reset")
	for _, before := range []int{0, 10, 1 << 20} {
		body := io.MultiReader(bytes.NewReader(make([]byte, before)), iotest.ErrReader(broken))
		_, err := s.Create(t.Context(), "us/a.pdf", "application/pdf", body, 10<<20)
		if !errors.Is(err, broken) {
			t.Errorf("a reader that fails after %d bytes: %v, want its error", before, err)
		}
		absent(t, s, "us/a.pdf")
	}
	create(t, s, "us/a.pdf", []byte("good"))
}

func testContext(t *testing.T, s blob.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	body := io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), readFunc(func([]byte) (int, error) {
		cancel()
		return 1, nil
	}), bytes.NewReader(make([]byte, 1<<20)))
	if _, err := s.Create(ctx, "us/a.pdf", "application/pdf", io.LimitReader(body, 3<<20), 10<<20); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ends during the body: %v, want context.Canceled", err)
	}
	absent(t, s, "us/a.pdf")
	if _, err := s.Stat(ctx, "us/a.pdf"); !errors.Is(err, context.Canceled) {
		t.Errorf("describing with an ended context: %v, want context.Canceled", err)
	}
	if _, _, err := s.Open(ctx, "us/a.pdf"); !errors.Is(err, context.Canceled) {
		t.Errorf("opening with an ended context: %v, want context.Canceled", err)
	}
	if err := s.Delete(ctx, "us/a.pdf"); !errors.Is(err, context.Canceled) {
		t.Errorf("deleting with an ended context: %v, want context.Canceled", err)
	}
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func testNames(t *testing.T, s blob.Store) {
	names := []string{"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a/../../b", "a\x00", "a\nb", "a\x7f", "a\xff"}
	for _, name := range names {
		if _, err := s.Create(t.Context(), name, "text/plain", strings.NewReader("x"), 10); !errors.Is(err, blob.ErrName) {
			t.Errorf("creating %q: %v, want ErrName", name, err)
		}
		if _, err := s.Stat(t.Context(), name); !errors.Is(err, blob.ErrName) {
			t.Errorf("describing %q: %v, want ErrName", name, err)
		}
		if _, _, err := s.Open(t.Context(), name); !errors.Is(err, blob.ErrName) {
			t.Errorf("opening %q: %v, want ErrName", name, err)
		}
		if err := s.Delete(t.Context(), name); !errors.Is(err, blob.ErrName) {
			t.Errorf("deleting %q: %v, want ErrName", name, err)
		}
	}
}

// testConcurrentCreates lets many create the same name: one wins, and its content is what is stored.
func testConcurrentCreates(t *testing.T, s blob.Store) {
	const n = 8
	infos, errs := make([]blob.Info, n), make([]error, n)
	content := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 1000+i) }
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			infos[i], errs[i] = s.Create(t.Context(), "us/a.pdf", "application/pdf", bytes.NewReader(content(i)), 5000)
		})
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Errorf("creates %d and %d both succeeded", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, blob.ErrExists):
			t.Errorf("create %d: %v, want ErrExists", i, err)
		}
	}
	if winner < 0 {
		t.Fatal("no create succeeded")
	}
	read(t, s, "us/a.pdf", content(winner), infos[winner])
}

// testCreateDelete creates and deletes objects of one folder at the same time.
func testCreateDelete(t *testing.T, s blob.Store) {
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			name := fmt.Sprintf("us/invoice/1/%d.pdf", i)
			for range 10 {
				if _, err := s.Create(t.Context(), name, "application/pdf", strings.NewReader("x"), 1); err != nil {
					t.Errorf("creating %s: %v", name, err)
				}
				if err := s.Delete(t.Context(), name); err != nil {
					t.Errorf("deleting %s: %v", name, err)
				}
			}
		})
	}
	wg.Wait()
}

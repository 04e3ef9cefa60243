package gcs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/storage"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"google.golang.org/api/option"

	"github.com/arbridge/arbridge/pkg/blob"
	"github.com/arbridge/arbridge/pkg/blob/blobtest"
	"github.com/arbridge/arbridge/pkg/blob/gcs"
)

const bucket = "arbridge-test"

// roundTrip is an http.RoundTripper made of its one method.
type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// serve starts an in-process server that has the bucket. Its client sends through transport first, if one is given.
func serve(t *testing.T, wrap func(http.RoundTripper) http.RoundTripper) (*fakestorage.Server, *gcs.Store) {
	t.Helper()
	srv, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	srv.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	transport := http.RoundTripper(roundTrip(func(r *http.Request) (*http.Response, error) {
		if err := r.Context().Err(); err != nil { // as a connection would
			return nil, err
		}
		return srv.HTTPClient().Transport.RoundTrip(r)
	}))
	if wrap != nil {
		transport = wrap(transport)
	}
	client, err := storage.NewClient(t.Context(), option.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("closing client: %v", err)
		}
	})
	return srv, gcs.New(client, bucket)
}

func TestConformance(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	blobtest.Run(t, func(t *testing.T) blob.Store {
		_, s := serve(t, nil)
		return s
	})
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("temporary files left over: %v, %v", left, err)
	}
}

func TestLargeObject(t *testing.T) {
	srv, s := serve(t, nil)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	content := bytes.Repeat([]byte("0123456789abcdef"), 20<<20/16) // above what is kept in memory and above one chunk
	info, err := s.Create(t.Context(), "us/big.pdf", "application/pdf", bytes.NewReader(content), 30<<20)
	if err != nil {
		t.Fatal(err)
	}
	r, again, err := s.Open(t.Context(), "us/big.pdf")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, content) || again != info {
		t.Errorf("read %d bytes with %+v, want what was stored with %+v", len(got), again, info)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("temporary files left over: %v, %v", left, err)
	}
	object, err := srv.GetObject(bucket, "us/big.pdf")
	if err != nil {
		t.Fatal(err)
	}
	if object.Metadata["sha256"] != info.SHA256 {
		t.Errorf("metadata = %v, want the sum %s", object.Metadata, info.SHA256)
	}
}

// TestUploadsAreConditional requires the precondition that keeps an existing object, and the checksum, on the wire.
func TestUploadsAreConditional(t *testing.T) {
	var uploads atomic.Int32
	_, s := serve(t, func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost {
				uploads.Add(1)
				if r.URL.Query().Get("ifGenerationMatch") != "0" {
					t.Errorf("upload without precondition: %s", r.URL)
				}
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return nil, err
				}
				if !bytes.Contains(body, []byte(`"crc32c"`)) {
					t.Errorf("upload without checksum: %s", body)
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
			}
			return next.RoundTrip(r)
		})
	})
	if _, err := s.Create(t.Context(), "a", "text/plain", strings.NewReader("content"), 10); err != nil {
		t.Fatal(err)
	}
	if uploads.Load() != 1 {
		t.Errorf("%d uploads, want 1", uploads.Load())
	}
}

// TestInterruptedUpload breaks off after the first chunk: nothing may be stored.
func TestInterruptedUpload(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var chunks atomic.Int32
	_, s := serve(t, func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Content-Range") != "" && chunks.Add(1) == 2 {
				cancel()
				return nil, context.Canceled
			}
			return next.RoundTrip(r)
		})
	})
	_, err := s.Create(ctx, "big", "application/pdf", bytes.NewReader(make([]byte, 20<<20)), 30<<20)
	if !errors.Is(err, context.Canceled) || chunks.Load() < 2 {
		t.Errorf("error = %v after %d chunks, want context.Canceled in the second", err, chunks.Load())
	}
	if _, err := s.Stat(t.Context(), "big"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("afterwards: %v, want ErrNotFound", err)
	}
}

func TestRefusals(t *testing.T) {
	_, s := serve(t, func(http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Request: r,
				Body: io.NopCloser(strings.NewReader(`{"error":{"code":403,"message":"denied"}}`))}, nil
		})
	})
	_, create := s.Create(t.Context(), "a", "text/plain", strings.NewReader("x"), 10)
	_, stat := s.Stat(t.Context(), "a")
	_, _, open := s.Open(t.Context(), "a")
	for doing, err := range map[string]error{"creating": create, "describing": stat, "opening": open, "deleting": s.Delete(t.Context(), "a")} {
		if err == nil || errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrExists) || !strings.Contains(err.Error(), doing) {
			t.Errorf("%s without permission: %v, want a plain error", doing, err)
		}
	}
}

func TestForeignObject(t *testing.T) {
	srv, s := serve(t, nil)
	srv.CreateObject(fakestorage.Object{
		ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: "by/hand.txt", ContentType: "text/plain"}, Content: []byte("x")})
	info, err := s.Stat(t.Context(), "by/hand.txt")
	if want := (blob.Info{Name: "by/hand.txt", Size: 1, ContentType: "text/plain"}); err != nil || info != want {
		t.Errorf("info = %+v, %v, want %+v", info, err, want)
	}
}

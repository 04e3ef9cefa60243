package blobtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/blob"
)

// listed are names in folders whose places in the order differ between names, parts of names and paths.
func listed() []string {
	names := []string{
		"us/a", "us/a/b", "us/a/b/c", "us/a-1/x", "us/a.blob", "us/a.blob/b", "us/a.blob~", "us/a.blob~/b", "us/a0", "us/A/b",
		"us/Müller & Söhne (2)?#%41+=.pdf", "us/invoice/104233/D1.pdf", "us/invoice/104233/D2.pdf", "us/invoice/2/D1.pdf",
	}
	slices.Sort(names)
	return names
}

// fill stores listed objects and some of other folders, in no order.
func fill(t *testing.T, s blob.Store) {
	t.Helper()
	names := append(listed(), "us-east/a", "us.pdf", "u/s", "usa/a", "ca/us/a")
	for i := range names {
		name := names[i*7%len(names)]
		create(t, s, name, []byte(name))
	}
}

func namesOf(list []blob.Listed) []string {
	var out []string
	for _, l := range list {
		out = append(out, l.Name)
	}
	return out
}

func list(t *testing.T, s blob.Store, folder, after string, limit int) []blob.Listed {
	t.Helper()
	got, err := s.List(t.Context(), folder, after, limit)
	if err != nil {
		t.Fatalf("listing %s behind %q: %v", folder, after, err)
	}
	return got
}

func testList(t *testing.T, s blob.Store) {
	if got := list(t, s, "us", "", 10); len(got) > 0 {
		t.Errorf("of an empty store: %v", got)
	}
	fill(t, s)
	got := list(t, s, "us", "", blob.MaxList)
	if diff := cmp.Diff(listed(), namesOf(got)); diff != "" {
		t.Errorf("objects below us (-want +got):\n%s", diff)
	}
	for _, l := range got {
		if off := time.Since(l.Created).Abs(); l.Size != int64(len(l.Name)) || off > time.Hour || l.Created.Location() != time.UTC {
			t.Errorf("%s has %d bytes and is of %s; want %d bytes stored just now, in UTC", l.Name, l.Size, l.Created, len(l.Name))
		}
	}
	for folder, want := range map[string][]string{
		"us/invoice": {"us/invoice/104233/D1.pdf", "us/invoice/104233/D2.pdf", "us/invoice/2/D1.pdf"},
		"us/a.blob":  {"us/a.blob/b"}, "us/a.blob~": {"us/a.blob~/b"}, "us-east": {"us-east/a"}, "us/a/b/c": nil, "us/inv": nil, "nothing": nil,
	} {
		if diff := cmp.Diff(want, namesOf(list(t, s, folder, "", 10))); diff != "" {
			t.Errorf("objects below %s (-want +got):\n%s", folder, diff)
		}
	}
}

// testListPages begins behind every name and behind names that are not there.
func testListPages(t *testing.T, s blob.Store) {
	fill(t, s)
	want := listed()
	for _, limit := range []int{1, 2, 5, len(want), len(want) + 1} {
		var got []string
		for after := ""; ; {
			page := namesOf(list(t, s, "us", after, limit))
			got = append(got, page...)
			if len(page) < limit {
				break
			}
			after = page[len(page)-1]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", limit, diff)
		}
	}
	for _, after := range []string{"us/a/", "us/a/b/b", "us/a.blob~/", "us/invoice/104233/D1", "us/0", "us/zz", "a", "us", "us/", "vs/a", "us/a/b/c/d"} {
		beyond := slices.DeleteFunc(listed(), func(name string) bool { return name <= after })
		if diff := cmp.Diff(beyond, namesOf(list(t, s, "us", after, 100)), cmp.Transformer("nil", func(l []string) string { return strings.Join(l, ", ") })); diff != "" {
			t.Errorf("behind %q (-want +got):\n%s", after, diff)
		}
	}
}

// testListChanging lists while objects beside those that stay are created and deleted.
func testListChanging(t *testing.T, s blob.Store) {
	for i := range 5 {
		create(t, s, fmt.Sprintf("us/%d/stays", i), []byte("x"))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			name := fmt.Sprintf("us/%d/goes/%d", i%5, i%3)
			if _, err := s.Create(t.Context(), name, "application/pdf", strings.NewReader("x"), 1); err != nil {
				t.Errorf("creating %s: %v", name, err)
			}
			if err := s.Delete(t.Context(), name); err != nil {
				t.Errorf("deleting %s: %v", name, err)
			}
		}
	})
	for range 20 {
		got := slices.DeleteFunc(namesOf(list(t, s, "us", "", 100)), func(name string) bool { return !strings.HasSuffix(name, "stays") })
		if len(got) != 5 {
			t.Errorf("of what stays are listed %v", got)
		}
	}
	close(stop)
	wg.Wait()
}

func testListRefused(t *testing.T, s blob.Store) {
	create(t, s, "us/a", []byte("x"))
	for _, folder := range []string{"", "/", "us/", "/us", "..", "us/../ca", "us//a"} {
		if got, err := s.List(t.Context(), folder, "", 10); !errors.Is(err, blob.ErrName) {
			t.Errorf("below %q: %v, %v, want ErrName", folder, got, err)
		}
	}
	for _, limit := range []int{-1, 0, blob.MaxList + 1} {
		if got, err := s.List(t.Context(), "us", "", limit); err == nil {
			t.Errorf("with limit %d: %v, want an error", limit, got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := s.List(ctx, "us", "", 10); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v, %v, want context.Canceled", got, err)
	}
}

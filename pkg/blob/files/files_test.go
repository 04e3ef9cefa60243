package files_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/blob"
	"github.com/arbridge/arbridge/pkg/blob/blobtest"
	"github.com/arbridge/arbridge/pkg/blob/files"
	"github.com/arbridge/arbridge/pkg/clock"
)

func open(t testing.TB, dir string) *files.Store {
	t.Helper()
	s, err := files.Open(dir, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store {
		dir := filepath.Join(t.TempDir(), "data", "blobs") // does not exist yet
		s := open(t, dir)
		t.Cleanup(func() { // whatever happened, nothing unfinished may stay
			if left := list(t, filepath.Join(dir, "tmp")); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
		return s
	})
}

// list is the files below dir.
func list(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func create(t *testing.T, s blob.Store, name, content string) {
	t.Helper()
	if _, err := s.Create(t.Context(), name, "application/pdf", strings.NewReader(content), 1<<20); err != nil {
		t.Fatal(err)
	}
}

func TestReopenKeepsObjectsAndCleansUp(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	create(t, first, "us/invoice/1/a.pdf", "content")
	want, err := first.Stat(t.Context(), "us/invoice/1/a.pdf")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tmp", "UNFINISHED"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	second := open(t, dir)
	if left := list(t, filepath.Join(dir, "tmp")); len(left) > 0 {
		t.Errorf("after a crash and opening again: %v is left over", left)
	}
	if got, err := second.Stat(t.Context(), "us/invoice/1/a.pdf"); err != nil || got != want {
		t.Errorf("after opening again: %+v, %v, want %+v", got, err, want)
	}
}

func TestFilesOnDisk(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	create(t, s, "us/invoice/1/a.pdf", "content")
	path := filepath.Join(dir, "objects", "us", "invoice", "1", "a.pdf.blob")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw[4096:], []byte("content")) { // the package comment promises it
		t.Errorf("content on disk = %q, want it after 4096 bytes", raw)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", st.Mode(), err)
	}
	if err := s.Delete(t.Context(), "us/invoice/1/a.pdf"); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "objects")); err != nil || len(entries) > 0 {
		t.Errorf("after the last object of a folder is gone: %v, %v, want no folder", entries, err)
	}
}

func TestNoWayOut(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	s := open(t, dir)
	create(t, s, "object.pdf", "content")
	victim := filepath.Join(outside, "victim.blob")
	if err := os.Rename(filepath.Join(dir, "objects", "object.pdf.blob"), victim); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "objects", "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(dir, "objects", "direct.blob")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link/victim", "direct"} {
		if _, err := s.Stat(t.Context(), name); err == nil {
			t.Errorf("%s: read outside of the folder", name)
		}
	}
	if _, err := s.Create(t.Context(), "link/new", "text/plain", strings.NewReader("x"), 1); err == nil {
		t.Error("created outside of the folder")
	}
	if err := s.Delete(t.Context(), "link/victim"); err == nil {
		t.Error("deleted outside of the folder")
	}
	if got := list(t, outside); len(got) != 1 || got[0] != victim {
		t.Errorf("outside are %v, want only %s", got, victim)
	}
}

func TestDamagedFiles(t *testing.T) {
	tests := []struct {
		name   string
		damage func(raw []byte) []byte
		want   string
	}{
		{"cut short", func(raw []byte) []byte { return raw[:len(raw)-1] }, "damaged"},
		{"grown", func(raw []byte) []byte { return append(raw, 'x') }, "damaged"},
		{"no header", func([]byte) []byte { return []byte("short") }, "reading header"},
		{"other file", func([]byte) []byte { return make([]byte, 5000) }, "not written by this store"},
		{"header not JSON", func(raw []byte) []byte { raw[16] = 'x'; return raw }, "reading header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			create(t, s, "a", "content")
			path := filepath.Join(dir, "objects", "a.blob")
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, tt.damage(raw), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Open(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, blob.ErrNotFound) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
			if err := s.Delete(t.Context(), "a"); err != nil {
				t.Errorf("deleting it: %v", err)
			}
			create(t, s, "a", "content")
		})
	}
}

// TestListOfWhatIsThere: time and size are those of files, a damaged object is listed, and what others put there is not.
func TestListOfWhatIsThere(t *testing.T) {
	dir, clk := t.TempDir(), clock.NewMovable(time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC))
	s, err := files.Open(dir, clk)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	create(t, s, "us/1/a.pdf", "content")
	clk.Advance(48 * time.Hour)
	create(t, s, "us/2/a.pdf", "content")
	below := filepath.Join(dir, "objects", "us")
	if err := errors.Join(os.Truncate(filepath.Join(below, "1", "a.pdf.blob"), 10), os.WriteFile(filepath.Join(below, "note.txt"), nil, 0o600),
		os.Mkdir(filepath.Join(below, "odd.blob"), 0o700), os.Symlink(dir, filepath.Join(below, "link")),
		os.Symlink(filepath.Join(below, "note.txt"), filepath.Join(below, "link.blob")),
		os.Chtimes(filepath.Join(below, "1", "a.pdf.blob"), time.Time{}, clk.Now().Add(-48*time.Hour))); err != nil {
		t.Fatal(err)
	}
	got, err := s.List(t.Context(), "us", "", 10)
	if err != nil || len(got) != 2 || got[0].Name != "us/1/a.pdf" || got[1].Name != "us/2/a.pdf" || got[0].Size != 0 || got[1].Size != 7 {
		t.Fatalf("listed %+v, %v", got, err)
	}
	if age := clk.Now().Sub(got[1].Created); age < 0 || age > time.Hour {
		t.Errorf("stored at %s of the store's clock, listed as of %s", clk.Now(), got[1].Created)
	}
}

func TestLongContentType(t *testing.T) {
	s := open(t, t.TempDir())
	if _, err := s.Create(t.Context(), "a", strings.Repeat("x", 5000), strings.NewReader(""), 1); err == nil {
		t.Error("a content type that does not fit was accepted")
	}
	if _, err := s.Stat(t.Context(), "a"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("afterwards: %v, want ErrNotFound", err)
	}
}

func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := files.Open(dir, clock.System{}); err == nil {
			t.Errorf("opened %s, which is not a folder", dir)
		}
	}
}

func BenchmarkCreate30KB(b *testing.B) {
	s := open(b, b.TempDir())
	content := bytes.Repeat([]byte("x"), 30<<10)
	n := 0
	for b.Loop() {
		n++
		name := fmt.Sprintf("us/invoice/%d/a.pdf", n)
		if _, err := s.Create(b.Context(), name, "application/pdf", bytes.NewReader(content), 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

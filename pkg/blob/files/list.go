package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/arbridge/arbridge/pkg/blob"
	"github.com/arbridge/arbridge/pkg/blob/internal/intake"
)

// List implements blob.Store. It reads names and sizes only, so that damaged files are listed. What is neither a folder nor
// an ordinary file with the extension was put there by hand and is passed over.
func (s *Store) List(ctx context.Context, folder, after string, limit int) ([]blob.Listed, error) {
	if err := intake.List(folder, limit); err != nil {
		return nil, err
	}
	l := lister{store: s, after: after, limit: limit}
	if err := l.walk(ctx, folder+"/", strings.TrimSuffix(location(folder+"/x"), "/x"+extension)); err != nil {
		return nil, fmt.Errorf("listing objects below %q: %w", folder, err)
	}
	return l.found, nil
}

// lister collects one list.
type lister struct {
	store *Store
	after string
	limit int
	found []blob.Listed
}

// entry is an object, or a folder of objects whose name ends in a slash.
type entry struct {
	name string
	file fs.DirEntry
}

// walk lists the objects whose names begin with prefix, which are in dir. A folder sorts by its name and the slash behind
// it, which is where its objects stand among those beside it.
func (l *lister) walk(ctx context.Context, prefix, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := l.store.entries(prefix, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch {
		case len(l.found) == l.limit:
			return nil
		case strings.HasPrefix(l.after, e.name) && e.file.IsDir():
		case e.name <= l.after:
			continue
		}
		if e.file.IsDir() {
			err = l.walk(ctx, e.name, dir+"/"+e.file.Name())
		} else {
			err = l.add(e)
		}
		if err != nil && !missing(err) { // removed since the folder was read
			return err
		}
	}
	return nil
}

func (l *lister) add(e entry) error {
	st, err := e.file.Info()
	if err != nil {
		return err
	}
	l.found = append(l.found, blob.Listed{Name: e.name, Size: max(0, st.Size()-headerSize), Created: st.ModTime().UTC()})
	return nil
}

// entries reads a folder in the order of names; one that is not there is empty.
func (s *Store) entries(prefix, dir string) ([]entry, error) {
	d, err := s.root.Open(dir)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := d.ReadDir(-1)
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	var out []entry
	for _, file := range list {
		name, isFile := strings.CutSuffix(file.Name(), extension)
		switch {
		case file.IsDir() && !isFile:
			out = append(out, entry{prefix + folderName(name) + "/", file})
		case file.Type().IsRegular() && isFile:
			out = append(out, entry{prefix + name, file})
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// folderName is the part of an object's name that a folder stands for; see location.
func folderName(dir string) string {
	if strings.HasSuffix(strings.TrimRight(dir, "~"), extension) {
		return strings.TrimSuffix(dir, "~")
	}
	return dir
}

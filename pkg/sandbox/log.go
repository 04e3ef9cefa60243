package sandbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
)

// Change is one object of a commit: its new content, or its removal when Data is nil.
type Change struct {
	Kind string
	ID   string
	Data any
}

type line struct {
	Kind string          `json:"k"`
	ID   string          `json:"i"`
	Data json.RawMessage `json:"d,omitempty"`
}

// Log keeps a sandbox's objects on disk: every commit appends one line holding all its changes, so that a killed process
// has either all of a commit or none of it. It is not meant to survive a power cut. Use Open.
type Log struct {
	mu   sync.Mutex
	file *os.File // nil: memory only
	size int64    // bytes of whole lines
}

// Open opens or creates the log at path and calls load for every object in it, in the order of their last change. An
// empty path gives a log that keeps nothing. A torn last line, left by a kill, is dropped. The file is rewritten when
// less than half of it is still current.
func Open(path string, load func(kind, id string, data json.RawMessage) error) (*Log, error) {
	if path == "" {
		return &Log{}, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("opening sandbox state: %w", err)
	}
	objects, lines, whole, err := replay(raw)
	if err != nil {
		return nil, fmt.Errorf("reading sandbox state %s: %w", path, err)
	}
	for _, o := range objects {
		if err := load(o.Kind, o.ID, o.Data); err != nil {
			return nil, fmt.Errorf("reading sandbox state %s: %s %s: %w", path, o.Kind, o.ID, err)
		}
	}
	if lines > 2*len(objects)+1000 {
		if whole, err = compact(path, objects); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening sandbox state: %w", err)
	}
	if err := file.Truncate(whole); err != nil {
		return nil, errors.Join(fmt.Errorf("opening sandbox state: %w", err), file.Close())
	}
	return &Log{file: file, size: whole}, nil
}

// replay returns the current objects, the number of changes read and the length of the whole lines.
func replay(raw []byte) ([]line, int, int64, error) {
	latest := map[[2]string]int{}
	var all []line
	var whole int64
	for len(raw) > 0 {
		end := bytes.IndexByte(raw, '\n')
		if end < 0 {
			break
		}
		var changes []line
		if err := json.Unmarshal(raw[:end], &changes); err != nil {
			return nil, 0, 0, fmt.Errorf("byte %d: %w", whole, err)
		}
		for _, c := range changes {
			latest[[2]string{c.Kind, c.ID}] = len(all)
			all = append(all, c)
		}
		whole += int64(end) + 1
		raw = raw[end+1:]
	}
	var objects []line
	for i, c := range all {
		if latest[[2]string{c.Kind, c.ID}] == i && c.Data != nil {
			objects = append(objects, c)
		}
	}
	return objects, len(all), whole, nil
}

func compact(path string, objects []line) (int64, error) {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	for _, o := range objects {
		text, err := json.Marshal([]line{o})
		if err != nil {
			return 0, fmt.Errorf("rewriting sandbox state: %w", err)
		}
		_, _ = w.Write(append(text, '\n')) // a bytes.Buffer takes everything
	}
	_ = w.Flush()
	next := path + ".next"
	if err := os.WriteFile(next, b.Bytes(), 0o600); err != nil {
		return 0, fmt.Errorf("rewriting sandbox state: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return 0, fmt.Errorf("rewriting sandbox state: %w", err)
	}
	return int64(b.Len()), nil
}

// Commit appends the changes as one line; when it returns they survive a kill of the process.
func (l *Log) Commit(changes ...Change) error {
	if l.file == nil || len(changes) == 0 {
		return nil
	}
	lines := make([]line, len(changes))
	for i, c := range changes {
		lines[i] = line{Kind: c.Kind, ID: c.ID}
		if c.Data == nil {
			continue
		}
		data, err := json.Marshal(c.Data)
		if err != nil {
			return fmt.Errorf("sandbox state: %s %s: %w", c.Kind, c.ID, err)
		}
		lines[i].Data = data
	}
	text, err := json.Marshal(lines)
	if err != nil {
		return fmt.Errorf("sandbox state: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	text = append(text, '\n')
	if _, err := l.file.WriteAt(text, l.size); err != nil {
		// A part of the line may be there; the next commit overwrites it, and Truncate keeps a longer part from staying.
		return errors.Join(fmt.Errorf("sandbox state: %w", err), l.file.Truncate(l.size))
	}
	l.size += int64(len(text))
	return nil
}

// Close closes the file.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

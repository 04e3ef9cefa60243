// Package intake is what all blob stores do with what they are given: they check names and limit bodies.
package intake

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/arbridge/arbridge/pkg/blob"
)

const (
	// maxName is the longest name in bytes, the limit of Google Cloud Storage.
	maxName = 1024
	// maxPart is the longest part between slashes in bytes; file systems allow 255, of which files uses a few.
	maxPart = 240
)

// Name returns nil for a name that every store takes, and otherwise blob.ErrName with the reason.
func Name(name string) error {
	reason := ""
	switch {
	case name == "":
		reason = "it is empty"
	case len(name) > maxName:
		reason = fmt.Sprintf("it has %d bytes, above the limit of %d", len(name), maxName)
	case !utf8.ValidString(name):
		reason = "it is not UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		reason = "it has a control character"
	case strings.Contains(name, `\`):
		reason = "it has a backslash"
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case reason != "":
		case part == "":
			reason = "it has an empty part; leave out the slash at the start or end and double slashes"
		case part == "." || part == "..":
			reason = fmt.Sprintf("it has the part %q", part)
		case len(part) > maxPart:
			reason = fmt.Sprintf("it has a part of %d bytes, above the limit of %d", len(part), maxPart)
		}
	}
	if reason == "" {
		return nil
	}
	return fmt.Errorf("object %.100q: %s: %w", name, reason, blob.ErrName)
}

// List checks what a list is asked for, with the error of Name for a folder that no object can be below.
func List(folder string, limit int) error {
	if err := Name(folder); err != nil {
		return err
	}
	if limit < 1 || limit > blob.MaxList {
		return fmt.Errorf("listing %q: limit %d is not in 1..%d", folder, limit, blob.MaxList)
	}
	return nil
}

// readFunc is an io.Reader made of its one method.
type readFunc func(p []byte) (int, error)

// Read implements io.Reader.
func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// Body reads r until it ends, but fails with blob.ErrTooLarge after limit bytes and with the error of ctx once that has
// ended.
func Body(ctx context.Context, r io.Reader, limit int64) io.Reader {
	left := max(limit, 0)
	return readFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if int64(len(p))-1 > left { // one more, to see whether there is more
			p = p[:left+1]
		}
		n, err := r.Read(p)
		if int64(n) > left {
			return 0, blob.ErrTooLarge
		}
		left -= int64(n)
		return n, err
	})
}

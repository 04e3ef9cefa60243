// Package local is the source of secrets for one machine: environment variables, and files that only their owner can
// read.
//
// The secret "invoiced-us-api-key" is the environment variable ARBRIDGE_SECRET_INVOICED_US_API_KEY, else the file
// invoiced-us-api-key in the folder of secrets. During a rotation the file invoiced-us-api-key.previous holds the
// version before. Files are read at each Get, so that a change needs no restart.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/arbridge/arbridge/pkg/secret"
	"github.com/arbridge/arbridge/pkg/secret/internal/ident"
)

const (
	envPrefix      = "ARBRIDGE_SECRET_"
	previousSuffix = ".previous"
	// maxSize is the largest secret in bytes, the limit of Secret Manager.
	maxSize = 64 << 10
)

// Options of a Source.
type Options struct {
	// Env looks up an environment variable, like os.LookupEnv; none are looked at when nil.
	Env func(name string) (string, bool)
	// Dir is the folder of secrets; none are looked at when empty.
	Dir string
}

// Source is a secret.Source. Make one with New; it is safe for concurrent use.
type Source struct {
	opts Options
}

var _ secret.Source = (*Source)(nil)

// New makes a source. The folder need not exist.
func New(opts Options) *Source {
	if opts.Env == nil {
		opts.Env = func(string) (string, bool) { return "", false }
	}
	return &Source{opts}
}

// Get implements secret.Source. One newline at the end of a value is not part of it. An empty variable counts as unset.
// A file that its group or others can access is an error that says how to close it.
func (s *Source) Get(ctx context.Context, name string) ([]secret.Value, error) {
	if err := ident.Check(name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading secret %s: %w", name, err)
	}
	variable := Variable(name)
	text, _ := s.opts.Env(variable)
	text = trim(text)
	var err error
	if text == "" {
		text, err = s.read(name)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("secret %s is neither in the environment variable %s nor in the file %s: %w",
			name, variable, s.place(name), secret.ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("reading secret %s: %w", name, err)
	}
	values := []secret.Value{secret.NewValue(text)}
	switch text, err = s.read(name + previousSuffix); {
	case err == nil:
		values = append(values, secret.NewValue(text))
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading previous version of secret %s: %w", name, err)
	}
	return values, nil
}

// place is where the file of a secret would be, for messages.
func (s *Source) place(name string) string {
	if s.opts.Dir == "" {
		return name + " (no folder of secrets is configured)"
	}
	return filepath.Join(s.opts.Dir, name)
}

// read reads one file; fs.ErrNotExist when there is none. The checks are made on the open file, so that it can not be exchanged in between.
func (s *Source) read(file string) (text string, err error) {
	if s.opts.Dir == "" {
		return "", fs.ErrNotExist
	}
	path := filepath.Join(s.opts.Dir, file)
	st, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() { // before opening, because opening a pipe would wait
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if st, err = f.Stat(); err != nil {
		return "", err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s has mode %04o and can be accessed by others; run: chmod 600 %s", path, st.Mode().Perm(), path)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return "", err
	}
	text = trim(string(content))
	switch {
	case len(content) > maxSize:
		return "", fmt.Errorf("%s has more than %d bytes", path, maxSize)
	case text == "":
		return "", fmt.Errorf("%s is empty; write the secret into it or remove it", path)
	}
	return text, nil
}

// Variable is the name of the environment variable of a secret.
func Variable(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// trim takes off the newline that editors and echo put at the end.
func trim(text string) string {
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
}

//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
)

// fileLock is not available on this system.
type fileLock struct{}

// acquire refuses, because without a lock two processes could use one file.
func acquire(path string) (*fileLock, error) {
	return nil, fmt.Errorf("locking data folder %s: the embedded store does not run on %s: %w",
		filepath.Dir(path), runtime.GOOS, errors.ErrUnsupported)
}

func (l *fileLock) release() error { return nil }

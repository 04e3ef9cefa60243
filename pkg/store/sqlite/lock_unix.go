//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// fileLock is a lock that ends with the process, however it ends. It is on a file of its own, because closing any
// descriptor of the database would drop SQLite's locks.
type fileLock struct{ file *os.File }

// acquire takes the lock or says who holds it.
func acquire(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of data folder %s: %w", filepath.Dir(path), err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := ""
		if pid, readErr := os.ReadFile(path); readErr == nil && len(pid) > 0 {
			holder = " (process " + strings.TrimSpace(string(pid)) + ")"
		}
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("data folder %s %w%s: stop it or choose another folder", filepath.Dir(path), ErrInUse, holder)
		} else {
			err = fmt.Errorf("locking data folder %s: %w", filepath.Dir(path), err)
		}
		return nil, errors.Join(err, f.Close())
	}
	// The process id is for the message above; the lock does not depend on it.
	if err := errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintln(os.Getpid()))); err != nil {
		return nil, errors.Join(fmt.Errorf("writing %s: %w", path, err), f.Close())
	}
	return &fileLock{file: f}, nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// release lets others have the lock. The file stays: removing it would let two processes lock two files of one name.
func (l *fileLock) release() error { return l.file.Close() }

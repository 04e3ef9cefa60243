package gcs

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// memoryLimit is how much of a body is kept in memory before it goes to a temporary file.
const memoryLimit = 4 << 20

// spool is a body that was read, with its sums.
type spool struct {
	size int64
	sum  []byte // SHA-256
	crc  uint32 // CRC-32C
	head bytes.Buffer
	rest *os.File // what does not fit into head; nil if nothing
}

// readAll reads a body to its end.
func readAll(body io.Reader) (*spool, error) {
	s := &spool{}
	sum, crc := sha256.New(), crc32.New(crc32.MakeTable(crc32.Castagnoli))
	body = io.TeeReader(body, io.MultiWriter(sum, crc))
	n, err := io.CopyN(&s.head, body, memoryLimit)
	s.size = n
	if errors.Is(err, io.EOF) {
		err = nil
	} else if err == nil {
		err = s.spill(body)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.sum, s.crc = sum.Sum(nil), crc.Sum32()
	return s, nil
}

// spill reads the rest of a body into a temporary file.
func (s *spool) spill(body io.Reader) error {
	f, err := os.CreateTemp("", "arbridge-upload-*")
	if err != nil {
		return fmt.Errorf("making room for a large object: %w", err)
	}
	s.rest = f
	n, err := io.Copy(f, body)
	s.size += n
	return err
}

// reader reads the body from its start.
func (s *spool) reader() (io.Reader, error) {
	head := bytes.NewReader(s.head.Bytes())
	if s.rest == nil {
		return head, nil
	}
	if _, err := s.rest.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading the temporary file: %w", err)
	}
	return io.MultiReader(head, s.rest), nil
}

// close removes the temporary file.
func (s *spool) close() error {
	if s.rest == nil {
		return nil
	}
	return errors.Join(s.rest.Close(), os.Remove(s.rest.Name()))
}

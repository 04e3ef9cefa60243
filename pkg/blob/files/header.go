package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/arbridge/arbridge/pkg/blob"
	"github.com/arbridge/arbridge/pkg/blob/internal/intake"
)

const (
	headerSize = 4096
	headerMark = "arbridge blob 1\n"
)

// header is the description of an object in its file.
type header struct {
	Size        int64  `json:"size"` // bytes of content, without the header
	SHA256      string `json:"sha256"`
	ContentType string `json:"content_type"`
}

// write writes content and header and syncs the file. The header comes last, once it is known; nobody sees the file
// before it has its name.
func write(ctx context.Context, f *os.File, info blob.Info, body io.Reader, limit int64) (blob.Info, error) {
	if _, err := f.Seek(headerSize, io.SeekStart); err != nil {
		return blob.Info{}, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), intake.Body(ctx, body, limit))
	if err != nil {
		return blob.Info{}, err
	}
	info.Size, info.SHA256 = n, hex.EncodeToString(sum.Sum(nil))
	line, err := json.Marshal(header{Size: info.Size, SHA256: info.SHA256, ContentType: info.ContentType})
	if err != nil {
		return blob.Info{}, fmt.Errorf("encoding header: %w", err)
	}
	block := bytes.Repeat([]byte(" "), headerSize)
	if len(headerMark)+len(line)+1 > headerSize {
		return blob.Info{}, fmt.Errorf("content type has %d bytes, above the limit", len(info.ContentType))
	}
	copy(block[copy(block, headerMark):], line)
	block[headerSize-1] = '\n'
	if _, err := f.WriteAt(block, 0); err != nil {
		return blob.Info{}, err
	}
	return info, f.Sync()
}

// readHeader reads the description, checks the size of the file against it and leaves the file at the content.
func readHeader(f *os.File) (blob.Info, error) {
	block := make([]byte, headerSize)
	if _, err := io.ReadFull(f, block); err != nil {
		return blob.Info{}, fmt.Errorf("reading header: %w", err)
	}
	line, ok := bytes.CutPrefix(block, []byte(headerMark))
	if !ok {
		return blob.Info{}, errors.New("reading header: the file was not written by this store; remove it")
	}
	var h header
	if err := json.Unmarshal(line, &h); err != nil {
		return blob.Info{}, fmt.Errorf("reading header: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		return blob.Info{}, err
	}
	if st.Size() != headerSize+h.Size {
		return blob.Info{}, fmt.Errorf("file has %d bytes of content, its header says %d: it is damaged", st.Size()-headerSize, h.Size)
	}
	return blob.Info{Size: h.Size, SHA256: h.SHA256, ContentType: h.ContentType}, nil
}

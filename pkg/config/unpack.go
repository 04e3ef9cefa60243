package config

import (
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
)

// packed is how base64 of gzip begins (RFC 1952 2.3): its magic number and method. No configuration in YAML begins so.
const packed = "H4sI"

// Unpack is the configuration that EnvVar holds: YAML as it is, or compressed with gzip and written in base64, because an
// environment variable is short and mappings are long. The error never repeats the text. At most one byte more than Parse
// takes is unpacked.
func Unpack(text string) ([]byte, error) {
	if !strings.HasPrefix(text, packed) {
		return []byte(text), nil
	}
	r, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
	if err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	return data, nil
}

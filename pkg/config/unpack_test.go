package config

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"os"
	"strings"
	"testing"
)

func pack(t *testing.T, text []byte) string {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func TestLoadCompressed(t *testing.T) {
	text, err := os.ReadFile("../../terraform/modules/config/tests/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvVar, pack(t, text))
	cfg, err := Load("")
	if err != nil || len(cfg.Companies) != 2 || len(cfg.Problems) > 0 {
		t.Fatalf("%+v, %v", cfg, err)
	}
	same, err := Unpack(string(text))
	if err != nil || !bytes.Equal(same, text) {
		t.Errorf("plain text is changed: %v", err)
	}
}

// TestCompressedIsBounded: a short text can not become more than Parse would refuse.
func TestCompressedIsBounded(t *testing.T) {
	data, err := Unpack(pack(t, bytes.Repeat([]byte("#"), 4<<20)))
	if err != nil || len(data) != maxSize+1 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

func TestBrokenCompressed(t *testing.T) {
	good := pack(t, []byte("companies: [{id: us, name: s3cret}]"))
	flipped := []byte(good)
	flipped[len(flipped)-8] ^= 1
	for name, text := range map[string]string{"prefix only": packed, "cut off": good[:len(good)-12], "no base64": packed + "!!!!", "another sum": string(flipped)} {
		t.Setenv(EnvVar, text)
		_, err := Load("")
		if err == nil || !strings.Contains(err.Error(), EnvVar) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunWritesAllFiles(t *testing.T) {
	root := t.TempDir()
	if err := run([]string{"-root", root}, io.Discard); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"infra/docs/settings.md": "# Settings\n", "infra/docs/settings.schema.json": "{\n", "terraform/modules/config/variables.tf": "# Written by ",
	} {
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil || !strings.HasPrefix(string(data), want) {
			t.Errorf("%s: %v, begins with %.20q", name, err, data)
		}
	}
}

func TestRunReportsWhatItCanNotWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"-root", file}, io.Discard); err == nil || !strings.Contains(err.Error(), "writing ") {
		t.Errorf("got %v", err)
	}
	if err := run([]string{"-unknown"}, io.Discard); err == nil {
		t.Error("an unknown flag was accepted")
	}
}

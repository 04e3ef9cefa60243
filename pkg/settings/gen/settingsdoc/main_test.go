package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunWritesBothFiles(t *testing.T) {
	root := t.TempDir()
	if err := run([]string{"-root", root}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"settings.md": "# Settings\n", "settings.schema.json": "{\n"} {
		data, err := os.ReadFile(filepath.Join(root, "infra", "docs", name))
		if err != nil || !strings.HasPrefix(string(data), want) {
			t.Errorf("%s: %v, begins with %.20q", name, err, data)
		}
	}
}

func TestRunPrintsTerraform(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"-terraform"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `variable "company_settings" {`) {
		t.Errorf("printed %.80q", out.String())
	}
}

func TestRunReportsWhatItCanNotWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"-root", file}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "writing infra/docs/") {
		t.Errorf("got %v", err)
	}
	if err := run([]string{"-unknown"}, io.Discard, io.Discard); err == nil {
		t.Error("an unknown flag was accepted")
	}
}

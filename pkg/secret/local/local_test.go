package local_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/arbridge/arbridge/pkg/secret"
	"github.com/arbridge/arbridge/pkg/secret/local"
	"github.com/arbridge/arbridge/pkg/secret/secrettest"
)

// write writes a file with a mode, whatever the umask is.
func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestConformanceFiles(t *testing.T) {
	secrettest.Run(t, func(t *testing.T) secrettest.Harness {
		dir := t.TempDir()
		return secrettest.Harness{
			Source: local.New(local.Options{Env: os.LookupEnv, Dir: dir}), MaxVersions: 2,
			Set: func(t *testing.T, name string, values ...string) {
				for i, path := range []string{filepath.Join(dir, name), filepath.Join(dir, name+".previous")} {
					if i < len(values) {
						write(t, path, values[i]+"\n", 0o600)
					} else if err := os.RemoveAll(path); err != nil {
						t.Fatal(err)
					}
				}
			},
		}
	})
}

func TestConformanceEnvironment(t *testing.T) {
	secrettest.Run(t, func(*testing.T) secrettest.Harness {
		var env sync.Map
		lookup := func(name string) (string, bool) {
			v, ok := env.Load(name)
			text, _ := v.(string)
			return text, ok
		}
		return secrettest.Harness{
			Source: local.New(local.Options{Env: lookup}), MaxVersions: 1,
			Set: func(_ *testing.T, name string, values ...string) {
				env.Delete(local.Variable(name))
				for _, v := range values {
					env.Store(local.Variable(name), v)
				}
			},
		}
	})
}

func TestGet(t *testing.T) {
	dir := t.TempDir()
	env := map[string]string{
		"ARBRIDGE_SECRET_INVOICED_US_API_KEY": "from environment\n", "ARBRIDGE_SECRET_EMPTY": "", "ARBRIDGE_SECRET_NEWLINE": "\n",
	}
	write(t, filepath.Join(dir, "invoiced-us-api-key"), "from file", 0o600)
	write(t, filepath.Join(dir, "invoiced-us-api-key.previous"), "before", 0o600)
	write(t, filepath.Join(dir, "empty"), "from file", 0o400)
	write(t, filepath.Join(dir, "windows"), "value\r\n", 0o600)
	write(t, filepath.Join(dir, "two-newlines"), "value\n\n", 0o600)
	write(t, filepath.Join(dir, "open"), "hidden-text", 0o640)
	write(t, filepath.Join(dir, "wide"), "hidden-text", 0o604)
	write(t, filepath.Join(dir, "blank"), "\n", 0o600)
	write(t, filepath.Join(dir, "huge"), strings.Repeat("x", 64<<10+1), 0o600)
	write(t, filepath.Join(dir, "old-open"), "value", 0o600)
	write(t, filepath.Join(dir, "old-open.previous"), "hidden-text", 0o644)
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := local.New(local.Options{Dir: dir, Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	tests := []struct {
		name string
		want string // the values, separated by |
		err  string // part of the error
	}{
		{"invoiced-us-api-key", "from environment|before", ""},
		{"empty", "from file", ""},
		{"windows", "value", ""},
		{"two-newlines", "value\n", ""},
		{"newline", "", "ARBRIDGE_SECRET_NEWLINE"},
		{"absent", "", filepath.Join(dir, "absent")},
		{"open", "", "chmod 600 " + filepath.Join(dir, "open")},
		{"wide", "", "chmod 600 " + filepath.Join(dir, "wide")},
		{"old-open", "", "chmod 600 " + filepath.Join(dir, "old-open.previous")},
		{"blank", "", "is empty"},
		{"huge", "", "more than 65536 bytes"},
		{"folder", "", "not a regular file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			values, err := s.Get(t.Context(), tt.name)
			var texts []string
			for _, v := range values {
				texts = append(texts, v.Reveal())
			}
			if got := strings.Join(texts, "|"); got != tt.want {
				t.Errorf("values = %q, want %q", got, tt.want)
			}
			switch {
			case tt.err == "" && err != nil, tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("error = %v, want %q", err, tt.err)
			case err != nil && strings.Contains(err.Error(), "hidden-text"):
				t.Errorf("error = %v shows the secret", err)
			}
		})
	}
}

func TestWithoutPlaces(t *testing.T) {
	_, err := local.New(local.Options{}).Get(t.Context(), "key")
	if !errors.Is(err, secret.ErrNotFound) || !strings.Contains(err.Error(), "no folder of secrets is configured") {
		t.Errorf("error = %v, want ErrNotFound that says that no folder is configured", err)
	}
}

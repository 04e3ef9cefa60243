package archtest

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTree holds the whole module to every rule.
func TestTree(t *testing.T) {
	tree, err := Load(moduleRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	if tree.find("pkg/archtest") == nil || tree.find("pkg/money") == nil {
		t.Fatal("the tree was not read")
	}
	for _, v := range Check(tree, exceptions()) {
		t.Error(v)
	}
}

// moduleRoot is the nearest folder above with a go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
	}
}

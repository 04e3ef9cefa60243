package invoiced

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/arbridge/arbridge/pkg/secret"
)

func sign(body, key string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

func values(texts ...string) []secret.Value {
	var out []secret.Value
	for _, s := range texts {
		out = append(out, secret.NewValue(s))
	}
	return out
}

func TestVerify(t *testing.T) {
	const body = `{"id":1,"type":"invoice.paid"}` + "\n"
	good := sign(body, "new")
	for _, c := range []struct {
		name, body, signature string
		secrets               []secret.Value
		index                 int
		err                   error
	}{
		{"newest", body, good, values("new", "old"), 0, nil},
		{"older one", body, sign(body, "old"), values("new", "old"), 1, nil},
		{"upper case", body, strings.ToUpper(good), values("new"), 0, nil},
		{"prefix", body, "sha256=" + good, values("new"), 0, nil},
		{"prefix in another case", body, "SHA256=" + good, values("new"), 0, nil},
		{"blanks around", body, " " + good + "\n", values("new"), 0, nil},
		{"secret with a line end", body, good, values("new\n"), 0, nil},
		{"first of two equal", body, good, values("x", "new", "new"), 1, nil},
		{"empty body", "", sign("", "new"), values("new"), 0, nil},
		{"another secret", body, sign(body, "other"), values("new", "old"), -1, ErrSignature},
		{"a byte more", body + " ", good, values("new"), -1, ErrSignature},
		{"none", body, "", values("new"), -1, ErrSignature},
		{"only the prefix", body, "sha256=", values("new"), -1, ErrSignature},
		{"cut off", body, good[:62], values("new"), -1, ErrSignature},
		{"too long", body, good + "00", values("new"), -1, ErrSignature},
		{"not hex", body, strings.Repeat("zz", 32), values("new"), -1, ErrSignature},
		{"all zeros", body, strings.Repeat("00", 32), values("new"), -1, ErrSignature},
		{"another prefix", body, "sha1=" + good, values("new"), -1, ErrSignature},
		{"no secrets", body, good, nil, -1, ErrNoSecret},
		{"an empty secret signs nothing", body, sign(body, ""), values("", " "), -1, ErrNoSecret},
		{"an empty secret beside a good one", body, sign(body, ""), values("", "new"), -1, ErrSignature},
	} {
		index, err := Verify([]byte(c.body), c.signature, c.secrets)
		if index != c.index || !errors.Is(err, c.err) || (c.err == nil) != (err == nil) {
			t.Errorf("%s: %d, %v; want %d, %v", c.name, index, err, c.index, c.err)
		}
	}
}

// TestVerifyWhateverTheOrder: while a secret is changed both are good, in either order and beside unusable ones; what
// neither signed is refused in every order.
func TestVerifyWhateverTheOrder(t *testing.T) {
	const body = `{"id":1}`
	for _, order := range [][]string{{"new", "old"}, {"old", "new"}, {"", "new", "old"}, {"new", " ", "old"}, {"old", "new", ""}} {
		for _, signer := range []string{"new", "old"} {
			index, err := Verify([]byte(body), sign(body, signer), values(order...))
			if err != nil || order[index] != signer {
				t.Errorf("%q under %q: %d, %v", order, signer, index, err)
			}
		}
		for _, forged := range []string{sign(body, "other"), sign(body, ""), sign(body+" ", "new"), strings.Repeat("0", 64)} {
			if index, err := Verify([]byte(body), forged, values(order...)); index != -1 || !errors.Is(err, ErrSignature) {
				t.Errorf("%q: a forged signature gives %d, %v", order, index, err)
			}
		}
	}
}

// TestVerifyComparesInConstantTime: the source compares by hmac.Equal alone and leaves the loop over the secrets nowhere.
func TestVerifyComparesInConstantTime(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "webhook.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	equal, leaves, other := 0, 0, 0
	ast.Inspect(f, func(n ast.Node) bool {
		loop, ok := n.(*ast.RangeStmt)
		if !ok {
			return true
		}
		ast.Inspect(loop.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ReturnStmt:
				leaves++
			case *ast.BranchStmt:
				if n.Tok != token.CONTINUE {
					leaves++
				}
			case *ast.SelectorExpr:
				switch name := n.Sel.Name; {
				case name == "Equal" && n.X.(*ast.Ident).Name == "hmac":
					equal++
				case name == "Equal", name == "Compare", name == "EqualFold", name == "EncodeToString":
					other++
				}
			}
			return true
		})
		return false
	})
	if equal != 1 || leaves != 0 || other != 0 {
		t.Errorf("hmac.Equal %d times, %d ways out of the loop, %d other comparisons; want 1, 0, 0", equal, leaves, other)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte("{}"), "sha256=00", "key", "old")
	f.Add([]byte(""), sign("", "key"), "key", "")
	f.Fuzz(func(t *testing.T, body []byte, signature, first, second string) {
		index, err := Verify(body, signature, values(first, second))
		if err == nil {
			key := []string{first, second}[index]
			clean := strings.ToLower(strings.TrimSpace(signature))
			if want := sign(string(body), strings.TrimSpace(key)); strings.TrimPrefix(clean, "sha256=") != want {
				t.Errorf("accepted %q under %q, want %s", signature, key, want)
			}
		}
		if strings.TrimSpace(second) == "" {
			return
		}
		if _, err := Verify(body, "sha256="+sign(string(body), strings.TrimSpace(second)), values(first, second)); err != nil {
			t.Errorf("a true signature is refused: %v", err)
		}
	})
}

package invoiced

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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

package pushauth

import (
	"encoding/base64"
	"strings"
	"testing"
)

// FuzzParse: what is taken for a token has three parts and the one algorithm, and no error repeats any of it.
func FuzzParse(f *testing.F) {
	part := base64.RawURLEncoding.EncodeToString
	f.Add(part([]byte(`{"alg":"RS256"}`)) + "." + part([]byte(`{"iss":"https://accounts.google.com","exp":1}`)) + ".x")
	f.Add(part([]byte(`{"alg":"none"}`)) + "." + part([]byte(`{}`)) + ".")
	f.Add("a.b.c")
	f.Add("....")
	f.Fuzz(func(t *testing.T, token string) {
		_, err := parse(token)
		if err == nil && (strings.Count(token, ".") != 2 || strings.HasSuffix(token, ".")) {
			t.Errorf("%q was taken", token)
		}
		if err != nil && len(token) > 40 && strings.Contains(err.Error(), token[:40]) {
			t.Errorf("the error holds the token: %v", err)
		}
	})
}

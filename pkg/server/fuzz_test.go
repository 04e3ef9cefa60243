package server

import (
	"net/http"
	"strings"
	"testing"
)

// FuzzAuthorization: nothing but a token of the role or above lets anybody in.
func FuzzAuthorization(f *testing.F) {
	tokens, err := NewTokens()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("Bearer "+tokens.Token(Operator), "127.0.0.1:8080")
	f.Add("Bearer", "localhost")
	f.Add("Bearer \x00", "[::1%25lo]:1")
	f.Fuzz(func(t *testing.T, auth, host string) {
		h := http.Header{"Authorization": {auth}}
		if !tokens.may(h, Viewer) && tokens.may(h, Operator) {
			t.Errorf("%q may act and not look", auth)
		}
		if tokens.may(h, Viewer) && !strings.HasSuffix(auth, " "+tokens.Token(Viewer)) && !strings.HasSuffix(auth, " "+tokens.Token(Operator)) {
			t.Errorf("%q is let in", auth)
		}
		if local(host) && !strings.Contains(host, "localhost") && !strings.Contains(host, "127.") && !strings.Contains(host, "1") {
			t.Errorf("%q is taken for this machine", host)
		}
	})
}

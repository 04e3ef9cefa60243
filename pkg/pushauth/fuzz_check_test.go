package pushauth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/pushauth"
)

// forging answers whoever asks for keys with none, so that no signature can ever fit.
type forging struct{}

func (forging) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no keys") }

// FuzzCheck sends any header: without Google's keys nobody gets in, whatever the claims say and also where a signature may be
// missing, unless all claims fit; and no error repeats the token or an address.
func FuzzCheck(f *testing.F) {
	const claims = `{"iss":"https://accounts.google.com","aud":"https://sync.example.com/","email":"pusher@test.iam.gserviceaccount.com","email_verified":true,"exp":4102444800,"iat":1}`
	rs256 := encode([]byte(`{"alg":"RS256","kid":"one"}`))
	for _, header := range []string{
		"", "Bearer ", "Basic x", "Bearer a.b.c", "bearer " + rs256 + "." + encode([]byte(claims)) + ".x",
		"Bearer " + rs256 + "." + encode([]byte(claims)) + ".", "Bearer " + encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(claims)) + ".x",
		"Bearer " + rs256 + "." + encode([]byte(strings.Replace(claims, "pusher", "mallory", 1))) + ".SIGNATURE_REMOVED_BY_GOOGLE",
		"Bearer " + rs256 + "." + encode([]byte(`{"exp":"soon"}`)) + ".SIGNATURE_REMOVED_BY_GOOGLE", "Bearer " + strings.Repeat("x", 17<<10),
	} {
		f.Add(header, false)
		f.Add(header, true)
	}
	c := clock.NewMovable(time.Date(2026, 5, 5, 14, 0, 0, 0, time.UTC))
	checkers := map[bool]*pushauth.Checker{}
	for _, behind := range []bool{false, true} {
		check, err := pushauth.New(f.Context(), pushauth.Options{Audience: audience, Emails: []string{email}, BehindIAM: behind, Clock: c,
			HTTPClient: &http.Client{Transport: forging{}}})
		if err != nil {
			f.Fatal(err)
		}
		checkers[behind] = check
	}
	f.Fuzz(func(t *testing.T, header string, behind bool) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Authorization", header)
		err := checkers[behind].Check(r)
		if err == nil {
			if !behind || !strings.HasSuffix(header, ".SIGNATURE_REMOVED_BY_GOOGLE") {
				t.Errorf("%q is let in", header)
			}
			return
		}
		_, token, _ := strings.Cut(header, " ")
		if len(token) > 20 && strings.Contains(err.Error(), token[:20]) || strings.Contains(err.Error(), email) {
			t.Errorf("the error tells too much: %v", err)
		}
		if !errors.Is(err, pushauth.ErrRefused) && !strings.Contains(err.Error(), "fetching keys") {
			t.Errorf("%q: %v", header, err)
		}
	})
}

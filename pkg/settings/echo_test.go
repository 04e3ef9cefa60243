package settings

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestEcho(t *testing.T) {
	cases := []struct {
		raw  any
		want string
	}{
		{nil, ""}, {"a\tb", `"a\tb"`}, {json.Number("01"), "01"}, {true, "true"}, {7, "7"},
		{[]any{"a", json.Number("2"), nil}, `["a", 2, ]`}, {[]string{"a", "b"}, "[a, b]"},
		{map[string]any{"b": 1, "a": "x"}, `{"a": "x", "b": 1}`}, {struct{}{}, "a struct {}"},
		{strings.Repeat("ab ", 50), `"` + strings.Repeat("ab ", 19) + "ab…"},
		{"@daily", `"@daily"`}, {"dana@example.com", Hidden}, {[]any{"x", "Dana <dana@example.com>"}, Hidden},
		{map[string]any{"key": "sk_live_4eC39HqLyjWDarjtT1zdp7dc"}, Hidden},
	}
	for _, tc := range cases {
		if got := Echo(tc.raw); got != tc.want {
			t.Errorf("Echo(%v) = %s, want %s", tc.raw, got, tc.want)
		}
	}
}

func TestLooksSecret(t *testing.T) {
	secrets := []string{
		"-----BEGIN RSA PRIVATE KEY-----", "whsec_a1b2c3d4e5", "eyJhbGciOiJIUzI1NiJ9.e30.x", "ghp_abcdefghijklmnop",
		"AKIAIOSFODNN7EXAMPLE", "AIzaSyA-1234567890abcdefghi", `{"type": "service_account", "private_key": "x"}`,
		"https://user:pass@host.example.com", "password=hunter2", "Bearer abc", "d4f0a2c19b8e47d3a6f5c0b1",
		"wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY", "aB3dE5gH7jK9", "123e4567-e89b-12d3-a456-426614174000", strings.Repeat("a", 40),
	}
	for _, s := range secrets {
		if !LooksSecret(s) {
			t.Errorf("%q looks like a secret", s)
		}
	}
	names := []string{
		"q360-api-user", "invoiced-us-api-key", "invoiced_us_webhook", "Invoiced-Prod-Key", "Q360ApiUserProd", "number_then_metadata",
		"https://api.invoiced.com", "America/Argentina/Buenos_Aires", "10045", "2026-01-01", "Invoice {{number}}", "0 3 * * *",
	}
	for _, s := range names {
		if LooksSecret(s) {
			t.Errorf("%q is an ordinary text", s)
		}
	}
}

func TestNearest(t *testing.T) {
	cases := []struct{ text, want string }{
		{"lvie", "live"}, {"LIVE", "live"}, {"pause", "paused"}, {"readonly", "read_only"}, {"prod", ""}, {"", ""},
		{strings.Repeat("live", 20), ""},
	}
	for _, tc := range cases {
		if got := Nearest(tc.text, []string{"live", "sandbox", "read_only", "paused"}); got != tc.want {
			t.Errorf("Nearest(%q) = %q, want %q", tc.text, got, tc.want)
		}
	}
}

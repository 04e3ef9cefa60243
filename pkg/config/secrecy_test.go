package config

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// A secret pasted over any value of a good file, or over any key, must never come back in a message.
func TestASecretInAnyPlaceIsNotRepeated(t *testing.T) {
	data, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	words := regexp.MustCompile(`[A-Za-z0-9_@./"-]+`)
	for _, secret := range []string{"sk_live_4eC39HqLyjWDarjtT1zdp7dc", "*sk_live_4eC39HqLyjWDarjtT1zdp7dc", "!sk_live_4eC39HqLyjWDarjtT1zdp7dc"} {
		for _, at := range words.FindAllStringIndex(text, -1) {
			_, problems := Parse([]byte(text[:at[0]]+secret+text[at[1]:]), "testdata", Env{})
			if strings.Contains(problems.String(), secret[1:]) {
				t.Errorf("over %q: %s", text[at[0]:at[1]], problems)
			}
		}
	}
}

// Where the name of a secret belongs, nothing is repeated, whether it looks like a secret or not.
func TestNamesOfSecretsAreNeverRepeated(t *testing.T) {
	data, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	good := []string{"a", "Q360_API_USER", "projects-key-1", strings.Repeat("ab-", 33) + "a"}
	bad := []string{`"correct horse battery"`, `"pass!"`, `-leading`, `"tab\tbed"`, strings.Repeat("ab-", 34), `[listed, pass]`, `{mapped: pass}`,
		`projects/p/secrets/s`, `"ключ"`, `aB3dE5gH7jK9`}
	for _, name := range []string{"invoiced-us-api-key", "invoiced-us-webhook"} {
		for _, value := range good {
			if _, problems := Parse([]byte(strings.Replace(string(data), name, value, 1)), "testdata", Env{}); problems != nil {
				t.Errorf("%s for %s: %s", value, name, problems)
			}
		}
		for _, value := range bad {
			cfg, problems := Parse([]byte(strings.Replace(string(data), name, value, 1)), "testdata", Env{})
			if len(problems) == 0 || len(cfg.Companies) != 1 {
				t.Errorf("%s is taken as the name of a secret: %s", value, problems)
			}
			plain := strings.Trim(value, `"[]{}`)
			if strings.Contains(problems.String(), plain) {
				t.Errorf("repeats %s: %s", value, problems)
			}
		}
	}
}

// Every part that a company needs is asked for by name, each in one problem of its own.
func TestWhatACompanyNeeds(t *testing.T) {
	_, problems := Parse([]byte("companies:\n  - id: us\n"), "", Env{})
	want := []string{"q360.base_url", "q360.credentials_secret", "invoiced.api_key_secret", "invoiced.webhook_secret",
		"company.q360_company", "company.time_zone", "company.currency", "sandbox.email", "qualify.start_date",
		"payments.methods_map", "payments.gl_accounts", "fees.gl_account"}
	var got []string
	for _, p := range problems {
		got = append(got, p.Key)
		if p.Company != "us" || p.Line != 2 || !strings.HasPrefix(p.Message, "required") || p.Expected == "" {
			t.Errorf("%s", p)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("asked for %v\nwant %v", got, want)
	}
}

func TestAddressesThatAreTaken(t *testing.T) {
	for given, want := range map[string]string{
		"https://Q360.Example.com":         "https://q360.example.com",
		"https://q360.example.com:8443/x/": "https://q360.example.com:8443/x",
		"http://localhost:80":              "http://localhost:80",
		"http://127.8.9.1":                 "http://127.8.9.1",
		"http://[::1]:9000/":               "http://[::1]:9000",
	} {
		cfg, problems := Parse([]byte(q360("credentials_secret: x, base_url: '"+given+"'")), "", Env{})
		if problems != nil || cfg.Companies[0].Q360.BaseURL != want {
			t.Errorf("%s: %s", given, problems)
		}
	}
	for _, given := range []string{"http://10.0.0.1", "http://localhost.example.com", "http://127.0.0.1.example.com", "HTTPS:q360", "//q360", "https:// q360", `https://q360\@h`} {
		if _, problems := Parse([]byte(q360("credentials_secret: x, base_url: '"+given+"'")), "", Env{}); len(problems) != 1 {
			t.Errorf("%s: %s", given, problems)
		}
	}
}

func TestSecretsFolder(t *testing.T) {
	base := q360("")
	for line, want := range map[string]string{
		"": "conf/secrets", "secrets:\n": "conf/secrets", "secrets: {dir: }\n": "conf/secrets", "secrets: {dir: ../keys}\n": "keys",
		"secrets: {dir: /etc/keys}\n": "/etc/keys",
	} {
		cfg, problems := Parse([]byte(base+line), "conf", Env{})
		if problems != nil || cfg.SecretsDir != want {
			t.Errorf("%q: %+v, %s", line, cfg, problems)
		}
	}
}

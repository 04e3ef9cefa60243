package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arbridge/arbridge/pkg/settings"
)

// module is the Terraform module that renders a configuration.
const module = "../../terraform/modules/config"

// TestRenderedByTerraform reads the text that the module's own test compares its output with: what Terraform renders is what
// is read here.
func TestRenderedByTerraform(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(module, "tests", "good.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, problems := Parse(text, t.TempDir(), Env{})
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems)
	}
	us, there := cfg.Company("us")
	ca, also := cfg.Company("ca")
	if !there || !also || len(cfg.Companies) != 2 {
		t.Fatalf("companies %+v", cfg.Companies)
	}
	for what, got := range map[string]bool{
		"mode":           us.Settings.Mode == settings.ModeLive && ca.Settings.Mode == settings.ModeSandbox,
		"code":           us.Settings.Q360Company == "01",
		"an off":         us.Settings.Invoices.Comment == "off" && ca.Settings.Payments.Mode == "off" && us.Settings.AutoPay == settings.AutoPayOff,
		"a false":        !us.Settings.Customers.Create && ca.Settings.Customers.Create,
		"an amount":      us.Settings.Invoices.Variance == "0.05",
		"a number":       us.Settings.Payments.Attempts == 3 && ca.Settings.Payments.Attempts == 2,
		"a list":         strings.Join(us.Settings.Customers.UpdateFields, " ") == "name phone",
		"a map":          us.Settings.AutoPayCustomers["10045"] == settings.AutoPayAll && us.Settings.Payments.GLAccounts["USD"] == "1010",
		"the deployment": cfg.Deployment.Settings.Poll == 10*time.Minute && cfg.Deployment.Settings.PayloadsDays == 30 && cfg.Deployment.Settings.InboxDays == 400,
		"the cloud":      cfg.Deployment.Cloud.Bucket == "example-prod-arbridge" && cfg.Deployment.Cloud.Database == "(default)",
		"the mail":       cfg.Deployment.Mail.Port == 587 && cfg.Deployment.Mail.PasswordSecret == "smtp-mailer",
		"the vendors":    us.Invoiced.BaseURL == "https://api.sandbox.invoiced.com" && ca.Invoiced.BaseURL == "https://api.invoiced.com" && us.Q360.CredentialsSecret == "q360-api-user",
		"no mapping":     ca.Q360.MappingYAML == nil,
	} {
		if !got {
			t.Errorf("%s did not arrive: %+v %+v", what, us, cfg.Deployment)
		}
	}
}

// TestMappingByTerraform: the mapping that the module's test gives as a text arrives with the same values.
func TestMappingByTerraform(t *testing.T) {
	const given = `
contract: q360-gateway/v1
site: {max_parallel: 2, timeouts: {list: 90s}}
entities:
  invoice:
    columns: {invoiceno: INVOICENO, subtotal: null}
    posted_when: {column: PRTID, op: "=", value: "Y"}
classify:
  - {code: closed_period, message: '(?i)\bperiod\b'}
defaults:
  companyno: "01"
`
	test, err := os.ReadFile(filepath.Join(module, "tests", "config.tftest.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(test), indented(strings.TrimPrefix(given, "\n"), "          ")) {
		t.Fatal("the module's test gives another mapping")
	}
	text, err := os.ReadFile(filepath.Join(module, "tests", "good.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, problems := Parse(text, t.TempDir(), Env{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	us, _ := cfg.Company("us")
	if diff := cmp.Diff(decoded(t, []byte(given)), decoded(t, us.Q360.MappingYAML)); diff != "" {
		t.Error(diff)
	}
}

// TestEveryKeyIsDocumented: the reference page names each key of a configuration file that is no setting. An unknown key is
// answered with those that are known.
func TestEveryKeyIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../infra/docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{
		"secrets": "secrets: {x: 1}", "deployment": "deployment: {x: 1}", "deployment.cloud": "deployment: {cloud: {x: 1}}", "deployment.mail": "deployment: {mail: {x: 1}}",
		"companies": "companies: [{x: 1}]", "companies.q360": "companies: [{q360: {x: 1}}]", "companies.invoiced": "companies: [{invoiced: {x: 1}}]",
	}
	for section, text := range sections {
		_, problems := Parse([]byte(text), "", Env{})
		found := false
		for _, p := range problems {
			if !strings.HasPrefix(p.Message, "unknown key") {
				continue
			}
			found = true
			for _, name := range strings.Split(strings.TrimPrefix(p.Expected, "one of "), ", ") {
				key := section + "." + name
				if _, parent := sections[key]; !parent && !strings.Contains(string(page), "`"+key+"`") {
					t.Errorf("infra/docs/settings.md does not name %s", key)
				}
			}
		}
		if !found {
			t.Errorf("%s: an unknown key is taken: %s", section, problems)
		}
	}
}

// TestTerraformChecksTheSameForms: the module's validations use the forms of this package and the declared conditions.
func TestTerraformChecksTheSameForms(t *testing.T) {
	for file, forms := range map[string][]*regexp.Regexp{
		"variables.tf": {companyID, secretName},
		"inputs.tf":    {projectID, databaseID, bucketName, accountMail, hostName, bareMail, secretName},
	} {
		text, err := os.ReadFile(filepath.Join(module, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range forms {
			if !strings.Contains(string(text), "regex("+strconv.Quote(form.String())+", ") {
				t.Errorf("%s does not check the form %s", file, form)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(module, "variables.tf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings.Declarations() {
		for _, message := range []string{s.Key + ": " + s.Summary(), "Setting " + s.Key + ": required while"} {
			if strings.Contains(message, "required while") == (s.RequiredWhen == nil) {
				continue
			}
			if !strings.Contains(string(text), message) {
				t.Errorf("variables.tf lacks %q; run make generate", message)
			}
		}
	}
}

// TestTerraformAddresses: of each address the module says what this package says.
func TestTerraformAddresses(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(module, "variables.tf"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`regex\(("\^\(https(?:[^"\\]|\\.)*"), c\.q360\.base_url`).FindSubmatch(text)
	if found == nil {
		t.Fatal("variables.tf does not check q360.base_url")
	}
	pattern, err := strconv.Unquote(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(pattern)
	for address, want := range map[string]bool{
		"https://q360.example.com": true, "https://q360.example.com:8443/api/": true, "http://127.0.0.1:8080/q360": true, "http://localhost:1": true, "http://[::1]:80": true,
		"http://q360.example.com": false, "https://user:pw@q360.example.com": false, "https://q360.example.com?x=1": false, "https://q360.example.com/#x": false,
		"ftp://q360.example.com": false, "q360.example.com": false, "https://": false, "https://a b": false, "http://127.0.0.1.example.com": false,
	} {
		doc := strings.Replace(minimal, "https://q360.example.com", address, 1)
		_, problems := Parse([]byte(doc), t.TempDir(), Env{})
		if here := len(problems.Of("us")) == 0; here != want || form.MatchString(address) != want {
			t.Errorf("%s: taken here %v, by Terraform %v, want %v\n%s", address, here, form.MatchString(address), want, problems)
		}
	}
}

const minimal = `companies:
  - id: us
    q360: {base_url: "https://q360.example.com", credentials_secret: q360-api-user}
    invoiced: {api_key_secret: a, webhook_secret: b}
    settings: {company: {q360_company: "01", time_zone: UTC, currency: USD}, sandbox.email: test@example.com, qualify.start_date: 2026-01-01, payments.mode: off, fees.strategy: exclude, notify.digest: off}
`

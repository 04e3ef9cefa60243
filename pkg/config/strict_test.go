package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// company is a company without mistakes; the arguments are added to its settings section and to its q360 section.
func company(id, code, q360 string, more ...string) string {
	if q360 == "" {
		q360 = "base_url: https://q360.example.com, credentials_secret: q360-api-user"
	}
	return "  - id: " + id + "\n    q360: {" + q360 + "}\n" +
		"    invoiced: {api_key_secret: " + id + "-key, webhook_secret: " + id + "-hook}\n" +
		"    settings:\n      company: {mode: live, q360_company: \"" + code + "\", time_zone: UTC, currency: USD}\n" +
		"      qualify.start_date: 2026-01-01\n      payments.mode: off\n      fees.strategy: exclude\n" +
		strings.Join(append(more, ""), "\n")
}

type strictCase struct{ text, want string }

func q360(fields string) string { return "companies:\n" + company("us", "01", fields) }

func more(line string) string { return "companies:\n" + company("us", "01", "", "      "+line) }

func cloud(fields string) string { return q360("") + "deployment: {cloud: {" + fields + "}}\n" }

func TestStrictYAML(t *testing.T) {
	const name = "; quote a text that begins with !"
	refused(t, map[string]strictCase{
		"empty":             {"", "empty"},
		"only a comment":    {"# nothing\n", "empty"},
		"null":              {"~", "empty"},
		"a text":            {"hello", "line 1: : not a map"},
		"a list":            {"[1, 2]", "line 1: : not a map"},
		"two documents":     {q360("") + "---\na: 1\n", "line 1: more than one YAML document; keep one"},
		"broken":            {"companies:\n\t- id: us\n", "line 2: not YAML: found character that cannot start any token"},
		"unknown anchor":    {"secrets: {dir: *s3cret}\n", "not YAML: unknown anchor"},
		"unknown top key":   {q360("") + "companys: []\n", "line 10: companys: unknown key; did you mean companies?"},
		"secret as a key":   {q360("") + "sk_live_abcdefghijkl: 1\n", "line 10: [not shown]: unknown key"},
		"repeated top key":  {q360("") + "companies: []\n", "line 10: companies: given twice, first in line 1"},
		"no companies":      {"deployment: {}\n", "line 1: companies: required"},
		"empty companies":   {"companies: []\n", "line 1: companies: required"},
		"companies a map":   {"companies: {us: {}}\n", "line 1: companies: not a list"},
		"alias":             {"deployment: {settings: {schedule.poll: &a 5m, schedule.gap_fill: *a}}\n" + q360(""), "line 1: schedule.gap_fill: anchors, aliases"},
		"merge":             {q360("") + "secrets: {<<: {dir: x}}\n", "line 10: secrets: anchors, aliases"},
		"aliased companies": {"secrets: {dir: &a x}\ncompanies: *a\n", "line 2: companies: anchors, aliases"},
		"explicit type":     {q360("") + "secrets: {dir: !!str x}\n", "line 10: secrets.dir: explicit types such as !!str are not read" + name},
		"typed map":         {q360("") + "secrets: !x {dir: x}\n", "line 10: secrets: explicit types such as !!str are not read" + name},
		"key is a map":      {q360("") + "? {a: b}\n: c\n", "line 10: : a key is not a text"},
		"secrets a text":    {q360("") + "secrets: keys\n", "line 10: secrets: not a map"},
		"blank dir":         {q360("") + "secrets: {dir: ' '}\n", "line 10: secrets.dir: blank"},
		"dir a list":        {q360("") + "secrets: {dir: [a]}\n", "line 10: secrets.dir: not a text"},
		"dir of two lines":  {q360("") + "secrets: {dir: \"a\\nb\"}\n", "line 10: secrets.dir: too long, or has line breaks"},
	})
}

func TestStrictSettings(t *testing.T) {
	refused(t, map[string]strictCase{
		"settings a text":      {"deployment: {settings: x}\n" + q360(""), "line 1: deployment.settings: not a map"},
		"unknown setting":      {more("invoices: {drafts: true}"), "line 10: company us: invoices.drafts: no such setting; did you mean invoices.draft?"},
		"group without dot":    {more("invoices: true"), "line 10: company us: invoices: no such setting"},
		"unknown group":        {more("invoise:"), "line 10: company us: invoise: no such setting"},
		"setting of others":    {more("schedule.poll: 5m"), "line 10: company us: schedule.poll: belongs to the settings of the deployment"},
		"dotted and grouped":   {more("company.mode: live"), "line 10: company us: company.mode: given twice, first in line 6"},
		"too deep":             {more("company.mode.x: live"), "line 10: company us: company.mode.x: no such setting; did you mean company.mode?"},
		"a fraction":           {more("limits.q360_rps: 5.0"), "line 10: company us: limits.q360_rps = 5.0: not a plain whole number"},
		"octal":                {more("limits.q360_rps: 010"), "line 10: company us: limits.q360_rps = 010: not a plain whole number"},
		"infinity":             {more("invoices.variance: .inf"), "line 10: company us: invoices.variance = .inf: not a plain number"},
		"old boolean":          {more("invoices.draft: yes"), `line 10: company us: invoices.draft = "yes": neither true nor false`},
		"explicit in a list":   {more("documents.types: [!!str A]"), "line 10: company us: documents.types: explicit types"},
		"repeated map key":     {more("invoices.terms_map: {A: x, A: y}"), "line 10: company us: invoices.terms_map.A: given twice, first in line 10"},
		"e-mail is not shown":  {more("notify.recipients: [dana@localhost]"), "line 10: company us: notify.recipients = [not shown]: entry 1: not of this form"},
		"unknown in a company": {"companies:\n" + company("us", "01", "") + "    setting: {}\n", "line 10: company us: setting: unknown key; did you mean settings?"},
	})
}

func TestStrictCompanies(t *testing.T) {
	refused(t, map[string]strictCase{
		"bad id":           {"companies:\n" + company("US", "01", ""), `line 2: company #1: id = "US": not of this form`},
		"id a number":      {"companies:\n" + company("1", "01", ""), `line 2: company #1: id = "1": not of this form`},
		"name a map":       {"companies:\n" + company("us", "01", "") + "    name: {a: b}\n", "line 10: company us: name: not a text"},
		"company a text":   {"companies: [us]\n", "line 1: company #1: not a map"},
		"company is empty": {"companies:\n  -\n", "line 2: company #1: empty; remove the dash or describe the company"},

		"no address":      {q360("credentials_secret: x"), "line 3: company us: q360.base_url: required"},
		"not encrypted":   {q360("credentials_secret: x, base_url: http://q360.example.com"), `company us: q360.base_url = "http://q360.example.com": not encrypted`},
		"no host":         {q360("credentials_secret: x, base_url: 'https://:443'"), `company us: q360.base_url = "https://:443": not an address`},
		"no address form": {q360("credentials_secret: x, base_url: q360"), `company us: q360.base_url = "q360": not an address`},
		"bad port":        {q360("credentials_secret: x, base_url: 'https://h:p'"), `company us: q360.base_url = "https://h:p": not an address`},
		"other scheme":    {q360("credentials_secret: x, base_url: 'ftp://h'"), `company us: q360.base_url = "ftp://h": neither https nor http`},
		"credentials":     {q360("credentials_secret: x, base_url: 'https://dana:s3cret@h'"), "company us: q360.base_url = [not shown]: has credentials in it"},
		"query":           {q360("credentials_secret: x, base_url: 'https://h/?key=s3cret'"), "company us: q360.base_url = [not shown]: has a query or a fragment"},
		"fragment":        {q360("credentials_secret: x, base_url: 'https://h/#s3cret'"), "company us: q360.base_url = [not shown]: has a query or a fragment"},
		"pasted secret":   {q360("base_url: https://h, credentials_secret: '{\"user\": \"a\"}'"), "company us: q360.credentials_secret = [not shown]: not the name of a secret"},
		"random secret":   {q360("base_url: https://h, credentials_secret: d4f0a2c19b8e47d3a6f5c0b1"), "company us: q360.credentials_secret = [not shown]: not the name of a secret"},
		"no file":         {q360("base_url: https://h, credentials_secret: x, mapping: none.yaml"), `company us: q360.mapping = "none.yaml": no such file`},
		"closed file":     {q360("base_url: https://h, credentials_secret: x, mapping: closed.yaml"), `company us: q360.mapping = "closed.yaml": can not be read`},
		"mapping a list":  {q360("base_url: https://h, credentials_secret: x, mapping: list.yaml"), `company us: q360.mapping = "list.yaml": holds no map`},
		"mapping broken":  {q360("base_url: https://h, credentials_secret: x, mapping: broken.yaml"), `company us: q360.mapping = "broken.yaml": its line 2: not YAML`},
		"mapping empty":   {q360("base_url: https://h, credentials_secret: x, mapping: empty.yaml"), `company us: q360.mapping = "empty.yaml": empty`},
	})
}

func TestStrictCloud(t *testing.T) {
	refused(t, map[string]strictCase{
		"cloud in part":   {cloud("project: example-prod, bucket: b-1, base_url: https://h"), "line 10: deployment.cloud.push_service_account: required"},
		"bad project":     {cloud("project: P, bucket: b-1, base_url: https://h, push_service_account: a@b.iam.gserviceaccount.com"), `line 10: deployment.cloud.project = "P": not of this form`},
		"bad bucket":      {cloud("project: example-prod, bucket: 'gs://b', base_url: https://h, push_service_account: a@b.iam.gserviceaccount.com"), `line 10: deployment.cloud.bucket = "gs://b": not of this form`},
		"bad database":    {cloud("project: example-prod, database: D, bucket: b-1, base_url: https://h, push_service_account: a@b.iam.gserviceaccount.com"), `line 10: deployment.cloud.database = "D": not of this form`},
		"bad account":     {cloud("project: example-prod, bucket: b-1, base_url: https://h, push_service_account: dana@example.com"), "line 10: deployment.cloud.push_service_account = [not shown]: not of this form"},
		"no boolean":      {cloud("project: example-prod, bucket: b-1, base_url: https://h, push_service_account: a@b.iam.gserviceaccount.com, authenticated: no"), `line 10: deployment.cloud.authenticated = "no": neither true nor false`},
		"unsafe base url": {cloud("project: example-prod, bucket: b-1, base_url: 'http://h', push_service_account: a@b.iam.gserviceaccount.com"), `line 10: deployment.cloud.base_url = "http://h": not encrypted`},
	})
}

// refused holds Parse to its message in each case, and to letting nothing run and repeating nothing secret.
func refused(t *testing.T, cases map[string]strictCase) {
	t.Helper()
	for name, tc := range cases {
		cfg, problems := Parse([]byte(tc.text), "", Env{ReadFile: files})
		if len(problems) == 0 || !strings.Contains(strings.ReplaceAll(withColon(problems), "\n  ", "\n"), tc.want) {
			t.Errorf("%s: %s\nwant %s", name, problems, tc.want)
		}
		if strings.Contains(problems.String(), "s3cret") || strings.Contains(problems.String(), "dana") {
			t.Errorf("%s: a secret or an address is repeated: %s", name, problems)
		}
		if cfg != nil && (len(cfg.Companies) > 0 || len(cfg.Problems) != len(problems)) {
			t.Errorf("%s: runs all the same", name)
		}
	}
}

// withColon shows a problem of the whole text with the empty place of its key.
func withColon(problems Problems) string {
	lines := []string{problems.String()}
	for _, p := range problems {
		lines = append(lines, fmt.Sprintf("line %d: %s: %s", p.Line, p.Key, p.Message))
	}
	return strings.Join(lines, "\n")
}

func files(name string) ([]byte, error) {
	switch name {
	case "list.yaml":
		return []byte("[a]"), nil
	case "broken.yaml":
		return []byte("a: b\n\tc"), nil
	case "empty.yaml":
		return nil, nil
	case "closed.yaml":
		return nil, errors.New("permission denied")
	}
	return nil, fs.ErrNotExist
}

func TestCompaniesThatCanNotBeToldApart(t *testing.T) {
	text := "companies:\n" + company("us", "01", "") + company("ca", "02", "") +
		company("mx", "01", "base_url: https://Q360.EXAMPLE.com/, credentials_secret: x") +
		company("uk", "01", "base_url: https://other.example.com, credentials_secret: x") + company("ca", "03", "")
	cfg, problems := Parse([]byte(text), "", Env{})
	if cfg == nil || len(cfg.Companies) != 1 || cfg.Companies[0].ID != "uk" {
		t.Fatal(problems)
	}
	want := `4 problems in the configuration:
  line 6: company us: company.q360_company = "01": company mx has the same code in the same Q360
  line 10: company ca: id = "ca": used in line 34 too; ids must differ
  line 22: company mx: company.q360_company = "01": company us has the same code in the same Q360
  line 34: company ca: id = "ca": used in line 10 too; ids must differ`
	if got := problems.String(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestBothSpellingsOfASettingMeanTheSame(t *testing.T) {
	for _, line := range []string{
		"      invoices.draft: true\n      autopay.customers: {10045: all}",
		"      invoices: {draft: true}\n      autopay: {customers: {10045: all}}",
		"      invoices:\n        draft: true\n        comment:\n      autopay:\n        customers:\n          10045: all",
	} {
		cfg, problems := Parse([]byte("companies:\n"+company("us", "01", "", line)), "", Env{})
		if problems != nil {
			t.Error(problems)
			continue
		}
		if s := cfg.Companies[0].Settings; !s.Invoices.Draft || s.Invoices.Comment != "off" || s.For("10045").AutoPay != "all" {
			t.Errorf("%s: %+v", line, s)
		}
	}
}

func TestProblemsInWords(t *testing.T) {
	if got := (Problems{}).String(); got != "no problems" {
		t.Error(got)
	}
	one, err := json.Marshal(Problem{Line: 3, Company: "us", Key: "a.b", Message: "required"})
	if want := `{"line":3,"company":"us","key":"a.b","message":"required"}`; string(one) != want || err != nil {
		t.Errorf("%s, %v, want %s", one, err, want)
	}
	warning := Problems{{Company: "us", Key: "a.b", Message: "deprecated", Warning: true}}
	if warning.Fatal() || warning.blocks("us") || !strings.HasSuffix(warning.String(), "company us: a.b: deprecated [warning]") {
		t.Error(warning)
	}
	if (Problems{{Message: "x", Warning: true}}).Fatal() || !(Problems{{Message: "x"}}).Fatal() {
		t.Error("only a problem of the installation that is no warning is fatal")
	}
}

// FuzzParse holds Parse to its promises: no panic, the same answer twice, a nil Config exactly when a problem is fatal,
// and never a word of what stands where the name of a secret belongs.
func FuzzParse(f *testing.F) {
	f.Add("companies:\n"+company("us", "01", ""), "sk_live_4eC39HqLyjWDarjtT1zdp7dc")
	f.Add("deployment: {settings: {schedule.poll: 5m}}\ncompanies: [{id: us}]\n", "p4ssw0rd!")
	f.Add("companies: [&a [*a]]", "x: [y")
	f.Add("a: &a [1]\nb: {<<: *a, ? [c] : d}\n", "")
	f.Add("\xff\xfe\x00", "\x00")
	f.Fuzz(func(t *testing.T, text, secret string) {
		cfg, problems := Parse([]byte(text), "", Env{ReadFile: files})
		_, again := Parse([]byte(text), "", Env{ReadFile: files})
		if problems.String() != again.String() || (cfg == nil) != problems.Fatal() {
			t.Errorf("Config %v, problems %s, again %s", cfg, problems, again)
		}
		if len(secret) < 12 || !strings.ContainsAny(secret, "!$%&/ ") || strings.Contains("not the name of a secret", secret) {
			return
		}
		pasted := "companies:\n" + company("us", "01", fmt.Sprintf("base_url: https://h, credentials_secret: %q", secret))
		if _, problems := Parse([]byte(pasted), "", Env{}); strings.Contains(problems.String(), secret) {
			t.Errorf("repeats %q: %s", secret, problems)
		}
	})
}

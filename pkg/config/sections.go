package config

import (
	"fmt"
	"path/filepath"
	"regexp"

	"gopkg.in/yaml.v3"

	"github.com/arbridge/arbridge/pkg/settings"
)

// Parse reads the text of a configuration whose relative paths start at dir. It returns all problems at once; the
// Config is nil when they are Fatal. Config.Problems repeats them.
func Parse(data []byte, dir string, env Env) (*Config, Problems) {
	r := &reading{dir: dir, env: env.orMachine()}
	root, bad := document(data)
	if bad != nil {
		return nil, Problems{*bad}
	}
	top := r.fields(root, place{}, "deployment", "secrets", "companies")
	cfg := &Config{}
	var inherited map[string]any
	cfg.Deployment, inherited = r.deployment(top["deployment"])
	cfg.SecretsDir = r.secretsDir(top["secrets"])
	companies := r.companies(root, top["companies"], inherited)
	r.unique(companies)
	r.mailed(line(top["deployment"], root), cfg.Deployment.Mail, companies)
	r.problems.sort()
	if r.problems.Fatal() {
		return nil, r.problems
	}
	for _, c := range companies {
		if !r.problems.blocks(c.label) {
			cfg.Companies = append(cfg.Companies, c.Company)
		}
	}
	cfg.Problems = r.problems
	return cfg, r.problems
}

// deployment also returns the good values that companies may inherit.
func (r *reading) deployment(n *yaml.Node) (Deployment, map[string]any) {
	at := place{path: "deployment"}
	f := r.fields(n, at, "settings", "cloud", "mail")
	values, lines := r.settings(f["settings"], at.at("settings"))
	set, problems := settings.ResolveDeployment(values, r.env.Zone)
	r.report(problems, place{}, lines)
	for _, p := range problems {
		delete(values, p.Key)
	}
	return Deployment{Settings: set, Cloud: r.cloud(f["cloud"], at.at("cloud")), Mail: r.mail(f["mail"], at.at("mail"))}, values
}

var (
	projectID   = regexp.MustCompile(`^([a-z][a-z0-9.]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	databaseID  = regexp.MustCompile(`^(\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$`)
	bucketName  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$`)
	accountMail = regexp.MustCompile(`^[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com$`)
	companyID   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)
	secretName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)
)

func (r *reading) cloud(n *yaml.Node, at place) Cloud {
	f := r.fields(n, at, "project", "database", "bucket", "push_service_account", "base_url", "authenticated")
	if n == nil || isNull(n) {
		return Cloud{}
	}
	c := Cloud{Database: "(default)", Authenticated: true}
	c.Project = r.text(f["project"], n, at.at("project"), projectID, "a project id such as example-prod")
	if f["database"] != nil {
		c.Database = r.text(f["database"], n, at.at("database"), databaseID, "(default) or a database id such as arbridge")
	}
	c.Bucket = r.text(f["bucket"], n, at.at("bucket"), bucketName, "a bucket name without gs://")
	c.PushServiceAccount = r.text(f["push_service_account"], n, at.at("push_service_account"), accountMail,
		"an address such as push@example-prod.iam.gserviceaccount.com")
	c.BaseURL = r.url(f["base_url"], n, at.at("base_url"))
	if f["authenticated"] != nil {
		c.Authenticated = r.flag(f["authenticated"], at.at("authenticated"))
	}
	return c
}

func (r *reading) secretsDir(n *yaml.Node) string {
	at := place{path: "secrets"}
	f := r.fields(n, at, "dir")
	dir := "secrets"
	if f["dir"] != nil && !isNull(f["dir"]) {
		dir = r.text(f["dir"], n, at.at("dir"), nil, "a folder")
	}
	return r.resolved(dir)
}

func (r *reading) resolved(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.dir, path)
}

// located is a company with the lines that problems between companies need.
type located struct {
	Company
	label              string // id, or #n where that is no id
	idLine, q360, line int
}

func (r *reading) companies(root, n *yaml.Node, inherited map[string]any) []located {
	switch {
	case n == nil || isNull(n) || n.Kind == yaml.SequenceNode && len(n.Content) == 0:
		r.add(Problem{Line: root.Line, Key: "companies", Message: "required", Expected: "a list of at least one company"})
		return nil
	case !r.plain(n, place{path: "companies"}):
		return nil
	case n.Kind != yaml.SequenceNode:
		r.add(Problem{Line: n.Line, Key: "companies", Message: "not a list", Expected: "a list, each company behind a dash"})
		return nil
	}
	var out []located
	for i, c := range n.Content {
		out = append(out, r.company(c, fmt.Sprintf("#%d", i+1), inherited))
	}
	return out
}

func (r *reading) company(n *yaml.Node, label string, inherited map[string]any) located {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if id := n.Content[i+1]; n.Content[i].Value == "id" && id.Kind == yaml.ScalarNode && companyID.MatchString(id.Value) &&
				!settings.LooksSecret(id.Value) {
				label = id.Value
			}
		}
	}
	at := place{company: label}
	if isNull(n) {
		r.add(Problem{Line: n.Line, Company: label, Message: "empty; remove the dash or describe the company"})
		return located{label: label}
	}
	f := r.fields(n, at, "id", "name", "q360", "invoiced", "settings")
	c := located{label: label, line: n.Line, idLine: line(f["id"], n)}
	if n.Kind != yaml.MappingNode {
		return c
	}
	c.ID = r.text(f["id"], n, at.at("id"), companyID, "lower-case letters, digits and -, a letter first, at most 31")
	c.Name = c.ID
	if f["name"] != nil && !isNull(f["name"]) {
		c.Name = r.text(f["name"], n, at.at("name"), nil, "a name")
	}
	c.Q360 = r.q360(f["q360"], n, at.at("q360"))
	c.Invoiced = r.invoiced(f["invoiced"], n, at.at("invoiced"))
	values, lines := r.settings(f["settings"], at.at("settings"))
	lines[""] = line(f["settings"], n)
	set, problems := settings.ResolveCompany(settings.Inherit(values, inherited), r.env.Zone)
	r.report(problems, at, lines)
	c.Settings, c.Values, c.q360 = set, values, lines.of("company.q360_company")
	return c
}

func (r *reading) q360(n, parent *yaml.Node, at place) Q360 {
	f := r.fields(n, at, "base_url", "mapping", "credentials_secret")
	if n == nil {
		n = parent
	}
	q := Q360{
		BaseURL:           r.url(f["base_url"], n, at.at("base_url")),
		CredentialsSecret: r.secret(f["credentials_secret"], n, at.at("credentials_secret")),
	}
	if f["mapping"] != nil && !isNull(f["mapping"]) {
		q.MappingYAML = r.mapping(f["mapping"], at.at("mapping"))
	}
	return q
}

func (r *reading) invoiced(n, parent *yaml.Node, at place) Invoiced {
	f := r.fields(n, at, "base_url", "api_key_secret", "webhook_secret")
	if n == nil {
		n = parent
	}
	i := Invoiced{
		BaseURL:       "https://api.invoiced.com", // invoiced-api 1.1
		APIKeySecret:  r.secret(f["api_key_secret"], n, at.at("api_key_secret")),
		WebhookSecret: r.secret(f["webhook_secret"], n, at.at("webhook_secret")),
	}
	if f["base_url"] != nil && !isNull(f["base_url"]) {
		i.BaseURL = r.url(f["base_url"], n, at.at("base_url"))
	}
	return i
}

func line(n, section *yaml.Node) int {
	if n == nil {
		n = section
	}
	return n.Line
}

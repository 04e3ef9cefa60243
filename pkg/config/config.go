// Package config reads the configuration file of an installation: the deployment, the place of the secrets and the
// companies with their settings. The file is YAML and read strictly: every key must be known, every value must have its
// form, and all problems are reported at once with their lines.
//
// One bad company does not stop the others: Config has the companies that can run, and its Problems tell about the rest.
// The file holds names of secrets, never a secret; no message repeats a value that might be one.
package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/arbridge/arbridge/pkg/settings"
)

// EnvVar is the environment variable that may hold the YAML text itself, for places without a file system of their own; what
// is long may be compressed there, see Unpack.
const EnvVar = "ARBRIDGE_CONFIG"

// maxSize bounds the configuration and each mapping file, in bytes.
const maxSize = 1 << 20

// Config is the configuration of an installation.
type Config struct {
	Deployment Deployment
	// SecretsDir is the folder of secret files for the embedded secret source, relative names resolved (secrets.dir).
	SecretsDir string
	// Companies are those that can run, in the order of the file.
	Companies []Company
	// Problems tell about the companies that can not run, and hold warnings.
	Problems Problems
}

// Company returns a company that can run.
func (c *Config) Company(id string) (Company, bool) {
	for _, company := range c.Companies {
		if company.ID == id {
			return company, true
		}
	}
	return Company{}, false
}

// Deployment is what holds for the whole installation.
type Deployment struct {
	Settings settings.Deployment
	Cloud    Cloud
	Mail     Mail
}

// Cloud names the Google Cloud resources of an installation; the zero value is an embedded one. All fields are given or
// none.
type Cloud struct {
	Project            string // project id
	Database           string // Firestore database, (default) unless given
	Bucket             string // bucket of the PDFs, without gs://
	PushServiceAccount string // e-mail address of the account whose tokens push requests carry
	BaseURL            string // public address of the services, the audience of those tokens; no slash at the end
	// Authenticated says that Cloud Run lets nobody without a token call the services that are pushed to (IAM); true unless
	// given.
	Authenticated bool
}

// Configured reports whether the installation runs on Google Cloud.
func (c Cloud) Configured() bool { return c.Project != "" }

// Company is one company of the ERP with its account in the portal.
type Company struct {
	ID       string // lower case, part of URLs and stored keys
	Name     string // for people; the ID unless given
	Settings settings.Company
	// Values are the settings as given, by key, without defaults: json.Number, string, bool, []any, map[string]any.
	Values   map[string]any
	Q360     Q360
	Invoiced Invoiced
}

// Q360 is the company's side of the ERP.
type Q360 struct {
	BaseURL           string // https, or http on loopback; no slash at the end
	MappingYAML       []byte // the mapping (q360-api 4.3), from its file or written out in the configuration; nil is the built-in default
	CredentialsSecret string // name of the secret with user and password
}

// Invoiced is the company's account in the portal.
type Invoiced struct {
	BaseURL       string // https://api.invoiced.com unless given; no slash at the end
	APIKeySecret  string // name of the secret with the API key
	WebhookSecret string // name of the secret that signs webhooks
}

// Env is what Parse needs from outside. The zero value reads files and time zones of the machine.
type Env struct {
	ReadFile func(name string) ([]byte, error)
	Zone     settings.ZoneFunc
}

func (e Env) orMachine() Env {
	if e.ReadFile == nil {
		e.ReadFile = readFile
	}
	if e.Zone == nil {
		e.Zone = time.LoadLocation
	}
	return e
}

// Load reads the configuration from a file or, with an empty path, from the text in ARBRIDGE_CONFIG, whose relative
// paths start at the working directory. The error is a *ProblemsError (errors.As) when the text can be read but nothing can
// run with it: problems of the deployment, or not one good company. Otherwise problems of single companies are in
// Config.Problems.
func Load(path string) (*Config, error) {
	data, dir, err := text(path)
	if err != nil {
		return nil, err
	}
	cfg, problems := Parse(data, dir, Env{})
	if cfg == nil || len(cfg.Companies) == 0 {
		return nil, fmt.Errorf("reading the configuration: %w", &ProblemsError{problems})
	}
	return cfg, nil
}

func text(path string) (data []byte, dir string, err error) {
	if path == "" {
		if inline := os.Getenv(EnvVar); inline != "" {
			if data, err = Unpack(inline); err != nil {
				return nil, "", fmt.Errorf("reading the configuration: %s: %w", EnvVar, err)
			}
			return data, ".", nil
		}
		return nil, "", errors.New("reading the configuration: no file given and " + EnvVar + " is not set; name a file or set it")
	}
	if data, err = readFile(path); err != nil {
		return nil, "", fmt.Errorf("reading the configuration: %w", err)
	}
	return data, filepath.Dir(path), nil
}

// readFile reads at most one byte more than maxSize, which Parse then refuses.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSize+1))
}

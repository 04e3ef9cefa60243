package gen

import "strings"

// connections are the attributes of a company besides its settings, as package config reads them.
const connections = `    name = optional(string)
    q360 = object({
      base_url           = string
      credentials_secret = string
      mapping            = optional(string) # the mapping itself, as YAML
    })
    invoiced = object({
      base_url       = optional(string)
      api_key_secret = string
      webhook_secret = string
    })
    settings = object({
`

// files is the part of the reference page about what stands in a configuration file beside settings. A test of package
// config holds it to the keys that are read.
const files = "Besides settings a configuration file has these keys, `companies.` standing for each entry of that list. Names of secrets are\n" +
	"names: no secret stands in the file. Unknown keys are refused here too.\n\n" +
	"| Key | Default | What it is |\n" +
	"|---|---|---|\n" +
	"| `companies.id` | none, required | Company id, part of URLs and stored keys: lower-case letters, digits and -, a letter first |\n" +
	"| `companies.name` | the id | Name for people |\n" +
	"| `companies.settings` | none, required | The settings below |\n" +
	"| `companies.q360.base_url` | none, required | Address of Q360: https, or http on loopback |\n" +
	"| `companies.q360.credentials_secret` | none, required | Name of the secret with `{\"user\": …, \"password\": …}` |\n" +
	"| `companies.q360.mapping` | built in | What maps this site's tables and columns: the path of a YAML file, or the mapping itself as a map |\n" +
	"| `companies.invoiced.base_url` | `https://api.invoiced.com` | Address of Invoiced's API; `https://api.sandbox.invoiced.com` for a sandbox account |\n" +
	"| `companies.invoiced.api_key_secret` | none, required | Name of the secret with the API key |\n" +
	"| `companies.invoiced.webhook_secret` | none, required | Name of the secret that signs webhooks |\n" +
	"| `secrets.dir` | `secrets` | Folder of the secret files of the embedded stack, from the configuration's folder |\n" +
	"| `deployment.settings` | none | The settings below that are given for a deployment |\n" +
	"| `deployment.mail.host`, `deployment.mail.from` | none: no digests are mailed | Mail server and sender of the digests |\n" +
	"| `deployment.mail.port`, `deployment.mail.tls` | `587`, `required` | Port; 465 is encrypted from the start. `required`, `opportunistic`, or `none` on loopback |\n" +
	"| `deployment.mail.username`, `deployment.mail.password_secret` | none | User, and name of the secret with the password: both or neither |\n" +
	"| `deployment.cloud.project`, `deployment.cloud.bucket` | none: embedded stack | Google Cloud project and bucket of the files |\n" +
	"| `deployment.cloud.database` | `(default)` | Firestore database |\n" +
	"| `deployment.cloud.push_service_account`, `deployment.cloud.base_url` | required with the project | Account and audience of the tokens that pushes carry |\n" +
	"| `deployment.cloud.authenticated` | `true` | Cloud Run lets nobody without a token call the services that are pushed to |\n\n" +
	"A mapping starts from [default.yaml](../../pkg/connector/q360/mapping/default.yaml). Written out in the configuration it needs no file,\n" +
	"which is how it reaches the container image; with Terraform, `companies[*].q360.mapping` is its text or an object.\n\n" +
	"```yaml\ncompanies:\n  - id: us\n    q360:\n      base_url: https://q360.example.com\n      credentials_secret: q360-api-user\n" +
	"      mapping:\n        contract: q360-gateway/v1\n        entities: {}   # tables and columns\n```"

// The forms of package config. A test there holds both to the same.
const (
	companyPattern = `^[a-z][a-z0-9-]{0,30}$`
	secretPattern  = `^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`
	addressPattern = `^(https://[^\s/?#@\\]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?)(/[^\s?#@\\]*)?$`
)

// companies are the validations of what a company has besides its settings. Names of secrets are not repeated: people paste
// the secret itself.
func companies(b *strings.Builder) {
	validation(b, "length(var.companies) > 0", "At least one company is required.")
	validation(b, "alltrue([for id in keys(var.companies) : "+fits(companyPattern, "id")+"])",
		"Company ids: expected lower-case letters, digits and -, a letter first, at most 31.")
	every := func(test, message string) {
		validation(b, "alltrue([for c in values(var.companies) : "+test+"])", message)
	}
	every(fits(addressPattern, "c.q360.base_url"), "q360.base_url: expected an address such as https://host.example.com.")
	every("c.invoiced.base_url == null ? true : "+fits(addressPattern, "c.invoiced.base_url"),
		"invoiced.base_url: expected an address such as https://api.invoiced.com.")
	every("c.q360.mapping == null ? true : can(keys(yamldecode(c.q360.mapping)))",
		"q360.mapping: expected the mapping itself as the text of a YAML map, not the path of a file.")
	for _, key := range []string{"q360.credentials_secret", "invoiced.api_key_secret", "invoiced.webhook_secret"} {
		every(fits(secretPattern, "c."+key), key+": expected the name of a secret such as invoiced-us-api-key, not the secret itself.")
	}
}

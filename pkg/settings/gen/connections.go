package gen

import "strings"

// connections are the attributes of a company besides its settings, as package config reads them.
const connections = `    name = optional(string)
    q360 = object({
      base_url           = string
      credentials_secret = string
      mapping            = optional(string)
    })
    invoiced = object({
      base_url       = optional(string)
      api_key_secret = string
      webhook_secret = string
    })
    settings = object({
`

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
	for _, key := range []string{"q360.credentials_secret", "invoiced.api_key_secret", "invoiced.webhook_secret"} {
		every(fits(secretPattern, "c."+key), key+": expected the name of a secret such as invoiced-us-api-key, not the secret itself.")
	}
}

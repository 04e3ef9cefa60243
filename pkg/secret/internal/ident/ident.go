// Package ident is the rule for names of secrets that all sources share.
package ident

import "fmt"

// maxName is the longest name, the limit of Secret Manager.
const maxName = 255

// Check refuses a name that is not made of lower-case letters, digits and single hyphens between them. The rule is
// narrower than Secret Manager's, so that every name is also a file name and one environment variable.
func Check(name string) error {
	ok := name != "" && len(name) <= maxName
	last := byte('-')
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		ok = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' && last != '-'
		last = c
	}
	if !ok || last == '-' {
		return fmt.Errorf("secret name %.100q is not allowed: use lower-case letters, digits and single hyphens between them", name)
	}
	return nil
}

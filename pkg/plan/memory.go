package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
	"github.com/arbridge/arbridge/pkg/settings"
)

// Memory is what a record remembers of its fields in the portal, so that each side keeps what it owns: a field is written
// again only when the ERP's value is another than the one last written. Values are digests, except under the keys that
// begin with "kept": there is what the portal had before sandbox mode replaced it, to be put back when the company goes
// live.
type Memory map[string]string

// The keys of a customer's memory.
const (
	memoryName       = "name"
	memoryTerms      = "terms"
	memoryPhone      = "phone"
	memoryAddress    = "address"
	memoryEmail      = "email"
	memoryRecipients = "recipients"    // which recipients the portal holds: live, or sandbox and a digest of the safe address
	memoryContact    = "contact "      // and the ERP's number: who made it, and a digest of each field
	keptEmail        = "kept email"    // of the customer
	keptChase        = "kept chase"    // "true" when the portal sent reminders
	keptContact      = "kept contact " // and the portal's id: its e-mail address
)

const (
	liveRecipients    = "live"
	sandboxRecipients = "sandbox "
)

func digest(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:8])
}

func addressText(a billing.Address) string {
	return strings.Join([]string{a.Line1, a.Line2, a.City, a.State, a.PostalCode, a.Country}, "\n")
}

// With is the memory after a change; empty values forget.
func (m Memory) With(change Memory) Memory {
	out := m.clone()
	for name, value := range change {
		keep(out, name, value)
	}
	return out
}

// Kept is the part that must be remembered before anything is written: what sandbox mode is about to replace.
func (m Memory) Kept() Memory {
	out := Memory{}
	for name, value := range m {
		if strings.HasPrefix(name, "kept ") {
			out[name] = value
		}
	}
	return out
}

// WithRecipients is the memory with the recipients of another: they are right only once the contacts are done too.
func (m Memory) WithRecipients(other Memory) Memory {
	return m.With(Memory{memoryRecipients: other[memoryRecipients]})
}

func (m Memory) clone() Memory {
	out := maps.Clone(m)
	if out == nil {
		out = Memory{}
	}
	return out
}

// join is two changes as one.
func (m Memory) join(o Memory) Memory {
	out := m.clone()
	maps.Copy(out, o)
	return out
}

func keep(m Memory, name, value string) {
	if value == "" {
		delete(m, name)
		return
	}
	m[name] = value
}

// recipients names what the settings let the portal hold.
func recipients(set settings.Company) string {
	if set.Mode == settings.ModeSandbox {
		return sandboxRecipients + digest(strings.ToLower(set.SafeEmail))
	}
	return liveRecipients
}

// Recipients names the recipients that the portal may hold under the settings: a change of it means that every customer
// has to be looked at. It is empty while the company's mode lets nothing be written.
func Recipients(set settings.Company) string {
	if set.Mode == settings.ModeReadOnly || set.Mode == settings.ModePaused {
		return ""
	}
	return recipients(set)
}

// RecipientsRight reports whether the portal holds the recipients that the company's mode asks for: in sandbox mode none
// but the safe address, otherwise people's own. Until it does, nothing may be sent to the customer (F17).
func RecipientsRight(m Memory, set settings.Company) bool {
	switch set.Mode {
	case settings.ModeReadOnly, settings.ModePaused:
		return true // nothing is written
	case settings.ModeSandbox:
		return m[memoryRecipients] == recipients(set)
	}
	return !strings.HasPrefix(m[memoryRecipients], sandboxRecipients)
}

// RecipientsMove reports whether contacts have to be looked at whatever contacts.sync says: to keep real addresses out in
// sandbox mode, or to put them back after it.
func RecipientsMove(m Memory, set settings.Company) bool {
	s := newShield(m, set)
	return s.on || s.leaves()
}

// recipient is one stored e-mail address of a customer or contact.
type recipient struct {
	have  string // in the portal
	want  string // of the ERP, which may have changed
	known string // digest of the ERP's address last written; empty for none
	kept  string // what sandbox mode replaced
}

// shield replaces recipients in sandbox mode, and puts them back afterwards.
type shield struct {
	on   bool   // sandbox mode
	was  string // memoryRecipients of the last write
	safe string
}

func newShield(m Memory, set settings.Company) shield {
	return shield{on: set.Mode == settings.ModeSandbox, was: m[memoryRecipients], safe: strings.ToLower(set.SafeEmail)}
}

// leaves reports whether the portal may still hold safe addresses that are to be replaced by real ones.
func (s shield) leaves() bool { return !s.on && strings.HasPrefix(s.was, sandboxRecipients) }

// placed reports whether the address is a safe one, of now or of the last write.
func (s shield) placed(email string) bool {
	return s.on && email == s.safe || s.was == sandboxRecipients+digest(email)
}

// judge gives the address to store and the one to keep for later. follow says that the ERP's address is kept up to date
// where the portal still has the one last written, or always, with force.
func (s shield) judge(r recipient, follow, force bool) (email, kept string) {
	if s.on {
		return s.cover(r)
	}
	if s.leaves() && s.placed(r.have) {
		return cmp.Or(r.kept, r.want), ""
	}
	changed := r.known != digest(r.want) && r.want != ""
	if follow && changed && (force || r.known == digest(r.have)) {
		return r.want, ""
	}
	return r.have, ""
}

// cover puts the safe address in place of any other. What the ERP does not know is kept.
func (s shield) cover(r recipient) (email, kept string) {
	switch {
	case r.have == "" && r.want == "":
		return "", r.kept
	case r.have == "" || s.placed(r.have):
		return s.safe, r.kept
	case digest(r.have) != r.known:
		return s.safe, r.have
	}
	return s.safe, ""
}

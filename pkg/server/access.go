package server

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Role is what a caller of this server may do.
type Role int

// The roles, each of which may do what the ones before it may.
const (
	Public   Role = iota // anybody: the handler itself checks who calls, or gives nothing away
	Viewer               // may look
	Operator             // may act
)

// String implements fmt.Stringer.
func (r Role) String() string {
	switch r {
	case Public:
		return "public"
	case Viewer:
		return "viewer"
	case Operator:
		return "operator"
	}
	return "unknown role"
}

// file is the file of a data folder that holds the role's token.
func (r Role) file() string { return r.String() + ".token" }

// tokenBytes is the length of a token; its text is twice as long.
const tokenBytes = 32

// Tokens are the bearer tokens of the roles above Public. The zero value has none and lets nobody in.
type Tokens struct{ byRole [Operator + 1]string }

// NewTokens makes tokens of random bytes.
func NewTokens() (Tokens, error) {
	var t Tokens
	for _, r := range []Role{Viewer, Operator} {
		b := make([]byte, tokenBytes)
		if _, err := rand.Read(b); err != nil {
			return Tokens{}, fmt.Errorf("making the token of the %s: %w", r, err)
		}
		t.byRole[r] = hex.EncodeToString(b)
	}
	return t, nil
}

// Save writes the tokens into a folder, viewer.token and operator.token, readable by the owner of the files alone. What was
// there is replaced at once, so that nobody reads half a token and no old one stays.
func (t Tokens) Save(dir string) error {
	for _, r := range []Role{Viewer, Operator} {
		if err := save(filepath.Join(dir, r.file()), t.byRole[r]); err != nil {
			return fmt.Errorf("writing the token of the %s: %w", r, err)
		}
	}
	return nil
}

func save(path, token string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".token-*") // of mode 0600, whatever the umask
	if err != nil {
		return err
	}
	_, err = f.WriteString(token + "\n")
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// LoadToken reads the token of a role from a data folder, for a client of the server that has the folder.
func LoadToken(dir string, r Role) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, r.file()))
	if err != nil {
		return "", fmt.Errorf("reading the token of the %s: %w; only the account that the server runs under may", r, err)
	}
	token := strings.TrimSpace(string(b))
	if raw, err := hex.DecodeString(token); err != nil || len(raw) != tokenBytes {
		return "", fmt.Errorf("reading the token of the %s: %s holds none; the next start of the server writes it", r, r.file())
	}
	return token, nil
}

// Token is the token of a role, for a client in the same process; empty for Public.
func (t Tokens) Token(r Role) string { return t.byRole[r] }

// may reports whether the header of a request carries the token of the role or of one above it. Each is compared in the
// time it takes whichever fits.
func (t Tokens) may(h http.Header, role Role) bool {
	scheme, given, _ := strings.Cut(h.Get("Authorization"), " ")
	found := false
	for r := role; r <= Operator; r++ {
		same := subtle.ConstantTimeCompare([]byte(given), []byte(t.byRole[r])) == 1
		found = found || same && t.byRole[r] != ""
	}
	return found && strings.EqualFold(scheme, "Bearer")
}

// Guard lets a request through only if it comes from this machine, by its loopback address, from a program and not from a
// web page, with the token of the role or of one above it. So neither another account of the machine, nor a page in the
// browser of its user, nor a name that was pointed here (DNS rebinding) can act. For Public it is the handler itself.
func (t Tokens) Guard(role Role, next http.Handler) http.Handler {
	if role == Public {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !fromLoopback(r.RemoteAddr):
			http.Error(w, "this answers on loopback only", http.StatusForbidden)
		case !local(r.Host):
			http.Error(w, "call this by the loopback address", http.StatusForbidden)
		case fromBrowser(r.Header):
			http.Error(w, "this is not for web pages", http.StatusForbidden)
		case !t.may(r.Header, role):
			w.Header().Set("WWW-Authenticate", `Bearer realm="arbridge"`)
			http.Error(w, "the token of the "+role.String()+" is needed: "+role.file()+" in the data folder", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// fromLoopback reports whether the address of a peer is on this machine.
func fromLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// fromBrowser reports whether headers are there that browsers add and scripts of pages can not leave out.
func fromBrowser(h http.Header) bool {
	for _, name := range []string{"Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Referer"} {
		if h.Get(name) != "" {
			return true
		}
	}
	return false
}

// local reports whether a Host header names this machine by its loopback address.
func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// WriteJSON answers with v as JSON.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that went away needs no answer
}

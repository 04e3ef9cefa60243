package invoiced

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/arbridge/arbridge/pkg/secret"
)

// SignatureHeader is the header of a webhook delivery that holds its signature (invoiced-api 10).
const SignatureHeader = "X-Invoiced-Signature"

// Verify checks the signature of a webhook delivery over its raw body: HMAC-SHA256 in hex of either case, with or
// without the prefix "sha256=" (invoiced-api 10). Every secret is tried in the same time, whichever fits; index is the
// one that did, so that the use of an old one can be seen. Errors: ErrNoSecret, ErrSignature; index is -1 then.
//
// The signature covers no time, so a delivery can be replayed: de-duplicate by the event's id.
func Verify(body []byte, signature string, secrets []secret.Value) (index int, err error) {
	got, malformed := decodeSignature(signature)
	index, usable := -1, 0
	for i, s := range secrets {
		key := strings.TrimSpace(s.Reveal())
		if key == "" {
			continue // an empty key would let anybody sign
		}
		usable++
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(body)
		if hmac.Equal(mac.Sum(nil), got) && index < 0 {
			index = i
		}
	}
	switch {
	case usable == 0:
		return -1, ErrNoSecret
	case malformed || index < 0:
		return -1, ErrSignature
	}
	return index, nil
}

// decodeSignature gives 32 bytes in any case, so that the comparison takes the same time for a malformed one.
func decodeSignature(s string) (sum []byte, malformed bool) {
	s = strings.TrimSpace(s)
	const prefix = "sha256="
	if len(s) > len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		s = s[len(prefix):]
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != sha256.Size {
		return make([]byte, sha256.Size), true
	}
	return b, false
}

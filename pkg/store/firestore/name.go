package firestore

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/arbridge/arbridge/pkg/store"
)

const (
	prefixLen = 8    // hex digits of the hash in front of a document id
	maxName   = 1400 // bytes of a document id; Firestore takes 1,500
	cutName   = 600  // bytes of the readable part when the whole key does not fit
)

// nameEscaper keeps keys readable: "/", which Firestore does not take, becomes "~".
var nameEscaper = strings.NewReplacer("%", "%25", "~", "%7E", "/", "~")

// documentID spreads keys over the key range, so that consecutive numbers do not make one hot spot, and keeps different
// ids different: "-" is followed by the whole escaped key, "=" by the start of a key too long and its whole hash.
func documentID(id string) string {
	sum := sha256.Sum256([]byte(id))
	hash := hex.EncodeToString(sum[:])
	escaped := nameEscaper.Replace(id)
	if len(escaped) <= maxName {
		return hash[:prefixLen] + "-" + escaped
	}
	cut := cutName
	for !utf8.RuneStart(escaped[cut]) {
		cut--
	}
	return hash[:prefixLen] + "=" + escaped[:cut] + "-" + hash
}

// name is the full resource name of a document.
func (s *Store) name(c store.Collection, id string) string {
	return s.documents + "/" + string(c) + "/" + documentID(id)
}

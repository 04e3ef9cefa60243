// Package plan decides. Each decision is a function from values — the source record as read, the destination as read, our
// own state, the settings, the time — to a Plan, which is a value too: it can be printed, stored, compared and applied.
// The sync, the preview, the reconciliation and the simulation all ask the same functions; no rule exists twice.
//
// The package is pure: no I/O, no clock, no randomness, no logging.
package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/arbridge/arbridge/pkg/billing"
)

// Verdict is the outcome of a decision.
type Verdict string

// The verdicts.
const (
	Create   Verdict = "create"
	Update   Verdict = "update"
	Adopt    Verdict = "adopt"    // it is there already and right: remember its id, write nothing
	None     Verdict = "none"     // in step, nothing to do
	Skip     Verdict = "skip"     // not ours to send; may change when the record or a setting does
	Hold     Verdict = "hold"     // waits for something that comes by itself
	Conflict Verdict = "conflict" // a person has to decide
)

// Op is what a step does.
type Op string

// The operations of steps.
const (
	OpCreate Op = "create"
	OpUpdate Op = "update"
	OpDelete Op = "delete"
	OpVoid   Op = "void" // the document stays and counts no more
)

// Step is one effect on a vendor. Exactly one of the bodies is set, after Kind.
type Step struct {
	Op   Op           `json:"op"`
	Kind billing.Kind `json:"kind"`
	// Key is the natural key of the effect: what must happen at most once has one key for ever.
	Key string `json:"key"`
	// Target is the vendor's id of what is updated or deleted.
	Target string `json:"target,omitempty"`
	// Expect is the destination's total the plan was made from; the step is dropped and planned again if it moved.
	Expect string `json:"expect,omitempty"`
	// Lines says that an update changes nothing but the form of the lines: the hash on the document tells nothing about it.
	Lines      bool                    `json:"lines,omitempty"`
	Document   *billing.PortalDocument `json:"document,omitempty"`
	Customer   *billing.PortalCustomer `json:"customer,omitempty"`
	Patch      *billing.CustomerPatch  `json:"patch,omitempty"`
	Contact    *billing.PortalContact  `json:"contact,omitempty"`
	Receipt    *billing.Receipt        `json:"receipt,omitempty"`
	History    *billing.HistoryEntry   `json:"history,omitempty"`
	Credit     *CreditUse              `json:"credit,omitempty"`
	Attachment *Attachment             `json:"attachment,omitempty"`
	Mail       *Mail                   `json:"mail,omitempty"`
}

// Plan is a decision.
type Plan struct {
	Verdict Verdict  `json:"verdict"`
	Steps   []Step   `json:"steps,omitempty"`
	Reasons []Reason `json:"reasons,omitempty"`
}

// Has reports whether the plan carries the reason.
func (p Plan) Has(code Code) bool {
	for _, r := range p.Reasons {
		if r.Code == code {
			return true
		}
	}
	return false
}

func stop(v Verdict, reasons ...Reason) Plan { return Plan{Verdict: v, Reasons: reasons} }

// key joins the parts of a natural key. Parts may hold anything; different parts give different keys.
func key(parts ...string) string {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = strings.ReplaceAll(strings.ReplaceAll(p, "%", "%25"), "/", "%2F")
	}
	return strings.Join(escaped, "/")
}

// Digest identifies the content of a step, for the journal.
func (s Step) Digest() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("plan: " + err.Error()) // steps are plain values and always encode
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

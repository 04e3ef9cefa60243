package simulation

import (
	_ "embed"
	"encoding/json"
)

// Bug is a mistake that could be made in arbridge: a text of a file in place of another one. The simulation has to notice
// each of them. No file is changed: go build -overlay compiles the bug.
type Bug struct {
	Name      string `json:"name"`
	File      string `json:"file"` // below the module's root
	Old       string `json:"old"`  // occurs exactly once
	New       string `json:"new"`
	Invariant string `json:"invariant"` // that is expected to break
}

//go:embed bugs.json
var bugs []byte

// Bugs lists the mistakes.
func Bugs() []Bug {
	var out []Bug
	if err := json.Unmarshal(bugs, &out); err != nil {
		panic("simulation: bugs.json: " + err.Error()) // a test reads it
	}
	return out
}

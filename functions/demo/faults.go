package demo

import (
	"fmt"

	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/sandbox"
)

// misbehave makes both vendors lose answers after they committed, fail before they did anything, throttle, and answer
// with pages and halves of answers. What arbridge makes of it must be the same as without.
func (w *world) misbehave(seed uint64) error {
	portal := []sandbox.Rule{
		{Method: "POST", Kind: sandbox.FaultDropAfter, Percent: 8},
		{Method: "POST", Kind: sandbox.FaultStatusDone, Status: 502, Percent: 4},
		{Method: "POST", Kind: sandbox.FaultTruncate, Percent: 4},
		{Method: "POST", Kind: sandbox.FaultDropBefore, Percent: 6},
		{Method: "POST", Kind: sandbox.FaultStatus, Status: 429, RetryAfter: "1", Percent: 2},
		{Method: "GET", Kind: sandbox.FaultHTML, Percent: 3},
	}
	if _, err := w.erp.SetFaults(q360sim.FaultRules{Seed: seed, Rules: erpFaults()}); err != nil {
		return fmt.Errorf("faults of the ERP: %w", err)
	}
	if _, err := w.portal.SetFaults(invoicedsim.FaultSet{Seed: seed, Rules: portal}); err != nil {
		return fmt.Errorf("faults of the portal: %w", err)
	}
	return nil
}

// erpFaults are the faults of the ERP while both vendors misbehave.
func erpFaults() []sandbox.Rule {
	return []sandbox.Rule{
		{Method: "PUT", Kind: sandbox.FaultDropAfter, Percent: 12},
		{Method: "PUT", Kind: sandbox.FaultStatusDone, Status: 500, Percent: 5},
		{Method: "PUT", Kind: sandbox.FaultTruncate, Percent: 5},
		{Method: "PUT", Kind: sandbox.FaultDropBefore, Percent: 8},
		{Method: "PUT", Kind: sandbox.FaultHTML, Percent: 4},
		{Method: "POST", Kind: sandbox.FaultHTML, Percent: 2},
		{Method: "POST", Kind: sandbox.FaultTruncate, Percent: 2},
		{Method: "POST", Kind: sandbox.FaultStatus, Status: 503, RetryAfter: "1", Percent: 2},
	}
}

package store

import (
	"fmt"
	"slices"
	"strings"
)

// Collection names a set of documents. Every collection that exists is listed in Collections.
type Collection string

// The collections, with their keys (design: infra/docs/architecture.md, "State").
const (
	Records  Collection = "records"  // company/kind/source id: our sync record
	Sources  Collection = "sources"  // company/kind/source id: the ERP's record as last read
	Journal  Collection = "journal"  // natural key of an effect
	Inbox    Collection = "inbox"    // company/vendor event id: a webhook or event as received
	Cursors  Collection = "cursors"  // company/feed
	Leases   Collection = "leases"   // what is being worked on, by whom, until when
	Issues   Collection = "issues"   // company/cause
	Runs     Collection = "runs"     // company/flow: the last tick and its counts
	Audit    Collection = "audit"    // operator actions, append-only
	Controls Collection = "controls" // company: what operators paused; company/breaker/vendor: what a process stopped calling

	Reconciliations Collection = "reconciliations" // company/time: counts, sums and differences of both sides
)

// Collections lists every collection.
var Collections = []Collection{Records, Sources, Journal, Inbox, Cursors, Leases, Issues, Runs, Audit, Controls, Reconciliations}

// TTLField is the field, in Time format, after which a document may be removed by the store's retention. Only
// collections with retention set it; journal entries of money never do. Reads must not rely on the removal.
const TTLField = "expire_at"

// Retained lists the collections whose documents may set TTLField. The embedded store removes what expired; on Google Cloud
// a TTL policy on the field does.
var Retained = []Collection{Inbox, Reconciliations}

// Shape is a query shape that the code uses. Implementations refuse others, and infrastructure must have an index for
// each: that is how a query can not work here and fail in production (gcp-go-stack 2.3).
type Shape struct {
	Collection Collection
	Equal      []string // sorted
	OrderBy    string
	Desc       bool
}

// Shapes lists every query shape in use.
var Shapes = []Shape{
	{Records, nil, "due_at", false},                                         // the sweep: what is due
	{Records, []string{"company"}, "due_at", false},                         // what is due in one company
	{Records, []string{"company"}, "updated_at", true},                      // list of one company, newest first
	{Records, []string{"company", "status"}, "updated_at", true},            // list by status
	{Records, []string{"company", "kind", "portal_id"}, "updated_at", true}, // from a portal id to our record
	{Records, []string{"company", "kind"}, "updated_at", true},              // records of a kind, newest first
	{Records, []string{"company", "waits_for"}, "updated_at", true},         // wake what waits for a dependency
	{Sources, []string{"company", "kind"}, "source_id", false},              // all known source records of a kind
	{Journal, []string{"record"}, "intended_at", false},                     // effects of one record
	{Journal, []string{"state"}, "check_at", false},                         // unknown outcomes to look up
	{Inbox, []string{"state"}, "due_at", false},                             // received, not yet handled
	{Inbox, []string{"subject"}, "received_at", false},                      // events of one portal object
	{Inbox, []string{"company", "state"}, "received_at", true},              // events that could not be used
	{Inbox, []string{"company", "via"}, "received_at", true},                // how a company's events come in
	{Issues, []string{"company", "state"}, "updated_at", true},              // open issues
	{Audit, []string{"company"}, "at", true},                                // operator actions, newest first
	{Reconciliations, []string{"company"}, "at", true},                      // newest first
}

// Validate checks the query against Shapes and its limits.
func (q Query) Validate() error {
	names := make([]string, 0, len(q.Equal))
	for _, e := range q.Equal {
		names = append(names, e.Field)
	}
	slices.Sort(names)
	for _, s := range Shapes {
		if s.Collection == q.Collection && slices.Equal(s.Equal, names) && s.OrderBy == q.OrderBy && s.Desc == q.Desc {
			if q.Limit < 1 || q.Limit > 1000 {
				return fmt.Errorf("query of %s: limit %d is not in 1..1000", q.Collection, q.Limit)
			}
			return nil
		}
	}
	return fmt.Errorf("query of %s by %s order %s: %w", q.Collection, strings.Join(names, ","), q.OrderBy, ErrShape)
}

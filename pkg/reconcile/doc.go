// Package reconcile compares an ERP's receivables with a payment portal's, with arbridge's own records beside them: counts
// and sums on both sides by company, currency and period, and every difference with its reason, or as unexplained with
// what would mend it. It reads both vendors and never writes to one.
//
// Compare is the core: a function of values. What would be sent, and why not, is asked of package plan and of the records;
// there is no rule of its own here. Reconciler reads what Compare needs, page by page, reads once more what did not agree,
// and stores a summary.
package reconcile

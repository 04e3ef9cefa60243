package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	"github.com/arbridge/arbridge/pkg/journal"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// feature is one row of infra/docs/features.md with what of it is found afterwards, in the vendors' ledgers and arbridge's
// records. The text has a %d for a count that every run ends with; what depends on timing is only told as seen.
type feature struct {
	id, text string
	n        int
}

func (f feature) words() string {
	if strings.Contains(f.text, "%d") {
		return fmt.Sprintf(f.text, f.n)
	}
	return f.text
}

// evidence is where features are looked for.
type evidence struct {
	*books
	s   *stage
	err error // the first
}

// printFeatures prints what operators did and what was seen of every feature, and reports whether it was all of them.
func (s *stage) printFeatures(ctx context.Context, b *books) (bool, error) {
	if err := s.printAudit(ctx); err != nil {
		return false, err
	}
	e := &evidence{books: b, s: s}
	all := slices.Concat(e.documents(), e.customers(), e.rules(), e.money(ctx), e.operations(ctx))
	if e.err != nil {
		return false, fmt.Errorf("looking for the features: %w", e.err)
	}
	slices.SortFunc(all, func(x, y feature) int { return strings.Compare(x.id, y.id) })
	fmt.Fprintln(s.opt.Out, "\nFeatures, and what was seen of them (infra/docs/features.md):")
	shown := true
	for _, f := range all {
		if f.n <= 0 {
			shown = false
			fmt.Fprintf(s.opt.Out, "  %s  NOT SEEN: %s\n", f.id, f.words())
			continue
		}
		fmt.Fprintf(s.opt.Out, "  %s  %s\n", f.id, f.words())
	}
	return shown, nil
}

// printAudit prints what operators did, oldest first.
func (s *stage) printAudit(ctx context.Context) error {
	fmt.Fprintf(s.opt.Out, "\nWhat operators did (arbridge audit --data %s):\n", s.opt.Dir)
	for _, c := range s.world.branches {
		log, err := s.platform.Engine.AuditLog(ctx, c.id, 1000)
		if err != nil {
			return err
		}
		slices.Reverse(log)
		printAudits(s.opt.Out, c.id, log)
	}
	return nil
}

func printAudits(out io.Writer, company string, log []record.Audit) {
	for _, a := range log {
		if !strings.HasPrefix(a.After, notWorked) {
			fmt.Fprintf(out, "  %-4s  %s: %s %s (%s)\n", company, a.Actor, words(a.Action), a.Target, a.Reason)
		}
	}
}

// count is how many records are as wanted.
func (e *evidence) count(wanted func(record.Record) bool) int {
	n := 0
	for _, r := range e.records {
		if wanted(r) {
			n++
		}
	}
	return n
}

// unknownMails is how many e-mails may have been sent or not: nobody can look that up.
func (b *books) unknownMails() int {
	n := 0
	for _, r := range b.records {
		if slices.ContainsFunc(r.Reasons, func(x plan.Reason) bool { return x.Code == plan.MailUnknown }) {
			n++
		}
	}
	return n
}

// mails are the e-mails that the portal sent for a company.
func (e *evidence) mails(company string) []invoicedsim.Email {
	mails, err := e.world.portal.Emails(company)
	e.note(err)
	return mails
}

// note keeps the first error.
func (e *evidence) note(err error) {
	if e.err == nil {
		e.err = err
	}
}

// because is how many records have one of the reasons.
func (e *evidence) because(codes ...plan.Code) int {
	return e.count(func(r record.Record) bool {
		return slices.ContainsFunc(r.Reasons, func(x plan.Reason) bool { return slices.Contains(codes, x.Code) })
	})
}

// told is how many records have words in their timeline.
func (e *evidence) told(text string) int {
	return e.count(func(r record.Record) bool {
		return slices.ContainsFunc(r.Timeline, func(x record.Entry) bool { return strings.Contains(x.What+" "+x.Text, text) })
	})
}

// inStep reports whether an invoice of the story ended in step.
func (e *evidence) inStep(company, number string) bool {
	return e.known[record.ID(company, "invoice", number)].Status == record.Synced
}

// object is what the portal's API shows of an invoice of the story.
func (e *evidence) object(account, number string) map[string]any {
	r, err := e.world.portal.Acknowledge(invoicedsim.PortalAction{Account: account, Number: number})
	return e.decode(r.Object, err)
}

// profile is what the portal's API shows of a customer of the story.
func (e *evidence) profile(account, number string) map[string]any {
	r, err := e.world.portal.ChangeProfile(invoicedsim.Profile{Account: account, Step: "look-" + number, Customer: invoicedsim.Ref(number)})
	return e.decode(r.Object, err)
}

func (e *evidence) decode(text []byte, err error) map[string]any {
	out := map[string]any{}
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	e.note(err)
	return out
}

// holds counts the conditions that hold, if all do.
func holds(conditions ...bool) int {
	if slices.Contains(conditions, false) {
		return 0
	}
	return len(conditions)
}

// invoices are the invoices of all accounts, or of one.
func (b *books) invoices(account string) []invoicedsim.LedgerDocument {
	var out []invoicedsim.LedgerDocument
	for _, c := range b.world.branches {
		if account == "" || account == c.id {
			out = append(out, b.portals[c.id].Invoices...)
		}
	}
	return out
}

func (b *books) statusOf(account, number string) string {
	for _, d := range b.invoices(account) {
		if d.Number == number {
			return d.Status
		}
	}
	return ""
}

// documents are the features of documents and their files.
func (e *evidence) documents() []feature {
	files, drafts, credits := 0, 0, 0
	for _, d := range e.invoices("") {
		files += d.Files
		if d.Status == "draft" {
			drafts++
		}
	}
	uses := 0
	for _, l := range e.portals {
		credits += len(l.CreditNotes)
		for _, p := range l.Payments {
			for _, a := range p.Applied {
				if a.CreditNote != "" {
					uses++
				}
			}
		}
	}
	synced := e.count(func(r record.Record) bool {
		return r.Kind == "invoice" && r.PortalKind == "invoice" && (r.Status == record.Synced || r.Status == record.Variance)
	})
	waited := e.known[record.ID("lab", "invoice", "WAIT-1")]
	waits := slices.ContainsFunc(waited.Timeline, func(x record.Entry) bool { return strings.Contains(x.Text, plan.Because(plan.WaitsForFile).Text()) })
	changed := e.object("us", "CHANGE-1")["total"]
	return []feature{
		{"F01", "%d invoices are in the portal with the ERP's total, to the cent", synced},
		{"F02", "%d invoices whose lines do not add up went over as one line, or with a rounding line", e.because(plan.LinesDoNotAddUp, plan.RoundingLine)},
		{"F07", "%d credit notes are in the portal, and were applied as credit_notes.apply says", min(credits, credits*holds(uses == 2))},
		{"F10", "%d PDFs are attached; that of NOTE-1 was replaced by its newer version", files * holds(e.told("Invoice_NOTE-1.pdf") > 0)},
		{"F11", "%d invoice waited for its PDF, and went over when it came", holds(waits && e.inStep("lab", "WAIT-1"))},
		{"F12", "%d invoices were created as drafts, and nothing was e-mailed about them; company ca e-mails its invoices", drafts * holds(len(e.mails("ca")) > 0, len(e.mails("rent")) == 0) / 2},
		{"F13", "%d invoice shows the ERP's comment", holds(e.object("ca", "NOTE-1")["notes"] == noteText)},
		{"F16", "%d documents are not posted in the ERP, and none of them went over", e.neverPosted()},
		{"F18", "%d documents changed or vanished: one updated, one flagged after payment, one un-posted, one voided, two removed in the portal stay so", holds(
			fmt.Sprint(changed) == "650", e.because(plan.ChangedWhenPaid) == 1, e.because(plan.NoLongerPosted) == 1, e.because(plan.GoneVoided) == 1,
			e.because(plan.VoidedInPortal) == 1 && e.statusOf("us", "VOID-1") == "voided", e.statusOf("us", "DELETE-1") == "")},
	}
}

// neverPosted are the documents that the ERP has not posted; none may be in the portal, or the count is none.
func (e *evidence) neverPosted() int {
	n := 0
	for _, r := range e.rows {
		if r.text == plan.Because(plan.NotPosted).Text() {
			if n++; e.statusOf(r.company, r.number) != "" {
				return -1
			}
		}
	}
	return n
}

// customers are the features of customers, and of recipients in sandbox mode.
func (e *evidence) customers() []feature {
	parties, contacts, safe := 0, 0, 0
	for _, l := range e.portals {
		for _, c := range l.Customers {
			parties++
			contacts += len(c.Contacts)
		}
	}
	for _, c := range e.portals["lab"].Customers {
		addresses := []string{c.Email}
		for _, k := range c.Contacts {
			addresses = append(addresses, k.Email)
		}
		for _, a := range addresses {
			switch a {
			case safeAddress:
				safe++
			case "":
			default:
				safe = -1_000_000 // one other address is too much
			}
		}
	}
	for _, m := range e.mails("lab") {
		if m.To != safeAddress {
			safe = -1_000_000
		}
	}
	us, eu := e.profile("us", "STAGE-US"), e.profile("eu", "STAGE-EU")
	moved := []bool{us["name"] == "Harbour Stage & Screen", us["payment_terms"] == "NET60", us["address1"] == "7 Quay Street"}
	return []feature{
		{"F03", "%d customers are in the portal, each under its ERP number", parties},
		{"F04", "%d contacts went with them, in the roles of each company", contacts},
		{"F05", "%d addresses: company us takes the billing site's, company eu the main one", 2 * holds(us["address1"] == "7 Quay Street" && eu["address1"] == "1 Main Street")},
		{"F06", "%d fields of STAGE-US followed the ERP; what it wrote in the portal stayed", holds(moved...) * holds(us["attention_to"] == portalsOwn)},
		{"F17", "%d addresses are stored for company lab: every one is the safe address, and so is every recipient of its e-mails", safe},
	}
}

// rules are the features of settings.
func (e *evidence) rules() []feature {
	autopaid := 0
	for _, p := range e.portals["eu"].Payments {
		if p.Source == "autopay" && e.known[record.ID("eu", "payment", strconv.FormatInt(p.ID, 10))].Status == record.Synced {
			autopaid++
		}
	}
	excluded := holds(e.because(plan.CustomerExcluded) == 1, e.because(plan.BalanceBelow) == 1, e.because(plan.MethodExcluded) == 1) * holds(e.inStep("lab", "LATER-1"))
	text, err := os.ReadFile(filepath.Join(e.s.opt.Dir, "config.yaml"))
	e.note(err)
	return []feature{
		{"F14", "%d invoice was collected by AutoPay, by the rule for its customer's contracts", autopaid},
		{"F15", "%d rules kept invoices out, each with its reason; what a looser rule let through went over by backfill", excluded},
		{"F43", "%d settings make the companies different (config.yaml)", len(regexp.MustCompile(`(?m)^ {6}[a-z_]+\.[a-z_]+: [^#\n]*$`).FindAll(text, -1))},
	}
}

// money are the features of payments and receipts.
func (e *evidence) money(ctx context.Context) []feature {
	receipts, currencies, companies, fees := 0, 0, map[string]bool{}, 0
	for _, k := range e.at {
		if receipts += k.count; k.count > 0 {
			currencies++
		}
		if k.inPortal > 0 {
			companies[k.company] = true
		}
		if !k.fees.IsZero() {
			fees++
		}
	}
	back := e.because(plan.ReversedAfter, plan.Refunded, plan.RefundedWhole, plan.Disputed)
	return []feature{
		{"F08", "%d books, each company in each currency with its bank account, have receipts", currencies},
		{"F09", "%d companies of one ERP run side by side, each with its portal account and rules", len(companies)},
		{"F20", "webhooks came in, verified, kept, and handled once, also those sent twice", e.came(ctx, "ca", "webhook")},
		{"F21", "%d receipts are in the ERP, each to the cent what its payment was; TWIN-1 and TWIN-2 of two customers have two from one payment", receipts * holds(e.twins(ctx) == 2)},
		{"F22", "%d books have convenience fees in their receipts: spread over invoices, or as one line", fees},
		{"F23", "%d payment is left out, because the portal did not charge it", e.because(plan.NotCharged)},
		{"F24", "%d payments went back or are disputed after posting; as many tasks name their receipts, which stay", back * holds(back == 5)},
		{"F25", "%d uses of credits are no cash, and have no receipt", e.because(plan.CreditsOnly)},
		{"F26", "%d payments whose webhooks were lost were found all the same", e.found(ctx)},
		{"F27", "%d kinds of history entries are in the ERP: viewed, commented, paid", e.entries()},
	}
}

// twins is how many receipts the payment of two customers has.
func (e *evidence) twins(ctx context.Context) int {
	p, err := e.s.payment(ctx, "us", "TWIN-1")
	e.note(err)
	return len(p.Receipts)
}

// found is how many of the payments that happened while webhooks were lost have their receipt, and came in by the gap fill.
func (e *evidence) found(ctx context.Context) int {
	n := 0
	for i := 1; i <= 3; i++ {
		p, err := e.s.payment(ctx, "eu", "WEB-"+strconv.Itoa(i))
		e.note(err)
		inbox := store.Table[record.Inbox]{Store: e.s.platform.Store, Collection: store.Inbox}
		rows, err := inbox.Query(ctx, store.Query{Equal: []store.Equal{{Field: "subject", Value: store.ID("eu", "payment", p.SourceID)}}, OrderBy: "received_at", Limit: 10})
		e.note(err)
		if p.Status == record.Synced && len(rows) > 0 && rows[0].Value.Via == "gap_fill" {
			n++
		}
	}
	return n
}

// came is whether events of a company came in some way.
func (e *evidence) came(ctx context.Context, company, via string) int {
	inbox := store.Table[record.Inbox]{Store: e.s.platform.Store, Collection: store.Inbox}
	rows, err := inbox.Query(ctx, store.Query{
		Equal: []store.Equal{{Field: "company", Value: company}, {Field: "via", Value: via}}, OrderBy: "received_at", Desc: true, Limit: 1,
	})
	e.note(err)
	return len(rows)
}

// entries is how many kinds of history entries the ERP has.
func (e *evidence) entries() int {
	rows, err := e.world.erp.Rows("CONTACTHISTORY")
	e.note(err)
	kinds := map[string]bool{}
	for _, r := range rows {
		kinds[r["TYPE"]] = true
	}
	return len(kinds) * holds(len(kinds) == 3)
}

// operations are the features of the engine and its operators.
func (e *evidence) operations(ctx context.Context) []feature {
	retried := 0
	lost, err := e.s.payment(ctx, "us", "LOST-1")
	e.note(err)
	unknown := slices.ContainsFunc(lost.Timeline, func(x record.Entry) bool { return x.What == string(record.Unknown) })
	entries, err := journal.New(e.s.platform.Store, nil).OfRecord(ctx, record.ID("us", "invoice", "LOST-1"))
	e.note(err)
	for _, entry := range entries {
		if entry.Kind == "activity" && entry.State == journal.Done && entry.Attempts > 1 {
			retried++
		}
	}
	actions := map[string]int{}
	for _, c := range e.world.branches {
		log, err := e.s.platform.Engine.AuditLog(ctx, c.id, 1000)
		e.note(err)
		for _, a := range log {
			actions[a.Action]++
		}
	}
	return []feature{
		{"F40", "%d records were worked on, each in its order, after polls and events", len(e.records)},
		{"F41", "what a vendor refused for a while was tried again, at growing distance", retried},
		{"F42", "a receipt whose answer was lost was looked up and found, and not posted twice", holds(unknown && lost.Status == record.Synced && len(lost.Receipts) == 1)},
		{"F44", "%d records were synced on demand, one of them after a dry run", min(actions["sync"], 2)},
		{"F48", "%d payments waited while theirs were paused, an invoice while its company was read-only, each with who and why", e.told("payments paused by "+operator) * holds(e.told(plan.Because(plan.ReadOnly).Text()) > 0)},
	}
}

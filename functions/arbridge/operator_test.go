package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arbridge/arbridge/functions/host"
	"github.com/arbridge/arbridge/functions/view"
	"github.com/arbridge/arbridge/pkg/clock"
	invoicedsim "github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
	q360sim "github.com/arbridge/arbridge/pkg/connector/q360/sandbox"
	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox/business"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/plan"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/server"
)

// site is an installation of one company whose vendors are running sandboxes.
type site struct {
	t      *testing.T
	dir    string
	erp    *q360sim.Server
	portal *invoicedsim.Server
	urls   [2]string // ERP, portal
	seen   witness   // writes to the portal
}

const (
	erpPassword = "erp-pass-word"
	portalKey   = "portal-api-key"
)

// newSite makes an installation with documents of the last ninety days of business.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	clk, log := clock.System{}, slog.New(slog.DiscardHandler)
	var err error
	s.erp, err = q360sim.New(q360sim.Config{Clock: clk, Location: time.UTC, Logger: log,
		Users: []q360sim.User{{Name: "arbridge", Password: erpPassword, Type: q360sim.TypeAPI, Grants: q360sim.ConnectorGrants()}}})
	if err != nil {
		t.Fatal(err)
	}
	start := clk.Now().AddDate(0, 0, -89)
	if err := business.Generate(business.Options{Seed: 3, Start: start.Truncate(24 * time.Hour), Customers: 40, Invoices: 80}).Load(s.erp); err != nil {
		t.Fatal(err)
	}
	s.portal, err = invoicedsim.New(invoicedsim.Config{Clock: clk, Logger: log, PublicURL: "http://127.0.0.1",
		Accounts: []invoicedsim.Account{{Name: "us", Location: time.UTC, Currency: "USD", APIKeys: []invoicedsim.Key{{Value: portalKey}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, h := range []http.Handler{s.erp.Handler(), s.seen.watch(s.portal.Handler())} {
		s.urls[i] = listenOn(t, h)
	}
	s.configure("")
	return s
}

func listenOn(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return "http://" + l.Addr().String()
}

// configure writes the configuration, with more settings of the company.
func (s *site) configure(more string) {
	s.t.Helper()
	text := fmt.Sprintf(`deployment:
  settings: {schedule.poll: 1h}
secrets: {dir: secrets}
companies:
  - id: us
    q360: {base_url: %q, credentials_secret: q360}
    invoiced: {base_url: %q, api_key_secret: key, webhook_secret: hook}
    settings:
      company.mode: live
      company.q360_company: "01"
      company.time_zone: America/New_York
      company.currency: USD
      qualify.start_date: 2020-01-01
      payments.methods_map: {credit_card: CARD}
      payments.gl_accounts: {USD: "1010", EUR: "1030", GBP: "1040", CAD: "1020"}
      fees.gl_account: "4950"
      limits.q360_rps: 100
      limits.invoiced_rps: 100
      limits.invoiced_parallel: 8
%s`, s.urls[0], s.urls[1], more)
	secrets := filepath.Join(s.dir, "secrets")
	if err := os.MkdirAll(secrets, 0o700); err != nil {
		s.t.Fatal(err)
	}
	for name, value := range map[string]string{
		"config.yaml": text, "secrets/key": portalKey, "secrets/hook": "hook-secret", "secrets/q360": `{"user":"arbridge","password":"` + erpPassword + `"}`,
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(value), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

// arbridge runs a command on the site and expects an exit code.
func (s *site) arbridge(code int, args ...string) string {
	s.t.Helper()
	got, out, errs := command(s.t, append(args, "--data", s.dir)...)
	if got != code {
		s.t.Fatalf("arbridge %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, errs)
	}
	return out + errs
}

// answer runs a command with --json and reads what it prints.
func answer[T any](s *site, code int, args ...string) T {
	s.t.Helper()
	var v T
	got, out, errs := command(s.t, append(args, "--json", "--data", s.dir)...)
	if got != code {
		s.t.Fatalf("arbridge %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, errs)
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		s.t.Fatalf("arbridge %s: %v in %s", strings.Join(args, " "), err, out)
	}
	return v
}

// serve starts the server on the site's data and polls once.
func (s *site) serve() (addr string, stop func()) {
	s.t.Helper()
	addr = free(s.t)
	cmd := start(s.t, addr, nil, "serve", "--data", s.dir, "--addr", addr)
	return addr, func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}
}

// write is a request that may have changed something in the portal.
type write struct{ method, path, body string }

// witness keeps the writes that reach a vendor.
type witness struct {
	mu     sync.Mutex
	writes []write
}

func (k *witness) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			k.mu.Lock()
			k.writes = append(k.writes, write{r.Method, r.URL.RequestURI(), string(body)})
			k.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}

// take returns the writes since the last time.
func (k *witness) take() []write {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := k.writes
	k.writes = nil
	return out
}

// left lists documents that are left out because of their customer, those first on which all is owed.
func (s *site) left() []string {
	s.t.Helper()
	var out, rest []string
	owed := map[string]bool{}
	for _, b := range s.erp.Ledger().Books {
		for _, i := range b.Invoices {
			owed[i.InvoiceNo] = i.Total.Sign() > 0 && i.Balance.Equal(i.Total.Decimal)
		}
	}
	for _, r := range answer[view.List](s, exitOK, "list", "--kind", "invoice", "--status", "skipped", "--limit", "500").Rows {
		if len(r.Reasons) > 0 && r.Reasons[0].Code == plan.CustomerExcluded {
			if owed[r.Number] {
				out = append(out, r.Number)
			} else {
				rest = append(rest, r.Number)
			}
		}
	}
	out = append(out, rest...)
	if len(out) < 5 {
		s.t.Fatalf("%d documents are left out because of their customer", len(out))
	}
	return out
}

// polled is a site that was polled while no customer was part of the sync, and whose rule was then lifted.
func polled(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.configure("      qualify.customers: [nobody]\n")
	_, stop := s.serve() // it polls at once, and works on the tasks after that
	for range 1000 {
		open := 0
		all := answer[view.List](s, exitOK, "list", "--limit", "1000").Rows
		for _, r := range all {
			if r.Status != record.Skipped {
				open++
			}
		}
		if len(all) > 0 && open == 0 && s.pollEnded() {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	s.configure("")
	s.seen.take()
	return s
}

// statusAnswer is what status prints as JSON.
type statusAnswer struct {
	Schema    string
	Companies []engine.CompanyStatus
}

func (s *site) status() engine.CompanyStatus {
	s.t.Helper()
	_, out, errs := command(s.t, "status", "--json", "--data", s.dir)
	var st statusAnswer
	if err := json.Unmarshal([]byte(out), &st); err != nil || st.Schema != statusSchema || len(st.Companies) != 1 {
		s.t.Fatalf("status: %v in %s%s", err, out, errs)
	}
	return st.Companies[0]
}

func (s *site) pollEnded() bool {
	p := s.status().LastPoll
	return p != nil && !p.EndedAt.IsZero()
}

// TestSyncAndItsPreview: the preview prints, to the byte but for ids that are not known before, what a sync then sends, and
// changes nothing anywhere.
func TestSyncAndItsPreview(t *testing.T) {
	s := polled(t)
	number := s.left()[0]
	before := answer[view.Show](s, exitOK, "show", number)
	p := answer[preview](s, exitOK, "sync", number, "--dry-run")
	if sent := s.seen.take(); len(sent) > 0 {
		t.Fatalf("the preview sent %v", sent)
	}
	if after := answer[view.Show](s, exitOK, "show", number); !reflect.DeepEqual(before, after) {
		t.Errorf("the preview changed the state:\n%+v\n%+v", before, after)
	}
	if p.Schema != previewSchema || len(p.Requests) < 2 || len(p.Records) != 1 || p.Records[0].Status != record.Synced {
		t.Fatalf("preview %+v", p)
	}
	last := p.Decisions[len(p.Decisions)-1]
	if last.Verdict != plan.Create || len(last.Steps) != 1 || !strings.HasSuffix(last.Record, "/invoice/"+number) {
		t.Errorf("decisions %+v", p.Decisions)
	}
	text := s.arbridge(exitOK, "sync", number, "--dry-run")
	for _, secret := range []string{portalKey, erpPassword, "Authorization", "Basic "} {
		if strings.Contains(text, secret) {
			t.Errorf("the preview shows a secret:\n%s", text)
		}
	}
	if !strings.Contains(text, "POST /invoices") || !strings.Contains(text, `"number": "`+number+`"`) {
		t.Errorf("preview for people:\n%s", text)
	}
	if out := s.arbridge(exitOK, "sync", number, "--reason", "a pilot", "--actor", "dana"); !strings.Contains(out, "synced") {
		t.Errorf("sync: %s", out)
	}
	s.compare(p, s.seen.take())
	log := answer[auditAnswer](s, exitOK, "audit")
	if len(log.Entries) != 1 || log.Entries[0].Actor != "dana" || log.Entries[0].Action != "sync" || log.Entries[0].Reason != "a pilot" || !strings.HasPrefix(log.Entries[0].After, "synced") {
		t.Errorf("audit %+v", log)
	}
	if again := answer[preview](s, exitOK, "sync", number, "--dry-run"); len(again.Requests) != 0 {
		t.Errorf("a second sync would send %+v", again.Requests)
	}
}

type auditAnswer struct {
	Schema  string
	Entries []record.Audit
}

// ids replaces what stands for ids of the portal, and the boundaries of forms, which are drawn by lot.
func ids(text string) string {
	return regexp.MustCompile(`"?NEW-[^"/]*"?|\b[0-9]{4,}\b|--[0-9a-f]{40,}`).ReplaceAllString(text, "ID")
}

// compare checks that what was sent is what the preview showed.
func (s *site) compare(p preview, sent []write) {
	s.t.Helper()
	if len(sent) != len(p.Requests) {
		s.t.Fatalf("the preview showed %d requests, %d were sent:\n%+v\n%+v", len(p.Requests), len(sent), p.Requests, sent)
	}
	for i, r := range p.Requests {
		if w := sent[i]; r.Method != w.method || ids(r.Path) != ids(w.path) || ids(r.Body) != ids(w.body) {
			s.t.Errorf("request %d\nwas shown as %s %s %s\nand sent as   %s %s %s", i, r.Method, r.Path, r.Body, w.method, w.path, w.body)
		}
	}
}

// TestOperatorsDesk: the same commands work where no server runs, and beside one, which then does what they ask.
func TestOperatorsDesk(t *testing.T) {
	s := polled(t)
	numbers := s.left()
	for _, beside := range []bool{false, true} {
		addr := "127.0.0.1:1"
		if beside {
			var stop func()
			addr, stop = s.serve()
			defer stop()
		}
		number := numbers[0]
		numbers = numbers[1:]
		for _, c := range []struct {
			args []string
			code int
			want string
		}{
			{[]string{"sync", number}, exitOK, "synced"},
			{[]string{"replay", number}, exitOK, number},
			{[]string{"sync", "no-such-number"}, exitFailure, "nothing is known"},
			{[]string{"ignore", number}, exitFailure, "needs a reason"},
			{[]string{"ignore", number, "--reason", "a test of ours"}, exitOK, "left alone by dana: a test of ours"},
			{[]string{"sync", number}, exitFailure, "unignore it first"},
			{[]string{"unignore", number}, exitOK, "scheduled"},
			{[]string{"replay", "no-such-event"}, exitFailure, "nothing is known"},
			{[]string{"resolve", "5001", "--distinct"}, exitFailure, "nothing is known"},
			{[]string{"resolve", "5001", "--adopt", "R1", "--accept-balance"}, exitFailure, "none of the others can be"},
			{[]string{"resolve", "5001"}, exitFailure, "at least one of the flags"},
			{[]string{"pause", "--flow", "orders", "--reason", "x"}, exitUsage, "none of invoices"},
			{[]string{"pause", "--flow", "payments", "--reason", "closing"}, exitOK, "paused: us"},
			{[]string{"pause", "--flow", "payments", "--reason", "closing"}, exitFailure, "paused already by dana"},
			{[]string{"pause", "--read-only", "--reason", "closing"}, exitOK, "paused: us"},
			{[]string{"resume"}, exitOK, "resumed: us"},
			{[]string{"dead-letters", "list"}, exitOK, "no dead letters"},
			{[]string{"dead-letters", "discard", "77"}, exitFailure, "nothing is known"},
			{[]string{"sync", number, "--company", "mars"}, exitUsage, "not configured"},
			{[]string{"backfill", "resume"}, exitFailure, "no backfill is under way"},
			{[]string{"backfill", "run", "--since", "soon"}, exitUsage, "no date"},
		} {
			if out := s.arbridge(c.code, append(c.args, "--addr", addr, "--actor", "dana")...); !strings.Contains(out, c.want) {
				t.Errorf("arbridge %s (beside a server: %v) prints %q, want %q", strings.Join(c.args, " "), beside, out, c.want)
			}
		}
	}
	log := answer[auditAnswer](s, exitOK, "audit")
	if log.Schema != auditSchema || len(log.Entries) != 14 {
		t.Errorf("%d entries in the audit, want 14: %+v", len(log.Entries), log)
	}
}

// TestPauseStatus: what is paused is shown by status, and by the records that wait.
func TestPauseStatus(t *testing.T) {
	s := polled(t)
	number := s.left()[0]
	s.arbridge(exitOK, "pause", "--flow", "invoices", "--reason", "year end", "--actor", "dana")
	if out := s.arbridge(exitOK, "sync", number); !strings.Contains(out, "invoices paused by dana: year end") && !strings.Contains(out, "skipped") {
		t.Errorf("sync of a paused flow: %s", out)
	}
	if sent := s.seen.take(); len(sent) > 0 {
		t.Errorf("a paused flow sent %v", sent)
	}
	c := s.status()
	if c.Paused["invoices"].Actor != "dana" || c.Paused["invoices"].Reason != "year end" || c.LastPoll == nil || c.Counts[record.Skipped] == 0 || len(c.Breakers) != 2 {
		t.Errorf("status %+v", c)
	}
	if p := answer[preview](s, exitOK, "sync", number, "--dry-run"); len(p.Requests) == 0 {
		t.Error("a preview shows nothing while the flow is paused")
	}
}

// TestBackfillCommands: the plan shows what a lifted rule lets through, and a run schedules exactly that.
func TestBackfillCommands(t *testing.T) {
	s := polled(t)
	numbers := s.left()
	type plans struct {
		Schema string
		Plans  []engine.BackfillPlan
	}
	p := answer[plans](s, exitOK, "backfill", "plan")
	if p.Schema != backfillSchema || len(p.Plans) != 1 || len(p.Plans[0].Schedule) == 0 || len(p.Plans[0].Schedule) > len(numbers) {
		t.Fatalf("plan %+v for %d documents", p, len(numbers))
	}
	if out := s.arbridge(exitOK, "backfill", "plan"); !strings.Contains(out, "customer") || !strings.Contains(out, "a run would schedule") {
		t.Errorf("plan for people:\n%s", out)
	}
	run := answer[host.Answer](s, exitOK, "backfill", "run", "--reason", "pilot is over")
	if len(run.Backfills) != 1 || run.Backfills[0].State != record.BackfillDone || int(run.Backfills[0].Scheduled) != len(p.Plans[0].Schedule) {
		t.Fatalf("run %+v, planned %d", run, len(p.Plans[0].Schedule))
	}
	if len(s.seen.take()) > 0 {
		t.Error("scheduling sent something")
	}
	if again := answer[plans](s, exitOK, "backfill", "plan"); len(again.Plans[0].Schedule) != 0 {
		t.Errorf("after the run %d would be scheduled again", len(again.Plans[0].Schedule))
	}
}

// TestDeskIsLocal: operators call from this machine, as programs that may read the data folder, not as web pages.
func TestDeskIsLocal(t *testing.T) {
	s := polled(t)
	addr, stop := s.serve()
	defer stop()
	read := func(role server.Role) string {
		token, err := server.LoadToken(s.dir, role)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + token
	}
	op, view := read(server.Operator), read(server.Viewer)
	for _, c := range []struct {
		name, path, host, auth, origin, kind, body string
		status                                     int
	}{
		{"no token", "dance", addr, "", "", "application/json", `{"actor":"x"}`, http.StatusUnauthorized},
		{"a web page", "dance", addr, op, "https://evil.example", "application/json", `{"actor":"x"}`, http.StatusForbidden},
		{"a form", "dance", addr, op, "", "text/plain", `{"actor":"x"}`, http.StatusUnsupportedMediaType},
		{"a name that points here", "dance", "evil.example", op, "", "application/json", `{"actor":"x"}`, http.StatusForbidden},
		{"no actor", "pause", addr, op, "", "application/json", `{}`, http.StatusBadRequest},
		{"a misspelt field", "pause", addr, op, "", "application/json", `{"actor":"x","reasons":"y"}`, http.StatusBadRequest},
		{"two requests", "pause", addr, op, "", "application/json", `{"actor":"x","reason":"y"}{}`, http.StatusBadRequest},
		{"a large body", "pause", addr, op, "", "application/json", `{"actor":"` + strings.Repeat("x", 70_000) + `"}`, http.StatusRequestEntityTooLarge},
		{"a deep body", "pause", addr, op, "", "application/json", strings.Repeat(`{"actor":`, 6000), http.StatusBadRequest},
		{"an unknown action", "dance", addr, op, "", "application/json", `{"actor":"x"}`, http.StatusBadRequest},
		{"a viewer who acts", "pause", addr, view, "", "application/json", `{"actor":"x","reason":"y"}`, http.StatusUnauthorized},
		{"a viewer who looks", "dead-letters", addr, view, "", "application/json", `{"actor":"x"}`, http.StatusOK},
		{"an operator who looks", "dead-letters", addr, op, "", "application/json", `{"actor":"x"}`, http.StatusOK},
	} {
		req, err := http.NewRequest(http.MethodPost, "http://"+addr+"/operator/"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		for name, value := range map[string]string{"Content-Type": c.kind, "Authorization": c.auth, "Origin": c.origin} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != c.status {
			t.Errorf("%s: answered %d, want %d", c.name, res.StatusCode, c.status)
		}
	}
}

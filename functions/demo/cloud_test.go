package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/shopspring/decimal"

	"github.com/arbridge/arbridge/functions/localcloud"
	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox/business"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// cloudStage is the demo's business with arbridge on Google Cloud's own emulators.
type cloudStage struct {
	*stage
	t     *testing.T
	cloud *localcloud.Cloud
}

// TestCloud runs the main job as it runs on Google Cloud: one process per function, real push, Firestore, the wiring that
// Terraform makes. Every service is replaced and ended with SIGTERM in the middle of the work. Both sides agree to the cent,
// nothing became a dead letter, and what it took is printed.
func TestCloud(t *testing.T) {
	c := localcloud.Start(t)
	s := newCloudStage(t, c)
	ctx, stop := context.WithCancel(t.Context())
	vendors := make(chan error, 1)
	go func() { vendors <- s.world.run(ctx) }()
	defer func() {
		stop()
		if err := <-vendors; err != nil {
			t.Error(err)
		}
	}()
	c.Deploy(s.config)
	s.settle(ctx, "documents", true)
	documents := c.Count.Snapshot()
	if err := s.pay(ctx); err != nil {
		t.Fatal(err)
	}
	s.settle(ctx, "payments", true)
	if err := s.bill(0, 10); err != nil {
		t.Fatal(err)
	}
	s.settle(ctx, "new invoices", false)
	busy := c.Count.Snapshot()
	s.settle(ctx, "nothing to do", false) // it ticks
	idle := c.Count.Snapshot().Sub(busy)
	c.Stop()

	b, err := s.compare(ctx)
	if err != nil {
		t.Fatal(err)
	}
	text := &strings.Builder{}
	if !b.print(text) {
		t.Error("the two sides differ")
	}
	t.Log("\n" + text.String())
	dead, err := c.DeadLetters(ctx)
	if err != nil || len(dead) > 0 {
		t.Errorf("dead letters: %v, %v", dead, err)
	}
	written, receipts := 0, 0
	for _, k := range b.at {
		written, receipts = written+k.inPortal, receipts+k.count
	}
	if written < 100 || receipts < 20 {
		t.Errorf("only %d documents and %d receipts", written, receipts)
	}
	total := c.Count.Snapshot()
	busy.CPUMillis = total.CPUMillis
	t.Log("\n" + bill(documents, busy, idle, written, receipts))
}

func newCloudStage(t *testing.T, c *localcloud.Cloud) *cloudStage {
	t.Helper()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	first := clock.System{}.Now().Truncate(24*time.Hour).AddDate(0, 0, -89)
	w, err := openWorld(dir, clock.System{}, log, c.Service("webhook").URL, business.Options{Seed: 1, Start: first, Customers: 40, Invoices: 120})
	if err != nil {
		t.Fatal(err)
	}
	file, err := w.writeConfig(dir, first.Format(time.DateOnly), Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cloud := fmt.Sprintf("deployment:\n  cloud: {project: %s, bucket: %s, push_service_account: %s, base_url: %q}\n", c.Project, c.Bucket, localcloud.Pusher, localcloud.Audience)
	yaml := strings.Replace(strings.Replace(string(text), "secrets: {dir: secrets}\n", "", 1), "deployment:\n", cloud, 1)
	secrets, err := filepath.Glob(filepath.Join(dir, "secrets", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range secrets {
		value, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c.Secrets.Put(filepath.Base(name), string(value))
	}
	for name, value := range c.Watch() {
		t.Setenv(name, value)
	}
	t.Setenv(config.EnvVar, yaml)
	cfg, err := config.Load("")
	if err != nil {
		t.Fatal(err)
	}
	p, err := platform.Open(t.Context(), cfg, platform.Options{Clock: clock.System{}, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return &cloudStage{&stage{opt: Options{Dir: dir, Out: t.Output(), Logger: log}, world: w, platform: p, config: yaml, progress: newProgress(t.Output())}, t, c}
}

// settle ticks until nothing is left to do. With restarts every service is replaced twice while there is work, and its old
// instance ended with SIGTERM.
func (s *cloudStage) settle(ctx context.Context, doing string, restarts bool) {
	s.t.Helper()
	began, round := clock.System{}.Now(), 0
	for quiet := 0; quiet < 3; round++ {
		if (clock.System{}).Now().Sub(began) > 10*time.Minute {
			s.t.Fatalf("%s: no end; the services' logs end with\n%s", doing, s.logs())
		}
		if round%4 == 0 {
			if err := s.cloud.Tick(ctx); err != nil {
				s.t.Fatal(err)
			}
		}
		if restarts && round > 0 && round <= 8 {
			name := localcloud.Functions()[round%4]
			if err := s.cloud.Service(name).Replace(); err != nil {
				s.t.Errorf("replacing %s: %v", name, err)
			}
		}
		before := s.cloud.Count.Snapshot().Requests
		if err := (clock.System{}).Sleep(ctx, 2*time.Second); err != nil {
			s.t.Fatal(err)
		}
		open, err := s.open(ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		if still := s.cloud.Count.Snapshot().Requests-before <= 4; still && open == 0 && s.world.portal.Pending() == 0 && (!restarts || round > 8) {
			quiet++
		} else {
			quiet = 0
		}
	}
	s.t.Logf("%s: quiet after %d s", doing, int((clock.System{}).Now().Sub(began).Seconds()))
}

// open counts the records and events that are due within two minutes.
func (s *cloudStage) open(ctx context.Context) (int, error) {
	horizon := store.At(clock.System{}.Now().Add(2 * time.Minute)).Text()
	records, err := store.Table[record.Record]{Store: s.platform.Store, Collection: store.Records}.Query(ctx, store.Query{OrderBy: "due_at", UpTo: horizon, Limit: 100})
	events, failed := store.Table[record.Inbox]{Store: s.platform.Store, Collection: store.Inbox}.Query(ctx, store.Query{
		Equal: []store.Equal{{Field: "state", Value: record.InboxNew}}, OrderBy: "due_at", UpTo: horizon, Limit: 100,
	})
	return len(records) + len(events), errors.Join(err, failed)
}

func (s *cloudStage) logs() string {
	text := ""
	for _, name := range localcloud.Functions() {
		text += name + ":\n" + s.cloud.Service(name).Log() + "\n"
	}
	return text
}

// price is what an operation costs in US dollars, by the public price lists of 2026 for a single region, without free
// quotas: infra/docs/deployment.md names the pages.
type price struct {
	name  string
	count int64
	unit  string // dollars for per operations
	per   int64
}

func prices(c localcloud.Counts) []price {
	return []price{
		{"Firestore reads", c.Reads, "0.03", 100_000},
		{"Firestore writes", c.Writes, "0.09", 100_000},
		{"Firestore deletes", c.Deletes, "0.01", 100_000},
		{"Pub/Sub bytes published", c.PublishedBytes, "40", 1 << 40},
		{"Pub/Sub bytes delivered", c.DeliveredBytes, "40", 1 << 40},
		{"Cloud Run requests", c.Requests, "0.40", 1_000_000},
		{"Cloud Run CPU, ms", c.CPUMillis, "0.000024", 1000},
	}
}

// bill says what a thousand invoices cost, and a tick with nothing to do.
func bill(documents, all, idle localcloud.Counts, written, receipts int) string {
	out := &strings.Builder{}
	fmt.Fprintf(out, "%d documents and %d receipts; a quiet tick of three companies in the last columns\n", written, receipts)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "operation\tdocuments\tpayments and the rest\tper 1,000 documents\tUSD\ta quiet tick\tUSD a month\t")
	sum, month := decimal.Zero, decimal.Zero
	restOf, quiet := prices(all.Sub(documents)), prices(idle)
	for i, p := range prices(all) {
		per := p.count * 1000 / int64(written)
		cost := decimal.RequireFromString(p.unit).Mul(decimal.NewFromInt(per)).Div(decimal.NewFromInt(p.per))
		tick := quiet[i].count / idle.Ticks
		ticks := decimal.RequireFromString(p.unit).Mul(decimal.NewFromInt(tick * 12 * 24 * 30)).Div(decimal.NewFromInt(p.per))
		sum, month = sum.Add(cost), month.Add(ticks)
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%d\t%s\t\n", p.name, p.count-restOf[i].count, restOf[i].count, per, cost.StringFixed(4), tick, ticks.StringFixed(2))
	}
	fmt.Fprintf(w, "sum\t\t\t\t%s\t\t%s\t\n", sum.StringFixed(4), month.StringFixed(2))
	_ = w.Flush() // a builder takes everything
	return out.String()
}

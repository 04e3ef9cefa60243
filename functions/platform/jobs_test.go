package platform

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/engine/enginetest"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// hours ticks every quarter of an hour and runs what is due, and tells when each job ran.
func (v *vendors) hours(t *testing.T, p *Platform, n int) map[string][]string {
	t.Helper()
	ran := map[string][]string{}
	for range 4 * n {
		if _, err := p.Poll().Beat(t.Context(), "us"); err != nil {
			t.Fatal(err)
		}
		due, err := p.Jobs.Due(t.Context(), "us")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range due {
			if err := p.Jobs.Run(t.Context(), "us", name); err != nil {
				t.Fatal(err)
			}
			ran[name] = append(ran[name], v.clock.Now().Format("02 15:04"))
		}
		v.clock.Advance(15 * time.Minute)
	}
	return ran
}

// TestJobsRunWhenTheSettingsSay: schedule.reconcile decides when both sides are compared, notify.at when the digest goes out.
func TestJobsRunWhenTheSettingsSay(t *testing.T) {
	for _, c := range []struct {
		cron, at          string
		reconcile, digest []string
	}{
		{"0 3 * * *", "07:00", []string{"06 03:00", "07 03:00"}, []string{"06 07:00", "07 07:00"}},
		{"30 20 * * *", "16:30", []string{"05 20:30", "06 20:30"}, []string{"05 16:30", "06 16:30"}},
	} {
		v := newVendors(t)
		dep := &v.config.Deployment.Settings
		dep.Reconcile = c.cron
		company := &v.config.Companies[0].Settings
		company.Notify.Digest, company.Notify.Recipients, company.Notify.At = "daily", []string{"ar@company.example"}, c.at
		p, err := Open(t.Context(), v.config, Options{DataDir: t.TempDir(), Clock: v.clock, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		began := v.clock.Now() // the fifth, two in the afternoon
		ran := v.hours(t, p, 48)
		if !slices.Equal(ran["reconcile"], c.reconcile) || !slices.Equal(ran["digest"], c.digest) || len(ran["retention"]) != 2 {
			t.Errorf("%s %s from %s: %v", c.cron, c.at, began, ran)
		}
		rows, err := (store.Table[record.Run]{Store: p.Store, Collection: store.Reconciliations}).Query(t.Context(), store.Query{
			Equal: []store.Equal{{Field: "company", Value: "us"}}, OrderBy: "at", Desc: true, Limit: 10,
		})
		if err != nil || len(rows) != len(c.reconcile) {
			t.Errorf("%d stored reconciliations: %v", len(rows), err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestWrongCronStopsTheStart: a schedule that can not be read is told at once, not at night.
func TestWrongCronStopsTheStart(t *testing.T) {
	v := newVendors(t)
	v.config.Deployment.Settings.Reconcile = "at night"
	if _, err := Open(t.Context(), v.config, Options{DataDir: t.TempDir(), Clock: enginetest.NewClock(enginetest.Start()), Logger: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("opened")
	}
}

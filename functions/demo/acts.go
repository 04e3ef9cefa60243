package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/arbridge/arbridge/functions/host"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/record"
	"github.com/arbridge/arbridge/pkg/store"
)

// act is a part of the demo: what people and the world do, until all is quiet again. An act that was interrupted is begun
// again; everything in it happens once all the same.
type act struct {
	name  string // kept when it is done
	at    time.Duration
	title string
	lines []string // what the reader is told
	do    func(context.Context) error
}

// errAgain ends the process's parts, to be started again with a changed configuration.
var errAgain = errors.New("start again")

// play plays the acts that were not played yet.
func (s *stage) play(ctx context.Context, acts []act) error {
	done, err := s.played()
	if err != nil {
		return err
	}
	for _, a := range acts {
		if slices.Contains(done, a.name) {
			continue
		}
		if err := s.clock.until(firstDay.AddDate(0, 0, 90).Add(14*time.Hour + a.at)); err != nil {
			return err
		}
		if a.name != "loosen" || !s.world.looser { // it was told before arbridge started again
			s.progress.say(a.title, a.lines)
		}
		for _, do := range []func(context.Context) error{s.quiet(a.title), a.do, s.quiet(a.title)} {
			if err := do(ctx); err != nil {
				return err
			}
		}
		if done = append(done, a.name); s.keep("acts", strings.Join(done, "\n")) != nil {
			return fmt.Errorf("noting act %s", a.name)
		}
	}
	return nil
}

func (s *stage) quiet(doing string) func(context.Context) error {
	return func(ctx context.Context) error { return s.settle(ctx, doing) }
}

func (s *stage) played() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(s.opt.Dir, "acts"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return strings.Split(string(text), "\n"), err
}

// keep writes a file of the demo's own as a whole.
func (s *stage) keep(name, text string) error {
	file := filepath.Join(s.opt.Dir, name)
	if err := os.WriteFile(file+".next", []byte(text), 0o600); err != nil {
		return fmt.Errorf("the demo's file %s: %w", name, err)
	}
	return os.Rename(file+".next", file)
}

// operator is who gives the commands of the story.
const operator = "ana"

// command does what an operator asks for, as the command line does, once: a command whose entry is in the audit was done.
func (s *stage) command(ctx context.Context, action string, r host.Request) error {
	r.Actor = operator
	log, err := s.platform.Engine.AuditLog(ctx, r.Company, 1000)
	if err != nil {
		return err
	}
	for _, a := range log {
		if a.Reason == r.Reason && !strings.HasPrefix(a.After, notWorked) {
			return nil
		}
	}
	for range 50 {
		if _, err = host.NewOperator(s.platform).Do(ctx, action, r); err == nil || errors.Is(err, engine.ErrNothing) {
			break
		}
		if err := s.clock.move(time.Minute); err != nil { // somebody is on the record, or a vendor did not answer
			return err
		}
		if err := s.settle(ctx, "an operator waits"); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("operator: %s: %w", action, err)
	}
	return nil
}

// notWorked begins what the audit says of a command that met an error.
const notWorked = "did not work"

// record is what arbridge has about a number.
func (s *stage) record(ctx context.Context, t engine.Target) (record.Record, error) {
	found, err := s.platform.Engine.Find(ctx, t)
	if err != nil {
		return record.Record{}, err
	}
	if len(found) != 1 {
		return record.Record{}, fmt.Errorf("%d records of %s %s", len(found), t.Company, t.Number)
	}
	return found[0], nil
}

// records are all of arbridge's records.
func (s *stage) records(ctx context.Context) ([]record.Record, error) {
	var out []record.Record
	table := store.Table[record.Record]{Store: s.platform.Store, Collection: store.Records}
	for _, company := range s.platform.Engine.CompanyIDs() {
		q := store.Query{Equal: []store.Equal{{Field: "company", Value: company}}, OrderBy: "updated_at", Desc: true, Limit: 500}
		for {
			rows, err := table.Query(ctx, q)
			if err != nil {
				return nil, fmt.Errorf("reading records: %w", err)
			}
			for _, r := range rows {
				out = append(out, r.Value)
			}
			if len(rows) < q.Limit {
				break
			}
			last := rows[len(rows)-1]
			q.After = store.Position{Value: last.Value.UpdatedAt.Text(), ID: last.ID}
		}
	}
	return out, nil
}

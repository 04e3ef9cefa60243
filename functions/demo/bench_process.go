package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector/q360/sandbox/business"
)

// benchProcess starts arbridge serve as users do, several times, and looks at it from outside: how long until it answers,
// and how much memory it takes idle and during a backfill.
func benchProcess(ctx context.Context, out io.Writer, dir, self string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	w, err := openWorld(dir, clock.System{}, slog.New(slog.DiscardHandler), "http://"+addr, business.Options{Seed: 1, Start: firstDay, Customers: 80, Invoices: 600})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- w.run(serving) }()
	config, err := w.writeConfig(dir, firstDay.Format(time.DateOnly), Options{})
	if err == nil {
		err = measureProcess(ctx, out, self, config, addr, dir, w)
	}
	stop()
	return errors.Join(err, <-done)
}

func measureProcess(ctx context.Context, out io.Writer, self, config, addr, dir string, w *world) error {
	var starts []time.Duration
	for i := range 5 {
		p, took, err := startServe(ctx, self, config, addr, filepath.Join(dir, "idle", strconv.Itoa(i)))
		if err != nil {
			return err
		}
		starts = append(starts, took)
		if err := p.end(); err != nil {
			return err
		}
	}
	slices.Sort(starts)
	fmt.Fprintf(out, "  start to first answer: %d ms (median of 5, aim 150)\n", starts[2].Milliseconds())
	p, _, err := startServe(ctx, self, config, addr, filepath.Join(dir, "loaded"))
	if err != nil {
		return err
	}
	if err := w.waitBackfill(ctx); err != nil {
		return errors.Join(err, p.end())
	}
	loaded := p.memory("VmHWM")
	if err := p.end(); err != nil {
		return err
	}
	if p, _, err = startServe(ctx, self, config, addr, filepath.Join(dir, "loaded")); err != nil {
		return err
	}
	if err := (clock.System{}).Sleep(ctx, 5*time.Second); err != nil {
		return err
	}
	fmt.Fprintf(out, "  memory: idle %s MB of which %s MB are its own and the rest pages of the binary (aim 40), peak during the backfill and its webhooks %s MB (aim 96)\n", p.memory("VmRSS"), p.memory("RssAnon"), loaded)
	return p.end()
}

// waitBackfill waits until the portal takes no more documents.
func (w *world) waitBackfill(ctx context.Context) error {
	for last, quiet := -1, 0; quiet < 8; {
		if err := (clock.System{}).Sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
		counts := w.portal.Calls.Counts()
		n := counts["POST /invoices"] + counts["POST /credit_notes"]
		if n == last && n > 0 && w.portal.Pending() == 0 {
			quiet++
		} else {
			quiet = 0
		}
		last = n
	}
	return nil
}

type process struct{ cmd *exec.Cmd }

// startServe starts the server and returns when it answers, with the time that took.
func startServe(ctx context.Context, self, config, addr, data string) (*process, time.Duration, error) {
	cmd := exec.CommandContext(ctx, self, "serve", "--config", config, "--data", data, "--addr", addr)
	began := clock.System{}.Now()
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	p := &process{cmd}
	client := &http.Client{Timeout: time.Second}
	for range 10_000 {
		res, err := client.Get("http://" + addr + "/healthz")
		if err == nil {
			_ = res.Body.Close()
			return p, clock.System{}.Now().Sub(began), nil
		}
		if err := (clock.System{}).Sleep(ctx, time.Millisecond); err != nil {
			return nil, 0, errors.Join(err, p.end())
		}
	}
	return nil, 0, errors.Join(errors.New("arbridge serve does not answer"), p.end())
}

// end asks the process to stop and waits for it.
func (p *process) end() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// memory is a line of the process's status in whole MB; a dash where the system has none.
func (p *process) memory(name string) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return "–"
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
			if err == nil {
				return strconv.Itoa((kb + 512) / 1024)
			}
		}
	}
	return "–"
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

package demo

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/sync/errgroup"

	"github.com/arbridge/arbridge/functions/webhook"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/server"
)

const (
	benchConnections = 32
	benchEvents      = 6400 // per round
	benchRounds      = 3
)

// benchWebhook compares arbridge's webhook with a bare handler that verifies the signature, de-duplicates in memory and
// syncs a file in groups. Each round sends the same bytes to both, one after the other.
func benchWebhook(ctx context.Context, out io.Writer, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ours, closeOurs, err := ourWebhook(ctx, dir)
	if err != nil {
		return err
	}
	bare, err := newBare(filepath.Join(dir, "bare.log"))
	if err != nil {
		return err
	}
	var a, b []time.Duration
	for round := range benchRounds {
		for _, side := range []struct {
			h    http.Handler
			took *[]time.Duration
		}{{ours, &a}, {bare, &b}} {
			d, err := hammer(ctx, side.h, round)
			if err != nil {
				return err
			}
			*side.took = append(*side.took, d)
		}
	}
	slices.Sort(a)
	slices.Sort(b)
	mine, theirs := a[benchRounds/2], b[benchRounds/2]
	fmt.Fprintf(out, "  arbridge %d/s, bare handler %d/s: ratio %s (median of %d rounds of %d events)\n",
		perSecond(mine), perSecond(theirs), decimal.NewFromInt(int64(theirs)).Div(decimal.NewFromInt(int64(mine))).StringFixed(2), benchRounds, benchEvents)
	return closeOurs()
}

func perSecond(d time.Duration) int64 { return benchEvents * int64(time.Second) / max(1, int64(d)) }

func decimalOf(n int) decimal.Decimal { return decimal.NewFromInt(int64(n)) }

// ourWebhook is the real function on the embedded stack. Messages are published and wait: handling them is not part of
// accepting them.
func ourWebhook(ctx context.Context, dir string) (http.Handler, func() error, error) {
	opt := Options{Dir: dir, Out: io.Discard, Logger: slog.New(slog.DiscardHandler), Seed: 1, Customers: 40, Invoices: 80}
	s, err := start(ctx, opt, clock.System{})
	if err != nil {
		return nil, nil, err
	}
	for _, l := range []net.Listener{s.listener, s.world.erpLis, s.world.portalLis} {
		if err := l.Close(); err != nil {
			return nil, nil, err
		}
	}
	return s.host.Handler(), s.platform.Close, nil
}

// hammer sends a round of events over the connections and returns how long it took.
func hammer(ctx context.Context, h http.Handler, round int) (time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	serving, stop := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return server.ServeListener(serving, l, h) })
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchConnections}, Timeout: time.Minute}
	url := "http://" + l.Addr().String() + "/webhook/" + branches[0].id
	var next atomic.Int64
	var senders errgroup.Group
	began := clock.System{}.Now()
	for range benchConnections {
		senders.Go(func() error {
			for {
				n := next.Add(1)
				if n > benchEvents {
					return nil
				}
				if err := send(ctx, client, url, int64(round)*benchEvents+n); err != nil {
					return err
				}
			}
		})
	}
	err = senders.Wait()
	took := clock.System{}.Now().Sub(began)
	client.CloseIdleConnections()
	stop()
	if served := g.Wait(); err == nil {
		err = served
	}
	return took, err
}

func send(ctx context.Context, client *http.Client, url string, id int64) error {
	body := fmt.Appendf(nil, `{"id":%d,"object":"event","type":"payment.created","timestamp":1780000000,"data":{"object":{"id":%d,"object":"payment",`+
		`"amount":154.5,"balance":0,"currency":"usd","method":"credit_card","voided":false,"customer":{"id":15444,"object":"customer","metadata":[]},`+
		`"applied_to":[{"id":1,"type":"invoice","invoice":46225,"amount":150},{"id":3,"type":"convenience_fee","amount":4.5}]}},"user":{"id":-2}}`, id, id)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set(webhook.SignatureHeader, sign(body))
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection is used again
	_ = res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("event %d was answered %d", id, res.StatusCode)
	}
	return nil
}

func sign(body []byte) string {
	mac := hmac.New(sha256.New, []byte(hookSecret(branches[0].id)))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// bare is the yardstick: no company, no settings, no record, no queue.
type bare struct {
	mu   sync.Mutex
	seen map[int64]bool
	todo chan entry
}

type entry struct {
	body []byte
	done chan error
}

func newBare(path string) (*bare, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	b := &bare{seen: map[int64]bool{}, todo: make(chan entry, 256)}
	go b.sync(f)
	return b, nil
}

// sync appends what waits and syncs once for all of it.
func (b *bare) sync(f *os.File) {
	for first := range b.todo {
		group := []entry{first}
		for more := true; more; {
			select {
			case e := <-b.todo:
				group = append(group, e)
			default:
				more = false
			}
		}
		var buf bytes.Buffer
		for _, e := range group {
			buf.Write(append(e.body, '\n'))
		}
		_, err := f.Write(buf.Bytes())
		if err == nil {
			err = f.Sync()
		}
		for _, e := range group {
			e.done <- err
		}
	}
}

// ServeHTTP implements http.Handler.
func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, webhook.MaxBody))
	if err != nil || !hmac.Equal([]byte(sign(body)), []byte(r.Header.Get(webhook.SignatureHeader))) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var ev struct {
		ID int64 `json:"id"`
	}
	if err := json.Unmarshal(body, &ev); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	known := b.seen[ev.ID]
	b.seen[ev.ID] = true
	b.mu.Unlock()
	if !known {
		e := entry{body, make(chan error, 1)}
		b.todo <- e
		if <-e.done != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

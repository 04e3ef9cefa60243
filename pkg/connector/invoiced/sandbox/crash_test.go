package sandbox_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/connector/invoiced/sandbox"
)

const (
	envState = "INVOICED_SANDBOX_STATE" // set in the process that is killed
	envHook  = "INVOICED_SANDBOX_HOOK"
)

// TestServeUntilKilled is the process that TestKilled starts: it serves until it is killed. By itself it only checks that
// nobody set its environment by accident.
func TestServeUntilKilled(t *testing.T) {
	path := os.Getenv(envState)
	if path == "" {
		return
	}
	s, err := sandbox.New(crashConfig(path, os.Getenv(envHook)))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler())
	fmt.Printf("ready %s\n", srv.URL)
	_ = s.Run(context.Background()) // ends with the process
}

func crashConfig(path, hook string) sandbox.Config {
	return sandbox.Config{
		StatePath: path, Clock: clock.System{}, Logger: slog.New(slog.DiscardHandler),
		Options: sandbox.Options{RetryInterval: 50 * time.Millisecond, MaxAttempts: 10_000},
		Accounts: []sandbox.Account{{
			Name: "main", Location: time.UTC, Currency: "USD", WebhookURL: hook, WebhookSecret: secret,
			APIKeys: []sandbox.Key{{Value: fullKey}},
		}},
	}
}

// serve starts the process to kill and waits until it answers.
func serve(t *testing.T, path, hook string) (cmd *exec.Cmd, url string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(self, "-test.run=^TestServeUntilKilled$", "-test.v")
	cmd.Env = append(os.Environ(), envState+"="+path, envHook+"="+hook)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, address, ok := strings.Cut(lines.Text(), "ready "); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return cmd, address
		}
	}
	_ = cmd.Process.Kill()
	t.Fatalf("the process ended before it was ready: %v", cmd.Wait())
	return nil, ""
}

// A process killed in the middle of its work, several times over, loses nothing it has answered for: every acknowledged
// invoice is there once, with its event, and every event reaches the webhook.
func TestKilled(t *testing.T) {
	k := newSink(t)
	path := filepath.Join(t.TempDir(), "state")
	var acknowledged sync.Map
	var sent atomic.Int64
	for round := range 4 {
		cmd, url := serve(t, path, k.srv.URL)
		stop := make(chan struct{})
		var clients sync.WaitGroup
		before := sent.Load()
		for range 3 {
			clients.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					number := fmt.Sprintf("N%d", sent.Add(1))
					if postInvoice(url, number) {
						acknowledged.Store(number, true)
					}
				}
			})
		}
		until(t, "some work", func() bool { return sent.Load() > before+60 })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		close(stop)
		clients.Wait()
		_ = cmd.Wait() // killed
		t.Logf("round %d: %d sent", round, sent.Load())
	}
	r := openRig(t, crashConfig(path, k.srv.URL), nil)
	r.run()
	r.quiet()
	found := map[string]int{}
	for _, d := range ledgerOf(t, r).Invoices {
		found[d.Number]++
	}
	acknowledged.Range(func(number, _ any) bool {
		if found[number.(string)] != 1 {
			t.Errorf("acknowledged invoice %s is there %d times", number, found[number.(string)])
		}
		return true
	})
	delivered := map[string]bool{}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.got {
		delivered[fmt.Sprintf("%s %v", e.str("type"), e.at("data.object.number"))] = true
	}
	for number := range found {
		if !delivered["invoice.created "+number] {
			t.Errorf("invoice %s was never delivered", number)
		}
	}
	if len(found) < 100 {
		t.Errorf("only %d invoices", len(found))
	}
}

func ledgerOf(t *testing.T, r *rig) sandbox.Ledger {
	t.Helper()
	l, err := r.s.Ledger("main")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// postInvoice reports whether the server acknowledged a new invoice; it makes the customer when there is none.
func postInvoice(url, number string) bool {
	post := func(path, body string) int {
		req, err := http.NewRequest("POST", url+path, strings.NewReader(body))
		if err != nil {
			return 0
		}
		req.SetBasicAuth(fullKey, "")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0 // killed meanwhile
		}
		defer func() { _ = res.Body.Close() }()
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			return 0
		}
		return res.StatusCode
	}
	body := `{"customer":5000002,"number":"` + number + `","items":[{"unit_cost":1}]}` // 5000001 is the webhook
	status := post("/invoices", body)
	if status == http.StatusBadRequest {
		post("/customers", `{"name":"A","number":"C"}`)
		status = post("/invoices", body)
	}
	return status == http.StatusCreated
}

// Clients side by side never apply more than an invoice has, and never get one number twice.
func TestConcurrentClients(t *testing.T) {
	r := newRig(t)
	cust := r.customer("")
	inv := r.invoice(cust, "50", "")
	var taken, refused atomic.Int64
	var clients sync.WaitGroup
	numbers := sync.Map{}
	for range 8 {
		clients.Go(func() {
			for range 10 {
				switch a := r.call("POST", "/payments", pay(cust, "1", toInvoice(inv, "1"))); a.status {
				case 201:
					taken.Add(1)
				case 400:
					refused.Add(1)
				default:
					t.Errorf("status %d", a.status)
				}
				n := r.invoice(cust, "1", "").str("number")
				if _, twice := numbers.LoadOrStore(n, true); twice {
					t.Errorf("number %s was given twice", n)
				}
				r.list("/invoices?sort=balance&per_page=10")
			}
		})
	}
	clients.Wait()
	if taken.Load() != 50 || refused.Load() != 30 {
		t.Errorf("%d payments taken, %d refused", taken.Load(), refused.Load())
	}
	r.get("/invoices/"+inv.id()).want(t, "balance", "0", "status", "paid")
}

package sandbox

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// childState names the state file to the process that TestKill starts and kills.
const childState = "Q360_SANDBOX_CHILD_STATE"

// TestChild is the body of that process: it serves until it is killed. Without the variable there is nothing to do.
func TestChild(t *testing.T) {
	path := os.Getenv(childState)
	if path == "" {
		return
	}
	server, err := New(testConfig(&stillClock{at: time.Date(2026, 3, 10, 14, 30, 0, 0, time.UTC)}, path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Seed(SeedRequest{Scenario: "basic", Batch: Batch{Step: "seed"}}); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server.Handler())
	fmt.Println("\nserving " + web.URL)
	select {}
}

// writers counts what many clients wrote.
type writers struct {
	mu       sync.Mutex
	answered map[string]bool // references of the writes that were answered
	sent     int
}

// run writes pairs of rows until the connection breaks.
func (w *writers) run(s *site, name string) {
	for i := 0; ; i++ {
		reference := fmt.Sprintf("%s-%d", name, i)
		records := `{"TYPE":"A","LINKNO":"` + reference + `"},{"TYPE":"B","LINKNO":"` + reference + `"}`
		got, err := s.try("PUT", "/api/Record", map[string]string{"_tablename": "CONTACTHISTORY", "jsonRequest": `{"griddata":{"record":[` + records + `]}}`})
		w.mu.Lock()
		w.sent++
		if err == nil && got.Success {
			w.answered[reference] = true
		}
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// waitFor returns when n writes were answered.
func (w *writers) waitFor(n int) {
	for {
		w.mu.Lock()
		enough := len(w.answered) >= n
		w.mu.Unlock()
		if enough {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// TestKill kills a serving process in the middle of many writes, several times: every answered write is there
// afterwards, and nothing is there by half.
func TestKill(t *testing.T) {
	path := t.TempDir() + "/state"
	w := &writers{answered: map[string]bool{}}
	for round := range 3 {
		child, url := startChild(t, path)
		s := &site{t: t, url: url, user: "APIUSER", pass: "secret"}
		var wg sync.WaitGroup
		for worker := range 3 {
			wg.Go(func() { w.run(s, fmt.Sprintf("%d-%d", round, worker)) })
		}
		w.waitFor(30 * (round + 1))
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // killed
		wg.Wait()
	}
	after := openSite(t, path, Quirks{})
	found := map[string]int{}
	rows, err := after.Rows("CONTACTHISTORY")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		found[r["LINKNO"]]++
	}
	for reference := range w.answered {
		if found[reference] != 2 {
			t.Errorf("answered write %s has %d rows", reference, found[reference])
		}
	}
	for reference, n := range found {
		if n != 2 {
			t.Errorf("write %s has %d rows", reference, n)
		}
	}
	if len(found) > w.sent || after.count("INVOICE") != 6 {
		t.Errorf("%d writes found, %d sent; %d invoices", len(found), w.sent, after.count("INVOICE"))
	}
}

func startChild(t *testing.T, path string) (*exec.Cmd, string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	child.Env = append(os.Environ(), childState+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill() }) // mostly dead already
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "serving "); ok {
			return child, url
		}
	}
	t.Fatalf("the child never served: %v", lines.Err())
	return nil, ""
}

// TestBooksHoldUnderAnything runs random operations, refused ones among them, and checks the books and the reopened
// state.
func TestBooksHoldUnderAnything(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		path := fmt.Sprintf("%s/%d", dir, n)
		quirks := Quirks{PartialCreate: rapid.Bool().Draw(r, "partial"), ForeignExchange: true, FXReceipts: rapid.Bool().Draw(r, "fx"), ZeroReceipts: rapid.Bool().Draw(r, "zero")}
		s := openSite(t, path, quirks)
		if _, err := s.Seed(SeedRequest{Scenario: "basic"}); err != nil {
			r.Fatal(err)
		}
		for i := range rapid.IntRange(1, 25).Draw(r, "operations") {
			randomOperation(r, s, i)
			s.wantBalanced()
		}
		again := openSite(t, path, quirks)
		before, err := json.Marshal(s.Ledger())
		if err != nil {
			r.Fatal(err)
		}
		if after, err := json.Marshal(again.Ledger()); err != nil || string(after) != string(before) {
			r.Fatalf("after reopening (%v):\n%s\n%s", err, before, after)
		}
	})
}

// randomOperation does something that a client or a clerk may try; the books must hold whether it succeeds or not.
func randomOperation(r *rapid.T, s *site, i int) {
	invoice := fmt.Sprint(104000 + rapid.IntRange(1, 8).Draw(r, "invoice"))
	amount := fmt.Sprintf("%d.%02d", rapid.IntRange(-60, 120).Draw(r, "whole"), rapid.IntRange(0, 99).Draw(r, "cents"))
	receipt := fmt.Sprint("R2000", rapid.IntRange(1, 5).Draw(r, "receipt"))
	bank := rapid.SampledFrom([][2]string{{"1010", "USD"}, {"1030", "EUR"}, {"1020", "CAD"}}).Draw(r, "bank")
	switch rapid.IntRange(0, 8).Draw(r, "operation") {
	case 0, 1:
		s.write("PUT", "CASHRECEIPT", with("AMOUNT="+amount, "ACCOUNTNO="+bank[0], "CURRENCY="+bank[1]))
	case 2, 3:
		application := strings.Replace(item(invoice, amount), "R20001", receipt, 1)
		fee := fmt.Sprintf(`{"RECEIPTNO":"%s","AMOUNT":"%s","TYPE":"FEE","ACCOUNTNO":"4950"}`, receipt, "1.11")
		s.write("PUT", "CASHRECEIPTITEM", application+","+fee, rapid.SampledFrom([]string{"_preview=Y", "_preview=N"}).Draw(r, "preview"))
	case 4:
		s.control("native-payment", fmt.Sprintf(`{"invoiceno":"%s","step":"pay %d"}`, invoice, i/2))
	case 5:
		s.control("write-off", fmt.Sprintf(`{"invoiceno":"%s","amount":"%s"}`, invoice, amount))
	case 6:
		s.as("CHANGER").write("PATCH", "INVOICE", fmt.Sprintf(`{"INVOICENO":"%s","INVAMOUNT":"%s","RETENTION":"1.5"}`, invoice, amount))
	case 7:
		s.control("create-invoice", fmt.Sprintf(`{"header":{"CUSTOMERNO":"C00001","CURRENCY":"%s"},"lines":[{"QTY":"1.5","PRICE":"%s"}],"post":true}`, bank[1], amount))
	case 8:
		s.as("CHANGER").write("DELETE", "INVOICE", `{"INVOICENO":"`+invoice+`"}`)
	}
}

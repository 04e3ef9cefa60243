package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/functions/demo"
	"github.com/arbridge/arbridge/functions/view"
)

// asCommand makes the test binary be the command, so that processes can be tested as users start them.
const asCommand = "ARBRIDGE_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// played is a folder in which a small demo has ended.
func played(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "demo")
	err := demo.Run(context.Background(), demo.Options{
		Dir: dir, Out: &bytes.Buffer{}, Logger: slog.New(slog.DiscardHandler), Seed: 3, Customers: 40, Invoices: 80,
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestExitCodes(t *testing.T) {
	dir := played(t)
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("companies:\n  - id: US!\n    settings: {company.mode: maybe}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string // part of what is printed
	}{
		{[]string{"--help"}, exitOK, "Exit codes"},
		{[]string{"nope"}, exitUsage, "unknown command"},
		{[]string{"list", "--bogus"}, exitUsage, "unknown flag"},
		{[]string{"list", "--data", dir, "--status", "lost"}, exitUsage, "is none of"},
		{[]string{"list", "--data", dir, "--kind", "order"}, exitUsage, "is none of"},
		{[]string{"list", "--data", dir, "--limit", "0"}, exitUsage, "at least 1"},
		{[]string{"list", "--data", dir, "--company", "mars"}, exitUsage, "not configured"},
		{[]string{"list", "--data", dir, "--limit", "3"}, exitOK, "this is the limit of 3"},
		{[]string{"list", "--data", filepath.Join(dir, "nowhere")}, exitFailure, "config.yaml"},
		{[]string{"show"}, exitUsage, "arg"},
		{[]string{"show", "--data", dir, "no-such-number"}, exitFailure, "Nothing is known"},
		{[]string{"config", "validate", "--data", dir}, exitOK, "0 problems; companies that can run: us, ca, eu"},
		{[]string{"config", "validate", broken}, exitFailure, "company.mode"},
		{[]string{"config", "validate", filepath.Join(dir, "missing.yaml")}, exitFailure, "missing.yaml"},
		{[]string{"tick", "--addr", "127.0.0.1:1"}, exitFailure, "no server answers"},
		{[]string{"serve", "--data", dir, "--addr", "0.0.0.0:0", "--test-clock"}, exitUsage, "loopback"},
		{[]string{"function", "other", "--data", dir}, exitUsage, "poll, sync, webhook, receipt"},
	} {
		code, out, errs := command(t, c.args...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("arbridge %s: exit %d, want %d with %q\n%s%s", strings.Join(c.args, " "), code, c.code, c.want, out, errs)
		}
	}
}

func TestListAndShowAsJSON(t *testing.T) {
	dir := played(t)
	code, out, errs := command(t, "list", "--data", dir, "--kind", "payment", "--status", "synced", "--json")
	var list view.List
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != exitOK {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, errs)
	}
	if list.Schema != view.ListSchema || len(list.Rows) == 0 {
		t.Fatalf("schema %q with %d payments", list.Schema, len(list.Rows))
	}
	code, out, errs = command(t, "show", "--data", dir, "--json", list.Rows[0].Number)
	var show view.Show
	if err := json.Unmarshal([]byte(out), &show); err != nil || code != exitOK {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, errs)
	}
	if show.Schema != view.ShowSchema || len(show.Records) != 1 || len(show.Records[0].Receipts) == 0 || len(show.Records[0].Timeline) == 0 {
		t.Errorf("the posted payment shows no receipt or no timeline: %s", out)
	}
	if _, text, _ := command(t, "show", "--data", dir, list.Rows[0].Number); !strings.Contains(text, "cash receipt") {
		t.Errorf("the posted payment does not tell its receipt:\n%s", text)
	}
}

// start runs the binary and waits until it answers.
func start(t *testing.T, addr string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), asCommand+"=1"), env...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 500 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			return cmd
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%v does not listen on %s:\n%s", args, addr, log.String())
	return nil
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func status(t *testing.T, method, url, body string) int {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// TestEachFunctionStandsAlone starts every function as Cloud Run does and sends it what nobody should.
func TestEachFunctionStandsAlone(t *testing.T) {
	dir := played(t)
	for _, c := range []struct {
		name, path, body string
		status           int
	}{
		{"webhook", "/webhook/us", `{"id":1}`, http.StatusUnauthorized},
		{"webhook", "/webhook/mars", `{"id":1}`, http.StatusNotFound},
		{"poll", "/", `{}`, http.StatusBadRequest},
		{"sync", "/", `{"message":{"messageId":"1","data":"e30="}}`, http.StatusNoContent},
		{"receipt", "/", `{"message":{"messageId":"1","data":"bm90IGpzb24="}}`, http.StatusBadRequest},
	} {
		t.Run(c.name+" "+c.path, func(t *testing.T) {
			addr := free(t)
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				t.Fatal(err)
			}
			cmd := start(t, addr, []string{"FUNCTION_TARGET=" + c.name, "PORT=" + port, "ARBRIDGE_DATA=" + dir})
			if got := status(t, http.MethodPost, "http://"+addr+c.path, c.body); got != c.status {
				t.Errorf("answered %d, want %d", got, c.status)
			}
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestServe runs the embedded server with a movable clock and asks it for a tick, although no vendor answers any more.
func TestServe(t *testing.T) {
	dir, addr := played(t), free(t)
	start(t, addr, nil, "serve", "--data", dir, "--addr", addr, "--test-clock")
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodGet, "/healthz", "", http.StatusOK},
		{http.MethodPost, "/_test/clock/advance", `{"duration":"90m"}`, http.StatusUnauthorized},
		{http.MethodPost, "/tick?company=mars", "", http.StatusUnauthorized},
		{http.MethodPost, "/webhook/us", strings.Repeat("x", 2<<20), http.StatusRequestEntityTooLarge},
		{http.MethodGet, "/webhook/us", "", http.StatusMethodNotAllowed},
	} {
		if got := status(t, c.method, "http://"+addr+c.path, c.body); got != c.status {
			t.Errorf("%s %s answered %d, want %d", c.method, c.path, got, c.status)
		}
	}
	for path, want := range map[string]int{"/_test/clock/advance": http.StatusBadRequest, "/tick?company=mars": http.StatusNotFound} {
		res, err := running{dir, addr}.post(t.Context(), path, []byte(`{"duration":"-1h"}`), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s with the token: %d, want %d", path, res.StatusCode, want)
		}
	}
	if code, _, errs := command(t, "tick", "--data", dir, "--addr", addr, "--company", "mars"); code != exitFailure || !strings.Contains(errs, "mars") {
		t.Errorf("tick with the folder's token: exit %d, %s", code, errs)
	}
	if code, _, errs := command(t, "tick", "--data", t.TempDir(), "--addr", addr); code != exitFailure || !strings.Contains(errs, "token of the operator") {
		t.Errorf("tick without a token: exit %d, %s", code, errs)
	}
	if code, _, errs := command(t, "tick", "--data", dir, "--addr", "192.0.2.1:8080"); code != exitFailure || !strings.Contains(errs, "expected an address on this machine") {
		t.Errorf("tick at another machine: exit %d, %s", code, errs)
	}
	if code, out, errs := command(t, "list", "--data", dir, "--limit", "1"); code != exitOK {
		t.Errorf("list beside a running server: exit %d\n%s%s", code, out, errs)
	}
}

package emulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
)

const (
	startTries = 3                // the free port may be taken between finding and using it
	startLimit = 60 * time.Second // for a busy machine; usually 1 to 2 s (gcp-go-stack 2.1)
	startPoll  = 50 * time.Millisecond
	logTail    = 4 << 10 // bytes of the emulator's output that an error shows
)

// start finds and starts an emulator and returns its host:port once it answers.
func start(k kind) (string, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("%w: no java in PATH", errMissing)
	}
	gcloud, err := exec.LookPath("gcloud")
	if err != nil {
		gcloud = "" // the SDK may still be in one of the usual places
	}
	jar, err := findJar(k, os.Getenv, sdkRoots(os.Getenv, gcloud))
	if err != nil {
		return "", err
	}
	var tries []error
	for range startTries {
		host, err := launch(java, k.java(jar))
		if err == nil {
			return host, nil
		}
		tries = append(tries, err)
	}
	return "", errors.Join(tries...)
}

// launch runs java with args on a free port and waits until the emulator answers.
func launch(java string, args []string) (string, error) {
	port, err := freePort()
	if err != nil {
		return "", err
	}
	host := net.JoinHostPort("127.0.0.1", port)
	out := new(tail)
	started, ended := make(chan error, 1), make(chan error, 1)
	cmd, err := command(java, append(args, "--host=127.0.0.1", "--port="+port)...)
	if err != nil {
		return "", err
	}
	cmd.Stdout, cmd.Stderr = out, out
	go func() {
		// Linux ends a child with the parent's thread that started it, so that thread has to live on.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return "", fmt.Errorf("starting %s: %w", java, err)
	}
	if err := await(host, ended); err != nil {
		if killErr := cmd.Process.Kill(); killErr != nil && !errors.Is(killErr, os.ErrProcessDone) {
			err = errors.Join(err, killErr)
		}
		return "", fmt.Errorf("%w; its output ends with: %s", err, out)
	}
	return host, nil
}

// await polls GET / until it answers Ok, the process ends, or time is up.
func await(host string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	var last error
	for {
		if last = probe(ctx, host); last == nil {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the process ended early: %v", err)
		default:
		}
		if err := (clock.System{}).Sleep(ctx, startPoll); err != nil {
			return fmt.Errorf("no answer at %s within %s: %w", host, startLimit, last)
		}
	}
}

func probe(ctx context.Context, host string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != "Ok" {
		return fmt.Errorf("GET / answered %s %q", res.Status, body)
	}
	return nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > logTail {
		t.buf = bytes.Clone(t.buf[len(t.buf)-logTail:])
	}
	return len(p), nil
}

// String implements fmt.Stringer.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}

package localcloud

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/arbridge/arbridge/pkg/clock"
)

// Service is one Cloud Run service: an address that stays, and the instance behind it.
type Service struct {
	URL  string
	Name string

	cloud    *Cloud
	config   string
	mu       sync.Mutex
	now      *instance
	starting bool // there is none, and there will be one
	number   int
	serving  atomic.Int64
}

// instance is a process that serves a function.
type instance struct {
	cmd   *exec.Cmd
	proxy *httputil.ReverseProxy
	log   string
	ended chan error
}

// The times an instance has to begin to answer, and to end after SIGTERM: Cloud Run kills after ten seconds
// (gcp-go-stack 3.2).
const (
	startLimit = time.Minute
	termLimit  = 10 * time.Second
)

func newService(c *Cloud, name string) *Service {
	s := &Service{Name: name, cloud: c}
	s.URL = front(c.t, s)
	return s
}

// ServeHTTP does what Cloud Run does: it asks for a token where the service is not public, and hands the request to the
// instance that is there now. The emulator sends no tokens; here it gets the one that the real push would carry, after
// Cloud Run has verified it and removed its signature (gcp-go-stack 5.2).
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.serving.Add(1)
	defer s.serving.Add(-1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if s.Name != "webhook" {
		r.Header.Set("Authorization", "Bearer "+pushToken(clock.System{}.Now()))
	}
	in := s.instance(r.Context())
	if in == nil {
		http.Error(w, "no instance", http.StatusServiceUnavailable)
		return
	}
	began := clock.System{}.Now()
	in.proxy.ServeHTTP(w, r)
	took := clock.System{}.Now().Sub(began)
	s.cloud.Count.add(func(c *Counts) {
		c.Requests++
		c.ServedMillis += took.Milliseconds()
		if s.Name != "webhook" {
			c.Delivered++
			c.DeliveredBytes += max(1000, int64(len(body)))
		}
	})
}

// instance is the instance that is there now. While one is being started requests wait for it, as Cloud Run has them wait.
func (s *Service) instance(ctx context.Context) *instance {
	for {
		s.mu.Lock()
		in, starting := s.now, s.starting
		s.mu.Unlock()
		if in != nil || !starting || (clock.System{}).Sleep(ctx, 5*time.Millisecond) != nil {
			return in
		}
	}
}

func pushToken(now time.Time) string {
	part := func(v map[string]any) string {
		text, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return part(map[string]any{"alg": "RS256", "typ": "JWT", "kid": "local"}) + "." + part(map[string]any{
		"iss": "https://accounts.google.com", "aud": Audience, "email": Pusher, "email_verified": true, "sub": "1",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}) + ".SIGNATURE_REMOVED_BY_GOOGLE"
}

func (s *Service) deploy(config string) {
	s.cloud.t.Helper()
	s.config = config
	in, err := s.start()
	if err != nil {
		s.cloud.t.Fatalf("starting %s: %v", s.Name, err)
	}
	s.cloud.t.Cleanup(s.stop)
	s.mu.Lock()
	s.now = in
	s.mu.Unlock()
}

// Replace starts a new instance, gives it the traffic, and ends the old one with SIGTERM while its requests are still being
// served: what Cloud Run does at a deployment, and whenever it likes. The old one has to end by itself, in time, with 0.
func (s *Service) Replace() error {
	next, err := s.start()
	if err != nil {
		return err
	}
	s.mu.Lock()
	old := s.now
	s.now = next
	s.mu.Unlock()
	return s.terminate(old)
}

// Kill ends the instance with SIGKILL while its requests are being served, as a crash does; those get an error. Then it
// starts another one. between is called when the old one is gone and the new one not there yet.
func (s *Service) Kill(between func() error) error {
	s.mu.Lock()
	old := s.now
	s.now, s.starting = nil, true
	s.mu.Unlock()
	err := old.cmd.Process.Kill()
	if err == nil {
		<-old.ended // with the error that it was killed
		s.used(old)
		err = between()
	}
	var next *instance
	if err == nil {
		next, err = s.start()
	}
	s.mu.Lock()
	s.now, s.starting = next, false
	s.mu.Unlock()
	return err
}

// used adds up the time that an instance that ended has used.
func (s *Service) used(in *instance) {
	if state := in.cmd.ProcessState; state != nil {
		s.cloud.Count.add(func(c *Counts) { c.CPUMillis += (state.UserTime() + state.SystemTime()).Milliseconds() })
	}
}

func (s *Service) stop() {
	s.mu.Lock()
	old := s.now
	s.now = nil
	s.mu.Unlock()
	if old == nil {
		return
	}
	if err := s.terminate(old); err != nil {
		s.cloud.t.Errorf("ending %s: %v", s.Name, err)
	}
}

// start starts an instance and returns when it answers.
func (s *Service) start() (*instance, error) {
	host, port := freePort(s.cloud.t)
	addr := net.JoinHostPort(host, strconv.Itoa(int(port)))
	s.number++
	in := &instance{log: filepath.Join(s.cloud.t.TempDir(), fmt.Sprintf("%s-%d.log", s.Name, s.number)), ended: make(chan error, 1)}
	out, err := os.Create(in.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	in.proxy = httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	in.proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
	in.cmd = exec.Command(s.cloud.binary)
	in.cmd.Env = append(s.cloud.Environ(), "FUNCTION_TARGET="+s.Name, "K_SERVICE=arbridge-"+s.Name, "PORT="+strconv.Itoa(int(port)), "ARBRIDGE_CONFIG="+s.config)
	in.cmd.Stdout, in.cmd.Stderr = out, out
	if err := in.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { in.ended <- in.cmd.Wait() }()
	return in, in.await(s.cloud.t.Context(), addr)
}

// await returns when the instance accepts connections.
func (in *instance) await(ctx context.Context, addr string) error {
	for began := (clock.System{}).Now(); (clock.System{}).Now().Sub(began) < startLimit; {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case err := <-in.ended:
			return fmt.Errorf("it ended: %v\n%s", err, in.tail())
		default:
		}
		if err := (clock.System{}).Sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("no answer within %s", startLimit)
}

// terminate sends SIGTERM and waits for the end.
func (s *Service) terminate(in *instance) error {
	if err := in.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(s.cloud.t.Context()), termLimit)
	defer cancel()
	var err error
	select {
	case err = <-in.ended:
	case <-late.Done():
		err = errors.Join(fmt.Errorf("still there %s after SIGTERM", termLimit), in.cmd.Process.Kill(), <-in.ended)
	}
	s.used(in)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, in.tail())
	}
	return nil
}

// Log is what the instance that is there now has written.
func (s *Service) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil {
		return ""
	}
	return s.now.tail()
}

// tail is the end of what the process wrote.
func (in *instance) tail() string {
	text, err := os.ReadFile(in.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-8<<10):])
}

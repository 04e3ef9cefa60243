package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Serve listens on addr ("127.0.0.1:8080") and serves until ctx ends, then lets the requests in flight finish as far as
// the time of a shutdown allows. It returns nil after an orderly end.
func Serve(ctx context.Context, addr string, h http.Handler) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", addr, err)
	}
	return ServeListener(ctx, l, h)
}

// ServeListener is Serve on a listener that exists already, which it closes.
func ServeListener(ctx context.Context, l net.Listener, h http.Handler) error {
	s := newServer(ctx, h)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainGrace)
	defer cancel()
	if err := s.Shutdown(limit); err != nil {
		return errors.Join(fmt.Errorf("ending the requests on %s: %w", l.Addr(), err), s.Close())
	}
	return nil
}

// newServer has time limits for everything a client could otherwise hold open. The write limit is above the longest time
// that Wrap gives a handler, so that a handler ends by its context and not by a connection on which it can not answer.
func newServer(ctx context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      MaxTimeout + time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		// Values of ctx, not its end: Shutdown, not a cancelled context, decides how long requests may go on.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
		// The server's own lines are about clients that misbehave; Wrap logs what happens to requests.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

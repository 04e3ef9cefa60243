package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/arbridge/arbridge/pkg/server"
)

// running is a server that has the data folder.
type running struct{ data, addr string }

// post asks the server with the token that it left in its data folder. The token does not leave this machine.
func (s running) post(ctx context.Context, path string, body []byte, limit time.Duration) (*http.Response, error) {
	if !loopback(s.addr) {
		return nil, fmt.Errorf("--addr %s: expected an address on this machine, such as 127.0.0.1:8080", s.addr)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	token, err := server.LoadToken(s.data, server.Operator)
	if err != nil {
		return nil, fmt.Errorf("no server answers for the data folder %s; start one with arbridge serve, or name its folder with --data: %w", s.data, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Timeout: limit, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("the server sends us elsewhere: it is none of arbridge")
	}, Transport: &http.Transport{DisableKeepAlives: true}} // and no proxy: the token stays here
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no server answers at %s; start one with arbridge serve, or give its address with --addr: %w", s.addr, err)
	}
	return res, nil
}

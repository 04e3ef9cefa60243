package httpx

import (
	"errors"
	"net"
)

// refusedToConnect reports whether err happened while connecting, before any byte of the request was sent.
func refusedToConnect(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

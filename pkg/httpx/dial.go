package httpx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"
)

// ErrAddress marks a connection that was not made because of the address it would have gone to.
var ErrAddress = errors.New("address refused")

// maxHeader bounds the header of an answer in bytes; bodies have their own limit.
const maxHeader = 1 << 20

// Reach says where connections may go beside public addresses.
type Reach struct {
	// BaseURLs are the configured servers. One whose host is a loopback address, or localhost, is on this machine: its own
	// host and port may be dialled there, and nothing else may.
	BaseURLs []string
	// Networks are private networks that configured servers are in. Loopback, link-local and multicast addresses and the
	// metadata servers of clouds stay closed whatever they say.
	Networks []netip.Prefix
}

// NewTransport makes a transport that connects only where reach allows. What counts is the address really dialled, after
// the name was resolved and at every attempt, so that neither a name that points inside nor one that changes its mind gets
// through. A proxy that the environment names is dialled wherever it is, and has to judge itself then. parallel is the
// number of idle connections kept for each host; connect bounds the making of one, 30 s when 0.
func NewTransport(reach Reach, parallel int, connect time.Duration) *http.Transport {
	return newDialer(reach, connect, nil).transport(parallel)
}

func newDialer(reach Reach, connect time.Duration, names *net.Resolver) *dialer {
	d := &dialer{networks: reach.Networks, local: map[string]bool{}, connect: or(connect, 30*time.Second), names: names, proxies: map[string]bool{}}
	for _, text := range reach.BaseURLs {
		if u, err := url.Parse(text); err == nil && loopback(u.Hostname()) {
			d.local[hostPort(u)] = true
		}
	}
	return d
}

func (d *dialer) transport(parallel int) *http.Transport {
	return &http.Transport{
		Proxy: d.proxy, DialContext: d.dial, MaxIdleConnsPerHost: parallel, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: min(10*time.Second, d.connect), ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxHeader,
	}
}

// dialer makes the connections of a transport.
type dialer struct {
	networks []netip.Prefix
	local    map[string]bool // host and port of the configured servers on this machine
	connect  time.Duration
	names    *net.Resolver // nil: the machine's

	mu      sync.Mutex
	proxies map[string]bool // host and port of the proxies in use
}

// hostPort is what a transport dials for a URL.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// proxy is the proxy of the environment, noted because the connection to it is made by dial as well.
func (d *dialer) proxy(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if u != nil && err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.proxies[hostPort(u)] = true
	}
	return u, err
}

func (d *dialer) dial(ctx context.Context, network, named string) (net.Conn, error) {
	own := net.Dialer{Timeout: d.connect, Resolver: d.names, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return d.judge(named, address)
	}}
	return own.DialContext(ctx, network, named)
}

// judge decides whether what was asked for by name may be connected to at an address.
func (d *dialer) judge(named, address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: it is no IP address", ErrAddress)
	}
	d.mu.Lock()
	proxied := d.proxies[named]
	d.mu.Unlock()
	a := at.Addr().Unmap().WithZone("")
	switch {
	case proxied:
		return nil
	case d.local[named]: // it may speak http, so it stays on this machine
		if a.IsLoopback() {
			return nil
		}
	case public(a), d.inNetworks(a):
		return nil
	}
	return fmt.Errorf("%w: %s is no public address, and in no network that the configuration names", ErrAddress, a)
}

// inNetworks reports whether a is in a configured private network.
func (d *dialer) inNetworks(a netip.Addr) bool {
	if !Private(a) {
		return false
	}
	for _, p := range d.networks {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Private reports whether an address is one of a private network that a server may be in: RFC 1918, RFC 6598 or a unique
// local one, and not a metadata server of a cloud.
func Private(a netip.Addr) bool {
	a = a.Unmap()
	return (a.IsPrivate() || shared().Contains(a)) && !metadata()[a]
}

// shared is the address space of carriers (RFC 6598), which clouds use inside as well.
func shared() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10) }

// metadata are the servers that give credentials to whoever asks from within a cloud; 169.254.169.254 is link-local and
// closed with all of that network.
func metadata() map[netip.Addr]bool {
	return map[netip.Addr]bool{
		netip.MustParseAddr("fd20:ce::254"): true, netip.MustParseAddr("fd00:ec2::254"): true, netip.MustParseAddr("100.100.100.200"): true,
	}
}

// reserved lists what is not part of the public Internet (IANA's special-purpose registries), outside of which IPv4 is
// public; of IPv6 only 2000::/3 is, less these.
func reserved() []string {
	return []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	}
}

func public(a netip.Addr) bool {
	if a.Is6() && !netip.MustParsePrefix("2000::/3").Contains(a) {
		return false
	}
	for _, p := range reserved() {
		if netip.MustParsePrefix(p).Contains(a) {
			return false
		}
	}
	return a.IsValid()
}

// refusedToConnect reports whether err happened while connecting, before any byte of the request was sent.
func refusedToConnect(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

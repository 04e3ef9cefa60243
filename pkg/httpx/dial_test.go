package httpx

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/arbridge/arbridge/pkg/connector"
)

func TestWhereConnectionsMayGo(t *testing.T) {
	d := newDialer(Reach{BaseURLs: []string{"http://127.0.0.1:8081", "http://localhost", "https://[::1]/q", "https://api.invoiced.com"},
		Networks: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("fd20::/16"), netip.MustParsePrefix("169.254.0.0/16"),
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("::/0")}}, 0, nil)
	for _, c := range []struct {
		named, address string
		ok             bool
	}{
		{"api.invoiced.com:443", "3.33.139.32:443", true},
		{"api.invoiced.com:443", "[2606:4700::1111]:443", true},
		{"api.invoiced.com:443", "[::ffff:8.8.8.8]:443", true},
		{"q360.internal:443", "10.20.3.4:443", true}, // a configured network
		{"q360.internal:443", "[fd20:ce::253]:443", true},
		{"q360.internal:443", "100.64.1.1:443", true},

		{"127.0.0.1:8081", "127.0.0.1:8081", true}, // configured servers on this machine
		{"localhost:80", "127.0.0.1:80", true},
		{"localhost:80", "[::1]:80", true},
		{"[::1]:443", "[::1]:443", true},
		{"127.0.0.1:8082", "127.0.0.1:8082", false}, // another port
		{"localhost:80", "8.8.8.8:80", false},       // http to this machine does not leave it
		{"localhost:80", "10.20.3.4:80", false},
		{"api.invoiced.com:443", "127.0.0.1:443", false}, // a name that points here

		{"x:443", "10.21.0.1:443", false},
		{"x:443", "172.16.0.1:443", false},
		{"x:443", "192.168.1.1:443", false},
		{"x:443", "169.254.169.254:80", false}, // metadata, whatever the networks say
		{"x:443", "[::ffff:169.254.169.254]:80", false},
		{"x:443", "[fd20:ce::254]:80", false},
		{"x:443", "[fd00:ec2::254]:80", false},
		{"x:443", "100.100.100.200:80", false},
		{"x:443", "[::ffff:127.0.0.1]:443", false},
		{"x:443", "[::ffff:192.168.1.1]:443", false},
		{"x:443", "0.0.0.0:443", false},
		{"x:443", "[::]:443", false},
		{"x:443", "[fe80::1%25eth0]:443", false},
		{"x:443", "[fe80::1]:443", false},
		{"x:443", "[ff02::1]:443", false},
		{"x:443", "224.0.0.1:443", false},
		{"x:443", "255.255.255.255:443", false},
		{"x:443", "198.18.0.1:443", false},
		{"x:443", "192.0.0.192:443", false},
		{"x:443", "[64:ff9b::a9fe:a9fe]:443", false}, // metadata through NAT64
		{"x:443", "[2002:a9fe:a9fe::1]:443", false},  // and through 6to4
		{"x:443", "[2001:0:a9fe:a9fe::1]:443", false},
		{"x:443", "[2001:db8::1]:443", false},
		{"x:443", "no address", false},
	} {
		if err := d.judge(c.named, c.address); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrAddress) {
			t.Errorf("%s at %s: %v, want allowed %v", c.named, c.address, err, c.ok)
		}
	}
	d.proxies["proxy.corp:3128"] = true
	if err := d.judge("proxy.corp:3128", "172.16.9.9:3128"); err != nil {
		t.Errorf("the proxy of the environment: %v", err)
	}
}

// nameServer answers every question for an IPv4 address with the next of the addresses, the last one again and again.
func nameServer(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			question := questionOf(buf[:n])
			reply := append([]byte{buf[0], buf[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
			if binary.BigEndian.Uint16(question[len(question)-4:]) == 1 {
				reply[7] = 1
				reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				reply = append(reply, net.ParseIP(addresses[0]).To4()...)
				if len(addresses) > 1 {
					addresses = addresses[1:]
				}
			}
			_, _ = conn.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// questionOf is the name, type and class of a DNS query.
func questionOf(query []byte) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	return query[12 : end+5]
}

// named makes a client whose requests to vendor.test go to the port of a server, at whatever address names gives. local
// says that the name may be on this machine, which no configuration can say.
func named(t *testing.T, srv *httptest.Server, local bool, names *net.Resolver) *Client {
	t.Helper()
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	base := "https://vendor.test:" + port
	d := newDialer(Reach{BaseURLs: []string{base}}, time.Minute, names)
	d.local["vendor.test:"+port] = local
	transport := d.transport(1)
	transport.DisableKeepAlives = true
	c, err := New(Options{BaseURL: base, HTTP: &http.Client{Transport: plain{transport}}, PerSecond: 1000, ReadAttempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// plain sends without TLS, so that nothing but the address is between a request and the server.
type plain struct{ next http.RoundTripper }

func (p plain) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	return p.next.RoundTrip(r)
}

// TestANameThatPointsInside: the address is judged after the name was resolved, and nothing is sent to a refused one.
func TestANameThatPointsInside(t *testing.T) {
	s := &script{replies: []reply{{200, "", nil}}}
	srv := httptest.NewServer(s)
	defer srv.Close()
	for _, address := range []string{"127.0.0.1", "0.0.0.0"} { // a connection to 0.0.0.0 arrives at 127.0.0.1
		c := named(t, srv, false, nameServer(t, address))
		for _, r := range []Request{read, write} {
			_, err := c.Do(context.Background(), r)
			if !errors.Is(err, ErrAddress) || connector.ClassOf(err) != connector.ClassBadResponse || connector.Ambiguous(err) || !strings.Contains(err.Error(), address) {
				t.Errorf("%s %s: %v", r.Method, address, err)
			}
		}
	}
	if n := s.count(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

// TestANameThatChangesItsMind: a name that resolves to an allowed address once and to another one afterwards gets through
// once, whether the second look is that of a new call or of a redirect.
func TestANameThatChangesItsMind(t *testing.T) {
	for name, replies := range map[string][]reply{
		"another call": {{200, "", nil}},
		"a redirect":   {{307, "", map[string]string{"Location": "/y"}}, {200, "", nil}},
	} {
		s := &script{replies: replies}
		srv := httptest.NewServer(s)
		c := named(t, srv, true, nameServer(t, "127.0.0.1", "0.0.0.0"))
		_, err := c.Do(context.Background(), read)
		if name == "another call" {
			if err != nil {
				t.Fatalf("%s: the allowed address: %v", name, err)
			}
			_, err = c.Do(context.Background(), read)
		}
		if !errors.Is(err, ErrAddress) || s.count() != 1 {
			t.Errorf("%s: %v after %d calls, want one call and a refusal", name, err, s.count())
		}
		srv.Close()
	}
}

// TestEveryClientIsGuarded: a client that was given none of its own, or one without a transport, keeps to the base URL too.
func TestEveryClientIsGuarded(t *testing.T) {
	s := &script{replies: []reply{{200, "", nil}}}
	srv := httptest.NewServer(s)
	defer srv.Close()
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]*http.Client{"none": nil, "one without a transport": {}} {
		c, err := New(Options{BaseURL: "https://0.0.0.0:" + port, HTTP: h, ReadAttempts: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(context.Background(), read); !errors.Is(err, ErrAddress) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.count() != 0 {
		t.Errorf("%d requests arrived", s.count())
	}
}

// TestBombs: what an answer unpacks to is bounded, not what it is packed in, and it is not read any further.
func TestBombs(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(make([]byte, 10<<20)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	if packed.Len()*100 > 10<<20 {
		t.Fatalf("%d bytes are no bomb", packed.Len())
	}
	const limit = 1 << 20
	for name, c := range map[string]struct {
		header map[string]string
		body   string
		class  connector.Class
	}{
		"unpacked on the way":  {map[string]string{"Content-Encoding": "gzip"}, packed.String(), connector.ClassBadResponse},
		"packed to the end":    {map[string]string{"Content-Type": "application/gzip"}, packed.String(), ""},
		"large as it is":       {nil, strings.Repeat("x", limit+1), connector.ClassBadResponse},
		"as large as may be":   {nil, strings.Repeat("x", limit), ""},
		"a header out of size": {map[string]string{"X-Large": strings.Repeat("x", 2*maxHeader)}, "", connector.ClassRetry},
	} {
		cl, _, _ := open(t, &script{replies: []reply{{200, c.body, c.header}}}, func(o *Options) { o.MaxBody, o.ReadAttempts = limit, 1 })
		before := allocated()
		res, err := cl.Do(context.Background(), read)
		if c.class == "" && (err != nil || string(res.Body) != c.body) || c.class != "" && connector.ClassOf(err) != c.class {
			t.Errorf("%s: %v", name, err)
		}
		if used := allocated() - before; name == "unpacked on the way" && used > 8*limit {
			t.Errorf("%s: %d bytes were allocated for a limit of %d", name, used, limit)
		}
	}
}

// allocated is the number of bytes ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

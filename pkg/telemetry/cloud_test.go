package telemetry

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/arbridge/arbridge/pkg/telemetry/telemetrytest"
)

// certificate is one for 127.0.0.1, and the roots that lead to it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, roots
}

// metadataServer plays the one of Cloud Run.
func metadataServer(t *testing.T) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Metadata-Flavor", "Google")
		w.Header().Set("Content-Type", "application/json")
		path := strings.TrimPrefix(r.URL.Path, "/computeMetadata/v1/")
		answer, ok := map[string]string{
			"project/project-id": "example-prod", "project/numeric-project-id": "123", "instance/region": "projects/123/regions/us-central1",
			"instance/id": "instance-7", "instance/service-accounts/default/token": `{"access_token":"token-of-the-account","expires_in":3600,"token_type":"Bearer"}`,
			"universe/universe-domain": "googleapis.com",
		}[path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(s.Close)
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(s.URL, "http://"))
}

// TestOnCloudRun: the credentials are those of the service's account, sent under TLS only, and the values say which region
// and instance they come from.
func TestOnCloudRun(t *testing.T) {
	metadataServer(t)
	t.Setenv("HOME", t.TempDir()) // no credentials of a developer
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	for k, v := range map[string]string{"K_SERVICE": "arbridge-poll", "K_REVISION": "arbridge-poll-00007", "K_CONFIGURATION": "arbridge-poll"} {
		t.Setenv(k, v)
	}
	cert, roots := certificate(t)
	c := telemetrytest.Start(t, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
	o := Options{Env: env("K_SERVICE", "arbridge-poll"), Service: "arbridge-poll", Project: "example-prod", Clock: noon()}
	to, err := destination(o)
	if err != nil || !to.google || to.plain {
		t.Fatalf("%+v, %v", to, err)
	}
	to.address = c.Address() // instead of Google's
	conn, err := to.dial(t.Context(), roots)
	if err != nil {
		t.Fatal(err)
	}
	res, err := describe(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	tel, err := collect(t.Context(), o, conn, res, nil)
	if err != nil {
		t.Fatal(err)
	}
	tel.Meter().Queue("us", 1, 2)
	_, end := tel.Begin(t.Context(), "poll", http.MethodPost)
	end(http.StatusNoContent)
	stop(t, tel)
	if got := c.Headers("authorization"); len(got) == 0 || slices.ContainsFunc(got, func(h string) bool { return h != "Bearer token-of-the-account" }) {
		t.Errorf("authorization %q", got)
	}
	if len(c.Points()) == 0 || len(c.Spans()) == 0 {
		t.Fatalf("%d values and %d spans arrived", len(c.Points()), len(c.Spans()))
	}
	process := c.Points()[0].Process
	for k, want := range map[string]string{
		"gcp.project_id": "example-prod", "cloud.region": "us-central1", "faas.name": "arbridge-poll", "faas.version": "arbridge-poll-00007",
		"faas.instance": "instance-7", "service.name": "arbridge-poll", "service.namespace": "arbridge",
	} {
		if process[k] != want {
			t.Errorf("%s is %q, want %q", k, process[k], want)
		}
	}
	if strings.Contains(c.Text(), "token-of-the-account") {
		t.Error("the token is among the values")
	}
}

// TestStrangersGetNothing: a collector whose certificate nobody vouches for is sent nothing.
func TestStrangersGetNothing(t *testing.T) {
	cert, _ := certificate(t)
	c := telemetrytest.Start(t, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
	tel, err := Start(t.Context(), Options{Env: env("OTEL_EXPORTER_OTLP_ENDPOINT", "https://"+c.Address()), Service: "x", Clock: noon()})
	if err != nil {
		t.Fatal(err)
	}
	tel.Meter().Queue("us", 1, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := tel.Flush(ctx); err == nil {
		t.Error("sent to a stranger")
	}
	ended(t, tel)
	if c.Text() != "" {
		t.Error("a stranger got something")
	}
}

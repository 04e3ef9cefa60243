package telemetry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/credentials/oauth"
)

const (
	googleHost  = "telemetry.googleapis.com"
	googleScope = "https://www.googleapis.com/auth/cloud-platform"
)

// target is where things are sent.
type target struct {
	address string // host:port; empty for nowhere
	plain   bool   // without TLS
	google  bool   // with the credentials of the environment
}

// destination reads where to send from the environment.
func destination(o Options) (target, error) {
	switch {
	case o.Env == nil || o.Clock == nil || o.Service == "":
		return target{}, errors.New("telemetry: Env, Clock and Service are needed")
	case o.Env("OTEL_SDK_DISABLED") == "true":
		return target{}, nil
	}
	endpoint := o.Env("OTEL_EXPORTER_OTLP_ENDPOINT")
	if endpoint == "" {
		if o.Env("K_SERVICE") == "" || o.Project == "" {
			return target{}, nil
		}
		return target{address: googleHost + ":443", google: true}, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return target{}, errors.New("telemetry: OTEL_EXPORTER_OTLP_ENDPOINT is not of the form http://host:4317 or https://host:4317")
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Hostname() == googleHost:
		port = "443"
	default:
		port = "4317"
	}
	return target{address: net.JoinHostPort(u.Hostname(), port), plain: u.Scheme == "http", google: u.Hostname() == googleHost}, nil
}

// dial makes the one connection that traces and metrics share; it is opened when it is first used.
func (to target) dial(ctx context.Context, roots *x509.CertPool) (*grpc.ClientConn, error) {
	security := credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	if to.plain {
		security = insecure.NewCredentials()
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(security), grpc.WithUserAgent("arbridge")}
	if to.google {
		identity, err := oauth.NewApplicationDefault(ctx, googleScope)
		if err != nil {
			return nil, fmt.Errorf("telemetry: credentials for Google Cloud: %w", err)
		}
		options = append(options, grpc.WithPerRPCCredentials(identity))
	}
	conn, err := grpc.NewClient("dns:///"+to.address, options...)
	if err != nil {
		return nil, fmt.Errorf("telemetry: connecting to %s: %w", to.address, err)
	}
	return conn, nil
}

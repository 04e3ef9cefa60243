package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	"github.com/spf13/cobra"

	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/functions/poll"
	"github.com/arbridge/arbridge/functions/receipt"
	"github.com/arbridge/arbridge/functions/sync"
	"github.com/arbridge/arbridge/functions/webhook"
	"github.com/arbridge/arbridge/pkg/bus"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/connector/invoiced"
	"github.com/arbridge/arbridge/pkg/pushauth"
	"github.com/arbridge/arbridge/pkg/server"
	"github.com/arbridge/arbridge/pkg/telemetry"
)

// functionCommand is what runs on Google Cloud: FUNCTION_TARGET=NAME arbridge.
func functionCommand() *cobra.Command {
	var p place
	cmd := &cobra.Command{
		Use: "function NAME", Short: "Serve one function, as Cloud Run does (FUNCTION_TARGET)", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error { return serveFunction(cmd, args[0], &p) },
	}
	p.flags(cmd)
	return cmd
}

// serveFunction registers the function with the functions framework and serves it on $PORT until SIGTERM.
func serveFunction(cmd *cobra.Command, name string, p *place) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(cmd.Context()) // SIGTERM drains instead
	cloud := cfg.Deployment.Cloud
	log := logger(cmd.OutOrStdout(), false, "json", cloud.Project)
	tel := startTelemetry(ctx, "arbridge-"+name, cloud.Project, clock.System{}, log)
	plat, err := platform.Open(ctx, cfg, platform.Options{DataDir: p.data, Clock: clock.System{}, Logger: log, Telemetry: tel})
	if err != nil {
		return err
	}
	var drain server.Drain
	h, err := functionHandler(ctx, name, plat, cloud, server.Options{Logger: log, Clock: plat.Clock, Drain: &drain, Observe: tel, Meter: tel.Meter()})
	if err != nil {
		return errors.Join(usage(cmd, err), plat.Close())
	}
	if err := os.Setenv("FUNCTION_TARGET", name); err != nil {
		return err
	}
	functions.HTTP(name, h.ServeHTTP)
	ending, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ending, func() { plat.Hurry(true) }) // nothing waits for a vendor in the ten seconds that are left
	go drain.ExitOnSignal(ctx, log, func(ctx context.Context) error { return release(ctx, plat, tel, log) }, os.Exit)
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	host := "" // every interface: Cloud Run's proxy is not on loopback
	if os.Getenv("K_SERVICE") == "" {
		host = "127.0.0.1"
	}
	return errors.Join(funcframework.StartHostPort(host, port), plat.Close())
}

// startTelemetry begins to send traces and metrics where the environment says so. Without them everything else works.
func startTelemetry(ctx context.Context, service, project string, c clock.Clock, log *slog.Logger) *telemetry.Telemetry {
	version := "unknown"
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		version = build.Main.Version
	}
	tel, err := telemetry.Start(ctx, telemetry.Options{Env: os.Getenv, Service: service, Version: version, Project: project, Clock: c, Logger: log})
	if err != nil {
		log.WarnContext(ctx, "no traces and metrics are sent", "error", err)
	}
	return tel
}

// release closes everything, and sends what telemetry has left meanwhile: both take their time, and there is little.
func release(ctx context.Context, plat *platform.Platform, tel *telemetry.Telemetry, log *slog.Logger) error {
	sent := make(chan error, 1)
	go func() { sent <- tel.Shutdown(ctx) }()
	err := plat.Close()
	if lost := <-sent; lost != nil {
		log.WarnContext(ctx, "the last traces and metrics are lost", "error", lost)
	}
	return err
}

// functionHandler builds one function behind the guards all of them have. Functions that are pushed to check the token of
// the push as well, where the configuration names the account that pushes. Their deadline is below that of the subscription
// (10 minutes), so that a message is never worked on twice at the same time.
func functionHandler(ctx context.Context, name string, p *platform.Platform, cloud config.Cloud, o server.Options) (http.Handler, error) {
	o.MaxBody, o.Timeout = 10*bus.MaxMessage, 9*time.Minute
	log := o.Logger
	var h http.Handler
	switch name {
	case poll.Name:
		h = p.Poll().Handler()
	case sync.Name:
		h = sync.Handler(p.Engine, log)
	case receipt.Name:
		h = receipt.Handler(p.Engine, log)
	case webhook.Name:
		o.MaxBody, o.Timeout = webhook.MaxBody, 25*time.Second
		h = webhook.Handler(p.Engine, p.Secrets, p.WebhookSecret, webhook.Vendor{Verify: invoiced.Verify, Parse: invoiced.ParseEvent}, log)
		return server.Wrap(name, h, o), nil
	default:
		return nil, fmt.Errorf("there is no function %q; there are poll, sync, webhook, receipt", name)
	}
	if cloud.PushServiceAccount != "" {
		check, err := pushauth.New(ctx, pushOptions(cloud, p.Clock, os.Getenv))
		if err != nil {
			return nil, fmt.Errorf("checking push tokens: %w", err)
		}
		h = authenticated(h, check, log)
	}
	return server.Wrap(name, h, o), nil
}

// pushOptions says which tokens are taken. On Cloud Run (K_SERVICE) a service that asks for authentication gets tokens whose
// signature Google has checked and taken away (gcp-go-stack 5.2).
func pushOptions(cloud config.Cloud, c clock.Clock, env func(string) string) pushauth.Options {
	return pushauth.Options{
		Audience: cloud.BaseURL, Emails: []string{cloud.PushServiceAccount}, Clock: c, BehindIAM: cloud.Authenticated && env("K_SERVICE") != "",
	}
}

func authenticated(next http.Handler, check *pushauth.Checker, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := check.Check(r); err != nil {
			log.WarnContext(r.Context(), "push refused", "error", err)
			http.Error(w, "push token refused", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
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
	cloud := cfg.Deployment.Cloud
	log := logger(cmd.OutOrStdout(), false, "json", cloud.Project)
	plat, err := platform.Open(context.WithoutCancel(cmd.Context()), cfg, platform.Options{DataDir: p.data, Clock: clock.System{}, Logger: log})
	if err != nil {
		return err
	}
	var drain server.Drain
	h, err := functionHandler(context.WithoutCancel(cmd.Context()), name, plat, cloud, log, &drain)
	if err != nil {
		return errors.Join(usage(cmd, err), plat.Close())
	}
	if err := os.Setenv("FUNCTION_TARGET", name); err != nil {
		return err
	}
	functions.HTTP(name, h.ServeHTTP)
	go drain.ExitOnSignal(context.WithoutCancel(cmd.Context()), log, func(context.Context) error { return plat.Close() }, os.Exit)
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

// functionHandler builds one function behind the guards all of them have. Functions that are pushed to check the token of
// the push as well, where the configuration names the account that pushes.
func functionHandler(ctx context.Context, name string, p *platform.Platform, cloud config.Cloud, log *slog.Logger, drain *server.Drain) (http.Handler, error) {
	o := server.Options{MaxBody: 10 * bus.MaxMessage, Timeout: 9 * time.Minute, Logger: log, Clock: p.Clock, Drain: drain}
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
		check, err := pushauth.New(ctx, pushauth.Options{Audience: cloud.BaseURL, Emails: []string{cloud.PushServiceAccount}, Clock: p.Clock})
		if err != nil {
			return nil, fmt.Errorf("checking push tokens: %w", err)
		}
		h = authenticated(h, check, log)
	}
	return server.Wrap(name, h, o), nil
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

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/arbridge/arbridge/functions/host"
	"github.com/arbridge/arbridge/functions/platform"
	"github.com/arbridge/arbridge/functions/view"
	"github.com/arbridge/arbridge/pkg/clock"
	"github.com/arbridge/arbridge/pkg/config"
	"github.com/arbridge/arbridge/pkg/engine"
	"github.com/arbridge/arbridge/pkg/logging"
)

func logger(w io.Writer, verbose bool, format, project string) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return logging.New(w, level, format, project)
}

func serveCommand() *cobra.Command {
	var p place
	var addr, format string
	var testClock, verbose bool
	cmd := &cobra.Command{
		Use: "serve", Short: "Run all functions in one process on the embedded stack", Args: cobra.NoArgs,
		Long: "Serve the webhook, poll on schedule.poll and work on what is due, all in one process with one data folder. Where the\n" +
			"configuration names a Google Cloud project, each function is a service of its own instead: set FUNCTION_TARGET to poll,\n" +
			"sync, webhook or receipt.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load()
			if err != nil {
				return err
			}
			log := logger(cmd.ErrOrStderr(), verbose, format, "")
			warn(cmd.ErrOrStderr(), cfg)
			var clk clock.Clock = clock.System{}
			var movable *clock.Movable
			if testClock {
				if !loopback(addr) {
					return usage(cmd, errors.New("--test-clock works only on a loopback address"))
				}
				movable = clock.NewMovable(clk.Now())
				clk = movable
			}
			return serve(cmd.Context(), cmd.OutOrStdout(), cfg, platform.Options{DataDir: p.data, Clock: clk, Logger: log, Announce: true}, host.Options{TestClock: movable}, addr)
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8080", "address to listen on")
	cmd.Flags().StringVar(&format, "log", "text", "log format: text, json")
	cmd.Flags().BoolVar(&testClock, "test-clock", false, "start a movable clock with POST /_test/clock/advance (embedded, loopback)")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "log every vendor call")
	return cmd
}

func loopback(addr string) bool {
	h, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(h)
	return err == nil && (h == "localhost" || ip != nil && ip.IsLoopback())
}

// warn prints the problems of companies that do not run; the others do.
func warn(w io.Writer, cfg *config.Config) {
	if len(cfg.Problems) > 0 {
		fmt.Fprintln(w, cfg.Problems.String())
	}
}

func serve(ctx context.Context, out io.Writer, cfg *config.Config, po platform.Options, ho host.Options, addr string) (err error) {
	tel := startTelemetry(ctx, "arbridge", cfg.Deployment.Cloud.Project, po.Clock, po.Logger)
	po.Telemetry = tel
	p, err := platform.Open(ctx, cfg, po)
	if err != nil {
		return err
	}
	defer func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
		defer cancel()
		err = errors.Join(err, release(limit, p, tel, p.Log))
	}()
	ho.TokenDir = po.DataDir
	h, err := host.New(p, ho)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	fmt.Fprintf(out, "arbridge serves http://%s\n", l.Addr())
	for _, id := range p.Engine.CompanyIDs() {
		fmt.Fprintf(out, "  webhook of %s: http://%s/webhook/%s\n", id, l.Addr(), id)
	}
	return h.Run(ctx, l)
}

// shutdownLimit bounds the sending of what telemetry has left when a server ends.
const shutdownLimit = 3 * time.Second

func tickCommand() *cobra.Command {
	var p place
	var addr, company string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "tick", Short: "Poll now, on a running server", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := "/tick"
			if company != "" {
				path += "?company=" + url.QueryEscape(company)
			}
			return tick(cmd, running{p.data, addr}, path, asJSON)
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8080", "address of the running server")
	cmd.Flags().StringVar(&company, "company", "", "only this company")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

func tick(cmd *cobra.Command, s running, path string, asJSON bool) error {
	res, err := s.post(cmd.Context(), path, nil, 30*time.Minute)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden {
		return fmt.Errorf("the server at %s refuses: it has another data folder than %s; give both with --data and --addr", s.addr, s.data)
	}
	var answer struct {
		Results []engine.PollResult `json:"results"`
		Error   string              `json:"error,omitempty"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&answer); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	if asJSON {
		err = view.JSON(cmd.OutOrStdout(), answer)
	} else {
		for _, r := range answer.Results {
			fmt.Fprintf(cmd.OutOrStdout(), "%s: read %d, changed %d, unusable %d %s\n", r.Company, r.Read, r.Changed, r.Bad, r.Skipped)
		}
	}
	if err == nil && answer.Error != "" {
		err = errors.New(strings.TrimSpace(answer.Error))
	}
	return err
}

func configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Work with the configuration", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	var p place
	var asJSON bool
	validate := &cobra.Command{
		Use: "validate [FILE]", Short: "Report every problem of a configuration at once", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				p.config = args[0]
			}
			cfg, err := p.load()
			var wrong *config.ProblemsError
			if err != nil && !errors.As(err, &wrong) {
				return err
			}
			if wrong != nil {
				return report(cmd, cfg, wrong.Problems, asJSON)
			}
			return report(cmd, cfg, nil, asJSON)
		},
	}
	p.flags(validate)
	validate.Flags().BoolVar(&asJSON, "json", false, "JSON with schema arbridge/config/v1")
	cmd.AddCommand(validate)
	return cmd
}

// report prints the problems; the exit code is 1 when nothing can run and 4 when only some companies can.
func report(cmd *cobra.Command, cfg *config.Config, problems config.Problems, asJSON bool) error {
	answer := struct {
		Schema    string          `json:"schema"`
		Companies []string        `json:"companies"`
		Problems  config.Problems `json:"problems"`
	}{"arbridge/config/v1", []string{}, append(config.Problems{}, problems...)}
	if cfg != nil {
		answer.Problems = append(config.Problems{}, cfg.Problems...)
		for _, c := range cfg.Companies {
			answer.Companies = append(answer.Companies, c.ID)
		}
	}
	if asJSON {
		if err := view.JSON(cmd.OutOrStdout(), answer); err != nil {
			return err
		}
	} else {
		if len(answer.Problems) > 0 {
			fmt.Fprintln(cmd.OutOrStdout(), answer.Problems.String())
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d problems; companies that can run: %s\n", len(answer.Problems), strings.Join(answer.Companies, ", "))
	}
	switch {
	case len(answer.Companies) == 0:
		return exit{code: exitFailure}
	case len(answer.Problems) > 0:
		return exit{code: exitAttention}
	}
	return nil
}

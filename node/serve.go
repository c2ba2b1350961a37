package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/auth/control"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/embed"
	"github.com/netra-systems/switchboard/tool"
	"github.com/netra-systems/switchboard/transport"
	"github.com/netra-systems/switchboard/web"
)

// Serve runs a server as the settings say until ctx ends. It tells out where it is and how to log in, and nothing
// else; the log goes to logs. Errors: ErrSetting, and what keeps it from starting or stops it.
func Serve(ctx context.Context, s Settings, out, logs io.Writer) (err error) {
	if err := s.Validate(); err != nil {
		return err
	}
	log := s.logger(logs)
	listener, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return startError("--listen "+s.Listen, err)
	}
	defer listener.Close()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	admin, err := s.admin(registry)
	if err != nil {
		return err
	}
	defer admin.Close()
	if admin.listener != nil {
		log.Info("operators are served", "address", admin.listener.Addr().String())
	}
	connect, stopStore, err := s.store()
	if err != nil {
		return err
	}
	defer stopStore()
	cfg, err := s.config(connect, registry, log)
	if err != nil {
		return err
	}
	n, err := Open(ctx, cfg)
	if err != nil {
		return s.openError(err)
	}
	password, created, err := n.Accounts().EnsureAdmin(ctx, s.AdminPassword)
	if err != nil {
		n.Close()
		return s.firstUserError(err)
	}
	if s.AdminPassword != "" {
		password = "the password of SWITCHBOARD_ADMIN_PASSWORD"
	}
	local, err := control.Listen(s.Data, s.reached(listener.Addr()), n.Local())
	if err != nil {
		n.Close()
		return startError("--data "+s.Data, err)
	}
	s.announce(out, listener.Addr(), n, password, created)
	return s.run(ctx, n, servers{listener, admin, local}, log)
}

// openError blames the setting when it is the store outside that cannot be had. The URL may hold a password.
func (s Settings) openError(err error) error {
	if s.Journal != "" && switchboard.CodeOf(err) == switchboard.Unavailable {
		return setting("--journal-url: %s: %v", switchboard.AsError(err).Message, errors.Unwrap(switchboard.AsError(err)))
	}
	return err
}

// firstUserError blames the variable when it is the given password that cannot be used.
func (s Settings) firstUserError(err error) error {
	if e := switchboard.AsError(err); s.AdminPassword != "" && e.Code == switchboard.Invalid && e.Field == "password" {
		return setting("SWITCHBOARD_ADMIN_PASSWORD: %s", e.Message)
	}
	return err
}

// store opens the embedded engine, or names the one outside.
func (s Settings) store() (connect journal.Config, stop func(), err error) {
	if s.Journal != "" {
		if err := os.MkdirAll(s.Data, 0o700); err != nil {
			return connect, nil, startError("--data "+s.Data, err)
		}
		return journal.Config{Connect: journal.Dial(s.Journal), Replicas: s.Replicas}, func() {}, nil
	}
	engine, err := embed.Start(embed.Config{Dir: s.Data, Sync: s.Sync})
	if err != nil {
		return connect, nil, startError("--data "+s.Data, err)
	}
	return journal.Config{Connect: engine.Connect, Room: engine.Room, Revive: engine.Restart}, engine.Close, nil
}

// startError says in one line what the operator can do something about.
func startError(what string, err error) error {
	switch {
	case errors.Is(err, embed.ErrInUse):
		return setting("%s: another switchboard is using this folder", what)
	case errors.Is(err, syscall.EADDRINUSE):
		return setting("%s: the port is taken; port 0 picks a free one", what)
	case errors.Is(err, os.ErrPermission):
		return setting("%s: not permitted", what)
	}
	return setting("%s: %v", what, err)
}

func (s Settings) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

func (s Settings) config(store journal.Config, registry *prometheus.Registry, log *slog.Logger) (Config, error) {
	c, err := s.load()
	if err != nil {
		return Config{}, err
	}
	made, err := s.build(c)
	if err != nil {
		return Config{}, err
	}
	proxies, err := s.proxies()
	if err != nil {
		return Config{}, err
	}
	return Config{
		Name: s.nodeName(), Version: Version(), Journal: store, Auth: auth.Config{}, Agents: made.agents, Registry: registry, Log: log, Check: s.Journal == "",
		Transport: transport.Config{AllowedOrigins: s.AllowOrigin, AllowedHosts: s.AllowHost, TrustedProxies: proxies, Static: web.Handler()},
		Limits:    c.Limits, Approval: c.ApprovalTimeout, Policies: made.policies, MCP: made.servers,
		Tools: func(n *Node) []tool.Tool { return s.tools(n, c) },
	}, nil
}

// reached is where devices on this machine reach the server.
func (s Settings) reached(at net.Addr) string {
	scheme := "http"
	if s.TLSCert != "" {
		scheme = "https"
	}
	host, port, _ := net.SplitHostPort(at.String())
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// announce tells what runs where. The first password is told once.
func (s Settings) announce(w io.Writer, at net.Addr, n *Node, password string, created bool) {
	scheme := "http"
	if s.TLSCert != "" {
		scheme = "https"
	}
	store, model := s.Data+" (on disk before every ack)", n.cfg.Agents[0].Model.Name()
	if s.Sync > 0 {
		store = fmt.Sprintf("%s (synced every %v)", s.Data, s.Sync)
	}
	if s.Journal != "" {
		store = "NATS, and " + s.Data
	}
	if model == "offline demo" && s.Config == "" {
		model += "; for a real one set OPENAI_API_KEY or OPENAI_BASE_URL, or --model ollama/NAME"
	}
	login := "admin, with the password you were told at the first start (switchboard user passwd admin)"
	if created {
		login = "admin / " + password
	}
	agents := ""
	if s.Config != "" {
		agents = "  agents  " + strings.Join(n.agentNames(), ", ") + "\n"
	}
	fmt.Fprintf(w, "Switchboard %s\n  page    %s://%s\n  data    %s\n%s  model   %s\n  log in  %s\n", Version(), scheme, at, store, agents, model, login)
}

// servers are what listens: for everybody, for operators, for who may write the data folder.
type servers struct {
	public net.Listener
	admin  *adminServer
	local  *control.Server
}

// run serves until ctx ends or serving fails.
func (s Settings) run(ctx context.Context, n *Node, on servers, log *slog.Logger) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var parts sync.WaitGroup
	defer parts.Wait()
	server := &http.Server{Handler: n.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	parts.Go(func() {
		serve := func() error { return server.Serve(on.public) }
		if s.TLSCert != "" {
			serve = func() error { return server.ServeTLS(on.public, s.TLSCert, s.TLSKey) } // Validate has read them
		}
		if err := serve(); !errors.Is(err, http.ErrServerClosed) {
			cancel(err)
		}
	})
	defer server.Close()
	parts.Go(on.admin.Run)
	defer on.admin.Close()
	parts.Go(func() {
		if err := on.local.Run(ctx); err != nil && ctx.Err() == nil {
			log.Error("the control socket is gone; `switchboard user` works only while the server is stopped", "error", err)
		}
	})
	err := n.Run(ctx)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// adminServer serves operators; without a listener it is off.
type adminServer struct {
	listener net.Listener
	server   http.Server
}

// Run serves until Close.
func (a *adminServer) Run() {
	if a.listener != nil {
		_ = a.server.Serve(a.listener) // it ends with Close
	}
}

// Close ends it; it may be called more than once.
func (a *adminServer) Close() {
	if a.listener != nil {
		a.listener.Close()
		a.server.Close()
	}
}

// admin listens for /metrics and pprof.
func (s Settings) admin(registry *prometheus.Registry) (*adminServer, error) {
	if s.AdminListen == "" {
		return &adminServer{}, nil
	}
	l, err := net.Listen("tcp", s.AdminListen)
	if err != nil {
		return nil, startError("--admin-listen "+s.AdminListen, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return &adminServer{listener: l, server: http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}}, nil
}

// Version returns the version of this build.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || strings.HasPrefix(info.Main.Version, "(") {
		return "dev"
	}
	return info.Main.Version
}

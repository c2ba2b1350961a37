// Package transport brings devices in and out: it says who is speaking, takes frames from sockets to the router, and
// writes what the outbox of each device gives. It serves the WebSocket protocol at /ws, the event stream, health, and
// what is mounted on it.
//
// Guarantees: a device's user comes from its verified credential and from nowhere else. A device has one writer loop, so
// what it receives has one order: connection_established, then what the outbox gives. Frames of a device are routed one
// after the other, and each is answered. A device ends within a second of its session. Nothing is stored here.
//
// A Server may be used concurrently.
package transport

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
)

// Config says how devices are served. The zero value serves loopback with the default limits.
type Config struct {
	Limits         switchboard.Limits // the zero value: switchboard.DefaultLimits
	AllowedHosts   []string           // host or host:port that a request may name, besides the listener's own
	AllowedOrigins []string           // scheme://host[:port] of pages on other hosts that may connect
	TrustedProxies []netip.Prefix     // whose X-Forwarded-For and X-Forwarded-Proto are believed
	Insecure       bool               // plain HTTP off loopback is wanted: the cookie is not Secure, loopback names pass
	WriteTimeout   time.Duration      // for one frame, 15 s if zero; a device that takes longer is cut off
	DrainGrace     time.Duration      // between the draining notice and the close, 1 s if zero
	Version        string
	Node           string
	Ready          func(context.Context) error // why the node is not ready, nil if it is; nil: always ready
	Static         http.Handler                // served at /, may be nil
	Log            *slog.Logger                // slog.Default if nil
	Metrics        prometheus.Registerer       // nil: not exposed
}

// Validate reports the first setting that cannot work.
func (c Config) Validate() error {
	for _, o := range c.AllowedOrigins {
		if canonicalOrigin(o) == "" {
			return errors.New("allowed origin " + o + ": must be scheme://host or scheme://host:port")
		}
	}
	for _, h := range c.AllowedHosts {
		if h == "" || strings.ContainsAny(h, "/*@ ") {
			return errors.New("allowed host " + h + ": must be host or host:port")
		}
	}
	if c.WriteTimeout < 0 || c.DrainGrace < 0 {
		return errors.New("timeouts must not be negative")
	}
	return nil
}

// Server serves devices. Mount comes before Handler, Handler before the first request.
type Server struct {
	cfg     Config
	auth    Authenticator
	router  Router
	open    OpenFunc
	mux     *http.ServeMux
	devices *registry
	metrics *metrics
}

// New returns a Server; an error names the bad setting.
func New(cfg Config, a Authenticator, r Router, open OpenFunc) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Limits == (switchboard.Limits{}) {
		cfg.Limits = switchboard.DefaultLimits()
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = 15 * time.Second
	}
	if cfg.DrainGrace == 0 {
		cfg.DrainGrace = time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Server{
		cfg: cfg, auth: a, router: r, open: open, mux: http.NewServeMux(), metrics: newMetrics(cfg.Metrics),
		devices: newRegistry(switchboard.Milliseconds(cfg.Limits.PingMS), cfg.Limits.DevicesPerUser),
	}
	s.mux.HandleFunc("GET /ws", s.serveWebSocket)
	s.mux.HandleFunc("GET /api/v1/events", s.ServeEvents)
	s.mux.HandleFunc("GET /healthz", s.serveHealth)
	s.mux.HandleFunc("GET /readyz", s.serveReady)
	if cfg.Static != nil {
		s.mux.Handle("/", cfg.Static)
	}
	return s, nil
}

// Mount serves h under the pattern (of http.ServeMux), behind the same gate as everything else.
func (s *Server) Mount(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// Handler serves everything. It must not be wrapped in something that buffers.
func (s *Server) Handler() http.Handler { return s.gate(s.mux) }

// Limits returns the limits that are enforced.
func (s *Server) Limits() switchboard.Limits { return s.cfg.Limits }

// Version returns the version that devices are told.
func (s *Server) Version() string { return s.cfg.Version }

// admit takes in a connection of a device; leave must be called when it has ended. Errors: ShuttingDown, RateLimited.
func (s *Server) admit(r *http.Request) (leave func(), err error) {
	a := s.placeOf(r).client
	if err := s.devices.enter(a, s.cfg.Limits.ConnectionsPerIP); err != nil {
		return nil, err
	}
	return func() { s.devices.leave(a) }, nil
}

// Drain refuses new devices, tells those that are here that the node goes away, and after the grace, or when ctx ends,
// closes them with draining. It returns when all have left, or with ctx's error.
func (s *Server) Drain(ctx context.Context) error {
	s.devices.drain()
	notice := switchboard.Draining{InMS: s.cfg.DrainGrace.Milliseconds()}
	s.devices.each(func(d *device) { d.notify(switchboard.TypeDraining, notice) })
	left := make(chan struct{})
	go func() {
		s.devices.inside.Wait()
		close(left)
	}()
	grace := time.NewTimer(s.cfg.DrainGrace)
	defer grace.Stop()
	select {
	case <-left:
		return nil
	case <-grace.C:
	case <-ctx.Done():
	}
	s.devices.each(func(d *device) { d.end(errDraining()) })
	select {
	case <-left:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// serveHealth says that the process serves.
func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) { plain(w, "ok\n") }

// serveReady says whether devices should be sent here.
func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) {
	err := error(nil)
	if s.devices.isDraining() {
		err = errDraining()
	} else if s.cfg.Ready != nil {
		if cause := s.cfg.Ready(r.Context()); cause != nil {
			err = switchboard.Errorf(switchboard.Unavailable, "not ready: %s", cause.Error())
		}
	}
	if err != nil {
		WriteProblem(w, err)
		return
	}
	plain(w, "ready\n")
}

func plain(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(text))
}

package transport

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/netra-systems/switchboard"
)

// gate stands before everything: it refuses foreign hosts and origins, and credentials in the URL, sets the security
// headers, and logs the request.
func (s *Server) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		rec := &recorder{ResponseWriter: w}
		p := s.placeOf(r)
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				s.cfg.Log.Error("panic while serving a request", "panic", v, "stack", string(debug.Stack()))
				if rec.status == 0 {
					WriteProblem(rec, switchboard.Errorf(switchboard.Internal, "something went wrong on our side"))
				}
			} else if v != nil {
				panic(v)
			}
			s.access(r, rec, time.Since(began))
		}()
		secure(rec.Header(), p)
		if err := s.check(r, p); err != nil {
			WriteProblem(rec, err)
			return
		}
		next.ServeHTTP(rec, r)
	})
}

// check refuses what must not get in.
func (s *Server) check(r *http.Request, p place) error {
	if err := s.checkHost(r.Host, p); err != nil {
		return err
	}
	if err := s.checkOrigin(r, p); err != nil {
		return err
	}
	for name := range r.URL.Query() {
		switch strings.ToLower(name) {
		case "token", "ticket", "access_token":
			return switchboard.Errorf(switchboard.Invalid, "a credential must not be in the URL").At("query." + strings.ToLower(name))
		}
	}
	return nil
}

// secure sets the headers that keep browsers from doing more than the page needs.
func secure(h http.Header, p place) {
	h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if p.scheme == "https" {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// access logs a request: no header, no query, so no credential can be in it.
func (s *Server) access(r *http.Request, rec *recorder, took time.Duration) {
	s.metrics.requests.WithLabelValues(strconv.Itoa(rec.status)).Inc()
	s.cfg.Log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method),
		slog.String("path", r.URL.Path), slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes),
		slog.Duration("took", took), slog.String("client", s.ClientAddr(r)))
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap gives http.ResponseController the writer below.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// WriteHeader sends the status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

package transport

import (
	"net/http"
	"strings"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
)

// The names of the session cookie: with the __Host- prefix the browser holds it to this host, TLS and the path /
// (draft-ietf-httpbis-rfc6265bis §4.1.3).
const (
	secureCookie = "__Host-switchboard"
	plainCookie  = "switchboard_session"
)

// The prefixes of the subprotocols that carry a credential.
const (
	bearerProtocol = "bearer."
	ticketProtocol = "ticket."
)

// Identify returns who sends the request: by Authorization (RFC 6750), else by the session cookie. With the cookie a
// request that may change something needs an allowed Origin. Errors: Unauthenticated, Forbidden, Unavailable.
func (s *Server) Identify(r *http.Request) (auth.Identity, error) {
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	return s.identify(r, nil, !safe)
}

// identify tries the credentials in the order of the protocol; the first one present decides.
func (s *Server) identify(r *http.Request, protocols []string, cookieNeedsOrigin bool) (auth.Identity, error) {
	if h := r.Header.Values("Authorization"); len(h) > 0 {
		scheme, token, ok := strings.Cut(h[0], " ")
		if len(h) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") {
			return auth.Identity{}, unauthenticated("the Authorization header must be one Bearer token")
		}
		return s.verify(r, strings.TrimSpace(token))
	}
	for _, p := range protocols {
		if token, ok := strings.CutPrefix(p, bearerProtocol); ok {
			return s.verify(r, token)
		}
		if strings.HasPrefix(p, ticketProtocol) {
			return auth.Identity{}, unauthenticated("the ticket is not valid")
		}
	}
	c, err := r.Cookie(s.cookieName(s.placeOf(r)))
	if err != nil {
		return auth.Identity{}, unauthenticated("a valid token is needed")
	}
	if cookieNeedsOrigin && r.Header.Get("Origin") == "" { // one that is present was checked by the gate
		return auth.Identity{}, switchboard.Errorf(switchboard.Forbidden, "with a cookie an Origin is needed").At("Origin")
	}
	return s.verify(r, c.Value)
}

func (s *Server) verify(r *http.Request, token string) (auth.Identity, error) {
	if token == "" {
		return auth.Identity{}, unauthenticated("a valid token is needed")
	}
	id, err := s.auth.Verify(r.Context(), token)
	if err != nil {
		return auth.Identity{}, err
	}
	if !time.Now().Before(id.Expires) {
		return auth.Identity{}, unauthenticated("the token has expired")
	}
	return id, nil
}

func unauthenticated(message string) error {
	return switchboard.Errorf(switchboard.Unauthenticated, "%s", message)
}

// SessionCookie returns the cookie that holds the token until it expires; with an empty token it ends the cookie. It is
// HttpOnly and SameSite=Strict, and Secure unless the request came in on plain loopback.
func (s *Server) SessionCookie(r *http.Request, token string, expires time.Time) *http.Cookie {
	name := s.cookieName(s.placeOf(r))
	c := &http.Cookie{
		Name: name, Value: token, Path: "/", Expires: expires.UTC(),
		Secure: name == secureCookie, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	if token == "" {
		c.Expires, c.MaxAge = time.Unix(1, 0), -1
	}
	return c
}

func (s *Server) cookieName(p place) string {
	if p.scheme == "https" || !p.local && !s.cfg.Insecure {
		return secureCookie
	}
	return plainCookie
}

// ClientAddr returns the address of the client, behind trusted proxies too; "local" for a connection without one.
func (s *Server) ClientAddr(r *http.Request) string {
	if a := s.placeOf(r).client; a.IsValid() {
		return a.String()
	}
	return "local"
}

// protocols lists the subprotocols that a handshake offers (RFC 6455 §4.1).
func protocols(r *http.Request) []string {
	var out []string
	for _, h := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(h, ",") {
			out = append(out, strings.TrimSpace(p))
		}
	}
	return out
}

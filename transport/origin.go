package transport

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/netra-systems/switchboard"
)

// place is where a request came in and from where, after trusted proxies were taken into account.
type place struct {
	client netip.Addr // invalid for a connection that has no address, as a pipe
	scheme string     // http or https
	local  bool       // the listener is this machine's own: loopback, or a connection without addresses
	own    netip.Addr // the listener's address
}

// placeOf finds the client's address and scheme: forwarding headers count only from a trusted proxy (RFC 7239 §8.1).
func (s *Server) placeOf(r *http.Request) place {
	p := place{client: addrOf(r.RemoteAddr), scheme: "http", local: true}
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if p.own = addrOf(a.String()); p.own.IsValid() {
			p.local = p.own.IsLoopback()
		}
	}
	if r.TLS != nil {
		p.scheme = "https"
	}
	if !s.trusted(p.client) {
		return p
	}
	if r.TLS == nil && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		p.scheme = "https"
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		if p.client = a.Unmap(); !s.trusted(p.client) {
			break
		}
	}
	return p
}

func (s *Server) trusted(a netip.Addr) bool {
	for _, p := range s.cfg.TrustedProxies {
		if a.IsValid() && p.Contains(a) {
			return true
		}
	}
	return false
}

// addrOf reads the address of a host:port, invalid if it has none.
func addrOf(hostport string) netip.Addr {
	if ap, err := netip.ParseAddrPort(hostport); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// checkHost refuses a Host that is not this server's: the defence against DNS rebinding. Allowed are those configured
// (with or without a port), the listener's own address and, on a loopback listener, the loopback names, with any port.
func (s *Server) checkHost(host string, p place) error {
	name, port := splitHost(host)
	for _, h := range s.cfg.AllowedHosts {
		an, ap := splitHost(strings.ToLower(h))
		if an == name && (ap == "" || ap == port) {
			return nil
		}
	}
	a, err := netip.ParseAddr(name)
	switch {
	case err == nil && p.own.IsValid() && a.Unmap() == p.own:
		return nil
	case (p.local || s.cfg.Insecure) && (name == "localhost" || err == nil && a.IsLoopback()):
		return nil
	}
	return switchboard.Errorf(switchboard.Forbidden, "this host name is not served here").At("Host")
}

// checkOrigin refuses a page of another site: an Origin must be that of the request's Host, which was checked, or be
// configured. No Origin passes: a program sent the request, or a browser that asks its own site.
func (s *Server) checkOrigin(r *http.Request, p place) error {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return nil
	}
	if len(origins) == 1 {
		o := canonicalOrigin(origins[0])
		if o != "" && o == canonicalOrigin(p.scheme+"://"+r.Host) {
			return nil
		}
		for _, a := range s.cfg.AllowedOrigins {
			if o != "" && o == canonicalOrigin(a) {
				return nil
			}
		}
	}
	return switchboard.Errorf(switchboard.Forbidden, "pages of this origin may not connect").At("Origin")
}

// canonicalOrigin returns scheme://host[:port] in lower case without a default port, "" for what is no web origin
// (RFC 6454 §4).
func canonicalOrigin(s string) string {
	u, err := url.Parse(strings.ToLower(s))
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" ||
		u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	name, port := splitHost(u.Host)
	if port == "" || u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		port = ""
	} else {
		port = ":" + port
	}
	return u.Scheme + "://" + name + port
}

// splitHost splits host[:port]; an IPv6 address loses its brackets.
func splitHost(s string) (name, port string) {
	s = strings.ToLower(s)
	if n, p, err := net.SplitHostPort(s); err == nil {
		return n, p
	}
	return strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), ""
}

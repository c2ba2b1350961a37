// Package mcp takes tools from MCP servers: programs that it runs, and servers that are reached by HTTP.
//
// Servers may crash, hang, write rubbish and change their minds: each is kept connected on its own, with waits that
// grow, and none holds the node up. A tool's definition is believed when it is first seen; one that has changed since is
// withdrawn until somebody allows it. A call is sent once: if its answer is lost, its outcome is unknown, and it is never
// repeated. A server is told the call's arguments and what its settings say, and nothing else of the user. Calls of one
// server share a session, except where its headers name the user: then each user has their own.
//
// Running what servers offer is the Dispatcher's business alone. All methods may be called concurrently.
package mcp

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard/tool"
)

// Options are what the servers have in common. Pins and Offer are needed.
type Options struct {
	Servers []Config
	Pins    Pins
	// Offer takes all tools that a server has now, in the manner of tool.Dispatcher.Replace.
	Offer   func(source string, tools []tool.Tool)
	Secret  Secret                // nil: there are none
	Version string                // of Switchboard, which servers are told
	Log     *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: no metrics
}

// Servers are the MCP servers of a node.
type Servers struct {
	servers []*server
}

// New checks the settings; Run connects. Errors: what is wrong with a setting.
func New(o Options) (*Servers, error) {
	if err := validateAll(o.Servers); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	up := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "switchboard_mcp_connected", Help: "1 while an MCP server is connected."}, []string{"server"})
	withdrawn := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "switchboard_mcp_tools_withdrawn", Help: "Tools whose definitions have changed and are not allowed."}, []string{"server"})
	starts := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "switchboard_mcp_starts_total", Help: "Times a connection to an MCP server was tried."}, []string{"server"})
	if o.Metrics != nil {
		for _, m := range []prometheus.Collector{up, withdrawn, starts} {
			if err := o.Metrics.Register(m); err != nil {
				return nil, fmt.Errorf("mcp metrics: %w", err)
			}
		}
	}
	all := &Servers{}
	for _, c := range o.Servers {
		s := &server{
			cfg: c, version: o.Version, secret: o.Secret, pins: o.Pins, offer: o.Offer, base: http.DefaultTransport,
			log: o.Log.With("server", c.Name), news: make(chan struct{}), again: make(chan struct{}, 1), relist: relist,
			headers: parseHeaders(c.Headers), listHeaders: parseHeaders(c.ListHeaders),
			up: up.WithLabelValues(c.Name), withdrawn: withdrawn.WithLabelValues(c.Name), starts: starts.WithLabelValues(c.Name),
		}
		for name, v := range s.headers {
			if _, own := s.listHeaders[name]; !own && !v.user {
				s.listHeaders[name] = v
			}
		}
		if s.headers.perUser() {
			s.users = newPool(cmp.Or(c.Sessions, defaultSessions), s.openFor)
		}
		all.servers = append(all.servers, s)
	}
	return all, nil
}

// Run keeps the servers connected until ctx ends, and returns when nothing of them is left. The tools that were offered
// stay so.
func (all *Servers) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	for _, s := range all.servers {
		parts.Go(func() { s.run(ctx) })
	}
	parts.Wait()
	return nil
}

// Recheck looks at once whether what was withdrawn has been allowed.
func (all *Servers) Recheck() {
	for _, s := range all.servers {
		select {
		case s.again <- struct{}{}:
		default:
		}
	}
}

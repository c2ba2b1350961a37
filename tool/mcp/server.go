package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/internal/secret"
	"github.com/netra-systems/switchboard/tool"
)

const (
	firstWait   = 500 * time.Millisecond // before a server is tried again
	longestWait = 30 * time.Second
	goodWait    = time.Minute      // a session that lasted so long begins the waits anew
	listPause   = time.Second      // between two lists of tools
	recheck     = 10 * time.Second // of what was withdrawn
	relist      = time.Minute      // of all tools: a server may have others without saying so
	maxTools    = 500              // of one server
	maxPins     = 1000             // new ones since the start: for a server that has other tools every time
	absentWait  = 5 * time.Second
)

// errAway says that there is no connection to a server.
var errAway = errors.New("the tool's server does not answer")

// server is one configured server: it keeps a session for the node, whose list of tools it offers, and sessions for
// users if calls are made in their names.
type server struct {
	cfg                  Config
	version              string
	secret               Secret
	pins                 Pins
	offer                func(source string, tools []tool.Tool)
	headers, listHeaders headers
	base                 http.RoundTripper
	log                  *slog.Logger
	users                *pool // nil: calls go through the node's session
	up, withdrawn        prometheus.Gauge
	starts               prometheus.Counter
	again                chan struct{}  // holds a token when pins may have changed
	pinned               int            // first seen since the start; used by run alone
	relist               time.Duration  // between two lists of the tools
	closing              sync.WaitGroup // sessions over HTTP that are being closed

	mu      sync.Mutex // guards what follows
	current *session   // nil: none
	old     bool       // it was greeted in the older way
	news    chan struct{}
	tools   map[string]*remote // offered, by name
	changed map[string]string  // withdrawn: hash offered by name
}

// run keeps the server connected until ctx ends.
func (s *server) run(ctx context.Context) {
	wait, old := firstWait, false
	defer s.closing.Wait()
	if s.users != nil {
		defer s.users.close()
	}
	for {
		begin := time.Now()
		connected, err := s.serve(ctx, old)
		if ctx.Err() != nil {
			return
		}
		if !connected { // it may not know the newer greeting, and not say so
			old = !old && errors.Is(err, context.DeadlineExceeded)
		} else if time.Since(begin) >= goodWait {
			wait = firstWait
		}
		pause := wait/2 + rand.N(wait/2+1)
		s.log.Warn("an MCP server is away", "connected", connected, "again_in", pause.Round(time.Millisecond), "reason", s.clean("", err))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		wait = min(2*wait, longestWait)
	}
}

// clean returns an error of a user's session, or the node's, as the log may hold it: without the server's URL, which may
// hold a key, and without controls.
func (s *server) clean(u switchboard.UserID, err error) string {
	if err == nil {
		return "it has ended the session"
	}
	text := err.Error()
	if s.cfg.URL != "" {
		text = strings.ReplaceAll(text, s.cfg.URL, "the server")
	}
	text = s.redactor(u)(text)
	return cleanLine(text[:min(len(text), maxLine)])
}

// redactor takes what the server is given of secrets, on a user's behalf or on nobody's, out of what it says.
func (s *server) redactor(u switchboard.UserID) func(string) string {
	var told []string
	for _, hs := range []headers{s.headers, s.listHeaders} {
		for _, v := range hs {
			if text, err := v.eval(u, s.secret); err == nil && text != string(u) {
				told = append(told, text)
			}
		}
	}
	for _, text := range s.cfg.Env {
		if v, err := parseValue(text); err == nil {
			if text, err = v.eval("", s.secret); err == nil {
				told = append(told, text)
			}
		}
	}
	if u, err := url.Parse(s.cfg.URL); err == nil {
		for part := range strings.SplitSeq(u.RawQuery, "&") {
			_, v, named := strings.Cut(part, "=")
			if !named {
				v = part
			}
			plain, _ := url.QueryUnescape(v)
			told = append(told, v, plain)
		}
	}
	return secret.Redactor(told...)
}

// serve connects and offers what the server has until the session or ctx ends.
func (s *server) serve(ctx context.Context, old bool) (connected bool, err error) {
	starting, cancel := context.WithTimeout(ctx, s.startTimeout())
	defer cancel()
	s.starts.Inc()
	x, err := s.dial(starting, "", old)
	if err != nil {
		return false, err
	}
	defer s.leave(x)
	if err := s.list(starting, x); err != nil {
		return false, err
	}
	s.up.Set(1)
	defer s.up.Set(0)
	s.publish(x, old)
	defer s.publish(nil, old)
	s.log.Info("an MCP server is connected", "tools", len(s.offered()))
	tick, listed := time.NewTicker(min(recheck, s.relist)), time.Now()
	defer tick.Stop()
	for {
		told := true // that the list may have changed
		select {
		case <-ctx.Done():
			return true, nil
		case <-x.ended:
			return true, nil
		case now := <-tick.C:
			if s.users != nil {
				s.users.sweep(now)
			}
			if !s.waiting() && now.Sub(listed) < s.relist {
				continue
			}
			told = false
		case <-s.again:
		case <-x.changed:
			// A server that says so all the time is asked once a second.
			select {
			case <-time.After(listPause):
			case <-ctx.Done():
				return true, nil
			}
		}
		listing, cancel := context.WithTimeout(ctx, s.startTimeout())
		err := s.list(listing, x)
		cancel()
		if err != nil && told {
			return true, err
		} else if err != nil { // it may be busy with calls; whether it lives, pings tell
			s.log.Warn("the tools of an MCP server cannot be listed", "reason", s.clean("", err))
		}
		listed = time.Now()
	}
}

// leave closes a session. One over HTTP may still wait for the answers of calls, and the next one does not wait for them.
func (s *server) leave(x *session) {
	if x.process != nil {
		x.close()
	} else {
		s.closing.Go(x.close)
	}
}

func (s *server) startTimeout() time.Duration {
	if s.cfg.StartTimeout > 0 {
		return s.cfg.StartTimeout
	}
	return defaultStart
}

// list asks for the tools, holds each against its pin, and offers those that are believed.
func (s *server) list(ctx context.Context, x *session) error {
	tools, changed, seen := map[string]*remote{}, map[string]string{}, 0
	for t, err := range x.sdk.Tools(ctx, nil) {
		if err != nil {
			return err
		}
		if seen++; seen > maxTools {
			s.log.Warn("an MCP server has more tools than are taken", "limit", maxTools)
			break
		}
		name := toolName(s.cfg.Name, t.Name)
		if tools[name] != nil || changed[name] != "" {
			s.log.Warn("a tool is left out: another one has its name", "tool", name)
			continue
		}
		definition, err := definitionOf(t)
		if err != nil {
			return err
		}
		hash := hashOf(definition)
		believed, first, err := pin(ctx, s.pins, pinKey(s.cfg.Name, name), definition, s.pinned < maxPins)
		if err != nil {
			return fmt.Errorf("pins: %w", err)
		}
		if first {
			s.pinned++
		}
		if !believed {
			changed[name] = hash
			continue
		}
		if tools[name], err = newRemote(s, t, hash); err != nil {
			return err
		}
	}
	s.take(tools, changed)
	return nil
}

// take offers tools if they are others than before, and tells of those that are withdrawn.
func (s *server) take(tools map[string]*remote, changed map[string]string) {
	s.mu.Lock()
	same := s.tools != nil && maps.EqualFunc(s.tools, tools, func(a, b *remote) bool { return a.hash == b.hash })
	told := s.changed
	s.changed = changed
	if same {
		tools = s.tools // what is known stays the same tool, also for calls that wait
	}
	s.tools = tools
	s.mu.Unlock()
	s.withdrawn.Set(float64(len(changed)))
	for _, name := range sortedKeys(changed) {
		if told[name] != changed[name] {
			s.log.Warn("a tool is withdrawn: its server has changed it (switchboard mcp allow)", "tool", name)
		}
	}
	if same {
		return
	}
	var offered []tool.Tool
	for _, name := range sortedKeys(tools) {
		offered = append(offered, tools[name])
	}
	s.offer(s.cfg.Name, offered)
}

func (s *server) offered() map[string]*remote {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tools
}

// waiting reports whether a tool is withdrawn and may be allowed any time.
func (s *server) waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.changed) > 0
}

// believes reports whether a tool is still what the server offers.
func (s *server) believes(r *remote) bool { return s.offered()[r.definition.Name] == r }

// publish makes a session the one that calls go through; old says how it was greeted.
func (s *server) publish(x *session, old bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.old = x, old
	close(s.news)
	s.news = make(chan struct{})
}

// session returns the session that a user's calls go through. It waits a little for a server that is being connected.
func (s *server) session(ctx context.Context, u switchboard.UserID) (x *session, release func(), err error) {
	away := time.NewTimer(absentWait)
	defer away.Stop()
	for {
		s.mu.Lock()
		x, news := s.current, s.news
		s.mu.Unlock()
		if x != nil && !x.dead() {
			if s.users != nil {
				return s.users.get(ctx, u)
			}
			return x, func() {}, nil
		}
		select {
		case <-news:
		case <-away.C:
			return nil, nil, errAway
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// lost says that a session is of no use: what comes next must not go through it.
func (s *server) lost(u switchboard.UserID, x *session) {
	x.end() // the node's is connected anew by serve
	if s.users != nil {
		s.users.drop(u, x)
	}
}

// openFor opens a session for a user.
func (s *server) openFor(ctx context.Context, u switchboard.UserID) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, s.startTimeout())
	defer cancel()
	s.mu.Lock()
	old := s.old
	s.mu.Unlock()
	x, err := s.dial(ctx, u, old)
	if err != nil {
		s.log.Warn("a user's session with an MCP server could not be opened", "reason", s.clean(u, err))
		return nil, errAway
	}
	return x, nil
}

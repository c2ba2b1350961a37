// Package fakemodel is a model server for tests and probes: a real HTTP server on the loopback interface that speaks
// OpenAI's streaming protocol, Anthropic's and AG-UI's and, when told to, breaks them in every way that real servers do.
//
// By default it answers as package scripted does, without delay, so it calls tools and words their results. Another answer
// is chosen for a request by Config.Script, or by directives in the user's last message, so that a server in another
// process can be driven too (see ParseDirectives). Requests that a real server would refuse, such as a tool call without
// its result, are refused.
package fakemodel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/scripted"
)

// maxRecorded bounds the requests that are kept.
const maxRecorded = 10_000

// Config says how a Server answers. The zero value is good.
type Config struct {
	Listen string        // address; empty: 127.0.0.1:0
	Key    string        // bearer token that is asked for; empty: none
	Delay  time.Duration // before each chunk of every answer
	// Script chooses the answer to a request; nil is the default answer. It may be called concurrently.
	Script func(Request) *Answer
}

// Request is what the server was asked, as the protocol says it.
type Request struct {
	Model    string
	Header   http.Header
	Body     []byte
	Asked    model.Request // System, Messages and Tools
	Usage    bool          // whether token counts were asked for
	Attempt  int           // how often this body was sent before this one, and this one: from 1
	Received time.Time
}

// Text returns the last message of the user.
func (r Request) Text() string {
	for _, m := range slices.Backward(r.Asked.Messages) {
		if m.Role == model.User {
			return m.Text
		}
	}
	return ""
}

// Step says which request of the user's last message this is: 1 before any tool has answered, then 2, and so on.
func (r Request) Step() int {
	step := 1
	for _, m := range r.Asked.Messages {
		switch {
		case m.Role == model.User:
			step = 1
		case m.Role == model.Assistant && len(m.Calls) > 0:
			step++
		}
	}
	return step
}

// Server is a running server. Its methods may be called concurrently.
type Server struct {
	config   Config
	listener net.Listener
	http     *http.Server
	brain    *scripted.Model
	stop     context.CancelFunc
	handlers sync.WaitGroup
	done     chan struct{}

	mu       sync.Mutex // guards the fields below
	closed   bool       // no handler may begin
	requests []Request
	sent     map[string]int // attempts by body
}

// Start listens and serves until Close. Errors: those of net.Listen.
func Start(c Config) (*Server, error) {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("fake model: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{config: c, listener: l, brain: scripted.New(scripted.Config{WordsPerSecond: -1}), stop: stop,
		done: make(chan struct{}), sent: make(map[string]int)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", s.guard(openAI{}, s.complete))
	mux.HandleFunc("POST /v1/messages", s.guard(anthropic{}, s.complete))
	mux.HandleFunc("POST /agui", s.guard(agUI{}, s.complete))
	mux.HandleFunc("GET /v1/models", s.guard(openAI{}, s.models))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		openAI{}.refuse(w, http.StatusNotFound, "", "unknown URL")
	})
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l) // it ends with ErrServerClosed, or with what Close does to the listener
	}()
	return s, nil
}

// URL returns the base URL, with /v1, as clients of OpenAI's protocol want it. Anthropic's is below it at /messages, and
// AG-UI's beside it at /agui.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + "/v1" }

// Close ends the server and all answers that it is giving; it returns when their goroutines have ended.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	err := s.http.Close()
	<-s.done
	s.handlers.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Requests returns the requests for completions that were understood, oldest first, at most the first 10,000.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// guard counts a handler in and asks for the key.
func (s *Server) guard(d dialect, h func(dialect, http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.begin() {
			d.refuse(w, http.StatusServiceUnavailable, "", "closing")
			return
		}
		defer s.handlers.Done()
		if given := d.key(r.Header); s.config.Key != "" && given != s.config.Key {
			// As OpenAI does, it quotes the key; a client must not pass that on.
			d.refuse(w, http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided: "+given)
			return
		}
		h(d, w, r)
	}
}

func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.handlers.Add(1)
	}
	return !s.closed
}

func (s *Server) models(_ dialect, w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"object":"list","data":[{"id":"fake","object":"model","created":0,"owned_by":"switchboard"}]}`)
}

func (s *Server) complete(d dialect, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 32<<20))
	if err != nil {
		d.refuse(w, http.StatusRequestEntityTooLarge, "", "too large")
		return
	}
	req, err := d.read(r.Header, body)
	if err != nil {
		d.refuse(w, http.StatusBadRequest, "", err.Error())
		return
	}
	req.Header, req.Body, req.Received = r.Header.Clone(), body, time.Now()
	s.mu.Lock()
	s.sent[string(body)]++
	req.Attempt = s.sent[string(body)]
	if len(s.requests) < maxRecorded {
		s.requests = append(s.requests, req)
	}
	s.mu.Unlock()
	a, err := s.choose(req)
	if err != nil {
		d.refuse(w, http.StatusBadRequest, "bad_directive", err.Error())
		return
	}
	give(r.Context(), w, d, req, a)
}

// choose returns the answer to a request, with its chunks.
func (s *Server) choose(r Request) (Answer, error) {
	var a Answer
	chosen := false
	if s.config.Script != nil {
		if p := s.config.Script(r); p != nil {
			a, chosen = *p, true
		}
	}
	if !chosen {
		var err error
		if a, err = ParseDirectives(r); err != nil {
			return a, err
		}
	}
	if a.Delay == 0 {
		a.Delay = s.config.Delay
	}
	if a.Chunks == nil {
		asked := r.Asked
		asked.Messages = slices.Clone(asked.Messages)
		for i, m := range asked.Messages {
			if m.Role == model.User {
				asked.Messages[i].Text = StripDirectives(m.Text)
			}
		}
		for c, err := range s.brain.Stream(context.Background(), asked) {
			if err != nil {
				return a, err
			}
			a.Chunks = append(a.Chunks, c)
		}
	}
	return a, nil
}

// Package fakemodel is a model server for tests and probes: a real HTTP server on the loopback interface that speaks
// OpenAI's streaming protocol and, when told to, breaks it in every way that real servers do.
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

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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
	mux.HandleFunc("POST /v1/chat/completions", s.guard(s.complete))
	mux.HandleFunc("GET /v1/models", s.guard(s.models))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "invalid_request_error", "", "unknown URL")
	})
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l) // it ends with ErrServerClosed, or with what Close does to the listener
	}()
	return s, nil
}

// URL returns the base URL, with /v1, as clients want it.
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
func (s *Server) guard(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.begin() {
			refuse(w, http.StatusServiceUnavailable, "server_error", "", "closing")
			return
		}
		defer s.handlers.Done()
		given := r.Header.Get("Authorization")
		if s.config.Key != "" && given != "Bearer "+s.config.Key {
			// As OpenAI does, it quotes the key; a client must not pass that on.
			refuse(w, http.StatusUnauthorized, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: "+given)
			return
		}
		h(w, r)
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

func (s *Server) models(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"object":"list","data":[{"id":"fake","object":"model","created":0,"owned_by":"switchboard"}]}`)
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 32<<20))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "invalid_request_error", "", "too large")
		return
	}
	req, err := readRequest(body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "", err.Error())
		return
	}
	req.Header, req.Received = r.Header.Clone(), time.Now()
	s.mu.Lock()
	s.sent[string(body)]++
	req.Attempt = s.sent[string(body)]
	if len(s.requests) < maxRecorded {
		s.requests = append(s.requests, req)
	}
	s.mu.Unlock()
	a, err := s.choose(req)
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "bad_directive", err.Error())
		return
	}
	give(r.Context(), w, req, a)
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

// wireRequest is a request as it comes.
type wireRequest struct {
	Model    string `json:"model"`
	Messages []struct {
		Role      string  `json:"role"`
		Content   *string `json:"content"`
		ToolCalls []struct {
			ID       string `json:"id"`
			Type     string `json:"type"`
			Function struct {
				Name      string `json:"name"`
				Arguments string `json:"arguments"`
			} `json:"function"`
		} `json:"tool_calls"`
		ToolCallID string `json:"tool_call_id"`
	} `json:"messages"`
	Tools []struct {
		Type     string `json:"type"`
		Function struct {
			Name        string         `json:"name"`
			Description string         `json:"description"`
			Parameters  jsontext.Value `json:"parameters"`
		} `json:"function"`
	} `json:"tools"`
	Stream        bool `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

// readRequest reads a request as strictly as a real server does.
func readRequest(body []byte) (Request, error) {
	var w wireRequest
	r := Request{Body: body}
	if err := json.Unmarshal(body, &w); err != nil {
		return r, err
	}
	switch {
	case !w.Stream:
		return r, errors.New("only streams are served")
	case w.Model == "":
		return r, errors.New("you must provide a model parameter")
	case len(w.Messages) == 0:
		return r, errors.New("messages: too short")
	}
	r.Model, r.Usage = w.Model, w.StreamOptions.IncludeUsage
	for _, t := range w.Tools {
		if t.Type != "function" || t.Function.Name == "" || t.Function.Parameters.Kind() != '{' {
			return r, errors.New("tools: each must be a function with a name and parameters")
		}
		r.Asked.Tools = append(r.Asked.Tools, model.Tool{Name: t.Function.Name, Description: t.Function.Description,
			Schema: []byte(t.Function.Parameters)})
	}
	open := map[string]bool{} // calls without a result
	for i, m := range w.Messages {
		text := ""
		if m.Content != nil {
			text = *m.Content
		} else if len(m.ToolCalls) == 0 {
			return r, fmt.Errorf("messages.%d.content: expected a string", i)
		}
		if m.Role != "tool" && len(open) > 0 {
			return r, fmt.Errorf("messages.%d: an assistant message with tool_calls must be followed by the results of all of them", i)
		}
		x := model.Message{Role: model.Role(m.Role), Text: text, CallID: m.ToolCallID}
		for _, c := range m.ToolCalls {
			if c.ID == "" || open[c.ID] || c.Type != "function" || c.Function.Name == "" {
				return r, fmt.Errorf("messages.%d.tool_calls: malformed", i)
			}
			open[c.ID] = true
			x.Calls = append(x.Calls, model.Call{ID: c.ID, Tool: c.Function.Name, Arguments: c.Function.Arguments})
		}
		switch m.Role {
		case "system":
			r.Asked.System = text
			continue
		case "user", "assistant":
		case "tool":
			if !open[m.ToolCallID] {
				return r, fmt.Errorf("messages.%d.tool_call_id: no call before it has this id", i)
			}
			delete(open, m.ToolCallID)
		default:
			return r, fmt.Errorf("messages.%d.role: unknown", i)
		}
		r.Asked.Messages = append(r.Asked.Messages, x)
	}
	if len(open) > 0 {
		return r, errors.New("messages: the last tool_calls have no results")
	}
	return r, nil
}

// refuse answers with an error object.
func refuse(w http.ResponseWriter, status int, kind, code, message string) {
	b, err := json.Marshal(map[string]any{"error": map[string]any{"message": message, "type": kind, "code": code, "param": nil}},
		jsontext.AllowInvalidUTF8(true))
	if err != nil {
		b = []byte(`{"error":{"message":"unknown"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

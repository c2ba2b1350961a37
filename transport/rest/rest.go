// Package rest is the JSON API under /api/v1 and its OpenAPI 3.1 document at /openapi.json.
//
// Every operation on threads and runs becomes a switchboard.Message and goes through the one router, decoded and
// validated by the one codec: there is no second way to do anything. Errors are application/problem+json (RFC 9457) with
// the codes of the protocol and never echo a value of the request. The identity of a request is found before its body
// is read. The handlers may run concurrently and keep nothing.
package rest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	jsonv2 "github.com/go-json-experiment/json"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/router"
	"github.com/netra-systems/switchboard/transport"
)

// Agent is what is told of an agent.
type Agent struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Model       string `json:"model,omitempty" doc:"name of its model, for people"`
}

// Tool is what is told of a tool.
type Tool struct {
	Name        string          `json:"name"`
	Title       string          `json:"title,omitempty"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema" doc:"JSON Schema of the arguments"`
	ReadOnly    bool            `json:"read_only" doc:"it changes nothing"`
	Destructive bool            `json:"destructive" doc:"what it writes may replace or delete what was there"`
	Idempotent  bool            `json:"idempotent"`
	Approval    bool            `json:"approval" doc:"a person must agree before each call"`
}

// Config says what the API offers besides the router's messages.
type Config struct {
	Agents func(ctx context.Context, u switchboard.UserID) ([]Agent, error) // nil: none
	Tools  func(ctx context.Context, u switchboard.UserID) ([]Tool, error)  // nil: none
}

// api serves the operations.
type api struct {
	cfg    Config
	server *transport.Server
	auth   transport.Authenticator
	router transport.Router
	mux    *http.ServeMux
	huma   huma.API
}

const prefix = "/api/v1"

// useProblems makes the library answer with our problems. Its hook is a variable of the package, so it is set once.
var useProblems = sync.OnceFunc(func() { huma.NewError = newError })

// Mount adds the API to a server, which must not serve yet.
func Mount(cfg Config, s *transport.Server, a transport.Authenticator, r transport.Router) error {
	useProblems()
	x := &api{cfg: cfg, server: s, auth: a, router: r, mux: http.NewServeMux()}
	x.huma = humago.New(x.mux, x.config())
	x.register()
	doc, err := x.document()
	if err != nil {
		return err
	}
	x.mux.HandleFunc(prefix+"/", x.unknown)
	s.Mount(prefix+"/", x.mux)
	s.Mount("GET /openapi.json", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(doc)
	}))
	return nil
}

func (x *api) config() huma.Config {
	format := huma.Format{
		Marshal:   func(w io.Writer, v any) error { return jsonv2.MarshalWrite(w, v) },
		Unmarshal: strictly,
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Switchboard", Version: x.server.Version(),
				Description: "The durable, user-isolated message router for AI chat. Whatever is done here is done as on the " +
					"WebSocket: with the same messages, events and codes.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer": {Type: "http", Scheme: "bearer"},
					"cookie": {Type: "apiKey", In: "cookie", Name: "__Host-switchboard"},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format}, // +json
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
}

// newError turns the library's own errors, all about parameters, into problems: the place, never the value.
func newError(status int, _ string, errs ...error) huma.StatusError {
	if status >= http.StatusInternalServerError {
		return transport.NewProblem(switchboard.Errorf(switchboard.Internal, "something went wrong on our side"))
	}
	e := switchboard.Errorf(switchboard.Invalid, "the request is not valid")
	for _, err := range errs {
		var d huma.ErrorDetailer
		if errors.As(err, &d) {
			e = switchboard.Errorf(switchboard.Invalid, "this parameter is not known or its value is not allowed").
				At(truncate(d.ErrorDetail().Location))
			break
		}
	}
	return transport.NewProblem(e)
}

func truncate(s string) string { return strings.ToValidUTF8(s[:min(len(s), 128)], "") }

// Call is the request that an operation answers; every input embeds it.
type Call struct {
	request *http.Request
	writer  http.ResponseWriter
}

// Resolve keeps the request for the operation: who sends it and what its body holds is not the library's to say.
func (c *Call) Resolve(ctx huma.Context) []error {
	c.request, c.writer = humago.Unwrap(ctx)
	return nil
}

func (c *Call) call() *Call { return c }

// input is a pointer to the input of an operation.
type input[I any] interface {
	*I
	call() *Call
}

// operation adds an operation that needs an identity.
func operation[I, O any, P input[I]](x *api, op huma.Operation, do func(context.Context, auth.Identity, *I) (*O, error)) {
	op.Security = []map[string][]string{{"bearer": {}}, {"cookie": {}}}
	open(x, op, func(ctx context.Context, in *I) (*O, error) {
		id, err := x.server.Identify(P(in).call().request)
		if err != nil {
			return nil, err
		}
		return do(ctx, id, in)
	})
}

// open adds an operation that anyone may call.
func open[I, O any](x *api, op huma.Operation, do func(context.Context, *I) (*O, error)) {
	op.Path = prefix + op.Path
	huma.Register(x.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, transport.NewProblem(err)
		}
		return out, nil
	})
}

// unknown answers what is no operation: with 405 if the path has another method (RFC 9110 §15.5.6).
func (x *api) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		probe := &http.Request{Method: m, URL: r.URL, Host: r.Host}
		if _, pattern := x.mux.Handler(probe); pattern != "" && pattern != prefix+"/" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		transport.WriteProblem(w, switchboard.Errorf(switchboard.NotFound, "no such thing"))
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	p := transport.NewProblem(switchboard.Errorf(switchboard.Unsupported, "this method is not for this path"))
	p.Status, p.Title = http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed)
	p.Write(w)
}

// key returns the id of the message that a request becomes: its Idempotency-Key, or a new one.
func key(s string) (switchboard.FrameID, error) {
	if s == "" {
		return switchboard.FrameID(rand.Text()), nil
	}
	id, err := switchboard.ParseFrameID(s)
	if err != nil {
		return "", switchboard.AsError(err).At("Idempotency-Key")
	}
	return id, nil
}

// do lets the router do what a message asks and returns its result.
func do[R any](ctx context.Context, x *api, id auth.Identity, m switchboard.Message) (R, error) {
	var none R
	out, err := x.router.Do(ctx, router.Caller{User: id.User}, m)
	if err != nil {
		return none, unwrapped(err)
	}
	switch r := out.(type) {
	case R:
		return r, nil
	case *R:
		return *r, nil
	}
	return none, switchboard.Errorf(switchboard.Internal, "something went wrong on our side")
}

// unwrapped gives the field of an error as the request has it: what is the payload of a message is the body here.
func unwrapped(err error) error {
	e := *switchboard.AsError(err)
	if e.Field = strings.TrimPrefix(e.Field, "payload."); e.Field == "payload" {
		e.Field = ""
	}
	return &e
}

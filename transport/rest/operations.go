package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	jsonv2 "github.com/go-json-experiment/json"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
)

// Login is the body of POST auth/login.
type Login struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// Session is the answer to a login.
type Session struct {
	Token     string           `json:"token"`
	ExpiresAt switchboard.Time `json:"expires_at"`
	User      switchboard.User `json:"user"`
}

// Me is the caller, as its credential says.
type Me struct {
	User      switchboard.User `json:"user"`
	ExpiresAt switchboard.Time `json:"expires_at"`
}

// AgentList and ToolList are what GET agents and GET tools answer.
type (
	AgentList struct {
		Agents []Agent `json:"agents"`
	}
	ToolList struct {
		Tools []Tool `json:"tools"`
	}
)

// The parts of inputs.
type (
	// Keyed is the part of inputs of operations that change something.
	Keyed struct {
		Key string `header:"Idempotency-Key" doc:"id of the message: repeat a request with the same key until it is answered" maxLength:"64"`
	}
	none struct{ Call }

	threadInput struct {
		Call
		Keyed
		ID string `path:"id" doc:"thread_id"`
	}
	newThreadInput struct {
		Call
		Keyed
	}
	runInput struct {
		Call
		Keyed
		ID string `path:"id" doc:"run_id"`
	}
	listInput struct {
		Call
		Before string `query:"before" doc:"next of the page before"`
		Limit  int    `query:"limit" minimum:"1"`
	}
	metricsInput struct {
		Call
		Agent string `query:"agent" doc:"only of this agent"`
		Hours int    `query:"period_hours" minimum:"1" doc:"how far back; 24 if absent"`
	}
	pageInput struct {
		Call
		ID     string `path:"id" doc:"thread_id"`
		After  uint64 `query:"after" doc:"only events with a higher n"`
		Before uint64 `query:"before" doc:"the last events with a lower n"`
		Limit  int    `query:"limit" minimum:"1"`
	}
)

// output is an answer with a body.
type output[T any] struct {
	Cookie []string `header:"Set-Cookie"`
	Cache  string   `header:"Cache-Control"`
	Body   T
}

func answer[T any](v T) *output[T] { return &output[T]{Cache: "no-store", Body: v} }

// register adds all operations.
func (x *api) register() {
	x.registerSession()
	x.registerThreads()
	x.registerRuns()
	x.registerQuality()
	operation(x, huma.Operation{
		OperationID: "list-agents", Method: http.MethodGet, Path: "/agents", Summary: "The agents",
	}, func(ctx context.Context, id auth.Identity, _ *none) (*output[AgentList], error) {
		if x.cfg.Agents == nil {
			return answer(AgentList{}), nil
		}
		agents, err := x.cfg.Agents(ctx, id.User.ID)
		return answer(AgentList{agents}), err
	})
	operation(x, huma.Operation{
		OperationID: "list-tools", Method: http.MethodGet, Path: "/tools", Summary: "The tools that agents may call",
	}, func(ctx context.Context, id auth.Identity, _ *none) (*output[ToolList], error) {
		if x.cfg.Tools == nil {
			return answer(ToolList{}), nil
		}
		tools, err := x.cfg.Tools(ctx, id.User.ID)
		return answer(ToolList{tools}), err
	})
}

func (x *api) registerSession() {
	open(x, huma.Operation{
		OperationID: "login", Method: http.MethodPost, Path: "/auth/login", Summary: "Log in with a name and a password",
		Description: "Answers a token and sets it as the session cookie too.",
	}, func(ctx context.Context, in *none) (*output[Session], error) {
		var l Login
		b, err := x.read(&in.Call)
		if err == nil {
			err = strictly(b, &l)
		}
		if err != nil {
			return nil, err
		}
		for name, v := range map[string]string{"username": l.Username, "password": l.Password} {
			if v == "" {
				return nil, switchboard.Errorf(switchboard.Invalid, "%s is needed", name).At(name)
			}
		}
		token, id, err := x.auth.Login(ctx, l.Username, l.Password, x.server.ClientAddr(in.request))
		if err != nil {
			return nil, err
		}
		out := answer(Session{Token: token, ExpiresAt: switchboard.At(id.Expires), User: id.User})
		out.Cookie = []string{x.server.SessionCookie(in.request, token, id.Expires).String()}
		return out, nil
	})
	operation(x, huma.Operation{
		OperationID: "logout", Method: http.MethodPost, Path: "/auth/logout", Summary: "End the session and its sockets",
	}, func(ctx context.Context, id auth.Identity, in *none) (*output[switchboard.Empty], error) {
		if err := x.empty(&in.Call); err != nil {
			return nil, err
		}
		if err := x.auth.Logout(ctx, id); err != nil {
			return nil, err
		}
		out := answer(switchboard.Empty{})
		out.Cookie = []string{x.server.SessionCookie(in.request, "", time.Time{}).String()}
		return out, nil
	})
	operation(x, huma.Operation{
		OperationID: "me", Method: http.MethodGet, Path: "/me", Summary: "Who I am",
	}, func(_ context.Context, id auth.Identity, _ *none) (*output[Me], error) {
		return answer(Me{User: id.User, ExpiresAt: switchboard.At(id.Expires)}), nil
	})
}

func (x *api) registerThreads() {
	operation(x, huma.Operation{
		OperationID: "list-threads", Method: http.MethodGet, Path: "/threads", Summary: "My threads, newest activity first",
	}, func(ctx context.Context, id auth.Identity, in *listInput) (*output[switchboard.ThreadList], error) {
		return ask[switchboard.ThreadList](ctx, x, id, "", &switchboard.ListThreads{Before: in.Before, Limit: in.Limit})
	})
	for _, op := range []huma.Operation{
		{OperationID: "get-thread", Path: "/threads/{id}", Summary: "A thread, as a page of its events"},
		{OperationID: "list-events", Path: "/threads/{id}/events", Summary: "A page of a thread's events"},
	} {
		op.Method = http.MethodGet
		operation(x, op, func(ctx context.Context, id auth.Identity, in *pageInput) (*output[switchboard.EventPage], error) {
			return ask[switchboard.EventPage](ctx, x, id, in.ID,
				&switchboard.GetThread{After: in.After, Before: in.Before, Limit: in.Limit})
		})
	}
	operation(x, huma.Operation{
		OperationID: "rename-thread", Method: http.MethodPatch, Path: "/threads/{id}", Summary: "Rename a thread",
	}, func(ctx context.Context, id auth.Identity, in *threadInput) (*output[switchboard.Ack], error) {
		m, err := x.readMessage(&in.Call, id, switchboard.TypeRenameThread, in.Key, in.ID)
		return accept(ctx, x, id, m, err)
	})
	operation(x, huma.Operation{
		OperationID: "delete-thread", Method: http.MethodDelete, Path: "/threads/{id}", Summary: "Erase a thread",
	}, func(ctx context.Context, id auth.Identity, in *threadInput) (*output[switchboard.Ack], error) {
		if err := x.empty(&in.Call); err != nil {
			return nil, x.refused(id, err)
		}
		m, err := x.message(id, switchboard.TypeDeleteThread, in.Key, in.ID, []byte("{}"))
		return accept(ctx, x, id, m, err)
	})
	operation(x, huma.Operation{
		OperationID: "begin-thread", Method: http.MethodPost, Path: "/threads/messages", DefaultStatus: http.StatusAccepted,
		Summary: "Send a message that begins a thread", Description: sendDoc,
	}, func(ctx context.Context, id auth.Identity, in *newThreadInput) (*output[switchboard.Ack], error) {
		return x.send(ctx, id, &in.Call, in.Key, "")
	})
	operation(x, huma.Operation{
		OperationID: "send-message", Method: http.MethodPost, Path: "/threads/{id}/messages", DefaultStatus: http.StatusAccepted,
		Summary: "Send a message to a thread", Description: sendDoc,
	}, func(ctx context.Context, id auth.Identity, in *threadInput) (*output[switchboard.Ack], error) {
		return x.send(ctx, id, &in.Call, in.Key, in.ID)
	})
}

const sendDoc = "Queues a run. Answered once the message is on disk. A body with input is a start_agent, any other a user_message."

// send accepts a user_message or, with structured input, a start_agent.
func (x *api) send(ctx context.Context, id auth.Identity, c *Call, k, thread string) (*output[switchboard.Ack], error) {
	b, err := x.read(c)
	if err != nil {
		return nil, x.refused(id, err)
	}
	t := switchboard.TypeUserMessage
	var which struct {
		Input json.RawMessage `json:"input"`
	}
	if jsonv2.Unmarshal(b, &which) == nil && which.Input != nil { // what is not JSON is told by message
		t = switchboard.TypeStartAgent
	}
	m, err := x.message(id, t, k, thread, b)
	return accept(ctx, x, id, m, err)
}

// accept lets the router accept a message, unless err says that there is none.
func accept(ctx context.Context, x *api, id auth.Identity, m switchboard.Message, err error) (*output[switchboard.Ack], error) {
	if err != nil {
		return nil, err
	}
	ack, err := do[switchboard.Ack](ctx, x, id, m)
	if err != nil {
		return nil, err
	}
	return answer(ack), nil
}

// ask lets the router answer a question.
func ask[R any](ctx context.Context, x *api, id auth.Identity, thread string, p switchboard.MessagePayload) (*output[R], error) {
	b, err := jsonv2.Marshal(p)
	if err != nil {
		return nil, err
	}
	m, err := x.message(id, p.MessageType(), "", thread, b)
	if err != nil {
		return nil, err
	}
	r, err := do[R](ctx, x, id, m)
	if err != nil {
		return nil, err
	}
	return answer(r), nil
}

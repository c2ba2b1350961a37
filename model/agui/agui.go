// Package agui is a model.Model that is an agent elsewhere: any that serves AG-UI 1.0 over HTTP. What it promises of
// timeouts and secrets is said by package wire; a request is repeated only if it was refused, for an agent may have begun
// its work.
//
//   - What the agent writes is text, what it reasons or its subagents write is thinking.
//   - A tool that it runs itself is a call with its result; each such call ends a message.
//   - A tool of ours that it calls ends the answer as any model's does, and the next request brings the result.
//   - An interrupt is a call of InterruptTool: where a person has to approve that tool, a person answers the agent.
//   - The ids that it gave its messages and calls, and its state, are kept in State and given back, so that an agent with a
//     memory finds what it knows. A state that is too large to be kept is not given back.
//
// What an agent has said stays said: MESSAGES_SNAPSHOT adds to a message that is being written, and takes nothing back.
package agui

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

// InterruptTool is the tool that an agent's interrupts call. Its arguments are an Interrupt. Its result is a JSON object
// with approved, a boolean, and arguments, those that it was called with: if a person has changed them, the agent is told.
// A result that is no JSON says that nobody approved.
const InterruptTool = "interrupt"

// Interrupt is what an agent asks a person.
type Interrupt struct {
	Reason    string         `json:"reason"` // tool_call, confirmation, input_required, or a word of the agent's own
	Message   string         `json:"message,omitempty"`
	Tool      string         `json:"tool,omitempty"`      // that it wants to run
	Arguments jsontext.Value `json:"arguments,omitempty"` // of that tool
	Schema    jsontext.Value `json:"schema,omitempty"`    // JSON Schema of the answer that it wants
	Expires   string         `json:"expires,omitempty"`   // RFC 3339
}

// Config says where an agent is. Only URL and Name are needed.
type Config struct {
	URL            string            // that runs are posted to; no user, query or fragment
	Name           string            // as users see it
	Header         map[string]string `json:"-"` // sent with each request, for instance Authorization
	ForwardedProps jsontext.Value    // a JSON object that the agent understands; empty: {}

	wire.Policy // its IdleTimeout is 3 min here unless it is set: agents are silent while they work
}

// Validate says what is wrong with the configuration; the text names the field and never holds a header's value.
func (c Config) Validate() error {
	if err := wire.ValidURL("agent URL", c.URL); err != nil {
		return err
	}
	if c.Name == "" {
		return fmt.Errorf("agent: must be named")
	}
	for k, v := range c.Header {
		if k == "" || strings.ContainsFunc(k, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) }) {
			return fmt.Errorf("agent header: has a name that is none")
		}
		if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
			return fmt.Errorf("agent header: has a value with a character that no header has")
		}
	}
	if p := c.ForwardedProps; len(p) > 0 && (!p.IsValid() || p.Kind() != '{') {
		return fmt.Errorf("agent forwarded props: must be a JSON object")
	}
	return c.Policy.Validate()
}

// Format writes the configuration without its headers, whatever the verb.
func (c Config) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "%s at %s (%d headers)", c.Name, c.URL, len(c.Header))
}

// Model is an agent elsewhere. It keeps no state between requests and may be used concurrently.
type Model struct {
	config Config // without the headers
	client *wire.Client
}

// New builds a Model; it does not reach for the agent. Errors: those of Validate.
func New(c Config) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 3*time.Minute)
	if len(c.ForwardedProps) == 0 {
		c.ForwardedProps = jsontext.Value("{}")
	}
	s := wire.Server{URL: c.URL, Who: "the remote agent", Header: c.Header, Once: true}
	client := wire.New(s, c.Policy)
	c.Header = nil
	return &Model{config: c, client: client}, nil
}

// Name is the agent's name.
func (m *Model) Name() string { return m.config.Name }

// String is the agent and its address, without headers.
func (m *Model) String() string { return m.config.Name + " at " + m.config.URL }

// Close closes the connections that wait for the next request; the Model can still be used.
func (m *Model) Close() { m.client.Close() }

// Stream runs the agent. Errors are those of wire.Client.Stream, Refused for a request that cannot be encoded, and what a
// RUN_ERROR's code says, or Unavailable; a run that was cancelled over there is Unavailable too.
func (m *Model) Stream(ctx context.Context, r model.Request) iter.Seq2[model.Chunk, error] {
	return func(yield func(model.Chunk, error) bool) {
		e, err := m.encode(r)
		if err != nil {
			yield(model.Chunk{}, &model.Error{Kind: model.Refused, Message: "the request cannot be encoded", Err: err})
			return
		}
		m.client.Stream(ctx, e.body, yield, func(o *wire.Out) wire.Reader { return newAnswer(o, e) })
	}
}

// Package openai is a model.Model for any server that speaks OpenAI's chat-completions protocol with streaming: OpenAI
// itself, vLLM, llama.cpp, Ollama, gateways. What it promises of retries, timeouts and secrets is said by package wire.
//
// The protocol's client is written here rather than taken from sashabaranov/go-openai (v1.43), which loses what these
// guarantees need: its stream reader ends with the same io.EOF for a broken connection and for [DONE], reads lines and
// error bodies of any length, drops the Retry-After header, tells an error frame only when the next line arrives, knows
// one of the two names of reasoning deltas, and has no timeout between bytes.
package openai

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

// Config says which server is asked for which model. Only BaseURL and Model are needed.
type Config struct {
	BaseURL   string // with the version, e.g. https://api.openai.com/v1; no user, query or fragment
	Key       string `json:"-"` // sent as a bearer token (RFC 6750), if not empty
	Model     string // as the server calls it
	OmitUsage bool   // do not ask for token counts: for servers that refuse stream_options

	wire.Policy
}

// Validate says what is wrong with the configuration; the text names the field and never holds the key.
func (c Config) Validate() error {
	if err := wire.ValidURL("model base URL", c.BaseURL); err != nil {
		return err
	}
	if c.Model == "" {
		return fmt.Errorf("model: must be named")
	}
	if err := wire.ValidKey(c.Key); err != nil {
		return err
	}
	return c.Policy.Validate()
}

// Format writes the configuration without its key, whatever the verb.
func (c Config) Format(s fmt.State, _ rune) {
	key := "no key"
	if c.Key != "" {
		key = "with a key"
	}
	fmt.Fprintf(s, "%s at %s (%s)", c.Model, c.BaseURL, key)
}

// Model asks one server for one model. It keeps no state between requests and may be used concurrently.
type Model struct {
	config Config // without the key
	client *wire.Client
}

// New builds a Model; it does not reach for the server. Errors: those of Validate.
func New(c Config) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := wire.Server{URL: strings.TrimRight(c.BaseURL, "/") + "/chat/completions", Who: "the model server", Header: map[string]string{}}
	if c.Key != "" {
		s.Header["Authorization"] = "Bearer " + c.Key
	}
	c.Key = ""
	return &Model{config: c, client: wire.New(s, c.Policy)}, nil
}

// Name is the model's name.
func (m *Model) Name() string { return m.config.Model }

// String is the model and its server, without the key.
func (m *Model) String() string { return m.config.Model + " at " + m.config.BaseURL }

// Close closes the connections that wait for the next request; the Model can still be used.
func (m *Model) Close() { m.client.Close() }

// Stream asks the model. Errors are those of wire.Client.Stream, and Refused for a request that cannot be encoded.
func (m *Model) Stream(ctx context.Context, r model.Request) iter.Seq2[model.Chunk, error] {
	return func(yield func(model.Chunk, error) bool) {
		body, err := m.encode(r)
		if err != nil {
			yield(model.Chunk{}, &model.Error{Kind: model.Refused, Message: "the request cannot be encoded", Err: err})
			return
		}
		m.client.Stream(ctx, body, yield, func(o *wire.Out) wire.Reader { return &answer{out: o} })
	}
}

// Package openai is a model.Model for any server that speaks OpenAI's chat-completions protocol with streaming
// (Server-Sent Events as in WHATWG HTML §9.2): OpenAI itself, vLLM, llama.cpp, Ollama, gateways.
//
// Guarantees: an answer that did not reach its finish reason ends with an error, never with a Finish chunk. A request is
// repeated only while nothing of its answer was given. What is wrong with one answer — silence, size, garbage — is found
// within fixed bounds. The key is sent to the configured server only, redirects are not followed, and no error, log or
// formatted value holds it.
//
// The protocol's client is written here rather than taken from sashabaranov/go-openai (v1.43), which loses what these
// guarantees need: its stream reader ends with the same io.EOF for a broken connection and for [DONE], reads lines and
// error bodies of any length, drops the Retry-After header, tells an error frame only when the next line arrives, knows
// one of the two names of reasoning deltas, and has no timeout between bytes.
package openai

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/netra-systems/switchboard/model"
)

// Config says which server is asked for which model. Only BaseURL and Model are needed.
type Config struct {
	BaseURL string // with the version, e.g. https://api.openai.com/v1; no user, query or fragment
	Key     string `json:"-"` // sent as a bearer token (RFC 6750), if not empty
	Model   string // as the server calls it

	IdleTimeout time.Duration // longest silence between two bytes of the server; 0: 60 s
	Attempts    int           // requests until the first chunk, in all; 0: 3
	Backoff     time.Duration // wait before the second request, doubled for each later one, with jitter; 0: 250 ms
	MaxWait     time.Duration // longest Retry-After that is waited out; 0: 10 s
	MaxBytes    int           // largest answer: text, thinking and arguments; 0: 4 MiB
	OmitUsage   bool          // do not ask for token counts: for servers that refuse stream_options
	HTTPClient  *http.Client  // 0: one of its own. Its CheckRedirect is not used
}

// Validate says what is wrong with the configuration; the text names the field and never holds the key.
func (c Config) Validate() error {
	u, err := url.Parse(c.BaseURL)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("model base URL: must be an http or https URL")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return fmt.Errorf("model base URL: must have no user, query or fragment")
	case c.Model == "":
		return fmt.Errorf("model: must be named")
	case strings.ContainsFunc(c.Key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("model key: holds a character that no key has")
	case c.IdleTimeout < 0, c.Attempts < 0, c.Backoff < 0, c.MaxWait < 0, c.MaxBytes < 0:
		return fmt.Errorf("model: no time or size may be negative")
	}
	return nil
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
	config    Config // without the key
	url       string
	client    *http.Client
	authorize func(*http.Request) // holds the key where no formatting finds it
	redact    func(string) string // takes the key out of a text
}

// New builds a Model; it does not reach for the server. Errors: those of Validate.
func New(c Config) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 60*time.Second)
	c.Attempts = cmp.Or(c.Attempts, 3)
	c.Backoff = cmp.Or(c.Backoff, 250*time.Millisecond)
	c.MaxWait = cmp.Or(c.MaxWait, 10*time.Second)
	c.MaxBytes = cmp.Or(c.MaxBytes, 4<<20)
	client := http.Client{Transport: newTransport()}
	if c.HTTPClient != nil {
		client = *c.HTTPClient
	}
	// A redirected POST becomes a GET, and the conversation would go to a server nobody chose.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	m := &Model{
		config:    c,
		url:       strings.TrimRight(c.BaseURL, "/") + "/chat/completions",
		client:    &client,
		authorize: func(*http.Request) {},
		redact:    func(s string) string { return s },
	}
	if key := c.Key; key != "" {
		m.authorize = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+key) }
		m.redact = strings.NewReplacer(key, "[key]", url.QueryEscape(key), "[key]").Replace
	}
	m.config.Key = ""
	return m, nil
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

// Name is the model's name.
func (m *Model) Name() string { return m.config.Model }

// String is the model and its server, without the key.
func (m *Model) String() string { return m.config.Model + " at " + m.config.BaseURL }

// Close closes the connections that wait for the next request; the Model can still be used.
func (m *Model) Close() { m.client.CloseIdleConnections() }

// Stream asks the model. Until the first chunk it tries as often as Config says, waiting as the server asks; a chunk
// given is never taken back. Errors are *model.Error, or ctx's cause:
//
//   - Refused: 4xx, a redirect, or a request that cannot be encoded.
//   - Unavailable: 408, 409, 425, 429, 5xx, no connection, silence of IdleTimeout at any time, or a stream that broke
//     before its first chunk.
//   - Truncated: a stream that broke after it: cut, garbage, too large, or ended without a finish reason.
func (m *Model) Stream(ctx context.Context, r model.Request) iter.Seq2[model.Chunk, error] {
	return func(yield func(model.Chunk, error) bool) {
		body, err := m.encode(r)
		if err != nil {
			yield(model.Chunk{}, &model.Error{Kind: model.Refused, Message: "the request cannot be encoded", Err: err})
			return
		}
		for attempt := 1; ; attempt++ {
			a := &answer{yield: yield, left: m.config.MaxBytes}
			err := m.ask(ctx, body, a)
			if err == nil || a.stopped {
				return
			}
			if ctx.Err() != nil {
				yield(model.Chunk{}, context.Cause(ctx))
				return
			}
			if a.begun || attempt >= m.config.Attempts || !m.wait(ctx, attempt, err) {
				if ctx.Err() != nil {
					yield(model.Chunk{}, context.Cause(ctx))
					return
				}
				yield(model.Chunk{}, err)
				return
			}
		}
	}
}

// wait sleeps before another attempt and says whether there should be one.
func (m *Model) wait(ctx context.Context, attempt int, err *model.Error) bool {
	if err.Kind != model.Unavailable || err.RetryAfter > m.config.MaxWait {
		return false
	}
	d := m.config.Backoff << (attempt - 1)
	d = min(d/2+rand.N(d/2+1), m.config.MaxWait)
	t := time.NewTimer(max(d, err.RetryAfter))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ask sends one request and gives its answer to a.
func (m *Model) ask(ctx context.Context, body []byte, a *answer) *model.Error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := newWatch(m.config.IdleTimeout, cancel)
	defer w.stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, bytes.NewReader(body))
	if err != nil {
		return &model.Error{Kind: model.Refused, Message: "the model's address is not usable", Err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	m.authorize(req)
	w.start()
	res, err := m.client.Do(req)
	w.stop()
	if err != nil {
		return m.broken(ctx, err, false)
	}
	defer res.Body.Close()
	w.r = res.Body
	if res.StatusCode != http.StatusOK {
		return m.refused(res, w)
	}
	s := newStream(w, 16*m.config.MaxBytes+1<<20)
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		err = s.readWhole(a) // a server that does not stream
	} else {
		err = s.read(a, w)
	}
	if err == nil {
		// After the last chunk was given: seeing the body's end keeps the connection for the next request.
		w.limit = 50 * time.Millisecond
		_, _ = io.CopyN(io.Discard, w, 4<<10)
		return nil
	}
	if a.stopped {
		return nil
	}
	return m.broken(ctx, err, a.begun)
}

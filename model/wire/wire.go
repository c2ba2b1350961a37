// Package wire is what the model adapters that speak HTTP share: one way to send a request, to read Server-Sent Events
// (WHATWG HTML §9.2), to try again, to give up, and to say what went wrong. An adapter adds what its protocol says: how a
// request is written, and what an event means (a Reader).
//
// Guarantees: an answer that did not reach its end ends with an error, never with a Finish chunk. A request is repeated only
// while nothing of its answer was given. What is wrong with one answer — silence, size, garbage, endlessness — is found
// within fixed bounds. Secrets are sent to the configured server only, redirects are not followed, and no error or
// formatted value holds them.
package wire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/netra-systems/switchboard/internal/secret"
	"github.com/netra-systems/switchboard/model"
)

// Policy says how patient an adapter is. The zero value is good.
type Policy struct {
	IdleTimeout time.Duration // longest silence between two bytes of the server; 0: 60 s
	Timeout     time.Duration // from the request to the end of its answer, all attempts and their reader's time included; 0: 10 min
	Attempts    int           // requests until the first chunk, in all; 0: 3
	Backoff     time.Duration // longest wait before the second request, doubled for each later one; 0: 500 ms
	MaxWait     time.Duration // longest single wait, also if the server asks for it; 0: 10 s
	MaxBytes    int           // largest answer: text, thinking, arguments and results; 0: 4 MiB
	HTTPClient  *http.Client  `json:"-"` // 0: one of its own. Its CheckRedirect is not used
}

// Validate says what is wrong with the policy.
func (p Policy) Validate() error {
	if p.IdleTimeout < 0 || p.Timeout < 0 || p.Attempts < 0 || p.Backoff < 0 || p.MaxWait < 0 || p.MaxBytes < 0 {
		return fmt.Errorf("model: no time or size may be negative")
	}
	return nil
}

// ValidURL says what is wrong with the URL of a server; the text begins with its name and does not hold it.
func ValidURL(name, s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("%s: must be an http or https URL", name)
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return fmt.Errorf("%s: must have no user, query or fragment", name)
	}
	return nil
}

// ValidKey says what is wrong with a key; the text does not hold it.
func ValidKey(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("model key: holds a character that no key has")
	}
	return nil
}

// Server is where requests go.
type Server struct {
	URL    string
	Header map[string]string // sent with each request; all values are taken for secrets
	Who    string            // what it is called in messages: the model server
	// Once says that a request does something: it is repeated only if the server cannot have begun to work on it.
	Once bool
}

// Client sends requests to one server. It keeps no state between them and may be used concurrently.
type Client struct {
	policy Policy
	url    string
	who    string
	once   bool
	http   *http.Client
	header func(http.Header)   // holds the secrets where no formatting finds them
	redact func(string) string // takes them out of a text
}

// New builds a client; it does not reach for the server. The policy and the URL are taken for valid.
func New(s Server, p Policy) *Client {
	p.IdleTimeout = cmp.Or(p.IdleTimeout, 60*time.Second)
	p.Timeout = cmp.Or(p.Timeout, 10*time.Minute)
	p.Attempts = cmp.Or(p.Attempts, 3)
	p.Backoff = cmp.Or(p.Backoff, 500*time.Millisecond)
	p.MaxWait = cmp.Or(p.MaxWait, 10*time.Second)
	p.MaxBytes = cmp.Or(p.MaxBytes, 4<<20)
	client := http.Client{Transport: newTransport()}
	if p.HTTPClient != nil {
		client = *p.HTTPClient
	}
	// A redirected POST becomes a GET, and the conversation would go to a server nobody chose.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &Client{policy: p, url: s.URL, who: s.Who, once: s.Once, http: &client}
	header := make(map[string]string, len(s.Header))
	for k, v := range s.Header {
		header[k] = v
	}
	c.header = func(h http.Header) {
		for k, v := range header {
			h.Set(k, v)
		}
	}
	c.redact = secret.Redactor(slices.Collect(maps.Values(header))...)
	return c
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

// Close closes the connections that wait for the next request; the client can still be used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

var errTimeout = errors.New("the answer took longer than allowed")

// Stream sends a request and yields its answer, which the reader of each attempt makes of the server's events. Until the
// first chunk it tries as often as the policy says, waiting as the server asks; a chunk given is never taken back. Errors
// are *model.Error, or ctx's cause:
//
//   - Refused: 4xx, or a redirect.
//   - Unavailable: 408, 409, 425, 429, 5xx, no connection, silence of IdleTimeout or an answer longer than Timeout at any
//     time, or a stream that broke before its first chunk.
//   - Truncated: a stream that broke after it: cut, garbage, too large, or ended before its answer was whole.
func (c *Client) Stream(ctx context.Context, body []byte, yield func(model.Chunk, error) bool, begin func(*Out) Reader) {
	caller := ctx
	ctx, cancel := context.WithTimeoutCause(ctx, c.policy.Timeout, errTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		o := &Out{yield: yield, left: c.policy.MaxBytes}
		f := c.ask(ctx, body, o, begin)
		if f == nil || o.stopped {
			return
		}
		again := !o.begun && attempt < c.policy.Attempts && f.again && c.wait(ctx, attempt, f.err)
		if caller.Err() != nil {
			yield(model.Chunk{}, context.Cause(caller))
			return
		}
		if !again {
			yield(model.Chunk{}, f.err)
			return
		}
	}
}

// wait sleeps before another attempt and says whether there should be one: not if the server asks for more patience than
// there is. The time is chosen evenly between none and all of the backoff, so that those who failed together do not come
// back together.
func (c *Client) wait(ctx context.Context, attempt int, err *model.Error) bool {
	if err.Kind != model.Unavailable || err.RetryAfter > c.policy.MaxWait {
		return false
	}
	longest := min(c.policy.Backoff<<min(attempt-1, 20), c.policy.MaxWait)
	d := max(rand.N(longest+1), err.RetryAfter)
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

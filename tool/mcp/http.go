package mcp

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"sync/atomic"
)

// maxMessage bounds one message of a server, in bytes: of a longer one there is no half that means anything.
const maxMessage = 16 << 20

// errElsewhere says that a server sent us to another host.
var errElsewhere = errors.New("the server redirects to another host, which is told nothing")

// errTooLong says that an answer is longer than maxMessage.
var errTooLong = errors.New("the server's answer is too long")

// takenKey is the key of an *atomic.Bool in a call's context: it is set while the server may have taken the call, so not
// before it is sent, nor after an answer that the session is unknown. The library's errors do not tell: when one request
// of a session meets that, all others fail like it.
type takenKey struct{}

// origin is an http.RoundTripper that adds headers to requests to one server and sends none to any other, and bounds
// answers. Streams are bounded event by event, by who reads them.
type origin struct {
	base    http.RoundTripper
	url     *url.URL
	headers func() (http.Header, error)
}

// RoundTrip implements http.RoundTripper.
func (o *origin) RoundTrip(q *http.Request) (*http.Response, error) {
	if q.URL.Scheme != o.url.Scheme || q.URL.Host != o.url.Host {
		return nil, errElsewhere
	}
	hs, err := o.headers()
	if err != nil {
		return nil, err
	}
	q = q.Clone(q.Context())
	for name, values := range hs {
		q.Header[name] = values
	}
	taken, ok := q.Context().Value(takenKey{}).(*atomic.Bool)
	tells := ok && q.Method == http.MethodPost // others ask for the answer to one
	if tells {
		taken.Store(true)
	}
	r, err := o.base.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	if tells && r.StatusCode == http.StatusNotFound && q.Header.Get("Mcp-Session-Id") != "" {
		taken.Store(false) // MCP 2025-11-25, Transports, Session Management
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "text/event-stream" || r.StatusCode != http.StatusOK {
		r.Body = &bounded{r.Body, maxMessage}
	}
	return r, nil
}

// bounded is a body that fails when it is longer than left.
type bounded struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

package mcp

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/netra-systems/switchboard"
)

const (
	pingEvery = 30 * time.Second
	pingLost  = 3 // a server that does not answer so many pings in a row is dead
)

// legacy is the newest revision of the protocol that begins with initialize. A server that does not answer the newer
// greeting at all is greeted so at the next try.
const legacy = "2025-11-25"

// session is a connection to a server: that of the node, or that of one user. Its methods may be called concurrently.
type session struct {
	sdk     *sdk.ClientSession
	process *process      // nil over HTTP
	changed chan struct{} // holds a token when the list of tools may have changed
	ended   chan struct{} // closed when the session is of no use any more
	end     func()        // closes ended, once
	waits   sync.WaitGroup

	mu       sync.Mutex // guards what follows
	calls    int
	progress map[string]func(progress, total float64, text string) // by token
}

// dial connects to a server; for a user, or with u "" for the node itself.
func (s *server) dial(ctx context.Context, u switchboard.UserID, old bool) (*session, error) {
	x := &session{changed: make(chan struct{}, 1), ended: make(chan struct{}), progress: map[string]func(float64, float64, string){}}
	x.end = sync.OnceFunc(func() { close(x.ended) })
	options := &sdk.ClientOptions{
		Logger:                      slog.New(slog.DiscardHandler),
		Capabilities:                &sdk.ClientCapabilities{}, // no roots, no sampling, no questions
		MultiRoundTrip:              &sdk.MultiRoundTripOptions{Disabled: true},
		ProgressNotificationHandler: x.onProgress,
	}
	if u == "" {
		options.KeepAlive, options.KeepAliveFailureThreshold = pingEvery, pingLost
		options.ToolListChangedHandler = x.onChange
	}
	transport, command := s.transport(u)
	var with *sdk.ClientSessionOptions
	if old {
		with = &sdk.ClientSessionOptions{ProtocolVersion: legacy}
	}
	c := sdk.NewClient(&sdk.Implementation{Name: "switchboard", Version: s.version}, options)
	var err error
	x.sdk, err = c.Connect(ctx, transport, with)
	if command != nil {
		x.process = command.process
	}
	if err != nil {
		if x.process != nil {
			x.process.wait()
		}
		return nil, err
	}
	x.waits.Go(func() {
		_ = x.sdk.Wait() // it ends with the connection, however that ends
		x.end()
	})
	return x, nil
}

// transport returns the way to the server, and the command if there is one.
func (s *server) transport(u switchboard.UserID) (sdk.Transport, *command) {
	if s.cfg.Command != "" {
		c := &command{cfg: s.cfg, secret: s.secret, redact: s.redactor(""), log: s.log}
		return c, c
	}
	hs := s.headers
	if u == "" {
		hs = s.listHeaders
	}
	at, _ := url.Parse(s.cfg.URL) // Validate has parsed it
	return &sdk.StreamableClientTransport{
		Endpoint: s.cfg.URL, MaxEventSize: maxMessage, DisableStandaloneSSE: u != "",
		HTTPClient: &http.Client{Transport: &origin{
			base: s.base, url: at, headers: func() (http.Header, error) { return hs.eval(u, s.secret) },
		}},
	}, nil
}

// close ends the session and what belongs to it.
func (x *session) close() {
	_ = x.sdk.Close() // it was of no use, or is of none from here
	if x.process != nil {
		x.process.wait()
	}
	x.waits.Wait()
}

// dead reports whether the session has ended.
func (x *session) dead() bool {
	select {
	case <-x.ended:
		return true
	default:
		return false
	}
}

// probeWait bounds the question whether a session is still of use.
const probeWait = 2 * time.Second

// answers reports whether the server still answers in this session, be it with an error.
func (x *session) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeWait)
	defer cancel()
	err := x.sdk.Ping(ctx, nil)
	_, answered := answer(err)
	return err == nil || answered
}

func (x *session) onChange(context.Context, *sdk.ToolListChangedRequest) {
	select {
	case x.changed <- struct{}{}:
	default:
	}
}

// expect returns a token by which the server may tell of a call's progress until done is called.
func (x *session) expect(tell func(progress, total float64, text string)) (token string, done func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.calls++
	token = strconv.Itoa(x.calls)
	x.progress[token] = tell
	return token, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.progress, token)
	}
}

func (x *session) onProgress(_ context.Context, r *sdk.ProgressNotificationClientRequest) {
	token, _ := r.Params.ProgressToken.(string)
	x.mu.Lock()
	tell := x.progress[token]
	x.mu.Unlock()
	if tell != nil {
		tell(r.Params.Progress, r.Params.Total, r.Params.Message)
	}
}

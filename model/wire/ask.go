package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/netra-systems/switchboard/model"
)

// Progress says how far a Reader has come with an answer.
type Progress int

// The stages of an answer.
const (
	More  Progress = iota // the answer goes on
	Whole                 // it is whole; what may follow, such as counts, is waited for a little, and its loss is no error
	Done                  // nothing follows
)

// finishedIdle is how long a server may keep us waiting for what follows a whole answer.
const finishedIdle = 2 * time.Second

// Reader makes chunks of the events of one answer. It is used by one goroutine.
type Reader interface {
	// Take reads an event; its data is good until Take returns. A server that does not stream sends one, without a name.
	// Errors: ErrGarbage, ErrTooLarge, a *ServerError, a *model.Error, or what Out returned.
	Take(event string, data []byte) (Progress, error)
	// End gives the Finish chunk, or says why the answer is not whole. It is called once, at the stream's own end or when
	// the answer is whole, and not after an error.
	End() error
}

// Out takes the chunks of one answer, as much as there may be. It is used by one goroutine.
type Out struct {
	yield   func(model.Chunk, error) bool
	begun   bool
	stopped bool
	left    int // bytes it may still give
}

// errStopped says that the caller wants no more chunks.
var errStopped = errors.New("stopped by the caller")

// Give passes a chunk on. A reader returns its error at once.
func (o *Out) Give(c model.Chunk) error {
	n := len(c.Text) + len(c.Thinking)
	if c.Call != nil {
		n += len(c.Call.Tool) + len(c.Call.Arguments)
	}
	if c.Result != nil {
		n += len(c.Result.Result)
	}
	if err := o.Hold(n); err != nil {
		return err
	}
	o.begun = true
	if !o.yield(c, nil) {
		o.stopped = true
		return errStopped
	}
	return nil
}

// Hold counts bytes that a reader keeps for later.
func (o *Out) Hold(n int) error {
	if o.left -= n; o.left < 0 {
		return ErrTooLarge
	}
	return nil
}

// Begin says that the server has begun its work, so that the request is not repeated, though there is nothing to give.
func (o *Out) Begin() { o.begun = true }

// failure is why an attempt failed, and whether another one is harmless.
type failure struct {
	err   *model.Error
	again bool
}

// untaken reports whether a status says that nobody has begun to work on a request. Behind a proxy, 502 and 504 say nothing.
func untaken(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable || status == http.StatusTooEarly
}

// ask sends one request and lets a reader give its answer; nil if it was given to its end.
func (c *Client) ask(ctx context.Context, body []byte, o *Out, begin func(*Out) Reader) *failure {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := newWatch(c.policy.IdleTimeout, cancel)
	defer w.stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return &failure{err: &model.Error{Kind: model.Refused, Message: c.who + " has an address that is not usable"}}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	c.header(req.Header)
	w.start()
	res, err := c.http.Do(req)
	w.stop()
	if err != nil {
		dial := &net.OpError{}
		return &failure{c.broken(ctx, err, false), !c.once || errors.As(err, &dial) && dial.Op == "dial"}
	}
	defer res.Body.Close()
	w.r = res.Body
	if res.StatusCode != http.StatusOK {
		return &failure{c.refused(res, w), !c.once || untaken(res.StatusCode)}
	}
	s := newEvents(w, 16*c.policy.MaxBytes+1<<20)
	r := begin(o)
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		err = s.whole(r)
	} else {
		err = s.read(r, w)
	}
	switch {
	case err == nil:
		// After the last chunk was given: seeing the body's end keeps the connection for the next request.
		w.limit = 50 * time.Millisecond
		_, _ = io.CopyN(io.Discard, w, 4<<10)
		return nil
	case o.stopped:
		return nil
	}
	return &failure{c.broken(ctx, err, o.begun), !c.once}
}

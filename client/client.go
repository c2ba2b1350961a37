package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/netra-systems/switchboard"
)

const (
	updatesWaiting = 256     // updates that nobody has taken yet
	threadsKnown   = 1 << 16 // threads whose last event is remembered
	dialTimeout    = 10 * time.Second
)

// State is how a Client is connected.
type State string

// The states of a Client.
const (
	Connected    State = "connected"    // what happened since the cursor follows
	CaughtUp     State = "caught_up"    // what follows happens now
	Reconnecting State = "reconnecting" // Update.Err says why
	Resync       State = "resync"       // the cursor could not be honoured, Update.Reason says why: reload the threads
)

// Update is one thing that a Client tells; exactly one of Event, Text, Notice and State is set.
type Update struct {
	Event  *switchboard.Event // each event of the user once, in the order of its thread
	Text   *Text              // something being written has grown
	Notice *switchboard.Frame // a notice of the protocol, or a reply nobody waited for
	State  State              // changed
	Err    error              // with Reconnecting
	Reason string             // with Resync

	// Cursor, if not empty, is the place after this update: a program that has dealt with it may go on from there.
	Cursor switchboard.Cursor
}

// Client follows one user through any number of connections. Updates must be read all the time, also while a method
// waits for its reply; Close it when done. All methods may be called concurrently.
type Client struct {
	cfg     Config
	cancel  context.CancelFunc
	updates chan Update
	done    chan struct{} // closed when everything of the client has ended
	asks    sync.WaitGroup

	// These belong to the goroutine of run.
	seen     *lru.Cache[switchboard.ThreadID, uint64]
	deleted  *lru.Cache[switchboard.ThreadID, struct{}]
	texts    *texts
	caughtUp bool
	failures int // connections tried in a row without catching up

	mu      sync.Mutex    // guards what follows
	conn    *Conn         // nil while there is none
	changed chan struct{} // closed when conn changes
	cursor  switchboard.Cursor
	first   switchboard.ConnectionEstablished
	err     error
}

// Open connects, once, and returns a Client that from then on reconnects by itself. Without a cursor it returns after
// the server has said where "from now on" begins, so nothing that is sent through the Client can be missed. Errors are
// those of Dial; ctx bounds Open alone.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	conn, err := Dial(ctx, cfg)
	if err != nil {
		return nil, err
	}
	seen, _ := lru.New[switchboard.ThreadID, uint64](threadsKnown) // it fails for sizes ≤ 0 only
	deleted, _ := lru.New[switchboard.ThreadID, struct{}](threadsKnown)
	c := &Client{
		cfg: cfg, updates: make(chan Update, updatesWaiting), done: make(chan struct{}), texts: newTexts(),
		seen: seen, deleted: deleted, changed: make(chan struct{}), cursor: cfg.Cursor, first: conn.Established(),
	}
	run, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	err = c.begin(ctx, conn)
	for err == nil && cfg.Cursor == "" && !c.caughtUp {
		var f switchboard.Frame
		if f, err = conn.Next(ctx); err == nil {
			err = c.take(ctx, run, f)
		}
	}
	if err != nil {
		cancel()
		conn.drop(err)
		c.asks.Wait()
		return nil, err
	}
	go c.run(run, conn)
	return c, nil
}

// Updates returns what the Client tells. The channel is closed when the Client has ended; Err then says why.
func (c *Client) Updates() <-chan Update { return c.updates }

// Err returns why the Client ended: nil while it lives, net.ErrClosed after Close, else what a reconnect cannot heal
// (*CloseError with a code from 4500 on, *switchboard.Error Unauthenticated …).
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Cursor returns the place after the last update that was put into Updates.
func (c *Client) Cursor() switchboard.Cursor {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cursor
}

// Established returns the first frame of the first connection: who the user is and the server's limits.
func (c *Client) Established() switchboard.ConnectionEstablished { return c.first }

// Close ends the Client and returns when nothing of it is left. It may be called more than once.
func (c *Client) Close() error {
	c.cancel()
	<-c.done
	return nil
}

// run keeps a connection until ctx ends or the server does not want one.
func (c *Client) run(ctx context.Context, conn *Conn) {
	err := c.follow(ctx, conn)
	if ctx.Err() != nil {
		err = net.ErrClosed
	}
	c.cancel()
	c.asks.Wait()
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	close(c.done)
	close(c.updates)
}

func (c *Client) follow(ctx context.Context, conn *Conn) error {
	for {
		err := c.serve(ctx, conn)
		c.use(nil)
		if ctx.Err() != nil {
			conn.Close()
			return err
		}
		conn.drop(err)
		if final(err) {
			return err
		}
		if err := c.tell(ctx, Update{State: Reconnecting, Err: err}); err != nil {
			return err
		}
		if conn, err = c.redial(ctx, err); err != nil {
			return err
		}
		if err := c.begin(ctx, conn); err != nil {
			conn.drop(err)
			return err
		}
	}
}

// serve takes frames until the connection or ctx ends.
func (c *Client) serve(ctx context.Context, conn *Conn) error {
	for {
		f, err := conn.Next(ctx)
		if err != nil {
			return err
		}
		if err := c.take(ctx, ctx, f); err != nil {
			return err
		}
	}
}

// redial connects again, with full jitter: a random wait below a bound that doubles with each failure.
func (c *Client) redial(ctx context.Context, cause error) (*Conn, error) {
	for {
		wait := c.backoff(c.failures)
		c.failures++
		var e *switchboard.Error
		var ce *CloseError
		switch {
		case errors.As(cause, &e):
			wait += e.RetryAfter
		case errors.As(cause, &ce) && ce.Meaning() == switchboard.RateLimited:
			wait += time.Second
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
		cfg := c.cfg
		cfg.Cursor = c.Cursor()
		dctx, cancel := context.WithTimeout(ctx, dialTimeout)
		conn, err := Dial(dctx, cfg)
		cancel()
		if err == nil {
			return conn, nil
		}
		if final(err) || ctx.Err() != nil {
			return nil, err
		}
		cause = err
	}
}

// begin makes a new connection the current one.
func (c *Client) begin(ctx context.Context, conn *Conn) error {
	u := Update{State: Connected}
	if r := conn.Established().Resync; r != nil {
		// The store may have come back shorter: what was seen of it says nothing about what comes.
		c.seen.Purge()
		c.deleted.Purge()
		c.texts = newTexts()
		u = Update{State: Resync, Reason: r.Reason}
	}
	c.texts.reconnected()
	c.use(conn)
	return c.tell(ctx, u)
}

// take deals with one frame; asks that it starts end with life.
func (c *Client) take(ctx, life context.Context, f switchboard.Frame) error {
	switch {
	case f.Event != nil:
		return c.event(ctx, f.Event)
	case f.Delta != nil:
		text, ask := c.texts.add(*f.Delta)
		if ask {
			run := f.Delta.RunID
			c.asks.Go(func() { c.resync(life, run) })
		}
		if text == nil {
			return nil
		}
		return c.tell(ctx, Update{Text: text})
	case f.Type == switchboard.TypeCaughtUp:
		var p switchboard.CaughtUp
		if err := f.Decode(&p); err != nil {
			return err
		}
		c.caughtUp, c.failures = true, 0
		return c.tell(ctx, Update{State: CaughtUp, Cursor: p.Cursor})
	}
	return c.tell(ctx, Update{Notice: &f})
}

func (c *Client) event(ctx context.Context, e *switchboard.Event) error {
	if e.N == 0 {
		if repeated, _ := c.deleted.ContainsOrAdd(e.ThreadID, struct{}{}); repeated {
			return nil
		}
		c.seen.Remove(e.ThreadID)
	} else {
		if last, ok := c.seen.Get(e.ThreadID); ok && e.N <= last {
			return nil
		}
		c.seen.Add(e.ThreadID, e.N)
	}
	c.texts.event(*e)
	return c.tell(ctx, Update{Event: e, Cursor: e.Cursor})
}

// tell puts an update into Updates, then moves the cursor.
func (c *Client) tell(ctx context.Context, u Update) error {
	select {
	case c.updates <- u:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if u.Cursor != "" {
		c.mu.Lock()
		c.cursor = u.Cursor
		c.mu.Unlock()
	}
	return nil
}

// use makes conn the current connection.
func (c *Client) use(conn *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
	close(c.changed)
	c.changed = make(chan struct{})
}

// backoff returns a random wait for the n-th try in a row, from 0.
func (c *Client) backoff(n int) time.Duration {
	bound := c.cfg.MaxBackoff
	if n < 16 {
		bound = min(bound, c.cfg.MinBackoff<<n)
	}
	return rand.N(bound + 1)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

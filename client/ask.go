package client

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/netra-systems/switchboard"
)

// Do sends m and waits until it is answered, through cuts and restarts: what was not answered, or with Unavailable,
// Draining or RateLimited, is sent again with the same id, so it happens once. An empty m.ID becomes a fresh one. For
// reply see Conn.Do. It returns a *switchboard.Error if the server refuses, the cause of ctx, or Err if the Client ends;
// with the last two the outcome may be unknown.
func (c *Client) Do(ctx context.Context, m switchboard.Message, reply any) error {
	if m.ID == "" {
		m.ID = NewID()
	}
	var lost *Conn
	for try := 0; ; try++ {
		conn, err := c.connection(ctx, lost)
		if err != nil {
			return err
		}
		err = c.once(ctx, conn, m, reply)
		if err == nil || ctx.Err() != nil {
			return err
		}
		var e *switchboard.Error
		var ce *CloseError
		switch {
		case errors.As(err, &ce) || errors.Is(err, net.ErrClosed):
			lost = conn
			continue
		case !errors.As(err, &e):
			return err
		}
		switch e.Code {
		case switchboard.ShuttingDown:
			lost = conn
			conn.drop(err) // the server goes away: do not wait until it has gone
			continue
		case switchboard.Unavailable, switchboard.RateLimited:
			if err := sleep(ctx, e.RetryAfter+c.backoff(try)); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// once is one try; a connection that does not answer is given up.
func (c *Client) once(ctx context.Context, conn *Conn, m switchboard.Message, reply any) error {
	late := errors.New("no reply in time")
	tctx, cancel := context.WithTimeoutCause(ctx, c.cfg.ReplyTimeout, late)
	defer cancel()
	err := conn.Do(tctx, m, reply)
	if errors.Is(err, late) {
		conn.drop(closeError(late))
		return closeError(late)
	}
	return err
}

// connection waits for a connection other than lost.
func (c *Client) connection(ctx context.Context, lost *Conn) (*Conn, error) {
	for {
		c.mu.Lock()
		conn, changed := c.conn, c.changed
		c.mu.Unlock()
		if conn != nil && conn != lost {
			return conn, nil
		}
		select {
		case <-changed:
		case <-c.done:
			return nil, c.Err()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// resync asks for the text so far of a run's open message. If that is refused the run has ended, and its event has it.
func (c *Client) resync(ctx context.Context, run switchboard.RunID) {
	_ = c.Do(ctx, switchboard.Message{Payload: &switchboard.ResyncMessage{RunID: string(run)}}, &switchboard.Empty{})
}

// acked sends what is answered by an ack.
func (c *Client) acked(ctx context.Context, thread switchboard.ThreadID, p switchboard.MessagePayload) (switchboard.Ack, error) {
	var ack switchboard.Ack
	err := c.Do(ctx, switchboard.Message{ThreadID: string(thread), Payload: p}, &ack)
	return ack, err
}

// Send sends a message to a thread, or begins one if thread is empty, and returns when it is on disk: then a run answers
// it, whatever happens. It is sent under one id however often that takes; to choose the id, so that it holds beyond this
// process, use Do. Errors are those of Do: NotFound for a thread that is not the user's, Conflict with OnBusy Reject,
// Invalid, TooLarge.
func (c *Client) Send(ctx context.Context, m switchboard.UserMessage, thread switchboard.ThreadID) (switchboard.Ack, error) {
	return c.acked(ctx, thread, &m)
}

// Start is Send for a named agent with structured input, a JSON object.
func (c *Client) Start(ctx context.Context, m switchboard.StartAgent, thread switchboard.ThreadID) (switchboard.Ack, error) {
	return c.acked(ctx, thread, &m)
}

// StopAgent asks for the end of a run. The answer says that this is on disk; agent_stopped follows as an event. Conflict
// if the run has ended or was stopped before, NotFound if it is not the user's.
func (c *Client) StopAgent(ctx context.Context, run switchboard.RunID) (switchboard.Ack, error) {
	return c.acked(ctx, "", &switchboard.StopAgent{RunID: string(run)})
}

// Decide answers tool_approval_required, from any device of the user. Conflict if it was decided before or has expired.
func (c *Client) Decide(ctx context.Context, d switchboard.ToolDecision) (switchboard.Ack, error) {
	return c.acked(ctx, "", &d)
}

// Rate says what the user thinks of the outcome of a run that has ended; the latest rating counts. answer_rated follows as an
// event. Conflict while the run has not ended, NotFound if it is not the user's.
func (c *Client) Rate(ctx context.Context, r switchboard.RateAnswer) (switchboard.Ack, error) {
	return c.acked(ctx, "", &r)
}

// Rename gives a thread a title of at most Limits.TitleChars characters; thread_renamed follows as an event.
func (c *Client) Rename(ctx context.Context, thread switchboard.ThreadID, title string) (switchboard.Ack, error) {
	return c.acked(ctx, thread, &switchboard.RenameThread{Title: title})
}

// Delete erases a thread for ever, and ends its run; thread_deleted follows as an event.
func (c *Client) Delete(ctx context.Context, thread switchboard.ThreadID) (switchboard.Ack, error) {
	return c.acked(ctx, thread, &switchboard.DeleteThread{})
}

// ListThreads returns a page of at most Limits.PageThreads of the user's threads, newest activity first; its Next, if not
// empty, is the Before of the next page.
func (c *Client) ListThreads(ctx context.Context, page switchboard.ListThreads) (switchboard.ThreadList, error) {
	var list switchboard.ThreadList
	err := c.Do(ctx, switchboard.Message{Payload: &page}, &list)
	return list, err
}

// GetThread returns a page of a thread's events in order, at most Limits.PageEvents and Limits.PageBytes; next, if not 0,
// is the After (or Before) of the next page. NotFound if the thread is not the user's.
func (c *Client) GetThread(ctx context.Context, thread switchboard.ThreadID, page switchboard.GetThread) (events []switchboard.Event, next uint64, err error) {
	var p switchboard.EventPage
	if err := c.Do(ctx, switchboard.Message{ThreadID: string(thread), Payload: &page}, &p); err != nil {
		return nil, 0, err
	}
	for _, b := range p.Events {
		e, err := switchboard.DecodeEvent(b)
		if err != nil {
			return nil, 0, fmt.Errorf("an event that cannot be read: %w", err)
		}
		events = append(events, e)
	}
	return events, p.Next, nil
}

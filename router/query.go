package router

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

func ping(context.Context, Caller, switchboard.Message) (any, error) {
	return switchboard.PingResult{Time: switchboard.At(time.Now())}, nil
}

func resume(ctx context.Context, c Caller, m switchboard.Message) (any, error) {
	if c.Device == nil {
		return nil, noStream()
	}
	result, err := c.Device.Resume(ctx, m.Payload.(*switchboard.Resume).Cursor)
	if err != nil {
		return nil, inPayload(err)
	}
	return result, nil
}

func resyncMessage(ctx context.Context, c Caller, m switchboard.Message) (any, error) {
	if c.Device == nil {
		return nil, noStream()
	}
	run, err := switchboard.ParseRunID(m.Payload.(*switchboard.ResyncMessage).RunID)
	if err != nil {
		return nil, under(err)
	}
	if m.ThreadID != "" && m.ThreadID != string(run.Thread()) {
		return nil, switchboard.Errorf(switchboard.NotFound, "no such thing").At("thread_id")
	}
	return switchboard.Empty{}, c.Device.Resync(ctx, run)
}

func noStream() error {
	return switchboard.Errorf(switchboard.Unsupported, "this type needs a socket").At("type")
}

func inPayload(err error) error {
	if e := switchboard.AsError(err); e.Code == switchboard.Invalid && e.Field == "cursor" {
		return under(err)
	}
	return err
}

func (r *Router) listThreads(ctx context.Context, c Caller, m switchboard.Message) (any, error) {
	var page switchboard.ThreadList
	if err := r.cfg.Threads.CatchUp(ctx, c.User.ID); err != nil {
		return nil, err
	}
	err := r.cfg.Threads.Index(ctx, c.User.ID, func(x *thread.Index) (err error) {
		page, err = x.List(*m.Payload.(*switchboard.ListThreads), r.limits)
		return err
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// getThread reads a page of a thread's events.
func (r *Router) getThread(ctx context.Context, c Caller, m switchboard.Message) (any, error) {
	if m.ThreadID == "" {
		return nil, switchboard.Errorf(switchboard.Invalid, "thread_id is needed").At("thread_id")
	}
	id, err := switchboard.ParseThreadID(m.ThreadID)
	if err != nil {
		return nil, err
	}
	p := m.Payload.(*switchboard.GetThread)
	limit := p.Limit
	if limit == 0 {
		limit = r.limits.PageEvents
	}
	x, err := r.extent(ctx, c.User.ID, id, *p, limit)
	if err != nil {
		return nil, err
	}
	entries, err := r.cfg.Journal.Page(ctx, c.User.ID, id, x.from, x.after, x.n, x.limit+1)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(entries, func(e thread.Entry) bool { return e.Event.Type == switchboard.ThreadDeleted }) {
		return nil, noThread() // deleted by another node, a moment ago
	}
	return r.page(entries, x.limit, p.Before > 0), nil
}

// extent is what a page is read of: it begins after a number, which is read from a sequence on, has at most limit events,
// and is of a thread that has come to n.
type extent struct {
	after, from, n uint64
	limit          int
}

// extent reads how far the thread has come. Errors: NotFound.
func (r *Router) extent(ctx context.Context, u switchboard.UserID, id switchboard.ThreadID, p switchboard.GetThread, limit int) (extent, error) {
	s, err := r.cache.take(ctx, u, id)
	if err != nil {
		return extent{}, err
	}
	defer s.give()
	if err := s.know(ctx, r.cfg.Journal); err != nil {
		return extent{}, err
	}
	if s.state.N <= max(p.After, p.Before) {
		if _, err := s.state.Advance(ctx, r.cfg.Journal); err != nil {
			return extent{}, err
		}
	}
	if !s.state.Exists() {
		return extent{}, noThread()
	}
	x := extent{after: p.After, n: s.state.N, limit: limit}
	if p.Before > 0 {
		before := min(p.Before, x.n+1)
		if x.after = 0; before > uint64(limit)+1 {
			x.after = before - 1 - uint64(limit)
		}
		x.limit = int(before - 1 - x.after)
	}
	x.from = s.state.SeqAt(x.after + 1)
	return x, nil
}

func noThread() error {
	return switchboard.Errorf(switchboard.NotFound, "no such thing").At("thread_id")
}

// page encodes up to limit entries of at most a page's bytes: the first ones, or, backwards, the last ones.
func (r *Router) page(entries []thread.Entry, limit int, backwards bool) switchboard.EventPage {
	more := len(entries) > limit
	entries = entries[:min(len(entries), limit)]
	bytes := 0
	fits := func(e thread.Entry) bool {
		bytes += len(e.Data) + 64
		return bytes <= r.limits.PageBytes
	}
	page := switchboard.EventPage{Events: []json.RawMessage{}}
	if backwards {
		first := len(entries)
		for first > 0 && (fits(entries[first-1]) || first == len(entries)) {
			first--
		}
		entries = entries[first:]
		if len(entries) > 0 && entries[0].Header.N > 1 {
			page.Next = entries[0].Header.N
		}
	} else {
		for i, e := range entries {
			if !fits(e) && i > 0 {
				entries, more = entries[:i], true
				break
			}
		}
		if more {
			page.Next = entries[len(entries)-1].Header.N
		}
	}
	for _, e := range entries {
		place := switchboard.Place{Epoch: r.cfg.Epoch, Seq: e.Seq, Check: e.Header.Chain}
		page.Events = append(page.Events, switchboard.WithCursor(e.Data, place.Cursor()))
	}
	return page
}

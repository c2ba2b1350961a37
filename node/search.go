package node

import (
	"context"
	"strings"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
	"github.com/netra-systems/switchboard/tool/builtin"
)

// searcher finds what was said in a user's own threads: it reads the newest threads first.
type searcher struct{ n *Node }

// searchThreads bounds how many threads one search reads.
const searchThreads = 200

// Search returns up to limit messages and answers that hold all words of the query, newest thread first. What the
// asking run itself was told is left out.
func (s searcher) Search(ctx context.Context, u switchboard.UserID, query string, limit int) ([]builtin.Hit, error) {
	var rows []switchboard.ThreadSummary
	err := s.n.delivery.Index(ctx, u, func(x *thread.Index) error {
		rows = x.Newest(searchThreads)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found(rows, query, limit, func(t switchboard.ThreadID) ([]thread.Entry, error) {
		return s.n.journal.Read(ctx, u, t, thread.Position{})
	})
}

// found returns up to limit hits in threads, and reads no more of them than it needs.
func found(rows []switchboard.ThreadSummary, query string, limit int, read func(switchboard.ThreadID) ([]thread.Entry, error)) ([]builtin.Hit, error) {
	words := strings.Fields(strings.ToLower(query))
	var hits []builtin.Hit
	for _, row := range rows {
		if len(hits) >= limit {
			break
		}
		entries, err := read(row.ThreadID)
		if err != nil {
			return nil, err
		}
		for i := len(entries) - 1; i >= 0 && len(hits) < limit; i-- {
			if h, ok := hit(entries[i].Event, row, words); ok {
				hits = append(hits, h)
			}
		}
	}
	return hits, nil
}

// hit returns an event as a hit if it is something that was said and holds all the words.
func hit(e switchboard.Event, row switchboard.ThreadSummary, words []string) (builtin.Hit, bool) {
	h := builtin.Hit{ThreadID: e.ThreadID, Title: row.Title, N: e.N, Time: e.Time.Time}
	switch p := e.Payload.(type) {
	case *switchboard.UserMessageEvent:
		h.By, h.Text = "you", p.Text
	case *switchboard.AgentCompletedEvent:
		h.By, h.Text = "agent", p.Text
	default:
		return h, false
	}
	if e.RunID == row.ActiveRun {
		return h, false
	}
	text := strings.ToLower(h.Text)
	for _, w := range words {
		if !strings.Contains(text, w) {
			return h, false
		}
	}
	h.Text = thread.Excerpt(h.Text, 300)
	return h, true
}

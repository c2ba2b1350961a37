package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/embed"
	"github.com/netra-systems/switchboard/thread"
)

// readLog reads all entries of users from the log itself, which checks the chain of every thread. A server on its own
// folder must have ended.
func (f *fleet) readLog(ctx context.Context, users []switchboard.UserID) (map[switchboard.UserID]map[switchboard.ThreadID][]thread.Entry, error) {
	cfg := journal.Config{Connect: journal.Dial(f.url)}
	if f.engine == nil {
		engine, err := embed.Start(embed.Config{Dir: f.nodes[0].data})
		if err != nil {
			return nil, err
		}
		defer engine.Close()
		cfg.Connect = engine.Connect
	}
	j, err := journal.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer j.Close()
	out := map[switchboard.UserID]map[switchboard.ThreadID][]thread.Entry{}
	for _, u := range users {
		out[u] = map[switchboard.ThreadID][]thread.Entry{}
		heads, err := j.Heads(ctx, u)
		if err != nil {
			return nil, err
		}
		for _, e := range heads {
			t := e.Event.ThreadID
			if out[u][t], err = j.Read(ctx, u, t, thread.Position{}); err != nil {
				return nil, fmt.Errorf("thread %s: %w", t, err)
			}
		}
	}
	return out, nil
}

// readPages reads all threads of a user over HTTP.
func (f *fleet) readPages(ctx context.Context, token string) (map[switchboard.ThreadID][]line, error) {
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return f.dial(ctx) }}}
	defer c.CloseIdleConnections()
	out := map[switchboard.ThreadID][]line{}
	before := ""
	for {
		var list switchboard.ThreadList
		if err := get(ctx, c, token, "threads?before="+before, &list); err != nil {
			return nil, err
		}
		for _, s := range list.Threads {
			lines, err := readPage(ctx, c, token, s.ThreadID)
			if err != nil {
				return nil, err
			}
			out[s.ThreadID] = lines
		}
		if before = list.Next; before == "" {
			return out, nil
		}
	}
}

func readPage(ctx context.Context, c *http.Client, token string, t switchboard.ThreadID) (lines []line, err error) {
	after := uint64(0)
	for {
		var page switchboard.EventPage
		if err := get(ctx, c, token, fmt.Sprintf("threads/%s/events?after=%d", t, after), &page); err != nil {
			return nil, err
		}
		for _, b := range page.Events {
			e, err := switchboard.DecodeEvent(b)
			if err != nil {
				return nil, err
			}
			l, err := lineOf(e)
			if err != nil {
				return nil, err
			}
			lines = append(lines, l)
		}
		if after = page.Next; after == 0 {
			return lines, nil
		}
	}
}

func get(ctx context.Context, c *http.Client, token, path string, out any) error {
	return getFrom(ctx, c, "http://"+host, token, path, out)
}

func getFrom(ctx context.Context, c *http.Client, server, token, path string, out any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/api/v1/"+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	a, err := c.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if a.StatusCode == http.StatusTooManyRequests {
		pause(ctx, 200*time.Millisecond)
		return getFrom(ctx, c, server, token, path, out)
	}
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, a.Status)
	}
	return json.NewDecoder(a.Body).Decode(out)
}

package bench

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/embed"
	"github.com/netra-systems/switchboard/thread"
)

// filled is a store with finished runs, and its users and their tokens.
type filled struct {
	dir    string
	users  []switchboard.UserID
	tokens []string
}

// has is what a user has in a store: so many threads of so many finished runs.
type has struct{ threads, runs int }

// fill makes a store of users, written straight to the log and synced later than it should be: that is not what is
// measured.
func fill(b *testing.B, users ...has) filled {
	b.Helper()
	f := filled{dir: b.TempDir()}
	engine, err := embed.Start(embed.Config{Dir: f.dir, Sync: time.Second})
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	j, err := journal.Open(b.Context(), journal.Config{Connect: engine.Connect})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	accounts := authority(b, j)
	wakeups := make([]int, j.Shards())
	for i, u := range users {
		name := fmt.Sprint("user", i)
		account, token, err := addUser(b, accounts, name)
		if err != nil {
			b.Fatal(err)
		}
		f.tokens, f.users = append(f.tokens, token), append(f.users, account)
		parallel(b, 32, u.threads, func(i int) error { return writeThread(b, j, account, fmt.Sprint("t", i), u.runs) })
		wakeups[j.Shard(account)] += u.threads * u.runs
	}
	for shard, many := range wakeups {
		parallel(b, 16, many, func(int) error {
			w, err := j.NextWakeup(b.Context(), shard)
			if err != nil {
				return err
			}
			return w.Ack()
		})
	}
	return f
}

// authority opens the accounts of a store.
func authority(b testing.TB, j *journal.Journal) *auth.Authority {
	b.Helper()
	records, err := j.Records(b.Context(), "auth")
	if err != nil {
		b.Fatal(err)
	}
	a, err := auth.Open(b.Context(), auth.Config{}, records)
	if err != nil {
		b.Fatal(err)
	}
	return a
}

// addUser makes an account and a token for it.
func addUser(b testing.TB, a *auth.Authority, name string) (switchboard.UserID, string, error) {
	account, err := a.AddAccount(b.Context(), name, auth.Member, "correct horse battery")
	if err != nil {
		return "", "", err
	}
	token, err := a.CreateToken(b.Context(), name, time.Hour)
	return account.ID, token, err
}

// parallel calls fn for 0 … n−1 from so many goroutines, and stops the benchmark at the first error.
func parallel(b testing.TB, goroutines, n int, fn func(i int) error) {
	b.Helper()
	var wg sync.WaitGroup
	var next atomic.Int64
	var first error
	var once sync.Once
	for range goroutines {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := fn(i); err != nil {
					once.Do(func() { first = err })
					next.Store(int64(n))
				}
			}
		})
	}
	wg.Wait()
	if first != nil {
		b.Fatal(first)
	}
}

// writeThread writes a thread of finished runs.
func writeThread(b *testing.B, j *journal.Journal, u switchboard.UserID, name string, runs int) error {
	first := switchboard.FrameID(name)
	st := thread.NewState(u, switchboard.NewThreadID(u, first))
	for i := range runs {
		id := first
		if i > 0 {
			id = switchboard.FrameID(fmt.Sprint(name, "-", i))
		}
		v, err := st.Accept(thread.Request{ID: id, Payload: &switchboard.UserMessage{Text: question}, Time: time.Now()}, rules())
		if err != nil {
			return err
		}
		for _, d := range append([]thread.Draft{*v.Draft}, runDrafts(v.Ack.RunID)...) {
			if stored, err := st.Put(b.Context(), j, d); err != nil || !stored {
				return fmt.Errorf("stored %v: %w", stored, err)
			}
		}
	}
	return nil
}

// rules are those of a server with one agent.
func rules() thread.Rules {
	return thread.Rules{Limits: unlimited(), DefaultAgent: "assistant", HasAgent: func(string) bool { return true }}
}

// runDrafts are what an agent writes in a run without tools.
func runDrafts(run switchboard.RunID) []thread.Draft {
	m := run.Message(1, 1)
	var out []thread.Draft
	for _, p := range []switchboard.EventPayload{
		&switchboard.AgentStartedEvent{Agent: "assistant", Model: "bench", Attempt: 1},
		&switchboard.AgentThinkingEvent{MessageID: m, Step: 1, Text: "bench reads “" + question + "”", Source: "agent"},
		&switchboard.AgentCompletedEvent{MessageID: m, Text: "It will be sunny above the clouds. " + question, DurationMS: 10},
	} {
		out = append(out, thread.Draft{
			Event:  switchboard.Event{Type: p.EventType(), RunID: run, Time: switchboard.At(time.Now()), Payload: p},
			Header: thread.Header{Worker: "fill"},
		})
	}
	return out
}

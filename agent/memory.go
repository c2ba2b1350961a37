package agent

import (
	"slices"
	"sort"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// memory keeps what this node has read of threads that are at rest, so that the next run of a long one need not read
// all of it again: only what was written since. It proves nothing: the log is asked from the position on.
type memory struct {
	mu      sync.Mutex // guards what follows
	threads *simplelru.LRU[place, past]
	bytes   int // of all
}

// place is a thread of a user.
type place struct {
	user   switchboard.UserID
	thread switchboard.ThreadID
}

// past is what has been read of a thread.
type past struct {
	st      *thread.State
	history []thread.Entry
	bytes   int // of the entries
}

// The bounds of the memory: threads, and bytes of their entries, of one and of all.
const (
	memoryThreads     = 4096
	memoryThreadBytes = 4 << 20
	memoryBytes       = 64 << 20
)

func newMemory() *memory {
	m := &memory{}
	m.threads, _ = simplelru.NewLRU(memoryThreads, func(_ place, p past) { m.bytes -= p.bytes })
	return m
}

// take gives what is known of a thread to one task: another that comes at the same time reads for itself.
func (m *memory) take(u switchboard.UserID, t switchboard.ThreadID) past {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.threads.Get(place{u, t})
	if !ok {
		return past{st: thread.NewState(u, t)}
	}
	m.threads.Remove(place{u, t})
	return p
}

// keep takes it back.
func (m *memory) keep(p past) {
	p.bytes = 0
	first := sort.Search(len(p.history), func(i int) bool { return p.history[i].Seq > p.st.Window.Start.Seq })
	p.history = p.history[first:]
	if first > len(p.history) {
		p.history = slices.Clone(p.history)
	}
	for _, e := range p.history {
		p.bytes += e.Size()
	}
	if p.bytes > memoryThreadBytes || p.st.Deleted {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k := place{p.st.User, p.st.Thread}
	m.threads.Remove(k)
	m.threads.Add(k, p)
	m.bytes += p.bytes
	for m.bytes > memoryBytes {
		m.threads.RemoveOldest()
	}
}

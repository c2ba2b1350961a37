package auth

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/journaltest"
)

// storedRecords opens records on a real engine; each call of the result is another node's connection.
func storedRecords(t *testing.T) func() *journal.Records {
	t.Helper()
	engine := journaltest.Start(t)
	return func() *journal.Records {
		r, err := journaltest.OpenOn(t, engine, journal.Config{Shards: 1}).Records(t.Context(), "auth")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// memory is Records in memory, for tests in bubbles and tests of what happens between two steps.
type memory struct {
	mu       sync.Mutex
	revision uint64
	docs     map[string]doc
	log      []change
	changed  chan struct{} // closed at the next change
	down     bool          // every call fails
}

type doc struct {
	value    []byte
	revision uint64
}

type change struct {
	key   string
	value []byte
}

func newMemory() *memory { return &memory{docs: map[string]doc{}, changed: make(chan struct{})} }

// put stores (nil: removes) if the key is at the revision.
func (m *memory) put(key string, value []byte, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return 0, switchboard.Errorf(switchboard.Unavailable, "down")
	}
	if m.docs[key].revision != revision {
		return 0, switchboard.Errorf(switchboard.Conflict, "another revision")
	}
	m.revision++
	m.log = append(m.log, change{key, value})
	if value == nil {
		delete(m.docs, key)
	} else {
		m.docs[key] = doc{value, m.revision}
	}
	close(m.changed)
	m.changed = make(chan struct{})
	return m.revision, nil
}

func (m *memory) Get(_ context.Context, key string) ([]byte, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.docs[key]
	switch {
	case m.down:
		return nil, 0, switchboard.Errorf(switchboard.Unavailable, "down")
	case !ok:
		return nil, 0, switchboard.Errorf(switchboard.NotFound, "none")
	}
	return d.value, d.revision, nil
}

func (m *memory) Create(_ context.Context, key string, value []byte) (uint64, error) {
	return m.put(key, value, 0)
}

func (m *memory) CreateTTL(ctx context.Context, key string, value []byte, ttl time.Duration) (uint64, error) {
	revision, err := m.put(key, value, 0)
	time.AfterFunc(ttl, func() { m.put(key, nil, revision) })
	return revision, err
}

func (m *memory) Update(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if revision == 0 {
		return 0, switchboard.Errorf(switchboard.Conflict, "no revision")
	}
	return m.put(key, value, revision)
}

func (m *memory) Delete(_ context.Context, key string, revision uint64) error {
	_, err := m.put(key, nil, revision)
	return err
}

func (m *memory) Drop(ctx context.Context, key string) error {
	_, revision, err := m.Get(ctx, key)
	if err == nil {
		_, err = m.put(key, nil, revision)
	}
	if switchboard.CodeOf(err) == switchboard.NotFound {
		return nil
	}
	return err
}

func (m *memory) List(_ context.Context, prefix string, fn func(string, []byte, uint64) error) error {
	m.mu.Lock()
	if m.down {
		m.mu.Unlock()
		return switchboard.Errorf(switchboard.Unavailable, "down")
	}
	docs := map[string]doc{}
	for k, d := range m.docs {
		if strings.HasPrefix(k, prefix+".") {
			docs[k] = d
		}
	}
	m.mu.Unlock()
	for k, d := range docs {
		if err := fn(k, d.value, d.revision); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Watch(ctx context.Context, _ string, fn func(string, []byte, uint64)) error {
	told := false
	for i := 0; ; i++ {
		m.mu.Lock()
		log, changed := m.log, m.changed
		m.mu.Unlock()
		if i >= len(log) {
			if !told {
				told = true
				fn("", nil, uint64(i))
			}
			select {
			case <-changed:
				i--
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		fn(log[i].key, log[i].value, uint64(i+1))
	}
}

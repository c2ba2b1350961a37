// Package journaltest is the one conformance suite for every way to run the journal, and what tests of other packages
// need to open a real one.
package journaltest

import (
	"os"
	"runtime/debug"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"

	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/embed"
)

// Main runs the tests of a package that uses the engine inside synctest bubbles: the engine's clock goroutine has to
// begin outside of them. It is the only caller of ats.Register.
//
// The collector runs less often meanwhile: worlds are garbage by the second (measured: 100 schedules a minute without any
// collection, 20 to 40 as it runs by itself).
func Main(m *testing.M) {
	debug.SetGCPercent(400)
	ats.Register()
	code := m.Run()
	ats.Unregister()
	os.Exit(code)
}

// Open opens a journal of two shards on an engine of its own, in memory-backed files where there are any; both end
// with the test.
func Open(t testing.TB) *journal.Journal {
	t.Helper()
	return OpenOn(t, Start(t), journal.Config{Shards: 2})
}

// Start starts an engine of its own that ends with the test.
func Start(t testing.TB) *embed.Server {
	t.Helper()
	s, err := embed.Start(embed.Config{Dir: Dir(t)})
	if err != nil {
		t.Fatal(err)
	}
	// In a bubble a moment passes only when everybody waits: a request that the engine still works on would wait for a lock
	// that its shutdown holds while it sleeps, and no bubble knows of locks.
	t.Cleanup(func() { <-time.After(time.Millisecond); s.Close() })
	return s
}

// OpenOn opens a journal on a running engine.
func OpenOn(t testing.TB, s *embed.Server, cfg journal.Config) *journal.Journal {
	t.Helper()
	cfg.Connect = s.Connect
	j, err := journal.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

// Dir returns a folder that is removed after the test: in memory where the system has /dev/shm, for fsync costs
// milliseconds on a disk and tests in bubbles are many.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "switchboard-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

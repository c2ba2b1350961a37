package journaltest_test

import (
	"testing"

	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/journaltest"
)

func TestEmbedded(t *testing.T) {
	journaltest.Test(t, func(t *testing.T) *journal.Journal { return journaltest.Open(t) })
}

// TestExternal runs the suite against a NATS server behind a TCP port, as on a cluster.
func TestExternal(t *testing.T) {
	journaltest.Test(t, func(t *testing.T) *journal.Journal {
		s, err := journaltest.StartExternal(journaltest.Dir(t), 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		j, err := journal.Open(t.Context(), journal.Config{Connect: journal.Dial(s.URL()), Shards: 2})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(j.Close)
		return j
	})
}

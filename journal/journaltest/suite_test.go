package journaltest_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/journaltest"
)

func TestEmbedded(t *testing.T) {
	journaltest.Test(t, func(t *testing.T) *journal.Journal { return journaltest.Open(t) })
}

// TestExternal runs the suite against a NATS server behind a TCP port, as on a cluster.
func TestExternal(t *testing.T) {
	journaltest.Test(t, func(t *testing.T) *journal.Journal {
		s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: journaltest.Dir(t), NoSigs: true, NoLog: true})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		if !s.ReadyForConnections(10 * time.Second) {
			t.Fatal("the server did not start")
		}
		connect := func() (*nats.Conn, error) { return nats.Connect(s.ClientURL(), nats.SyncQueueLen(2048)) }
		j, err := journal.Open(t.Context(), journal.Config{Connect: connect, Shards: 2})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(j.Close)
		return j
	})
}

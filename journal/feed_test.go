package journal

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/netra-systems/switchboard"
)

// silent is an engine that does not answer once.
type silent struct {
	jetstream.JetStream
	once bool
}

// Stream implements jetstream.JetStream.
func (s *silent) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	if !s.once {
		s.once = true
		return nil, context.DeadlineExceeded
	}
	return s.JetStream.Stream(ctx, name)
}

// TestFeedIsWellAgain: a feed whose engine did not answer says so, and says that nothing is missing when it answers again,
// though nothing happens.
func TestFeedIsWellAgain(t *testing.T) {
	j := opened(t)
	f, err := j.Follow(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	j.js = &silent{JetStream: j.js}
	f.check.Reset(time.Millisecond)
	if _, _, _, err := f.Next(t.Context()); switchboard.CodeOf(err) != switchboard.Unavailable {
		t.Fatalf("the engine does not answer: %v", err)
	}
	f.check.Reset(time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if e, u, delta, err := f.Next(ctx); e != nil || u != "" || delta != nil || err != nil {
		t.Errorf("it answers again: %v %s %s %v", e, u, delta, err)
	}
}

// breaking is a server that ends its only connection when it is asked for a delta.
type breaking struct{ used atomic.Bool }

// InProcessConn implements nats.InProcessConnProvider.
func (b *breaking) InProcessConn() (net.Conn, error) {
	if b.used.Swap(true) {
		return nil, errors.New("gone")
	}
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		server.Write([]byte("INFO {\"headers\":true,\"max_payload\":1048576}\r\n"))
		for lines := bufio.NewScanner(server); lines.Scan(); {
			switch line := lines.Text(); {
			case strings.HasPrefix(line, "PING"):
				server.Write([]byte("PONG\r\n"))
			case strings.HasPrefix(line, "SUB delta."):
				return
			}
		}
	}()
	return client, nil
}

// TestListenFails: a subscription that the engine has not confirmed is not left behind.
func TestListenFails(t *testing.T) {
	nc, err := nats.Connect("", nats.InProcessServer(&breaking{}), nats.MaxReconnects(-1), nats.ReconnectWait(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	f := &Feed{j: &Journal{live: nc}, in: make(chan *nats.Msg, 1)}
	if _, err := f.Listen(ann); err == nil {
		t.Fatal("the connection has ended, and nobody says so")
	}
	if n := nc.NumSubscriptions(); n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}

package journal

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// behind is a server of a cluster that has not heard of a consumer the first times it is asked.
type behind struct {
	jetstream.JetStream
	times int
}

// Consumer implements jetstream.JetStream.
func (b *behind) Consumer(ctx context.Context, stream, name string) (jetstream.Consumer, error) {
	if b.times--; b.times >= 0 {
		return nil, jetstream.ErrConsumerNotFound
	}
	return b.JetStream.Consumer(ctx, stream, name)
}

// TestConsumerKnownLate: a node that starts on a cluster waits until the server it talks to knows the consumer.
func TestConsumerKnownLate(t *testing.T) {
	js, _ := recordsEngine(t, false)
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: streamName(0), Subjects: []string{"late"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: advancer, AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	again := 0
	made := func() error { again++; return nil }
	if c, err := findConsumer(t.Context(), &behind{js, 2}, 0, made); err != nil || c.CachedInfo().Name != advancer {
		t.Errorf("found %v, %v", c, err)
	}
	if again != 2 {
		t.Errorf("made again %d times", again)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := findConsumer(ended, &behind{js, 1 << 30}, 0, made); !errors.Is(err, jetstream.ErrConsumerNotFound) {
		t.Errorf("one that never comes: %v", err)
	}
	if _, err := findConsumer(t.Context(), js, 1, made); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("a stream that is not there: %v", err)
	}
}

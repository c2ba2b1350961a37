package journal

import (
	"context"
	"maps"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/netra-systems/switchboard"
)

// contested is a bucket in which another node writes a key just before each of the next updates.
type contested struct {
	jetstream.KeyValue
	others []string
}

// Update implements jetstream.KeyValue.
func (c *contested) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if len(c.others) > 0 {
		other := c.others[0]
		c.others = c.others[1:]
		if _, err := c.KeyValue.Put(ctx, key, []byte(other)); err != nil {
			return 0, err
		}
	}
	return c.KeyValue.Update(ctx, key, value, revision)
}

// TestLedgerNotWritten: a ledger that could not be written is not taken for written.
func TestLedgerNotWritten(t *testing.T) {
	j := opened(t)
	first, err := j.keep(t.Context(), nil)
	if err != nil || len(first) == 0 {
		t.Fatal(first, err)
	}
	written(t, j, "t", 1, "x")
	kv := &contested{j.meta.kv, []string{"{}"}}
	j.meta.kv = kv
	if kept, err := j.keep(t.Context(), first); err != nil || !maps.Equal(kept, first) {
		t.Errorf("another node wrote: %v, %v", kept, err)
	}
	second, err := j.keep(t.Context(), first)
	if err != nil || maps.Equal(second, first) {
		t.Errorf("the next time: %v, %v", second, err)
	}
	written(t, j, "u", 1, "x")
	whole := j.meta
	j.meta = &Records{kv: broken{kv}, js: whole.js, stream: whole.stream, prefix: whole.prefix}
	if kept, err := j.keep(t.Context(), second); switchboard.CodeOf(err) != switchboard.Unavailable || !maps.Equal(kept, second) {
		t.Errorf("it cannot be written: %v, %v", kept, err)
	}
}

// broken is a bucket that takes no writes.
type broken struct{ jetstream.KeyValue }

// Update implements jetstream.KeyValue.
func (broken) Update(context.Context, string, []byte, uint64) (uint64, error) {
	return 0, context.DeadlineExceeded
}

// TestDamageOfTwo: what two nodes find damaged at the same time is known of both.
func TestDamageOfTwo(t *testing.T) {
	j := opened(t)
	if err := j.Damaged(t.Context(), []string{"first"}, false); err != nil {
		t.Fatal(err)
	}
	j.meta.kv = &contested{j.meta.kv, []string{`{"found":"2026-01-02T03:04:05Z","texts":["first","another's"]}`}}
	if err := j.Damaged(t.Context(), []string{"mine"}, false); err != nil {
		t.Fatal(err)
	}
	if lost, err := j.Damage(t.Context()); err != nil || len(lost) != 3 {
		t.Errorf("%q, %v", lost, err)
	}
}

package world_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/internal/world"
	"github.com/netra-systems/switchboard/journal/journaltest"
)

func TestMain(m *testing.M) { journaltest.Main(m) }

// in runs a test in a bubble with a world of its own.
func in(t *testing.T, cfg world.Config, test func(t *testing.T, ctx context.Context, w *world.World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		w := world.New(t, cfg)
		defer w.Close()
		test(t, ctx, w)
	})
}

func connect(t *testing.T, ctx context.Context, n *world.Node, name string) *world.Device {
	t.Helper()
	d := world.NewDevice(n.Token(name))
	if err := d.Connect(ctx, n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Disconnect)
	return d
}

func check(t *testing.T, ds ...*world.Device) {
	t.Helper()
	for _, d := range ds {
		for _, f := range d.Check() {
			t.Error(f)
		}
	}
}

func TestGoldenPath(t *testing.T) {
	in(t, world.Config{}, func(t *testing.T, ctx context.Context, w *world.World) {
		d := connect(t, ctx, w.Start(), "alice")
		ack, err := d.Say(ctx, "", "What is 19 * 23 - 4?")
		if err != nil {
			t.Fatal(err)
		}
		end, err := d.AwaitEnd(ctx, ack.RunID)
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := end.Payload.(*switchboard.AgentCompletedEvent); !ok || !strings.Contains(p.Text, "433") {
			t.Fatalf("the run ended with %+v", end.Payload)
		}
		t.Log(d.Types())
		check(t, d)
		d.Disconnect()
	})
}

package bench

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/embed"
	"github.com/netra-systems/switchboard/node"
)

const (
	idleUsers = 1000
	idleEach  = 10 // devices of a user
	idlePings = 250
)

// BenchmarkIdleDevices measures what an idle device costs the server's process, against a WebSocket of the same library
// in a bare HTTP server; and that a device among ten thousand is answered as fast as one alone.
func BenchmarkIdleDevices(b *testing.B) {
	roomForSockets(b)
	floor := perDevice(b, modeBare, node.Settings{Data: b.TempDir()}, nil, nil)
	s := node.Settings{Data: b.TempDir()}
	tokens := makeUsers(b, s.Data)
	var alone, among samples
	m := perDevice(b, modeServe, s, tokens, func(c *child, first *socket, all bool) {
		to := &among
		if !all {
			to = &alone
		}
		pings(b, first, to)
	})
	devices := fmt.Sprintf("%d idle devices of %d users: ", idleUsers*idleEach, idleUsers)
	record(b, "rss", row{mechanism: devices + "RSS each / bare WebSocket", unit: "B", figure: m.rss, baseline: floor.rss, goal: 32 << 10})
	record(b, "heap", row{mechanism: "  heap in use each", unit: "B", figure: m.heap, baseline: floor.heap})
	record(b, "stack", row{mechanism: "  stacks each", unit: "B", figure: m.stack, baseline: floor.stack})
	record(b, "goroutines", row{mechanism: "  goroutines each", unit: "goroutines", figure: m.goroutines, baseline: floor.goroutines})
	record(b, "ping-p50", row{mechanism: "  ping → result among them / alone, p50", unit: "s", figure: among.at(0.5), baseline: alone.at(0.5)})
}

// roomForSockets raises the limit of open files as far as it goes; children inherit the hard limit and do the same.
func roomForSockets(b *testing.B) {
	b.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		b.Fatal(err)
	}
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		b.Fatal(err)
	}
	if need := uint64(idleUsers*idleEach + 1000); l.Max < need {
		b.Skipf("needs %d open files, the system allows %d (ulimit -Hn)", need, l.Max)
	}
}

// makeUsers makes accounts on a data folder and returns a token of each. The store syncs later than it should: that is
// not what is measured.
func makeUsers(b *testing.B, dir string) []string {
	b.Helper()
	engine, err := embed.Start(embed.Config{Dir: dir, Sync: time.Second})
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	j, err := journal.Open(b.Context(), journal.Config{Connect: engine.Connect})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	a := authority(b, j)
	tokens := make([]string, idleUsers)
	parallel(b, 8, idleUsers, func(i int) (err error) {
		_, tokens[i], err = addUser(b, a, fmt.Sprint("user", i))
		return err
	})
	return tokens
}

// perDevice connects all devices to a child and returns what one has added to it. Probe, if any, is called with the
// first device when it is alone and when all are there.
func perDevice(b *testing.B, mode string, s node.Settings, tokens []string, probe func(c *child, first *socket, all bool)) memory {
	b.Helper()
	s.AdminListen = freeAddress(b)
	c := spawn(b, mode, s)
	defer c.stop(b)
	n := idleUsers * idleEach
	sockets := make([]*socket, n)
	defer func() {
		for _, s := range sockets {
			if s != nil {
				s.conn.Close()
			}
		}
	}()
	open := func(i int) (err error) {
		token := ""
		if tokens != nil {
			token = tokens[i%len(tokens)]
		}
		if sockets[i], err = dial(c.addr, token, ""); err == nil {
			_, err = sockets[i].readTo(switchboard.TypeCaughtUp)
		}
		return err
	}
	if err := open(0); err != nil {
		b.Fatal(err)
	}
	if probe != nil {
		probe(c, sockets[0], false)
	}
	before := c.memory(b)
	parallel(b, 32, n-1, func(i int) error { return open(i + 1) })
	after := c.memory(b)
	if probe != nil {
		probe(c, sockets[0], true)
		if live := c.metrics(b)[`switchboard_devices{kind="websocket"}`]; int(live) != n {
			b.Errorf("%v devices are connected, want %d", live, n)
		}
	}
	more := float64(n - 1)
	return memory{(after.rss - before.rss) / more, (after.heap - before.heap) / more, (after.stack - before.stack) / more, (after.goroutines - before.goroutines) / more}
}

// pings measures how long a device waits for the answer to a frame.
func pings(b *testing.B, s *socket, to *samples) {
	b.Helper()
	for i := range idlePings {
		frame := query(b, switchboard.FrameID(fmt.Sprint("p", i)), &switchboard.Ping{})
		start := time.Now()
		if err := s.send(frame); err != nil {
			b.Fatal(err)
		}
		if _, err := s.readTo(switchboard.TypeResult); err != nil {
			b.Fatal(err)
		}
		to.add(time.Since(start))
	}
}

package crash

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

const (
	answerTime = 5 * time.Second  // in which every frame is answered
	healTime   = 30 * time.Second // in which a server takes messages again when its disk does
	paddings   = 100 << 10        // bytes of a message that fills a disk
)

// needDisk skips what is not part of every run.
func needDisk(t *testing.T) {
	t.Helper()
	needRoot(t)
	if !flags.disk {
		t.Skip("run it with -disk")
	}
}

// filler sends large messages and counts how they are answered.
type filler struct {
	f       *fleet
	token   string
	conn    *client.Conn
	stored  []switchboard.Ack
	answers map[string]int
	slowest time.Duration
}

func newFiller(ctx context.Context, t *testing.T, f *fleet) *filler {
	t.Helper()
	accounts, err := f.accounts(ctx, "filler", 1)
	if err != nil {
		t.Fatal(err)
	}
	x := &filler{f: f, token: accounts[0].token, answers: map[string]int{}}
	if err := x.connect(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.conn.Close() })
	return x
}

func (x *filler) connect(ctx context.Context) (err error) {
	x.conn, err = client.Dial(ctx, client.Config{URL: "http://" + x.f.nodes[0].addr, Token: x.token})
	if err == nil {
		go func(c *client.Conn) {
			for {
				if _, err := c.Next(context.Background()); err != nil {
					return
				}
			}
		}(x.conn)
	}
	return err
}

// send sends a message of so many bytes and returns how it was answered: "", a code, or "silence".
func (x *filler) send(ctx context.Context, size int) string {
	ctx, cancel := context.WithTimeout(ctx, 3*answerTime)
	defer cancel()
	m := switchboard.Message{ID: client.NewID(), Payload: &switchboard.UserMessage{Text: "[[fake:text Yes.]] " + strings.Repeat("x", size)}}
	var ack switchboard.Ack
	sent := time.Now()
	err := x.conn.Do(ctx, m, &ack)
	var e *switchboard.Error
	var ce *client.CloseError
	x.slowest = max(x.slowest, time.Since(sent))
	word := ""
	switch {
	case err == nil:
		x.stored = append(x.stored, ack)
	case errors.As(err, &e):
		word = string(e.Code)
	case errors.As(err, &ce):
		word = fmt.Sprint("close ", ce.Code)
		_ = x.connect(ctx) // the next message says if it is still closed
	default:
		word = "silence"
	}
	x.answers[word]++
	return word
}

// fill sends until nothing was taken for some messages in a row, and returns the last answer. Limits of the rate are
// waited for.
func (x *filler) fill(ctx context.Context) (last string) {
	for refused := 0; refused < 10 && ctx.Err() == nil; {
		last = x.send(ctx, paddings)
		switch last {
		case "":
			refused = 0
		case string(switchboard.RateLimited):
			pause(ctx, 100*time.Millisecond)
		default:
			refused++
		}
	}
	return last
}

// reads reads every thread that was acknowledged and returns how many cannot be read.
func (x *filler) reads(ctx context.Context) (lost int, err error) {
	c := &http.Client{Transport: &http.Transport{}}
	defer c.CloseIdleConnections()
	for _, a := range x.stored {
		var page switchboard.EventPage
		if rerr := getFrom(ctx, c, "http://"+x.f.nodes[0].addr, x.token, fmt.Sprintf("threads/%s/events?limit=1", a.ThreadID), &page); rerr != nil || len(page.Events) != 1 {
			lost++
			err = rerr
		}
	}
	return lost, err
}

// healed sends small messages until one is taken, and returns how long that took.
func (x *filler) healed(ctx context.Context) (time.Duration, bool) {
	began := time.Now()
	for time.Since(began) < healTime {
		if x.send(ctx, 10) == "" {
			return time.Since(began), true
		}
		pause(ctx, 200*time.Millisecond)
	}
	return time.Since(began), false
}

// full is what a full disk must do: refuse with a typed error, in time, and let everybody read.
func (x *filler) full(ctx context.Context, t *testing.T, what, last string) {
	t.Helper()
	if last != string(switchboard.Unavailable) {
		t.Errorf("%s: messages are answered with %q", what, last)
	}
	if x.slowest > answerTime {
		t.Errorf("%s: an answer took %v", what, x.slowest)
	}
	lost, err := x.reads(ctx)
	if lost > 0 {
		t.Errorf("%s: %d of %d acknowledged threads cannot be read: %v", what, lost, len(x.stored), err)
	}
	fmt.Printf("%s: %d messages acknowledged, then %v; the slowest answer after %v; %d threads cannot be read\n",
		what, len(x.stored), x.answers, x.slowest.Round(time.Millisecond), lost)
}

func (x *filler) again(ctx context.Context, t *testing.T, what string) {
	t.Helper()
	took, ok := x.healed(ctx)
	fmt.Printf("%s: a message was taken again: %v, after %v\n", what, ok, took.Round(time.Millisecond))
	if !ok {
		t.Errorf("%s: no message is taken, %v later: %v", what, took, x.answers)
		x.f.nodes[0].kill()
		if err := x.f.start(ctx, x.f.nodes[0]); err != nil {
			t.Errorf("%s: it does not start again: %v", what, err)
			return
		}
		_ = x.connect(ctx)
		took, ok = x.healed(ctx)
		fmt.Printf("%s: after a restart: %v, after %v\n", what, ok, took.Round(time.Millisecond))
	}
	lost, err := x.reads(ctx)
	if lost > 0 {
		t.Errorf("%s: %d acknowledged threads are lost: %v", what, lost, err)
	}
	open := x.unended(ctx)
	fmt.Printf("%s: %d of %d runs have no end\n", what, open, len(x.stored))
	if open > 0 {
		t.Errorf("%s: %d runs have no end", what, open)
	}
}

// unended waits until all runs have ended, and returns how many have not when it gives up.
func (x *filler) unended(ctx context.Context) (open int) {
	c := &http.Client{Transport: &http.Transport{}}
	defer c.CloseIdleConnections()
	for began := time.Now(); time.Since(began) < healTime; pause(ctx, time.Second) {
		open = 0
		for before := ""; ; {
			var list switchboard.ThreadList
			if err := getFrom(ctx, c, "http://"+x.f.nodes[0].addr, x.token, "threads?before="+before, &list); err != nil {
				return len(x.stored)
			}
			for _, s := range list.Threads {
				if s.ActiveRun != "" {
					open++
				}
			}
			if before = list.Next; before == "" {
				break
			}
		}
		if open == 0 {
			break
		}
	}
	return open
}

// TestCrashDiskFull lets something else fill the disk of a server.
func TestCrashDiskFull(t *testing.T) {
	needDisk(t)
	disk := mount(t, "-t", "tmpfs", "-o", "size=64m", "none")
	f := newFleet(t, disk, 0)
	x := newFiller(t.Context(), t, f)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, slices.Repeat([]byte("ballast "), 50<<20/8), 0o600); err != nil {
		t.Fatal(err)
	}
	last := x.fill(t.Context())
	x.full(t.Context(), t, "a full disk", last)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	x.again(t.Context(), t, "space returns")
}

// TestCrashStoreFull fills a disk with messages alone, and deletes threads.
func TestCrashStoreFull(t *testing.T) {
	needDisk(t)
	f := newFleet(t, mount(t, "-t", "tmpfs", "-o", "size=64m", "none"), 0)
	x := newFiller(t.Context(), t, f)
	last := x.fill(t.Context())
	x.full(t.Context(), t, "a full store", last)
	refused := 0
	for _, a := range x.stored[:len(x.stored)/2] {
		m := switchboard.Message{ThreadID: string(a.ThreadID), Payload: &switchboard.DeleteThread{}}
		err := x.conn.Do(t.Context(), m, &switchboard.Ack{})
		for switchboard.CodeOf(err) == switchboard.RateLimited {
			pause(t.Context(), 200*time.Millisecond)
			err = x.conn.Do(t.Context(), m, &switchboard.Ack{})
		}
		if err != nil {
			refused++
		}
	}
	fmt.Printf("a full store: %d of %d threads could not be deleted\n", refused, len(x.stored)/2)
	if refused > 0 {
		t.Errorf("%d threads cannot be deleted to make room", refused)
	}
	x.stored = x.stored[len(x.stored)/2:]
	x.again(t.Context(), t, "threads were deleted")
}

// TestCrashReadOnly lets a file system go read-only, as ext4 does when its device fails.
func TestCrashReadOnly(t *testing.T) {
	needDisk(t)
	disk := mount(t, "-o", "loop", image(t, 128))
	f := newFleet(t, disk, 0)
	x := newFiller(t.Context(), t, f)
	for range 20 {
		x.send(t.Context(), 10)
	}
	command(t, "mount", "-o", "remount,abort", disk)
	last := x.fill(t.Context())
	x.full(t.Context(), t, "a read-only disk", last)
	f.nodes[0].kill()
}

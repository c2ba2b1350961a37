package transport

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/netra-systems/switchboard"
)

// idleDevices connects n devices to addr and holds them until stdin closes: it runs in a process of its own, so that
// only the server's side is measured.
func idleDevices(addr string, n int) error {
	var all []net.Conn
	for i := range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		all = append(all, c)
		_, err = fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: %s, bearer.token-%d\r\n\r\n", addr, switchboard.Protocol, i)
		if err != nil {
			return err
		}
		for seen := []byte{}; !bytes.Contains(seen, []byte("connection_established")); {
			b := make([]byte, 2048)
			k, err := c.Read(b)
			if err != nil {
				return err
			}
			seen = append(seen, b[:k]...)
		}
	}
	fmt.Println("connected")
	_, _ = os.Stdin.Read(make([]byte, 1))
	for _, c := range all {
		_ = c.Close()
	}
	return nil
}

func TestMain(m *testing.M) {
	if addr := os.Getenv("IDLE_DEVICES_ADDR"); addr != "" {
		n, _ := strconv.Atoi(os.Getenv("IDLE_DEVICES"))
		if err := idleDevices(addr, n); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// idle returns the bytes that an idle device costs the server: heap, stacks and what the runtime keeps for them.
func idle(t testing.TB, n int) float64 {
	r := newRig(t, quick)
	r.dial(t, "warm").CloseNow()
	before := inUse()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "IDLE_DEVICES_ADDR="+r.http.Listener.Addr().String(), "IDLE_DEVICES="+strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 64)
	if k, err := out.Read(line); err != nil || !strings.HasPrefix(string(line[:k]), "connected") {
		t.Fatal(err)
	}
	per := float64(inUse()-before) / float64(n)
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return per
}

func inUse() uint64 {
	for range 3 { // stacks shrink at a collection, step by step
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse + m.OtherSys
}

// maxIdle is what an idle device may cost in bytes, without its outbox; the race detector needs some of it.
const maxIdle = 28 << 10

func TestIdleDevice(t *testing.T) {
	if testing.Short() {
		t.Skip("connects 500 devices")
	}
	if per := idle(t, 500); per > maxIdle {
		t.Errorf("%.0f B/device, want at most %d", per, maxIdle)
	} else {
		t.Logf("%.0f B/device", per)
	}
}

// BenchmarkIdleDevice reports B/device of 2,000 idle devices, without their outboxes.
func BenchmarkIdleDevice(b *testing.B) {
	var per float64
	for b.Loop() {
		per = idle(b, 2000)
	}
	b.ReportMetric(per, "B/device")
}

// BenchmarkPing is a frame and its reply: both loops of a device, over a socket.
func BenchmarkPing(b *testing.B) {
	r := newRig(b, quick)
	c := r.dial(b, "ann")
	frame := []byte(`{"type":"ping","id":"1"}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Write(b.Context(), websocket.MessageText, frame); err != nil {
			b.Fatal(err)
		}
		if _, _, err := c.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

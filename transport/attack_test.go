package transport

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
)

// wire is a device that speaks RFC 6455 by hand, so that it can break it.
type wire struct {
	net.Conn
	r *bufio.Reader
}

func (r *rig) wire(t testing.TB) *wire {
	t.Helper()
	c, err := net.Dial("tcp", r.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: %s, bearer.token-ann\r\n\r\n",
		r.http.Listener.Addr(), switchboard.Protocol)
	w := &wire{c, bufio.NewReader(c)}
	res, err := http.ReadResponse(w.r, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	if op, b, err := w.frame(); err != nil || op != 1 || !bytes.Contains(b, []byte("connection_established")) {
		t.Fatal(op, string(b), err)
	}
	return w
}

// frame reads a frame of the server.
func (w *wire) frame() (op byte, payload []byte, err error) {
	var h [2]byte
	if _, err = io.ReadFull(w.r, h[:]); err != nil {
		return 0, nil, err
	}
	n := int(h[1] & 127)
	if n == 126 {
		var l [2]byte
		if _, err = io.ReadFull(w.r, l[:]); err != nil {
			return 0, nil, err
		}
		n = int(binary.BigEndian.Uint16(l[:]))
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(w.r, payload)
	return h[0] & 15, payload, err
}

// closed reads until the close frame and returns its code, 0 if the connection ends without one.
func (w *wire) closed() int {
	for {
		op, b, err := w.frame()
		if err != nil {
			return 0
		}
		if op == 8 && len(b) >= 2 {
			_, _ = w.Write(masked(0x88, string(b[:2])))
			return int(binary.BigEndian.Uint16(b))
		}
	}
}

// masked makes a frame with a zero mask, so that the payload stays readable.
func masked(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

func TestProtocolAttacks(t *testing.T) {
	r := newRig(t, func(c *Config) { quick(c); c.Limits.DevicesPerUser = 100 })
	huge := binary.BigEndian.AppendUint64([]byte{0x81, 0x80 | 127}, 1<<63)
	large := append(binary.BigEndian.AppendUint64([]byte{0x81, 0x80 | 127}, 1<<62), 0, 0, 0, 0)
	for _, c := range []struct {
		name string
		send []byte
		want int
	}{
		{"unmasked", []byte{0x81, 2, '{', '}'}, 1002},
		{"unmasked in the middle of a message", append(masked(0x01, "{"), 0x80, 1, '}'), 1002},
		{"RSV1", masked(0xC1, "{}"), 1002},
		{"RSV2", masked(0xA1, "{}"), 1002},
		{"RSV3", masked(0x91, "{}"), 1002},
		{"unknown opcode", masked(0x83, "{}"), 1002},
		{"unknown control opcode", masked(0x8B, ""), 1002},
		{"fragmented ping", masked(0x09, "x"), 1002},
		{"long ping", masked(0x89, strings.Repeat("x", 126)), 1002},
		{"continuation of nothing", masked(0x80, "{}"), 1002},
		{"new message in a message", append(masked(0x01, "{"), masked(0x81, "}")...), 1002},
		{"2^63 bytes", huge, 1002},
		{"2^62 bytes", append(large, bytes.Repeat([]byte("x"), 300<<10)...), 1009},
		{"oversize", masked(0x81, strings.Repeat("x", 256<<10+1)), 1009},
		{"oversize in fragments", append(masked(0x01, strings.Repeat("x", 200<<10)), masked(0x80, strings.Repeat("x", 100<<10))...), 1009},
		{"binary", masked(0x82, "{}"), 1003},
		{"bad UTF-8", masked(0x81, "{\"a\":\"\xff\"}"), 1007},
		{"lone surrogate in UTF-8", masked(0x81, "\xed\xa0\x80"), 1007},
		{"bad UTF-8 over fragments", append(masked(0x01, "\xc3"), masked(0x80, "(")...), 1007},
		{"close with a code that must not be sent", masked(0x88, "\x03\xed"), 1002},
		{"close of one byte", masked(0x88, "x"), 1002},
		{"close", masked(0x88, "\x03\xe8"), 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := r.wire(t)
			_, _ = w.Write(c.send)
			if got := w.closed(); got != c.want {
				t.Errorf("closed with %d, want %d", got, c.want)
			}
			if _, err := io.Copy(io.Discard, w.r); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection stays open")
			}
		})
	}
}

func TestUTF8OverFragments(t *testing.T) {
	w := newRig(t, quick).wire(t)
	_, _ = w.Write(append(masked(0x01, "{\"type\":\"ping\",\"id\":\"1\",\"payload\":{\"\xc3"), masked(0x80, "\xa9\":1}}")...))
	if op, b, err := w.frame(); err != nil || op != 1 || !bytes.Contains(b, []byte(`"field":"payload.é"`)) {
		t.Errorf("%d %s %v", op, b, err)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func TestManyFragments(t *testing.T) {
	w := newRig(t, quick).wire(t)
	before := heap()
	text := `{"type":"ping","id":"1","payload":{}` + strings.Repeat(" ", 100_000) + "}"
	var b bytes.Buffer
	for i := range len(text) {
		first := byte(0x00)
		if i == 0 {
			first = 0x01
		}
		if i == len(text)-1 {
			first = 0x80
		}
		b.Write(masked(first, text[i:i+1]))
	}
	_, _ = w.Write(b.Bytes())
	op, reply, err := w.frame()
	if err != nil || op != 1 || !bytes.Contains(reply, []byte(`"type":"result"`)) {
		t.Errorf("%d %s %v", op, reply, err)
	}
	if grown := int64(heap()) - int64(before); grown > 4<<20 {
		t.Errorf("%d bytes stay", grown)
	}
}

func TestEndlessFragments(t *testing.T) {
	w := newRig(t, quick).wire(t)
	go func() {
		chunk := bytes.Repeat(masked(0x00, "xxxxxxxxxxxxxxxx"), 1000)
		_, err := w.Write(masked(0x01, "x"))
		for err == nil {
			_, err = w.Write(chunk)
		}
	}()
	if got := w.closed(); got != 1009 {
		t.Errorf("closed with %d, want 1009", got)
	}
}

func TestPingFlood(t *testing.T) {
	r := newRig(t, func(c *Config) { quick(c); c.Limits.RefusalsPerMinute = 100 })
	w := r.wire(t)
	go func() {
		chunk := bytes.Repeat(masked(0x89, "x"), 1000)
		var err error
		for err == nil {
			_, err = w.Write(chunk)
		}
	}()
	if got := w.closed(); got != 4001 {
		t.Errorf("closed with %d, want 4001", got)
	}
}

// TestPingFloodUnread floods without ever reading the answers: the server must not store them.
func TestPingFloodUnread(t *testing.T) {
	r := newRig(t, quick)
	w := r.wire(t)
	before := heap()
	_ = w.SetWriteDeadline(time.Now().Add(time.Second))
	chunk := bytes.Repeat(masked(0x89, strings.Repeat("x", 100)), 1000)
	var err error
	for err == nil {
		_, err = w.Write(chunk)
	}
	if grown := int64(heap()) - int64(before); grown > 4<<20 {
		t.Errorf("%d bytes were kept", grown)
	}
}

// TestUnreadDevice writes to a device that never reads: it ends within the write timeout.
func TestUnreadDevice(t *testing.T) {
	r := newRig(t, func(c *Config) { quick(c); c.WriteTimeout = 200 * time.Millisecond })
	r.wire(t)
	o := <-r.opened
	frame := []byte(`{"type":"live","payload":"` + strings.Repeat("x", 100<<10) + `"}`)
	for {
		select {
		case o.frames <- frame:
			continue
		case <-o.closed:
		}
		break
	}
}

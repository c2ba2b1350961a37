package bench

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
)

// socket is a device that is nothing but a TCP connection: it decodes no JSON and starts no goroutine, so what it
// measures is the server. One caller.
type socket struct {
	conn net.Conn
	r    *bufio.Reader
	buf  []byte
}

// dial upgrades a connection (RFC 6455 §4.1). The first frame is connection_established.
func dial(addr, token string, cursor switchboard.Cursor) (*socket, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	path := "/ws"
	if cursor != "" {
		path += "?cursor=" + url.QueryEscape(string(cursor))
	}
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
		path, addr, token, switchboard.Protocol)
	s := &socket{conn: conn, r: bufio.NewReader(conn)}
	if _, err := io.WriteString(conn, request); err != nil {
		conn.Close()
		return nil, err
	}
	resp, err := http.ReadResponse(s.r, nil)
	if err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
		err = errors.New("upgrade: " + resp.Status)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

// Frames as RFC 6455 §5.2 writes them.
const (
	opText  = 0x81
	opClose = 0x88
	opPing  = 0x89
	opPong  = 0x8a
)

// send writes a text frame, masked with zeros: the mask's value is the client's choice.
func (s *socket) send(frame []byte) error { return s.write(opText, frame) }

func (s *socket) write(op byte, payload []byte) error {
	b := append(s.buf[:0], op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(append(b, 0, 0, 0, 0), payload...)
	s.buf = b
	_, err := s.conn.Write(b)
	return err
}

// read returns the next text frame and answers pings in between.
func (s *socket) read() ([]byte, error) {
	for {
		var head [2]byte
		if _, err := io.ReadFull(s.r, head[:]); err != nil {
			return nil, err
		}
		n := uint64(head[1] & 0x7f)
		if n >= 126 {
			wide := make([]byte, 2<<(2*(n-126)))
			if _, err := io.ReadFull(s.r, wide); err != nil {
				return nil, err
			}
			n = binary.BigEndian.Uint64(append(make([]byte, 8-len(wide)), wide...))
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(s.r, payload); err != nil {
			return nil, err
		}
		switch head[0] {
		case opText:
			return payload, nil
		case opPing:
			if err := s.write(opPong, payload); err != nil {
				return nil, err
			}
		case opClose:
			return nil, fmt.Errorf("closed by the server: %q", payload)
		}
	}
}

// readTo reads up to the first frame of a type.
func (s *socket) readTo(typ string) ([]byte, error) {
	for {
		frame, err := s.read()
		if err != nil {
			return nil, fmt.Errorf("waiting for %s: %w", typ, err)
		}
		switch kind := kindOf(frame); kind {
		case typ:
			return frame, nil
		case switchboard.TypeError:
			return nil, fmt.Errorf("waiting for %s: %s", typ, frame)
		}
	}
}

// kindOf returns the type of a frame without decoding it: its first member, or the second behind the cursor.
func kindOf(frame []byte) string { return member(frame, "type") }

// member returns the first string member of a name.
func member(frame []byte, name string) string {
	_, rest, ok := bytes.Cut(frame, []byte(`"`+name+`":"`))
	if !ok {
		return ""
	}
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

// device connects a socket that ends with the benchmark, and reads up to caught_up.
func device(b testing.TB, addr, token string, cursor switchboard.Cursor) (*socket, switchboard.Cursor) {
	b.Helper()
	s, err := dial(addr, token, cursor)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.conn.Close() })
	s.conn.SetReadDeadline(time.Now().Add(5 * time.Minute))
	frame, err := s.readTo(switchboard.TypeCaughtUp)
	if err != nil {
		b.Fatal(err)
	}
	return s, switchboard.Cursor(member(frame, "cursor"))
}

// message encodes a user_message.
func message(b testing.TB, id switchboard.FrameID, thread switchboard.ThreadID, text string) []byte {
	b.Helper()
	frame, err := switchboard.EncodeMessage(switchboard.Message{
		ID: id, ThreadID: string(thread), Payload: &switchboard.UserMessage{Text: text},
	})
	if err != nil {
		b.Fatal(err)
	}
	return frame
}

// query encodes a message that asks.
func query(b testing.TB, id switchboard.FrameID, p switchboard.MessagePayload) []byte {
	b.Helper()
	frame, err := switchboard.EncodeMessage(switchboard.Message{ID: id, Payload: p})
	if err != nil {
		b.Fatal(err)
	}
	return frame
}

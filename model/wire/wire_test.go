package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netra-systems/switchboard/model"
)

// server answers in simulated time.
type server func(attempt int) (*http.Response, error)

// trip counts the requests of one client.
type trip struct {
	answer server
	came   []time.Time
}

func (s *trip) RoundTrip(r *http.Request) (*http.Response, error) {
	s.came = append(s.came, time.Now())
	res, err := s.answer(len(s.came))
	if err != nil {
		return nil, err
	}
	if res.Body == nil {
		res.Body = http.NoBody
	}
	if d, ok := res.Body.(*drip); ok {
		d.end = r.Context().Done()
	}
	return res, nil
}

// drip is a body that gives an event after each pause, and ends with its request, as real bodies do.
type drip struct {
	every time.Duration
	left  int
	end   <-chan struct{}
}

func (d *drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(d.every):
	case <-d.end:
		return 0, context.Canceled
	}
	if d.left--; d.left >= 0 {
		return copy(p, "data: x\n\n"), nil
	}
	return copy(p, "event: end\ndata: x\n\n"), nil
}

func (d *drip) Close() error { return nil }

func status(code int, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: code, Header: h}
}

func stream(r io.Reader) *http.Response {
	res := status(200, "Content-Type", "text/event-stream")
	res.Body = io.NopCloser(r)
	return res
}

// words takes every event for text, and the event "end" for the end.
type words struct {
	o     *Out
	ended bool
}

func (w *words) Take(event string, data []byte) (Progress, error) {
	if event == "end" {
		w.ended = true
		return Done, nil
	}
	if event == "begin" {
		w.o.Begin()
		return More, nil
	}
	return More, w.o.Give(model.Chunk{Text: string(data)})
}

func (w *words) End() error {
	if !w.ended {
		return errors.New("no end")
	}
	return w.o.Give(model.Chunk{Finish: model.FinishStop})
}

type result struct {
	text string
	err  error
	came []time.Time
	took time.Duration
}

// ask asks a server in a bubble of simulated time.
func ask(t *testing.T, s Server, p Policy, answer server) (r result) {
	synctest.Test(t, func(t *testing.T) {
		x := &trip{answer: answer}
		p.HTTPClient = &http.Client{Transport: x}
		s.URL, s.Who = "http://server.example/", "the server"
		c := New(s, p)
		begun := time.Now()
		c.Stream(t.Context(), nil, func(c model.Chunk, err error) bool {
			r.text += c.Text
			if err != nil {
				r.err = err
			}
			return true
		}, func(o *Out) Reader { return &words{o: o} })
		r.came, r.took = x.came, time.Since(begun)
	})
	return r
}

const good = "data: a\n\ndata: b\n\nevent: end\ndata: x\n\n"

// TestBackoff sees that waits grow, are random, and stay below their bounds.
func TestBackoff(t *testing.T) {
	waits := map[time.Duration]bool{}
	for range 50 {
		r := ask(t, Server{}, Policy{Attempts: 6, Backoff: time.Second, MaxWait: 4 * time.Second}, func(int) (*http.Response, error) { return status(503), nil })
		if len(r.came) != 6 {
			t.Fatalf("%d requests", len(r.came))
		}
		for i, most := range []time.Duration{1, 2, 4, 4, 4} {
			w := r.came[i+1].Sub(r.came[i])
			if w < 0 || w > most*time.Second {
				t.Errorf("wait %d: %v", i, w)
			}
			waits[w] = true
		}
	}
	if len(waits) < 100 {
		t.Errorf("%d different waits of 250", len(waits))
	}
}

// TestRetryAfter sees the server's wish kept, and given back where it is too much.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		header []string
		waits  time.Duration
	}{
		{[]string{"Retry-After", "7"}, 7 * time.Second},
		{[]string{"Retry-After", "0.5"}, 500 * time.Millisecond},
		{[]string{"Retry-After", "-1"}, 0},
		{[]string{"Retry-After", "soon"}, 0},
		{[]string{"Retry-After-Ms", "1500", "Retry-After", "2"}, 1500 * time.Millisecond},
		{[]string{"Retry-After", time.Date(2000, 1, 1, 0, 0, 5, 0, time.UTC).Format(http.TimeFormat)}, 5 * time.Second}, // bubbles begin at 2000-01-01
		{[]string{"Retry-After", time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC).Format(http.TimeFormat)}, 0},
	} {
		r := ask(t, Server{}, Policy{Backoff: 1}, func(n int) (*http.Response, error) {
			if n == 1 {
				return status(429, c.header...), nil
			}
			return stream(strings.NewReader(good)), nil
		})
		if r.err != nil || r.text != "ab" || len(r.came) != 2 || r.took < c.waits || r.took > c.waits+10 {
			t.Errorf("%v: %+v", c.header, r)
		}
	}
	r := ask(t, Server{}, Policy{}, func(int) (*http.Response, error) { return status(429, "Retry-After", "11"), nil })
	if e, ok := errors.AsType[*model.Error](r.err); !ok || e.RetryAfter != 11*time.Second || len(r.came) != 1 || r.took != 0 {
		t.Errorf("longer than may be waited: %+v", r)
	}
}

// TestNoWaitBeyondTheEnd sees a wait not begun that cannot end in time.
func TestNoWaitBeyondTheEnd(t *testing.T) {
	r := ask(t, Server{}, Policy{Timeout: 5 * time.Second}, func(int) (*http.Response, error) { return status(503, "Retry-After", "6"), nil })
	if e, ok := errors.AsType[*model.Error](r.err); !ok || e.RetryAfter != 6*time.Second || len(r.came) != 1 || r.took != 0 {
		t.Errorf("%+v", r)
	}
}

// TestTimeouts sees silence and endlessness end an answer, and only its reader's time not counted as silence.
func TestTimeouts(t *testing.T) {
	for name, c := range map[string]struct {
		every, idle, timeout, took time.Duration
		message                    string
		text                       int
	}{
		"in time":    {every: time.Second, idle: 2 * time.Second, took: 101*time.Second + 50*time.Millisecond, text: 100},
		"silent":     {every: 3 * time.Second, idle: 2 * time.Second, took: 2 * time.Second, message: "silent for too long"},
		"endless":    {every: time.Second, idle: 2 * time.Second, timeout: 30*time.Second + 1, took: 30*time.Second + 1, message: "took too long", text: 30},
		"no timeout": {every: 59 * time.Second, took: 10 * time.Minute, message: "took too long", text: 10},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask(t, Server{}, Policy{IdleTimeout: c.idle, Timeout: c.timeout, Attempts: 1}, func(int) (*http.Response, error) {
				res := stream(nil)
				res.Body = &drip{every: c.every, left: 100}
				return res, nil
			})
			if r.took != c.took || len(r.text) != c.text || (r.err == nil) != (c.message == "") || r.err != nil && !strings.Contains(r.err.Error(), c.message) {
				t.Errorf("%+v", r)
			}
			if e, ok := errors.AsType[*model.Error](r.err); r.err != nil && (!ok || e.Kind != model.Unavailable) {
				t.Errorf("%v", r.err)
			}
		})
	}
}

// TestOnce sees that a request that does something is repeated only if nobody can have begun on it.
func TestOnce(t *testing.T) {
	for _, c := range []struct {
		name         string
		first        func() (*http.Response, error)
		usual, asked int
	}{
		{"failed at it", func() (*http.Response, error) { return status(500), nil }, 2, 1},
		{"given up by a proxy", func() (*http.Response, error) { return status(504), nil }, 2, 1},
		{"refused with a status", func() (*http.Response, error) { return status(503), nil }, 2, 2},
		{"too many at once", func() (*http.Response, error) { return status(429), nil }, 2, 2},
		{"too early", func() (*http.Response, error) { return status(425), nil }, 2, 2},
		{"nobody listens", func() (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}, 2, 2},
		{"lost before its answer", func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, 2, 1},
		{"an empty answer", func() (*http.Response, error) { return stream(strings.NewReader("")), nil }, 2, 1},
		{"begun, then lost", func() (*http.Response, error) { return stream(strings.NewReader("event: begin\ndata: x\n\n")), nil }, 1, 1},
		{"cut", func() (*http.Response, error) { return stream(strings.NewReader("data: a\n\n")), nil }, 1, 1},
	} {
		for once, want := range map[bool]int{false: c.usual, true: c.asked} {
			r := ask(t, Server{Once: once}, Policy{}, func(n int) (*http.Response, error) {
				if n == 1 {
					return c.first()
				}
				return stream(strings.NewReader(good)), nil
			})
			if len(r.came) != want || (r.err == nil) != (want == 2) {
				t.Errorf("%s, once %v: %d requests, %v", c.name, once, len(r.came), r.err)
			}
		}
	}
}

// TestSecretsAreTakenOut sees every form of a secret taken out of what a server echoes.
func TestSecretsAreTakenOut(t *testing.T) {
	const secret = "top/secret+0123 456789"
	header := map[string]string{"Authorization": "Bearer " + "sk-0123456789/x", "X-Token": secret, "X-Small": "a"}
	for _, echo := range []string{
		`{"error":{"message":"bad key sk-0123456789/x, a fault"}}`,
		`{"error":"Bearer sk-0123456789\/x"}`,
		`{"error":{"message":"x","code":"top/secret+0123 456789"}}`,
		`{"error":{"message":"` + strings.Repeat("x", 290) + ` sk-0123456789/x"}}`,
		`{"error":{"message":"` + strings.Repeat("x", maxTold-40) + ` sk-0123456789/x"}}`,
		`{"error":{"message":"x","type":"` + strings.Repeat("x", 290) + ` sk-0123456789/x"}}`,
		`{"error":{"message":"top%2Fsecret%2B0123+456789 and sk-0123456789%2Fx"}}`,
	} {
		r := ask(t, Server{Header: header}, Policy{Attempts: 1}, func(int) (*http.Response, error) {
			res := status(500)
			res.Body = io.NopCloser(strings.NewReader(echo))
			return res, nil
		})
		for err := r.err; err != nil; err = errors.Unwrap(err) {
			if text := fmt.Sprintf("%+v %#v", err, err); strings.Contains(text, "0123") || strings.Contains(text, "456789") {
				t.Errorf("%s: %s", echo, text)
			}
		}
	}
	r := ask(t, Server{Header: header}, Policy{Attempts: 1}, func(int) (*http.Response, error) {
		return nil, fmt.Errorf("dial: proxy said %s", secret)
	})
	if err := errors.Unwrap(r.err); err == nil || strings.Contains(err.Error(), "0123") || !strings.Contains(err.Error(), "proxy said [key]") {
		t.Errorf("%v", err)
	}
}

// TestPartsOfKeysAreLeftOut sees nothing of what a server says to a bad key: it may quote parts of it.
func TestPartsOfKeysAreLeftOut(t *testing.T) {
	for _, code := range []int{401, 403} {
		r := ask(t, Server{}, Policy{}, func(int) (*http.Response, error) {
			res := status(code)
			res.Body = io.NopCloser(strings.NewReader(`{"error":{"message":"Incorrect API key provided: sk-01**89"}}`))
			return res, nil
		})
		if r.err == nil || strings.Contains(r.err.Error(), "sk-01") || len(r.came) != 1 {
			t.Errorf("%d: %v", code, r.err)
		}
	}
}

// flood is a body without an end.
type flood struct {
	what string
	read int
}

func (f *flood) Read(p []byte) (int, error) {
	n := 0
	for n+len(f.what) <= len(p) {
		n += copy(p[n:], f.what)
	}
	f.read += n
	return n, nil
}

// TestFloods sees little read of what never comes to anything.
func TestFloods(t *testing.T) {
	for _, c := range []struct {
		what  string
		bytes int
	}{
		{"x", maxLine}, // one line
		{": ping\n", 16*10_000 + 1<<20},
		{"data: x\n", maxLine},
		{"event: x\n\n", 16*10_000 + 1<<20},
		{"data: x\n\n", 10_000 * len("data: x\n\n")},
	} {
		f := &flood{what: c.what}
		most := 10_000
		if c.bytes == maxLine { // so that the line is at its limit before the answer is
			most = 4 << 20
		}
		r := ask(t, Server{}, Policy{MaxBytes: most, Attempts: 1}, func(int) (*http.Response, error) { return stream(f), nil })
		if e, ok := errors.AsType[*model.Error](r.err); !ok || e.Kind != model.Truncated || !strings.Contains(e.Message, "too large") {
			t.Errorf("%q: %v", c.what, r.err)
		}
		if f.read > 8*c.bytes+64<<10 {
			t.Errorf("%q: %d bytes read", c.what, f.read)
		}
	}
}

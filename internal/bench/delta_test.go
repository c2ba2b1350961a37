package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model/openai"
)

const (
	deltaChunks = 1500
	deltaPace   = 5 * time.Millisecond
)

// pacer is a model server that streams chunks at a fixed pace; the text of each is the time at which it is sent, in
// nanoseconds of this process's monotonic clock.
type pacer struct{ begin time.Time }

func (p *pacer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	tick := time.NewTicker(deltaPace)
	defer tick.Stop()
	for range deltaChunks {
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
		fmt.Fprintf(w, "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%d \"}}]}\n\n", time.Since(p.begin))
		if flush.Flush() != nil {
			return
		}
	}
	io.WriteString(w, "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
}

// age returns how long ago the stamp behind a mark was sent; false if there is none.
func (p *pacer) age(line []byte, mark string) (time.Duration, bool) {
	now := time.Since(p.begin)
	_, rest, ok := bytes.Cut(line, []byte(mark))
	if !ok {
		return 0, false
	}
	stamp, _, _ := bytes.Cut(rest, []byte(" "))
	sent, err := strconv.ParseInt(string(stamp), 10, 64)
	return now - time.Duration(sent), err == nil
}

// read is the bare client: it reads a stream and nothing else.
func (p *pacer) read(url string) (ages samples, err error) {
	resp, err := http.Post(url+"/chat/completions", "application/json", strings.NewReader("{}"))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	for {
		line, err := r.ReadSlice('\n')
		if age, ok := p.age(line, `"content":"`); ok {
			ages.add(age)
		}
		if err == io.EOF {
			return ages, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// BenchmarkDelta measures how old a chunk of the model's server is when the device reads it, against a client that reads
// the same stream from the model's server at the same time; and that the log does not grow meanwhile.
func BenchmarkDelta(b *testing.B) {
	p := &pacer{begin: time.Now()}
	server := httptest.NewServer(p)
	b.Cleanup(server.Close)
	m, err := openai.New(openai.Config{BaseURL: server.URL, Model: "paced", OmitUsage: true})
	if err != nil {
		b.Fatal(err)
	}
	s := serve(b, b.TempDir(), m)
	token, _ := s.token(b, "ann")
	dev, _ := device(b, s.addr, token, "")
	var through, direct samples
	var grown uint64
	var written, deltas float64
	for b.Loop() {
		if err := dev.send(message(b, switchboard.FrameID(fmt.Sprint("m", len(through))), "", question)); err != nil {
			b.Fatal(err)
		}
		if _, err := dev.readTo(string(switchboard.AgentThinking)); err != nil {
			b.Fatal(err)
		}
		var bare sync.WaitGroup
		bare.Go(func() {
			ages, err := p.read(server.URL)
			if err != nil {
				b.Error(err)
			}
			direct = append(direct, ages...)
		})
		var ends []uint64
		var before float64
		for n, done := 0, false; !done; {
			frame, err := dev.read()
			if err != nil {
				b.Fatal(err)
			}
			switch kindOf(frame) {
			case switchboard.TypeAgentDelta:
				if age, ok := p.age(frame, `"text":"`); ok {
					through.add(age)
				}
				switch n++; n {
				case deltaChunks / 10:
					ends, before = s.ends(b), writtenBytes(b)
				case deltaChunks * 9 / 10:
					written += writtenBytes(b) - before
					deltas += deltaChunks * 8 / 10
					grown += sum(s.ends(b)) - sum(ends)
				}
			case string(switchboard.AgentCompleted):
				done = true
			case string(switchboard.AgentFailed):
				b.Fatalf("%s", frame)
			}
		}
		bare.Wait()
	}
	if len(through) != len(direct) {
		b.Errorf("the device was given %d deltas, the bare client %d", len(through), len(direct))
	}
	if grown != 0 {
		b.Errorf("the log grew by %d entries while only deltas were sent", grown)
	}
	percentiles(b, "delta", "model server → device / bare client,", through, direct, 0, 0)
	record(b, "added-p50", row{mechanism: "  a delta's way through the server adds (p50 − p50)", unit: "s", figure: through.at(0.5) - direct.at(0.5), goal: 1e-3})
	record(b, "added-p99", row{mechanism: "  a delta's way through the server adds (p99 − p99)", unit: "s", figure: through.at(0.99) - direct.at(0.99)})
	record(b, "log", row{mechanism: "  entries stored while deltas were sent", unit: "entries", figure: float64(grown), goal: 0.5})
	record(b, "written", row{mechanism: "  bytes written to disk per delta, whole process", unit: "B", figure: written / deltas})
}

func sum(of []uint64) (total uint64) {
	for v := range slices.Values(of) {
		total += v
	}
	return total
}

// writtenBytes returns how many bytes this process has caused to be written to disks (proc(5), io).
func writtenBytes(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0 // not a system that tells
	}
	_, rest, _ := strings.Cut(string(text), "\nwrite_bytes: ")
	v, _, _ := strings.Cut(rest, "\n")
	f, err := strconv.ParseFloat(v, 64)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

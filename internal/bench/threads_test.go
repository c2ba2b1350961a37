package bench

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
)

const (
	manyThreads = 10_000
	coldStarts  = 4
	warmTimes   = 100
)

// visitor is a user of a filled store and how long it waited: for the first page of threads and for an empty resume,
// each the first time after a start of the server, and later.
type visitor struct {
	token                                    string
	newest                                   switchboard.Cursor
	listCold, listWarm, resumeCold, resumeIn samples
}

// BenchmarkManyThreads measures the first page of list_threads and an empty resume of a user with ten thousand threads,
// against a user with one. Cold is the first request after a start of the server in a process that ran before: the files
// may be in the system's cache. The very first request of all, when no list has been stored yet, is a row of its own.
func BenchmarkManyThreads(b *testing.B) {
	f := fill(b, has{manyThreads, 1}, has{1, 1})
	many, one := &visitor{token: f.tokens[0]}, &visitor{token: f.tokens[1]}
	var never, neverOne samples
	s := serve(b, f.dir, instant)
	never.add(many.list(b, s))
	neverOne.add(one.list(b, s))
	s.stop()
	record(b, "list-never", row{
		mechanism: fmt.Sprintf("list_threads, the first time of all: user with %d threads / with 1", manyThreads), unit: "s",
		figure: never.at(1), baseline: neverOne.at(1),
	})
	for b.Loop() {
		for i := range coldStarts {
			both := []*visitor{many, one}
			if i%2 == 1 {
				both = []*visitor{one, many}
			}
			s := serve(b, f.dir, instant)
			for _, v := range both {
				v.listCold.add(v.list(b, s))
			}
			for range warmTimes {
				many.listWarm.add(many.list(b, s))
				one.listWarm.add(one.list(b, s))
			}
			for _, v := range both {
				v.resume(b, s) // finds the newest cursor
			}
			s.stop()
			s = serve(b, f.dir, instant)
			for _, v := range both {
				v.resumeCold.add(v.resume(b, s))
			}
			for range warmTimes {
				many.resumeIn.add(many.resume(b, s))
				one.resumeIn.add(one.resume(b, s))
			}
			s.stop()
		}
	}
	const goal = 20e-3
	for _, r := range []struct {
		metric, what  string
		s, s1         samples
		quantile      float64
		quantileNamed string
	}{
		{"list-cold", "list_threads, first page, cold", many.listCold, one.listCold, 0.99, "worst of 4"},
		{"list-warm", "list_threads, first page, warm", many.listWarm, one.listWarm, 0.99, "p99"},
		{"resume-cold", "empty resume, cold", many.resumeCold, one.resumeCold, 0.99, "worst of 4"},
		{"resume-warm", "empty resume, warm", many.resumeIn, one.resumeIn, 0.99, "p99"},
	} {
		record(b, r.metric, row{
			mechanism: fmt.Sprintf("%s: user with %d threads / with 1, %s", r.what, manyThreads, r.quantileNamed), unit: "s",
			figure: r.s.at(r.quantile), baseline: r.s1.at(r.quantile), goal: goal,
		})
	}
}

// list asks for the first page of threads as a program does, without a device.
func (v *visitor) list(b *testing.B, s *server) time.Duration {
	b.Helper()
	q, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://"+s.addr+"/api/v1/threads", nil)
	if err != nil {
		b.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+v.token)
	start := time.Now()
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("%s %s %v", resp.Status, body, err)
	}
	return time.Since(start)
}

// resume connects a device with the newest cursor and waits for caught_up.
func (v *visitor) resume(b *testing.B, s *server) time.Duration {
	b.Helper()
	start := time.Now()
	dev, err := dial(s.addr, v.token, v.newest)
	if err != nil {
		b.Fatal(err)
	}
	defer dev.conn.Close()
	frame, err := dev.readTo(switchboard.TypeCaughtUp)
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(start)
	v.newest = switchboard.Cursor(member(frame, "cursor"))
	return took
}

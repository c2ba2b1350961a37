package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/node"
)

// The environment of a child: what it is, and what it is told.
const (
	childMode     = "SWITCHBOARD_BENCH_CHILD"
	childSettings = "SWITCHBOARD_BENCH_SETTINGS"

	modeServe = "serve" // the server, as `switchboard serve` runs it
	modeBare  = "bare"  // an HTTP server whose WebSockets do nothing, with the same admin listener
	modeNone  = "none"  // ends at once
)

// runChild is the child's main function.
func runChild(mode string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var s node.Settings
	if err := json.Unmarshal([]byte(os.Getenv(childSettings)), &s); err != nil {
		return err
	}
	switch mode {
	case modeServe:
		return node.Serve(ctx, s, os.Stdout, os.Stderr)
	case modeBare:
		return serveBare(ctx, s)
	}
	return nil
}

// serveBare serves WebSockets that read and nothing else: the floor of the library and the HTTP server.
func serveBare(ctx context.Context, s node.Settings) error {
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return err
	}
	http.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{switchboard.Protocol}, CompressionMode: websocket.CompressionDisabled})
		if err != nil {
			return
		}
		if c.Write(ctx, websocket.MessageText, switchboard.EncodeNotice(switchboard.TypeCaughtUp, switchboard.CaughtUp{})) == nil {
			c.Read(context.Background())
		}
		c.CloseNow()
	})
	admin, err := net.Listen("tcp", s.AdminListen)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	go http.Serve(admin, mux)
	fmt.Printf("bare\n  page    http://%s\n", l.Addr())
	go http.Serve(l, nil)
	<-ctx.Done()
	return nil
}

// child is a running child process.
type child struct {
	cmd     *exec.Cmd
	addr    string        // of its page
	admin   string        // of /metrics and pprof
	printed time.Duration // from its start to the block that names the page
	ready   time.Duration // from its start to 200 at /readyz
	ended   chan error
}

// spawn starts this program as a child, and waits until it has said where its page is.
func spawn(b testing.TB, mode string, s node.Settings) *child {
	b.Helper()
	s.Listen, s.Model, s.LogLevel = "127.0.0.1:0", "demo", "warn"
	settings, err := json.Marshal(s)
	if err != nil {
		b.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	c := &child{cmd: exec.Command(exe), admin: s.AdminListen, ended: make(chan error, 1)}
	c.cmd.Env = append(os.Environ(), childMode+"="+mode, childSettings+"="+string(settings))
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if err := c.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.kill)
	lines := bufio.NewScanner(out)
	for c.addr == "" && lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "page    http://"); ok {
			c.addr, c.printed = url, time.Since(start)
		}
	}
	if mode == modeServe {
		get(b, "http://"+c.addr+"/readyz")
		c.ready = time.Since(start)
	}
	go func() {
		io.Copy(io.Discard, out)
		c.ended <- c.cmd.Wait()
		close(c.ended)
	}()
	return c
}

// stop ends the child as an operator would.
func (c *child) stop(b testing.TB) {
	b.Helper()
	c.cmd.Process.Signal(syscall.SIGTERM)
	if err := <-c.ended; err != nil {
		b.Error(err)
	}
}

// kill ends the child with no chance to tidy up.
func (c *child) kill() {
	c.cmd.Process.Kill()
	<-c.ended
}

// get reads a URL that must answer 200.
func get(b testing.TB, url string) []byte {
	b.Helper()
	resp, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s %s %v", url, resp.Status, body, err)
	}
	return body
}

// memory is what a child has taken, in bytes, and its goroutines.
type memory struct{ rss, heap, stack, goroutines float64 }

// memory reads it after a collection.
func (c *child) memory(b testing.TB) memory {
	b.Helper()
	for range 2 {
		get(b, "http://"+c.admin+"/debug/pprof/heap?gc=1")
	}
	m := c.metrics(b)
	return memory{m["process_resident_memory_bytes"], m["go_memstats_heap_inuse_bytes"], m["go_memstats_stack_inuse_bytes"], m["go_goroutines"]}
}

// metrics reads the child's metrics by name and labels.
func (c *child) metrics(b testing.TB) map[string]float64 {
	b.Helper()
	out := map[string]float64{}
	for line := range strings.Lines(string(get(b, "http://"+c.admin+"/metrics"))) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = v
		}
	}
	return out
}

// freeAddress returns an address of this machine that was free a moment ago.
func freeAddress(b testing.TB) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

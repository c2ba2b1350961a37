package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/auth/control"
	"github.com/netra-systems/switchboard/internal/fakemodel"
)

// host is what devices call the fleet, whichever node answers.
const host = "switchboard.test"

// fleet is what is hurt: one node on its own folder, or several nodes on one external engine.
type fleet struct {
	dir    string
	model  *fakemodel.Server
	engine *process // nil with one node
	url    string   // of the engine
	nodes  []*node
	args   []string // more of them, for every node
}

// node is a `switchboard serve`.
type node struct {
	process
	data, addr string
	link       *link  // to the external engine
	admin      string // address for operators
	lives      int
	worker     string // the name of this life, in the log

	mu   sync.Mutex // guards down
	down bool       // no device should try it
}

// newFleet starts a fleet on a folder; everything ends with the test. Nodes 0 means one without an external engine.
func newFleet(t testing.TB, dir string, nodes int, args ...string) *fleet {
	t.Helper()
	f := &fleet{dir: dir, args: args}
	var err error
	if f.model, err = fakemodel.Start(fakemodel.Config{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.model.Close() })
	if nodes > 0 {
		if err := f.startEngine(t); err != nil {
			t.Fatal(err)
		}
	}
	for i := range max(1, nodes) {
		n := newNode(t, filepath.Join(dir, fmt.Sprintf("n%d", i+1)))
		if f.engine != nil {
			n.link = newLink(t, f.engineURL)
		}
		f.nodes = append(f.nodes, n)
		if err := f.start(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// newNode returns a node that has not started; what it then says is searched for trouble when the test has ended.
func newNode(t testing.TB, data string) *node {
	t.Helper()
	n := &node{data: data, addr: "127.0.0.1:0", admin: freeAddr(t)}
	n.name, n.log = filepath.Base(data), filepath.Join(t.TempDir(), filepath.Base(data)+".log")
	n.until = func(line string) bool {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "page "); ok && n.lives == 1 {
			n.addr = strings.TrimPrefix(strings.TrimSpace(rest), "http://")
		}
		return strings.HasPrefix(line, "  log in")
	}
	t.Cleanup(func() {
		n.kill()
		if err := trouble(n.log); err != nil {
			t.Error(err)
		}
	})
	return n
}

// freeAddr returns an address that nothing listens on.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startEngine starts the external engine, as another process of this program.
func (f *fleet) startEngine(t testing.TB) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	f.engine = &process{name: "engine", args: []string{exe}, log: filepath.Join(t.TempDir(), "engine.log")}
	first := true
	f.engine.until = func(line string) bool {
		if first { // it comes back at the same place
			f.url, first = line, false
		}
		return strings.HasPrefix(line, "nats://")
	}
	f.url = "0"
	t.Cleanup(f.engine.kill)
	return f.restartEngine(t.Context())
}

// engineURL is fixed once the engine has started.
func (f *fleet) engineURL() string { return f.url }

func (f *fleet) restartEngine(ctx context.Context) error {
	f.engine.env = []string{engineMode + "=" + f.url, engineDir + "=" + filepath.Join(f.dir, "engine")}
	return f.engine.start(ctx)
}

// start starts a node: where it was, under the name of a new life. Its old port may be held for a moment.
func (f *fleet) start(ctx context.Context, n *node) error {
	n.lives++
	n.worker = fmt.Sprintf("%s.%d", n.name, n.lives)
	n.args = []string{flags.binary, "serve", "--listen", n.addr, "--data", n.data, "--name", n.worker, "--allow-host", host,
		"--admin-listen", n.admin, "--log-level", "warn", "--model", "fake", "--openai-base-url", f.model.URL()}
	if f.engine != nil {
		n.args = append(n.args, "--journal-url", n.link.url())
	}
	n.args = append(n.args, f.args...)
	n.env = []string{"SWITCHBOARD_ADMIN_PASSWORD=the-admin's-own-password", "GORACE=atexit_sleep_ms=10"}
	var err error
	for range 20 {
		if err = n.process.start(ctx); err == nil {
			n.setDown(false)
			return nil
		}
		if f.engine == nil {
			return err
		}
		select { // the engine may be away, too
		case <-time.After(time.Second):
		case <-ctx.Done():
			return err
		}
	}
	return err
}

func (n *node) setDown(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
}

func (n *node) isDown() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.down
}

// dial connects to some node that should answer, as a load balancer does.
func (f *fleet) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	first := rand.IntN(len(f.nodes))
	for i := range f.nodes {
		n := f.nodes[(first+i)%len(f.nodes)]
		if n.isDown() && i < len(f.nodes)-1 {
			continue
		}
		conn, err := d.DialContext(ctx, "tcp", n.addr)
		if err == nil || i == len(f.nodes)-1 {
			return conn, err
		}
	}
	return nil, net.ErrClosed
}

// account is who can log in.
type account struct{ name, password, token string }

// accounts makes users; token says whether they need one.
func (f *fleet) accounts(ctx context.Context, stem string, n int) ([]account, error) {
	c, err := control.Dial(f.nodes[0].data)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	out := make([]account, n)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i := range out {
		g.Go(func() error {
			a := account{name: fmt.Sprintf("%s-%d", stem, i+1), password: fmt.Sprintf("the-password-of-%s-%d", stem, i+1)}
			if _, err := c.AddAccount(ctx, a.name, auth.Member, a.password); err != nil {
				return err
			}
			token, err := c.CreateToken(ctx, a.name, 24*time.Hour)
			a.token = token
			out[i] = a
			return err
		})
	}
	return out, g.Wait()
}

package journaltest

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// External is an engine outside of the nodes, behind a TCP port, as they are deployed with a cluster.
type External struct{ s *server.Server }

// StartExternal starts one on the loopback interface, port 0 picks a free one. It syncs before every ack.
func StartExternal(dir string, port int) (*External, error) {
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "external", Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, SyncAlways: true, NoSigs: true, NoLog: true,
	})
	if err != nil {
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		s.Shutdown()
		return nil, errors.New("the engine did not start")
	}
	return &External{s}, nil
}

// URL is where nodes connect.
func (x *External) URL() string { return x.s.ClientURL() }

// Close stops it and returns when it has stopped.
func (x *External) Close() {
	x.s.Shutdown()
	x.s.WaitForShutdown()
}

// ServeExternal is the whole of a process that is an external engine: it prints its URL and ends with SIGTERM. A test
// that kills engines runs itself as such a process; at is a port ("0": any) or the URL of the life before.
func ServeExternal(dir, at string) error {
	if u, err := url.Parse(at); err == nil && u.Port() != "" {
		at = u.Port()
	}
	port, err := strconv.Atoi(at)
	if err != nil {
		return fmt.Errorf("port %q", at)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	x, err := StartExternal(dir, port)
	if err != nil {
		return err
	}
	fmt.Println(x.URL())
	<-end
	x.Close()
	return nil
}

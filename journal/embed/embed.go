// Package embed runs the engine inside this process: no port is opened, one data folder is used, and a lock guards it.
package embed

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Config says where the data lies and when it is synced.
type Config struct {
	Dir  string        // data folder, made if missing
	Sync time.Duration // 0: an event is on disk before it is acknowledged; else a power cut may lose the last interval
}

// ErrInUse says that another process has the data folder open.
var ErrInUse = errors.New("the data folder is in use by another process")

// Server is the running engine.
type Server struct {
	cfg  Config
	lock *os.File

	engine sync.RWMutex // guards s
	s      *server.Server

	mu         sync.Mutex // guards what follows
	looked     time.Time  // at the disk
	free, keep int64      // bytes, then
}

// Start starts the engine. Stop it with Close. Errors: ErrInUse, what the file system says.
func Start(cfg Config) (*Server, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s, err := start(cfg)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &Server{cfg: cfg, s: s, lock: lock}, nil
}

func start(cfg Config) (*server.Server, error) {
	most, err := limit(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "switchboard", DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: filepath.Join(cfg.Dir, "journal"), JetStreamMaxStore: most,
		SyncAlways: cfg.Sync == 0, SyncInterval: cfg.Sync,
	})
	if err != nil {
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		s.Shutdown()
		return nil, errors.New("the engine did not start")
	}
	return s, nil
}

// lockDir takes the folder's lock, which the kernel gives back when the process ends (flock(2)).
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s", ErrInUse, dir)
		}
		return nil, err
	}
	return f, nil
}

// Connect makes an in-process connection, which survives a Restart.
func (s *Server) Connect() (*nats.Conn, error) {
	return nats.Connect("", nats.InProcessServer(s), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.SyncQueueLen(syncQueue))
}

// InProcessConn implements nats.InProcessConnProvider.
func (s *Server) InProcessConn() (net.Conn, error) {
	s.engine.RLock()
	defer s.engine.RUnlock()
	return s.s.InProcessConn()
}

// Restart starts the engine anew, whose writes stay dead after the disk was full, once the disk takes writes again.
// Connections reconnect. Errors: ErrFull, what the file system says: then nothing was done.
func (s *Server) Restart() error {
	if err := s.Room(true); err != nil {
		return err
	}
	if err := writable(s.cfg.Dir); err != nil {
		return err
	}
	s.engine.Lock()
	defer s.engine.Unlock()
	s.s.Shutdown()
	s.s.WaitForShutdown()
	engine, err := start(s.cfg)
	if err == nil {
		s.s = engine
	}
	return err
}

// syncQueue bounds the answers that wait for a reader, above the 1,024 that the engine gives at once; the client's
// default of 65,536 costs 512 KiB a read.
const syncQueue = 2048

// Close stops the engine and gives the folder free.
func (s *Server) Close() {
	s.engine.Lock()
	defer s.engine.Unlock()
	s.s.Shutdown()
	s.s.WaitForShutdown()
	s.lock.Close()
}

// Package embed runs the engine inside this process: no port is opened, one data folder is used, and a lock guards it.
package embed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Config says where the data lies and when it is synced.
type Config struct {
	Dir  string        // data folder, made if missing
	Sync time.Duration // 0: an event is on disk before it is acknowledged; else a power cut may lose the last interval
	Max  int64         // bytes the store may use; 0: 90 % of what the disk has free, and what it uses already
}

// ErrInUse says that another process has the data folder open.
var ErrInUse = errors.New("the data folder is in use by another process")

// Server is the running engine.
type Server struct {
	s    *server.Server
	lock *os.File
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
	return &Server{s, lock}, nil
}

func start(cfg Config) (*server.Server, error) {
	if cfg.Max == 0 {
		max, err := room(cfg.Dir)
		if err != nil {
			return nil, err
		}
		cfg.Max = max
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "switchboard", DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: filepath.Join(cfg.Dir, "journal"), JetStreamMaxStore: cfg.Max,
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

// room returns how many bytes the store may use, so that the engine refuses before the disk is full: at a full disk
// its writes hang until a restart.
func room(dir string) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	var used int64
	err := filepath.WalkDir(filepath.Join(dir, "journal"), func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			used += info.Size()
		}
		return nil
	})
	return used + int64(fs.Bavail)*fs.Bsize/10*9, err
}

// Connect makes an in-process connection.
func (s *Server) Connect() (*nats.Conn, error) {
	return nats.Connect("", nats.InProcessServer(s.s), nats.MaxReconnects(-1), nats.SyncQueueLen(syncQueue))
}

// syncQueue bounds the answers that wait for a reader, above the 1,024 that the engine gives at once; the client's
// default of 65,536 costs 512 KiB a read.
const syncQueue = 2048

// Close stops the engine and gives the folder free.
func (s *Server) Close() {
	s.s.Shutdown()
	s.s.WaitForShutdown()
	s.lock.Close()
}

package embed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// What is kept free of the disk: a tenth of it, but no more than a GiB. New messages stop there; the other half of that is
// for what lets runs end and people delete. At a really full disk the engine's writes hang.
const (
	keepShare = 10
	keepMost  = 1 << 30
)

// roomEvery is how old what is known of the disk may be.
const roomEvery = 200 * time.Millisecond

// ErrFull says that the disk has no room.
var ErrFull = errors.New("the disk is full")

// Room returns ErrFull if the disk has no room for new messages or, with reserve, for what ends runs and deletes.
func (s *Server) Room(reserve bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.looked) > roomEvery {
		s.looked = now
		var fs syscall.Statfs_t
		if err := syscall.Statfs(s.cfg.Dir, &fs); err != nil {
			return err
		}
		s.free, s.keep = int64(fs.Bavail)*fs.Bsize, min(int64(fs.Blocks)*fs.Bsize/keepShare, keepMost)
	}
	keep := s.keep
	if reserve {
		keep /= 2
	}
	if s.free < keep {
		return fmt.Errorf("%w: %d MB are free, of which %d are kept", ErrFull, s.free>>20, keep>>20)
	}
	return nil
}

// probeBytes is what is written to see whether the disk takes writes.
const probeBytes = 64 << 10

// writable reports whether the disk takes writes.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, probeBytes))
	return errors.Join(err, f.Sync(), f.Close())
}

// limit is what the engine may use: all there is. It refuses then, where it would hang; Room refuses long before.
func limit(dir string) (int64, error) {
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
	return used + int64(fs.Bavail)*fs.Bsize, err
}

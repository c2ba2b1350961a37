// Package control is the local administration of a running server: HTTP over a unix socket in the data folder.
//
// Who may write the data folder may administer: the socket has mode 0600, and on Linux the kernel vouches for the user
// id of both ends (unix(7), SO_PEERCRED), which must be the server's own or root's. The socket is no part of the public
// API. A Server's and a Client's methods may be called concurrently.
package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/netra-systems/switchboard/auth"
)

// Admin is what can be administered: by an Authority on an open store, or by a Client of the server that has it open.
type Admin interface {
	AddAccount(ctx context.Context, name string, role auth.Role, password string) (auth.Account, error)
	Accounts(ctx context.Context) ([]auth.Account, error)
	SetPassword(ctx context.Context, name, password string) error
	RemoveAccount(ctx context.Context, name string) error
	CreateToken(ctx context.Context, name string, ttl time.Duration) (token string, err error)
}

// Store is what can be done with the store, running or not.
type Store interface {
	// CheckStore reads everything that is stored and tells what is damaged.
	CheckStore(ctx context.Context) (StoreReport, error)
	// AcceptLoss lets the server be ready again without what is lost, and without what a check has found.
	AcceptLoss(ctx context.Context, findings []string) error
	// BackUp writes a backup into a folder of the server's machine, which must be empty or missing.
	BackUp(ctx context.Context, dir string) (StoreReport, error)
}

// PinnedTool is a tool of an MCP server, as it was when it was first seen or last allowed.
type PinnedTool struct {
	Server  string `json:"server"`
	Tool    string `json:"tool"`    // as agents and policies call it
	Changed bool   `json:"changed"` // it is offered with another definition, and withdrawn until that is allowed
	Hash    string `json:"hash"`    // of the definition that is offered now
	Known   string `json:"known"`   // the definition that may be used: JSON; empty if it is very long
	Offered string `json:"offered"` // the other one
}

// Pins is what can be done with the tools that MCP servers have offered.
type Pins interface {
	// PinnedTools returns them, in no order.
	PinnedTools(ctx context.Context) ([]PinnedTool, error)
	// AllowTool lets one be used as its server offers it, with a definition whose hash begins so. Errors: Invalid, NotFound,
	// Conflict if nothing has changed, or again.
	AllowTool(ctx context.Context, server, tool, hash string) error
}

// Local is all that can be done from the machine itself.
type Local interface {
	Admin
	Store
	Pins
}

// StoreReport is what the store, or a backup of it, holds.
type StoreReport struct {
	Entries  uint64   `json:"entries"`           // of all threads
	Threads  int      `json:"threads,omitzero"`  // not known of a backup
	Erased   uint64   `json:"erased,omitzero"`   // entries that went with their threads
	Records  uint64   `json:"records"`           // accounts, keys and the like
	Bytes    int64    `json:"bytes,omitzero"`    // of a backup
	Findings []string `json:"findings,omitzero"` // what is damaged
	Lost     []string `json:"lost,omitzero"`     // what was found when the store was opened and has not been accepted
}

// ErrNotServing says that no server runs on the data folder.
var ErrNotServing = errors.New("no server runs on this data folder")

// ErrServing says that another server runs on the data folder.
var ErrServing = errors.New("another server runs on this data folder")

const (
	socketName = "control.sock"
	maxPath    = 100 // bytes of a socket's path: sun_path has 104 to 108, with the final NUL
	dialWait   = 2 * time.Second
)

// listen makes the socket. It is made in a folder that nobody else can enter and moved into its place when its mode is
// set: it is never open to others, and a dead server's socket is replaced.
func listen(dataDir string) (net.Listener, error) {
	path := filepath.Join(dataDir, socketName)
	switch conn, err := dial(context.Background(), dataDir); {
	case err == nil:
		conn.Close()
		return nil, fmt.Errorf("%w: %s", ErrServing, dataDir)
	case !errors.Is(err, ErrNotServing):
		return nil, err
	}
	closed, err := os.MkdirTemp(dataDir, ".control-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(closed)
	var l *net.UnixListener
	made := filepath.Join(closed, socketName)
	err = withShortPath(made, func(short string) (err error) {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it would go by the path before the move
	if err = os.Chmod(made, 0o600); err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return peerListener{l, mayAdminister}, nil
}

// dial connects to the server of a data folder. Errors: ErrNotServing.
func dial(ctx context.Context, dataDir string) (net.Conn, error) {
	path := filepath.Join(dataDir, socketName)
	var conn net.Conn
	err := withShortPath(path, func(short string) (err error) {
		d := net.Dialer{Timeout: dialWait}
		conn, err = d.DialContext(ctx, "unix", short)
		return err
	})
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, errRefused) {
		return nil, fmt.Errorf("%w: %s", ErrNotServing, dataDir)
	}
	if err != nil {
		return nil, err
	}
	// The socket will be told passwords: it must be the folder's owner's, not a stranger's who could write there.
	if err := checkPeer(conn, mayServe); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// withShortPath calls fn with a path of the file that fits into a socket address: its own, or one by a link to its
// folder from a private temporary folder.
func withShortPath(path string, fn func(short string) error) error {
	if len(path) <= maxPath {
		return fn(path)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return err
	}
	base := os.TempDir()
	if len(base) > maxPath/2 {
		base = "/tmp"
	}
	tmp, err := os.MkdirTemp(base, "sb")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // the link, not what it points to
	link := filepath.Join(tmp, "d")
	if err := os.Symlink(dir, link); err != nil {
		return err
	}
	return fn(filepath.Join(link, filepath.Base(path)))
}

// mayAdminister reports whether a process of this user may give orders.
func mayAdminister(peer int) bool { return peer == 0 || peer == os.Geteuid() }

// mayServe reports whether a process of this user may be told passwords.
func mayServe(peer int) bool { return mayAdminister(peer) || os.Geteuid() == 0 }

// errStranger says that the other end belongs to another user.
var errStranger = errors.New("the other end of the socket belongs to another user")

// peerListener accepts connections of those who may administer.
type peerListener struct {
	net.Listener
	may func(uid int) bool
}

// Accept returns the next connection of somebody who may.
func (l peerListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if checkPeer(conn, l.may) == nil {
			return conn, nil
		}
		conn.Close()
	}
}

package control

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
)

const (
	maxBody = 64 << 10  // bytes of a request
	longest = time.Hour // a request may take: the store is read whole
)

// The requests; an answer is the result as JSON, or a switchboard.Problem with its status.
type (
	addAccount struct {
		Name     string    `json:"name"`
		Role     auth.Role `json:"role"`
		Password string    `json:"password"`
	}
	accounts    struct{}
	setPassword struct {
		Name     string `json:"name"`
		Password string `json:"password"`
	}
	removeAccount struct {
		Name string `json:"name"`
	}
	createToken struct {
		Name string `json:"name"`
		TTL  int64  `json:"ttl_ns,omitzero"`
	}
	tokenCreated struct {
		Token string `json:"token"`
	}
	checkStore struct{}
	acceptLoss struct {
		Findings []string `json:"findings"`
	}
	backUp struct {
		Dir string `json:"dir"`
	}
	pinnedTools struct{}
	allowTool   struct {
		Server string `json:"server"`
		Tool   string `json:"tool"`
		Hash   string `json:"hash"`
	}
	whereServed struct{}
	served      struct {
		URL string `json:"url"`
	}
)

// The paths of the requests.
const (
	addAccountPath    = "/add_account"
	accountsPath      = "/accounts"
	setPasswordPath   = "/set_password"
	removeAccountPath = "/remove_account"
	createTokenPath   = "/create_token"
	checkStorePath    = "/check_store"
	acceptLossPath    = "/accept_loss"
	backUpPath        = "/back_up"
	pinnedToolsPath   = "/pinned_tools"
	allowToolPath     = "/allow_tool"
	whereServedPath   = "/where_served"
)

// Server serves the socket of a data folder.
type Server struct {
	listener net.Listener
	path     string
	http     http.Server
}

// Listen opens the socket of a data folder for the server that devices reach at url, "" if they cannot; Run serves it and
// closes it. Errors: ErrServing, what the file system says.
func Listen(dataDir, url string, a Local) (*Server, error) {
	l, err := listen(dataDir)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	handle(mux, addAccountPath, func(ctx context.Context, r addAccount) (auth.Account, error) {
		return a.AddAccount(ctx, r.Name, r.Role, r.Password)
	})
	handle(mux, accountsPath, func(ctx context.Context, _ accounts) ([]auth.Account, error) {
		return a.Accounts(ctx)
	})
	handle(mux, setPasswordPath, func(ctx context.Context, r setPassword) (switchboard.Empty, error) {
		return switchboard.Empty{}, a.SetPassword(ctx, r.Name, r.Password)
	})
	handle(mux, removeAccountPath, func(ctx context.Context, r removeAccount) (switchboard.Empty, error) {
		return switchboard.Empty{}, a.RemoveAccount(ctx, r.Name)
	})
	handle(mux, createTokenPath, func(ctx context.Context, r createToken) (tokenCreated, error) {
		t, err := a.CreateToken(ctx, r.Name, time.Duration(r.TTL))
		return tokenCreated{t}, err
	})
	handle(mux, checkStorePath, func(ctx context.Context, _ checkStore) (StoreReport, error) { return a.CheckStore(ctx) })
	handle(mux, acceptLossPath, func(ctx context.Context, r acceptLoss) (switchboard.Empty, error) {
		return switchboard.Empty{}, a.AcceptLoss(ctx, r.Findings)
	})
	handle(mux, backUpPath, func(ctx context.Context, r backUp) (StoreReport, error) { return a.BackUp(ctx, r.Dir) })
	handle(mux, pinnedToolsPath, func(ctx context.Context, _ pinnedTools) ([]PinnedTool, error) { return a.PinnedTools(ctx) })
	handle(mux, allowToolPath, func(ctx context.Context, r allowTool) (switchboard.Empty, error) {
		return switchboard.Empty{}, a.AllowTool(ctx, r.Server, r.Tool, r.Hash)
	})
	handle(mux, whereServedPath, func(context.Context, whereServed) (served, error) { return served{url}, nil })
	return &Server{listener: l, path: filepath.Join(dataDir, socketName), http: http.Server{
		Handler: mux, ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn), ReadTimeout: 10 * time.Second, WriteTimeout: longest, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
	}}, nil
}

// Run serves until ctx ends, finishes what is being done, for at most five seconds, and removes the socket.
func (s *Server) Run(ctx context.Context) error {
	stopped := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		<-ctx.Done()
		os.Remove(s.path)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err := s.http.Shutdown(ctx)
		if err != nil {
			s.http.Close()
		}
		stopped <- err
	}()
	err := s.http.Serve(s.listener)
	cancel()
	if stop := <-stopped; errors.Is(err, http.ErrServerClosed) {
		err = stop
	}
	return err
}

// handle answers POSTs of one strict JSON object.
func handle[Request, Answer any](mux *http.ServeMux, path string, do func(context.Context, Request) (Answer, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var q Request
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if large := new(http.MaxBytesError); errors.As(err, &large) {
			answer(w, nil, switchboard.Errorf(switchboard.TooLarge, "a request may have %d bytes", maxBody))
			return
		} else if err != nil {
			answer(w, nil, switchboard.Errorf(switchboard.Invalid, "the request was cut off"))
			return
		}
		if err := json.Unmarshal(b, &q, json.RejectUnknownMembers(true)); err != nil {
			answer(w, nil, switchboard.Errorf(switchboard.Invalid, "not the JSON of this request"))
			return
		}
		v, err := do(r.Context(), q)
		answer(w, v, err)
	})
}

func answer(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	if err != nil {
		e := switchboard.AsError(err)
		v, status = e.Problem(), switchboard.Codes[e.Code].HTTP
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.MarshalWrite(w, v) // the other end may have gone
}

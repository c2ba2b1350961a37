package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/netra-systems/switchboard/tool"
)

const maxToolName = 64

// cleanName returns a name with an underscore for everything that names of tools cannot hold.
func cleanName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, s)
}

// toolName returns what a server's tool is called here.
func toolName(server, name string) string {
	name = server + "_" + cleanName(name)
	return name[:min(len(name), maxToolName)]
}

// remote is a tool of a server, with a definition that has been believed.
type remote struct {
	server     *server
	name       string // as the server calls it
	hash       string
	definition tool.Definition
}

// newRemote makes a tool of what a server tells.
func newRemote(s *server, t *sdk.Tool, hash string) (*remote, error) {
	schema, err := json.Marshal(t.InputSchema)
	if err != nil {
		return nil, err
	}
	d := tool.Definition{
		Name: toolName(s.cfg.Name, t.Name), Title: t.Title, Description: t.Description, Schema: schema,
		Destructive: true, Timeout: s.cfg.Timeout,
	}
	if a := t.Annotations; a != nil && !s.cfg.IgnoreHints {
		d.ReadOnly = a.ReadOnlyHint
		d.Destructive = !a.ReadOnlyHint && (a.DestructiveHint == nil || *a.DestructiveHint)
		d.Idempotent = a.IdempotentHint || a.ReadOnlyHint
	}
	if a := t.Annotations; a != nil && d.Title == "" {
		d.Title = a.Title
	}
	if d.Title == "" {
		d.Title = t.Name
	}
	return &remote{server: s, name: t.Name, hash: hash, definition: d}, nil
}

// Definition implements tool.Tool.
func (r *remote) Definition() tool.Definition { return r.definition }

// errWithdrawn says that a tool was withdrawn, or changed, after the call was begun.
var errWithdrawn = errors.New("the tool has been withdrawn")

// Call implements tool.Tool. It is sent at most once to a server that has taken it: if the answer is lost, the call ends
// as unknown, unless the tool only reads.
func (r *remote) Call(ctx context.Context, in tool.Invocation) (json.RawMessage, error) {
	var err error
	for range 2 {
		var again bool
		var out json.RawMessage
		out, again, err = r.call(ctx, in)
		if !again {
			return out, err
		}
	}
	return nil, err
}

// call tries once; again says that the server has not taken the call: it knows nothing of the session, or was not
// sent the call at all.
func (r *remote) call(ctx context.Context, in tool.Invocation) (out json.RawMessage, again bool, err error) {
	x, release, err := r.server.session(ctx, in.User)
	if err != nil {
		return nil, false, err
	}
	defer release()
	if !r.server.believes(r) { // the session may be newer than the tool
		return nil, false, errWithdrawn
	}
	token, done := x.expect(in.Progress)
	defer done()
	params := &sdk.CallToolParams{Name: r.name, Arguments: in.Arguments}
	params.SetProgressToken(token)
	taken := new(atomic.Bool)
	result, err := x.sdk.CallTool(context.WithValue(ctx, takenKey{}, taken), params)
	if err == nil {
		if out, err = resultOf(result); err != nil {
			err = errors.New(r.server.redactor(in.User)(err.Error()))
		}
		return out, false, err
	}
	cause, answered := answer(err)
	switch {
	case ctx.Err() != nil:
		// Nobody waits for this call any more. Was it the call that hung, or the server?
		if errors.Is(ctx.Err(), context.DeadlineExceeded) && !x.answers(ctx) {
			r.server.lost(in.User, x)
		}
		return nil, false, context.Cause(ctx)
	case notSent(err):
		return nil, false, errAway
	case x.process == nil && !taken.Load():
		r.server.lost(in.User, x)
		return nil, true, errors.New("the tool's server has been restarted: try again")
	case answered:
		return nil, false, fmt.Errorf("the tool's server refused the call: %s", r.server.redactor(in.User)(cause.Message))
	}
	if x.process != nil || !x.answers(ctx) {
		r.server.lost(in.User, x)
	}
	if r.definition.ReadOnly {
		return nil, false, errors.New("the connection to the tool's server was lost")
	}
	return nil, false, fmt.Errorf("the connection to the tool's server was lost: %w", tool.ErrUnknown)
}

// rejected is the code of the library's own error for a request that failed on its way, here or there.
const rejected = -32005

// answer returns the error that a server answered with, if it did.
func answer(err error) (*jsonrpc.Error, bool) {
	var e *jsonrpc.Error
	ok := errors.As(err, &e) && e.Code != rejected
	return e, ok
}

// notSent reports whether an error says that nothing has reached the server.
func notSent(err error) bool {
	var dialled *net.OpError
	return errors.Is(err, errValue) || errors.As(err, &dialled) && dialled.Op == "dial"
}

package mcp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/netra-systems/switchboard"
)

// Pins keeps what is known of tools' definitions, in the manner of journal.Records: values by dotted keys, with
// compare-and-set. Errors: NotFound, Conflict, Unavailable.
type Pins interface {
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	Create(ctx context.Context, key string, value []byte) (revision uint64, err error)
	Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	List(ctx context.Context, prefix string, fn func(key string, value []byte, revision uint64) error) error
}

// Pin is a tool as it was when it was first seen, or last allowed.
type Pin struct {
	Server  string
	Tool    string // as agents and policies call it
	Changed bool   // the server offers it with another definition: it is withdrawn until that is allowed
}

// pinned is a Pin as it is stored.
type pinned struct {
	Hash    string `json:"hash"`              // of the definition that may be used
	Offered string `json:"offered,omitempty"` // of another one, which the server offered last
}

func pinKey(server, tool string) string { return server + "." + tool }

const maxTries = 10 // of a compare-and-set

// changePin changes the pin of a tool by compare-and-set. fn gets the zero value if there is none, and returns false to
// leave it as it is.
func changePin(ctx context.Context, pins Pins, key string, fn func(*pinned) bool) (p pinned, err error) {
	for range maxTries {
		p = pinned{}
		v, revision, err := pins.Get(ctx, key)
		missing := switchboard.CodeOf(err) == switchboard.NotFound
		if err != nil && !missing {
			return p, err
		}
		if !missing {
			if err := json.Unmarshal(v, &p); err != nil {
				return p, switchboard.Wrap(switchboard.Internal, "a pin cannot be read", err)
			}
		}
		if !fn(&p) {
			return p, nil
		}
		if v, err = json.Marshal(p); err != nil {
			return p, err
		}
		if missing {
			_, err = pins.Create(ctx, key, v)
		} else {
			_, err = pins.Update(ctx, key, v, revision)
		}
		if switchboard.CodeOf(err) != switchboard.Conflict {
			return p, err
		}
	}
	return p, switchboard.Errorf(switchboard.Unavailable, "the pin is being changed by others")
}

// pin holds a definition against what is known of the tool: one that is seen for the first time is believed, if there is
// room for more, another one than that is not, until it is allowed.
func pin(ctx context.Context, pins Pins, key, hash string, room bool) (believed, first bool, err error) {
	p, err := changePin(ctx, pins, key, func(p *pinned) bool {
		first = false
		switch {
		case p.Hash == "" && !room:
			return false
		case p.Hash == "":
			p.Hash, first = hash, true
		case p.Hash == hash && p.Offered != "": // it went back
			p.Offered = ""
		case p.Hash != hash && p.Offered != hash:
			p.Offered = hash
		default:
			return false
		}
		return true
	})
	return err == nil && p.Hash == hash, first, err
}

// Allow lets the definition be used that a server offers now in place of the one that was known. It takes effect within
// ten seconds on every node. Errors: NotFound with field tool, Conflict if nothing has changed, Unavailable.
func Allow(ctx context.Context, pins Pins, server, tool string) error {
	var refused error
	_, err := changePin(ctx, pins, pinKey(server, tool), func(p *pinned) bool {
		switch {
		case p.Hash == "":
			refused = switchboard.Errorf(switchboard.NotFound, "no such tool has been seen").At("tool")
		case p.Offered == "":
			refused = switchboard.Errorf(switchboard.Conflict, "the tool is as it was").At("tool")
		default:
			p.Hash, p.Offered = p.Offered, ""
			return true
		}
		return false
	})
	if err != nil {
		return err
	}
	return refused
}

// List returns what is known of all servers' tools, in no order.
func List(ctx context.Context, pins Pins) ([]Pin, error) {
	out := []Pin{}
	err := pins.List(ctx, "", func(key string, value []byte, _ uint64) error {
		var p pinned
		if err := json.Unmarshal(value, &p); err != nil {
			return switchboard.Wrap(switchboard.Internal, "a pin cannot be read", err)
		}
		server, tool, _ := strings.Cut(key, ".")
		out = append(out, Pin{Server: server, Tool: tool, Changed: p.Offered != ""})
		return nil
	})
	return out, err
}

// hashOf returns the hash of all of a definition that models, people and the Dispatcher go by.
func hashOf(t *sdk.Tool) (string, error) {
	b, err := json.Marshal(struct { // of maps: their names are sorted
		Name, Title, Description string
		Schema                   any
		Annotations              *sdk.ToolAnnotations
	}{t.Name, t.Title, t.Description, t.InputSchema, t.Annotations})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

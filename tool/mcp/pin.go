package mcp

import (
	"cmp"
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
	Hash    string // of the definition that is offered now
	Known   string // the definition that may be used: JSON
	Offered string // the other one; empty if nothing has changed
}

// pinned is a Pin as it is stored: the hashes of the two definitions, and their texts if they are not too long.
type pinned struct {
	Hash     string          `json:"hash"`
	Offered  string          `json:"offered,omitempty"`
	Known    json.RawMessage `json:"known,omitempty"`
	Proposed json.RawMessage `json:"proposed,omitempty"`
}

// maxPinned bounds a definition that is kept as a text, in bytes; of a longer one only the hash is kept.
const maxPinned = 256 << 10

// kept returns a definition as it is stored.
func kept(definition []byte) json.RawMessage {
	if len(definition) > maxPinned {
		return nil
	}
	return definition
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
func pin(ctx context.Context, pins Pins, key string, definition []byte, room bool) (believed, first bool, err error) {
	hash := hashOf(definition)
	p, err := changePin(ctx, pins, key, func(p *pinned) bool {
		first = false
		switch {
		case p.Hash == "" && !room:
			return false
		case p.Hash == "":
			p.Hash, p.Known, first = hash, kept(definition), true
		case p.Hash == hash && p.Offered != "": // it went back
			p.Offered, p.Proposed = "", nil
		case p.Hash != hash && p.Offered != hash:
			p.Offered, p.Proposed = hash, kept(definition)
		default:
			return false
		}
		return true
	})
	return err == nil && p.Hash == hash, first, err
}

// minHash is how much of a hash must be given, in characters.
const minHash = 12

// Allow lets a definition be used in place of the one that was known: the one that a server offers, if its hash begins so.
// Whoever has looked at it allows that one, and not what the server has made of it since. It takes effect within ten seconds on
// every node. Errors: Invalid with field hash, NotFound with field tool, Conflict if nothing has changed, or again,
// Unavailable.
func Allow(ctx context.Context, pins Pins, server, tool, hash string) error {
	if len(hash) < minHash {
		return switchboard.Errorf(switchboard.Invalid, "must be at least %d characters of the hash that is shown", minHash).At("hash")
	}
	var refused error
	_, err := changePin(ctx, pins, pinKey(server, tool), func(p *pinned) bool {
		switch {
		case p.Hash == "":
			refused = switchboard.Errorf(switchboard.NotFound, "no such tool has been seen").At("tool")
		case p.Offered == "":
			refused = switchboard.Errorf(switchboard.Conflict, "the tool is as it was").At("tool")
		case !strings.HasPrefix(p.Offered, hash):
			refused = switchboard.Errorf(switchboard.Conflict, "the tool is offered with another definition now").At("hash")
		default:
			*p = pinned{Hash: p.Offered, Known: p.Proposed}
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
		out = append(out, Pin{
			Server: server, Tool: tool, Changed: p.Offered != "", Hash: cmp.Or(p.Offered, p.Hash), Known: string(p.Known), Offered: string(p.Proposed),
		})
		return nil
	})
	return out, err
}

// definitionOf returns all of a definition that models, people and the Dispatcher go by.
func definitionOf(t *sdk.Tool) ([]byte, error) {
	return json.Marshal(struct { // of maps: their names are sorted
		Name        string               `json:"name"`
		Title       string               `json:"title,omitempty"`
		Description string               `json:"description,omitempty"`
		Schema      any                  `json:"schema,omitempty"`
		Annotations *sdk.ToolAnnotations `json:"annotations,omitempty"`
	}{t.Name, t.Title, t.Description, t.InputSchema, t.Annotations})
}

func hashOf(definition []byte) string {
	sum := sha256.Sum256(definition)
	return hex.EncodeToString(sum[:])
}

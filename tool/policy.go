package tool

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/netra-systems/switchboard"
)

// Approval says when a person must agree before a call.
type Approval string

// When a person must agree. Without a word, a tool is asked for if it writes or if its own definition wants it.
const (
	ApprovalNever  Approval = "never"
	ApprovalWrites Approval = "writes" // unless the tool is read-only
	ApprovalAlways Approval = "always"
)

// Policy is what an operator lays down for a tool. The zero value is what holds for tools that none is laid down for.
type Policy struct {
	// Approval is never, writes or always; empty: as writes, and also where the tool's own definition asks for it.
	Approval Approval
	// Roles are those whose holders may have the tool called; empty: everybody's. To others it does not exist.
	Roles []string
	// Timeout bounds a call; 0: the tool's own, or the node's limit.
	Timeout time.Duration
	// Denied takes the tool away from everybody.
	Denied bool
}

// Validate returns an error that names the first bad setting.
func (p Policy) Validate() error {
	switch p.Approval {
	case "", ApprovalNever, ApprovalWrites, ApprovalAlways:
	default:
		return fmt.Errorf("approval must be never, writes or always")
	}
	if p.Timeout < 0 {
		return fmt.Errorf("timeout must not be negative")
	}
	if slices.Contains(p.Roles, "") {
		return fmt.Errorf("roles must not hold an empty name")
	}
	return nil
}

// apply returns a definition as the policy has it.
func (p Policy) apply(d Definition) Definition {
	switch p.Approval {
	case ApprovalNever:
		d.Approval = false
	case ApprovalAlways:
		d.Approval = true
	case ApprovalWrites:
		d.Approval = !d.ReadOnly
	default:
		d.Approval = d.Approval || !d.ReadOnly
	}
	if p.Timeout > 0 {
		d.Timeout = p.Timeout
	}
	return d
}

// policies are policies by the name of a tool, or by the beginning of names that ends in *.
type policies map[string]Policy

func (ps policies) validate() error {
	for pattern, p := range ps {
		name, _ := strings.CutSuffix(pattern, "*")
		if !validName(name) && pattern != "*" {
			return fmt.Errorf("the policy for %q: not a tool's name, or the beginning of names and *", pattern)
		}
		if err := p.Validate(); err != nil {
			return fmt.Errorf("the policy for %s: %w", pattern, err)
		}
	}
	return nil
}

// of returns the policy of a tool: its own, else that of the longest beginning.
func (ps policies) of(name string) Policy {
	if p, ok := ps[name]; ok {
		return p
	}
	best, longest := Policy{}, -1
	for pattern, p := range ps {
		if begin, ok := strings.CutSuffix(pattern, "*"); ok && strings.HasPrefix(name, begin) && len(begin) > longest {
			best, longest = p, len(begin)
		}
	}
	return best
}

// granted reports whether an agent's list of tools holds one: by its name, or by a beginning that ends in *. A
// beginning grants what only reads: who writes must be named, so that a tool that appears later is not granted unseen.
func granted(list []string, d Definition) bool {
	for _, g := range list {
		begin, some := strings.CutSuffix(g, "*")
		if g == d.Name || some && d.ReadOnly && strings.HasPrefix(d.Name, begin) {
			return true
		}
	}
	return false
}

const (
	scopeAge   = 2 * time.Second // how long a user's roles are believed
	knownUsers = 10_000
)

// scopes knows the roles of users for a moment.
type scopes struct {
	roles func(context.Context, switchboard.UserID) ([]string, error)
	known *lru.Cache[switchboard.UserID, scope]
}

type scope struct {
	roles []string
	gone  bool // there is no such user any more
	asked time.Time
}

func newScopes(roles func(context.Context, switchboard.UserID) ([]string, error)) (*scopes, error) {
	known, err := lru.New[switchboard.UserID, scope](knownUsers)
	if err != nil {
		return nil, err
	}
	return &scopes{roles: roles, known: known}, nil
}

// of returns what a user may do. An error means that it cannot be told; it is not remembered.
func (s *scopes) of(ctx context.Context, u switchboard.UserID) (scope, error) {
	if s.roles == nil {
		return scope{}, nil
	}
	// The time before the question: an answer is as old as its question may be.
	now := time.Now()
	if known, ok := s.known.Get(u); ok && now.Sub(known.asked) < scopeAge {
		return known, nil
	}
	roles, err := s.roles(ctx, u)
	out := scope{roles: roles, asked: now}
	switch {
	case switchboard.CodeOf(err) == switchboard.NotFound:
		out.gone = true
	case err != nil:
		return scope{}, err
	}
	s.known.Add(u, out)
	return out, nil
}

// may reports whether a user of this scope may have a tool called.
func (s scope) may(p Policy) bool {
	return !s.gone && (len(p.Roles) == 0 || slices.ContainsFunc(p.Roles, func(r string) bool { return slices.Contains(s.roles, r) }))
}

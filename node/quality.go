package node

import (
	"context"
	"time"

	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/quality"
	"github.com/netra-systems/switchboard/thread"
)

// Gate lets a quality gate judge the answers of an agent. Errors: a setting that is not one.
func Gate(g quality.Gate) (agent.Gate, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	return func(ctx context.Context, asked, answer string, last bool) (agent.Verdict, error) {
		v, err := g.Check(ctx, asked, answer, last)
		return agent.Verdict(v), err
	}, nil
}

// past gives quality the entries of a shard that its tail was not shown.
func (n *Node) past(ctx context.Context, shard int, since time.Time, fn func(thread.Entry)) error {
	return n.journal.Recent(ctx, shard, since, n.began[shard], checkPace, fn)
}

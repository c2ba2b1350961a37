// Package scripted is the model that Switchboard has when no other is configured: a script, which says so. It makes
// every part of the system work without a network: it streams, thinks aloud, asks for the tools it is offered and words
// their results, step by step like any other model.Model.
//
// It understands arithmetic, questions for the time, searches in the user's conversations, web addresses and the wish for
// a story, several of them in one message; another tool is called if a message has its name and a JSON object of
// arguments. It works nothing out itself: what it says of a result is what a tool gave.
//
// The same request gives the same chunks. It reads nothing but the request, so nothing of one user can reach another.
package scripted

import (
	"context"
	"fmt"
	"hash/fnv"
	"iter"
	"strings"
	"time"
	"unicode"

	"github.com/netra-systems/switchboard/model"
)

const (
	usualPace  = 60              // words per second
	slowest    = 40              // words per second
	answerTime = 9 * time.Second // for the longest answer
)

// Config says how fast the model speaks.
type Config struct {
	// WordsPerSecond is the pace; 0: 60, below 0: no delay. At least 40 are spoken, and as many more as an answer needs
	// to end within nine seconds.
	WordsPerSecond int
}

// Model is the scripted model. It keeps no state and may be used concurrently.
type Model struct{ config Config }

// New builds the model.
func New(c Config) *Model { return &Model{config: c} }

// Name is what the model is called.
func (*Model) Name() string { return "offline demo" }

// Stream answers the last message of the user. A message that asks for tools is answered in two steps: the calls, all in
// one, and the words for their results. It fails only when ctx ends, with its cause.
func (m *Model) Stream(ctx context.Context, r model.Request) iter.Seq2[model.Chunk, error] {
	return func(yield func(model.Chunk, error) bool) {
		chunks := script(r)
		p := newPace(m.config.WordsPerSecond, len(chunks))
		defer p.stop()
		for _, c := range chunks {
			if err := p.wait(ctx); err != nil {
				yield(model.Chunk{}, err)
				return
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// script is all of the answer to a request.
func script(r model.Request) []model.Chunk {
	t := read(r)
	var chunks []model.Chunk
	usage := &model.Usage{Input: countInput(r)}
	for _, w := range words(t.think()) {
		chunks = append(chunks, model.Chunk{Thinking: w})
	}
	finish := model.FinishStop
	if due := t.due(); len(due) > 0 {
		finish = model.FinishCalls
		id := requestID(r)
		for i, w := range due {
			chunks = append(chunks, model.Chunk{Call: &model.CallChunk{
				Index: i, ID: fmt.Sprintf("call_%016x_%d", id, i), Tool: w.tool, Arguments: w.arguments,
			}})
		}
	} else {
		for _, w := range words(t.answer()) {
			chunks = append(chunks, model.Chunk{Text: w})
		}
	}
	usage.Output = int64(len(chunks))
	return append(chunks, model.Chunk{Finish: finish, Usage: usage})
}

// words cuts a text after the space that follows each word.
func words(s string) []string {
	var out []string
	begin, space := 0, false
	for i, r := range s {
		if !unicode.IsSpace(r) && space {
			out = append(out, s[begin:i])
			begin = i
		}
		space = unicode.IsSpace(r)
	}
	if begin < len(s) {
		out = append(out, s[begin:])
	}
	return out
}

func countInput(r model.Request) int64 {
	n := len(strings.Fields(r.System))
	for _, m := range r.Messages {
		n += len(strings.Fields(m.Text))
	}
	return int64(n)
}

// requestID tells the calls of different steps apart.
func requestID(r model.Request) uint64 {
	h := fnv.New64a()
	for _, m := range r.Messages {
		fmt.Fprintf(h, "%s %d %s", m.Role, len(m.Text), m.Text)
	}
	return h.Sum64()
}

// pace holds chunks back to a schedule, which a slow reader does not delay.
type pace struct {
	begin time.Time
	every time.Duration // 0: no delay
	given int
	timer *time.Timer
}

func newPace(perSecond, chunks int) *pace {
	p := &pace{begin: time.Now()}
	switch {
	case perSecond < 0:
		return p
	case perSecond == 0:
		perSecond = usualPace
	}
	p.every = min(time.Second/time.Duration(max(perSecond, slowest)), answerTime/time.Duration(max(chunks, 1)))
	p.timer = time.NewTimer(0)
	return p
}

// wait returns when the next chunk is due, or ctx's cause.
func (p *pace) wait(ctx context.Context) error {
	due := time.Duration(p.given) * p.every
	p.given++
	if d := due - time.Since(p.begin); d > 0 {
		p.timer.Reset(d)
		select {
		case <-ctx.Done():
		case <-p.timer.C:
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func (p *pace) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}

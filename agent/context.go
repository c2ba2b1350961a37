package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
)

// summed begins the text of an event that sums up what was said before.
const summed = "Earlier messages were summed up:\n"

// maxSummary is how long a summary may be, in bytes.
const maxSummary = 16 << 10

// excerptChars is how much of a message is summed up.
const excerptChars = 4000

// sumsUp reports whether the agent sums up what does not fit into its context.
func (a Agent) sumsUp() bool { return a.Context.Summary && a.Context.Tokens > 0 && a.Model != nil }

// shorten puts the conversation into the request, as much of it as fits. True: older turns must be summed up first.
// Called with mu held.
func (x *execution) shorten(past *memoir, r *prepared) bool {
	c, earlier := x.agent.Context, past.earlier(x.id)
	room := historyBytes
	if c.Tokens > 0 {
		room = c.Tokens*bytesPerToken - len(r.request.System)
		for _, t := range r.request.Tools {
			room -= len(t.Name) + len(t.Description) + len(t.Schema)
		}
		if a := past.act(x.id); a != nil {
			room -= a.top().bytes()
		}
	}
	newest := fitting(earlier, room)
	if x.agent.sumsUp() && !x.terse && x.below == 0 && newest < len(earlier) {
		older := earlier[:len(earlier)-fitting(earlier, room/2)] // room for turns to come
		r.older, r.covers = past.text(older, c.Tokens*bytesPerToken*3/4), older[len(older)-1].last
		return true
	}
	r.request.Messages = past.conversation(x.id, x.agent.Name, newest)
	return false
}

// text writes runs down, with the summary of those before, in at most so many bytes: what is left out is the oldest.
func (m *memoir) text(runs []*act, limit int) string {
	var lines []string
	if m.summary != "" {
		lines = append(lines, "Summary of what was said before: "+m.summary)
	}
	for _, a := range runs {
		for _, s := range a.scenes[0].said {
			if t := strings.TrimSpace(s.Text); t != "" {
				lines = append(lines, string(s.Role)+": "+thread.Excerpt(t, excerptChars))
			}
		}
	}
	size := 0
	for i := len(lines) - 1; i >= 0; i-- {
		if size += len(lines[i]) + 1; size > limit && i < len(lines)-1 {
			lines = lines[i+1:]
			break
		}
	}
	return strings.Join(lines, "\n")
}

// sumUp has the agent's model sum up what does not fit, and records it. If that fails, it is left out.
func (x *execution) sumUp(ctx context.Context, r *prepared) error {
	text, usage, err := x.t.r.ask(ctx, x.agent.Model, model.Request{
		System:   "You sum up conversations for the assistant that goes on with them. Keep names, figures, decisions, what was promised and what is still open. Write no more than 300 words, and nothing but the summary.",
		Messages: []model.Message{{Role: model.User, Text: r.older}},
		Thread:   string(x.id) + ".summary", Run: string(x.id),
	})
	u := switchboard.Usage{InputTokens: usage.Input, OutputTokens: usage.Output}
	switch {
	case context.Cause(ctx) != nil:
		x.lost = u
		return context.Cause(ctx)
	case err != nil || text == "":
		x.t.r.cfg.Logger.Warn("a conversation could not be summed up; what does not fit is left out", "agent", x.agent.Name, "error", err)
		x.terse, x.lost = true, u
		return nil
	}
	p := &switchboard.AgentThinkingEvent{MessageID: r.message, Step: r.n, Source: "agent", Text: summed + text}
	return x.until(ctx, p, thread.Header{Usage: u, Note: thread.Note{Covers: r.covers}})
}

// ask asks a model for a short text, beside a conversation. A panic of the model is an error.
func (r *Runner) ask(ctx context.Context, m model.Model, req model.Request) (text string, u model.Usage, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the model panicked: %T", p)
		}
	}()
	var b strings.Builder
	finish := model.Finish("")
	for c, err := range m.Stream(ctx, req) {
		if err != nil {
			return "", u, err
		}
		if c.Usage != nil {
			u = *c.Usage
		}
		b.WriteString(c.Text)
		if c.Finish != "" {
			finish = c.Finish
		}
		if b.Len() > maxSummary {
			return "", u, errTooLong
		}
	}
	if finish != model.FinishStop {
		return "", u, errors.New("the text is not whole")
	}
	return strings.TrimSpace(strings.ToValidUTF8(b.String(), "\uFFFD")), u, nil
}

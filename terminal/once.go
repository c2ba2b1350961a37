package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

// Question is a message whose answer goes to a program.
type Question struct {
	Text   string
	Thread switchboard.ThreadID // to go on in; none: a new one
	Agent  string               // that answers; none: the server's first one

	JSON    bool // Out gets the events of the run as they are, each as a line of JSON, instead of the cleaned answer
	Final   bool // Out gets the answer when it is complete, and nothing of what may become void
	Verbose bool // Notes gets thoughts, calls and what becomes of them
	Out     io.Writer
	Notes   io.Writer
}

// ErrNotAnswered says that a run ended without an answer; what it says has been written to Notes.
var ErrNotAnswered = errors.New("not answered")

// once is one question.
type once struct {
	q    Question
	view *view
	id   switchboard.FrameID
	run  switchboard.RunID
	ack  chan error // of the message
	err  error      // of writing to Out

	begun bool // the last line of Out has text
	noted bool // the last line of Notes has text
}

// Once sends a message and writes the answer, through cuts and restarts. It returns nil when the run has answered,
// ErrNotAnswered if it ended otherwise, the server's refusal, or why the client ended. When ctx ends it asks for the end
// of the run and returns once that has come, or when the context that late returns has ended.
func Once(ctx context.Context, c *client.Client, q Question, late func() (context.Context, context.CancelFunc)) error {
	o := &once{q: q, id: client.NewID(), ack: make(chan error, 1)}
	o.view = newView(o, func(switchboard.FrameID) bool { return true })
	asking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() {
		m := switchboard.Message{ID: o.id, ThreadID: string(q.Thread), Payload: &switchboard.UserMessage{Text: q.Text, Agent: q.Agent}}
		o.ack <- c.Do(asking, m, &switchboard.Ack{})
	}()
	ending, ended := ctx.Done(), (<-chan struct{})(nil)
	for {
		select {
		case err := <-o.ack:
			if err != nil {
				return err
			}
		case u, ok := <-c.Updates():
			if !ok {
				return c.Err()
			}
			if done, err := o.update(u); done || o.err != nil {
				return errors.Join(err, o.err)
			}
		case <-ending:
			if o.run == "" {
				return context.Cause(ctx)
			}
			ending = nil
			bounded, stop := late()
			defer stop()
			ended = bounded.Done()
			run := o.run
			go func() { _, _ = c.StopAgent(bounded, run) }() // agent_stopped says that it worked
		case <-ended:
			return context.Cause(ctx)
		}
	}
}

// update takes what the client tells, and reports whether the run has ended, and how.
func (o *once) update(u client.Update) (done bool, err error) {
	switch {
	case u.Text != nil && u.Text.RunID == o.run && o.run != "" && !o.q.JSON && !o.q.Final:
		o.view.text(*u.Text)
	case u.State == client.Reconnecting:
		o.note("the connection is lost; trying again until it is back")
	case u.State == client.Resync:
		return true, errors.New("the server's history is not what it was; whether there is an answer can be seen with switchboard chat")
	case u.Event != nil:
		return o.event(*u.Event)
	}
	return false, nil
}

// event takes an event. That of our own message names the run.
func (o *once) event(e switchboard.Event) (done bool, err error) {
	if p, ok := e.Payload.(*switchboard.UserMessageEvent); ok && p.ID == o.id {
		o.run = p.RunID
		if o.q.Verbose {
			o.note("conversation " + string(e.ThreadID))
		}
	}
	if o.run == "" || runOf(e) != o.run {
		if o.run != "" && e.Type == switchboard.ThreadDeleted && e.ThreadID == o.run.Thread() {
			return true, fmt.Errorf("%w: the conversation was deleted", ErrNotAnswered)
		}
		return false, nil
	}
	if o.q.JSON {
		b, err := switchboard.EncodeEvent(e)
		if err != nil {
			return true, err
		}
		o.write(string(b) + "\n")
	} else {
		o.show(e)
	}
	switch p := e.Payload.(type) {
	case *switchboard.AgentFailedEvent:
		return true, fmt.Errorf("%w: %s (%s)", ErrNotAnswered, inLine(p.Message, longLine), p.Code)
	case *switchboard.AgentStoppedEvent:
		return true, fmt.Errorf("%w: stopped%s", ErrNotAnswered, stopped(p.Reason))
	}
	return e.Type.Terminal(), nil
}

// show writes what an event says; how a run ends is told by the error, and half an answer is not one.
func (o *once) show(e switchboard.Event) {
	switch p := e.Payload.(type) {
	case *switchboard.ToolApprovalRequiredEvent:
		o.note(fmt.Sprintf("%s wants to run with %s; that waits for a decision%s, in the page or in switchboard chat --thread %s",
			inLine(p.Tool, longLine), short(p.Arguments), within(time.Until(p.Expires.Time)), e.ThreadID))
		return
	case *switchboard.AgentFailedEvent, *switchboard.AgentStoppedEvent:
		o.fresh()
		return
	case *switchboard.AgentMessageEvent:
		if o.q.Final {
			return
		}
	case *switchboard.AgentCompletedEvent:
		if o.q.Final {
			o.answer(Clean(p.Text))
		}
	}
	if !o.q.Final || e.Type != switchboard.AgentCompleted {
		o.view.event(e)
	}
	if e.Type.Terminal() {
		o.fresh()
	}
}

// runOf returns the run that an event is about, "" if none.
func runOf(e switchboard.Event) switchboard.RunID {
	switch p := e.Payload.(type) {
	case *switchboard.UserMessageEvent:
		return p.RunID
	case *switchboard.StopRequestedEvent:
		return p.RunID
	case *switchboard.ToolDecidedEvent:
		return p.CallID.Run()
	}
	return e.RunID
}

func (o *once) write(s string) {
	if o.err == nil {
		_, o.err = io.WriteString(o.q.Out, s)
	}
}

func (o *once) note(line string) {
	o.endNote()
	fmt.Fprintln(o.q.Notes, line)
}

func (o *once) endNote() {
	if o.noted {
		o.noted = false
		fmt.Fprintln(o.q.Notes)
	}
}

// piece is part of a note that goes on.
func (o *once) piece(s string) {
	if !o.q.Verbose || s == "" {
		return
	}
	fmt.Fprint(o.q.Notes, s)
	o.noted = s[len(s)-1] != '\n'
}

func (o *once) answer(piece string) {
	if piece == "" {
		return
	}
	o.endNote()
	o.begun = piece[len(piece)-1] != '\n'
	o.write(piece)
}

func (o *once) fresh() {
	o.endNote()
	if o.begun {
		o.begun = false
		o.write("\n")
	}
}

func (o *once) thought(piece string) { o.piece(piece) }
func (o *once) called(line string)   { o.endNote(); o.piece("· " + line) }
func (o *once) result(rest string)   { o.piece(rest + "\n") }
func (o *once) tell(line string)     { o.note(line) }

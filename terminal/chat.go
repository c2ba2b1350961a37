package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

// Config is what a chat needs.
type Config struct {
	Client  *client.Client
	Thread  switchboard.ThreadID // to go on in; none: a new one
	Agent   string               // that answers; none: the server's first one
	Welcome string               // a line to begin with
	History string               // file of what was typed; none: it is forgotten in the end
	Plain   bool                 // no styles
}

// Terminal is where a chat takes place: in raw mode, as a terminal that shows what is written to Out and no key by itself.
type Terminal struct {
	In      io.Reader
	Out     io.Writer
	Size    func() (width, height int) // of the window; 0: not known
	Resized <-chan struct{}            // says that Size gives something else; may be nil
}

// ErrUnknown says that the chat was left while it was not known whether a message had arrived.
var ErrUnknown = errors.New("it is not known whether the last message arrived")

// chat is a person at a terminal. It belongs to the goroutine of Run.
type chat struct {
	cfg     Config
	ctx     context.Context // of everything that is asked; it ends with Run
	screen  *screen
	history *history
	view    *view
	done    chan func() // what was asked has been answered

	thread    switchboard.ThreadID
	title     string
	runs      []switchboard.RunID // that have no end yet, in order
	answered  switchboard.RunID   // the last that ended
	approvals []switchboard.CallID
	asked     map[switchboard.FrameID]bool              // messages of this chat
	runOf     map[switchboard.FrameID]switchboard.RunID // of messages without an end
	sending   int
	backlog   []client.Update // of the thread, while its past is being read
	loading   bool
	listed    []switchboard.ThreadID // by the last /threads
	lost      bool                   // there is no connection
	lines     []string               // of a message that is being typed
	leaving   bool                   // Ctrl-C once more leaves
	stopFirst bool                   // Ctrl-C came before the run it is to stop
	quit      bool
}

// Run chats until the person leaves, ctx ends, or the client does for good: then its error is returned, and nil
// otherwise. The client stays open. It goes on reading t.In until that ends.
func Run(ctx context.Context, t Terminal, cfg Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &chat{
		cfg: cfg, ctx: ctx, history: openHistory(cfg.History), done: make(chan func()),
		asked: map[switchboard.FrameID]bool{}, runOf: map[switchboard.FrameID]switchboard.RunID{},
	}
	c.screen = newScreen(t.In, t.Out, c.history, cfg.Plain, t.Size)
	c.screen.bracketed(true)
	defer c.screen.bracketed(false)
	c.view = newView(c, c.isMine)
	if cfg.Welcome != "" {
		c.note(Clean(cfg.Welcome))
	}
	if cfg.Thread != "" {
		c.open(cfg.Thread)
	}
	for !c.quit {
		if !c.busy() || len(c.approvals) > 0 || len(c.lines) > 0 {
			c.screen.prompt(len(c.lines) > 0)
		}
		select {
		case u, ok := <-cfg.Client.Updates():
			if !ok {
				c.screen.putAway()
				c.screen.fresh()
				return cfg.Client.Err()
			}
			c.update(u)
		case l := <-c.screen.lines:
			c.entered(l)
		case <-c.screen.keys.waiting:
			c.screen.prompt(len(c.lines) > 0)
		case typed := <-c.screen.keys.interrupts:
			c.interrupted(typed)
		case f := <-c.done:
			f()
		case <-t.Resized:
			c.screen.resize()
		case <-ctx.Done():
			c.quit = true
		}
	}
	c.screen.putAway()
	c.screen.fresh()
	if c.thread != "" {
		c.note("To go on here: switchboard chat --thread " + string(c.thread))
	}
	if c.sending > 0 {
		return ErrUnknown
	}
	return nil
}

// busy reports whether an answer is being written, or about to be.
func (c *chat) busy() bool { return c.sending > 0 || c.loading || len(c.runs) > 0 }

// isMine reports whether a message was typed here.
func (c *chat) isMine(id switchboard.FrameID) bool { return c.asked[id] }

// ask does something that waits for the server, and then what it returns in the goroutine of Run.
func (c *chat) ask(what func(ctx context.Context) (then func())) {
	go func() {
		then := what(c.ctx)
		select {
		case c.done <- then:
		case <-c.ctx.Done():
		}
	}()
}

// entered takes a line.
func (c *chat) entered(l entered) {
	c.screen.closed()
	c.leaving, c.stopFirst = false, false
	if l.err != nil {
		c.quit = true
		return
	}
	text, more := strings.CutSuffix(l.text, `\`)
	c.lines = append(c.lines, text)
	if more || l.more {
		return
	}
	text = strings.TrimSpace(strings.Join(c.lines, "\n"))
	c.lines = nil
	if text == "" {
		return
	}
	c.history.remember(text)
	if strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") {
		c.command(text)
		return
	}
	c.send(strings.TrimPrefix(text, "/"))
}

// send sends a message to the thread, which it begins if there is none.
func (c *chat) send(text string) {
	id := client.NewID()
	c.asked[id] = true
	thread := c.thread
	if thread == "" {
		c.thread = switchboard.NewThreadID(c.cfg.Client.Established().User.ID, id)
	}
	c.sending++
	if c.lost {
		c.note("it will be sent when there is a connection again")
	} else if len(c.runs) > 0 {
		c.note("it waits for the answer before it")
	}
	c.ask(func(ctx context.Context) func() {
		m := switchboard.Message{ID: id, ThreadID: string(thread), Payload: &switchboard.UserMessage{Text: text, Agent: c.cfg.Agent}}
		err := c.cfg.Client.Do(ctx, m, &switchboard.Ack{})
		return func() {
			c.sending--
			if err != nil {
				c.refused("not sent", err)
				if thread == "" && len(c.runs) == 0 {
					c.thread = ""
				}
			}
		}
	})
}

// interrupted is Ctrl-C: it stops what is being answered, or takes back what was typed, and leaves when it comes again.
func (c *chat) interrupted(typed bool) {
	typed = typed || len(c.lines) > 0
	c.lines = nil
	switch {
	case typed && len(c.runs) == 0:
		c.leaving = false
	case c.leaving:
		c.quit = true
	case len(c.runs) > 0:
		c.leaving = true
		c.view.aside("stopping; Ctrl-C again leaves")
		c.stop()
	case c.sending > 0:
		c.leaving = true
		c.stopFirst = true
		c.view.aside("stopping; Ctrl-C again leaves")
	default:
		c.leaving = true
		c.view.aside("Ctrl-C again leaves; so do /quit and Ctrl-D")
	}
}

// stop stops the runs of the thread.
func (c *chat) stop() {
	for _, run := range slices.Clone(c.runs) {
		c.ask(func(ctx context.Context) func() {
			_, err := c.cfg.Client.StopAgent(ctx, run)
			return func() {
				if err != nil && switchboard.CodeOf(err) != switchboard.Conflict {
					c.refused("not stopped", err)
				}
			}
		})
	}
}

// update takes what the client tells.
func (c *chat) update(u client.Update) {
	switch {
	case u.Event != nil && u.Event.ThreadID == c.thread, u.Text != nil && u.Text.ThreadID == c.thread:
		if c.loading {
			c.backlog = append(c.backlog, u)
			return
		}
		c.show(u)
	case u.Event != nil:
		c.elsewhere(*u.Event)
	case u.State == client.Reconnecting && !c.lost:
		c.lost = true
		c.view.aside("the connection is lost; trying again until it is back")
	case u.State == client.CaughtUp && c.lost:
		c.lost = false
		c.view.aside("connected again; nothing was missed")
	case u.State == client.Resync:
		c.lost = false
		c.view.aside("connected again, but the server's history is not what it was (%s)", inLine(u.Reason, longLine))
		if c.thread != "" {
			c.open(c.thread)
		}
	}
}

// show shows what happens in the thread.
func (c *chat) show(u client.Update) {
	if u.Text != nil {
		c.view.text(*u.Text)
		return
	}
	c.track(*u.Event)
	c.view.event(*u.Event)
	if c.stopFirst && len(c.runs) > 0 {
		c.stopFirst = false
		c.stop()
	}
	if u.Event.Type == switchboard.ThreadDeleted {
		c.view.aside("this conversation was deleted")
		c.begin("")
	}
}

// track keeps what has no end yet.
func (c *chat) track(e switchboard.Event) {
	end := func(r switchboard.RunID) {
		c.runs = slices.DeleteFunc(c.runs, func(x switchboard.RunID) bool { return x == r })
	}
	settled := func(call switchboard.CallID) {
		c.approvals = slices.DeleteFunc(c.approvals, func(x switchboard.CallID) bool { return x == call })
	}
	switch p := e.Payload.(type) {
	case *switchboard.UserMessageEvent:
		c.runs = append(c.runs, p.RunID)
		c.runOf[p.ID] = p.RunID
		if p.Title != "" {
			c.title = p.Title
		}
	case *switchboard.AgentStartedEvent:
		if !slices.Contains(c.runs, e.RunID) { // its message was not read
			c.runs = append(c.runs, e.RunID)
		}
	case *switchboard.MessagesTakenEvent:
		for _, id := range p.IDs {
			end(c.runOf[id])
		}
	case *switchboard.ThreadRenamedEvent:
		c.title = p.Title
	case *switchboard.ToolApprovalRequiredEvent:
		c.approvals = append(c.approvals, p.CallID)
	case *switchboard.ToolDecidedEvent:
		settled(p.CallID)
	case *switchboard.ToolCompletedEvent:
		settled(p.CallID)
	}
	if e.Type.Terminal() {
		end(e.RunID)
		c.answered = e.RunID
		c.approvals = slices.DeleteFunc(c.approvals, func(x switchboard.CallID) bool { return strings.HasPrefix(string(x), string(e.RunID)+".") })
		c.leaving = false
	}
}

// elsewhere tells of what needs the person in another thread.
func (c *chat) elsewhere(e switchboard.Event) {
	if p, ok := e.Payload.(*switchboard.ToolApprovalRequiredEvent); ok {
		c.view.tell("another conversation waits for you: may %s run? /open %s", inLine(p.Tool, longLine), e.ThreadID)
	}
}

// begin goes to a thread, or to none yet.
func (c *chat) begin(thread switchboard.ThreadID) {
	c.thread, c.title, c.runs, c.answered, c.approvals, c.backlog, c.loading = thread, "", nil, "", nil, nil, false
	c.view = newView(c, c.isMine)
	clear(c.runOf)
}

// refused tells why something was not done.
func (c *chat) refused(what string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	c.view.tell("%s: %s", what, reason(err))
}

// reason says for people why the server or the way to it refuses.
func reason(err error) string {
	var e *switchboard.Error
	if !errors.As(err, &e) {
		return inLine(err.Error(), longLine)
	}
	text := inLine(e.Message, longLine)
	if e.RetryAfter > 0 {
		text += fmt.Sprintf("; again in %v", e.RetryAfter)
	}
	return text
}

func (c *chat) answer(piece string)  { c.screen.write(piece) }
func (c *chat) thought(piece string) { c.screen.styled(dim, piece) }
func (c *chat) fresh()               { c.screen.fresh() }
func (c *chat) note(line string)     { c.screen.line(dim, line) }
func (c *chat) tell(line string)     { c.screen.line(bold, line) }
func (c *chat) called(line string)   { c.screen.styled(dim, "· "+line) }
func (c *chat) result(rest string)   { c.screen.styled(dim, rest); c.screen.write("\n") }

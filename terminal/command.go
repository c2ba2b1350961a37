package terminal

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

// slash is a command of the chat.
type slash struct {
	name, args, help string
	do               func(c *chat, args string)
}

// slashes returns the commands, in the order of /help.
func slashes() []slash {
	return []slash{
		{"/threads", "", "list your conversations, the latest first", (*chat).list},
		{"/open", "N|ID", "go on in one of them", (*chat).openNamed},
		{"/new", "", "begin a new one with the next message", func(c *chat, _ string) { c.begin(""); c.note("a new conversation") }},
		{"/rename", "TITLE", "give this one a title", (*chat).rename},
		{"/delete", "yes", "erase this one, for ever", (*chat).erase},
		{"/agent", "[NAME]", "ask this one from now on; without a name, list who may be asked", (*chat).agent},
		{"/stop", "", "stop the answer; what was written is kept. So does Ctrl-C", func(c *chat, _ string) { c.stopped() }},
		{"/approve", "", "let the tool run that waits", func(c *chat, _ string) { c.decide(switchboard.Approve, "") }},
		{"/deny", "[REASON]", "do not; the reason is kept", func(c *chat, why string) { c.decide(switchboard.Deny, why) }},
		{"/good", "[WHY]", "say that the last answer was good; the reason is kept", func(c *chat, why string) { c.rate(switchboard.RatedUp, why) }},
		{"/bad", "[WHY]", "say that it was not", func(c *chat, why string) { c.rate(switchboard.RatedDown, why) }},
		{"/help", "", "this list", func(c *chat, _ string) { c.help() }},
		{"/quit", "", "leave; what runs goes on. So does Ctrl-D", func(c *chat, _ string) { c.quit = true }},
	}
}

// command does what a line that begins with a slash says.
func (c *chat) command(line string) {
	name, args, _ := strings.Cut(line, " ")
	all := slashes()
	match := slices.DeleteFunc(slices.Clone(all), func(s slash) bool { return !strings.HasPrefix(s.name, name) })
	if i := slices.IndexFunc(all, func(s slash) bool { return s.name == name }); i >= 0 {
		match = all[i : i+1]
	}
	if len(name) > 1 && len(match) == 1 {
		match[0].do(c, strings.TrimSpace(args))
		return
	}
	c.tell("there is no " + inLine(name, longLine) + "; /help lists what there is, and // begins a message with a slash")
}

func (c *chat) help() {
	for _, s := range slashes() {
		c.note(fmt.Sprintf("  %-18s %s", strings.TrimSpace(s.name+" "+s.args), s.help))
	}
	c.note("Commands may be cut short (/th). A line that ends in \\ goes on; so does what is pasted. ↑ and ↓ bring back what was typed.")
}

// agent chooses who is asked, or lists them.
func (c *chat) agent(name string) {
	c.ask(func(ctx context.Context) func() {
		all, err := c.cfg.Client.Agents(ctx)
		return func() {
			switch i := slices.IndexFunc(all, func(a client.Agent) bool { return a.Name == name }); {
			case err != nil:
				c.refused("no list", err)
			case i >= 0:
				c.cfg.Agent = name
				c.note("from now on " + inLine(name, longLine) + " is asked")
			case name != "":
				c.tell("there is no agent " + inLine(name, longLine) + "; /agent lists them")
			default:
				for k, a := range all {
					mark := " "
					if a.Name == c.cfg.Agent || c.cfg.Agent == "" && k == 0 {
						mark = "*"
					}
					c.note(fmt.Sprintf("%s %-20s %s", mark, inLine(a.Name, 20), inLine(a.Description, longLine)))
				}
			}
		}
	})
}

func (c *chat) list(string) {
	c.ask(func(ctx context.Context) func() {
		page, err := c.cfg.Client.ListThreads(ctx, switchboard.ListThreads{Limit: 20})
		return func() {
			if err != nil {
				c.refused("no list", err)
				return
			}
			c.listed = nil
			for i, t := range page.Threads {
				c.listed = append(c.listed, t.ThreadID)
				mark := " "
				if t.ThreadID == c.thread {
					mark = "*"
				}
				working := ""
				if t.ActiveRun != "" {
					working = "  (at work)"
				}
				c.note(fmt.Sprintf("%s%3d  %-48s %s%s", mark, i+1, inLine(t.Title, 47), ago(time.Since(t.Updated.Time)), working))
			}
			switch {
			case len(page.Threads) == 0:
				c.note("there are none yet")
			case page.Next != "":
				c.note("and older ones, which /open finds by their id")
			}
		}
	})
}

// ago says how long ago something was.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

func (c *chat) openNamed(name string) {
	if n, err := strconv.Atoi(name); err == nil {
		if n < 1 || n > len(c.listed) {
			c.tell("there is no conversation " + inLine(name, longLine) + "; /threads lists them")
			return
		}
		c.open(c.listed[n-1])
		return
	}
	id, err := switchboard.ParseThreadID(name)
	if err != nil {
		c.tell("/open needs a number of /threads, or an id")
		return
	}
	c.open(id)
}

// open goes to a thread and shows its last events; what happens meanwhile comes after them.
func (c *chat) open(thread switchboard.ThreadID) {
	before := c.thread
	c.begin(thread)
	c.loading = true
	c.ask(func(ctx context.Context) func() {
		events, next, err := c.cfg.Client.GetThread(ctx, thread, switchboard.GetThread{Before: 1 << 62})
		return func() {
			if c.thread != thread || !c.loading {
				return
			}
			if err != nil {
				c.refused("not opened", err)
				if c.begin(""); before != thread {
					c.begin(before)
				}
				return
			}
			c.past(events, next > 0)
		}
	})
}

// past shows the events of a thread, then what came while they were read.
func (c *chat) past(events []switchboard.Event, more bool) {
	if more {
		c.note("… earlier messages are left out")
	}
	mine := c.view.mine
	c.view.mine = func(switchboard.FrameID) bool { return false } // show all that was asked
	for _, e := range events {
		c.track(e)
		c.view.event(e)
	}
	c.view.mine = mine
	c.view.begin("")
	backlog := c.backlog
	c.backlog, c.loading = nil, false
	for _, u := range backlog {
		if u.Event == nil || u.Event.N == 0 || u.Event.N > c.view.saw {
			c.show(u)
		}
	}
}

func (c *chat) rename(title string) {
	if c.thread == "" {
		c.tell("there is no conversation yet")
		return
	}
	if title == "" {
		c.tell("/rename needs a title")
		return
	}
	thread := c.thread
	c.ask(func(ctx context.Context) func() {
		_, err := c.cfg.Client.Rename(ctx, thread, title)
		return func() {
			if err != nil {
				c.refused("not renamed", err)
			}
		}
	})
}

func (c *chat) erase(yes string) {
	switch {
	case c.thread == "":
		c.tell("there is no conversation yet")
		return
	case yes != "yes":
		c.tell(fmt.Sprintf("%q would be erased for ever. /delete yes does it", inLine(c.title, longLine)))
		return
	}
	thread := c.thread
	c.ask(func(ctx context.Context) func() {
		_, err := c.cfg.Client.Delete(ctx, thread)
		return func() {
			if err != nil {
				c.refused("not deleted", err)
			}
		}
	})
}

func (c *chat) stopped() {
	if len(c.runs) == 0 {
		c.note("nothing is being answered")
		return
	}
	c.stop()
}

// decide answers the call that has waited longest.
func (c *chat) decide(d switchboard.Decision, why string) {
	if len(c.approvals) == 0 {
		c.note("nothing waits for a decision")
		return
	}
	call := c.approvals[0]
	c.approvals = c.approvals[1:]
	c.ask(func(ctx context.Context) func() {
		_, err := c.cfg.Client.Decide(ctx, switchboard.ToolDecision{CallID: string(call), Decision: d, Reason: why})
		return func() {
			if err != nil {
				c.refused("not decided", err)
			}
		}
	})
}

// rate says what the person thinks of the answer shown last.
func (c *chat) rate(r switchboard.Rating, why string) {
	if c.answered == "" {
		c.note("there is no answer yet")
		return
	}
	run := c.answered
	c.ask(func(ctx context.Context) func() {
		_, err := c.cfg.Client.Rate(ctx, switchboard.RateAnswer{RunID: string(run), Rating: r, Comment: why})
		return func() {
			if err != nil {
				c.refused("not rated", err)
			}
		}
	})
}

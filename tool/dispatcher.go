package tool

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
)

// Config is what a Dispatcher needs. The zero value is good.
type Config struct {
	// Limits holds ToolMS (for tools without a timeout of their own), ToolResultBytes (of the encoded result),
	// ToolCallsPerUser (running at once), ToolCallsPerMinute, FrameBytes (of the arguments) and JSONDepth. The zero
	// value stands for switchboard.DefaultLimits.
	Limits switchboard.Limits
	// Policies are by the name of a tool, or by the beginning of names that ends in *: a tool's own counts, else that of
	// the longest beginning, else the zero Policy.
	Policies map[string]Policy
	// Roles returns the roles of a user as they are now; NotFound: there is no such user any more, who may call nothing.
	// What it returns is believed for two seconds, so that a loss takes effect soon. Nil: nobody has a role.
	Roles   func(ctx context.Context, u switchboard.UserID) ([]string, error)
	Log     *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: no metrics
}

// Validate returns an error that names the first bad setting.
func (c Config) Validate() error {
	if err := policies(c.Policies).validate(); err != nil {
		return err
	}
	l := c.Limits
	switch {
	case l == switchboard.Limits{}:
		return nil
	case l.ToolMS <= 0:
		return fmt.Errorf("tool_ms must be positive")
	case l.ToolCallsPerUser <= 0:
		return fmt.Errorf("tool_calls_per_user must be positive")
	case l.ToolCallsPerMinute <= 0:
		return fmt.Errorf("tool_calls_per_minute must be positive")
	case l.JSONDepth <= 0:
		return fmt.Errorf("json_depth must be positive")
	case l.FrameBytes <= 0:
		return fmt.Errorf("frame_bytes must be positive")
	case l.ToolResultBytes < minResultBytes || l.ToolResultBytes > l.EventBytes-eventMargin:
		return fmt.Errorf("tool_result_bytes must be at least %d and leave %d bytes of event_bytes", minResultBytes, eventMargin)
	}
	return nil
}

// eventMargin is what an event needs besides its result or its arguments: ids, names, an error text, in bytes.
const eventMargin = 16 << 10

// maxArguments is how long the arguments of a call may be, in bytes.
func maxArguments(l switchboard.Limits) int { return min(l.FrameBytes, l.EventBytes-eventMargin) }

// Dispatcher runs tools: nothing else does. It alone says tool_executing and tool_completed, and says exactly one
// tool_completed for each tool_executing that it closes. What a tool does wrong — it hangs, ignores cancellation,
// panics, returns too much or no JSON — ends as the status of its call and nowhere else; a panic in a goroutine that a
// tool itself started cannot be contained. All methods may be called concurrently.
type Dispatcher struct {
	limits switchboard.Limits
	log    *slog.Logger
	reg    registry
	users  *users
	scopes *scopes
	calls  *prometheus.CounterVec
	stuck  *prometheus.GaugeVec
}

// NewDispatcher registers the tools. A tool is asked for its definition once, here. Errors: a bad setting, a bad name,
// two names that a reader could take for one another, a schema that cannot be used.
func NewDispatcher(c Config, tools ...Tool) (*Dispatcher, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Limits == (switchboard.Limits{}) {
		c.Limits = switchboard.DefaultLimits()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	scopes, err := newScopes(c.Roles)
	if err != nil {
		return nil, err
	}
	d := &Dispatcher{
		limits: c.Limits, log: c.Log, scopes: scopes,
		reg:   registry{policies: c.Policies, sources: map[string][]*entry{}, tools: map[string]*entry{}},
		users: newUsers(c.Limits.ToolCallsPerUser, c.Limits.ToolCallsPerMinute),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchboard_tool_calls_total", Help: "Completed tool calls by tool, or by source of tools that come and go; empty for unknown tools.",
		}, []string{"tool", "status"}),
		stuck: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "switchboard_tool_calls_stuck", Help: "Calls that were given up and whose tool has not returned yet.",
		}, []string{"tool"}),
	}
	if err := d.reg.start(tools); err != nil {
		return nil, err
	}
	if c.Metrics != nil {
		for _, m := range []prometheus.Collector{d.calls, d.stuck} {
			if err := c.Metrics.Register(m); err != nil {
				return nil, fmt.Errorf("tool metrics: %w", err)
			}
		}
	}
	return d, nil
}

// Definitions returns the definitions of the tools that the caller may use now, sorted by name, as the policies have
// them. They must not be changed. Errors: what the caller may use cannot be told now.
func (d *Dispatcher) Definitions(ctx context.Context, c Caller) ([]Definition, error) {
	s, err := d.scopes.of(ctx, c.User)
	if err != nil {
		return nil, err
	}
	out := []Definition{}
	for _, e := range d.reg.all() {
		if granted(c.Granted, e.Definition) && s.may(e.policy) {
			out = append(out, e.Definition)
		}
	}
	return out, nil
}

// Caller is on whose behalf a tool is called, and which tools the caller's agent may use: names, or beginnings of names
// that end in *. A beginning grants tools that only read; one that writes must be named.
type Caller struct {
	User    switchboard.UserID
	Thread  switchboard.ThreadID
	Granted []string
}

// Request is a call to be closed: what the model asked for and what the log knows of it.
type Request struct {
	Call      switchboard.Call     // with the arguments of the one who approved, if there are any; none stands for {}
	Started   bool                 // tool_executing is in the log, its tool_completed is not: a takeover
	Decision  switchboard.Decision // "" if nobody was asked
	Expired   bool                 // the denial came by time
	Abandoned bool                 // close the call, do not run it

	// Progress is told how far the tool has come, never after tool_completed is recorded. Nil: nobody is told.
	Progress func(Progress)
}

// Recorder stores what the Dispatcher says.
type Recorder interface {
	// Record returns nil only when the event is stored.
	Record(ctx context.Context, p switchboard.EventPayload) error
}

// NeedsApproval reports whether a person must decide before this call: it is valid (a known tool that the caller may
// use, arguments that fit) and must be agreed to. A call that will be refused anyway bothers nobody.
func (d *Dispatcher) NeedsApproval(ctx context.Context, c Caller, call switchboard.Call) bool {
	e, err := d.find(ctx, c, call.Tool)
	return err == nil && e != nil && e.Approval && e.check(arguments(call.Arguments), d.limits) == nil
}

// Dispatch closes a call: it records tool_executing (unless the request says it is in the log), runs the tool if it may
// run, and records tool_completed. Unless the first was stored, the tool does not start. A call that was started by
// another attempt is run again if its tool is idempotent; otherwise its outcome is unknown. A call that is abandoned
// never runs: it ends as unknown if it had started, else as an error.
//
// Dispatch returns nil when tool_completed is stored, an error of rec as it is, or the cause of ctx when ctx ended
// before the tool had a result: then nothing was recorded about the end, and the caller decides how to close the call.
// It never waits for a tool that ignores its context.
func (d *Dispatcher) Dispatch(ctx context.Context, c Caller, r Request, rec Recorder) error {
	e, unsure := d.find(ctx, c, r.Call.Tool)
	name := cleanName(r.Call.Tool)
	args := arguments(r.Call.Arguments)
	if !r.Started {
		x := &switchboard.ToolExecutingEvent{CallID: r.Call.CallID, Tool: name, Arguments: d.recordable(args)}
		if e != nil {
			x.Title = e.Title
		}
		if err := rec.Record(ctx, x); err != nil {
			return err
		}
	}
	start := time.Now()
	o := d.refuse(e, r, args)
	if unsure != nil && !r.Abandoned && r.Decision != switchboard.Deny {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !r.Started {
			o = failed("whether the user may call it cannot be told now: try again later")
		}
	}
	if o == nil {
		progress := newProgress(r.Progress)
		in := Invocation{User: c.User, Thread: c.Thread, CallID: r.Call.CallID, Arguments: args, Progress: progress.tell}
		o = d.run(ctx, e, c, in, r.Started)
		if progress.end(); o == nil {
			return context.Cause(ctx)
		}
	}
	done := &switchboard.ToolCompletedEvent{
		CallID: r.Call.CallID, Tool: name, Status: o.status, Result: o.result, Truncated: o.truncated,
		Error: cleanText(o.err, maxErrorBytes), DurationMS: time.Since(start).Milliseconds(),
	}
	if err := rec.Record(ctx, done); err != nil {
		return err
	}
	label := "" // never the model's word: a label is for ever
	if e != nil {
		label = e.label()
	}
	d.calls.WithLabelValues(label, string(o.status)).Inc()
	return nil
}

// find returns the tool if the caller may use it now. One that is not granted, or not to the user's roles, is answered
// like one that does not exist. An error means that it cannot be told.
func (d *Dispatcher) find(ctx context.Context, c Caller, name string) (*entry, error) {
	e := d.reg.get(name)
	if e == nil || !granted(c.Granted, e.Definition) {
		return nil, nil
	}
	s, err := d.scopes.of(ctx, c.User)
	if err != nil || !s.may(e.policy) {
		return nil, err
	}
	return e, nil
}

// refuse returns how a call ends that must not run, nil for one that may.
func (d *Dispatcher) refuse(e *entry, r Request, args []byte) *outcome {
	switch {
	case r.Expired:
		return &outcome{status: switchboard.CallExpired, err: "nobody approved the call in time"}
	case r.Decision == switchboard.Deny:
		return &outcome{status: switchboard.CallDenied, err: "the call was denied"}
	case r.Started && (r.Abandoned || e == nil || !e.Idempotent):
		return &outcome{status: switchboard.CallUnknown, err: "the call was interrupted: it may have taken effect or not"}
	case r.Abandoned:
		return failed("the call was not run: the run ended first")
	case e == nil:
		return failed("no such tool")
	}
	if err := e.check(args, d.limits); err != nil {
		return failed("%s", err)
	}
	if e.Approval && r.Decision != switchboard.Approve {
		return failed("the call needs approval")
	}
	return nil
}

// outcome is how a call ended.
type outcome struct {
	status    switchboard.CallStatus
	result    []byte
	truncated bool
	err       string // safe, but not yet cut
}

func failed(format string, args ...any) *outcome {
	return &outcome{status: switchboard.CallError, err: fmt.Sprintf(format, args...)}
}

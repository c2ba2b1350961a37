package tool

import (
	"context"
	"time"

	"github.com/netra-systems/switchboard"
)

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
	Reason    string               // of the one who decided
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
	return d.dispatch(ctx, c, e, unsure, r, rec)
}

// DispatchStep closes a call as Dispatch does, of a tool that is not registered and needs no grant: a step of an agent in
// Go. The tool's definition needs neither a schema nor a description.
func (d *Dispatcher) DispatchStep(ctx context.Context, c Caller, t Tool, r Request, rec Recorder) error {
	e := &entry{Definition: t.Definition(), tool: t, step: true}
	return d.dispatch(ctx, c, e, nil, r, rec)
}

// dispatch closes a call of a tool, nil if there is none for the caller; unsure says that this cannot be told.
func (d *Dispatcher) dispatch(ctx context.Context, c Caller, e *entry, unsure error, r Request, rec Recorder) error {
	args := arguments(r.Call.Arguments)
	if !r.Started {
		if err := d.begin(ctx, e, r.Call, rec); err != nil {
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
	return d.complete(ctx, e, r.Call, o, time.Since(start), rec)
}

// Result is what a call had whose work was done elsewhere: by the model's side, or by another agent.
type Result struct {
	Value  []byte // JSON, or anything else
	Failed string // why there is none; safe to show
	Lost   bool   // it is not known: another attempt had it
}

// Begin records tool_executing of a call whose work is done elsewhere; Relay closes it.
func (d *Dispatcher) Begin(ctx context.Context, call switchboard.Call, rec Recorder) error {
	return d.begin(ctx, nil, call, rec)
}

// Relay closes a call whose work was done elsewhere: it records tool_executing, unless that is in the log, and
// tool_completed with the result, cleaned and cut as every result is. It runs nothing, and so it needs no grant. Errors:
// those of rec.
func (d *Dispatcher) Relay(ctx context.Context, call switchboard.Call, started bool, r Result, rec Recorder) error {
	if !started {
		if err := d.begin(ctx, nil, call, rec); err != nil {
			return err
		}
	}
	o := &outcome{status: switchboard.CallOK}
	switch {
	case r.Lost:
		o = &outcome{status: switchboard.CallUnknown, err: "the call was made elsewhere, and what it returned was lost"}
	case r.Failed != "":
		o = failed("%s", r.Failed)
	default:
		o.result, o.truncated = encodeResult(r.Value, d.limits)
	}
	return d.complete(ctx, nil, call, o, 0, rec)
}

// begin records tool_executing. The tool is nil if it is unknown here.
func (d *Dispatcher) begin(ctx context.Context, e *entry, call switchboard.Call, rec Recorder) error {
	p := &switchboard.ToolExecutingEvent{CallID: call.CallID, Tool: cleanName(call.Tool), Arguments: d.recordable(arguments(call.Arguments))}
	if e != nil {
		p.Title = e.Title
	}
	return rec.Record(ctx, p)
}

// complete records tool_completed. The tool is nil if it is unknown here, or its work was done elsewhere.
func (d *Dispatcher) complete(ctx context.Context, e *entry, call switchboard.Call, o *outcome, took time.Duration, rec Recorder) error {
	done := &switchboard.ToolCompletedEvent{
		CallID: call.CallID, Tool: cleanName(call.Tool), Status: o.status, Result: o.result, Truncated: o.truncated,
		Error: cleanText(o.err, maxErrorBytes), DurationMS: took.Milliseconds(),
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

package tool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/netra-systems/switchboard"
)

// errTimeout is the cause that a tool sees in its context when its time is up.
var errTimeout = errors.New("the tool's time is up")

// returned is what became of a tool's call. Failed says that it returned an error, whose text is safe; panicked, that it
// returned nothing at all.
type returned struct {
	result           json.RawMessage
	text             string
	failed, panicked bool
	unknown          bool // it failed with ErrUnknown
}

// run runs the tool under the user's limits. It returns nil if ctx ended before there was a result.
func (d *Dispatcher) run(ctx context.Context, e *entry, c Caller, in Invocation, again bool) *outcome {
	limit := e.Timeout
	if limit <= 0 {
		limit = switchboard.Milliseconds(d.limits.ToolMS)
	}
	// A call that was started elsewhere has been counted there.
	if wait := d.users.take(in.User); wait > 0 && !again {
		return failed("too many tool calls: try again in %d s", int((wait+time.Second-1)/time.Second))
	}
	release, err := d.users.slot(ctx, in.User, limit)
	if ctx.Err() != nil {
		if err == nil {
			release()
		}
		return nil
	}
	if err != nil {
		return failed("too many tools are running at once")
	}
	defer release()
	// The wait for a slot may have been long: the tool may be withdrawn by now, or the user gone.
	if now, err := d.find(ctx, c, e.Name); err != nil || now != e {
		return failed("no such tool")
	}
	call := d.users.begin(in.User, e.Name, d.stuck.WithLabelValues(e.label()))
	if call == nil {
		return failed("the tool does not respond: earlier calls of it are still running")
	}
	runCtx, cancel := context.WithTimeoutCause(ctx, limit, errTimeout)
	defer cancel()
	in.Arguments = bytes.Clone(in.Arguments)
	done := make(chan returned, 1)
	go func() {
		defer call.end()
		d.contain(runCtx, e, in, done)
	}()
	select {
	case r := <-done:
		return d.conclude(ctx, runCtx, r)
	case <-runCtx.Done():
	}
	select { // a result that came with the last tick counts
	case r := <-done:
		return d.conclude(ctx, runCtx, r)
	default:
		call.abandon()
		return d.conclude(ctx, runCtx, returned{failed: true})
	}
}

// contain calls the tool and sends what it returned, also when it panics or ends its goroutine.
func (d *Dispatcher) contain(ctx context.Context, e *entry, in Invocation, done chan<- returned) {
	r := returned{panicked: true}
	defer func() {
		if p := recover(); p != nil {
			// The value may hold what a user wrote; the text of a runtime error does not.
			what := fmt.Sprintf("%T", p)
			if err, ok := p.(runtime.Error); ok {
				what = err.Error()
			}
			d.log.LogAttrs(context.WithoutCancel(ctx), slog.LevelError, "tool panicked", slog.String("tool", e.Name),
				slog.String("call_id", string(in.CallID)), slog.String("panic", what), slog.String("stack", string(debug.Stack())))
		}
		done <- r
	}()
	result, err := e.tool.Call(ctx, in)
	if err != nil {
		r = returned{failed: true, text: errorText(err), unknown: errors.Is(err, ErrUnknown)} // here, because Error may panic as well
		return
	}
	r = returned{result: result}
}

// conclude says how a call ended. A result counts even if ctx has just ended; an error then says nothing of the tool.
func (d *Dispatcher) conclude(ctx, runCtx context.Context, r returned) *outcome {
	switch {
	case r.panicked:
		return failed("the tool failed")
	case !r.failed:
		o := &outcome{status: switchboard.CallOK}
		o.result, o.truncated = encodeResult(r.result, d.limits)
		return o
	case ctx.Err() != nil:
		return nil
	case runCtx.Err() != nil:
		return &outcome{status: switchboard.CallTimeout, err: "the tool took too long"}
	}
	o := failed("%s", r.text)
	if r.unknown {
		o.status = switchboard.CallUnknown
	}
	return o
}

// errorText is the text of a tool's error: the message of our own errors, without their hidden cause.
func errorText(err error) string {
	var e *switchboard.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

package tool

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
)

// Config is what a Dispatcher needs. The zero value is good.
type Config struct {
	// Limits holds ToolMS (for tools without a timeout of their own), ToolResultBytes (of the encoded result),
	// ToolCallsPerUser (running at once), ToolCallsPerMinute, FrameBytes (of the arguments) and JSONDepth. The zero
	// value stands for switchboard.DefaultLimits.
	Limits  switchboard.Limits
	Log     *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: no metrics
}

// Validate returns an error that names the first bad setting.
func (c Config) Validate() error {
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
	tools  map[string]*entry // fixed at the start
	users  *users
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
	entries, err := register(tools)
	if err != nil {
		return nil, err
	}
	d := &Dispatcher{
		limits: c.Limits, log: c.Log, tools: entries,
		users: newUsers(c.Limits.ToolCallsPerUser, c.Limits.ToolCallsPerMinute),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchboard_tool_calls_total", Help: "Completed tool calls; the tool is empty for calls of unknown tools.",
		}, []string{"tool", "status"}),
		stuck: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "switchboard_tool_calls_stuck", Help: "Calls that were given up and whose tool has not returned yet.",
		}, []string{"tool"}),
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

// Definitions returns the definitions of those granted tools that exist, sorted by name. They must not be changed.
func (d *Dispatcher) Definitions(granted []string) []Definition {
	out := []Definition{}
	for name, e := range d.tools {
		if slices.Contains(granted, name) {
			out = append(out, e.Definition)
		}
	}
	slices.SortFunc(out, func(a, b Definition) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// NeedsApproval reports whether a person must decide before this call: it is valid (a known and granted tool, arguments
// that fit) and its tool asks for approval. A call that will be refused anyway bothers nobody.
func (d *Dispatcher) NeedsApproval(c Caller, call switchboard.Call) bool {
	e := d.find(c, call.Tool)
	return e != nil && e.Approval && e.check(arguments(call.Arguments), d.limits) == nil
}

// find returns the tool if the caller may use it. One that is not granted is answered like one that does not exist.
func (d *Dispatcher) find(c Caller, name string) *entry {
	if e := d.tools[name]; e != nil && slices.Contains(c.Granted, name) {
		return e
	}
	return nil
}

// refuse returns how a call ends that must not run, nil for one that may.
func (d *Dispatcher) refuse(e *entry, r Request, args []byte) *outcome {
	switch {
	case r.Expired:
		return &outcome{status: switchboard.CallExpired, err: "nobody approved the call in time"}
	case r.Decision == switchboard.Deny:
		return &outcome{status: switchboard.CallDenied, err: denied(r.Reason)}
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

// denied says that a person denied a call, and why as far as that was said.
func denied(reason string) string {
	if reason = strings.TrimSpace(cleanText(reason, maxReasonBytes)); reason == "" {
		return "the call was denied"
	}
	return "the call was denied: " + reason
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

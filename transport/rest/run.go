package rest

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
)

// RunStatus says how far a run is.
type RunStatus string

// The states of a run, as its events tell them.
const (
	RunQueued    RunStatus = "queued"
	RunRunning   RunStatus = "running"
	RunWaiting   RunStatus = "waiting" // for a decision about a tool call
	RunCompleted RunStatus = "completed"
	RunFailed    RunStatus = "failed"
	RunStopped   RunStatus = "stopped"
)

// Run is one agent execution that answers one message.
type Run struct {
	RunID    switchboard.RunID    `json:"run_id"`
	ThreadID switchboard.ThreadID `json:"thread_id"`
	Status   RunStatus            `json:"status" enum:"queued,running,waiting,completed,failed,stopped"`
	Events   []json.RawMessage    `json:"events" doc:"the run's events in order"`
}

// RunRating is the body of POST runs/{id}/ratings.
type RunRating struct {
	Rating  switchboard.Rating `json:"rating" enum:"up,down"`
	Comment string             `json:"comment,omitempty"`
}

// runPages bounds how many pages of its thread a run is read from.
const runPages = 20

func (x *api) registerRuns() {
	operation(x, huma.Operation{
		OperationID: "get-run", Method: http.MethodGet, Path: "/runs/{id}", Summary: "A run and its events",
	}, func(ctx context.Context, id auth.Identity, in *runInput) (*output[Run], error) {
		run, err := switchboard.ParseRunID(in.ID)
		if err != nil {
			return nil, x.refused(id, err)
		}
		return x.run(ctx, id, run)
	})
	operation(x, huma.Operation{
		OperationID: "stop-run", Method: http.MethodPost, Path: "/runs/{id}/stop", DefaultStatus: http.StatusAccepted,
		Summary: "Stop a run", Description: "Its partial text is kept.",
	}, func(ctx context.Context, id auth.Identity, in *runInput) (*output[switchboard.Ack], error) {
		if err := x.empty(&in.Call); err != nil {
			return nil, x.refused(id, err)
		}
		p, err := json.Marshal(switchboard.StopAgent{RunID: in.ID})
		if err != nil {
			return nil, err
		}
		m, err := x.message(id, switchboard.TypeStopAgent, in.Key, "", p)
		return accept(ctx, x, id, m, err)
	})
	operation(x, huma.Operation{
		OperationID: "decide", Method: http.MethodPost, Path: "/runs/{id}/decisions", DefaultStatus: http.StatusAccepted,
		Summary: "Approve or deny a tool call of a run",
	}, func(ctx context.Context, id auth.Identity, in *runInput) (*output[switchboard.Ack], error) {
		run, err := switchboard.ParseRunID(in.ID)
		if err != nil {
			return nil, x.refused(id, err)
		}
		m, err := x.readMessage(&in.Call, id, switchboard.TypeToolDecision, in.Key, string(run.Thread()))
		if err != nil {
			return nil, err
		}
		if d, ok := m.Payload.(*switchboard.ToolDecision); ok && switchboard.CallID(d.CallID).Run() != run {
			return nil, x.refused(id, switchboard.Errorf(switchboard.NotFound, "no such thing").At("call_id"))
		}
		return accept(ctx, x, id, m, nil)
	})
}

func (x *api) registerQuality() {
	operation(x, huma.Operation{
		OperationID: "rate", Method: http.MethodPost, Path: "/runs/{id}/ratings", DefaultStatus: http.StatusAccepted,
		Summary: "Say what you think of the outcome of a run", Description: "The latest rating counts.",
	}, func(ctx context.Context, id auth.Identity, in *runInput) (*output[switchboard.Ack], error) {
		b, err := x.read(&in.Call)
		var r RunRating
		if err == nil {
			err = strictly(b, &r)
		}
		if err != nil {
			return nil, x.refused(id, err)
		}
		p, err := json.Marshal(switchboard.RateAnswer{RunID: in.ID, Rating: r.Rating, Comment: r.Comment})
		if err != nil {
			return nil, err
		}
		m, err := x.message(id, switchboard.TypeRateAnswer, in.Key, "", p)
		return accept(ctx, x, id, m, err)
	})
	operation(x, huma.Operation{
		OperationID: "quality-metrics", Method: http.MethodGet, Path: "/quality/metrics", Summary: "How good answers were",
		Description: "Over your own runs; for operators over all users'.",
	}, func(ctx context.Context, id auth.Identity, in *metricsInput) (*output[switchboard.QualityMetrics], error) {
		return ask[switchboard.QualityMetrics](ctx, x, id, "", &switchboard.GetQualityMetrics{Agent: in.Agent, PeriodHours: in.Hours})
	})
}

// run reads a run's events from its thread.
func (x *api) run(ctx context.Context, id auth.Identity, run switchboard.RunID) (*output[Run], error) {
	out := Run{RunID: run, ThreadID: run.Thread(), Status: RunQueued}
	waiting := map[switchboard.CallID]bool{}
	after := run.N() - 1
	for range runPages {
		page, err := ask[switchboard.EventPage](ctx, x, id, string(out.ThreadID), &switchboard.GetThread{After: after})
		if err != nil {
			return nil, err
		}
		for _, b := range page.Body.Events {
			e, err := switchboard.DecodeEvent(b)
			if err != nil {
				return nil, err
			}
			if len(out.Events) == 0 && !begins(e, run) {
				return nil, switchboard.Errorf(switchboard.NotFound, "no such thing").At("run_id")
			}
			if e.RunID == run || begins(e, run) {
				out.Events = append(out.Events, b)
				out.Status = follow(out.Status, e, waiting)
			}
		}
		if after = page.Body.Next; after == 0 || out.Status.ended() {
			break
		}
	}
	if len(out.Events) == 0 {
		return nil, switchboard.Errorf(switchboard.NotFound, "no such thing").At("run_id")
	}
	return answer(out), nil
}

// begins reports whether e is the message that the run answers.
func begins(e switchboard.Event, run switchboard.RunID) bool {
	m, ok := e.Payload.(*switchboard.UserMessageEvent)
	return ok && m.RunID == run && e.N == run.N()
}

func (s RunStatus) ended() bool { return s == RunCompleted || s == RunFailed || s == RunStopped }

// follow returns the status after an event of the run; waiting holds the calls that need a decision.
func follow(s RunStatus, e switchboard.Event, waiting map[switchboard.CallID]bool) RunStatus {
	switch p := e.Payload.(type) {
	case *switchboard.AgentStartedEvent:
		return RunRunning
	case *switchboard.ToolApprovalRequiredEvent:
		waiting[p.CallID] = true
	case *switchboard.ToolDecidedEvent:
		delete(waiting, p.CallID)
	case *switchboard.AgentCompletedEvent:
		return RunCompleted
	case *switchboard.AgentFailedEvent:
		return RunFailed
	case *switchboard.AgentStoppedEvent:
		return RunStopped
	}
	switch {
	case s == RunRunning && len(waiting) > 0:
		return RunWaiting
	case s == RunWaiting && len(waiting) == 0:
		return RunRunning
	}
	return s
}

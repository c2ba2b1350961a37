package agent

import (
	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/tool"
)

// progress returns what tells devices how far a call has come, as deltas of which the newest counts.
func (x *execution) progress(call switchboard.CallID) func(tool.Progress) {
	x.t.mu.Lock()
	attempt := x.run.Attempt
	x.t.mu.Unlock()
	return func(p tool.Progress) {
		d := switchboard.Delta{ThreadID: x.id.Thread(), RunID: x.id, Payload: switchboard.DeltaPayload{
			Attempt: attempt, CallID: call, Kind: switchboard.DeltaToolProgress, Text: p.Text, Progress: &p.Progress,
		}}
		if p.Total > 0 {
			d.Payload.Total = &p.Total
		}
		b, err := switchboard.EncodeDelta(d)
		if err == nil {
			err = x.t.r.cfg.Previews.PublishDelta(x.t.st.User, x.t.st.Thread, b)
		}
		if err != nil {
			x.t.r.cfg.Logger.Debug("a delta could not be sent", "error", err)
		}
	}
}

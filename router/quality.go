package router

import (
	"context"
	"slices"

	"github.com/netra-systems/switchboard"
)

// qualityMetrics tells an operator of all users' runs, everyone else of their own.
func (r *Router) qualityMetrics(_ context.Context, c Caller, m switchboard.Message) (any, error) {
	whose := c.User.ID
	if slices.Contains(c.User.Roles, operator) {
		whose = ""
	}
	return r.cfg.Quality.Metrics(whose, *m.Payload.(*switchboard.GetQualityMetrics)), nil
}

func subscribeQualityAlerts(_ context.Context, c Caller, m switchboard.Message) (any, error) {
	if c.Device == nil {
		return nil, noStream()
	}
	on := m.Payload.(*switchboard.SubscribeQualityAlerts).Action == "subscribe"
	c.Device.Subscribe(on)
	return switchboard.QualitySubscription{Subscribed: on}, nil
}

func (r *Router) validateContent(_ context.Context, _ Caller, m switchboard.Message) (any, error) {
	return r.cfg.Quality.Validate(*m.Payload.(*switchboard.ValidateContent)), nil
}

func (r *Router) qualityReport(_ context.Context, _ Caller, m switchboard.Message) (any, error) {
	return r.cfg.Quality.Report(*m.Payload.(*switchboard.GenerateQualityReport)), nil
}

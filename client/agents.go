package client

import (
	"context"
	"fmt"
	"net/http"
)

// Agent is who answers messages.
type Agent struct {
	Name        string `json:"name"` // as switchboard.UserMessage takes it
	Description string `json:"description"`
	Model       string `json:"model"`
}

// Agents asks which agents there are (GET /api/v1/agents), first the one that answers messages which name none. It needs no
// connection. Errors of the server are *switchboard.Error.
func (c *Client) Agents(ctx context.Context) ([]Agent, error) {
	u, err := c.cfg.endpoint("api/v1/agents")
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if c.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	var list struct{ Agents []Agent }
	if err := c.cfg.fetch(req, &list); err != nil {
		return nil, fmt.Errorf("agents: %w", err)
	}
	return list.Agents, nil
}

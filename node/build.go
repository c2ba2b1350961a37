package node

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/config"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/agui"
	"github.com/netra-systems/switchboard/model/anthropic"
	"github.com/netra-systems/switchboard/model/openai"
	"github.com/netra-systems/switchboard/model/scripted"
	"github.com/netra-systems/switchboard/model/wire"
	"github.com/netra-systems/switchboard/quality"
	"github.com/netra-systems/switchboard/tool"
	"github.com/netra-systems/switchboard/tool/builtin"
	"github.com/netra-systems/switchboard/tool/mcp"
)

// CheckConfig reads the file of the settings as Serve does and makes everything of it that needs no network. It returns
// what is configured, in one line. Errors: ErrSetting, with config.Problems if the file is at fault.
func CheckConfig(s Settings) (string, error) {
	c, err := s.load()
	if err != nil {
		return "", err
	}
	_, err = s.build(c)
	return c.String(), err
}

// load reads the configuration file; without one everything is as usual.
func (s Settings) load() (*config.Config, error) {
	if s.Config == "" {
		return config.Default(), nil
	}
	c, err := config.Load(s.Config, config.Env{Lookup: os.LookupEnv, Tools: s.along()})
	if cause := new(fs.PathError); errors.As(err, &cause) {
		return nil, setting("--config %s: %v", s.Config, cause.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSetting, err)
	}
	if len(c.Models) > 0 && s.Model != "" {
		return nil, setting("--model %s: %s has models of its own; leave either out", s.Model, s.Config)
	}
	return c, nil
}

// along returns the tools that come along, and whether each is there without a word of the file.
func (s Settings) along() map[string]bool {
	out := map[string]bool{}
	for _, t := range (*Node)(nil).BuiltinTools() { // asked for their names alone
		out[t.Definition().Name] = true
	}
	out[fetchTool] = s.FetchURL
	return out
}

const fetchTool = "fetch_url"

// tools returns the tools that come along and are not turned off. What a flag turns on, no file turns off.
func (s Settings) tools(n *Node, c *config.Config) (out []tool.Tool) {
	for _, t := range n.BuiltinTools() {
		if c.Enabled(t.Definition().Name, true) {
			out = append(out, t)
		}
	}
	if s.FetchURL || c.Enabled(fetchTool, false) {
		out = append(out, builtin.NewFetchURL(builtin.FetchConfig{}))
	}
	if slices.ContainsFunc(c.Agents, func(a config.Agent) bool { return a.Remote != nil }) {
		out = append(out, interrupt{})
	}
	return out
}

// builder makes parts of a configuration and keeps all that is wrong.
type builder struct {
	s        Settings
	c        *config.Config
	models   map[string]model.Model
	problems config.Problems
}

// parts are what a configuration comes to.
type parts struct {
	agents   []agent.Agent // the default one first
	policies map[string]tool.Policy
	servers  []mcp.Config
}

// build makes the parts of a configuration. Errors: ErrSetting, with config.Problems if the file is at fault.
func (s Settings) build(c *config.Config) (out parts, err error) {
	b := &builder{s: s, c: c, models: map[string]model.Model{}}
	if err := (tool.Config{Limits: c.Limits}).Validate(); err != nil {
		field, rule, _ := strings.Cut(err.Error(), " ")
		b.bad("limits."+field, errors.New(rule))
	}
	for _, m := range c.Models {
		b.models[m.Name] = b.model(m)
	}
	out.policies = map[string]tool.Policy{}
	for _, t := range c.Tools {
		out.policies[t.Name] = tool.Policy{Approval: tool.Approval(t.Approval), Roles: t.Roles, Timeout: t.Timeout, Denied: t.Denied}
	}
	if c.Tool(agui.InterruptTool) == nil { // what is said of many tools does not agree in the place of a person
		out.policies[agui.InterruptTool] = tool.Policy{Approval: tool.ApprovalAlways}
	}
	for _, m := range c.Servers {
		out.servers = append(out.servers, b.server(m))
	}
	for _, a := range b.agents() {
		made, err := b.agent(a)
		if err != nil {
			return out, err
		}
		out.agents = append(out.agents, made)
	}
	if err := b.problems.Err(); err != nil {
		return out, fmt.Errorf("%w: %w", ErrSetting, err)
	}
	return out, nil
}

// bad keeps an error of a part, whose text names no value.
func (b *builder) bad(key string, err error) {
	b.problems = append(b.problems, b.c.Problem(config.ErrValue, key, "%v", err))
}

// agents returns the agents of the file, or the one that there is without any.
func (b *builder) agents() []config.Agent {
	if len(b.c.Agents) > 0 {
		return b.c.Ranked()
	}
	a := config.Agent{Name: "assistant", Instructions: instructions}
	for _, t := range b.s.tools(nil, b.c) {
		a.Tools = append(a.Tools, t.Definition().Name)
	}
	return []config.Agent{a}
}

// agent makes an agent. Errors: ErrSetting, if the flags that choose its model are at fault.
func (b *builder) agent(a config.Agent) (agent.Agent, error) {
	key := "agents." + a.Name
	out := agent.Agent{
		Name: a.Name, Description: a.Description, Instructions: a.Instructions, Tools: a.Tools, Handoff: a.Handoff, Ask: a.Ask, Titles: a.Titles,
		Budget: agent.Budget{Steps: a.Budget.Steps, Tokens: a.Budget.Tokens, Time: a.Budget.Time, Cost: a.Budget.Cost},
	}
	if a.Context != nil {
		out.Context = agent.Context{Tokens: a.Context.Tokens, Summary: a.Context.Summary}
	}
	out.Gate = b.gate(key, a)
	if a.Remote != nil {
		out.Model, out.Tools = b.remote(key, a), append(slices.Clone(a.Tools), agui.InterruptTool)
		return out, nil
	}
	if m := b.c.ModelOf(a); m != nil {
		out.Model, out.Price = b.models[m.Name], agent.Price{Input: m.Price.Input, Output: m.Price.Output}
		return out, nil
	}
	m, err := b.s.chooseModel()
	out.Model = m
	return out, err
}

// gate makes what judges the answers of an agent; nil: nothing does.
func (b *builder) gate(key string, a config.Agent) agent.Gate {
	if a.Quality == nil {
		return nil
	}
	g := quality.Gate{ContentType: switchboard.ContentType(a.Quality.ContentType), Strict: a.Quality.Strict, OnFail: quality.OnFail(a.Quality.OnFail)}
	if m := b.models[a.Quality.Judge]; m != nil {
		g.Judge = quality.ModelJudge{Model: m}
	}
	gate, err := Gate(g)
	if err != nil {
		b.bad(key+".quality", err)
	}
	return gate
}

// remote makes the adapter to an agent elsewhere.
func (b *builder) remote(key string, a config.Agent) model.Model {
	made, err := agui.New(agui.Config{URL: a.Remote.URL, Name: a.Name, Header: told(a.Remote.Headers), Policy: wire.Policy{Timeout: a.Remote.Timeout}})
	if err != nil {
		b.bad(key+".remote", err)
		return nil
	}
	return made
}

// model makes a model; nil if it cannot be.
func (b *builder) model(m config.Model) model.Model {
	switch m.Provider {
	case "openai":
		return b.openai(m)
	case "anthropic":
		return b.anthropic(m)
	}
	return scripted.New(scripted.Config{})
}

// openai makes a model of an OpenAI-compatible server. The key of the flags goes only to the server of the flags.
func (b *builder) openai(m config.Model) model.Model {
	key := "models." + m.Name
	cfg := openai.Config{
		Model: m.Model, Key: string(m.APIKey), BaseURL: cmp.Or(m.BaseURL, b.s.OpenAIURL, openAIBaseURL), Policy: policyOf(m),
	}
	if m.BaseURL == "" && m.APIKey == "" {
		if cfg.Key = b.s.OpenAIKey; cfg.Key == "" && b.s.OpenAIURL == "" {
			b.bad(key, errors.New("needs api_key, base_url, OPENAI_API_KEY or OPENAI_BASE_URL"))
			return nil
		}
	}
	made, err := openai.New(cfg)
	if err != nil {
		b.bad(key, err)
		return nil
	}
	return made
}

// anthropic makes a model of Anthropic.
func (b *builder) anthropic(m config.Model) model.Model {
	made, err := anthropic.New(anthropic.Config{
		Model: m.Model, Key: string(m.APIKey), BaseURL: m.BaseURL, MaxTokens: m.MaxTokens, Thinking: m.Thinking, Policy: policyOf(m),
	})
	if err != nil {
		b.bad("models."+m.Name, err)
		return nil
	}
	return made
}

func policyOf(m config.Model) wire.Policy {
	return wire.Policy{IdleTimeout: m.IdleTimeout, Timeout: m.Timeout, Attempts: m.Retries + 1}
}

// server makes the settings of an MCP server.
func (b *builder) server(s config.Server) mcp.Config {
	out := mcp.Config{
		Name: s.Name, Command: s.Command, Args: s.Args, Env: told(s.Env), Dir: s.Dir, URL: s.URL, Headers: told(s.Headers),
		ListHeaders: told(s.ListHeaders), Sessions: s.Sessions, Timeout: s.Timeout, StartTimeout: s.StartTimeout, IgnoreHints: s.IgnoreHints,
	}
	if s.Dir != "" && !filepath.IsAbs(s.Dir) { // as the file sees it
		if base, err := filepath.Abs(filepath.Dir(b.s.Config)); err == nil {
			out.Dir = filepath.Join(base, s.Dir)
		}
	}
	if err := out.Validate(); err != nil {
		b.bad("mcp."+s.Name, err)
	}
	return out
}

// told returns secrets as they are used.
func told(secrets map[string]config.Secret) map[string]string {
	out := map[string]string{}
	for name, value := range secrets {
		out[name] = string(value)
	}
	return out
}

// Package config is what an operator writes in a configuration file: models, agents, tools, MCP servers and limits.
//
// The file is YAML and is read strictly: what is not known, of the wrong type, out of range or refers to nothing is a
// Problem with its place, and all problems of a file are told at once. Everything that is said of a key — its type, its
// rules and its words — stands once, at the fields of Config: decoding, the commented default file, the JSON Schema and
// docs/CONFIG.md are made from them.
//
// Guarantees: a value that came from a variable or another file is in no error, and a Secret is in no formatted value.
// The package reads files and the variables it is handed, starts nothing and keeps nothing; all functions may be called
// concurrently. A Config must not be changed while others read it.
package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netra-systems/switchboard"
)

// Config is a configuration. The tags say of each field: yaml (or json) its key; doc what it means, in sentences; eg an
// example and def its default, both in YAML; enum what it may be; need that it must be there; ref what it names; and of
// the other keys beside it: with one that it needs, not those that it excludes, when the value that another must have.
type Config struct {
	Models          []Model            `yaml:"models" eg:"gpt" doc:"Models that agents use, each by a name of your own. Without any, --model and OPENAI_API_KEY choose one, or the offline demo answers."`
	Agents          []Agent            `yaml:"agents" eg:"assistant" doc:"Agents that answer messages, each by its name. Without any there is one, assistant, with the tools that come along."`
	DefaultAgent    string             `yaml:"default_agent" eg:"assistant" ref:"agent" doc:"The agent that answers messages which name none. Default: the first one."`
	Tools           []Tool             `yaml:"tools" eg:"fetch_url" name:"tool" doc:"What is allowed of tools: by the name of one, or by the beginning of names and a star. What is not said here is as the tool itself declares it."`
	Servers         []Server           `yaml:"mcp" eg:"everything" doc:"MCP servers, whose tools agents may be given. A tool's name is that of its server, an underscore, and what the server calls it: everything_echo."`
	Limits          switchboard.Limits `yaml:"limits" min:"1" doc:"What a node enforces, as it tells its devices. Sizes are in bytes, times in milliseconds, and what is not said to count over all nodes counts on each."`
	ApprovalTimeout time.Duration      `yaml:"approval_timeout" def:"24h" min:"1" doc:"How long a person may take to agree to a tool call. After that it is refused."`

	places places
}

// Model is a model and how it is reached.
type Model struct {
	Name        string        `yaml:"-"`
	Provider    string        `yaml:"provider" need:"true" enum:"openai,anthropic,scripted" eg:"openai" doc:"What the server speaks: openai for OpenAI and whatever is compatible (Ollama, vLLM, gateways), anthropic, or scripted for the offline demo."`
	Model       string        `yaml:"model" when:"provider=openai|anthropic" need:"true" eg:"gpt-5-mini" doc:"Name of the model, as its server calls it."`
	BaseURL     string        `yaml:"base_url" when:"provider=openai|anthropic" form:"url" eg:"https://api.openai.com/v1" doc:"Server, with its version if it has one. Default: the provider's own; for openai OPENAI_BASE_URL comes first."`
	APIKey      Secret        `yaml:"api_key" when:"provider=openai|anthropic" not:"api_key_file" eg:"\"${OPENAI_API_KEY}\"" doc:"Key of the server. With neither a key nor a base_url, openai takes OPENAI_API_KEY."`
	APIKeyFile  string        `yaml:"api_key_file" when:"provider=openai|anthropic" eg:"secrets/openai" doc:"File that holds the key instead, seen from the folder of this one."`
	MaxTokens   int           `yaml:"max_tokens" when:"provider=anthropic" def:"8192" min:"1" doc:"Longest answer, in tokens, thinking included."`
	Thinking    int           `yaml:"thinking" when:"provider=anthropic" eg:"2048" doc:"How many tokens it may think with before it answers. 0: it does not."`
	Price       Price         `yaml:"price" doc:"What a million tokens cost, in any currency. Budgets of cost need it."`
	IdleTimeout time.Duration `yaml:"idle_timeout" when:"provider=openai|anthropic" def:"60s" min:"1" doc:"Longest silence of the server while it answers."`
	Timeout     time.Duration `yaml:"timeout" when:"provider=openai|anthropic" def:"5m" min:"1" doc:"Longest time for one answer."`
	Retries     int           `yaml:"retries" when:"provider=openai|anthropic" def:"2" max:"10" doc:"How often a request is repeated while nothing of its answer has come."`
}

// Price is what a million tokens cost.
type Price struct {
	Input  float64 `yaml:"input" eg:"0.25" doc:"A million tokens that the model reads."`
	Output float64 `yaml:"output" eg:"2.0" doc:"A million tokens that the model writes."`
}

// Agent is an agent: a model with instructions and tools, one that leads others, or one elsewhere.
type Agent struct {
	Name         string   `yaml:"-"`
	Description  string   `yaml:"description" eg:"Answers questions." doc:"What it is good at, for people and for the agents that lead it."`
	Model        string   `yaml:"model" not:"remote" ref:"model" eg:"gpt" doc:"Its model. Default: the first of models."`
	Instructions string   `yaml:"instructions" not:"remote" eg:"You are a helpful assistant." doc:"What the model is told before every conversation."`
	Tools        []string `yaml:"tools" ref:"tool" eg:"[calculator, clock, search_threads]" doc:"Tools that it may call: names, or beginnings of names and a star. Default: none."`
	Handoff      []string `yaml:"handoff" not:"remote" ref:"agent" eg:"[writer]" doc:"Agents to whom it may hand the conversation over."`
	Ask          []string `yaml:"ask" not:"remote" ref:"agent" eg:"[researcher]" doc:"Agents whom it may ask as it calls a tool; it goes on with their answer."`
	Remote       *Remote  `yaml:"remote" doc:"An agent elsewhere that speaks AG-UI 1.0, such as one made with LangGraph, Pydantic AI or Mastra. It has a model and tools of its own."`
	Budget       Budget   `yaml:"budget" doc:"What one of its runs may use. 0 or nothing: what limits allow."`
	Context      *Context `yaml:"context" not:"remote" doc:"How much of a long conversation the model is shown. Default: what is remembered of it, 128 to 256 KiB."`
	Titles       bool     `yaml:"titles" not:"remote" eg:"true" doc:"Let the model give new conversations their titles."`
	Quality      *Quality `yaml:"quality" doc:"Have answers judged before they are given. Default: they are not."`
}

// Budget bounds a run.
type Budget struct {
	Steps  int           `yaml:"steps" eg:"32" doc:"Times that the model is asked."`
	Tokens int64         `yaml:"tokens" eg:"200000" doc:"Tokens in and out, of all steps."`
	Time   time.Duration `yaml:"time" eg:"10m" doc:"Time from its start to its end."`
	Cost   float64       `yaml:"cost" eg:"0.50" doc:"Cost, in the currency of its model's price."`
}

// Context says how a long conversation is made to fit a model.
type Context struct {
	Tokens  int  `yaml:"tokens" need:"true" min:"1000" eg:"32000" doc:"Size of the window, in tokens."`
	Summary bool `yaml:"summary" eg:"true" doc:"Keep a running summary of what no longer fits; the model writes it."`
}

// Quality says how answers are judged.
type Quality struct {
	ContentType string `yaml:"content_type" enum:"general,report,data_analysis,action_plan,optimization,error_message" def:"general" doc:"What its answers are, which says how good they must be."`
	Strict      bool   `yaml:"strict" eg:"false" doc:"Demand more of them."`
	OnFail      string `yaml:"on_fail" enum:"deliver,fail" def:"deliver" doc:"What becomes of an answer that is still too weak after one more try: it is given with its score, or the run fails."`
	Judge       string `yaml:"judge" ref:"model" eg:"gpt" doc:"A model that judges as well; its tokens are those of the run. Default: measures of the text alone."`
}

// Remote is how an agent elsewhere is reached.
type Remote struct {
	URL     string            `yaml:"url" need:"true" form:"url" eg:"http://127.0.0.1:8000/agui" doc:"Its address."`
	Headers map[string]Secret `yaml:"headers" form:"headers" eg:"{Authorization: \"Bearer ${TOKEN}\"}" doc:"Headers of each request."`
	Timeout time.Duration     `yaml:"timeout" def:"5m" min:"1" doc:"Longest time for one answer."`
}

// Tool is what is allowed of a tool, or of all whose names begin alike.
type Tool struct {
	Name     string        `yaml:"-"`
	Enabled  *bool         `yaml:"enabled" eg:"true" doc:"Have a tool that comes along, or not. Default: all but fetch_url are there."`
	Approval string        `yaml:"approval" enum:"never,writes,always" eg:"always" doc:"When a person must agree first: never, before calls that may change something, or always. Default: writes, and where the tool itself asks for it."`
	Roles    []string      `yaml:"roles" enum:"user,operator,admin" eg:"[operator, admin]" doc:"Who may use it. Default: everybody."`
	Timeout  time.Duration `yaml:"timeout" eg:"30s" min:"1" doc:"Longest time for one call. Default: limits.tool_ms."`
	Denied   bool          `yaml:"denied" eg:"false" doc:"Refuse every call."`
}

// Server is an MCP server: a program that is started, or an address.
type Server struct {
	Name    string            `yaml:"-"`
	Command string            `yaml:"command" one:"command url" eg:"npx" doc:"Program to start; it speaks over its standard input and output."`
	Args    []string          `yaml:"args" with:"command" eg:"[\"-y\", \"@modelcontextprotocol/server-everything\"]" doc:"Its arguments."`
	Env     map[string]Secret `yaml:"env" with:"command" eg:"{API_TOKEN: \"${API_TOKEN}\"}" doc:"Variables for it, besides PATH and HOME."`
	Dir     string            `yaml:"dir" with:"command" eg:"." doc:"Folder that it runs in."`
	URL     string            `yaml:"url" form:"url" eg:"https://tools.example.com/mcp" doc:"Address of a server that runs already (streamable HTTP)."`
	Headers map[string]Secret `yaml:"headers" with:"url" form:"headers" eg:"{X-User: \"{{.User.ID}}\"}" doc:"Headers of each request. {{.User.ID}} in a value is the id of the user for whom it is sent."`
	Timeout time.Duration     `yaml:"timeout" def:"30s" min:"1" doc:"Longest time for one call."`

	ListHeaders  map[string]Secret `yaml:"list_headers" with:"url" form:"headers" eg:"{Authorization: \"Bearer ${TOKEN}\"}" doc:"Headers with which its tools are listed, which is on nobody's behalf, in place of those headers that name the user."`
	Sessions     int               `yaml:"sessions" with:"url" eg:"100" doc:"How many users have a session at once, if headers name the user. 0: 100."`
	StartTimeout time.Duration     `yaml:"start_timeout" def:"30s" min:"1" doc:"Longest time until it has told its tools."`
	IgnoreHints  bool              `yaml:"ignore_hints" eg:"true" doc:"Take each of its tools for one that writes and must not be run twice, whatever it says itself."`
}

// Secret is a text that no formatting shows. Convert it to a string to use it.
type Secret string

// Format writes that there is a secret, or none, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) {
	if s == "" {
		fmt.Fprint(f, "none")
		return
	}
	fmt.Fprint(f, "secret")
}

// Format writes what String says, whatever the verb: any value may have come from a variable.
func (c *Config) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// Format writes the name alone.
func (m Model) Format(f fmt.State, _ rune) { fmt.Fprint(f, "model "+m.Name) }

// Format writes the name alone.
func (a Agent) Format(f fmt.State, _ rune) { fmt.Fprint(f, "agent "+a.Name) }

// Format writes the name alone.
func (s Server) Format(f fmt.State, _ rune) { fmt.Fprint(f, "MCP server "+s.Name) }

// Format writes nothing of it. (fmt looks into what a pointer points to without asking a Secret there, if the verb is not
// one for it.)
func (r Remote) Format(f fmt.State, _ rune) { fmt.Fprint(f, "remote") }

// MarshalText keeps a secret out of JSON and whatever else writes text.
func (s Secret) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", s), nil }

// Default returns what holds without a file.
func Default() *Config {
	return &Config{Limits: switchboard.DefaultLimits(), ApprovalTimeout: 24 * time.Hour}
}

// Agent returns the agent of a name, or nil.
func (c *Config) Agent(name string) *Agent {
	return named(c.Agents, func(a *Agent) bool { return a.Name == name })
}

// Model returns the model of a name, or nil.
func (c *Config) Model(name string) *Model {
	return named(c.Models, func(m *Model) bool { return m.Name == name })
}

// Tool returns what is said of exactly this name, or nil.
func (c *Config) Tool(name string) *Tool {
	return named(c.Tools, func(t *Tool) bool { return t.Name == name })
}

func named[T any](all []T, is func(*T) bool) *T {
	for i := range all {
		if is(&all[i]) {
			return &all[i]
		}
	}
	return nil
}

// ModelOf returns the model of an agent: the named one, else the first; nil if there are none, or the agent is elsewhere.
func (c *Config) ModelOf(a Agent) *Model {
	if a.Remote != nil || len(c.Models) == 0 {
		return nil
	}
	if a.Model == "" {
		return &c.Models[0]
	}
	return c.Model(a.Model)
}

// Has reports whether the file has a key, such as agents.assistant.budget.
func (c *Config) Has(key string) bool {
	_, ok := c.places.at[key]
	return ok
}

// Problem makes a problem of a key, with its place in the file if it has one.
func (c *Config) Problem(kind error, key, format string, args ...any) Problem {
	return c.places.problem(kind, key, format, args...)
}

// String sums up in one line what is configured: names, and no values.
func (c *Config) String() string {
	var parts []string
	add := func(what string, names []string) {
		if len(names) > 0 {
			parts = append(parts, what+" "+strings.Join(names, ", "))
		}
	}
	add("models", names(c.Models, func(m Model) string { return m.Name }))
	add("agents", names(c.Agents, func(a Agent) string { return a.Name }))
	add("rules for the tools", names(c.Tools, func(t Tool) string { return t.Name }))
	add("MCP servers", names(c.Servers, func(s Server) string { return s.Name }))
	if len(parts) == 0 {
		return "no models, agents, tools or MCP servers of its own"
	}
	return strings.Join(parts, "; ")
}

// Ranked returns the agents, the default one first.
func (c *Config) Ranked() []Agent {
	out := slices.Clone(c.Agents)
	i := slices.IndexFunc(out, func(a Agent) bool { return a.Name == c.DefaultAgent })
	if i > 0 {
		first := out[i]
		out = slices.Insert(slices.Delete(out, i, i+1), 0, first)
	}
	return out
}

package config

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"text/template"

	"golang.org/x/net/http/httpguts"
)

// check looks at what the parts of a configuration say of one another.
func (d *decoder) check(c *Config) {
	agents := names(c.Agents, func(a Agent) string { return a.Name })
	models := names(c.Models, func(m Model) string { return m.Name })
	d.refers("default_agent", c.DefaultAgent, "agent", agents)
	for _, m := range c.Models {
		d.model(m)
	}
	d.servers(c)
	for _, t := range c.Tools {
		d.tool(c, t)
	}
	for _, a := range c.Agents {
		key := below("agents", a.Name)
		d.refers(key+".model", a.Model, "model", models)
		if a.Quality != nil {
			d.refers(key+".quality.judge", a.Quality.Judge, "model", models)
		}
		for of, list := range map[string][]string{"handoff": a.Handoff, "ask": a.Ask} {
			for i, name := range list {
				at := fmt.Sprintf("%s.%s[%d]", key, of, i)
				if d.refers(at, name, "agent", agents) && name == a.Name {
					d.bad(ErrReference, at, "an agent cannot turn to itself")
				}
			}
		}
		for i, name := range a.Tools {
			d.grant(c, fmt.Sprintf("%s.tools[%d]", key, i), name)
		}
		d.budget(c, a, key)
		if a.Remote != nil {
			d.url(key+".remote.url", a.Remote.URL)
			d.headers(key+".remote.headers", a.Remote.Headers, false)
		}
	}
	d.circles(c)
	d.limits(c)
}

func names[T any](all []T, name func(T) string) []string {
	var out []string
	for _, one := range all {
		out = append(out, name(one))
	}
	return out
}

// refers checks that a name means something. It is not told if it came from a variable.
func (d *decoder) refers(key, name, what string, known []string) bool {
	if name == "" || slices.Contains(known, name) {
		return name != ""
	}
	if d.at[key].outside {
		d.bad(ErrReference, key, "what the variable holds is no %s", what)
	} else {
		d.bad(ErrReference, key, "there is no %s %s%s", what, word(name), suggest(name, known))
	}
	return false
}

func (d *decoder) model(m Model) {
	key := below("models", m.Name)
	d.url(key+".base_url", m.BaseURL)
	if strings.ContainsFunc(string(m.APIKey), func(r rune) bool { return r <= ' ' || r > '~' }) {
		from := ".api_key"
		if m.APIKeyFile != "" {
			from = ".api_key_file"
		}
		d.bad(ErrValue, key+from, "holds a character that no key has")
	}
	if m.Provider == "anthropic" && m.APIKey == "" && m.APIKeyFile == "" && m.BaseURL == "" {
		d.bad(ErrKeys, key, "lacks `api_key` or `api_key_file`")
	}
	if m.Provider == "anthropic" && m.Thinking > 0 && m.Thinking >= m.MaxTokens {
		d.bad(ErrValue, key+".thinking", "must be less than max_tokens")
	}
}

func (d *decoder) url(key, s string) {
	if s == "" {
		return
	}
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		d.bad(ErrValue, key, "must be an http or https URL")
	case u.User != nil:
		d.bad(ErrValue, key, "must not hold a name or a password; use a header")
	}
}

func (d *decoder) headers(key string, h map[string]Secret, templates bool) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		value := string(h[name])
		at := below(key, name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			d.bad(ErrValue, at, "%s is no name of a header", word(name))
		case !httpguts.ValidHeaderFieldValue(value):
			d.bad(ErrValue, at, "holds a character that no header has")
		case templates:
			// The parser's own words quote the text.
			if _, err := template.New("").Parse(value); err != nil {
				d.bad(ErrValue, at, "is no template (Go text/template)")
			}
		}
	}
}

// budget checks that a budget can be kept, and reached.
func (d *decoder) budget(c *Config, a Agent, key string) {
	if a.Budget.Steps > c.Limits.RunSteps {
		d.bad(ErrValue, key+".budget.steps", "is more than limits.run_steps, %d", c.Limits.RunSteps)
	}
	if a.Budget.Time.Milliseconds() > int64(c.Limits.RunMS) {
		d.bad(ErrValue, key+".budget.time", "is more than limits.run_ms, %d", c.Limits.RunMS)
	}
	if m := c.ModelOf(a); a.Budget.Cost > 0 && (m == nil || m.Price == Price{}) {
		d.bad(ErrKeys, key+".budget.cost", "needs the price of its model")
	}
}

// servers checks the MCP servers, and that no tool can be taken for that of another.
func (d *decoder) servers(c *Config) {
	for i, s := range c.Servers {
		key := below("mcp", s.Name)
		d.url(key+".url", s.URL)
		d.headers(key+".headers", s.Headers, true)
		for _, name := range slices.Sorted(maps.Keys(s.Env)) {
			if !isVariable(name) || strings.ContainsRune(string(s.Env[name]), 0) {
				d.bad(ErrValue, below(key+".env", name), "%s cannot be a variable", word(name))
			}
		}
		for tool := range d.Tools {
			if strings.HasPrefix(tool, s.Name+"_") {
				d.bad(ErrValue, key, "its tools could be taken for %s; name it otherwise", word(tool))
			}
		}
		for j, other := range c.Servers {
			if i != j && strings.HasPrefix(other.Name+"_", s.Name+"_") {
				d.bad(ErrValue, below("mcp", other.Name), "its tools could be taken for those of %s; name it otherwise", word(s.Name))
			}
		}
	}
}

// tool checks a rule for tools.
func (d *decoder) tool(c *Config, t Tool) {
	key := below("tools", t.Name)
	if !d.exists(c, key, t.Name) {
		return
	}
	if _, along := d.Tools[t.Name]; t.Enabled != nil && !along {
		d.bad(ErrKeys, key+".enabled", "is for tools that come along; others are refused with `denied`")
	}
}

// exists checks that a name, or the beginning of names and a star, can mean a tool.
func (d *decoder) exists(c *Config, key, name string) bool {
	if !validName(name, true) {
		d.bad(ErrValue, key, "must be the name of a tool, or the beginning of names and a star")
		return false
	}
	known := slices.Sorted(maps.Keys(d.Tools))
	stem, star := strings.CutSuffix(name, "*")
	for _, s := range c.Servers {
		if p := s.Name + "_"; strings.HasPrefix(stem, p) && (star || stem != p) || star && strings.HasPrefix(p, stem) {
			return true
		}
	}
	if star && slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, stem) }) {
		return true
	}
	for _, s := range c.Servers {
		known = append(known, s.Name+"_*")
	}
	if !star || d.at[key].outside {
		return slices.Contains(known, name) || d.refers(key, name, "tool", known)
	}
	d.bad(ErrReference, key, "there is no tool whose name begins so%s", suggest(name, known))
	return false
}

// grant checks that an agent is given a tool that is there.
func (d *decoder) grant(c *Config, key, name string) {
	if !d.exists(c, key, name) {
		return
	}
	if usual, along := d.Tools[name]; along && !c.Enabled(name, usual) {
		d.bad(ErrReference, key, "the tool is off: set tools.%s.enabled", name)
	}
}

// Enabled reports whether a tool that comes along is there, given what is usual.
func (c *Config) Enabled(name string, usual bool) bool {
	if t := c.Tool(name); t != nil && t.Enabled != nil {
		return *t.Enabled
	}
	return usual
}

// Rule returns what is said of a tool: under its own name, else under the longest beginning that has a star; nil if
// nothing is.
func (c *Config) Rule(name string) *Tool {
	if t := c.Tool(name); t != nil {
		return t
	}
	var best *Tool
	for i, t := range c.Tools {
		// plain names hold nothing else that path.Match would read
		if ok, _ := path.Match(t.Name, name); ok && (best == nil || len(t.Name) > len(best.Name)) {
			best = &c.Tools[i]
		}
	}
	return best
}

// circles finds agents that would wait for their own answer.
func (d *decoder) circles(c *Config) {
	done := map[string]bool{}
	var walk func(a *Agent, way []string)
	walk = func(a *Agent, way []string) {
		way = append(slices.Clip(way), a.Name)
		for i, name := range a.Ask {
			next := c.Agent(name)
			if next == nil || name == a.Name || done[name] {
				continue
			}
			if from := slices.Index(way, name); from >= 0 {
				d.bad(ErrReference, fmt.Sprintf("agents.%s.ask[%d]", a.Name, i), "would wait for itself: %s",
					strings.Join(append(slices.Clone(way[from:]), name), " asks "))
				continue
			}
			walk(next, way)
		}
		done[a.Name] = true
	}
	for i := range c.Agents {
		if !done[c.Agents[i].Name] {
			walk(&c.Agents[i], nil)
		}
	}
}

// maxEvent is what the log takes as one entry, in bytes.
const maxEvent = 512 << 10

// limits checks the figures that hang together.
func (d *decoder) limits(c *Config) {
	if c.Limits.EventBytes > maxEvent {
		d.bad(ErrValue, "limits.event_bytes", "must be at most %d", maxEvent)
	}
	if c.Limits.FrameBytes > c.Limits.EventBytes {
		d.bad(ErrValue, "limits.frame_bytes", "must not be more than event_bytes: what is accepted must fit into an event")
	}
}

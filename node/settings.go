package node

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/openai"
	"github.com/netra-systems/switchboard/model/scripted"
	"github.com/netra-systems/switchboard/transport"
)

// Settings are what an operator says: each is a flag of `switchboard serve` and a variable.
type Settings struct {
	Data        string        `help:"Folder for everything that is kept." default:"switchboard-data" env:"SWITCHBOARD_DATA" type:"path" placeholder:"DIR"`
	Listen      string        `help:"Address to serve on; port 0 picks a free one." default:"127.0.0.1:8080" env:"SWITCHBOARD_LISTEN" placeholder:"HOST:PORT"`
	Config      string        `help:"Configuration file: models, agents, tools, limits. See docs/CONFIG.md and 'switchboard config'." env:"SWITCHBOARD_CONFIG" type:"path" placeholder:"FILE"`
	AdminListen string        `help:"Address for /metrics and pprof; off if empty." env:"SWITCHBOARD_ADMIN_LISTEN" placeholder:"HOST:PORT"`
	Model       string        `help:"Model that answers: demo, NAME (of OPENAI_BASE_URL) or ollama/NAME. Default: gpt-5-mini if OPENAI_API_KEY or OPENAI_BASE_URL is set, else demo." env:"SWITCHBOARD_MODEL" placeholder:"MODEL"`
	OpenAIKey   string        `help:"Key of the model's server." env:"SWITCHBOARD_OPENAI_API_KEY,OPENAI_API_KEY" name:"openai-api-key" hidden:""`
	OpenAIURL   string        `help:"Base URL of an OpenAI-compatible server, with its version (…/v1)." env:"SWITCHBOARD_OPENAI_BASE_URL,OPENAI_BASE_URL" name:"openai-base-url" placeholder:"URL"`
	FetchURL    bool          `help:"Let the agent fetch public web pages; each time you are asked." env:"SWITCHBOARD_FETCH_URL" name:"fetch-url"`
	Journal     string        `help:"NATS server or cluster that keeps the log, instead of the embedded one." env:"SWITCHBOARD_JOURNAL_URL" name:"journal-url" placeholder:"URL"`
	Replicas    int           `help:"Copies of the log on a NATS cluster." default:"1" env:"SWITCHBOARD_JOURNAL_REPLICAS" name:"journal-replicas"`
	Sync        time.Duration `help:"Sync the log this often instead of before every ack: faster, but a power cut may lose the last interval." default:"0s" env:"SWITCHBOARD_JOURNAL_SYNC" name:"journal-sync"`
	Name        string        `help:"Name of this node. Default: the host's." env:"SWITCHBOARD_NODE" placeholder:"NAME"`
	AllowOrigin []string      `help:"Page of another host that may connect (scheme://host[:port]); repeat for more." env:"SWITCHBOARD_ALLOW_ORIGIN" placeholder:"ORIGIN"`
	AllowHost   []string      `help:"Name under which this server is reached, besides its address; repeat for more." env:"SWITCHBOARD_ALLOW_HOST" placeholder:"HOST"`
	TrustProxy  []string      `help:"Network of a proxy that ends TLS and whose X-Forwarded-… headers are believed." env:"SWITCHBOARD_TRUST_PROXY" placeholder:"CIDR"`
	TLSCert     string        `help:"Certificate file (PEM)." env:"SWITCHBOARD_TLS_CERT" name:"tls-cert" type:"path" placeholder:"FILE"`
	TLSKey      string        `help:"Key file (PEM)." env:"SWITCHBOARD_TLS_KEY" name:"tls-key" type:"path" placeholder:"FILE"`
	LogLevel    string        `help:"debug, info, warn or error." default:"warn" enum:"debug,info,warn,error" env:"SWITCHBOARD_LOG_LEVEL"`
	LogFormat   string        `help:"text or json." default:"text" enum:"text,json" env:"SWITCHBOARD_LOG_FORMAT"`

	AdminPassword string `help:"Password of the first user." env:"SWITCHBOARD_ADMIN_PASSWORD" hidden:""`
}

// ErrSetting says that a setting cannot be used; its text is for the operator.
var ErrSetting = errors.New("bad setting")

func setting(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSetting, fmt.Sprintf(format, args...))
}

// Validate returns an ErrSetting that names the first setting that cannot be used, or all that is wrong with the file.
func (s Settings) Validate() error {
	host, _, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return setting("--listen %s: must be HOST:PORT", s.Listen)
	}
	if (s.TLSCert == "") != (s.TLSKey == "") {
		return setting("--tls-cert and --tls-key belong together")
	}
	if !loopback(host) && s.TLSCert == "" && len(s.TrustProxy) == 0 {
		return setting("--listen %s: passwords would cross the network in the clear; give --tls-cert and --tls-key, or --trust-proxy for a proxy that ends TLS", s.Listen)
	}
	if s.TLSCert != "" {
		if _, err := tls.LoadX509KeyPair(s.TLSCert, s.TLSKey); err != nil {
			return setting("--tls-cert %s: %v", s.TLSCert, err)
		}
	}
	if s.AdminListen != "" {
		if _, _, err := net.SplitHostPort(s.AdminListen); err != nil {
			return setting("--admin-listen %s: must be HOST:PORT", s.AdminListen)
		}
	}
	if _, err := s.proxies(); err != nil {
		return err
	}
	if err := (transport.Config{AllowedOrigins: s.AllowOrigin}).Validate(); err != nil {
		return setting("--allow-origin: %v", err)
	}
	if err := (transport.Config{AllowedHosts: s.AllowHost}).Validate(); err != nil {
		return setting("--allow-host: %v", err)
	}
	if s.Sync < 0 {
		return setting("--journal-sync: must not be negative")
	}
	_, err = CheckConfig(s)
	return err
}

// loopback reports whether a host to listen on can be reached from this machine only.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func (s Settings) proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, p := range s.TrustProxy {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			return nil, setting("--trust-proxy %s: must be a network such as 10.0.0.0/8", p)
		}
		out = append(out, prefix)
	}
	return out, nil
}

const (
	defaultModel  = "gpt-5-mini"
	openAIBaseURL = "https://api.openai.com/v1"
	ollamaBaseURL = "http://127.0.0.1:11434/v1"
)

// chooseModel returns the model that answers.
func (s Settings) chooseModel() (model.Model, error) {
	name := s.Model
	if name == "" && (s.OpenAIKey != "" || s.OpenAIURL != "") {
		name = defaultModel
	}
	if name == "" || name == "demo" || name == "scripted" {
		return scripted.New(scripted.Config{}), nil
	}
	cfg := openai.Config{Model: name, Key: s.OpenAIKey, BaseURL: cmp.Or(s.OpenAIURL, openAIBaseURL)}
	if local, ok := strings.CutPrefix(name, "ollama/"); ok {
		cfg = openai.Config{Model: local, BaseURL: ollamaBaseURL}
	} else if s.OpenAIKey == "" && s.OpenAIURL == "" {
		return nil, setting("--model %s: needs OPENAI_API_KEY or OPENAI_BASE_URL", name)
	}
	m, err := openai.New(cfg)
	if err != nil {
		return nil, setting("--model %s: %v", name, err)
	}
	return m, nil
}

// instructions is what the assistant is told before every conversation.
const instructions = `You are a helpful assistant in Switchboard. Use the tools you have when they make the answer surer: calculate with the calculator, never in your head. Answer briefly and in the language of the question.`

// nodeName returns the node's name; a process that starts again is another worker all the same.
func (s Settings) nodeName() string {
	if s.Name != "" {
		return s.Name
	}
	host, err := os.Hostname()
	if err != nil {
		return "node"
	}
	return host
}

package probe

import (
	"net/http"
	"time"

	"github.com/netra-systems/switchboard"
)

// Credential is how one user of the probe proves who it is: a name and password, or a token.
type Credential struct {
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	Token    string `json:"token,omitempty"`
}

// Config says what to probe. URL and Credentials are needed.
type Config struct {
	URL         string
	Credentials []Credential  // users take them in turn: with fewer credentials than users, users are devices of the same
	Runs        int           // messages to send; 0: 20
	Users       int           // 0: one for each credential
	Devices     int           // of each user, all of which must see the same; 0: 1
	Concurrency int           // runs at once; 0: one for each user
	SLO         float64       // share of runs that must succeed, from 0 to 1; 0: 0.995
	Timeout     time.Duration // of a run, without the time the server asks to wait; 0: 60 s
	Seed        uint64        // of the questions; 0: a random one
	HTTPClient  *http.Client  // nil: http.DefaultClient
	Lossy       bool          // live signals get lost on purpose: the deltas of a text may be its beginning alone, or none
}

// Validate returns an Invalid error whose field names the setting that is wrong.
func (c Config) Validate() error {
	bad := func(field, message string) error {
		return switchboard.Errorf(switchboard.Invalid, "%s", message).At(field)
	}
	switch {
	case c.URL == "":
		return bad("url", "url is needed")
	case len(c.Credentials) == 0:
		return bad("credentials", "at least one is needed")
	case c.Runs < 0 || c.Users < 0 || c.Devices < 0 || c.Concurrency < 0:
		return bad("runs", "figures must not be negative")
	case c.SLO < 0 || c.SLO > 1:
		return bad("slo", "must be from 0 to 1")
	case c.Timeout < 0:
		return bad("timeout", "must not be negative")
	}
	for _, k := range c.Credentials {
		if k.Token == "" && (k.Username == "" || k.Password == "") {
			return bad("credentials", "a token or a name and password are needed")
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	or := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	or(&c.Runs, 20)
	or(&c.Users, len(c.Credentials))
	or(&c.Devices, 1)
	or(&c.Concurrency, c.Users)
	if c.SLO == 0 {
		c.SLO = 0.995
	}
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	return c
}

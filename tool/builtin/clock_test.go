package builtin

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/tool"
)

func TestFindZone(t *testing.T) {
	for in, want := range map[string]string{
		"": "UTC", "utc": "UTC", "GMT": "UTC", "Z": "UTC", "Europe/Berlin": "Europe/Berlin", "europe/berlin": "Europe/Berlin",
		"America/New York": "America/New_York", "Tokyo": "Asia/Tokyo", " tokyo ": "Asia/Tokyo", "new york": "America/New_York",
		"Zürich": "Europe/Zurich", "São Paulo": "America/Sao_Paulo", "München": "Europe/Berlin", "San Francisco": "America/Los_Angeles",
		"Washington, D.C.": "America/New_York", "port-au-prince": "America/Port-au-Prince", "dar es salaam": "Africa/Dar_es_Salaam",
		"isle of man": "Europe/Isle_of_Man", "buenos aires": "America/Buenos_Aires", "Kathmandu": "Asia/Kathmandu", "Sydney": "Australia/Sydney",
		"Etc/GMT+5": "Etc/GMT+5", "cet": "CET", "Japan": "Japan", "indianapolis": "America/Indianapolis", "ushuaia": "America/Argentina/Ushuaia",
	} {
		zone, err := findZone(in)
		if err != nil || zone.String() != want {
			t.Errorf("%q: %v %v, want %s", in, zone, err, want)
		}
	}
	for _, in := range []string{"Local", "local", "LOCAL", "Atlantis", "../../etc/passwd", "/etc/localtime", `Europe\Berlin`, "Europe/", "/", ".", "..", "tzdata.zi", "\x00", "東京", strings.Repeat("a", 65), "Europe/Berlin\x00"} {
		zone, err := findZone(in)
		if switchboard.CodeOf(err) != switchboard.Invalid {
			t.Errorf("%q: %v %v", in, zone, err)
		}
	}
	for name, zone := range cities {
		if _, err := time.LoadLocation(zone); err != nil || words(name) != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClockCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a bubble begins at midnight UTC, 1 January 2000
		for args, want := range map[string]string{
			`{}`:                     `{"zone":"UTC","time":"2000-01-01T00:00:00Z","weekday":"Saturday","text":"Saturday, 1 January 2000, 00:00:00 (UTC)"}`,
			`{"zone":"Tokyo"}`:       `{"zone":"Asia/Tokyo","time":"2000-01-01T09:00:00+09:00","weekday":"Saturday","text":"Saturday, 1 January 2000, 09:00:00 (JST, UTC+09:00)"}`,
			`{"zone":"Los Angeles"}`: `{"zone":"America/Los_Angeles","time":"1999-12-31T16:00:00-08:00","weekday":"Friday","text":"Friday, 31 December 1999, 16:00:00 (PST, UTC-08:00)"}`,
			`{"zone":"Sao Paulo"}`:   `{"zone":"America/Sao_Paulo","time":"1999-12-31T22:00:00-02:00","weekday":"Friday","text":"Friday, 31 December 1999, 22:00:00 (UTC-02:00)"}`,
		} {
			out, err := Clock{}.Call(t.Context(), tool.Invocation{Arguments: json.RawMessage(args)})
			if err != nil || string(out) != want {
				t.Errorf("%s: %s %v", args, out, err)
			}
		}
		if _, err := (Clock{}).Call(t.Context(), tool.Invocation{Arguments: json.RawMessage(`{"zone":"Atlantis"}`)}); err == nil {
			t.Error("Atlantis has no clock")
		}
	})
}

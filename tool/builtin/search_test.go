package builtin

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/tool"
)

// shelf is a Searcher over messages in memory, by user.
type shelf map[switchboard.UserID][]Hit

func (s shelf) Search(_ context.Context, user switchboard.UserID, query string, _ int) ([]Hit, error) {
	var hits []Hit
	for _, h := range s[user] {
		if strings.Contains(strings.ToLower(h.Text), strings.ToLower(query)) {
			hits = append(hits, h)
		}
	}
	return hits, nil
}

type broken struct{ error }

func (b broken) Search(context.Context, switchboard.UserID, string, int) ([]Hit, error) {
	return nil, b
}

func TestSearchThreads(t *testing.T) {
	ann, bob := switchboard.NewUserID("test", "", "ann"), switchboard.NewUserID("test", "", "bob")
	at := time.Date(2026, 11, 24, 3, 28, 0, 123456789, time.FixedZone("", 3600))
	s := shelf{
		ann: {{ThreadID: "t1", Title: "Cats", N: 3, Time: at, By: "you", Text: "My cat is called Miro <b>"}},
		bob: {{ThreadID: "t2", Title: "Dogs", N: 1, Time: at, By: "agent", Text: "A cat is no dog"}},
	}
	for range 30 {
		s[ann] = append(s[ann], Hit{Text: "long " + strings.Repeat("é", 2000), Title: strings.Repeat("é", 2000), Time: at, By: "agent"})
	}
	call := func(user switchboard.UserID, args string) string {
		t.Helper()
		out, err := NewSearchThreads(s).Call(t.Context(), tool.Invocation{User: user, Arguments: json.RawMessage(args)})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	want := `{"query":"CAT","hits":[{"thread_id":"t1","title":"Cats","n":3,"time":"2026-11-24T02:28:00.123Z","by":"you","text":"My cat is called Miro <b>"}]}`
	if got := call(ann, `{"query":" CAT "}`); got != want {
		t.Errorf("%s", got)
	}
	if got := call(bob, `{"query":"Miro"}`); got != `{"query":"Miro","hits":[]}` {
		t.Errorf("another user's: %s", got)
	}
	for args, n := range map[string]int{`{"query":"long"}`: 5, `{"query":"long","limit":20}`: 20, `{"query":"long","limit":1}`: 1, `{"query":"long","limit":99}`: 20} {
		var got struct {
			Hits []struct{ Text, Title string }
		}
		out := call(ann, args)
		if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Hits) != n {
			t.Errorf("%s: %d hits (%v)", args, len(got.Hits), err)
		}
		if limit := switchboard.DefaultLimits().ToolResultBytes; len(out) > limit || len([]rune(got.Hits[0].Text)) != maxHitRunes || len([]rune(got.Hits[0].Title)) != maxTitleRunes {
			t.Errorf("%s: %d bytes", args, len(out))
		}
	}
	for args, s := range map[string]Searcher{`{"query":"  "}`: s, `{"query":"a"}`: broken{errors.New("nats: stream EVENTS_3 is gone")}} {
		if _, err := NewSearchThreads(s).Call(t.Context(), tool.Invocation{User: ann, Arguments: json.RawMessage(args)}); err == nil || strings.Contains(switchboard.AsError(err).Message, "nats") {
			t.Errorf("%s: %v", args, err)
		}
	}
}

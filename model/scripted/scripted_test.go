package scripted

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata"

	"github.com/netra-systems/switchboard/model"
)

// said is all of an answer.
type said struct {
	thinking, text string
	calls          []model.Call
	finish         model.Finish
	usage          *model.Usage
	chunks         []model.Chunk
}

func ask(t *testing.T, m *Model, r model.Request) said {
	t.Helper()
	var s said
	for c, err := range m.Stream(t.Context(), r) {
		if err != nil {
			t.Fatal(err)
		}
		if s.finish != "" {
			t.Fatal("a chunk after Finish")
		}
		s.chunks = append(s.chunks, c)
		s.thinking += c.Thinking
		s.text += c.Text
		if c.Call != nil {
			if c.Call.Index != len(s.calls) {
				t.Fatalf("call %d has the index %d", len(s.calls), c.Call.Index)
			}
			s.calls = append(s.calls, model.Call{ID: c.Call.ID, Tool: c.Call.Tool, Arguments: c.Call.Arguments})
		}
		if c.Usage != nil {
			s.usage = c.Usage
		}
		s.finish = c.Finish
	}
	if s.finish == "" {
		t.Fatal("no Finish")
	}
	return s
}

func offered(names ...string) []model.Tool {
	var ts []model.Tool
	for _, n := range names {
		ts = append(ts, model.Tool{Name: n})
	}
	return ts
}

var allTools = offered("calculator", "clock", "search_threads", "fetch_url")

func request(text string, tools []model.Tool) model.Request {
	return model.Request{Tools: tools, Messages: []model.Message{{Role: model.User, Text: text}}}
}

// converse runs the loop of model and tools until the model has nothing to call.
func converse(t *testing.T, text string, tools []model.Tool, run func(model.Call) string) (calls []model.Call, answer string) {
	t.Helper()
	m := New(Config{WordsPerSecond: -1})
	r := request(text, tools)
	for range 5 {
		s := ask(t, m, r)
		if len(s.calls) == 0 {
			if s.finish != model.FinishStop {
				t.Fatalf("finish %q", s.finish)
			}
			return calls, s.text
		}
		if s.finish != model.FinishCalls {
			t.Fatalf("finish %q with calls", s.finish)
		}
		calls = append(calls, s.calls...)
		r.Messages = append(r.Messages, model.Message{Role: model.Assistant, Text: s.text, Calls: s.calls})
		for _, c := range s.calls {
			r.Messages = append(r.Messages, model.Message{Role: model.ToolRole, CallID: c.ID, Text: run(c)})
		}
	}
	t.Fatal("the model never stops calling")
	return nil, ""
}

func TestCalls(t *testing.T) {
	calc := func(s string) string { return `calculator {"expression":"` + s + `"}` }
	clock := func(s string) string { return `clock {"zone":"` + s + `"}` }
	search := func(s string) string { return `search_threads {"query":"` + s + `"}` }
	fetch := func(s string) string { return `fetch_url {"url":"` + s + `"}` }
	for text, want := range map[string][]string{
		"What is 2+3?":              {calc("2 + 3")},
		"abc123+4x":                 nil,
		"Hello there":               nil,
		"":                          nil,
		"what time is it in Tokyo":  {clock("Asia/Tokyo")},
		"What time is it in tokyo?": {clock("Asia/Tokyo")},
		"time":                      {clock("UTC")},
		"Time?":                     {clock("UTC")},
		"time in New York":          {clock("America/New_York")},
		"what's the time":           {clock("UTC")},
		"What’s the current time in São Paulo right now?":          {clock("America/Sao_Paulo")},
		"what time is it in Tokyo, Paris and New York?":            {clock("Asia/Tokyo"), clock("Europe/Paris"), clock("America/New_York")},
		"what time is it in Europe/Oslo?":                          {clock("Europe/Oslo")},
		"In London, what time is it?":                              {clock("Europe/London")},
		"what time is it in Atlantis":                              {clock("Atlantis")},
		"what time is the meeting?":                                nil,
		"we arrived at the same time":                              nil,
		"which time zone is best?":                                 nil,
		"what time is it, and what is 3 * 4?":                      {clock("UTC"), calc("3 * 4")},
		"What is 3*4 and what time is it in Berlin":                {calc("3 * 4"), clock("Europe/Berlin")},
		"12:30 is the time":                                        nil,
		"what did I say about Rome?":                               {search("Rome")},
		"What did I say about the trip to Rome and what is 2+3?":   {search("the trip to Rome"), calc("2 + 3")},
		"what did I tell you about \"cats\", please":               {search("cats")},
		"find salt and pepper":                                     {search("salt and pepper")},
		"find cats and 2+3":                                        {search("cats"), calc("2 + 3")},
		"Please find version 1.2 notes. What is 1+1?":              {search("version 1.2 notes"), calc("1 + 1")},
		"find the time in Tokyo":                                   {clock("Asia/Tokyo")},
		"find 2+3":                                                 {calc("2 + 3")},
		"I find 2+3 hard":                                          {calc("2 + 3")},
		"search for dogs, then find cats":                          {search("dogs"), search("cats")},
		"fetch https://example.com/a?b=1+2.":                       {fetch("https://example.com/a?b=1+2")},
		"read http://a.example/x, then 2*2":                        {fetch("http://a.example/x"), calc("2 * 2")},
		"a story of 50 words":                                      nil,
		"a 50-word story, 7*6, and the time in Rome":               {calc("7 * 6"), clock("Europe/Rome")},
		"tell me a story about 2+3":                                nil,
		"Write a story of 30 words about a dragon and what is 5-2": {calc("5 - 2")},
		"2+3, 4*5 and what time is it in Oslo? What did I say about tea?": {
			calc("2 + 3"), calc("4 * 5"), clock("Europe/Oslo"), search("tea")},
	} {
		t.Run(text, func(t *testing.T) {
			var got []string
			for _, c := range ask(t, New(Config{WordsPerSecond: -1}), request(text, allTools)).calls {
				got = append(got, c.Tool+" "+c.Arguments)
			}
			if !slices.Equal(got, want) {
				t.Errorf("calls %q, want %q", got, want)
			}
		})
	}
}

func TestAnswersNameEachResult(t *testing.T) {
	const question = "what is 1+1, what time is it in Tokyo, what did I say about Rome? fetch https://example.com"
	results := map[string]string{
		"calculator":     `{"expression":"x","result":"123456789012345678901234567890.5"}`,
		"clock":          `{"zone":"Asia/Tokyo","time":"2026-11-24T12:00:00+09:00","weekday":"Tuesday"}`,
		"search_threads": `{"query":"Rome","hits":[{"title":"Now","text":"` + question + `"},{"title":"Trips","n":3,"text":"I liked Rome"}]}`,
		"fetch_url":      `{"status":200,"title":"Example","text":"An example page"}`,
	}
	calls, answer := converse(t, question, allTools,
		func(c model.Call) string { return results[c.Tool] })
	if len(calls) != 4 {
		t.Fatalf("calls %v", calls)
	}
	at := 0
	for _, want := range []string{"1 + 1 = 123456789012345678901234567890.5", "Tokyo", "2026-11-24T12:00:00+09:00", "Tuesday",
		"Rome” I found 1 place", "Trips: I liked Rome", "https://example.com", "200", "An example page"} {
		i := strings.Index(answer[at:], want)
		if i < 0 {
			t.Fatalf("%q is not in order in %q", want, answer)
		}
		at += i
	}
}

func TestResultsOfManyShapes(t *testing.T) {
	for result, want := range map[string]string{
		`{"result":5}`:                   "2 + 3 = 5",
		`{"result":"5.3","exact":false}`: "2 + 3 = 5.3 (rounded)",
		`{"result":"5"}`:                 "2 + 3 = 5",
		`{"value":5.10}`:                 "2 + 3 = 5.10",
		`5`:                              "2 + 3 = 5",
		`"5"`:                            "2 + 3 = 5",
		`{"sum":5}`:                      `2 + 3 = {"sum":5}`,
		`the tool timed out`:             "I could not find out the value of 2 + 3: the tool timed out.",
		`Denied by the user.`:            "I could not find out the value of 2 + 3: Denied by the user.",
		`{"error":"out of range"}`:       "I could not find out the value of 2 + 3: out of range.",
		``:                               "I could not find out the value of 2 + 3: the tool gave no reason.",
	} {
		if _, answer := converse(t, "2+3", allTools, func(model.Call) string { return result }); answer != want {
			t.Errorf("%s: %q, want %q", result, answer, want)
		}
	}
}

func TestMissingToolsAndResults(t *testing.T) {
	calls, answer := converse(t, "2+3 and the time in Rome", offered("clock"), func(model.Call) string { return `{"time":"noon"}` })
	if len(calls) != 1 || calls[0].Tool != "clock" {
		t.Fatalf("calls %v", calls)
	}
	if !strings.Contains(answer, "no tool calculator") || strings.Contains(answer, "= 5") || !strings.Contains(answer, "noon") {
		t.Errorf("%q", answer)
	}
	r := request("2+3", allTools)
	r.Messages = append(r.Messages, model.Message{Role: model.Assistant, Calls: []model.Call{{ID: "a", Tool: "calculator", Arguments: "{}"}}})
	if s := ask(t, New(Config{WordsPerSecond: -1}), r); len(s.calls) > 0 || !strings.Contains(s.text, "no result") {
		t.Errorf("%+v", s)
	}
}

func TestOnlyTheLastMessageCounts(t *testing.T) {
	r := request("2+3", allTools)
	r.Messages = append(r.Messages,
		model.Message{Role: model.Assistant, Calls: []model.Call{{ID: "a", Tool: "calculator"}}},
		model.Message{Role: model.ToolRole, CallID: "a", Text: `{"result":5}`},
		model.Message{Role: model.Assistant, Text: "2 + 3 = 5"},
		model.Message{Role: model.User, Text: "and 4*5?"})
	s := ask(t, New(Config{WordsPerSecond: -1}), r)
	if len(s.calls) != 1 || s.calls[0].Arguments != `{"expression":"4 * 5"}` {
		t.Errorf("%+v", s.calls)
	}
}

func TestManyWishes(t *testing.T) {
	calls, answer := converse(t, strings.Repeat("1+1, ", 100), allTools, func(model.Call) string { return `{"result":2}` })
	if len(calls) != maxWishes || !strings.Contains(answer, "There was more") {
		t.Errorf("%d calls, %q", len(calls), answer)
	}
}

func TestHugeMessage(t *testing.T) {
	for _, s := range []string{"time in ", "x"} {
		if s := ask(t, New(Config{WordsPerSecond: -1}), request("2+3\n"+strings.Repeat(s, 250_000/len(s)), nil)); !strings.Contains(s.text, "more in your message") {
			t.Errorf("%q", s.text)
		}
	}
}

func TestHelpSaysItIsADemo(t *testing.T) {
	m := New(Config{WordsPerSecond: -1})
	for _, text := range []string{"Hello", "abc123+4x", "who are you?", "help", ""} {
		s := ask(t, m, request(text, allTools))
		if !strings.Contains(s.text, "I am Switchboard's offline demo") || !strings.Contains(s.text, "what time is it in Tokyo") ||
			!strings.Contains(s.text, text) {
			t.Errorf("%q: %q", text, s.text)
		}
	}
	if s := ask(t, m, request("help", nil)); strings.Contains(s.text, "Tokyo") {
		t.Errorf("offers a tool it does not have: %q", s.text)
	}
}

func TestThinkingIsMadeFromTheInput(t *testing.T) {
	m := New(Config{WordsPerSecond: -1})
	seen := map[string]string{}
	for _, text := range []string{"2+3", "2+4", "time in Rome", "Hello", "Hullo", "a story of 20 words", "a story of 21 words"} {
		s := ask(t, m, request(text, allTools))
		if s.chunks[0].Thinking == "" {
			t.Errorf("%q does not begin with thinking", text)
		}
		if before, ok := seen[s.thinking]; ok {
			t.Errorf("%q and %q think the same: %q", before, text, s.thinking)
		}
		seen[s.thinking] = text
	}
}

func TestStories(t *testing.T) {
	m := New(Config{WordsPerSecond: -1})
	for text, want := range map[string]int{
		"a story of 1 word":                   1,
		"tell me a story":                     200,
		"Story, please":                       0,
		"story":                               200,
		"a story of 300 words about a dragon": 300,
		"a story about a dragon in exactly 137 words.":      137,
		"Write me a 1,500-word story about the sea":         1500,
		"I want a short 25 words long fairy tale":           25,
		"a story of 5000 words":                             2000,
		"a story of 99999999999999999999 words":             2000,
		"a story of 0 words":                                1,
		"the story of my life is long":                      0,
		"Please tell me a story of about 60 words on trees": 60,
	} {
		s := ask(t, m, request(text, allTools))
		if got := len(strings.Fields(s.text)); want > 0 && got != want {
			t.Errorf("%q: %d words, want %d: %.200q", text, got, want, s.text)
		} else if want == 0 && !strings.Contains(s.text, "offline demo") {
			t.Errorf("%q is no wish for a story: %q", text, s.text)
		}
	}
	if s := ask(t, m, request("a tale of 40 words and a story of 60 words", nil)); len(strings.Fields(s.text)) != 100 {
		t.Errorf("%d words in two stories", len(strings.Fields(s.text)))
	}
	for n := 1; n <= maxWords; n += 1 + n/50 {
		if got := len(strings.Fields(writeStory(n, "a dragon with a very long name indeed", fmt.Sprint(n)))); got != n {
			t.Fatalf("%d words, want %d", got, n)
		}
	}
	if s := ask(t, m, request("a story of 100 words about a red balloon", nil)); !strings.Contains(s.text, "a red balloon") {
		t.Errorf("the story is not about its topic: %q", s.text)
	}
	_, both := converse(t, "a story of 40 words about tea and a story of 60 words about coffee, and 2+2", allTools,
		func(model.Call) string { return `{"result":4}` })
	if !strings.HasSuffix(both, "\n\n2 + 2 = 4") || len(strings.Fields(both)) != 105 {
		t.Errorf("%d words: %q", len(strings.Fields(both)), both)
	}
}

func TestSameRequestSameChunks(t *testing.T) {
	m := New(Config{WordsPerSecond: -1})
	for _, text := range []string{"a story of 400 words", "2+3 and the time in Rome", "Hello"} {
		a, b := ask(t, m, request(text, allTools)), ask(t, m, request(text, allTools))
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%q: two answers differ", text)
		}
		for _, c := range a.chunks {
			if len(strings.Fields(c.Text)) > 1 || len(strings.Fields(c.Thinking)) > 1 {
				t.Errorf("%q is more than a word", c.Text+c.Thinking)
			}
		}
		if a.usage == nil || a.usage.Input == 0 || a.usage.Output == 0 {
			t.Errorf("usage %v", a.usage)
		}
	}
}

func TestPace(t *testing.T) {
	for _, c := range []struct {
		pace, words int
		min, max    time.Duration
	}{
		{0, 1, 0, time.Second},
		{0, 300, 4 * time.Second, 6 * time.Second},
		{1, 300, 5 * time.Second, 9 * time.Second},
		{0, 2000, 8 * time.Second, 10 * time.Second},
		{-1, 2000, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			ask(t, New(Config{WordsPerSecond: c.pace}), request(fmt.Sprintf("a story of %d words", c.words), nil))
			if d := time.Since(begin); d < c.min || d > c.max {
				t.Errorf("%d words at %d: %v", c.words, c.pace, d)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	cause := errors.New("stopped by its user")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		var last error
		n := 0
		for c, err := range New(Config{}).Stream(ctx, request("a story of 500 words", nil)) {
			if n++; n == 10 {
				time.AfterFunc(time.Millisecond, func() { cancel(cause) })
			}
			if c.Finish != "" {
				t.Error("finished")
			}
			last = err
		}
		if last != cause || n != 11 {
			t.Errorf("%d chunks, then %v", n, last)
		}
	})
}

func TestZonesExist(t *testing.T) {
	for name, zone := range zones {
		if _, err := time.LoadLocation(zone); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if p, n := readPlace(name + "?"); p.zone != zone || n != len(name) {
			t.Errorf("%s is read as %v", name, p)
		}
	}
}

func FuzzStream(f *testing.F) {
	for _, s := range []string{"find ", "a story of 3 words about ", "what time is it in , and", "search for \"\" and find find", "tell me a story about a story"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := ask(t, New(Config{WordsPerSecond: -1}), request(text, allTools))
		if s.thinking == "" || s.text == "" && len(s.calls) == 0 {
			t.Errorf("%q: %+v", text, s)
		}
		for _, c := range s.calls {
			if !json.Valid([]byte(c.Arguments)) {
				t.Errorf("%q: arguments %q", text, c.Arguments)
			}
		}
	})
}

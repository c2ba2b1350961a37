package scripted

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
)

// outcome is what came of a call.
type outcome struct {
	called, answered bool
	text             string
}

// turn is one request, read: the last message of the user and what has happened since.
type turn struct {
	text     string
	has      map[string]bool // the tools
	wishes   []wish
	more     bool
	outcomes []outcome // of the wishes
	begun    bool      // calls were made for this message
}

// read finds the last message of the user, its wishes, and the calls already made for them. Calls belong to wishes in
// their order: a person may have changed a call's arguments when approving it.
func read(r model.Request) turn {
	t := turn{has: make(map[string]bool, len(r.Tools))}
	for _, x := range r.Tools {
		t.has[x.Name] = true
	}
	last := -1
	for i, m := range r.Messages {
		if m.Role == model.User {
			last = i
		}
	}
	if last < 0 {
		return t
	}
	t.text = r.Messages[last].Text
	t.wishes, t.more = findWishes(t.text, t.has)
	t.outcomes = make([]outcome, len(t.wishes))
	results := make(map[string]string)
	for _, m := range r.Messages[last+1:] {
		if m.Role == model.ToolRole {
			results[m.CallID] = m.Text
		}
	}
	next := 0
	for _, m := range r.Messages[last+1:] {
		for _, c := range m.Calls {
			t.begun = true
			i := slices.IndexFunc(t.wishes[next:], func(w wish) bool { return w.tool == c.Tool && t.calls(w) })
			if i < 0 {
				continue
			}
			text, ok := results[c.ID]
			t.outcomes[next+i] = outcome{called: true, answered: ok, text: text}
			next += i + 1
		}
	}
	return t
}

// calls says whether a wish is done by a call.
func (t *turn) calls(w wish) bool { return w.tool != "" && t.has[w.tool] }

// due returns the wishes whose calls are still to be made.
func (t *turn) due() []wish {
	var due []wish
	for i, w := range t.wishes {
		if t.calls(w) && !t.outcomes[i].called {
			due = append(due, w)
		}
	}
	return due
}

// name is a wish as a part of a sentence.
func (w wish) name() string {
	switch w.tool {
	case "calculator":
		return "the value of " + clip(w.label, 80)
	case "clock":
		return "the time in " + clip(w.label, 80)
	case "search_threads":
		return "what was said about " + quote(w.label)
	case "fetch_url":
		return "the page " + clip(w.label, 80)
	}
	if w.tool != "" {
		return "what " + w.tool + " says"
	}
	s := fmt.Sprintf("a story of %d words", w.words)
	if w.topic != "" {
		s += " about " + clip(w.topic, 80)
	}
	return s
}

// think says what this step is about to do.
func (t *turn) think() string {
	if len(t.wishes) == 0 {
		if strings.TrimSpace(t.text) == "" {
			return "There is no text to answer, so I say what I can do."
		}
		return "In " + quote(t.text) + " I find nothing that I can do, so I say what I am and what I can do."
	}
	var names, tools []string
	for _, w := range t.wishes {
		names = append(names, w.name())
	}
	for _, w := range t.due() {
		if !slices.Contains(tools, w.tool) {
			tools = append(tools, w.tool)
		}
	}
	switch {
	case len(tools) > 0:
		return "The message asks for " + list(names) + ". I call " + list(tools) + "."
	case t.begun:
		return "The results are in; I put " + list(names) + " into words."
	}
	return "The message asks for " + list(names) + ". No tool is needed for what I can do of it."
}

func list(s []string) string {
	if len(s) < 2 {
		return strings.Join(s, "")
	}
	return strings.Join(s[:len(s)-1], ", ") + " and " + s[len(s)-1]
}

// answer is the text of the last step.
func (t *turn) answer() string {
	if len(t.wishes) == 0 {
		return t.help()
	}
	var parts []string
	for i, w := range t.wishes {
		parts = append(parts, t.tell(w, t.outcomes[i]))
	}
	if t.more {
		parts = append(parts, fmt.Sprintf("There was more in your message; I do %d things at a time and read %d characters.", maxWishes, maxText))
	}
	return strings.Join(parts, "\n\n")
}

func (t *turn) tell(w wish, o outcome) string {
	switch {
	case w.tool == "":
		return writeStory(w.words, w.topic, t.text)
	case !t.has[w.tool]:
		return "I have no tool " + w.tool + " here, so I cannot tell you " + w.name() + "."
	case !o.answered:
		return "I called " + w.tool + " for " + w.name() + ", but no result came back."
	}
	v := jsontext.Value(strings.TrimSpace(o.text))
	if !worded[w.tool] {
		return w.tool + " says: " + clip(strings.TrimSpace(cmp.Or(scalar(v), o.text)), 500)
	}
	if !v.IsValid() {
		return "I could not find out " + w.name() + ": " + sentenceOf(o.text)
	}
	if e := member(v, "error"); e != "" {
		return "I could not find out " + w.name() + ": " + sentenceOf(e)
	}
	switch w.tool {
	case "calculator":
		s := w.label + " = " + value(v, "result", "value", "answer")
		if raw(v, "exact").Kind() == 'f' {
			s += " (rounded)"
		}
		return s
	case "clock":
		return tellTime(w, v)
	case "search_threads":
		return t.tellMatches(w, v)
	}
	return tellPage(w, v)
}

func sentenceOf(s string) string {
	s = clip(strings.Join(strings.Fields(s), " "), 300)
	if s == "" {
		return "the tool gave no reason."
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}

// member returns a member of a JSON object as text, "" if there is none. A string is given as it is, anything else as
// its JSON, so that a number keeps its digits.
func member(v jsontext.Value, name string) string { return scalar(raw(v, name)) }

func raw(v jsontext.Value, name string) jsontext.Value {
	var o map[string]jsontext.Value
	if v.Kind() != '{' || json.Unmarshal(v, &o) != nil {
		return nil
	}
	return o[name]
}

func scalar(v jsontext.Value) string {
	var s string
	if len(v) == 0 || v.Kind() == 'n' || v.Kind() == 'f' {
		return ""
	}
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

// value returns the first of the named members, or the whole of a result that has none.
func value(v jsontext.Value, names ...string) string {
	for _, n := range names {
		if s := member(v, n); s != "" {
			return s
		}
	}
	return clip(scalar(v), 500)
}

func tellTime(w wish, v jsontext.Value) string {
	said := value(v, "text", "local", "time", "now", "iso", "rfc3339")
	for _, n := range []string{"date", "weekday"} {
		if s := member(v, n); s != "" && !strings.Contains(said, s) {
			said += ", " + s
		}
	}
	where := w.label
	if zone := member(v, "zone"); zone != "" && zone != where {
		where += " (" + zone + ")"
	}
	return "The time in " + where + ": " + said
}

func (t *turn) tellMatches(w wish, v jsontext.Value) string {
	var found []jsontext.Value
	if v.Kind() == '[' {
		_ = json.Unmarshal(v, &found) // v is valid, so it is read
	}
	for _, n := range []string{"matches", "results", "hits", "threads", "messages"} {
		if s := member(v, n); strings.HasPrefix(s, "[") {
			_ = json.Unmarshal([]byte(s), &found)
			break
		}
	}
	found = slices.DeleteFunc(found, func(v jsontext.Value) bool { return member(v, "text") == t.text }) // the question itself
	if len(found) == 0 {
		return "I found nothing about " + quote(w.label) + " in your conversations."
	}
	var b strings.Builder
	fmt.Fprintf(&b, "About %s I found %d %s in your conversations:", quote(w.label), len(found), plural(len(found), "place", "places"))
	for i, f := range found {
		if i == 5 {
			fmt.Fprintf(&b, "\n- and %d more", len(found)-i)
			break
		}
		said := strings.Join(strings.Fields(value(f, "snippet", "text", "excerpt", "message")), " ")
		if title := member(f, "title"); title != "" && title != said {
			said = strings.Join(strings.Fields(title), " ") + ": " + said
		}
		b.WriteString("\n- " + clip(said, 200))
	}
	return b.String()
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func tellPage(w wish, v jsontext.Value) string {
	s := "The page " + clip(w.label, 200)
	if n := member(v, "status"); n != "" {
		s += " (status " + n + ")"
	}
	if title := member(v, "title"); title != "" {
		s += ", " + quote(title) + ","
	}
	said := clip(strings.Join(strings.Fields(value(v, "text", "body", "content")), " "), 400)
	return s + " says: " + said
}

// help says what this model is and can do with the tools it is given.
func (t *turn) help() string {
	var b strings.Builder
	said := strings.TrimSpace(t.text)
	if greets(said) {
		b.WriteString("Hello! ")
	}
	b.WriteString("I am Switchboard's offline demo, a script and not a language model")
	if said == "" {
		b.WriteString(".")
	} else {
		b.WriteString(", so I have no real answer to " + quote(said) + ".")
	}
	b.WriteString(" What I can do:\n")
	for _, x := range []struct{ tool, text string }{
		{"calculator", "arithmetic, such as 12.5 * (3 + 4)"},
		{"clock", "the time, such as: what time is it in Tokyo?"},
		{"search_threads", "your conversations, such as: what did I say about Rome?"},
		{"fetch_url", "web pages, such as: fetch https://example.com"},
		{"", "stories, such as: a story of 100 words about a lighthouse"},
	} {
		if x.tool == "" || t.has[x.tool] {
			b.WriteString("\n- " + x.text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.has)) {
		if !worded[name] {
			b.WriteString("\n- your own tools, such as: " + name + ` {"name": "value"}`)
			break
		}
	}
	b.WriteString("\n\nSeveral of them in one message are fine. For real answers, start Switchboard with a model: set OPENAI_API_KEY or OPENAI_BASE_URL.")
	return b.String()
}

func greets(s string) bool {
	first, _, _ := strings.Cut(strings.ToLower(s), " ")
	switch strings.Trim(first, ".,!?") {
	case "hello", "hi", "hey", "hallo", "greetings", "good", "howdy", "bonjour", "hola", "moin", "servus":
		return true
	}
	return false
}

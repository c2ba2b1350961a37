package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/model"
)

// serveModel starts a server whose model answers as a script says: by the text of the question, with a step's chunks for
// each request of it.
func serveModel(t *testing.T, script map[string][][]model.Chunk, args ...string) *server {
	t.Helper()
	m, err := fakemodel.Start(fakemodel.Config{Script: func(r fakemodel.Request) *fakemodel.Answer {
		steps, ok := script[r.Text()]
		if !ok || r.Step() > len(steps) {
			return nil
		}
		chunks := slices.Clone(steps[r.Step()-1])
		finish := model.FinishStop
		if slices.ContainsFunc(chunks, func(c model.Chunk) bool { return c.Call != nil }) {
			finish = model.FinishCalls
		}
		return &fakemodel.Answer{Chunks: append(chunks, model.Chunk{Finish: finish})}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return serve(t, t.TempDir(), append([]string{"--model", "fake", "--openai-base-url", m.URL()}, args...)...)
}

// pieces is a text in chunks of a few characters, so that everything is seen half written.
func pieces(text string) []model.Chunk {
	var out []model.Chunk
	for part := range slices.Chunk([]rune(text), 5) {
		out = append(out, model.Chunk{Text: string(part)})
	}
	return out
}

// attacks are texts that become markup or code in a page that is not careful.
var attacks = []string{
	`<img src=x onerror="window.hacked=1;alert(1)">`,
	`<script>window.hacked=1;alert(1)</script>`,
	`"><svg onload="window.hacked=1;alert(1)">`,
	`<iframe srcdoc="<script>parent.hacked=1</script>"></iframe>`,
	`<details open ontoggle="window.hacked=1">`,
	`<style>* { display: none }</style>`,
	`<form action="https://evil.example"><input autofocus onfocus="window.hacked=1"></form>`,
	`<base href="https://evil.example/">`,
	`<meta http-equiv="refresh" content="0;url=https://evil.example">`,
	`[click me](javascript:window.hacked=1)`,
	"[click me](java\tscript:window.hacked=1)",
	`[click me]( JaVaScRiPt:window.hacked=1)`,
	`[click me](data:text/html,<script>alert(1)</script>)`,
	`[click me](vbscript:alert(1))`,
	`[a](https://evil.example/"onmouseover="window.hacked=1)`,
	`[<img src=x onerror=window.hacked=1>](https://evil.example/<img/src=x/onerror=window.hacked=1>)`,
	`![picture](https://evil.example/track.png)`,
	`<javascript:window.hacked=1>`,
	`{{constructor.constructor("window.hacked=1")()}}`,
	`${window.hacked=1}`,
}

// foreign lists what is in the page and must not be: elements that it does not make, attributes that run code, links
// elsewhere than they may go, and what was loaded from elsewhere.
const foreign = `(() => {
	const made = "a blockquote br button code del dialog div em figcaption figure form h1 h2 h3 h4 h5 h6 header hr input label li main nav ol p path pre rect section small span strong svg table tbody td textarea th thead time tr ul".split(" ");
	const found = [];
	for (const e of document.querySelectorAll("#page *")) {
		if (!made.includes(e.localName)) found.push("element " + e.localName);
		for (const a of e.attributes) if (/^(on|src|srcdoc|style$|formaction)/.test(a.name) && !(a.name === "style" && e.id === "text")) found.push("attribute " + e.localName + " " + a.name);
	}
	for (const a of document.querySelectorAll("#page a")) {
		if (!["http:", "https:", "mailto:"].includes(a.protocol)) found.push("link to " + a.href);
		if (a.target && !a.relList.contains("noopener")) found.push("link that gives the page away " + a.href);
	}
	for (const r of performance.getEntriesByType("resource")) if (new URL(r.name).origin !== location.origin) found.push("loaded " + r.name);
	if ("hacked" in window) found.push("code ran");
	return found;
})()`

func (b *tab) checkNothingForeign(where string) {
	b.t.Helper()
	for _, f := range js[[]string](b, foreign) {
		b.t.Errorf("%s: %s", where, f)
	}
}

// browserHostile lets attacks come from everywhere: answers, thinking, tool names, arguments, results, questions, titles.
func browserHostile(t *testing.T, browser context.Context) {
	all := strings.Join(attacks, "\n\n")
	fenced := "```" + attacks[0] + "\n" + all + "\n```\n\n| " + attacks[0] + " | b |\n|---|---|\n| " + attacks[1] + " | `" + attacks[2] + "` |\n\n# " + attacks[0] + "\n\n- " + strings.Join(attacks, "\n- ") + "\n\n> " + all
	query, err := json.Marshal(map[string]string{"query": "hacked"})
	if err != nil {
		t.Fatal(err)
	}
	s := serveModel(t, map[string][][]model.Chunk{
		all: {append([]model.Chunk{{Thinking: all}}, pieces(all+"\n\n"+fenced)...)},
		"search": {{
			{Text: attacks[0]}, {Call: &model.CallChunk{Index: 0, ID: "c1", Tool: "search_threads", Arguments: string(query)}},
			{Call: &model.CallChunk{Index: 1, ID: "c2", Tool: `<img src=x onerror=window.hacked=1>`, Arguments: `{"a":"` + `<img src=x onerror=window.hacked=1>` + `"}`}},
			{Call: &model.CallChunk{Index: 2, ID: "c3", Tool: "calculator", Arguments: `{"expression":"<img src=x onerror=window.hacked=1>"}`}},
		}, pieces("found it")},
	})
	s.user(t, "ada")
	b := openPage(t, browser, s)
	b.logIn("ada", "the-password-of-ada")

	b.say(all)
	b.untilEnded(1)
	b.checkNothingForeign("an answer")
	shown := b.text(".run .answer")
	for _, a := range attacks {
		if strings.HasPrefix(a, "<") && !strings.Contains(shown, a) {
			t.Errorf("not shown as it was written: %s", a)
		}
	}
	if title := b.text("h1"); !strings.HasPrefix(title, attacks[0]) {
		t.Errorf("the title: %s", title)
	}
	b.click("#rename")
	b.until(`document.activeElement?.id === "title"`)
	b.write(attacks[2])
	b.press(kb.Enter)
	b.until(fmt.Sprintf(`document.querySelector("h1").textContent === %q && document.querySelector(".chats .title").textContent === %[1]q`, attacks[2]))
	b.checkNothingForeign("a title")
	b.click("#delete")
	b.untilSeen("dialog")
	b.checkNothingForeign("a dialog")
	b.press(kb.Escape)

	b.click("#new")
	b.say("search")
	b.untilEnded(1)
	calls := b.count(".fold")
	for i := range calls {
		js[bool](b, fmt.Sprintf(`(document.querySelectorAll(".fold")[%d].click(), true)`, i))
	}
	b.until(fmt.Sprintf(`document.querySelectorAll(".values").length === %d`, calls))
	b.checkNothingForeign("tools")
	if values := b.text(".steps"); calls != 3 || !strings.Contains(values, "window.hacked=1;alert(1)") || !strings.Contains(values, `<img src=x onerror=window.hacked=1>`) {
		t.Errorf("%d calls, shown:\n%s", calls, values)
	}
	b.do(chromedp.Reload())
	b.untilEnded(1)
	b.checkNothingForeign("a reload")

	// The browser itself refuses to make markup of text, and the check would see it.
	b.expect("requires 'TrustedHTML' assignment")
	refused := js[bool](b, `(() => { try { document.querySelector(".runs").innerHTML = "<b>x</b>"; return false; } catch (e) { return e instanceof TypeError; } })()`)
	if !refused {
		t.Error("the browser lets the page turn text into markup")
	}
	js[bool](b, `(document.querySelector(".runs").append(Object.assign(document.createElement("img"), { alt: "planted" })), true)`)
	if found := js[[]string](b, foreign); !slices.Contains(found, "element img") {
		t.Errorf("what was planted is not found: %v", found)
	}
	t.Logf("%d attacks from answers, thinking, tools, questions and titles: no dialog, no code ran, nothing injected", len(attacks))
}

// deepText is Markdown that is slow to read for a reader that looks ahead too much or nests too deep.
func deepText() string {
	const n = 15_000
	var b strings.Builder
	for _, s := range []string{"> ", "*a **b ", "[", "[a](", "`x ``", "<", "http://[", "- ", "_", "~~~", "!["} {
		b.WriteString(strings.Repeat(s, n/len(s)) + "\n\n")
	}
	for _, s := range []string{"# " + strings.Repeat(" ", n) + "x", "``` " + strings.Repeat("a ", n/2) + "`", strings.Repeat("~", n) + "`", "a | b\n---" + strings.Repeat(" ", n) + "x", "`` " + strings.Repeat(" ", n) + "x``"} {
		b.WriteString(s + "\n\n")
	}
	return b.String()
}

const richText = "# Heading\n\nSome **bold**, *slanted*, ~~gone~~ and `code` text, 2*3*4 = 24, snake_case_name.\nA second line.\n\n" +
	"1. first\n2. second\n   - inner *one*\n   - inner two\n\n   more of the second\n3. third\n\n- a\n- b\n\n" +
	"> quoted\n> on two lines\n\n```go\nfunc main() {\n\tfmt.Println(\"<b>\")\n}\n```\n\n" +
	"| left | right |\n|:-----|------:|\n| 1 \\| 2 | `x` |\n| only |\n\n---\n\n" +
	"[a link](https://example.com/a_(b)?q=1 \"title\"), <https://example.org>, https://example.net/path. And mailto: [me](mailto:me@example.com), [not](javascript:x), [nor](/relative).\n\n" +
	"An *open mark, a `tick, a [bracket](and **more\n\n~~~\nopen fence"

// browserMarkdown: an answer in Markdown is the elements it means, the same while it is written and after a reload.
func browserMarkdown(t *testing.T, browser context.Context) {
	deep := deepText()
	s := serveModel(t, map[string][][]model.Chunk{"rich": {pieces(richText)}, "deep": {{{Text: deep}}}})
	s.user(t, "ada")
	b := openPage(t, browser, s)
	b.logIn("ada", "the-password-of-ada")
	b.say("rich")
	b.untilEnded(1)
	for selector, want := range map[string]string{
		"h3.h1": "Heading", "strong": "bold", "em": "slanted", "del": "gone", "p > code": "code", "p:nth-of-type(1)": "Some bold, slanted, gone and code text, 2*3*4 = 24, snake_case_name.\nA second line.",
		"ol > li:nth-child(1)": "first", "ol > li:nth-child(2) > ul > li:nth-child(1) em": "one", "ol > li:nth-child(2) > p": "more of the second",
		"ol > li:nth-child(3)": "third", ".markdown > ul > li:nth-child(2)": "b", "blockquote": "quoted\non two lines",
		".code pre": "func main() {\n\tfmt.Println(\"<b>\")\n}", ".code figcaption span": "go", "th:nth-child(1)": "left", "td:nth-child(1)": "1 | 2", "td.right code": "x",
		`a[href="https://example.com/a_(b)?q=1"]`: "a link", `a[href="https://example.org/"]`: "https://example.org", `a[href="https://example.net/path"]`: "https://example.net/path",
		`a[href="mailto:me@example.com"]`: "me", ".markdown > p:last-of-type": "An *open mark, a `tick, a [bracket](and **more", ".code:last-child pre": "open fence",
	} {
		if got := b.text(".run .markdown " + strings.TrimPrefix(selector, ".markdown ")); got != want {
			t.Errorf("%s: %q, want %q", selector, got, want)
		}
	}
	if n := b.count(".markdown a"); n != 4 {
		t.Errorf("%d links", n)
	}
	if text := b.text(".markdown"); !strings.Contains(text, "[not](javascript:x), [nor](/relative)") {
		t.Errorf("unsafe links: %s", text)
	}
	written := js[string](b, `document.querySelector(".markdown").outerHTML`)
	b.do(chromedp.Reload())
	b.untilEnded(1)
	if again := js[string](b, `document.querySelector(".markdown").outerHTML`); again != written {
		t.Errorf("while it was written:\n%s\nafter a reload:\n%s", written, again)
	}
	b.click(".code .copy")
	b.until(`document.querySelector(".code .copy").innerText === "Copied"`)
	if got := js[string](b, `(getSelection().removeAllRanges(), document.querySelector("#text").value)`); got != "" {
		t.Errorf("the message box holds %q", got)
	}

	b.click("#new")
	b.say("deep")
	b.untilEnded(1)
	if n := js[int](b, `document.querySelector(".markdown").innerText.length`); n < len(deep)/2 {
		t.Errorf("%d characters are shown of %d", n, len(deep))
	}
	longest := js[float64](b, `new Promise((done) => { new PerformanceObserver((l, o) => { o.disconnect(); done(Math.max(...l.getEntries().map((e) => e.duration))); }).observe({ type: "longtask", buffered: true }); setTimeout(() => done(0), 2000); })`)
	if t.Logf("%d KB of hostile Markdown: the page was busy for at most %.0f ms", len(deep)>>10, longest); longest > 3000 {
		t.Error("the page hangs")
	}
}

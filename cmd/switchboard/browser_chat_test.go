package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/netra-systems/switchboard"
)

// chatOf is the thread that a tab shows.
func (b *tab) chatOf() switchboard.ThreadID {
	b.t.Helper()
	b.until(`location.hash.length > 1`)
	return switchboard.ThreadID(js[string](b, `location.hash.slice(1)`))
}

// ends are the last events of the runs of a thread, as the server has them.
func ends(t *testing.T, s *server, token string, thread switchboard.ThreadID) []switchboard.Event {
	t.Helper()
	var out []switchboard.Event
	for _, b := range s.stored(t, token, thread) {
		e, err := switchboard.DecodeEvent(b)
		if err != nil {
			t.Fatal(err)
		}
		if e.Type.Terminal() {
			out = append(out, e)
		}
	}
	return out
}

// checkAnswer compares the last answer that a tab shows with what is stored, to the letter.
func (b *tab) checkAnswer(s *server, token string) string {
	b.t.Helper()
	all := ends(b.t, s, token, b.chatOf())
	end, ok := all[len(all)-1].Payload.(*switchboard.AgentCompletedEvent)
	if !ok {
		b.t.Fatalf("the run ended with %+v", all[len(all)-1])
	}
	if got := b.answer(); got != end.Text {
		b.t.Errorf("shown:\n%q\nstored:\n%q", got, end.Text)
	}
	return end.Text
}

// browserGoldenPath: a first visit, the three examples, the timeline, a rename, a second chat, logging out and in.
func browserGoldenPath(t *testing.T, browser context.Context) {
	s := serve(t, t.TempDir())
	token := s.user(t, "ada")
	b := openPage(t, browser, s)

	b.until(`document.activeElement?.id === "username"`)
	b.write("ada")
	b.press(kb.Tab)
	b.write("not the password")
	b.press(kb.Enter)
	b.until(`document.querySelector("[role=alert]").textContent.length > 5`)
	b.goTo(s.url)
	b.logIn("ada", "the-password-of-ada")

	if n := b.count(".examples button"); n != 3 {
		t.Fatalf("%d examples", n)
	}
	b.click(".examples li:nth-child(1) button")
	b.untilEnded(1)
	if text := b.checkAnswer(s, token); !strings.Contains(text, "446") {
		t.Errorf("the sum: %q", text)
	}
	want := []string{"agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"}
	shown := js[[]string](b, `[...document.querySelectorAll(".run [data-event]")].map((e) => e.dataset.event)`)
	at := 0
	for _, e := range shown {
		if at < len(want) && e == want[at] {
			at++
		}
	}
	if at != len(want) {
		t.Errorf("the timeline shows %v, not %v in this order", shown, want)
	}
	b.click(".run .fold")
	b.untilSeen(".values pre")
	if values := b.text(".values"); !strings.Contains(values, `"expression": "0.175 * 2480 + 12"`) || !strings.Contains(values, `"result": "446"`) {
		t.Errorf("arguments and result: %s", values)
	}

	b.click("#text")
	b.say("What time is it in Tokyo?")
	b.untilEnded(2)
	b.checkAnswer(s, token)
	if got := b.count(".run:first-child .step"); got != 0 {
		t.Errorf("the timeline of the older answer still shows %d steps", got)
	}
	b.manageChats(s, token, b.chatOf())

	b.click("#logout")
	b.untilSeen("#username")
	b.logIn("ada", "the-password-of-ada")
	b.until(`document.querySelectorAll(".chats .title").length === 1`)
}

// manageChats renames the first chat, begins a second one, goes between them and deletes the first.
func (b *tab) manageChats(s *server, token string, first switchboard.ThreadID) {
	b.t.Helper()
	b.click("#rename")
	b.until(`document.activeElement?.id === "title"`)
	b.write("Sums and clocks")
	b.press(kb.Enter)
	b.until(`document.querySelector("h1").innerText === "Sums and clocks" && document.querySelector(".chats a[aria-current] .title").innerText === "Sums and clocks"`)
	b.until(`document.title === "Sums and clocks – Switchboard"`)

	b.click("#new")
	b.untilSeen(".welcome")
	b.say("Tell me a story of 30 words")
	b.untilEnded(1)
	if text := b.checkAnswer(s, token); len(strings.Fields(text)) != 30 {
		b.t.Errorf("the story: %q", text)
	}
	if titles := js[[]string](b, `[...document.querySelectorAll(".chats .title")].map((e) => e.innerText)`); len(titles) != 2 || titles[1] != "Sums and clocks" {
		b.t.Errorf("the list: %q", titles)
	}

	b.click(fmt.Sprintf(".chats a[href='#%s']", first))
	b.untilEnded(2)
	b.do(chromedp.NavigateBack())
	b.untilEnded(1)
	b.do(chromedp.NavigateForward())
	b.untilEnded(2)
	b.click("#delete")
	b.click("dialog .danger")
	b.until(`document.querySelectorAll(".chats .title").length === 1 && document.querySelector(".welcome")`)
}

// midAnswer begins a story and returns when a part of it is shown.
func (b *tab) midAnswer(words int) {
	b.t.Helper()
	b.say(fmt.Sprintf("Tell me a story of %d words", words))
	b.until(`document.querySelector(".run.busy .markdown")?.innerText.split(/\s+/).length > 25`)
}

// browserRefresh reloads the page twice while an answer is written.
func browserRefresh(t *testing.T, browser context.Context) {
	s := serve(t, t.TempDir())
	token := s.user(t, "ada")
	b := openPage(t, browser, s)
	b.logIn("ada", "the-password-of-ada")
	b.midAnswer(540)
	for range 2 {
		before := b.answer()
		b.do(chromedp.Reload())
		b.until(`document.querySelector(".run.busy .markdown")`)
		if after := b.answer(); !strings.HasPrefix(after, before) {
			t.Errorf("before the reload:\n%q\nafter it:\n%q", before, after)
		}
	}
	b.untilEnded(1)
	if n := len(strings.Fields(b.checkAnswer(s, token))); n != 540 {
		t.Errorf("the story has %d words", n)
	}
}

// browserKill kills the server while an answer is written, and starts it again: the page says so, and the chat goes on.
func browserKill(t *testing.T, browser context.Context) {
	s := serve(t, t.TempDir())
	token := s.user(t, "ada")
	b := openPage(t, browser, s)
	b.expect("ERR_CONNECTION_REFUSED", "WebSocket connection to")
	b.logIn("ada", "the-password-of-ada")
	b.midAnswer(300)
	s.end(t, "KILL")
	b.until(`document.querySelector("#connection").dataset.state === "waiting"`)
	if said := b.text("#connection"); !strings.Contains(said, "Reconnecting in ") {
		t.Errorf("the connection line says %q", said)
	}
	s.restart(t)
	b.live()
	b.untilEnded(1)
	if n := len(strings.Fields(b.checkAnswer(s, token))); n != 300 {
		t.Errorf("the story has %d words", n)
	}
	b.say("What is 2 + 3?")
	b.untilEnded(2)
	if text := b.checkAnswer(s, token); !strings.Contains(text, "5") {
		t.Errorf("after the restart: %q", text)
	}
	if n := b.count(".run .question"); n != 2 {
		t.Errorf("%d questions are shown", n)
	}
}

// browserTwoTabs: what happens in one tab happens in the other.
func browserTwoTabs(t *testing.T, browser context.Context) {
	s := serve(t, t.TempDir())
	token := s.user(t, "ada")
	one := openPage(t, browser, s)
	one.logIn("ada", "the-password-of-ada")
	two := newTab(t, one.ctx)
	two.goTo(s.url)
	two.live()

	one.midAnswer(300)
	two.until(`document.querySelectorAll(".chats .title").length === 1 && document.querySelector(".chats .busy")`)
	two.click(".chats li a")
	two.until(`document.querySelector(".run.busy .markdown")`)
	one.untilEnded(1)
	two.untilEnded(1)
	if a, b := one.checkAnswer(s, token), two.checkAnswer(s, token); a != b {
		t.Errorf("the tabs differ:\n%q\n%q", a, b)
	}

	two.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#text").focus()`))
	two.say("Tell me a story of 540 words")
	one.until(`document.querySelector("#stop")`)
	one.until(`document.querySelector(".run.busy .markdown")?.innerText.length > 40`)
	one.click("#stop")
	for _, b := range []*tab{one, two} {
		b.untilEnded(2)
		if end := b.text(".run:last-child .outcome"); !strings.Contains(end, "You stopped this answer") {
			t.Errorf("the end is %q", end)
		}
	}
	if got := ends(t, s, token, one.chatOf()); len(got) != 2 || got[1].Type != switchboard.AgentStopped {
		t.Errorf("ends: %+v", got)
	}
	if a, b := one.answer(), two.answer(); a != b || a == "" {
		t.Errorf("the tabs differ:\n%q\n%q", a, b)
	}

	one.click("#delete")
	one.click("dialog .danger")
	two.until(`document.querySelector(".welcome") && document.querySelector(".notice")?.innerText === "This chat was deleted."`)
	two.expect("401")
	one.click("#logout")
	two.until(`document.querySelector("#username")`)
	if note := two.text("[role=alert]"); !slices.Contains([]string{"Your session has ended. Log in again."}, note) {
		t.Errorf("the other tab says %q", note)
	}
}

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/netra-systems/switchboard/model"
)

// browserApprovals: a tool that needs a person shows exactly what it would do, and does as the person says.
func browserApprovals(t *testing.T, browser context.Context) {
	s := serve(t, t.TempDir(), "--fetch-url")
	s.user(t, "ada")
	b := openPage(t, browser, s)
	b.logIn("ada", "the-password-of-ada")
	for i, x := range []struct{ button, decided, state string }{
		{".deny", "Denied by you", "denied"},
		{".approve", "Approved by you", "failed"}, // the address is not public
	} {
		b.say(fmt.Sprintf("fetch http://127.0.0.1/%d", i))
		b.untilSeen(".ask")
		if args := b.text(".ask pre"); args != fmt.Sprintf("{\n  \"url\": \"http://127.0.0.1/%d\"\n}", i) {
			t.Errorf("the arguments are shown as %q", args)
		}
		b.until(`document.querySelector("#announcer").innerText === "fetch_url asks for your approval."`)
		b.do(chromedp.Reload())
		b.untilSeen(".ask")
		b.click(".ask " + x.button)
		b.untilEnded(i + 1)
		steps := b.text(".run:last-child .steps")
		if !strings.Contains(steps, x.decided) || !strings.Contains(b.text(".run:last-child .state"), x.state) {
			t.Errorf("after %s:\n%s", x.button, steps)
		}
	}
}

// browserFailures: an answer that breaks off is shown as far as it came, says so, and can be asked for again.
func browserFailures(t *testing.T, browser context.Context) {
	long := strings.Repeat("thinking of it ", 60)
	s := serveModel(t, map[string][][]model.Chunk{"think": {{{Thinking: long}, {Text: "thought"}}}})
	s.user(t, "ada")
	b := openPage(t, browser, s)
	b.logIn("ada", "the-password-of-ada")
	b.say("[[fake:text Half of an answer, and then]] [[fake:cut after=3]]")
	b.untilEnded(1)
	if text, end := b.answer(), b.text(".run .outcome"); text != "Half of an" || !strings.HasPrefix(end, "This answer failed: ") {
		t.Errorf("shown: %q, %q", text, end)
	}
	b.until(`document.querySelector("#announcer").innerText.includes("This answer failed")`)
	b.click(".outcome button")
	b.untilEnded(2)
	if asked := js[[]string](b, `[...document.querySelectorAll(".question > div")].map((e) => e.innerText)`); len(asked) != 2 || asked[0] != asked[1] {
		t.Errorf("asked: %q", asked)
	}
	b.click("#text")
	b.say("think")
	b.untilEnded(3)
	thought := ".run:last-child .step.thought button"
	if said := js[string](b, fmt.Sprintf(`document.querySelector(%q).parentElement.innerText`, thought)); len(said) > 400 {
		t.Errorf("a long thought is shown with %d characters", len(said))
	}
	b.click(thought)
	b.until(fmt.Sprintf(`[...document.querySelectorAll(".run:last-child .step.thought")].some((e) => e.innerText.includes(%q))`, strings.TrimSpace(long)))
}

// tabTo presses Tab until an element has the focus; every stop on the way must show it.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 60 {
		b.press(kb.Tab)
		on := js[string](b, fmt.Sprintf(`(() => {
			const e = document.activeElement;
			const seen = e === document.body || e.id === "text" || e.id === "title" || getComputedStyle(e).outlineStyle !== "none";
			return e.matches(%q) ? "there" : seen ? "" : "no sign of the focus on " + e.outerHTML.slice(0, 200);
		})()`, selector))
		if on == "there" {
			return
		}
		if on != "" {
			b.t.Error(on)
		}
	}
	b.t.Fatalf("Tab does not lead to %s", selector)
}

func (b *tab) focused(selector string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.activeElement?.matches(%q)`, selector))
}

// browserKeyboard does everything without a pointer.
func browserKeyboard(t *testing.T, browser context.Context) {
	s := serve(t, t.TempDir())
	token := s.user(t, "ada")
	b := openPage(t, browser, s)
	b.logIn("ada", "the-password-of-ada")
	b.focused("#text")
	b.tabTo(".skip")
	b.press(kb.Enter)
	b.focused("#text")

	b.tabTo(".examples li:nth-child(3) button")
	b.press(kb.Enter)
	b.untilEnded(1)
	b.until(`document.querySelector("#announcer").innerText.length > 300`) // the answer is said
	b.checkAnswer(s, token)

	b.tabTo("#text")
	b.write("What is 1 + 1?")
	b.press("shift+" + kb.Enter)
	b.write("And 2 + 2?")
	b.until(`document.querySelector("#text").value === "What is 1 + 1?\nAnd 2 + 2?"`)
	b.press(kb.Enter)
	b.untilEnded(2)
	if asked := b.text(".run:last-child .question > div"); asked != "What is 1 + 1?\nAnd 2 + 2?" {
		t.Errorf("asked: %q", asked)
	}
	b.tabTo(".run:last-child .head")
	b.press(kb.Enter)
	b.until(`!document.querySelector(".run:last-child .steps")`)
	b.press(kb.Enter)
	b.tabTo(".run:last-child .fold")
	b.press(kb.Enter)
	b.untilSeen(".run:last-child .values")

	const good, bad = ".run:last-child .rate.good", ".run:last-child .rate.bad"
	pressed := func(good, bad bool) {
		b.until(fmt.Sprintf(`(() => {
			const on = (s) => document.querySelector(".run:last-child .rate." + s)?.getAttribute("aria-pressed") === "true";
			return on("good") === %v && on("bad") === %v;
		})()`, good, bad))
	}
	b.tabTo(good)
	b.press(kb.Enter)
	pressed(true, false)
	b.until(`document.querySelector("#announcer").innerText === "Rated as good."`)
	b.focused(good)
	b.tabTo(bad)
	b.press(" ")
	pressed(false, true)
	b.do(chromedp.Reload())
	b.untilEnded(2)
	pressed(false, true) // it is in the log

	b.tabTo("#text")
	b.write("Tell me a story of 500 words")
	b.press(kb.Enter)
	b.until(`document.querySelector(".run.busy .markdown")`)
	b.press(kb.Escape)
	b.untilEnded(3)
	if end := b.text(".run:last-child .outcome"); end != "You stopped this answer." {
		t.Errorf("the end is %q", end)
	}

	b.tabTo("#rename")
	b.press(kb.Enter)
	b.focused("#title")
	b.press(kb.Escape)
	b.focused("#rename")
	if b.count("dialog") != 0 {
		t.Error("Escape does not close the dialog")
	}
	b.press(kb.Enter)
	b.focused("#title")
	b.write("By hand")
	b.press(kb.Enter)
	b.until(`document.querySelector("h1").innerText === "By hand"`)

	b.tabTo("#new")
	b.press(kb.Enter)
	b.focused("#text")
	b.untilSeen(".welcome")
	b.tabTo(".chats li a")
	b.press(kb.Enter)
	b.untilEnded(3)
	b.tabTo("#delete")
	b.press(kb.Enter)
	b.untilSeen("dialog")
	b.tabTo("dialog .danger")
	b.press(kb.Enter)
	b.until(`document.querySelector(".notice") && !document.querySelector("dialog")`)
	b.focused("#text")
	b.tabTo("#logout")
	b.press(kb.Enter)
	b.focused("#username")
}

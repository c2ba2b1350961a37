package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/model"
)

// badLine makes a page's sockets lose every fourth delta, and give every third of the others twice; it notes the types
// of frames that are sent.
const badLine = `(() => {
	const Real = WebSocket;
	window.sentTypes = [];
	let deltas = 0;
	window.WebSocket = class extends Real {
		addEventListener(type, listener) {
			super.addEventListener(type, type !== "message" ? listener : (e) => {
				if (JSON.parse(e.data).type === "agent_delta") {
					deltas++;
					if (deltas % 4 === 2) return;
					if (deltas % 3 === 0) listener(e);
				}
				listener(e);
			});
		}
		send(text) {
			sentTypes.push(JSON.parse(text).type);
			super.send(text);
		}
	};
})()`

// watch notes every text that the last answer shows.
const watch = `(window.shown = [], new MutationObserver(() => {
	const text = [...([...document.querySelectorAll(".run")].at(-1)?.querySelectorAll(".markdown > *") ?? [])].map((e) => e.innerText).join("\n\n");
	if (text && shown.at(-1) !== text) shown.push(text);
}).observe(document, { subtree: true, childList: true, characterData: true }), true)`

// browserDeltas loses and repeats deltas: the page asks for what is missing, and never shows anything but a beginning of
// the answer.
func browserDeltas(t *testing.T, browser context.Context) {
	s := serve(t, t.TempDir())
	token := s.user(t, "ada")
	b := newTab(t, browser, chromedp.WithNewBrowserContext())
	if _, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: badLine}); err != nil {
		t.Fatal(err)
	}
	b.goTo(s.url)
	b.logIn("ada", "the-password-of-ada")
	js[bool](b, watch)
	b.say("Tell me a story of 300 words")
	b.untilEnded(1)
	text := b.checkAnswer(s, token)
	shown := js[[]string](b, `shown`)
	for _, x := range shown {
		if !strings.HasPrefix(text, strings.TrimSuffix(x, "\n")) {
			t.Errorf("shown in between:\n%q", x)
		}
	}
	asked := js[int](b, `sentTypes.filter((t) => t === "resync_message").length`)
	if asked < 1 {
		t.Errorf("%d texts were shown, %d times the page asked for the text so far", len(shown), asked)
	}
	t.Logf("%d texts shown, each a beginning of the answer; asked %d times for what was lost", len(shown), asked)
}

// browserConnection: the connection line says what is true.
func browserConnection(t *testing.T, browser context.Context) {
	s := serve(t, t.TempDir())
	token := s.user(t, "ada")
	b := openPage(t, browser, s)
	b.expect("ERR_CONNECTION_REFUSED", "WebSocket connection to")
	b.logIn("ada", "the-password-of-ada")
	line := func(state, words string) {
		t.Helper()
		b.until(fmt.Sprintf(`((line) => line.dataset.state === %q && line.innerText.includes(%q))(document.querySelector("#connection"))`, state, words))
	}
	line("live", "Live")

	s.end(t, "TERM")
	line("waiting", "Reconnecting in ")
	b.say("What is 20 + 3?") // goes out later, once
	b.untilSeen(".sent")
	if note := b.text(".sent .outcome"); note != "Not sent yet: it goes out when the connection is back." {
		t.Errorf("a message without a connection: %q", note)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`window.marked = true`))
	s.restart(t)
	line("live", "Live")
	b.untilEnded(1)
	b.checkAnswer(s, token)

	for range switchboard.DefaultLimits().DevicesPerUser {
		conn, err := client.Dial(b.ctx, client.Config{URL: s.url, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	line("replaced", "Replaced by a newer device")
	b.click("#connection button")
	line("live", "Live")
	if !js[bool](b, `window.marked === true`) {
		t.Error("the page was loaded anew")
	}

	if got := s.do(t, "POST", "/api/v1/auth/login", `{"username":"ada","password":"the-password-of-ada"}`); got.status != 200 {
		t.Fatalf("another login: %d", got.status)
	}
	if out, errs, code := switchboardCLI(t, nil, "a-new-password-of-ada\n", "user", "passwd", "ada", "--password-stdin", "--data", s.data); code != 0 {
		t.Fatalf("user passwd: %d %s%s", code, out, errs)
	}
	s.secret("a-new-password-of-ada")
	b.untilSeen("#username")
	if said := b.text("[role=alert]"); said != "Your session has ended. Log in again." {
		t.Errorf("after the end of the session: %q", said)
	}
	b.until(`document.activeElement?.id === "password"`) // the name is known
	b.write("a-new-password-of-ada")
	b.press("\r")
	b.live()
	b.untilEnded(1) // in the same chat as before
}

// browserPages: many chats and a long one are read page by page.
func browserPages(t *testing.T, browser context.Context) {
	answer := [][]model.Chunk{{{Text: "so it is"}}}
	script := map[string][][]model.Chunk{}
	for i := range 51 {
		script[fmt.Sprintf("message %d", i)] = answer
	}
	s := serveModel(t, script)
	token := s.user(t, "ada")
	var last switchboard.Ack
	post := func(i int, thread string) {
		t.Helper()
		got := s.do(t, "POST", "/api/v1/threads/"+thread+"messages", fmt.Sprintf(`{"text":"message %d"}`, i), "Authorization", "Bearer "+token)
		if err := json.Unmarshal(got.body, &last); err != nil || got.status != 202 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	for i := range 51 {
		post(i, "")
	}
	conn := newHistory().connect(t, s, token)
	defer conn.Close()
	untilType(t, conn, switchboard.TypeCaughtUp)
	for i := range 45 {
		post(i, string(last.ThreadID)+"/")
	}
	untilEnd(t, conn, last.RunID) // what happens while the page is open is no older message
	b := openPage(t, browser, s)
	b.logIn("ada", "the-password-of-ada")
	b.until(`document.querySelectorAll(".chats .title").length === 50`)
	b.click("#more")
	b.until(`document.querySelectorAll(".chats .title").length === 51 && !document.querySelector("#more")`)

	b.click(fmt.Sprintf(".chats a[href='#%s']", last.ThreadID))
	b.until(`document.querySelector("#earlier")?.checkVisibility() || document.querySelectorAll(".run").length === 46`)
	b.until(`(({ scrollTop: top, scrollHeight: all, clientHeight: seen }) => all - top - seen < 2)(document.querySelector("#scroll"))`)
	for {
		// In one go: the page may still be reading, and the button be gone before the mouse is there.
		runs := js[int](b, `(() => {
			const more = document.querySelector("#earlier");
			if (!more) return -1;
			document.querySelector("#scroll").scrollTop = 0;
			more.click();
			return document.querySelectorAll(".run").length;
		})()`)
		if runs < 0 {
			break
		}
		b.until(fmt.Sprintf(`document.querySelectorAll(".run").length > %d`, runs))
		if at := js[float64](b, `document.querySelector("#scroll").scrollTop`); at < 100 {
			t.Errorf("the reader is taken away from the place, to %v", at)
		}
	}
	b.untilEnded(46)
	asked := js[[]string](b, `[...document.querySelectorAll(".question > div")].map((e) => e.innerText)`)
	for i, text := range asked[1:] {
		if text != fmt.Sprintf("message %d", i) {
			t.Errorf("message %d is %q", i, text)
		}
	}
}

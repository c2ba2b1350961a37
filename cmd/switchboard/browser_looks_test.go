package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/netra-systems/switchboard/internal/machine"
)

var screenshots = flag.Bool("screenshots", false, "write the pictures of the page in docs anew")

// mostPicture is what a picture in docs may weigh.
const mostPicture = 150 << 10

// picture writes a picture of the page in docs, if that is asked for.
func (b *tab) picture(name string) {
	b.t.Helper()
	if !*screenshots {
		return
	}
	path := filepath.Join("..", "..", "docs", name)
	b.shoot(path)
	if info, err := os.Stat(path); err != nil || info.Size() > mostPicture {
		b.t.Errorf("%s: %v, more than %d KB", path, err, mostPicture>>10)
	}
}

func (b *tab) scheme(scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// axe is what axe-core found.
type axe struct {
	Passes     int
	Violations []struct {
		ID, Help string
		Nodes    []string
	}
}

const axeRemedy = "run npm ci in web"

// checkAccess lets axe-core look at the page.
func (b *tab) checkAccess(where string) {
	b.t.Helper()
	if !js[bool](b, `"axe" in window`) {
		source, err := os.ReadFile("../../web/node_modules/axe-core/axe.min.js")
		if !machine.Has(b.t, machine.Node, err == nil, axeRemedy) {
			b.t.Logf("axe, %s: left out: %s", where, axeRemedy)
			return
		}
		b.do(chromedp.Evaluate[chromedp.Void](string(source)))
	}
	var a axe
	found := js[string](b, `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }).then((r) => JSON.stringify({
		Passes: r.passes.length,
		Violations: r.violations.map((v) => ({ ID: v.id, Help: v.help, Nodes: v.nodes.map((n) => n.html.slice(0, 200) + " " + (n.any[0]?.message ?? "")) })),
	}))`)
	if err := json.Unmarshal([]byte(found), &a); err != nil {
		b.t.Fatal(err)
	}
	for _, v := range a.Violations {
		b.t.Errorf("%s: %s: %s\n  %s", where, v.ID, v.Help, strings.Join(v.Nodes, "\n  "))
	}
	b.t.Logf("axe, %s: %d violations, %d rules pass", where, len(a.Violations), a.Passes)
}

// browserLooks looks at the page as a whole: large, dark and on a phone, with axe-core; and takes the pictures.
func browserLooks(t *testing.T, browser context.Context) {
	s := serve(t, t.TempDir(), "--fetch-url")
	s.user(t, "ada")
	b := openPage(t, browser, s)
	b.scheme("light")
	b.untilSeen("#username")
	b.checkAccess("log in, light")
	b.scheme("dark")
	b.checkAccess("log in, dark")
	b.scheme("light")
	b.logIn("ada", "the-password-of-ada")
	b.untilSeen(".welcome")
	b.checkAccess("first visit, light")
	b.say("Tell me a story of 60 words about a lighthouse")
	b.untilEnded(1)
	b.click("#new")
	b.say("What time is it in Lisbon?")
	b.untilEnded(1)
	b.click("#new")
	b.say("What is 0.175 * 2480 + 12, and what time is it in Tokyo?")
	b.untilEnded(1)
	b.say("Tell me a story of 40 words")
	b.untilEnded(2)
	b.click(".run:first-child .head")
	b.untilSeen(".run:first-child .steps")
	js[bool](b, `(document.querySelector("#scroll").scrollTop = 0, true)`)
	b.picture("page.png")
	b.checkAccess("a chat, light")
	b.click("#rename")
	b.focused("#title")
	b.checkAccess("a dialog, light")
	b.scheme("dark")
	b.checkAccess("a dialog, dark")
	b.click("dialog button[type=button]")
	b.until(`!document.querySelector("dialog")`)
	if dark := js[bool](b, `(([r, g, b]) => r + g + b < 150)(getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number))`); !dark {
		t.Error("the page is not dark where that is preferred")
	}
	b.picture("page-dark.png")
	b.checkAccess("a chat, dark")
	b.click("#new")
	b.say("fetch https://example.com")
	b.untilSeen(".ask")
	b.checkAccess("an approval, dark")
	b.scheme("light")
	b.checkAccess("an approval, light")
	b.click(".ask .deny")
	b.untilEnded(1)
	b.phone()
	b.expect("ERR_CONNECTION_REFUSED", "WebSocket connection to")
	b.logIn("ada", "the-password-of-ada")
	s.end(t, "KILL")
	b.until(`document.querySelector("#connection").dataset.state === "waiting"`)
	b.fits("without a connection", "#connection button", "#menu", "#text")
	b.checkAccess("without a connection, phone, dark")
}

// fits checks that nothing goes over the edge of a phone, and that things are where a finger can reach them.
func (b *tab) fits(where string, things ...string) {
	b.t.Helper()
	if over := js[[]string](b, `[...document.querySelectorAll("#page *")].filter((e) => e.checkVisibility() && !e.closest(".unseen, .skip, pre, .table, svg") && e.getBoundingClientRect().right > innerWidth + 1)
		.map((e) => e.outerHTML.slice(0, 120)).concat(document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [])`); len(over) > 0 {
		b.t.Errorf("%s: over the edge: %s", where, strings.Join(over, "\n"))
	}
	for _, x := range things {
		b.untilSeen(x)
		if got := js[string](b, fmt.Sprintf(`(() => {
			const e = document.querySelector(%q), r = e.getBoundingClientRect();
			const at = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
			return !e.contains(at) ? "covered by " + at?.outerHTML.slice(0, 100) : Math.min(r.width, r.height) < 24 ? "too small" : "";
		})()`, x)); got != "" {
			b.t.Errorf("%s: %s is %s", where, x, got)
		}
	}
}

// phone looks at the page with a narrow screen and a finger.
func (b *tab) phone() {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait), chromedp.Reload())
	b.live()
	b.untilEnded(1)
	b.fits("a chat", "#menu", "#rename", "#delete", "#text", "#send", ".head", ".run:last-child .fold", ".after .copy", ".after .rate.good", ".after .rate.bad")
	b.checkAccess("a chat, phone")
	b.click("#menu")
	b.fits("the list", "#new", "#logout", ".close-menu", ".chats li:last-child a")
	b.checkAccess("the list, phone")
	b.click(".chats li:nth-child(2) a")
	b.untilEnded(2)
	js[bool](b, `(document.querySelector("#scroll").scrollTop = 0, true)`)
	b.fits("another chat", "#menu", "#text")
	b.picture("page-phone.png")
	b.click("#rename")
	b.fits("a dialog", "#title", "dialog .primary", "dialog button[type=button]")
	b.checkAccess("a dialog, phone")
	b.scheme("dark")
	b.checkAccess("a dialog, phone, dark")
	b.click("dialog button[type=button]")
	b.click("#menu")
	b.click("#new")
	b.fits("a first visit", ".examples li:nth-child(1) button", ".examples li:nth-child(3) button")
	b.click("#menu")
	b.click("#logout")
	b.untilSeen("#username")
	b.fits("log in", "#username", "#password", ".login .primary")
}

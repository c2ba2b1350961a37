package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/netra-systems/switchboard/internal/machine"
)

// browserTests is how many of the browser's tests run at once: pages are work, also where most tests only wait.
const browserTests = 5

// TestE2EBrowser uses the page as people do: in a real Chromium, against the binary, over real sockets. Each test has a
// browser context of its own: cookies, storage and tabs.
func TestE2EBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser is not quick")
	}
	b := startChromium(t)
	room := make(chan struct{}, browserTests)
	for _, x := range []struct {
		name string
		run  func(*testing.T, context.Context)
	}{
		{"golden path", browserGoldenPath},
		{"refresh in the middle of an answer", browserRefresh},
		{"kill -9 in the middle of an answer", browserKill},
		{"two tabs in step", browserTwoTabs},
		{"lost and repeated deltas", browserDeltas},
		{"connection line", browserConnection},
		{"long lists", browserPages},
		{"hostile text", browserHostile},
		{"Markdown", browserMarkdown},
		{"approvals", browserApprovals},
		{"failures", browserFailures},
		{"several agents", browserAgents},
		{"keyboard only", browserKeyboard},
		{"light, dark, phone, axe-core", browserLooks},
	} {
		t.Run(strings.ReplaceAll(strings.ReplaceAll(x.name, ",", ""), " ", "-"), func(t *testing.T) {
			t.Parallel()
			room <- struct{}{}
			begin := time.Now()
			defer func() {
				t.Logf("took %v by itself", time.Since(begin).Round(100*time.Millisecond))
				<-room
			}()
			x.run(t, b)
		})
	}
}

// chromiums are the names under which Chromium is found.
var chromiums = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// startChromium starts a browser that ends with the test.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range chromiums {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	machine.Needs(t, machine.Browser, path != "", "apt-get install chromium")
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.ModifyCmdFunc(endWithParent), chromedp.WSURLReadTimeout(startTime))
	for _, flag := range []string{"disable-quic", "disable-component-update", "disable-domain-reliability", "no-pings"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	ctx, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // it waits for the process, and for its folder to be removed
			t.Errorf("Chromium does not end: %v", err)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	return ctx
}

// tab is a tab of a browser. Whatever the page complains about in the meantime fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex // guards all below
	problems []string
	expected []string // parts of complaints that are expected
}

// newTab opens a tab: in a browser context of its own, or in that of another tab.
func newTab(t *testing.T, parent context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	ctx, late := context.WithTimeout(ctx, 2*patience)
	b := &tab{t: t, ctx: ctx, expected: []string{
		"the server responded with a status of 401", // nobody is logged in yet
	}}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatalf("no tab: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			b.shoot(filepath.Join(os.TempDir(), "failed-"+strings.ReplaceAll(t.Name(), "/", "-")+".png"))
		}
		late()
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, p := range b.problems {
			t.Errorf("the page complains: %s", p)
		}
	})
	return b
}

// open opens a page of the server, as a person who was never there.
func openPage(t *testing.T, browser context.Context, s *server) *tab {
	t.Helper()
	b := newTab(t, browser, chromedp.WithNewBrowserContext())
	b.do(chromedp.EmulateViewport(1200, 800))
	b.goTo(s.url)
	return b
}

// listen collects what a page should not say.
func (b *tab) listen(event any) {
	text := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = "exception: " + e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
	case *runtime.EventConsoleAPICalled:
		text = "console: " + string(e.Type)
		for _, a := range e.Args {
			text += " " + string(a.Value) + a.Description
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError || e.Entry.Level == cdplog.EntryLevelWarning {
			text = "log: " + e.Entry.Text + " " + e.Entry.URL
		}
	case *page.EventJavascriptDialogOpening:
		text = "dialog: " + e.Message
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if text != "" && !slices.ContainsFunc(b.expected, func(s string) bool { return strings.Contains(text, s) }) {
		b.problems = append(b.problems, text)
	}
}

// expect says what the page may complain about.
func (b *tab) expect(parts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, parts...)
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("the browser: %v", err)
	}
}

func (b *tab) goTo(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
}

// js evaluates an expression, and waits for it if it is a promise.
func js[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// untilScript is a promise of an expression's truth: it is looked at with every change of the document, and at times.
const untilScript = `new Promise((done) => {
	let observer, timer;
	const late = Date.now() + %d;
	const look = () => {
		let met = false;
		try { met = Boolean(%s); } catch {}
		if (!met && Date.now() < late) return;
		observer.disconnect();
		clearInterval(timer);
		done(met);
	};
	observer = new MutationObserver(look);
	observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
	timer = setInterval(look, 50);
	look();
})`

// until waits until an expression is true, also if the page is loaded anew meanwhile.
func (b *tab) until(expression string) {
	b.t.Helper()
	for late := time.Now().Add(patience); ; {
		script := fmt.Sprintf(untilScript, time.Until(late).Milliseconds(), expression)
		met, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise))
		switch {
		case err == nil && met:
			return
		case err == nil:
			b.t.Fatalf("not within %v: %s\nthe page:\n%s", patience, expression, b.text("body"))
		case time.Now().After(late) || !strings.Contains(err.Error(), "(-32000)"): // the page went
			b.t.Fatalf("%s: %v", expression, err)
		}
	}
}

// untilSeen waits until an element is there.
func (b *tab) untilSeen(selector string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, selector))
}

// text is what an element shows.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return js[string](b, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
}

func (b *tab) count(selector string) int {
	b.t.Helper()
	return js[int](b, fmt.Sprintf(`document.querySelectorAll(%q).length`, selector))
}

// click clicks in the middle of an element, once nothing covers it.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`((e) => {
		e.scrollIntoViewIfNeeded();
		const r = e.getBoundingClientRect();
		return !e.disabled && e.contains(document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2));
	})(document.querySelector(%q))`, selector))
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// write types a text as a whole where the focus is, and press a key.
func (b *tab) write(text string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		b.t.Fatalf("write: %v", err)
	}
}

// press presses keys as a keyboard does: what a key types comes with its going down, so a page can prevent it.
func (b *tab) press(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		shift := int64(0)
		if rest, ok := strings.CutPrefix(k, "shift+"); ok {
			k, shift = rest, 8
		}
		key := kb.Keys[[]rune(k)[0]]
		for _, typ := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
			p := input.DispatchKeyEventParams{Type: typ, Key: key.Key, Code: key.Code, WindowsVirtualKeyCode: key.Windows, Modifiers: shift}
			if typ == input.DispatchKeyEventTypeKeyDown {
				p.Text = key.Text
			}
			if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, p); err != nil {
				b.t.Fatalf("press: %v", err)
			}
		}
	}
}

// logIn logs in by the form.
func (b *tab) logIn(name, password string) {
	b.t.Helper()
	b.until(`document.activeElement?.id === "username"`)
	b.write(name)
	b.press(kb.Tab)
	b.write(password)
	b.press(kb.Enter)
	b.live()
}

// live waits until the page says that it is live.
func (b *tab) live() {
	b.t.Helper()
	b.until(`document.querySelector("#connection")?.dataset.state === "live"`)
}

// say sends a message from the message box.
func (b *tab) say(text string) {
	b.t.Helper()
	b.until(`document.activeElement?.id === "text"`)
	b.write(text)
	b.until(`!document.querySelector("#send").disabled`)
	b.press(kb.Enter)
	b.until(`document.querySelector("#text").value === ""`)
}

// untilEnded waits until so many runs of the open chat have ended, and none is open.
func (b *tab) untilEnded(runs int) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.querySelectorAll(".run[data-phase=ended]").length === %d && document.querySelectorAll(".run").length === %[1]d`, runs))
}

// answer is the text of the last answer, its blocks parted by blank lines.
func (b *tab) answer() string {
	b.t.Helper()
	return js[string](b, `[...[...document.querySelectorAll(".run")].at(-1).querySelectorAll(".markdown > *")].map((e) => e.innerText).join("\n\n")`)
}

// shoot keeps a picture of what is seen.
func (b *tab) shoot(path string) {
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(path, picture, 0o644)
	}
	b.t.Logf("picture: %s (%d KB) %v", path, len(picture)>>10, err)
}

package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/netra-systems/switchboard/internal/fakemodel"
)

// browserAgents: with several agents the page asks the one that is chosen, and stays with it in that chat.
func browserAgents(t *testing.T, browser context.Context) {
	f, err := fakemodel.Start(fakemodel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	dir := t.TempDir()
	path := filepath.Join(dir, "my.yaml")
	text := "models: {main: {provider: openai, model: small, base_url: \"" + f.URL() + "\"}}\n" +
		"agents: {pirate: {description: Talks like one., instructions: You are a pirate.}, poet: {description: Rhymes., instructions: You are a poet.}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, dir, "--config", path)
	s.user(t, "ada")
	b := openPage(t, browser, s)
	b.logIn("ada", "the-password-of-ada")
	asked := func(want string) {
		t.Helper()
		all := f.Requests()
		if got := all[len(all)-1].Asked.System; got != want {
			t.Errorf("asked was %q, not %q", got, want)
		}
	}
	b.untilSeen("#agent")
	b.say("[[fake:text Ahoy.]]")
	b.untilEnded(1)
	asked("You are a pirate.")
	b.until(`(() => { const s = document.querySelector("#agent"); s.value = "poet"; s.dispatchEvent(new Event("change", {bubbles: true})); return s.value === "poet" })()`)
	b.until(`document.querySelector(".agents").innerText.includes("Rhymes.")`)
	b.say("[[fake:text A rhyme.]]")
	b.untilEnded(2)
	asked("You are a poet.")
	b.goTo(s.url + "/#" + string(b.chatOf()))
	b.untilEnded(2)
	b.until(`document.querySelector("#agent").value === "poet"`)
	b.checkAccess("with a choice of agents")
}

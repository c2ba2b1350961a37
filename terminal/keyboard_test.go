package terminal

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// typed returns what a prompt is given of what is typed, up to the end of the input.
func typed(t *testing.T, keys string) string {
	t.Helper()
	k := newKeyboard()
	k.opened()
	k.listen(strings.NewReader(keys))
	b, err := io.ReadAll(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestKeyboard(t *testing.T) {
	for keys, want := range map[string]string{
		"plain é ¡ ÿ 日本 👩":   "plain é ¡ ÿ 日本 👩",
		"a\u009b2Jb\u0085":   "a2Jb",
		"\u00a0\u0080\u00c2": "\u00a0\u00c2",
		"ab\x03c":            "abc", // Ctrl-C is no key; the prompt was not touched yet
	} {
		if got := typed(t, keys); got != want {
			t.Errorf("%q gives %q, want %q", keys, got, want)
		}
	}
}

// An untouched prompt can be put away; one at which something was typed stays, until Ctrl-C takes it back.
func TestPutAway(t *testing.T) {
	in, keys := io.Pipe()
	k := newKeyboard()
	go k.listen(in)
	if k.opened(); !k.putAway() {
		t.Error("an untouched prompt stays")
	}
	if _, err := k.Read(make([]byte, 8)); !errors.Is(err, errPutAway) {
		t.Errorf("the prompt is told %v", err)
	}
	k.closed()
	k.opened()
	read := func() string {
		b := make([]byte, 8)
		n, err := k.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	keys.Write([]byte("ab"))
	if got := read() + read(); got != "ab" || k.putAway() {
		t.Errorf("%q was read, or the prompt was put away", got)
	}
	keys.Write([]byte{ctrlC})
	if !<-k.interrupts {
		t.Error("Ctrl-C took nothing back")
	}
	if got := read() + read(); got != string([]byte{ctrlE, ctrlU}) {
		t.Errorf("the prompt was given %q", got)
	}
	done := make(chan error)
	go func() {
		_, err := k.Read(make([]byte, 8))
		done <- err
	}()
	for !k.putAway() { // until the prompt has come back for more
	}
	if err := <-done; !errors.Is(err, errPutAway) {
		t.Errorf("the prompt is told %v", err)
	}
	k.closed()
	keys.Write([]byte("x"))
	<-k.waiting // there is something for the next one
	keys.Close()
}

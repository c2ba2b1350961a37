package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/model"
)

var record = flag.Bool("record", false, "write docs/terminal.txt anew")

// answers returns the answers of a user's threads, the latest thread first.
func answers(t *testing.T, s *server, token string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	c, err := client.Open(ctx, client.Config{URL: s.url, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	list, err := c.ListThreads(ctx, switchboard.ListThreads{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, row := range list.Threads {
		events, _, err := c.GetThread(ctx, row.ThreadID, switchboard.GetThread{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if p, ok := e.Payload.(*switchboard.AgentCompletedEvent); ok {
				out = append(out, p.Text)
			}
		}
	}
	return out
}

// TestE2EChat is a person who chats, with nothing to type first: the data folder is hers.
func TestE2EChat(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--fetch-url")
	home := t.TempDir()
	p := sitDown(t, home, 200, nil, "chat", "--data", s.data)
	p.sees("You are admin: the server of "+s.data+" is yours.", 1)
	p.types("/good\r")
	p.sees("there is no answer yet\n> ", 1)
	p.types("What is 12.5 * 8?\r")
	p.sees("· calculator 12.5 * 8 → 100\n", 1)
	p.sees("\n12.5 * 8 = 100\n> ", 1)
	p.types("/bad too slow\r")
	p.sees("rated as bad\n> ", 1)
	p.types("/good\r")
	p.sees("rated as good\n> ", 1)
	p.types("fetch https://example.invalid/x\r")
	p.sees("fetch_url wants to run with https://example.invalid/x. /approve or /deny within 23 h\n> ", 1)
	p.types("/deny not on a Sunday\r")
	p.sees("→ denied: ", 1)
	p.sees("was denied.\n> ", 1)
	p.types("/rename Sums and pages\r")
	p.sees(`this conversation is now called "Sums and pages"`, 1)
	p.types("Please write a story of 400 words\r")
	p.sees("It begins with", 1)
	p.types("\x03")
	p.sees("stopping; Ctrl-C again leaves\n", 1)
	p.sees("\nstopped\n> ", 1)
	p.types("/new\r")
	p.sees("a new conversation\n> ", 1)
	p.types("wrong \x7f\x7f\x7f\x7f\x7f\x7fWhat is\x01 \x1b[H\x1b[F 6 * 7?\r") // edited on the way
	p.sees("6 * 7 = 42\n> ", 1)
	p.types("/threads\r")
	p.sees("*  1  What is 6 * 7?", 1)
	p.sees("   2  Sums and pages", 1)
	p.types("/open 2\r")
	p.sees("> fetch https://example.invalid/x\n", 2)
	p.sees("\nstopped\n> ", 2)
	p.types("\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\r") // up: /open, /threads, What is 6 * 7?, /new, Please write
	p.sees("> Please write a story of 400 words\n", 3)
	p.types("\x03")
	p.sees("stopped\n> ", 3)
	p.types("/delete\r")
	p.sees(`"Sums and pages" would be erased for ever. /delete yes does it`, 1)
	p.types("/delete yes\r")
	p.sees("this conversation was deleted\n> ", 1)
	p.types("/nonsense\r")
	p.sees("there is no /nonsense", 1)
	p.types("//help is a command\\\rof the chat\r")
	p.sees("so I have no real answer to “/help is a command of the chat”", 1)
	p.sees("OPENAI_BASE_URL.\n> ", 1)
	p.types("typed")
	p.sees("> typed", 1)
	p.types("\x03")
	p.sees("OPENAI_BASE_URL.\n>      ", 1) // taken back
	p.types("\x03")
	p.sees("Ctrl-C again leaves; so do /quit and Ctrl-D", 1)
	p.types("\x03")
	if code := p.leaves(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, name := range []string{"history", "logins.json"} {
		info, err := os.Stat(filepath.Join(home, "switchboard", name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	// The next time what was typed is there, and the login needs no data folder.
	p = sitDown(t, home, 100, nil, "chat", "--url", s.url)
	p.sees("as admin. /help lists", 1)
	p.types("\x1b[A\x1b[A\x1b[A\x1b[A\r")
	p.sees("> /delete\nthere is no conversation yet\n> ", 1)
	p.types("\x04")
	if code := p.leaves(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.end(t, "TERM")
}

// TestE2EChatKill9 kills the server in the middle of an answer. What the terminal shows in the end has all of the answer,
// once, and says what became of the half that was there.
func TestE2EChatKill9(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	token := s.user(t, "ann")
	p := sitDown(t, t.TempDir(), 60000, []string{"SWITCHBOARD_TOKEN=" + token}, "chat", "--url", s.url)
	p.sees("/help lists", 1)
	p.types("Please write a story of 150 words.\r")
	p.sees("It begins with", 1)
	s.end(t, "KILL")
	p.sees("the connection is lost; trying again until it is back\n", 1)
	s.restart(t)
	p.sees("connected again; nothing was missed\n", 1)
	p.sees("another try, and what it had written is void:\n", 1)
	p.sees("\n> ", 2)
	p.types("What is 2 + 3?\r") // the conversation goes on
	shown := p.sees("2 + 3 = 5\n> ", 1)
	told := answers(t, s, token)
	if len(told) != 2 || words(told[0]) != 150 {
		t.Fatalf("the answers are %q", told)
	}
	for _, a := range told {
		if n := strings.Count(shown, a); n != 1 {
			t.Errorf("shown %d times: %q", n, a)
		}
	}
	before, _, _ := strings.Cut(shown, "the connection is lost")
	_, half, _ := strings.Cut(before, "It begins with")
	if half = "It begins with" + strings.TrimSuffix(half, "\n"); !strings.Contains(told[0], half) {
		t.Errorf("before the server was lost it was %q", half)
	}
	if n := strings.Count(shown, "It begins with"); n != 2 {
		t.Errorf("the story begins %d times", n)
	}
	p.types("/quit\r")
	if code := p.leaves(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.end(t, "TERM")
}

// TestE2EChatBetweenDevices: what another device does in the conversation takes the place of an untouched prompt, and comes
// above one at which something is typed; what was typed is still there.
func TestE2EChatBetweenDevices(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	token := s.user(t, "ann")
	env := []string{"SWITCHBOARD_TOKEN=" + token}
	out, _, code := switchboardCLI(t, env, "", "chat", "--url", s.url, "-p", "What is 1 + 2?", "--json")
	m := regexp.MustCompile(`"thread_id":"(\w+)"`).FindStringSubmatch(out)
	if code != 0 || m == nil {
		t.Fatalf("exit code %d, %s", code, out)
	}
	p := sitDown(t, t.TempDir(), 200, env, "chat", "--url", s.url, "--thread", m[1])
	p.sees("> What is 1 + 2?\n", 1)
	p.sees("1 + 2 = 3\n> ", 1)
	again := func(text string) {
		if out, errs, code := switchboardCLI(t, env, "", "chat", "--url", s.url, "--thread", m[1], "-p", text); code != 0 {
			t.Errorf("exit code %d, %s%s", code, out, errs)
		}
	}
	again("What is 2 + 2?")
	p.sees("1 + 2 = 3\n> What is 2 + 2?\n", 1)
	p.sees("\n2 + 2 = 4\n> ", 1)
	p.types("What is 20")
	p.sees("\n> What is 20", 1)
	again("What is 3 + 3?")
	p.sees("\n3 + 3 = 6\n> What is 20", 1)
	p.types(" - 3?\r")
	p.sees("\n> What is 20 - 3?\n", 1)
	shown := p.sees("\n20 - 3 = 17\n> ", 1)
	if strings.Contains(shown, "> > ") || strings.Count(shown, "What is 20") != 3 { // typed, and twice in what the demo says of it
		t.Errorf("not as it should be:\n%s", shown)
	}
	p.types("\x04")
	p.sees("To go on here: switchboard chat --thread "+m[1], 1)
	s.end(t, "TERM")
}

// TestE2EChatInjection: nothing of what a model, a title or a device says is obeyed by the terminal.
func TestE2EChatInjection(t *testing.T) {
	t.Parallel()
	const evil = "one\x1b]0;stolen\x07\x1b[2J\x1b]52;c;c3RvbGVu\x1b\\\u009b31m\r\btwo\x1b["
	fm, err := fakemodel.Start(fakemodel.Config{Script: func(fakemodel.Request) *fakemodel.Answer {
		return &fakemodel.Answer{Chunks: []model.Chunk{{Thinking: evil}, {Text: evil[:7]}, {Text: evil[7:]}, {Finish: model.FinishStop}}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fm.Close() })
	s := serveWith(t, []string{"OPENAI_BASE_URL=" + fm.URL()}, t.TempDir(), "--model", "fake")
	env := []string{"SWITCHBOARD_TOKEN=" + s.user(t, "ann"), "NO_COLOR=1"}
	out, errs, code := switchboardCLI(t, env, evil, "chat", "--url", s.url, "-p", "-", "-v")
	if code != 0 || out != "onetwo[\n" || strings.ContainsAny(errs, "\x1b\x07\r\b\u009b") {
		t.Errorf("exit code %d, %q, %q", code, out, errs)
	}
	p := sitDown(t, t.TempDir(), 200, env, "chat", "--url", s.url)
	p.types("hello\r")
	p.sees("\nonetwo[\nonetwo[\n> ", 1)
	p.types("/threads\r")
	p.sees("   2  one two[", 1)
	p.types("/open 2\r")
	p.sees("> onetwo[\n", 1)
	p.sees("\nonetwo[\nonetwo[\n> ", 2)
	p.types("/rename a\x1b[Cb\u009b2J\r")
	p.sees("this conversation is now called", 1)
	p.types("/quit\r")
	p.leaves()
	if m := regexp.MustCompile("\x1b[^[]|\x1b\\[[^KCD?]*[^KCD0-9?]|\x07|\u009b|stolen").Find(p.screen.bytes()); m != nil {
		t.Errorf("the terminal was sent %q", m)
	}
	s.end(t, "TERM")
}

// TestE2EChatOnceKill9 kills the server while it answers a script: the answer comes all the same. With --final it is all
// that comes.
func TestE2EChatOnceKill9(t *testing.T) {
	t.Parallel()
	for _, final := range []bool{false, true} {
		t.Run(fmt.Sprint("final=", final), func(t *testing.T) {
			t.Parallel()
			s := serve(t, t.TempDir())
			token := s.user(t, "ann")
			args := []string{"chat", "-v", "--url", s.url, "-p", "Please write a story of 150 words."}
			if final {
				args = append(args, "--final")
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			cmd := command(ctx, []string{"SWITCHBOARD_TOKEN=" + token, "XDG_CONFIG_HOME=" + t.TempDir()}, args...)
			out, notes, ended := new(output), new(output), make(chan struct{})
			cmd.Stdout, cmd.Stderr = out, notes
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			go func() {
				_ = cmd.Wait() // its state says it too
				close(ended)
			}()
			if final {
				notes.await(regexp.MustCompile("what I can do of it"), ended)
			} else {
				out.await(regexp.MustCompile("It begins with"), ended)
			}
			s.end(t, "KILL")
			s.restart(t)
			<-ended
			if code := cmd.ProcessState.ExitCode(); code != 0 {
				t.Fatalf("exit code %d\n%s", code, notes.bytes())
			}
			told, got := answers(t, s, token), string(out.bytes())
			if len(told) != 1 || words(told[0]) != 150 || !strings.HasSuffix(got, told[0]+"\n") || strings.Count(got, told[0]) != 1 {
				t.Errorf("the answers are %q, printed was\n%s", told, got)
			}
			if final && got != told[0]+"\n" {
				t.Errorf("more than the answer:\n%s", got)
			}
			half, ok := strings.CutSuffix(got, "\n"+told[0]+"\n")
			if !final && (!ok || !strings.HasPrefix(told[0], half) || !strings.Contains(string(notes.bytes()), "is void:")) {
				t.Errorf("half an answer, and nothing said about it:\n%s\n%s", got, notes.bytes())
			}
			s.end(t, "TERM")
		})
	}
}

// TestE2EChatOnceInterrupted: Ctrl-C stops the run of a script.
func TestE2EChatOnceInterrupted(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	token := s.user(t, "ann")
	cmd := command(context.Background(), []string{"SWITCHBOARD_TOKEN=" + token}, "chat", "--url", s.url, "-p", "Please write a story of 400 words.")
	out, errs, ended := new(output), new(output), make(chan struct{})
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // its state says it too
		close(ended)
	}()
	out.await(regexp.MustCompile("It begins with"), ended)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-ended
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || string(errs.bytes()) != "switchboard: not answered: stopped\n" {
		t.Errorf("exit code %d, %s", code, errs.bytes())
	}
	if told := answers(t, s, token); len(told) != 0 {
		t.Errorf("it was answered: %q", told)
	}
	s.end(t, "TERM")
}

// TestE2EChatAsksPassword logs in at the terminal; the password is not shown.
func TestE2EChatAsksPassword(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	s.user(t, "ann")
	home := t.TempDir()
	p := sitDown(t, home, 100, nil, "chat", "--url", s.url)
	p.sees("Name: ", 1)
	p.types("ann\n")
	p.sees("Password: ", 1)
	p.types("the-password-of-ann\n")
	shown := p.sees("as ann. /help lists", 1)
	if strings.Contains(shown, "the-password") {
		t.Error("the password is shown")
	}
	p.types("\x04")
	if code := p.leaves(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.end(t, "TERM")
}

var changing = regexp.MustCompile(`127\.0\.0\.1:\d+|Switchboard \S+,|/\S*/data|--thread \w+|\(\d+\.\d s\)`)

// TestE2ETerminalRecording is what docs/terminal.txt shows; with -record it is written anew.
func TestE2ETerminalRecording(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--fetch-url")
	p := sitDown(t, t.TempDir(), 110, nil, "chat", "--data", s.data)
	p.sees("/help lists", 1)
	p.types("What is 12.5 * (3 + 4)?\r")
	p.sees(" = 87.5\n> ", 1)
	p.types("Please fetch https://example.invalid/news\r")
	p.sees("/approve or /deny", 1)
	p.types("/deny we are offline\r")
	p.sees("was\ndenied.\n> ", 1)
	p.types("A story of 200 words about a lighthouse\r")
	p.sees("It begins with", 1)
	s.end(t, "KILL")
	p.sees("the connection is lost", 1)
	s.restart(t)
	p.sees("is void:", 1)
	p.sees("\n> ", 5)
	p.types("/quit\r")
	p.leaves()
	got := "$ switchboard chat\n" + changing.ReplaceAllStringFunc(p.shown(), func(m string) string {
		switch {
		case strings.HasPrefix(m, "127"):
			return "127.0.0.1:8080"
		case strings.HasPrefix(m, "Switchboard"):
			return "Switchboard,"
		case strings.HasPrefix(m, "--"):
			return "--thread nnv2cypaa2ue5hpt6bpha4cany"
		case strings.HasPrefix(m, "/"):
			return "./switchboard-data"
		}
		return ""
	})
	file := filepath.Join("..", "..", "docs", "terminal.txt")
	if *record {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// How far the answer had come when the server was lost is another place each time.
	lost := regexp.MustCompile(`(?s)This is a story[^>]*the connection is lost`)
	if a, b := lost.ReplaceAllString(got, ""), lost.ReplaceAllString(string(want), ""); a != b {
		t.Errorf("docs/terminal.txt is not what the terminal shows; go test ./cmd/switchboard -run Recording -record writes it:\n%s", got)
	}
}

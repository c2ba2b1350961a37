package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bookTime is for one book on a busy machine.
const bookTime = 5 * time.Minute

// after has what a person does with a book's servers once its commands are through.
var after = map[string]func(*testing.T, *reading){
	"tutorial.md":              useTutorialPage,
	"how-to/one-machine.md":    checkUnit,
	"how-to/behind-a-proxy.md": checkProxies,
}

// TestE2EBooks runs the commands of every book in an empty folder, with the real program: what they print is as the
// book says. Only ports are others than in the text. A copy of the repository lies in the folder as switchboard.
func TestE2EBooks(t *testing.T) {
	if testing.Short() {
		t.Skip("books are not quick")
	}
	for _, program := range []string{"bash", "curl", "go"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not there", program)
		}
	}
	n := 0
	for _, b := range books(t) {
		if b.script() == "" {
			continue
		}
		n++
		t.Run(strings.TrimSuffix(b.name, ".md"), func(t *testing.T) {
			t.Parallel()
			r, problems := read(t, b)
			for _, p := range problems {
				t.Error(p)
			}
			if do := after[b.name]; do != nil && problems == nil {
				do(t, r)
			}
			r.close()
		})
	}
	if n < 8 {
		t.Errorf("only %d books have commands", n)
	}
}

// reading is a book whose commands are run.
type reading struct {
	t     *testing.T
	book  book
	dir   string
	ports map[string]string // of the book, to those of the test
	out   *output
	stdin io.WriteCloser
	pid   int
	ended chan struct{}
}

var bookAddress = regexp.MustCompile(`\b(127\.0\.0\.1|localhost|[a-z]+\.example\.com):(\d{4,5})\b`)

// address gives a port of the book one that is free.
func (r *reading) address(s string) string {
	host, port, _ := strings.Cut(s, ":")
	if r.ports[port] == "" {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			r.t.Fatal(err)
		}
		defer free.Close()
		_, r.ports[port], _ = net.SplitHostPort(free.Addr().String())
	}
	return host + ":" + r.ports[port]
}

// read runs a book to its end, and compares what was printed; its servers still run. It returns what is not so.
func read(t *testing.T, b book) (_ *reading, problems []string) {
	t.Helper()
	r := &reading{t: t, book: b, dir: t.TempDir(), ports: map[string]string{}, out: new(output), ended: make(chan struct{})}
	b, err := readBook(b.name, bookAddress.ReplaceAllStringFunc(b.text, r.address))
	if err != nil {
		t.Fatal(err)
	}
	r.book = b
	work := filepath.Join(r.dir, "work")
	printed := filepath.Join(r.dir, "printed")
	for _, dir := range []string{work, printed} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	copied, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(copied, filepath.Join(work, "switchboard")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), bookTime)
	t.Cleanup(cancel)
	// The script waits at its end, with its servers, for what else is typed, until its input is closed.
	script := "set -P -o pipefail\nexec 3<&0 </dev/null\ntrap 'jobs -p | xargs -r kill 2>/dev/null; wait' EXIT\n" + b.script() + "\necho '### the end'\nwhile read -r line <&3; do eval \"$line\"; done\n"
	cmd := exec.CommandContext(ctx, "bash", "-ec", script)
	cmd.Dir, cmd.Env = work, r.env(printed)
	cmd.Stdout, cmd.Stderr = r.out, r.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if r.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.pid = cmd.Process.Pid
	go func() { defer close(r.ended); _ = cmd.Wait() }()
	t.Cleanup(r.close)
	for through := false; !through; {
		changed := r.out.next()
		if through = bytes.Contains(r.out.bytes(), []byte("### the end")); through {
			break
		}
		select {
		case <-changed:
		case <-r.ended:
			return r, []string{fmt.Sprintf("a command failed:\n%s%s", r.out.bytes(), r.last(printed))}
		}
	}
	for _, f := range b.fences {
		if f.lang != "console" || f.skipped {
			continue
		}
		for i, c := range f.commands() {
			got, err := os.ReadFile(filepath.Join(printed, fmt.Sprintf("%d.%d", f.line, i)))
			if err != nil || !c.matches(string(got)) {
				problems = append(problems, fmt.Sprintf("%s:%d: %s prints (%v)\n%s", b.name, f.line, c.command, err, got))
			}
		}
	}
	return r, problems
}

// TestBooksAreRun: a command that fails and one that prints something else are noticed, in a book of each.
func TestBooksAreRun(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not there")
	}
	for text, want := range map[string]string{
		"```sh\nx=1\n```\n```console\n$ echo $x\n1\n```\n": "",
		"```sh\nfalse\n```\n":                              "a command failed",
		"```sh\nfalse | true\n```\n":                       "a command failed",
		"```console\n$ false\n```\n":                       "a command failed",
		"```console\n$ echo 1\n2\n```\n":                   "echo 1 prints",
		"```text\nfalse\n```\n":                            "",
	} {
		b, err := readBook("b.md", text)
		if err != nil {
			t.Fatal(err)
		}
		r, problems := read(t, b)
		if got := strings.Join(problems, "\n"); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		r.close()
	}
}

// again runs once more the last block of the book that begins so.
func (r *reading) again(begin string) {
	r.t.Helper()
	text := ""
	for _, f := range r.book.fences {
		if f.lang == "sh" && strings.HasPrefix(f.text, begin) {
			text = f.text
		}
	}
	if _, err := io.WriteString(r.stdin, text); err != nil || text == "" {
		r.t.Fatalf("%s has no block %q, or it cannot be run: %v", r.book.name, begin, err)
	}
}

// last is what the last command of a console block printed.
func (r *reading) last(printed string) string {
	var newest []byte
	for _, f := range r.book.fences {
		for i := range f.commands() {
			if b, err := os.ReadFile(filepath.Join(printed, fmt.Sprintf("%d.%d", f.line, i))); err == nil {
				newest = b
			}
		}
	}
	return "the last that a console printed:\n" + string(newest)
}

// env is the machine of a person who has nothing but Go: a home of one's own, and none of the surrounding settings.
func (r *reading) env(printed string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SWITCHBOARD_") && !strings.HasPrefix(v, "OPENAI_") && !strings.HasPrefix(v, "HOME=") {
			env = append(env, v)
		}
	}
	ask := exec.CommandContext(r.t.Context(), "go", "env", "GOCACHE", "GOMODCACHE", "GOPROXY")
	out, err := ask.Output()
	cache := strings.Fields(string(out))
	if err != nil || len(cache) != 3 {
		r.t.Fatalf("go env: %v %q", err, out)
	}
	return append(env, briskly, "HOME="+r.dir, "BOOK_OUT="+printed, "SWITCHBOARD_LISTEN="+r.address("127.0.0.1:8080"),
		"GOCACHE="+cache[0], "GOMODCACHE="+cache[1], "GOPATH="+filepath.Join(r.dir, "go"),
		"GOPROXY=file://"+cache[1]+"/cache/download,"+cache[2], "GOSUMDB=off", "CGO_ENABLED=0") // what is here already needs no network
}

// printed is what a command of the book printed, which begins so.
func (r *reading) printed(command string) string {
	r.t.Helper()
	for _, f := range r.book.fences {
		for i, c := range f.commands() {
			if f.lang == "console" && strings.HasPrefix(c.command, command) {
				b, err := os.ReadFile(filepath.Join(r.dir, "printed", fmt.Sprintf("%d.%d", f.line, i)))
				if err != nil {
					r.t.Fatal(err)
				}
				return strings.TrimSpace(string(b))
			}
		}
	}
	r.t.Fatalf("%s has no command %q", r.book.name, command)
	return ""
}

// close ends the servers. It may be called more than once.
func (r *reading) close() {
	_ = r.stdin.Close()
	late := time.NewTimer(startTime)
	defer late.Stop()
	select {
	case <-r.ended:
	case <-late.C:
		r.t.Errorf("%s: what it started does not end", r.book.name)
	}
	_ = syscall.Kill(-r.pid, syscall.SIGKILL) // what was left, if anything
	<-r.ended
}

// useTutorialPage does with the page of the tutorial what its reader does.
func useTutorialPage(t *testing.T, r *reading) {
	b := newTab(t, startChromium(t))
	b.expect("favicon")
	enter := func() {
		b.goTo("http://" + r.address("127.0.0.1:8090") + "/chat.html")
		b.click("#token")
		b.write(r.printed("switchboard token create"))
		b.click("#connect")
		b.until(`document.querySelector("#state").textContent === "connected"`)
	}
	say := func(text string) {
		b.click("#text")
		b.write(text)
		b.click("#send")
	}
	answered := func(answers int, with string) {
		b.until(fmt.Sprintf(`((all) => all.length === %d && all.at(-1).textContent.includes(%q))([...document.querySelectorAll(".answer.final")])`, answers, with))
	}
	enter()
	say(`shop_stock {"item":"lamp"}`)
	answered(1, `"left":7`)
	say(`shop_order {"item":"lamp","count":2}`)
	b.click(".approve")
	answered(2, `"left":5,"ordered":2`)
	enter() // the conversation is there again
	answered(2, `"left":5,"ordered":2`)
	say("a story of 300 words about a lamp")
	b.until(`document.querySelector(".answer:not(.final)")?.textContent.length > 40`)
	b.expect("WebSocket connection to") // it is lost
	r.again("kill -9 $server")
	answered(3, "lamp")
	if n := js[int](b, `document.querySelectorAll(".you").length`); n != 3 {
		t.Errorf("%d messages are shown, and not 3", n)
	}
}

// content is a file of a book, as the test runs it.
func (r *reading) content(file string) string {
	r.t.Helper()
	for _, f := range r.book.fences {
		if f.file == file {
			return f.text
		}
	}
	r.t.Fatalf("%s has no file %s", r.book.name, file)
	return ""
}

// accepts has a program look at a file, if the program is here.
func (r *reading) accepts(file, text, program string, args ...string) {
	r.t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		r.t.Logf("%s is not there to look at %s", program, file)
		return
	}
	path := filepath.Join(r.t.TempDir(), file)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	out, err := exec.CommandContext(r.t.Context(), program, append(args, path)...).CombinedOutput()
	if err != nil {
		r.t.Errorf("%s does not take %s: %v\n%s", program, file, err, out)
	}
}

// unitFlag is a flag of the command line in a unit file.
var unitFlag = regexp.MustCompile(`--([a-z-]+)`)

// checkUnit has systemd look at the unit, and the command line at its flags.
func checkUnit(t *testing.T, r *reading) {
	const file = "switchboard.service"
	text := r.content(file)
	serve, known := commandNode(t, "serve"), map[string]bool{}
	for _, f := range serve.Flags {
		known[f.Name] = true
	}
	flags := unitFlag.FindAllStringSubmatch(text, -1)
	for _, m := range flags {
		if !known[m[1]] {
			t.Errorf("%s has --%s, which serve does not", file, m[1])
		}
	}
	if len(flags) < 5 {
		t.Errorf("%s has %d flags", file, len(flags))
	}
	r.accepts(file, strings.ReplaceAll(text, "/usr/local/bin/switchboard", "/bin/true"), "systemd-analyze", "verify")
}

// checkProxies has proxies look at their files, where there are any.
func checkProxies(t *testing.T, r *reading) {
	pem := func(name string) string { return filepath.Join(r.dir, "work", name) }
	site := strings.NewReplacer("/etc/nginx/cert.pem", pem("cert.pem"), "/etc/nginx/key.pem", pem("key.pem"), "listen 443", "listen 127.0.0.1:8443").Replace(r.content("switchboard.conf"))
	r.accepts("nginx.conf", "error_log stderr;\npid "+pem("nginx.pid")+";\nevents {}\nhttp {\naccess_log off;\n"+site+"}\n", "nginx", "-t", "-c")
	r.accepts("Caddyfile", r.content("Caddyfile"), "caddy", "validate", "--adapter", "caddyfile", "--config")
}

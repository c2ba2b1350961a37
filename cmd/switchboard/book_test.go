package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A book is a document whose fenced blocks are true: TestE2EBooks runs them in their order.
//
//   - sh: run by bash; each command must succeed
//   - console: what follows "$ " is run, and the lines below it are what it prints; … stands for anything
//   - text, json: to be read; nothing is done with them
//   - any other language: a file, whose first line is a comment with its name
//
// A block that cannot be run here follows a line "*Not run by the tests: REASON.*", with a reason of notRun.
type book struct {
	name   string // seen from docs
	text   string
	fences []fence
}

// fence is a fenced block.
type fence struct {
	line       int // of its text
	lang, text string
	file       string // what it is the content of, "" if it is no file
	skipped    bool
}

// notRun are the reasons for which a block may be left out, and how many blocks of all books each of them leaves out.
var notRun = map[string]int{
	"it fetches from the network": 1,
	"it needs systemd and root":   2,
	"it needs nginx and root":     1,
	"it needs caddy and root":     1,
}

var (
	skipLine = regexp.MustCompile(`^\*Not run by the tests: (.+)\.\*$`)
	nameLine = regexp.MustCompile(`^(?:#|//|<!--) ([A-Za-z0-9_./-]+\.[a-z]+|[a-z/]*Caddyfile)(?: -->)?$`)
)

// readBook finds the blocks of a document. Errors: a block that never ends, or is of no known kind.
func readBook(name, text string) (book, error) {
	b := book{name: name, text: text}
	lines := strings.Split(text, "\n")
	before, open := "", false
	for i, line := range lines {
		indented := strings.TrimLeft(line, " ")
		if !strings.HasPrefix(indented, "```") {
			if open {
				b.fences[len(b.fences)-1].text += line + "\n"
			} else if line != "" {
				before = line
			}
			continue
		}
		if open = !open; !open {
			continue
		}
		f := fence{line: i + 2, lang: strings.TrimPrefix(indented, "```")}
		if indented != line {
			return b, fmt.Errorf("%s:%d: a block is indented", name, i+1)
		}
		if m := skipLine.FindStringSubmatch(before); m != nil {
			if _, ok := notRun[m[1]]; !ok {
				return b, fmt.Errorf("%s:%d: %q is no reason to leave a block out", name, i+1, m[1])
			}
			f.skipped = true
		}
		b.fences, before = append(b.fences, f), ""
	}
	if open {
		return b, fmt.Errorf("%s: the last block does not end", name)
	}
	for i := range b.fences {
		f := &b.fences[i]
		switch f.lang {
		case "sh", "console", "text", "json":
			continue
		case "":
			return b, fmt.Errorf("%s:%d: a block has no language", name, f.line)
		}
		first, _, _ := strings.Cut(f.text, "\n")
		m := nameLine.FindStringSubmatch(first)
		if m == nil {
			return b, fmt.Errorf("%s:%d: the first line of a file must be a comment with its name", name, f.line)
		}
		f.file = m[1]
	}
	return b, nil
}

// script is what bash runs of a book: files are written where they stand, and what console blocks print goes to
// out/LINE.COMMAND.
func (b book) script() string {
	var s strings.Builder
	for _, f := range b.fences {
		if f.skipped {
			continue
		}
		fmt.Fprintf(&s, "echo '### %s:%d'\n", b.name, f.line)
		switch {
		case f.file != "":
			fmt.Fprintf(&s, "mkdir -p %q\ncat > %q <<'THE END OF THE FILE'\n%sTHE END OF THE FILE\n", filepath.Dir(f.file), f.file, f.text)
		case f.lang == "sh":
			s.WriteString(f.text)
		case f.lang == "console":
			for i, c := range f.commands() {
				fmt.Fprintf(&s, "{ %s\n} > \"$BOOK_OUT/%d.%d\" 2>&1\n", c.command, f.line, i)
			}
		}
	}
	return s.String()
}

// typed is a command of a console block and what it prints.
type typed struct{ command, prints string }

func (f fence) commands() []typed {
	var all []typed
	for line := range strings.Lines(f.text) {
		if c, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, typed{command: strings.TrimSuffix(c, "\n")})
		} else if len(all) == 0 {
			continue
		} else if last := &all[len(all)-1]; strings.HasSuffix(last.command, `\`) {
			last.command += "\n" + strings.TrimSuffix(line, "\n")
		} else {
			last.prints += line
		}
	}
	return all
}

// killed is what bash itself says, at some time, of a job that was killed.
var killed = regexp.MustCompile(`(?m)^bash: line \d+: +\d+ Killed .*$\n?`)

// matches compares what a command printed with what a book says.
func (t typed) matches(printed string) bool {
	printed = killed.ReplaceAllString(printed, "")
	parts := strings.Split(strings.TrimSpace(t.prints), "…")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, ".*") + `$`).MatchString(strings.TrimSpace(printed))
}

const docs = "../../docs"

// elsewhere are documents whose commands another test runs, or whose text is generated.
var elsewhere = []string{"SSOT.md", "CONFIG.md"}

// books reads all documents.
func books(t *testing.T) []book {
	t.Helper()
	var all []book
	err := filepath.WalkDir(docs, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(docs, path)
		if err != nil || filepath.Ext(path) != ".md" || slices.Contains(elsewhere, name) || strings.HasPrefix(name, "reference/") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b, err := readBook(filepath.ToSlash(name), string(text))
		all = append(all, b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestBooksLeaveLittleOut: each reason for leaving a block out is given as often as the table says.
func TestBooksLeaveLittleOut(t *testing.T) {
	left := map[string]int{}
	for _, b := range books(t) {
		for line := range strings.Lines(b.text) {
			if m := skipLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				left[m[1]]++
			}
		}
	}
	for reason, n := range notRun {
		if left[reason] != n {
			t.Errorf("%q leaves %d blocks out, and not %d", reason, left[reason], n)
		}
	}
}

// TestBookFindsFaults: what is wrong with a book is found.
func TestBookFindsFaults(t *testing.T) {
	for text, want := range map[string]string{
		"```sh\ntrue\n":              "does not end",
		"```\ntrue\n```\n":           "no language",
		" ```sh\ntrue\n```\n":        "indented",
		"```yaml\nagents: {}\n```\n": "with its name",
		"```go\npackage main\n```\n": "with its name",
		"*Not run by the tests: it is slow.*\n```sh\ntrue\n```\n": "no reason",
	} {
		if _, err := readBook("b.md", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	b, err := readBook("b.md", "```yaml\n# a/b.yaml\nx: 1\n```\n*Not run by the tests: it needs nginx and root.*\n\n```sh\nfalse\n```\n```console\n$ echo a \\\n  b\na b\n$ true\n```\n")
	if err != nil || len(b.fences) != 3 || b.fences[0].file != "a/b.yaml" || !b.fences[1].skipped || strings.Contains(b.script(), "false") {
		t.Fatalf("%+v %v", b.fences, err)
	}
	c := b.fences[2].commands()
	if len(c) != 2 || c[0].command != "echo a \\\n  b" || !c[0].matches("a b\n") || c[0].matches("a c\n") || !c[1].matches("") || c[1].matches("x") {
		t.Errorf("%q", c)
	}
	if anything := (typed{prints: "a … (1)\n"}); !anything.matches("a\nb (1)") && !anything.matches("a b\n (1)") || anything.matches("a b 1") {
		t.Error("… does not stand for anything")
	}
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)(?:#([^)\s]+))?\)`)

// TestBooksLinks: what the documents refer to is there.
func TestBooksLinks(t *testing.T) {
	n := 0
	files, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(docs, func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			n++
			target, err := os.ReadFile(filepath.Join(filepath.Dir(path), m[1]))
			if info, serr := os.Stat(filepath.Join(filepath.Dir(path), m[1])); serr == nil && info.IsDir() {
				continue
			}
			if err != nil {
				t.Errorf("%s refers to %s, which is not there", path, m[1])
			} else if m[2] != "" && !slices.Contains(anchors(string(target)), m[2]) {
				t.Errorf("%s refers to #%s of %s, which is not there", path, m[2], m[1])
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d references were found", n)
	}
}

// anchors are the names of a document's headings, as GitHub makes them.
func anchors(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			title = strings.ToLower(strings.TrimSpace(title))
			title = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(title, "")
			names = append(names, strings.ReplaceAll(title, " ", "-"))
		}
	}
	return names
}

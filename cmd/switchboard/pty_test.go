package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
)

// person is somebody at a terminal that runs switchboard.
type person struct {
	t      *testing.T
	cmd    *exec.Cmd
	keys   *os.File
	screen *output
	ended  chan struct{}
	width  int
}

// sitDown starts switchboard at a terminal of so many columns, for a person with a home of its own.
func sitDown(t *testing.T, home string, width int, env []string, args ...string) *person {
	t.Helper()
	env = append([]string{"HOME=" + home, "XDG_CONFIG_HOME=" + home, "TERM=xterm-256color", "NO_COLOR="}, env...)
	cmd := command(context.Background(), env, args...)
	cmd.Dir = home
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: uint16(width)})
	if errors.Is(err, pty.ErrUnsupported) {
		t.Skip("there are no pseudo-terminals here")
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, cmd: cmd, keys: f, screen: new(output), ended: make(chan struct{}), width: width}
	go func() {
		_, _ = io.Copy(p.screen, f) // it ends with the process, in an error
		_ = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.ended
		f.Close()
		if t.Failed() {
			t.Logf("the terminal shows:\n%s", p.shown())
		}
	})
	return p
}

// types types.
func (p *person) types(keys string) {
	p.t.Helper()
	if _, err := io.WriteString(p.keys, keys); err != nil {
		p.t.Fatal(err)
	}
}

// sees waits until the terminal shows something, as often as said, and returns all it shows.
func (p *person) sees(what string, times int) string {
	p.t.Helper()
	late := time.NewTimer(startTime)
	defer late.Stop()
	for {
		changed := p.screen.next()
		if s := p.shown(); strings.Count(s, what) >= times {
			return s
		}
		select {
		case <-changed:
		case <-p.ended:
			if s := p.shown(); strings.Count(s, what) >= times {
				return s
			}
			p.t.Fatalf("the program ended before it showed %q", what)
		case <-late.C:
			p.t.Fatalf("%q is not shown", what)
		}
	}
}

// leaves waits for the end of the program.
func (p *person) leaves() (code int) {
	p.t.Helper()
	late := time.NewTimer(startTime)
	defer late.Stop()
	select {
	case <-p.ended:
	case <-late.C:
		p.t.Fatal("the program does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *person) shown() string { return display(p.screen.bytes(), p.width) }

var sequence = regexp.MustCompile(`^\x1b\[([?0-9;]*)([A-Za-z~])`)

// display is what a terminal shows of bytes, with all that has scrolled away. It knows what the chat uses.
func display(b []byte, width int) string {
	rows, x, y := [][]rune{nil}, 0, 0
	for len(b) > 0 {
		if m := sequence.FindSubmatch(b); m != nil {
			b = b[len(m[0]):]
			n, _ := strconv.Atoi(string(m[1]))
			switch m[2][0] {
			case 'A':
				y = max(0, y-max(1, n))
			case 'B':
				y = min(len(rows)-1, y+max(1, n))
			case 'C':
				x += max(1, n)
			case 'D':
				x = max(0, x-max(1, n))
			case 'K':
				rows[y] = rows[y][:min(x, len(rows[y]))]
			}
			continue
		}
		r, size := utf8.DecodeRune(b)
		b = b[size:]
		switch r {
		case '\r':
			x = 0
			continue
		case '\n':
			y++
		case '\b':
			x = max(0, x-1)
			continue
		default:
			if x >= width {
				x, y = 0, y+1
			}
		}
		for len(rows) <= y {
			rows = append(rows, nil)
		}
		if r == '\n' {
			continue
		}
		for len(rows[y]) <= x {
			rows[y] = append(rows[y], ' ')
		}
		rows[y][x] = r
		x++
	}
	var out strings.Builder
	for _, row := range rows[:len(rows)-1] {
		out.WriteString(strings.TrimRight(string(row), " ") + "\n")
	}
	return out.String() + string(rows[len(rows)-1])
}

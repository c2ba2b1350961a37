package mcp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
	"unicode"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/time/rate"
)

const (
	writeWait = 10 * time.Second // for a program that does not read
	stopWait  = 2 * time.Second  // for a program that is asked to end
	drainWait = time.Second      // for the last words of one that has ended
	maxLine   = 1 << 10          // bytes of a line in the log
)

// command is an sdk.Transport that runs a program.
type command struct {
	cfg     Config
	secret  Secret
	redact  func(string) string // takes secrets out of what the program says
	log     *slog.Logger
	process *process // once it is connected
}

// Connect implements sdk.Transport.
func (c *command) Connect(ctx context.Context) (sdk.Connection, error) {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for _, name := range sortedKeys(c.cfg.Env) {
		v, err := parseValue(c.cfg.Env[name])
		if err != nil {
			return nil, errValue
		}
		text, err := v.eval("", c.secret)
		if err != nil {
			return nil, err
		}
		env = append(env, name+"="+text)
	}
	p, err := start(c.cfg, env, c.redact, c.log)
	if err != nil {
		return nil, err
	}
	c.process = p
	return (&sdk.IOTransport{Reader: p.stdout, Writer: p, MaxLineLength: maxMessage}).Connect(ctx)
}

// process is a program that runs, with all that it started, as a group of its own. Write and Close are for its input.
type process struct {
	cmd    *exec.Cmd
	stdin  *os.File
	stdout *os.File
	ended  chan struct{} // closed when it and its group have ended
	parts  sync.WaitGroup
	closed sync.Once
}

// start starts a program.
func start(c Config, env []string, redact func(string) string, log *slog.Logger) (_ *process, err error) {
	cmd := exec.Command(c.Command, c.Args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = c.Dir, env, ownGroup()
	var theirs [3]*os.File
	p := &process{cmd: cmd, ended: make(chan struct{})}
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
		if err != nil {
			p.stdin.Close()
			p.stdout.Close()
		}
	}()
	if theirs[0], p.stdin, err = os.Pipe(); err != nil {
		return nil, err
	}
	if p.stdout, theirs[1], err = os.Pipe(); err != nil {
		return nil, err
	}
	stderr, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	theirs[2] = w
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs[0], theirs[1], theirs[2]
	if err = cmd.Start(); err != nil {
		stderr.Close()
		return nil, startError(err)
	}
	p.parts.Go(func() { lines(stderr, redact, log) })
	p.parts.Go(func() {
		err := cmd.Wait()
		killGroup(cmd.Process.Pid) // what it started must not outlive it
		close(p.ended)
		log.Debug("an MCP server's program has ended", "how", err)
		// Who left the group may still hold the pipes: our ends are closed, and nobody waits for them.
		time.AfterFunc(drainWait, func() { stderr.Close(); p.stdout.Close() })
	})
	return p, nil
}

// Write writes to the program's input.
func (p *process) Write(b []byte) (int, error) {
	if err := p.stdin.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return 0, err
	}
	return p.stdin.Write(b)
}

// Close asks the program to end, makes it end, and returns when it and its group have ended.
func (p *process) Close() error {
	p.closed.Do(func() {
		p.stdin.Close() // the end of its input asks it to end (MCP 2025-11-25, Lifecycle, Shutdown)
		for _, press := range []func(pid int){termGroup, killGroup} {
			select {
			case <-p.ended:
			case <-time.After(stopWait):
				press(p.cmd.Process.Pid)
			}
		}
		<-p.ended
	})
	return nil
}

// wait returns when nothing of the process is left.
func (p *process) wait() {
	p.Close()
	p.parts.Wait()
}

// lines writes what a program says on its error output to the log: line by line, cut, cleaned, and not without end.
func lines(r io.ReadCloser, redact func(string) string, log *slog.Logger) {
	defer r.Close()
	in := bufio.NewReaderSize(r, 8*maxLine) // a secret is found whole, and cut afterwards
	limit, dropped := rate.NewLimiter(20, 100), 0
	for {
		line, more, err := in.ReadLine()
		if err != nil {
			if dropped > 0 {
				log.Warn("an MCP server said more than is kept", "lines", dropped)
			}
			return
		}
		text := cleanLine(redact(string(line)))
		if more || len(text) > maxLine {
			text = strings.ToValidUTF8(text[:min(len(text), maxLine)], "") + "… [cut]"
		}
		for more && err == nil { // the rest of a long one
			_, more, err = in.ReadLine()
		}
		if !limit.Allow() {
			dropped++
			continue
		}
		log.Info("an MCP server says", "text", text)
	}
}

// cleanLine returns a text as a log may hold it.
func cleanLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// startError hides the path of a program that cannot be started.
func startError(err error) error {
	var e *exec.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

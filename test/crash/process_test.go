package crash

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTime = 30 * time.Second // for a process to start on a busy machine
	stopTime  = 10 * time.Second // for a process to end that was asked to
)

// process is a child that is started, hurt and started again. One goroutine at a time may hurt it.
type process struct {
	name  string
	args  []string
	env   []string
	until func(line string) bool // the line of its output that says it is ready
	log   string                 // file that gets what it says

	mu    sync.Mutex // guards what follows
	cmd   *exec.Cmd
	ended chan struct{}
}

// start starts the process and returns when it is ready.
func (p *process) start(ctx context.Context) error {
	cmd := exec.Command(p.args[0], p.args[1:]...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SWITCHBOARD_") && !strings.HasPrefix(v, "OPENAI_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, p.env...)
	endWithParent(cmd)
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	go func() {
		p.read(out, ready)
		_ = cmd.Wait() // its state says it too
		close(ended)
	}()
	p.mu.Lock()
	p.cmd, p.ended = cmd, ended
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	select {
	case <-ready:
		return nil
	case <-ended:
		return fmt.Errorf("%s ended at its start: %v\n%s", p.name, cmd.ProcessState, tail(p.log))
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("%s did not start: %w\n%s", p.name, context.Cause(ctx), tail(p.log))
	}
}

// read reads the output to its end and says when the process is ready.
func (p *process) read(out io.Reader, ready chan struct{}) {
	s := bufio.NewScanner(out)
	for s.Scan() {
		if ready != nil && p.until(s.Text()) {
			close(ready)
			ready = nil
		}
	}
}

func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s) // it may have ended
	}
}

// kill ends the process by SIGKILL.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// stop asks the process to end. It must, in time and with exit code 0.
func (p *process) stop() error {
	p.signal(syscall.SIGTERM)
	late := time.NewTimer(stopTime)
	defer late.Stop()
	select {
	case <-p.ended:
	case <-late.C:
		p.signal(syscall.SIGQUIT) // says where it hangs
		<-p.ended
		return fmt.Errorf("%s does not end\n%s", p.name, tail(p.log))
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with exit code %d\n%s", p.name, code, tail(p.log))
	}
	return nil
}

// trouble returns what a log must not hold.
func trouble(log string) error {
	b, err := os.ReadFile(log)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, sign := range []string{"DATA RACE", "panic", "goroutine ", "crossed"} {
		if i := strings.Index(string(b), sign); i >= 0 {
			return fmt.Errorf("%s holds %q: %s", log, sign, b[max(0, i-500):min(len(b), i+1500)])
		}
	}
	return nil
}

// tail returns the end of a file.
func tail(file string) []byte {
	b, _ := os.ReadFile(file) // for an error message: what can be read
	return b[max(0, len(b)-4000):]
}

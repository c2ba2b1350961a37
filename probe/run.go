package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

const (
	logins      = 8                      // at once: the server hashes only so many passwords in parallel
	connectTime = 2 * time.Minute        // for one device to log in and connect, with what it is asked to wait
	settle      = 500 * time.Millisecond // after the last run, for what must not come
)

var errLate = errors.New("not in time")

// device is one connection of one user of the probe.
type device struct {
	watch      *watch
	client     *client.Client
	user       switchboard.UserID
	reconnects atomic.Int64
	drained    chan struct{}
}

// attempt is one run of the probe and what came of it.
type attempt struct {
	number   int
	device   *device
	question question
	exchange *exchange
	id       switchboard.FrameID
	ack      switchboard.Ack
	err      error
	started  bool
}

// prober is a probe at work.
type prober struct {
	cfg     Config
	ledger  *Ledger
	devices []*device

	mu     sync.Mutex // guards tokens, waits and waited
	tokens map[Credential]func() (string, error)
	waits  int
	waited time.Duration
}

// Run probes and reports. It returns an error only if it could not begin (no login, no connection, a bad Config) or if
// ctx ended first, then with what it had seen; a server that does wrong is a matter of the Report. On a terminal progress
// shows a bar, else nothing; it may be nil.
func Run(ctx context.Context, cfg Config, progress io.Writer) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	cfg = cfg.withDefaults()
	if cfg.Seed == 0 {
		cfg.Seed = mathrand.Uint64()
	}
	p := &prober{cfg: cfg, ledger: NewLedger(), tokens: map[Credential]func() (string, error){}}
	defer p.close()
	if err := p.connect(ctx); err != nil {
		return Report{}, err
	}
	begin := time.Now()
	attempts := p.walk(ctx, progress)
	elapsed := time.Since(begin)
	_ = pause(ctx, settle)
	return p.report(attempts, elapsed), context.Cause(ctx)
}

// connect opens all devices: the first devices of all users, then their second ones …
func (p *prober) connect(ctx context.Context) error {
	p.devices = make([]*device, p.cfg.Users*p.cfg.Devices)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(logins)
	for i := range p.devices {
		k := p.cfg.Credentials[i%p.cfg.Users%len(p.cfg.Credentials)]
		g.Go(func() (err error) {
			dctx, cancel := context.WithTimeout(gctx, connectTime)
			defer cancel()
			if p.devices[i], err = p.open(dctx, k); err != nil {
				return fmt.Errorf("device %d: %w", i+1, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	perUser := map[switchboard.UserID]int{}
	for _, d := range p.devices {
		perUser[d.user]++
		if limit := d.client.Established().Limits.DevicesPerUser; limit > 0 && perUser[d.user] > limit {
			return switchboard.Errorf(switchboard.Invalid, "more devices of one user than the server's %d: give more credentials", limit).At("users")
		}
	}
	return nil
}

func (p *prober) open(ctx context.Context, k Credential) (*device, error) {
	token, err := p.token(ctx, k)
	if err != nil {
		return nil, err
	}
	d := &device{watch: newWatch(p.ledger, p.cfg.Lossy), drained: make(chan struct{})}
	err = p.patiently(ctx, func() (err error) {
		d.client, err = client.Open(ctx, client.Config{
			URL: p.cfg.URL, Token: token, HTTPClient: p.cfg.HTTPClient, Received: d.watch.observe,
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	d.user = d.client.Established().User.ID
	go func() {
		defer close(d.drained)
		for u := range d.client.Updates() {
			if u.State == client.Reconnecting {
				d.reconnects.Add(1)
			}
		}
	}()
	// Threads whose runs may still go on from before; those further back are at rest.
	list, err := d.client.ListThreads(ctx, switchboard.ListThreads{})
	if err != nil {
		d.close()
		return nil, fmt.Errorf("list_threads: %w", err)
	}
	d.watch.ignore(list.Threads)
	return d, nil
}

// token logs in once for each credential.
func (p *prober) token(ctx context.Context, k Credential) (string, error) {
	if k.Token != "" {
		return k.Token, nil
	}
	p.mu.Lock()
	login := p.tokens[k]
	if login == nil {
		login = sync.OnceValues(func() (token string, err error) {
			err = p.patiently(ctx, func() error {
				s, err := client.Login(ctx, client.Config{URL: p.cfg.URL, HTTPClient: p.cfg.HTTPClient}, k.Username, k.Password)
				token = s.Token
				return err
			})
			return token, err
		})
		p.tokens[k] = login
	}
	p.mu.Unlock()
	return login()
}

// patiently repeats f as often as the server asks to wait, or is not available for a moment.
func (p *prober) patiently(ctx context.Context, f func() error) error {
	for {
		err := f()
		var e *switchboard.Error
		if !errors.As(err, &e) {
			return err
		}
		wait := e.RetryAfter
		switch e.Code {
		case switchboard.RateLimited, switchboard.Unavailable, switchboard.ShuttingDown:
			wait = max(wait, 250*time.Millisecond)
		default:
			return err
		}
		p.mu.Lock()
		p.waits++
		p.waited += wait
		p.mu.Unlock()
		if pause(ctx, wait) != nil {
			return err
		}
	}
}

// walk makes all runs, Concurrency at once.
func (p *prober) walk(ctx context.Context, progress io.Writer) []*attempt {
	bar := newBar(p.cfg.Runs, progress)
	defer bar.Finish()
	attempts := make([]*attempt, p.cfg.Runs)
	var g errgroup.Group
	g.SetLimit(p.cfg.Concurrency)
	for i := range attempts {
		d := p.devices[i%len(p.devices)]
		a := &attempt{number: i + 1, device: d, id: client.NewID()}
		word := p.ledger.Begin(Owner{d.user, a.number}, a.id)
		a.question = ask(mathrand.New(mathrand.NewPCG(p.cfg.Seed, uint64(i))), word)
		attempts[i] = a
		g.Go(func() error {
			if ctx.Err() == nil {
				a.started = true
				a.walk(ctx, p)
				bar.Add(1)
			}
			return nil
		})
	}
	g.Wait()
	return attempts
}

// walk sends the message and waits for the end of its run.
func (a *attempt) walk(ctx context.Context, p *prober) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := a.device.watch
	a.exchange = w.sending(a.id, p.cfg.Timeout, func() { cancel(errLate) })
	m := switchboard.Message{ID: a.id, Payload: &switchboard.UserMessage{Text: a.question.text}}
	a.err = a.device.client.Do(ctx, m, &a.ack)
	w.release(a.exchange)
	if a.err != nil {
		return
	}
	p.ledger.owns(a.ack.ThreadID, Owner{a.device.user, a.number})
	late := time.NewTimer(p.cfg.Timeout)
	defer late.Stop()
	select {
	case <-w.track(a.ack.ThreadID).done:
	case <-late.C:
		a.err = errLate
	case <-ctx.Done():
		a.err = context.Cause(ctx)
	}
}

func (p *prober) close() {
	for _, d := range p.devices {
		if d != nil {
			d.close()
		}
	}
}

func (d *device) close() {
	d.client.Close()
	<-d.drained
}

// newBar returns a progress bar that shows itself on terminals only.
func newBar(n int, w io.Writer) *progressbar.ProgressBar {
	f, ok := w.(*os.File)
	visible := ok && term.IsTerminal(int(f.Fd()))
	if !visible {
		w = io.Discard
	}
	return progressbar.NewOptions(n, progressbar.OptionSetWriter(w), progressbar.OptionSetVisibility(visible),
		progressbar.OptionSetDescription("probing"), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("runs"), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: "░"}), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionUseANSICodes(true), progressbar.OptionSetRenderBlankState(true))
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// answerOf returns what an error is called in a report.
func answerOf(err error) string {
	var e *switchboard.Error
	var ce *client.CloseError
	switch {
	case errors.Is(err, errLate):
		return "timeout"
	case errors.As(err, &e):
		return string(e.Code)
	case errors.As(err, &ce):
		return strings.TrimSpace(fmt.Sprintf("closed %d %s", ce.Code, ce.Meaning()))
	}
	return err.Error()
}

package tool

import (
	"math"
	"sync"
	"time"
)

// Progress is how far a call has come: Progress of Total, which is 0 if it is not known. Text has no control characters.
type Progress struct {
	Progress, Total float64
	Text            string
}

const (
	progressEvery = 100 * time.Millisecond
	maxProgress   = 300 // bytes of a text
)

// progress passes on what a tool tells of a call: at once, then the newest ten times a second, and nothing once the call
// has ended.
type progress struct {
	to func(Progress)

	mu    sync.Mutex // guards what follows; held while to is called, so that nothing comes after the end
	ended bool
	next  *Progress // told too early, to be passed on by the timer
	timer *time.Timer
}

func newProgress(to func(Progress)) *progress { return &progress{to: to, ended: to == nil} }

// tell is Invocation.Progress.
func (p *progress) tell(done, total float64, text string) {
	for _, v := range []float64{done, total} {
		if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 { // no JSON, or no progress
			return
		}
	}
	x := Progress{done, total, cleanText(text, maxProgress)}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
	case p.timer != nil:
		p.next = &x
	default:
		p.to(x)
		p.timer = time.AfterFunc(progressEvery, p.tick)
	}
}

// tick passes the newest on, if there is news.
func (p *progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = nil
	if p.ended || p.next == nil {
		return
	}
	x := *p.next
	p.next = nil
	p.to(x)
	p.timer = time.AfterFunc(progressEvery, p.tick)
}

// end waits for what is being told and lets nothing more through.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended, p.next = true, nil
	if p.timer != nil {
		p.timer.Stop()
	}
}

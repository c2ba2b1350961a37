package wire

import (
	"context"
	"errors"
	"io"
	"time"
)

var errStalled = errors.New("the server was silent for too long")

// watch reads a response and cancels its request when one wait for bytes takes longer than limit. The time its reader
// spends elsewhere is not counted. It is used by one goroutine.
type watch struct {
	r     io.Reader
	limit time.Duration
	timer *time.Timer
}

func newWatch(limit time.Duration, cancel context.CancelCauseFunc) *watch {
	w := &watch{limit: limit, timer: time.AfterFunc(time.Hour, func() { cancel(errStalled) })}
	w.stop()
	return w
}

func (w *watch) start() { w.timer.Reset(w.limit) }
func (w *watch) stop()  { w.timer.Stop() }

func (w *watch) Read(p []byte) (int, error) {
	w.start()
	defer w.stop()
	return w.r.Read(p)
}

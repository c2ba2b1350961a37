package journal

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestReviveOnce: while the engine is started anew, which takes long, appends are refused at once and nobody starts it
// again; those that had no answer before do not count against it afterwards.
func TestReviveOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		times := 0
		j := &Journal{cfg: Config{Revive: func() error {
			mu.Lock()
			times++
			mu.Unlock()
			time.Sleep(5 * reviveEvery)
			return nil
		}}}
		before := time.Now()
		for range mostHangs {
			j.answered(before, context.DeadlineExceeded)
		}
		var wg sync.WaitGroup
		refused := 0
		for i := range 8 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * reviveEvery)
				if j.writable(true) != nil {
					mu.Lock()
					refused++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for range mostHangs {
			j.answered(before, context.DeadlineExceeded)
		}
		time.Sleep(2 * reviveEvery)
		if err := j.writable(true); err != nil {
			t.Error(err)
		}
		if times != 1 || refused < 4 {
			t.Errorf("started anew %d times, %d of 8 refused", times, refused)
		}
	})
}

package journal

import (
	"context"
	"errors"
	"time"

	"github.com/netra-systems/switchboard"
)

// mostHangs is how many appends in a row may stay without an answer until the log is said to take no writes.
const mostHangs = 2

// reviveEvery is how long a log that takes no writes is left alone: then one append tries, and the engine is started anew
// if its disk lets it.
const reviveEvery = time.Second

// needed reports whether an event may use what is kept free of the disk: all but new work, titles and ratings.
func needed(t switchboard.EventType) bool {
	return t != switchboard.UserMessageAccepted && t != switchboard.ThreadRenamed && t != switchboard.AnswerRated
}

// room returns an error if there is no room.
func (j *Journal) room(reserve bool) error {
	if j.cfg.Room != nil {
		if err := j.cfg.Room(reserve); err != nil {
			return switchboard.Wrap(switchboard.Unavailable, "the store is full", err)
		}
	}
	return nil
}

// hangs returns an error if the last appends had no answer.
func (j *Journal) hangs() error {
	if j.hung.Load() >= mostHangs {
		return switchboard.Errorf(switchboard.Unavailable, "the store does not take writes").After(reviveEvery)
	}
	return nil
}

// writable returns an error, at once, if an append would find no room or no answer.
func (j *Journal) writable(reserve bool) error {
	if err := j.room(reserve); err != nil {
		return err
	}
	if err := j.hangs(); err != nil && !j.retry() {
		return err
	}
	return nil
}

// retry reports whether it is time to try again, and has the engine started anew before. One tries: nobody waits for it.
func (j *Journal) retry() bool {
	if !j.reviving.TryLock() {
		return false
	}
	defer j.reviving.Unlock()
	if j.hangs() == nil { // another has just revived it
		return true
	}
	if time.Now().UnixNano()-j.revived.Load() < int64(reviveEvery) {
		return false
	}
	if j.cfg.Revive == nil {
		j.revived.Store(time.Now().UnixNano())
		return true
	}
	err := j.cfg.Revive()
	j.revived.Store(time.Now().UnixNano())
	if err == nil {
		j.hung.Store(0)
	}
	return err == nil
}

// answered counts appends without an answer; one that began before the engine was started anew tells nothing of it.
func (j *Journal) answered(began time.Time, err error) {
	switch {
	case !errors.Is(err, context.DeadlineExceeded):
		j.hung.Store(0)
	case began.UnixNano() > j.revived.Load():
		j.hung.Add(1)
	}
}

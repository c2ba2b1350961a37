package terminal

import (
	"errors"
	"io"
	"sync"
)

const (
	ctrlC = 3
	ctrlE = 5
	ctrlU = 21
)

var errPutAway = errors.New("the prompt was put away")

// keyboard is what is typed. Keys wait until a prompt takes them; Ctrl-C never waits.
type keyboard struct {
	interrupts chan bool     // Ctrl-C, and whether it took back what was typed
	waiting    chan struct{} // there are keys and no prompt is open

	mu      sync.Mutex // guards what follows
	changed *sync.Cond
	keys    []byte
	last    byte  // that was given
	lead    bool  // a byte is held back until the next one
	err     error // of the input, once it has ended
	open    bool  // a prompt is there
	touched bool  // it has been given a key
	erased  bool  // what it was given was all taken back
	away    bool  // it is to be put away
}

func newKeyboard() *keyboard {
	k := &keyboard{interrupts: make(chan bool, 1), waiting: make(chan struct{}, 1)}
	k.changed = sync.NewCond(&k.mu)
	return k
}

// listen takes what is typed until the input ends.
func (k *keyboard) listen(in io.Reader) {
	b := make([]byte, 4096)
	for {
		n, err := in.Read(b)
		k.mu.Lock()
		for _, c := range b[:n] {
			if c != ctrlC {
				k.key(c)
				continue
			}
			typed := k.open && k.touched && !(k.erased && len(k.keys) == 0)
			if typed {
				k.keys = append(k.keys, ctrlE, ctrlU)
			}
			select {
			case k.interrupts <- typed:
			default:
			}
		}
		k.err = err
		if (len(k.keys) > 0 || err != nil) && !k.open {
			signal(k.waiting)
		}
		k.changed.Broadcast()
		k.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// key adds a byte. Characters from U+0080 to U+009F, which the line editor would show, are controls: they come with
// what is pasted, and are left out.
func (k *keyboard) key(c byte) {
	const lead = 0xc2 // of these in UTF-8, and of others
	switch {
	case k.lead && c >= 0x80 && c <= 0x9f:
		k.lead = false
		return
	case k.lead:
		k.keys = append(k.keys, lead)
	}
	if k.lead = c == lead; !k.lead {
		k.keys = append(k.keys, c)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Read gives keys to the open prompt.
func (k *keyboard) Read(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.erased && len(k.keys) == 0 {
		k.touched = false
	}
	for len(k.keys) == 0 && k.err == nil && !k.away {
		k.changed.Wait()
	}
	switch {
	case k.away:
		return 0, errPutAway
	case len(k.keys) > 0:
		// One at a time: what comes after the end of a line stays here.
		n := copy(b[:min(1, len(b))], k.keys)
		k.keys = k.keys[n:]
		k.touched, k.erased = true, k.last == ctrlE && b[0] == ctrlU
		k.last = b[0]
		return n, nil
	}
	return 0, k.err
}

// opened says that a prompt is there.
func (k *keyboard) opened() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open, k.touched, k.erased, k.away = true, false, false, false
}

// closed says that the prompt has gone.
func (k *keyboard) closed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open = false
	if len(k.keys) > 0 || k.err != nil {
		signal(k.waiting)
	}
}

// putAway makes an untouched prompt return errPutAway. It reports whether it does: one that was touched stays.
func (k *keyboard) putAway() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.open || k.touched || len(k.keys) > 0 {
		return false
	}
	k.away = true
	k.changed.Broadcast()
	return true
}

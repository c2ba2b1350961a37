package probe

import (
	"bytes"
	"crypto/rand"
	"strings"
	"sync"

	"github.com/netra-systems/switchboard"
)

const (
	markerLen = 10 // letters that begin every word of a probe
	wordLen   = markerLen + 16
)

// ledger is what all devices of a probe know together: which user owns which word, message and thread.
type ledger struct {
	marker []byte // begins every word, so that one search finds them all; lower case

	mu      sync.Mutex // guards what follows
	words   map[string]owner
	sent    map[switchboard.FrameID]owner
	threads map[switchboard.ThreadID]owner
}

// owner is a run and the user it belongs to.
type owner struct {
	user switchboard.UserID
	run  int
}

func newLedger() *ledger {
	return &ledger{
		marker: []byte(letters(markerLen)), words: map[string]owner{}, sent: map[switchboard.FrameID]owner{},
		threads: map[switchboard.ThreadID]owner{},
	}
}

// letters returns n random letters of a–z without digits, so that no one takes them for operands.
func letters(n int) string {
	var b strings.Builder
	for b.Len() < n {
		for _, c := range strings.ToLower(rand.Text()) {
			if c >= 'a' && c <= 'z' && b.Len() < n {
				b.WriteRune(c)
			}
		}
	}
	return b.String()
}

// begin notes the message of a run and makes its word.
func (l *ledger) begin(o owner, id switchboard.FrameID) string {
	w := string(l.marker) + letters(wordLen-markerLen)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.words[w], l.sent[id] = o, o
	return w
}

// leaks returns the owners of the words in frame that do not belong to user. A word that is mangled behind the marker
// has no owner that could be named, but is a leak unless the marker is all there is, as in a delta that ends there.
func (l *ledger) leaks(frame []byte, user switchboard.UserID) []owner {
	var found []owner
	frame = bytes.ToLower(frame)
	for {
		i := bytes.Index(frame, l.marker)
		if i < 0 {
			return found
		}
		frame = frame[i:]
		w := string(frame[:min(wordLen, len(frame))])
		l.mu.Lock()
		o, ok := l.words[w]
		if !ok {
			o = l.beginning(w, user)
		}
		l.mu.Unlock()
		if o.user != user {
			found = append(found, o)
		}
		frame = frame[len(l.marker):]
	}
}

// beginning looks for the owner of a word that was cut: one of user if there is any.
func (l *ledger) beginning(w string, user switchboard.UserID) owner {
	n := strings.IndexFunc(w, func(r rune) bool { return r < 'a' || r > 'z' })
	if n >= 0 {
		w = w[:n]
	}
	o := owner{run: -1}
	for full, who := range l.words {
		if strings.HasPrefix(full, w) {
			if who.user == user {
				return who
			}
			o = who
		}
	}
	return o
}

// owns notes whose thread it is.
func (l *ledger) owns(id switchboard.ThreadID, o owner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.threads[id] = o
}

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

// Ledger is what all devices of a probe know together: which user owns which word, message and thread. Its methods may be
// called concurrently.
type Ledger struct {
	marker []byte // begins every word, so that one search finds them all; lower case

	mu      sync.Mutex // guards what follows
	words   map[string]Owner
	sent    map[switchboard.FrameID]Owner
	threads map[switchboard.ThreadID]Owner
}

// Owner is a run and the user it belongs to.
type Owner struct {
	User switchboard.UserID
	Run  int
}

// NewLedger returns an empty Ledger with a marker of its own.
func NewLedger() *Ledger {
	return &Ledger{
		marker: []byte(letters(markerLen)), words: map[string]Owner{}, sent: map[switchboard.FrameID]Owner{},
		threads: map[switchboard.ThreadID]Owner{},
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

// Begin notes the message of a run and makes its word.
func (l *Ledger) Begin(o Owner, id switchboard.FrameID) string {
	w := string(l.marker) + letters(wordLen-markerLen)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.words[w], l.sent[id] = o, o
	return w
}

// Leaks returns the owners of the words in frame that do not belong to user. A word that is mangled behind the marker
// has no owner that could be named, but is a leak unless the marker is all there is, as in a delta that ends there.
func (l *Ledger) Leaks(frame []byte, user switchboard.UserID) []Owner {
	var found []Owner
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
		if o.User != user {
			found = append(found, o)
		}
		frame = frame[len(l.marker):]
	}
}

// beginning looks for the owner of a word that was cut: one of user if there is any.
func (l *Ledger) beginning(w string, user switchboard.UserID) Owner {
	n := strings.IndexFunc(w, func(r rune) bool { return r < 'a' || r > 'z' })
	if n >= 0 {
		w = w[:n]
	}
	o := Owner{Run: -1}
	for full, who := range l.words {
		if strings.HasPrefix(full, w) {
			if who.User == user {
				return who
			}
			o = who
		}
	}
	return o
}

// owns notes whose thread it is.
func (l *Ledger) owns(id switchboard.ThreadID, o Owner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.threads[id] = o
}

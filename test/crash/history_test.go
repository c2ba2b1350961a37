package crash

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// history is what a run of the harness has recorded, for the checkers.
type history struct {
	sent   map[switchboard.FrameID]*sent
	views  []view
	log    map[switchboard.UserID]map[switchboard.ThreadID][]thread.Entry
	pages  map[switchboard.UserID]map[switchboard.ThreadID][]line // the log as get_thread tells it
	faults []fault
}

// sent is a message that a user has sent, once or several times.
type sent struct {
	user    switchboard.UserID
	message switchboard.Message
	script  script // what the model was told to say

	mu      sync.Mutex // guards what follows
	acks    []switchboard.Ack
	refused error // the last definite refusal
	unknown int   // tries whose outcome is not known
}

// acked returns the first ack.
func (s *sent) acked() (switchboard.Ack, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.acks) == 0 {
		return switchboard.Ack{}, false
	}
	return s.acks[0], true
}

// view is what one device holds.
type view struct {
	name    string
	user    switchboard.UserID
	threads map[switchboard.ThreadID][]line
	wrong   []violation // what it saw that must not be
}

// line is an event as a device, a page or the log has it.
type line struct {
	n   uint64
	typ switchboard.EventType
	sum [16]byte // of all of it but the cursor
}

func lineOf(e switchboard.Event) (line, error) {
	e.Cursor = ""
	b, err := switchboard.EncodeEvent(e)
	if err != nil {
		return line{}, err
	}
	h := sha256.Sum256(b)
	return line{e.N, e.Type, [16]byte(h[:16])}, nil
}

// violation is something that must not be.
type violation struct{ kind, detail string }

func wrongf(kind, format string, args ...any) violation {
	return violation{kind, fmt.Sprintf(format, args...)}
}

// fault is something that the schedule did to a process.
type fault struct {
	at     time.Time
	until  time.Time // when it was over: the process was ready again
	kind   string    // kill, stop, freeze 10s, kill engine …
	worker string    // the life of the node that it ended or froze
}

// ids returns the ids that a person's event brought into the log.
func ids(e switchboard.Event) (id switchboard.FrameID, run switchboard.RunID) {
	switch p := e.Payload.(type) {
	case *switchboard.UserMessageEvent:
		return p.ID, p.RunID
	case *switchboard.StopRequestedEvent:
		return p.ID, p.RunID
	case *switchboard.AnswerRatedEvent:
		return p.ID, p.RunID
	case *switchboard.ThreadRenamedEvent:
		return p.ID, ""
	case *switchboard.ThreadDeletedEvent:
		return p.ID, ""
	}
	return "", ""
}

// deleted reports whether all that is left of a thread is its tombstone.
func deleted(lines []line) bool {
	return len(lines) > 0 && lines[len(lines)-1].typ == switchboard.ThreadDeleted
}

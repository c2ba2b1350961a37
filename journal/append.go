package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// headerKey is the one header of ours beside a stored event.
const headerKey = "Switchboard"

// maxEvent is the size of an encoded event in bytes; the engine's own limit is twice as much, for event and header.
const maxEvent = 512 << 10

// appendWait bounds one append: the engine's answer comes after its fsync.
const appendWait = 4 * time.Second

// Append stores a draft durably as the entry after a position of its thread, by compare-and-set. Errors:
// thread.ErrConflict, thread.ErrUnknown, TooLarge, Unavailable (nothing was stored).
func (j *Journal) Append(ctx context.Context, u switchboard.UserID, d thread.Draft, at thread.Position) (thread.Entry, error) {
	s := j.Shard(u)
	t := d.Event.ThreadID
	direction := "out"
	if d.Event.ByPerson() {
		direction = "in"
	}
	if err := j.writable(needed(d.Event.Type)); err != nil {
		return thread.Entry{}, err
	}
	subject, err := threadSubject(s, u, t, direction)
	if err != nil {
		return thread.Entry{}, switchboard.Wrap(switchboard.Invalid, "not an address", err).At("thread_id")
	}
	fence, err := threadSubject(s, u, t, "*")
	if err != nil {
		return thread.Entry{}, switchboard.Wrap(switchboard.Invalid, "not an address", err).At("thread_id")
	}
	data, err := switchboard.EncodeEvent(d.Event)
	if err != nil {
		return thread.Entry{}, switchboard.Wrap(switchboard.Invalid, "the event cannot be encoded", err)
	}
	if len(data) > maxEvent {
		return thread.Entry{}, switchboard.Errorf(switchboard.TooLarge, "an event may have %d bytes", maxEvent)
	}
	d.Header.Chain = chain(at.Chain, data)
	header, err := json.Marshal(d.Header)
	if err != nil {
		return thread.Entry{}, switchboard.Wrap(switchboard.Internal, "the event cannot be encoded", err)
	}
	ctx, cancel := context.WithTimeout(ctx, appendWait)
	defer cancel()
	began := time.Now()
	ack, err := j.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data, Header: nats.Header{headerKey: {string(header)}}},
		jetstream.WithExpectLastSequenceForSubject(at.Seq, fence), jetstream.WithRetryAttempts(0))
	j.answered(began, err)
	if err != nil {
		return thread.Entry{}, appendError(err)
	}
	for own := &j.own[s]; ; {
		if last := own.Load(); last >= ack.Sequence || own.CompareAndSwap(last, ack.Sequence) {
			break
		}
	}
	return thread.Entry{User: u, Seq: ack.Sequence, Event: d.Event, Header: d.Header, Data: data}, nil
}

// Stored returns the sequence of the newest entry of a user's shard that was appended here, 0 if none was.
func (j *Journal) Stored(u switchboard.UserID) uint64 { return j.own[j.Shard(u)].Load() }

// chain returns the value that binds an event to all before it: 64 bits in hex.
func chain(previous string, data []byte) string {
	h := sha256.New()
	h.Write([]byte(previous))
	h.Write([]byte{0})
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Erase removes the entries of a deleted thread below its tombstone. It may be repeated.
func (j *Journal) Erase(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID, tombstone uint64) error {
	s := j.Shard(u)
	subject, err := threadSubject(s, u, t, "*")
	if err != nil {
		return err
	}
	stream, err := j.js.Stream(ctx, streamName(s))
	if err != nil {
		return readError(err)
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(tombstone)); err != nil {
		return readError(err)
	}
	return nil
}

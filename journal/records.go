package journal

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/netra-systems/switchboard"
)

// Records are small documents under dotted keys, with compare-and-set, expiry and watching: a bucket of JetStream KV
// (ADR-8), in files, with one value per key.
//
// Any string is a key except the empty one; a prefix is the leading words of keys, "" for all. A revision grows with
// every change of the bucket, so changes of different keys have an order too. All methods may be called concurrently.
// Errors: NotFound, Conflict, Invalid for a key that is empty or too long, TooLarge, Unavailable.
type Records struct {
	kv     jetstream.KeyValue
	js     jetstream.JetStream
	stream jetstream.Stream
	prefix string // of the subjects of the bucket
}

const (
	maxKey     = 1024      // bytes of an encoded key
	markerLife = time.Hour // how long the mark of a dropped or expired key is kept for watchers that lag
	seekWait   = 250 * time.Millisecond
	roundBeat  = 5 * time.Second // a watch whose engine is silent for twice this begins anew
)

// OpenRecords opens the bucket and makes it if it is missing; replicas counts for a new one only.
func OpenRecords(ctx context.Context, js jetstream.JetStream, bucket string, replicas int) (*Records, error) {
	kv, err := js.KeyValue(ctx, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: bucket, History: 1, Storage: jetstream.FileStorage, Replicas: replicas, LimitMarkerTTL: markerLife,
		})
	}
	if err != nil {
		return nil, recordError(err)
	}
	stream, err := js.Stream(ctx, "KV_"+bucket)
	if err != nil {
		return nil, recordError(err)
	}
	return &Records{kv, js, stream, "$KV." + bucket + "."}, nil
}

// Get returns a value and its revision. With more than one replica it may lag behind a write of another node.
func (r *Records) Get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	k, err := encodeKey(key)
	if err != nil {
		return nil, 0, err
	}
	e, err := r.kv.Get(ctx, k)
	if err != nil {
		return nil, 0, recordError(err)
	}
	return present(e.Value()), e.Revision(), nil
}

// Create stores the value of a key that has none, or had one that was deleted; Conflict if it has.
func (r *Records) Create(ctx context.Context, key string, value []byte) (revision uint64, err error) {
	return r.create(ctx, key, value)
}

// CreateTTL is Create for keys that are written once and whose names never return: the value goes after ttl, rounded
// up to whole seconds. End it earlier with Drop.
func (r *Records) CreateTTL(ctx context.Context, key string, value []byte, ttl time.Duration) (revision uint64, err error) {
	seconds := max(1, (ttl+time.Second-1)/time.Second)
	return r.create(ctx, key, value, jetstream.KeyTTL(seconds*time.Second))
}

func (r *Records) create(ctx context.Context, key string, value []byte, opts ...jetstream.KVCreateOpt) (uint64, error) {
	k, err := encodeKey(key)
	if err != nil {
		return 0, err
	}
	revision, err := r.kv.Create(ctx, k, value, opts...)
	return revision, recordError(err)
}

// Update replaces the value that has this revision; Conflict if the key has another one, or none.
func (r *Records) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	k, err := encodeKey(key)
	if err != nil {
		return 0, err
	}
	if revision == 0 { // to the engine, 0 is a key that never was
		return 0, switchboard.Errorf(switchboard.Conflict, "the record has changed")
	}
	revision, err = r.kv.Update(ctx, k, value, revision)
	return revision, recordError(err)
}

// Delete removes the value that has this revision; Conflict if the key has another one. The key may be created again.
func (r *Records) Delete(ctx context.Context, key string, revision uint64) error {
	k, err := encodeKey(key)
	if err != nil {
		return err
	}
	if revision == 0 { // to the engine, 0 is any revision
		return switchboard.Errorf(switchboard.Conflict, "the record has changed")
	}
	return recordError(r.kv.Delete(ctx, k, jetstream.LastRevision(revision)))
}

// Drop removes a key of CreateTTL now, whatever its revision, and leaves nothing behind in the long run. It is no error
// if the key is gone already.
func (r *Records) Drop(ctx context.Context, key string) error {
	k, err := encodeKey(key)
	if err != nil {
		return err
	}
	if _, err = r.kv.Get(ctx, k); errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrKeyDeleted) {
		return nil
	}
	return recordError(r.kv.Purge(ctx, k, jetstream.PurgeTTL(markerLife)))
}

// List calls fn for each record whose key begins with the words of prefix and goes on, in the order of their
// revisions, until fn returns an error.
func (r *Records) List(ctx context.Context, prefix string, fn func(key string, value []byte, revision uint64) error) error {
	var stop error
	err := r.round(ctx, prefix, func(e entry) error {
		switch {
		case e.last:
			return errListed
		case e.value != nil:
			stop = fn(e.key, e.value, e.revision)
		}
		return stop
	})
	switch {
	case errors.Is(err, errListed):
		return nil
	case stop != nil:
		return stop
	}
	return recordError(err)
}

// Watch calls fn for each record whose key begins with the words of prefix and goes on: first those that exist, then
// once with key "" to say that these were all, then each change in order; several changes of one key in quick
// succession may come as the last one. A nil value is a deletion, of a key that may never have been told. It returns
// when ctx ends, with ctx's error, or with Unavailable when the connection is closed for good. After a lost connection
// it goes on with what has changed.
func (r *Records) Watch(ctx context.Context, prefix string, fn func(key string, value []byte, revision uint64)) error {
	if _, err := r.filter(prefix); err != nil {
		return err
	}
	conn := r.js.Conn()
	connected := conn.StatusChanged(nats.CONNECTED)
	defer conn.RemoveStatusListener(connected)
	w := watch{fn: fn, live: map[string]bool{}}
	for ctx.Err() == nil {
		if conn.IsClosed() {
			return switchboard.Wrap(switchboard.Unavailable, "the store is closed", nats.ErrConnectionClosed)
		}
		round, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			select {
			case <-connected: // what was asked before the reconnect may be lost
				cancel()
			case <-round.Done():
			}
		})
		w.seen = map[string]bool{}
		err := r.round(round, prefix, w.take)
		if round.Err() == nil && err != nil {
			pause := time.NewTimer(100 * time.Millisecond)
			select {
			case <-pause.C:
			case <-round.Done():
			}
			pause.Stop()
		}
		cancel()
		wg.Wait()
	}
	return ctx.Err()
}

// watch is what a Watch has told, over all its rounds.
type watch struct {
	fn       func(key string, value []byte, revision uint64)
	live     map[string]bool // keys told of that exist
	seen     map[string]bool // keys of this round, until all were seen
	told     bool            // the end of what existed was told
	revision uint64          // everything up to it was told
}

func (w *watch) take(e entry) error {
	if e.last {
		for k := range w.live {
			if !w.seen[k] { // it went, and its mark too, while we were away
				delete(w.live, k)
				w.fn(k, nil, w.revision)
			}
		}
		w.seen = nil
		if !w.told {
			w.told = true
			w.fn("", nil, w.revision)
		}
		return nil
	}
	if w.seen != nil {
		w.seen[e.key] = true
	}
	if e.revision <= w.revision {
		return nil
	}
	w.revision = e.revision
	if e.value == nil {
		delete(w.live, e.key)
	} else {
		w.live[e.key] = true
	}
	w.fn(e.key, e.value, e.revision)
	return nil
}

// entry is what a round delivers: a record, a deletion (nil value), or the end of what exists.
type entry struct {
	key      string
	value    []byte
	revision uint64
	last     bool
}

var (
	errGap    = errors.New("a change was lost") // a consumer lost a message: the round must begin anew
	errListed = errors.New("all were listed")
)

// round delivers the newest entry of every key, then the end mark, then what follows, in order without a gap, until fn
// returns an error or anything goes wrong.
func (r *Records) round(ctx context.Context, prefix string, fn func(entry) error) error {
	filter, err := r.filter(prefix)
	if err != nil {
		return err
	}
	c, err := r.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject: filter, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, AckPolicy: jetstream.AckNonePolicy,
		MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return err
	}
	defer r.forget(ctx, c.CachedInfo().Name)
	it, err := c.Messages(jetstream.PullHeartbeat(roundBeat), jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return err
	}
	defer it.Stop()
	seeking := c.CachedInfo().NumPending > 0 // not all that exists was delivered
	if !seeking {
		if err := fn(entry{last: true}); err != nil {
			return err
		}
	}
	for n := uint64(1); ; n++ {
		m, err := r.next(ctx, c, it, n, seeking)
		if err != nil {
			return err
		}
		caughtUp := m == nil
		if caughtUp {
			n--
		} else {
			meta, err := m.Metadata()
			if err != nil {
				return err
			}
			if meta.Sequence.Consumer != n {
				return errGap
			}
			if err := deliver(m, strings.TrimPrefix(m.Subject(), r.prefix), meta.Sequence.Stream, fn); err != nil {
				return err
			}
			caughtUp = meta.NumPending == 0
		}
		if seeking && caughtUp {
			seeking = false
			if err := fn(entry{last: true}); err != nil {
				return err
			}
		}
	}
}

// next waits for a round's n-th message. While the end of what exists is sought it may return none: the rest was
// removed before it could be delivered. (Counting what was pending at first will not do: a key that is written again
// moves behind new ones.)
func (r *Records) next(ctx context.Context, c jetstream.Consumer, it jetstream.MessagesContext, n uint64, seeking bool) (jetstream.Msg, error) {
	for {
		wait, cancel := ctx, context.CancelFunc(func() {})
		if seeking {
			wait, cancel = context.WithTimeout(ctx, seekWait)
		}
		m, err := it.Next(jetstream.NextContext(wait))
		cancel()
		if err == nil || !seeking || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return m, err
		}
		info, err := c.Info(ctx)
		if err != nil || info.NumPending == 0 && info.Delivered.Consumer < n {
			return nil, err
		}
	}
}

func deliver(m jetstream.Msg, key string, revision uint64, fn func(entry) error) error {
	k, ok := decodeKey(key)
	if !ok { // not written by us
		return nil
	}
	e := entry{key: k, revision: revision}
	if !isMark(m.Headers()) {
		e.value = present(m.Data())
	}
	return fn(e)
}

// filter returns the subjects of the keys that begin with the words of prefix and go on.
func (r *Records) filter(prefix string) (string, error) {
	if prefix == "" {
		return r.prefix + ">", nil
	}
	p, err := encodeKey(prefix)
	return r.prefix + p + ".>", err
}

// forget removes a round's consumer; the engine does so by itself when it cannot be reached.
func (r *Records) forget(ctx context.Context, consumer string) {
	if !r.js.Conn().IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = r.stream.DeleteConsumer(ctx, consumer)
}

// isMark reports whether a message marks a deletion or an expiry (ADR-8, ADR-43).
func isMark(h nats.Header) bool {
	return h.Get("KV-Operation") != "" || h.Get(jetstream.MarkerReasonHeader) != ""
}

// present returns a value that is not nil, which would be a deletion.
func present(v []byte) []byte {
	if v == nil {
		return []byte{}
	}
	return v
}

// encodeKey writes each word of a key with the characters a subject allows: [A-Za-z0-9_-] stay, other bytes become =XX,
// an empty word is a lone =.
func encodeKey(key string) (string, error) {
	if key == "" || len(key) > maxKey {
		return "", switchboard.Errorf(switchboard.Invalid, "a key has 1 to %d bytes", maxKey)
	}
	var b strings.Builder
	for i, word := range strings.Split(key, ".") {
		if i > 0 {
			b.WriteByte('.')
		}
		if word == "" {
			b.WriteByte('=')
		}
		for _, c := range []byte(word) {
			if plain(c) {
				b.WriteByte(c)
				continue
			}
			b.WriteByte('=')
			b.WriteString(hex.EncodeToString([]byte{c}))
		}
	}
	if b.Len() > maxKey {
		return "", switchboard.Errorf(switchboard.Invalid, "the key is too long")
	}
	return b.String(), nil
}

// decodeKey reads what encodeKey wrote; false if it did not.
func decodeKey(s string) (key string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			b.WriteByte(s[i])
		} else if c, err := hex.DecodeString(s[i+1 : min(i+3, len(s))]); err == nil && len(c) == 1 {
			b.Write(c)
			i += 2
		}
	}
	again, err := encodeKey(b.String())
	return b.String(), err == nil && again == s
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// recordError maps what the engine says of a record.
func recordError(err error) error {
	var api *jetstream.APIError
	var own *switchboard.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return err
	case errors.Is(err, jetstream.ErrKeyNotFound), errors.Is(err, jetstream.ErrKeyDeleted):
		return switchboard.Wrap(switchboard.NotFound, "no such record", err)
	case errors.Is(err, jetstream.ErrKeyExists):
		return switchboard.Wrap(switchboard.Conflict, "the record exists", err)
	case errors.Is(err, jetstream.ErrKeyRevisionMismatch):
		return switchboard.Wrap(switchboard.Conflict, "the record has changed", err)
	case errors.Is(err, nats.ErrMaxPayload):
		return switchboard.Wrap(switchboard.TooLarge, "the record is too large", err)
	case errors.As(err, &api) && (api.ErrorCode == wrongLastSequence || api.ErrorCode == wrongLastSequenceConstant):
		return switchboard.Wrap(switchboard.Conflict, "the record has changed", err)
	case errors.As(err, &api) && (api.ErrorCode == insufficientResources || api.ErrorCode == storageExceeded || api.ErrorCode == maximumBytes):
		return switchboard.Wrap(switchboard.Unavailable, "the store is full", err)
	}
	return switchboard.Wrap(switchboard.Unavailable, "the store does not answer", err)
}

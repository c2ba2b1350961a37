package journal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// getRequest is a direct get (ADR-31).
type getRequest struct {
	Seq       uint64     `json:"seq,omitzero"`
	Start     *time.Time `json:"start_time,omitzero"` // instead of Seq
	Next      string     `json:"next_by_subj,omitzero"`
	Last      string     `json:"last_by_subj,omitzero"`
	Batch     int        `json:"batch,omitzero"`
	MaxBytes  int        `json:"max_bytes,omitzero"`
	MultiLast []string   `json:"multi_last,omitzero"`
	UpTo      uint64     `json:"up_to_seq,omitzero"`
}

// errTooMany says that a multi_last would answer more than 1,024 entries.
var errTooMany = errors.New("too many subjects")

// readWait bounds one direct get.
const readWait = 5 * time.Second

// batchBytes bounds the answer to one batch.
const batchBytes = 4 << 20

// get asks the engine, gives each answer to fn, and returns how many more the engine had when it was asked. An answer
// that does not come whole is an error: the engine counts in each answer what is still to come.
func (j *Journal) get(ctx context.Context, shard int, r getRequest, fn func(*nats.Msg) error) (more bool, err error) {
	return j.getFrom(ctx, streamName(shard), r, fn)
}

func (j *Journal) getFrom(ctx context.Context, stream string, r getRequest, fn func(*nats.Msg) error) (more bool, err error) {
	b, err := json.Marshal(r)
	if err != nil {
		return false, err
	}
	conn, err := j.reader(ctx)
	if err != nil {
		return false, err
	}
	defer func() { j.idle <- conn }()
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	subject := "$JS.API.DIRECT.GET." + stream
	if r.Batch == 0 && len(r.MultiLast) == 0 {
		m, err := conn.RequestWithContext(ctx, subject, b)
		if err != nil || m.Header.Get("Status") != "" || j.lacks != nil && j.lacks(m) {
			return false, err
		}
		return false, fn(m)
	}
	inbox := conn.NewRespInbox()
	sub, err := conn.SubscribeSync(inbox)
	if err != nil {
		return false, err
	}
	defer sub.Unsubscribe()
	if err := conn.PublishRequest(subject, inbox, b); err != nil {
		return false, err
	}
	pending := int64(-1)
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return false, err
		}
		switch m.Header.Get("Status") {
		case "":
		case "204", "404":
			return pending > 0, nil
		case "413":
			return false, errTooMany
		default:
			return false, fmt.Errorf("direct get: %s", m.Header.Get("Description"))
		}
		left, err := strconv.ParseInt(m.Header.Get("Nats-Num-Pending"), 10, 64)
		if err != nil || pending > 0 && left != pending-1 {
			return false, fmt.Errorf("direct get: an answer is missing")
		}
		pending = left
		if j.lacks != nil && j.lacks(m) {
			continue
		}
		if err := fn(m); err != nil {
			return false, err
		}
	}
}

// sequenceOf returns where a stored message lies.
func sequenceOf(m *nats.Msg) (uint64, error) {
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: an entry without a sequence", ErrDamaged)
	}
	return seq, nil
}

// reader takes a connection to read by; give it back.
func (j *Journal) reader(ctx context.Context) (*nats.Conn, error) {
	select {
	case c := <-j.idle:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// entryOf reads a stored entry, as direct get and RePublish give it.
func entryOf(m *nats.Msg, subject string) (thread.Entry, error) {
	seq, err := sequenceOf(m)
	if err != nil {
		return thread.Entry{}, err
	}
	u, t, err := parseSubject(subject)
	if err != nil {
		return thread.Entry{}, fmt.Errorf("%w: entry %d: subject", ErrDamaged, seq)
	}
	e := thread.Entry{User: u, Seq: seq, Data: m.Data}
	if err := json.Unmarshal([]byte(m.Header.Get(headerKey)), &e.Header); err != nil {
		return thread.Entry{}, fmt.Errorf("%w: entry %d: header: %w", ErrDamaged, seq, err)
	}
	if len(m.Data) == 0 { // headers only
		e.Event.ThreadID = t
		return e, nil
	}
	if e.Event, err = switchboard.DecodeEvent(m.Data); err != nil {
		return thread.Entry{}, fmt.Errorf("%w: entry %d: %w", ErrDamaged, seq, err)
	}
	if e.Event.ThreadID != t {
		return thread.Entry{}, fmt.Errorf("%w: entry %d lies in another thread", ErrDamaged, seq)
	}
	return e, nil
}

// readSubject reads up to batch entries, of at most so many bytes unless it is one, of a literal subject (or of the shard,
// if it is ">") from a sequence on, and reports whether there are more.
func (j *Journal) readSubject(ctx context.Context, shard int, subject string, from uint64, batch, bytes int) (es []thread.Entry, more bool, err error) {
	r := getRequest{Seq: max(from, 1), Next: subject, Batch: batch, MaxBytes: bytes}
	more, err = j.get(ctx, shard, r, func(m *nats.Msg) error {
		e, err := entryOf(m, m.Header.Get("Nats-Subject"))
		es = append(es, e)
		return err
	})
	return es, more, err
}

// batchSize is how many entries one batch asks for.
const batchSize = 256

// readAll reads all entries of a literal subject in [from, upTo].
func (j *Journal) readAll(ctx context.Context, shard int, subject string, from, upTo uint64) ([]thread.Entry, error) {
	var out []thread.Entry
	for {
		page, more, err := j.readSubject(ctx, shard, subject, from, batchSize, batchBytes)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			if e.Seq > upTo {
				return out, nil
			}
			out = append(out, e)
		}
		if !more || len(page) == 0 {
			return out, nil
		}
		from = page[len(page)-1].Seq + 1
	}
}

// readTries bounds how often a thread is read again at once because entries came in between.
const readTries = 20

// Read returns the entries of a thread after a position: without gaps, and chained to it. Errors: Unavailable,
// ErrDamaged.
func (j *Journal) Read(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID, after thread.Position) ([]thread.Entry, error) {
	s := j.Shard(u)
	in, err := threadSubject(s, u, t, "in")
	if err != nil {
		return nil, switchboard.Errorf(switchboard.NotFound, "no such thing").At("thread_id")
	}
	out, err := threadSubject(s, u, t, "out")
	if err != nil {
		return nil, switchboard.Errorf(switchboard.NotFound, "no such thing").At("thread_id")
	}
	for try := 1 - readTries; ; try++ {
		a, err := j.readAll(ctx, s, in, after.Seq+1, math.MaxUint64)
		if err != nil {
			return nil, readError(err)
		}
		b, err := j.readAll(ctx, s, out, after.Seq+1, math.MaxUint64)
		if err != nil {
			return nil, readError(err)
		}
		all := append(a, b...)
		slices.SortFunc(all, func(x, y thread.Entry) int { return int(int64(x.Seq) - int64(y.Seq)) })
		if i := slices.IndexFunc(all, func(e thread.Entry) bool { return e.Event.Type == switchboard.ThreadDeleted }); i >= 0 {
			return all[i : i+1], nil // what stands before the tombstone is being erased
		}
		whole, err := contiguous(all, after)
		if err != nil {
			return nil, err
		}
		if whole {
			return all, nil
		}
		if err := again(ctx, try, errMissing); err != nil {
			return nil, err
		}
	}
}

var errMissing = fmt.Errorf("%w: entries of a thread are missing", ErrDamaged)

// Newest returns a thread's newest entry; false if there is none. Errors: Unavailable, ErrDamaged.
func (j *Journal) Newest(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID) (newest thread.Entry, found bool, err error) {
	s := j.Shard(u)
	in, err := threadSubject(s, u, t, "in")
	if err != nil {
		return newest, false, switchboard.Errorf(switchboard.NotFound, "no such thing").At("thread_id")
	}
	out, err := threadSubject(s, u, t, "out")
	if err != nil {
		return newest, false, switchboard.Errorf(switchboard.NotFound, "no such thing").At("thread_id")
	}
	_, err = j.get(ctx, s, getRequest{MultiLast: []string{in, out}}, func(m *nats.Msg) error {
		e, err := entryOf(m, m.Header.Get("Nats-Subject"))
		if err == nil && e.Header.N > newest.Header.N {
			newest, found = e, true
		}
		return err
	})
	if err != nil {
		return newest, false, readError(err)
	}
	return newest, found, nil
}

// People returns the first count entries of a thread that people wrote, all of them at or below a sequence. Errors:
// Unavailable, ErrDamaged if one is missing.
func (j *Journal) People(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID, upTo, count uint64) ([]thread.Entry, error) {
	s := j.Shard(u)
	in, err := threadSubject(s, u, t, "in")
	if err != nil {
		return nil, switchboard.Errorf(switchboard.NotFound, "no such thing").At("thread_id")
	}
	es, err := j.readAll(ctx, s, in, 1, upTo)
	if err != nil {
		return nil, readError(err)
	}
	for i, e := range es {
		if e.Header.In != uint64(i)+1 {
			return nil, fmt.Errorf("%w: messages of a thread are missing", ErrDamaged)
		}
	}
	if uint64(len(es)) != count {
		return nil, fmt.Errorf("%w: a thread has %d of %d messages", ErrDamaged, len(es), count)
	}
	return es, nil
}

// contiguous reports whether entries follow a position without a gap; a broken chain is damage.
func contiguous(es []thread.Entry, at thread.Position) (bool, error) {
	for _, e := range es {
		if e.Header.N != at.N+1 {
			return false, nil
		}
		if e.Header.Chain != chain(at.Chain, e.Data) {
			return false, fmt.Errorf("%w: entry %d does not follow its thread", ErrDamaged, e.Seq)
		}
		at = thread.Position{N: e.Header.N, Seq: e.Seq, Chain: e.Header.Chain}
	}
	return true, nil
}

// Page returns up to limit entries of a thread with numbers above after, without gaps and not ending before n, which the
// thread had come to, starting to read at a sequence at or below the first of them. Errors: Unavailable, ErrDamaged.
func (j *Journal) Page(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID, fromSeq, after, n uint64, limit int) ([]thread.Entry, error) {
	for try := 1 - readTries; ; try++ {
		out, whole, err := j.page(ctx, u, t, fromSeq, after, n, limit)
		if err != nil || whole {
			return out, err
		}
		if err := again(ctx, try, errMissing); err != nil {
			return nil, err
		}
	}
}

// page reads a page once; it is not whole if there is a gap, which may be an entry that came while it was read, or if it
// ends early.
func (j *Journal) page(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID, fromSeq, after, n uint64, limit int) (out []thread.Entry, whole bool, err error) {
	s := j.Shard(u)
	var readers []*reader
	for _, direction := range []string{"in", "out"} {
		subject, err := threadSubject(s, u, t, direction)
		if err != nil {
			return nil, false, switchboard.Errorf(switchboard.NotFound, "no such thing").At("thread_id")
		}
		readers = append(readers, &reader{subject: subject, from: fromSeq})
	}
	whole = true
	next := j.merge(s, readers)
	for len(out) < limit {
		e, ok, err := next(ctx)
		if err != nil {
			return nil, false, err
		}
		if !ok {
			break
		}
		if e.Event.Type == switchboard.ThreadDeleted {
			return append(out, e), true, nil // what stood before it is gone, or going
		}
		if e.Header.N > after {
			out = append(out, e)
			whole = whole && e.Header.N == after+uint64(len(out))
		}
	}
	return out, whole && after+uint64(len(out)) >= min(n, after+uint64(limit)), nil
}

// Since returns the user's entries after a sequence, in order, up to the newest that the leader has. It looks first where
// that is: a user who has been away costs nothing. Errors: Unavailable, ErrDamaged.
func (j *Journal) Since(ctx context.Context, u switchboard.UserID, after uint64) ([]thread.Entry, error) {
	s := j.Shard(u)
	subject, err := userSubject(s, u)
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		newest, err := j.newestSeq(ctx, s, subject)
		if err != nil || newest <= after {
			return nil, err
		}
		es, err := j.readAll(ctx, s, subject, after+1, newest)
		if err != nil {
			return nil, readError(err)
		}
		if n := len(es); n > 0 && es[n-1].Seq == newest {
			return es, nil
		}
		if err := again(ctx, try, switchboard.Errorf(switchboard.Unavailable, "the store lacks the user's newest entry")); err != nil {
			return nil, err
		}
	}
}

// Heads returns the newest entry of each thread of the user, oldest first. Its events may lack everything but the
// thread: the header tells.
func (j *Journal) Heads(ctx context.Context, u switchboard.UserID) ([]thread.Entry, error) {
	s := j.Shard(u)
	subject, err := userSubject(s, u)
	if err != nil {
		return nil, err
	}
	newest := map[switchboard.ThreadID]thread.Entry{}
	add := func(m *nats.Msg, subject string) error {
		e, err := entryOf(m, subject)
		if err == nil && e.Header.N > newest[e.Event.ThreadID].Header.N {
			newest[e.Event.ThreadID] = e
		}
		return err
	}
	_, err = j.get(ctx, s, getRequest{MultiLast: []string{subject}}, func(m *nats.Msg) error {
		return add(m, m.Header.Get("Nats-Subject"))
	})
	if errors.Is(err, errTooMany) {
		err = j.manyHeads(ctx, s, subject, add)
	}
	if err != nil {
		return nil, readError(err)
	}
	out := make([]thread.Entry, 0, len(newest))
	for _, e := range newest {
		out = append(out, e)
	}
	slices.SortFunc(out, func(x, y thread.Entry) int { return int(int64(x.Seq) - int64(y.Seq)) })
	return out, nil
}

// headsBatch is how many heads are fetched at a time.
const headsBatch = 1000

// manyHeads reads the heads of more subjects than multi_last answers, by a consumer that gives their headers only. (Not
// an ordered one: each of its fetches is a new consumer, and from the second on it gives every entry.)
func (j *Journal) manyHeads(ctx context.Context, shard int, subject string, add func(*nats.Msg, string) error) error {
	ctx, cancel := context.WithTimeout(ctx, 4*readWait)
	defer cancel()
	stream := streamName(shard)
	cfg := jetstream.ConsumerConfig{
		FilterSubject: subject, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, HeadersOnly: true,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: 4 * readWait,
	}
	c, err := j.js.CreateConsumer(ctx, stream, cfg)
	if err != nil {
		return err
	}
	defer func() {
		if info := c.CachedInfo(); info != nil {
			j.js.DeleteConsumer(context.WithoutCancel(ctx), stream, info.Name)
		}
	}()
	for left := c.CachedInfo().NumPending; left > 0; {
		batch, err := c.Fetch(int(min(left, headsBatch)), jetstream.FetchContext(ctx))
		if err != nil {
			return err
		}
		for m := range batch.Messages() {
			meta, err := m.Metadata()
			if err != nil {
				return err
			}
			left = meta.NumPending
			h := nats.Header(m.Headers())
			h.Set("Nats-Sequence", strconv.FormatUint(meta.Sequence.Stream, 10))
			if err := add(&nats.Msg{Header: h}, m.Subject()); err != nil {
				return err
			}
		}
		if err := batch.Error(); err != nil {
			return err
		}
	}
	return nil
}

// At returns the user's entry at a sequence; false if there is none, or it is another user's.
func (j *Journal) At(ctx context.Context, u switchboard.UserID, seq uint64) (e thread.Entry, found bool, err error) {
	_, err = j.get(ctx, j.Shard(u), getRequest{Seq: seq}, func(m *nats.Msg) (err error) {
		e, err = entryOf(m, m.Header.Get("Nats-Subject"))
		found = err == nil && e.User == u
		return err
	})
	if err != nil {
		return thread.Entry{}, false, readError(err)
	}
	if !found {
		return thread.Entry{}, false, nil
	}
	return e, true, nil
}

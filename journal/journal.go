// Package journal is the log and the records: the only package that knows the engine (NATS JetStream).
//
// A user's events live in one of S shards, in the order in which they were stored; a thread's are numbered without
// gaps. Append returns when the event is on disk, as the engine's sync policy says. Everything may be called
// concurrently. Nothing here knows what events mean.
package journal

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/netra-systems/switchboard"
)

// Config says where the log is and how it is kept.
type Config struct {
	Connect  func() (*nats.Conn, error) // makes a connection to the engine
	Shards   int                        // of a new store; an existing one keeps its own. 0: 8
	Replicas int                        // of each stream. 0: 1
	Room     func(reserve bool) error   // an error if there is no room; reserve: for what ends runs and deletes. May be nil
	Revive   func() error               // is called when writes hang, once the disk may take them again. May be nil
	AckWait  time.Duration              // a wake-up without a heartbeat goes to another worker. 0: 10 s
}

// Dial returns a Connect for engines outside of this process: a URL or several with commas between them. The token or
// user and password may stand in the URL.
func Dial(urls string) func() (*nats.Conn, error) {
	return func() (*nats.Conn, error) {
		return nats.Connect(urls, nats.Name("switchboard"), nats.MaxReconnects(-1), nats.SyncQueueLen(2048))
	}
}

// Journal is the open log. Close it after everything that uses it has ended.
type Journal struct {
	cfg    Config
	shards int
	epoch  string
	write  *nats.Conn // appends and deltas: deltas of a run stay in order with its events
	read   []*nats.Conn
	idle   chan *nats.Conn // those of read that are not in use
	live   *nats.Conn
	wake   *nats.Conn
	js     jetstream.JetStream
	wakers []jetstream.Consumer // of each shard, on wake
	meta   *Records

	own []atomic.Uint64 // sequence of the newest entry of each shard that was appended here

	lacks func(*nats.Msg) bool // what the replica that answers reads has not got yet, in tests

	hung     atomic.Int32 // appends in a row without an answer
	reviving sync.Mutex   // held while Revive is under way
	revived  atomic.Int64 // when the last try began: when Revive returned, Unix nanoseconds
}

// Open connects and makes what is missing of the streams. Errors: Unavailable.
func Open(ctx context.Context, cfg Config) (*Journal, error) {
	if cfg.Shards == 0 {
		cfg.Shards = 8
	}
	if cfg.Replicas == 0 {
		cfg.Replicas = 1
	}
	if cfg.AckWait == 0 {
		cfg.AckWait = 10 * time.Second
	}
	j := &Journal{cfg: cfg}
	if err := j.open(ctx); err != nil {
		j.Close()
		return nil, switchboard.Wrap(switchboard.Unavailable, "the journal cannot be opened", err)
	}
	return j, nil
}

// connect makes the connections.
func (j *Journal) connect() (err error) {
	for _, c := range []**nats.Conn{&j.write, &j.live, &j.wake} {
		if *c, err = j.cfg.Connect(); err != nil {
			return err
		}
	}
	j.idle = make(chan *nats.Conn, readers)
	for range readers {
		c, err := j.cfg.Connect()
		if err != nil {
			return err
		}
		j.read = append(j.read, c)
		j.idle <- c
	}
	j.js, err = jetstream.New(j.write)
	return err
}

// readers is how many reads are under way at once. Each has a connection to itself: when very many devices come back at
// once, their reads wait for each other and not in the way of appends.
const readers = 4

func (j *Journal) open(ctx context.Context) (err error) {
	if err := j.connect(); err != nil {
		return err
	}
	wakeJS, err := jetstream.New(j.wake)
	if err != nil {
		return err
	}
	if j.meta, err = j.Records(ctx, metaBucket); err != nil {
		return err
	}
	lost, err := j.forgotten(ctx)
	if err != nil {
		return err
	}
	shards, err := j.fixed(ctx, shardsKey, strconv.Itoa(j.cfg.Shards))
	if err != nil {
		return err
	}
	if j.shards, err = strconv.Atoi(shards); err != nil || j.shards < 1 {
		return fmt.Errorf("%w: shards = %q", ErrDamaged, shards)
	}
	j.own = make([]atomic.Uint64, j.shards)
	if j.epoch, err = j.fixed(ctx, epochKey, randomEpoch()); err != nil {
		return err
	}
	if err := j.openIndexes(ctx); err != nil {
		return fmt.Errorf("indexes: %w", err)
	}
	for s := range j.shards {
		if err := j.openShard(ctx, s); err != nil {
			return fmt.Errorf("shard %d: %w", s, err)
		}
		c, err := findConsumer(ctx, wakeJS, s, func() error { return j.openShard(ctx, s) })
		if err != nil {
			return fmt.Errorf("shard %d: %w", s, err)
		}
		j.wakers = append(j.wakers, c)
	}
	return j.audit(ctx, lost)
}

// settle is how long the servers of a cluster may take to hear of what one of them has made, and to choose its leader.
const settle = time.Minute

// findConsumer returns the consumer of a shard that was made or found just now. In a cluster another server may answer, and
// not know it yet, or it was made while leaders changed and is lost: then it is made again.
func findConsumer(ctx context.Context, js jetstream.JetStream, shard int, remake func() error) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	again := time.NewTicker(settle / 60)
	defer again.Stop()
	for {
		c, err := js.Consumer(ctx, streamName(shard), advancer)
		if !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-again.C:
			if err := remake(); err != nil {
				return nil, err
			}
		}
	}
}

// forgotten reports whether there are shards, but nothing is known of them; then their number is what is there. It looks
// for the shards first: another node that makes a new store right now notes their number before it makes them.
func (j *Journal) forgotten(ctx context.Context) (bool, error) {
	names, there := j.js.StreamNames(ctx), 0
	for name := range names.Name() {
		if isShard(name) {
			there++
		}
	}
	if err := names.Err(); err != nil || there == 0 {
		return false, err
	}
	if _, _, err := j.meta.Get(ctx, shardsKey); switchboard.CodeOf(err) != switchboard.NotFound {
		return false, err
	}
	j.cfg.Shards = there
	return true, nil
}

// metaBucket holds what there is one of in a store.
const metaBucket = "store"

// fixed returns a value of the store, which the first start sets.
func (j *Journal) fixed(ctx context.Context, key, first string) (string, error) {
	v, _, err := j.meta.Get(ctx, key)
	if switchboard.CodeOf(err) != switchboard.NotFound {
		return string(v), err
	}
	if _, err := j.meta.Create(ctx, key, []byte(first)); err != nil && switchboard.CodeOf(err) != switchboard.Conflict {
		return "", err
	}
	v, _, err = j.meta.Get(ctx, key)
	return string(v), err
}

func (j *Journal) openShard(ctx context.Context, s int) error {
	want := jetstream.StreamConfig{
		Name: streamName(s), Subjects: []string{shardSubject(s)}, Storage: jetstream.FileStorage, Replicas: j.cfg.Replicas,
		AllowDirect: true, DenyDelete: false, Duplicates: time.Second, // no Msg-Id is ever sent
		RePublish: &jetstream.RePublish{Source: shardSubject(s), Destination: liveSubject(s)},
	}
	stream, err := j.js.Stream(ctx, want.Name)
	if isMissing(err) {
		stream, err = j.js.CreateStream(ctx, want)
	}
	if err != nil {
		return err
	}
	_, err = stream.Consumer(ctx, advancer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		_, err = stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: advancer, FilterSubject: wakeSubject(s), AckPolicy: jetstream.AckExplicitPolicy,
			AckWait: j.cfg.AckWait, MaxAckPending: -1, MaxDeliver: -1,
		})
	}
	return err
}

// Records opens a bucket of documents.
func (j *Journal) Records(ctx context.Context, bucket string) (*Records, error) {
	return OpenRecords(ctx, j.js, bucket, j.cfg.Replicas)
}

// Shards returns the number of shards, fixed when the store was made.
func (j *Journal) Shards() int { return j.shards }

// Shard returns the shard of a user.
func (j *Journal) Shard(u switchboard.UserID) int { return shardOf(u, j.shards) }

// Epoch names the life of the store: a cursor of another epoch is of no use.
func (j *Journal) Epoch() string { return j.epoch }

// AckWait returns how long a wake-up may go without a heartbeat.
func (j *Journal) AckWait() time.Duration { return j.cfg.AckWait }

// Ready returns an error while the log cannot be reached, or is damaged and nobody has accepted that.
func (j *Journal) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := j.js.AccountInfo(ctx); err != nil {
		return switchboard.Wrap(switchboard.Unavailable, "the store does not answer", err)
	}
	if err := j.room(false); err != nil {
		return err
	}
	if err := j.hangs(); err != nil {
		return err
	}
	lost, err := j.Damage(ctx)
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		return switchboard.Errorf(switchboard.Unavailable, "the store is damaged: %s (docs/RUNBOOK.md)", lost[0])
	}
	return nil
}

// Close ends the connections.
func (j *Journal) Close() {
	for _, c := range append([]*nats.Conn{j.wake, j.live, j.write}, j.read...) {
		if c != nil {
			c.Close()
		}
	}
}

func isMissing(err error) bool { return errors.Is(err, jetstream.ErrStreamNotFound) }

package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"crypto/rand"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// The ledger says, beside the streams, how far each of them went: a store that comes back shorter, or as another one,
// is found out when it is opened. Then the epoch changes, so that no cursor of before is believed, and the journal is
// not ready until an operator has accepted the loss. The ledger is written when something has moved, every two seconds
// and at the end: what was written later than that and is lost without a trace, the ledger does not show.

// ledgerEvery is how far the ledger may lag.
const ledgerEvery = 2 * time.Second

const (
	ledgerKey = "ledger"
	damageKey = "damage"
	epochKey  = "epoch"
	shardsKey = "shards"
)

// end is where a stream ends.
type end struct {
	Last     uint64 `json:"last"`
	Messages uint64 `json:"messages"`
	Chain    string `json:"chain,omitzero"` // of the last entry, in a shard
}

type ledger map[string]end

// damage is what was found.
type damage struct {
	Found    time.Time `json:"found"`
	Texts    []string  `json:"texts"`             // not accepted
	Accepted []string  `json:"accepted,omitzero"` // lost for good: it is found again and again
}

func (j *Journal) endOf(ctx context.Context, stream string) (end, error) {
	s, err := j.js.Stream(ctx, stream)
	if err != nil {
		return end{}, readError(err)
	}
	state := s.CachedInfo().State
	return end{Last: state.LastSeq, Messages: state.Msgs}, nil
}

// ends reads where all streams end.
func (j *Journal) ends(ctx context.Context) (ledger, error) {
	now := ledger{}
	for s := range j.shards {
		e, err := j.endOf(ctx, streamName(s))
		if err != nil {
			return nil, err
		}
		if e.Chain, err = j.chainAt(ctx, s, e.Last); err != nil {
			return nil, err
		}
		now[streamName(s)] = e
	}
	names := j.js.StreamNames(ctx)
	for name := range names.Name() {
		if strings.HasPrefix(name, "KV_") && name != "KV_"+metaBucket {
			e, err := j.endOf(ctx, name)
			if err != nil {
				return nil, err
			}
			now[name] = e
		}
	}
	return now, names.Err()
}

// chainAt returns the chain value of the entry at a sequence, "" if there is none.
func (j *Journal) chainAt(ctx context.Context, shard int, seq uint64) (value string, err error) {
	if seq == 0 {
		return "", nil
	}
	_, err = j.get(ctx, shard, getRequest{Seq: seq}, func(m *nats.Msg) error {
		e, err := entryOf(m, m.Header.Get("Nats-Subject"))
		value = e.Header.Chain
		return err
	})
	if err != nil && !errors.Is(err, ErrDamaged) {
		return "", readError(err)
	}
	return value, nil
}

// Keep writes the ledger until ctx ends, and then once more.
func (j *Journal) Keep(ctx context.Context) error {
	tick := time.NewTicker(ledgerEvery)
	defer tick.Stop()
	var kept ledger
	for {
		select {
		case <-tick.C:
			kept, _ = j.keep(ctx, kept) // the next round tries again; Ready tells whether the store answers
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readWait)
			defer cancel()
			_, err := j.keep(ctx, kept)
			return err
		}
	}
}

// keep writes the ledger if it has moved, and returns the one that is written. If another node has just written its own, the
// next round compares again.
func (j *Journal) keep(ctx context.Context, kept ledger) (ledger, error) {
	now, err := j.ends(ctx)
	if err != nil || maps.Equal(now, kept) {
		return kept, err
	}
	_, revision, err := j.meta.Get(ctx, ledgerKey)
	if err == nil || switchboard.CodeOf(err) == switchboard.NotFound {
		err = j.meta.put(ctx, ledgerKey, now, revision)
	}
	switch switchboard.CodeOf(err) {
	case "":
		return now, nil
	case switchboard.Conflict:
		return kept, nil
	}
	return kept, err
}

// put stores a value as JSON in place of the one with a revision, 0 if there was none.
func (r *Records) put(ctx context.Context, key string, v any, revision uint64) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if revision == 0 {
		_, err = r.Create(ctx, key, b)
	} else {
		_, err = r.Update(ctx, key, b, revision)
	}
	return err
}

// load reads a value and returns its revision, 0 if there is none.
func (r *Records) load(ctx context.Context, key string, v any) (revision uint64, err error) {
	b, revision, err := r.Get(ctx, key)
	if switchboard.CodeOf(err) == switchboard.NotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return 0, fmt.Errorf("%w: %s: %w", ErrDamaged, key, err)
	}
	return revision, nil
}

// amend changes what is known to be damaged, unless change returns false. Another node may do so at the same time.
func (j *Journal) amend(ctx context.Context, change func(*damage) bool) (changed bool, err error) {
	for try := 1 - readTries; ; try++ {
		var d damage
		revision, err := j.meta.load(ctx, damageKey, &d)
		if err != nil || !change(&d) {
			return false, err
		}
		err = j.meta.put(ctx, damageKey, d, revision)
		if switchboard.CodeOf(err) != switchboard.Conflict {
			return err == nil, err
		}
		if err := again(ctx, try, err); err != nil {
			return false, err
		}
	}
}

// audit compares the streams with the ledger. What has come back shorter or as another makes a new epoch.
func (j *Journal) audit(ctx context.Context, forgotten bool) error {
	var r Report
	if forgotten {
		r.find("what the store knew of itself is missing")
	}
	var kept ledger
	if _, err := j.meta.load(ctx, ledgerKey, &kept); err != nil {
		return err
	}
	for s := range j.shards {
		if err := j.auditShard(ctx, s, kept, &r); err != nil {
			return err
		}
	}
	for name, was := range kept {
		if !strings.HasPrefix(name, "KV_") {
			continue
		}
		now, err := j.endOf(ctx, name)
		if err != nil && !isMissing(err) {
			return err
		}
		if now.Last < was.Last {
			r.find("%s: the records of changes %d to %d are missing", strings.TrimPrefix(name, "KV_"), now.Last+1, was.Last)
		}
	}
	if len(r.Findings) == 0 {
		return nil
	}
	return j.Damaged(ctx, r.Findings, true)
}

func (j *Journal) auditShard(ctx context.Context, shard int, kept ledger, r *Report) error {
	was := kept[streamName(shard)]
	now, err := j.endOf(ctx, streamName(shard))
	if err != nil {
		return err
	}
	if now.Last < was.Last {
		r.find("shard %d ends at entry %d, and ended at %d", shard, now.Last, was.Last)
		return nil
	}
	value, err := j.chainAt(ctx, shard, was.Last)
	if err != nil {
		return err
	}
	if value != "" && was.Chain != "" && value != was.Chain {
		r.find("shard %d is not the one that was written: entry %d is another", shard, was.Last)
		return nil
	}
	if value != "" || was.Last == 0 {
		gone := int64(was.Messages+now.Last-was.Last) - int64(now.Messages)
		if explained, err := j.erasedSince(ctx, shard, was.Last, gone); err != nil || explained {
			return err
		}
	}
	return j.checkShard(ctx, shard, 0, r)
}

const (
	// auditBack is how many entries before the ledger's are looked through for threads that were still being erased when
	// it was written.
	auditBack = 256
	// auditErased bounds the deleted threads that are counted one by one; with more, everything is read.
	auditErased = 512
)

// erasedSince reports whether the threads that were deleted since an entry are why so many entries are gone: all of those
// that were deleted after it, and some of those that were deleted shortly before. So a start after a crash need not read
// all that there is.
func (j *Journal) erasedSince(ctx context.Context, shard int, last uint64, gone int64) (bool, error) {
	if gone <= 0 {
		return gone == 0, nil
	}
	var tombs []thread.Entry
	var damaged error
	_, err := j.readWhole(ctx, streamName(shard), last-min(last, auditBack), 0, func(m *nats.Msg) {
		e, err := entryOf(m, m.Header.Get("Nats-Subject"))
		switch {
		case err != nil:
			damaged = err
		case e.Event.Type == switchboard.ThreadDeleted:
			tombs = append(tombs, e)
		}
	})
	if err != nil || damaged != nil || len(tombs) > auditErased {
		return false, err
	}
	var least, most int64
	for _, e := range tombs {
		left, err := j.entriesOf(ctx, shard, e.User, e.Event.ThreadID)
		if err != nil {
			return false, err
		}
		erased := int64(e.Header.N) - int64(left)
		most += erased
		if e.Seq > last {
			least += erased
		}
	}
	return least <= gone && gone <= most, nil
}

// entriesOf counts the entries that are left of a thread.
func (j *Journal) entriesOf(ctx context.Context, shard int, u switchboard.UserID, t switchboard.ThreadID) (n uint64, err error) {
	subject, err := threadSubject(shard, u, t, "*")
	if err != nil {
		return 0, err
	}
	s, err := j.js.Stream(ctx, streamName(shard))
	if err != nil {
		return 0, readError(err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(subject))
	if err != nil {
		return 0, readError(err)
	}
	for _, count := range info.State.Subjects {
		n += count
	}
	return n, nil
}

// Damaged notes what was found, but for what has been accepted, until Accept. If the journal is being opened, the next
// epoch begins at once.
func (j *Journal) Damaged(ctx context.Context, texts []string, opening bool) error {
	changed, err := j.amend(ctx, func(d *damage) bool {
		texts = slices.DeleteFunc(texts, func(t string) bool { return slices.Contains(d.Accepted, t) })
		d.Found = time.Now()
		for _, t := range texts {
			if !slices.Contains(d.Texts, t) {
				d.Texts = append(d.Texts, t)
			}
		}
		return len(texts) > 0
	})
	if err != nil || !changed || !opening {
		return err
	}
	if err := j.newEpoch(ctx); err != nil {
		return err
	}
	_, err = j.keep(ctx, nil)
	return err
}

// newEpoch lets no cursor of before be believed.
func (j *Journal) newEpoch(ctx context.Context) error {
	_, revision, err := j.meta.Get(ctx, epochKey)
	if err != nil {
		return err
	}
	j.epoch = randomEpoch()
	_, err = j.meta.Update(ctx, epochKey, []byte(j.epoch), revision)
	return err
}

func randomEpoch() string { return strings.ToLower(rand.Text()[:8]) }

// Damage returns what was found damaged and has not been accepted. Errors: Unavailable.
func (j *Journal) Damage(ctx context.Context) ([]string, error) {
	var d damage
	_, err := j.meta.load(ctx, damageKey, &d)
	return d.Texts, err
}

// Accept says that an operator knows what was lost, and what a check has found, and goes on without it.
func (j *Journal) Accept(ctx context.Context, findings []string) error {
	_, err := j.amend(ctx, func(d *damage) bool {
		d.Accepted = append(append(d.Accepted, d.Texts...), findings...)
		slices.Sort(d.Accepted)
		d.Texts, d.Accepted = nil, slices.Compact(d.Accepted)
		return true
	})
	return err
}

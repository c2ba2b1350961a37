package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/netra-systems/switchboard"
)

// The list of a user's threads is a fold of the log, kept beside it because a user with very many threads is read in
// milliseconds from it and in most of a second from the log. It is a cache: it is not synced, and what is missing,
// torn or too old is read from the log. It has two parts, so that little is written often: a base in chunks, and what
// is new since. A base is named by its hash, which the recent part repeats.

// indexChunk is the size of a chunk in bytes; the engine's payloads are at most 1 MiB.
const indexChunk = 512 << 10

// indexHeader stands beside each part.
type indexHeader struct {
	Base   string `json:"b"`          // name of the base
	Chunk  int    `json:"i,omitzero"` // of the base, from 1; 0 for the recent part
	Chunks int    `json:"k,omitzero"`
}

func (j *Journal) openIndexes(ctx context.Context) error {
	want := jetstream.StreamConfig{
		Name: indexStream, Subjects: []string{indexSubjects}, Storage: jetstream.FileStorage, Replicas: j.cfg.Replicas,
		MaxMsgsPerSubject: 1, AllowDirect: true, Discard: jetstream.DiscardOld,
	}
	if j.cfg.Replicas == 1 {
		want.PersistMode = jetstream.AsyncPersistMode
	}
	_, err := j.js.Stream(ctx, indexStream)
	if isMissing(err) {
		_, err = j.js.CreateStream(ctx, want)
	}
	return err
}

// SaveIndex stores a user's list anew, and returns the name of this base. Errors: Unavailable.
func (j *Journal) SaveIndex(ctx context.Context, u switchboard.UserID, list []byte) (base string, err error) {
	sum := sha256.Sum256(list)
	base = hex.EncodeToString(sum[:16])
	chunks := slices.Collect(slices.Chunk(list, indexChunk))
	for i, c := range chunks {
		h := indexHeader{Base: base, Chunk: i + 1, Chunks: len(chunks)}
		if err := j.saveIndex(ctx, u, strconv.Itoa(i+1), h, c); err != nil {
			return "", err
		}
	}
	return base, nil
}

// SaveRecent stores what is new of a user's list since a base. Errors: Unavailable.
func (j *Journal) SaveRecent(ctx context.Context, u switchboard.UserID, base string, recent []byte) error {
	return j.saveIndex(ctx, u, "0", indexHeader{Base: base}, recent)
}

func (j *Journal) saveIndex(ctx context.Context, u switchboard.UserID, part string, h indexHeader, data []byte) error {
	subject, err := indexSubject(u, part)
	if err != nil {
		return err
	}
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, appendWait)
	defer cancel()
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{headerKey: {string(b)}}}
	if _, err := j.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0)); err != nil {
		return readError(err)
	}
	return nil
}

// LoadIndex returns a user's list as it was stored, its name, and what was stored as new since; a base of "" says that
// there is none that is whole. Errors: Unavailable.
func (j *Journal) LoadIndex(ctx context.Context, u switchboard.UserID) (base string, list, recent []byte, err error) {
	subject, err := indexSubject(u, "*")
	if err != nil {
		return "", nil, nil, err
	}
	chunks := map[int][]byte{}
	var first, new indexHeader
	_, err = j.getFrom(ctx, indexStream, getRequest{MultiLast: []string{subject}}, func(m *nats.Msg) error {
		var h indexHeader
		if err := json.Unmarshal([]byte(m.Header.Get(headerKey)), &h); err != nil {
			return nil // as good as none
		}
		switch h.Chunk {
		case 0:
			new, recent = h, m.Data
		case 1:
			first = h
			fallthrough
		default:
			chunks[h.Chunk] = m.Data
		}
		return nil
	})
	if err != nil {
		return "", nil, nil, readError(err)
	}
	list = make([]byte, 0, first.Chunks*indexChunk)
	for i := range first.Chunks {
		list = append(list, chunks[i+1]...)
	}
	sum := sha256.Sum256(list)
	if first.Base == "" || hex.EncodeToString(sum[:16]) != first.Base {
		return "", nil, nil, nil
	}
	if new.Base != first.Base {
		recent = nil
	}
	return first.Base, list, recent, nil
}

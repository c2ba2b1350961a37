package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"

	"github.com/netra-systems/switchboard"
)

// A backup is a folder with a snapshot of each stream, as the engine makes it (messages, consumers and what was
// acknowledged), and a manifest. It is made while the store is in use; each stream is of one moment, what the store knows
// of itself first. It holds password hashes and keys.

// Manifest says what a backup holds.
type Manifest struct {
	Format  int       `json:"format"`
	Made    time.Time `json:"made"`
	Epoch   string    `json:"epoch"`
	Streams []Saved   `json:"streams"`
}

// Saved is a stream in a backup.
type Saved struct {
	Name     string         `json:"name"`
	Messages uint64         `json:"messages"`
	Bytes    int64          `json:"bytes"` // of the file
	SHA256   string         `json:"sha256"`
	Config   jsontext.Value `json:"config"` // as the engine says it
	State    jsontext.Value `json:"state"`
}

// Records reports whether it is a bucket of records.
func (s Saved) Records() bool { return strings.HasPrefix(s.Name, "KV_") }

const (
	manifestFile = "manifest.json"
	backupFormat = 1
	chunkWait    = 30 * time.Second // for the next chunk of a snapshot
)

// apiError is what the engine says when it refuses.
type apiError struct {
	Error *struct {
		Description string `json:"description"`
	} `json:"error"`
}

// Backup writes a backup into a folder, which must be empty or missing. Errors: Conflict if it is not empty,
// Unavailable, what the file system says.
func (j *Journal) Backup(ctx context.Context, dir string) (Manifest, error) {
	m := Manifest{Format: backupFormat, Made: time.Now().UTC(), Epoch: j.epoch}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return m, err
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) > 0 {
		return m, errors.Join(err, switchboard.Errorf(switchboard.Conflict, "the folder of a backup must be empty: %s", dir))
	}
	var streams []string
	names := j.js.StreamNames(ctx)
	for name := range names.Name() {
		if name != "KV_"+metaBucket && (isShard(name) || strings.HasPrefix(name, "KV_")) {
			streams = append(streams, name)
		}
	}
	if err := names.Err(); err != nil {
		return m, readError(err)
	}
	for _, name := range append([]string{"KV_" + metaBucket}, streams...) {
		s, err := j.backupStream(ctx, name, filepath.Join(dir, name))
		if err != nil {
			return m, fmt.Errorf("%s: %w", name, err)
		}
		m.Streams = append(m.Streams, s)
	}
	b, err := json.Marshal(m, jsontext.Multiline(true))
	if err != nil {
		return m, err
	}
	return m, writeSynced(filepath.Join(dir, manifestFile), func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
}

// writeSynced writes a file that only its owner may read, and syncs it.
func writeSynced(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Sync(), f.Close())
}

// backupStream has the engine send a snapshot, chunk by chunk, each of which is acknowledged.
func (j *Journal) backupStream(ctx context.Context, name, path string) (Saved, error) {
	s := Saved{Name: name}
	inbox := j.write.NewRespInbox()
	chunks, err := j.write.SubscribeSync(inbox)
	if err != nil {
		return s, readError(err)
	}
	defer chunks.Unsubscribe()
	if err := j.ask(ctx, "$JS.API.STREAM.SNAPSHOT."+name, map[string]any{"deliver_subject": inbox, "jsck": true}, func(b []byte) error {
		return json.Unmarshal(b, &s)
	}); err != nil {
		return s, err
	}
	var state struct {
		Messages uint64 `json:"messages"`
	}
	if err := json.Unmarshal(s.State, &state); err != nil {
		return s, err
	}
	s.Messages = state.Messages
	sum := sha256.New()
	err = writeSynced(path, func(w io.Writer) (err error) {
		s.Bytes, err = receive(ctx, chunks, io.MultiWriter(w, sum))
		return err
	})
	s.SHA256 = sumOf(sum)
	return s, err
}

func sumOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// receive writes the chunks of a snapshot until the engine says that it is whole.
func receive(ctx context.Context, chunks *nats.Subscription, w io.Writer) (bytes int64, err error) {
	for {
		m, err := nextChunk(ctx, chunks)
		if err != nil {
			return bytes, readError(err)
		}
		n, err := w.Write(m.Data)
		bytes += int64(n)
		if err != nil {
			return bytes, err
		}
		if m.Reply != "" {
			if err := m.Respond(nil); err != nil {
				return bytes, readError(err)
			}
		}
		switch status := m.Header.Get("Status"); {
		case status == "204" || status == "" && len(m.Data) == 0:
			return bytes, nil
		case status != "":
			return bytes, fmt.Errorf("the snapshot broke off: %s %s", status, m.Header.Get("Description"))
		}
	}
}

func nextChunk(ctx context.Context, chunks *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, chunkWait)
	defer cancel()
	return chunks.NextMsgWithContext(ctx)
}

// ask sends a request to the engine's API and hands the answer to fn, unless it is an error.
func (j *Journal) ask(ctx context.Context, subject string, request any, fn func([]byte) error) error {
	b, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return j.exchange(ctx, subject, b, fn)
}

func (j *Journal) exchange(ctx context.Context, subject string, data []byte, fn func([]byte) error) error {
	ctx, cancel := context.WithTimeout(ctx, chunkWait)
	defer cancel()
	m, err := j.write.RequestWithContext(ctx, subject, data)
	if err != nil {
		return readError(err)
	}
	var refused apiError
	if len(m.Data) > 0 {
		if err := json.Unmarshal(m.Data, &refused); err != nil {
			return readError(err)
		}
	}
	if refused.Error != nil {
		return readError(errors.New(refused.Error.Description))
	}
	return fn(m.Data)
}

// Restore fills an empty store from a backup, and opens it with a new epoch: what happened after the backup is not there,
// and devices that saw it are told to reload. Everything is read once before it returns. Errors: Conflict if the store is
// not empty, ErrDamaged if the backup is not what was written, Unavailable.
func Restore(ctx context.Context, cfg Config, dir string) (Manifest, Report, error) {
	m, err := readManifest(dir)
	if err != nil {
		return m, Report{}, err
	}
	if err := fill(ctx, cfg, dir, m); err != nil {
		return m, Report{}, err
	}
	j, err := Open(ctx, cfg)
	if err != nil {
		return m, Report{}, err
	}
	defer j.Close()
	if err := j.newEpoch(ctx); err != nil {
		return m, Report{}, err
	}
	if _, err := j.keep(ctx, nil); err != nil {
		return m, Report{}, err
	}
	r, err := j.Check(ctx, 0)
	return m, r, err
}

// readManifest reads what a backup should hold, and checks that it does.
func readManifest(dir string) (m Manifest, err error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil || m.Format != backupFormat {
		return m, fmt.Errorf("%w: %s is no manifest of a backup of this version", ErrDamaged, manifestFile)
	}
	for _, s := range m.Streams {
		if filepath.Base(s.Name) != s.Name {
			return m, fmt.Errorf("%w: %q is no stream", ErrDamaged, s.Name)
		}
		f, err := os.Open(filepath.Join(dir, s.Name))
		if err != nil {
			return m, err
		}
		sum := sha256.New()
		_, err = io.Copy(sum, f)
		f.Close()
		if err != nil {
			return m, err
		}
		if sumOf(sum) != s.SHA256 {
			return m, fmt.Errorf("%w: %s is not what was backed up", ErrDamaged, s.Name)
		}
	}
	return m, nil
}

// fill sends the snapshots to an engine without streams.
func fill(ctx context.Context, cfg Config, dir string, m Manifest) error {
	j := &Journal{cfg: cfg}
	defer j.Close()
	if err := j.connect(); err != nil {
		return readError(err)
	}
	names := j.js.StreamNames(ctx)
	for name := range names.Name() {
		return switchboard.Errorf(switchboard.Conflict, "the store is not empty: it has %s", name)
	}
	if err := names.Err(); err != nil {
		return readError(err)
	}
	for _, s := range m.Streams {
		if err := j.restoreStream(ctx, s, filepath.Join(dir, s.Name)); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return nil
}

// restoreStream sends a snapshot, chunk by chunk, and an empty one at the end.
func (j *Journal) restoreStream(ctx context.Context, s Saved, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var to struct {
		Subject string `json:"deliver_subject"`
	}
	config := map[string]jsontext.Value{}
	if err := json.Unmarshal(s.Config, &config); err != nil {
		return fmt.Errorf("%w: the settings of a stream: %w", ErrDamaged, err)
	}
	config["num_replicas"] = jsontext.Value(strconv.Itoa(max(j.cfg.Replicas, 1))) // as here, not as where it was made
	err = j.ask(ctx, "$JS.API.STREAM.RESTORE."+s.Name, map[string]any{"config": config, "state": s.State}, func(b []byte) error {
		return json.Unmarshal(b, &to)
	})
	if err != nil {
		return err
	}
	chunk := make([]byte, 128<<10)
	for {
		n, err := io.ReadFull(f, chunk)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if err := j.exchange(ctx, to.Subject, chunk[:n], func([]byte) error { return nil }); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

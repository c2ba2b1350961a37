package journal

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/netra-systems/switchboard"
)

// In a cluster any replica answers a read, and one may be some milliseconds behind the leader, whose entries the feeds
// give. What a replica lacks is read again before it is called missing.
const (
	behindTries = 5
	behindWait  = 20 * time.Millisecond // before the first of them; each is twice as long as the one before
)

// again waits before a read is repeated for the try-th time, from 0 on; below 0 it does not wait. When enough has been
// tried it returns err.
func again(ctx context.Context, try int, err error) error {
	if try >= behindTries {
		return err
	}
	if try < 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(behindWait << try):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// newestSeq asks the leader for the sequence of the newest entry of a subject, 0 if there is none.
func (j *Journal) newestSeq(ctx context.Context, shard int, subject string) (uint64, error) {
	b, err := json.Marshal(getRequest{Last: subject})
	if err != nil {
		return 0, err
	}
	conn, err := j.reader(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { j.idle <- conn }()
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	m, err := conn.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+streamName(shard), b)
	if err != nil {
		return 0, readError(err)
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Seq uint64 `json:"seq"`
		} `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return 0, readError(err)
	}
	if answer.Error != nil && answer.Error.ErrorCode != jetstream.JSErrCodeMessageNotFound {
		return 0, switchboard.Wrap(switchboard.Unavailable, "the store cannot be read", answer.Error)
	}
	return answer.Message.Seq, nil
}

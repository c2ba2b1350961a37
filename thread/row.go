package thread

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/netra-systems/switchboard"
)

// rowsVersion begins every encoding of rows: another one is not read.
const rowsVersion = 2

const (
	rowDeleted = 1 << iota
	rowHeld
)

// errRows says that bytes are not rows, or rows of another version.
var errRows = errors.New("not rows")

// EncodeRows writes rows as bytes: a version, then for each row its numbers as varints and its texts with their length.
func EncodeRows(rows []*Row) []byte {
	out := make([]byte, 0, 1+256*len(rows))
	out = append(out, rowsVersion)
	text := func(s string) {
		out = binary.AppendUvarint(out, uint64(len(s)))
		out = append(out, s...)
	}
	for _, r := range rows {
		flags := uint64(0)
		if r.Deleted {
			flags |= rowDeleted
		}
		if r.Held {
			flags |= rowHeld
		}
		for _, v := range []uint64{r.Seq, r.N, uint64(r.Attempt), flags, millis(r.Summary.Created), millis(r.Summary.Updated),
			uint64(r.Usage.InputTokens), uint64(r.Usage.OutputTokens)} {
			out = binary.AppendUvarint(out, v)
		}
		for _, s := range []string{string(r.Summary.ThreadID), r.Chain, r.Summary.Title, r.Summary.LastText, string(r.Summary.ActiveRun)} {
			text(s)
		}
	}
	return out
}

// DecodeRows reads what EncodeRows wrote.
func DecodeRows(b []byte) ([]*Row, error) {
	if len(b) == 0 || b[0] != rowsVersion {
		return nil, errRows
	}
	d := rowReader{s: string(b[1:])} // texts are parts of it: no copies
	var out []*Row
	for len(d.s) > 0 && !d.bad {
		r := &Row{Seq: d.number(), N: d.number(), Attempt: int(d.number())}
		flags := d.number()
		r.Deleted, r.Held = flags&rowDeleted != 0, flags&rowHeld != 0
		r.Summary.Created, r.Summary.Updated = instant(d.number()), instant(d.number())
		r.Usage = switchboard.Usage{InputTokens: int64(d.number()), OutputTokens: int64(d.number())}
		r.Summary.ThreadID, r.Chain = switchboard.ThreadID(d.text()), d.text()
		r.Summary.Title, r.Summary.LastText, r.Summary.ActiveRun = d.text(), d.text(), switchboard.RunID(d.text())
		out = append(out, r)
	}
	if d.bad {
		return nil, errRows
	}
	return out, nil
}

type rowReader struct {
	s   string
	bad bool
}

func (d *rowReader) number() uint64 {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		if len(d.s) == 0 {
			break
		}
		c := d.s[0]
		d.s = d.s[1:]
		if v |= uint64(c&0x7f) << shift; c < 0x80 {
			return v
		}
	}
	d.bad = true
	return 0
}

func (d *rowReader) text() string {
	n := d.number()
	if n > uint64(len(d.s)) {
		d.bad = true
		return ""
	}
	s := d.s[:n]
	d.s = d.s[n:]
	return s
}

// millis writes an instant; 0 is none.
func millis(t switchboard.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixMilli())
}

func instant(ms uint64) switchboard.Time {
	if ms == 0 {
		return switchboard.Time{}
	}
	return switchboard.At(time.UnixMilli(int64(ms)))
}

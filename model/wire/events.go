package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine bounds a line of a stream, and the data of an event, in bytes.
const maxLine = 1 << 20

// events parses Server-Sent Events. It is used by one goroutine.
type events struct {
	r    *bufio.Reader
	left int          // bytes it may still read
	line []byte       // a line that does not fit r's buffer
	data bytes.Buffer // of the event being read
	name string       // its type
}

func newEvents(r io.Reader, limit int) *events {
	return &events{r: bufio.NewReaderSize(r, 16<<10), left: limit}
}

// read lets r take the events; nil means that the answer is complete and its Finish chunk was given.
func (s *events) read(r Reader, w *watch) error {
	progress := More
	for progress != Done {
		done, err := s.next()
		if err != nil {
			if progress == Whole && !errors.Is(err, ErrTooLarge) {
				break
			}
			return noEOF(err)
		}
		if done {
			break
		}
		if progress, err = r.Take(s.name, s.data.Bytes()); err != nil {
			return err
		}
		if progress == Whole {
			w.limit = min(w.limit, finishedIdle)
		}
	}
	return r.End()
}

// whole lets r take an answer that came in one piece.
func (s *events) whole(r Reader) error {
	b, err := io.ReadAll(io.LimitReader(s.r, int64(s.left)+1))
	if err != nil {
		return noEOF(err)
	}
	if len(b) > s.left {
		return ErrTooLarge
	}
	if _, err := r.Take("", b); err != nil {
		return err
	}
	return r.End()
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next reads the next event with data; done says that it was [DONE], the end of a stream in OpenAI's protocol and no data
// of any other.
func (s *events) next() (done bool, err error) {
	s.data.Reset()
	s.name = ""
	for {
		line, err := s.readLine()
		if err != nil {
			return false, err
		}
		if len(line) == 0 {
			if s.data.Len() > 0 {
				return false, nil
			}
			s.name = ""
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			s.name = string(value)
		case "data":
			// Some servers leave the line open after it, so the blank line is not waited for.
			if s.data.Len() == 0 && string(bytes.TrimSpace(value)) == "[DONE]" {
				return true, nil
			}
			if s.data.Len()+len(value) > maxLine {
				return false, ErrTooLarge
			}
			if s.data.Len() > 0 {
				s.data.WriteByte('\n')
			}
			s.data.Write(value)
		}
	}
}

// readLine reads a line without its end. The line is good until the next call.
func (s *events) readLine() ([]byte, error) {
	s.line = s.line[:0]
	for {
		b, err := s.r.ReadSlice('\n')
		if s.left -= len(b); s.left < 0 || len(s.line)+len(b) > maxLine {
			return nil, ErrTooLarge
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			s.line = append(s.line, b...)
			continue
		}
		if err != nil {
			return nil, err // a line without its end is none
		}
		if len(s.line) > 0 {
			s.line = append(s.line, b...)
			b = s.line
		}
		return bytes.TrimSuffix(b[:len(b)-1], []byte("\r")), nil
	}
}

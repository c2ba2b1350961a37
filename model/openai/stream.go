package openai

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxLine = 1 << 20 // bytes of one line of a stream

	// finishedIdle is how long a server may keep us waiting for usage and [DONE] when its answer is complete.
	finishedIdle = 2 * time.Second
)

var (
	errTooLarge = errors.New("the answer is larger than allowed")
	errGarbage  = errors.New("the answer is not a chat completion")

	// tolerant reads what servers send; half a surrogate pair in a token is no reason to lose an answer.
	tolerant = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
)

// stream parses Server-Sent Events. It is used by one goroutine.
type stream struct {
	r     *bufio.Reader
	left  int          // bytes it may still read
	line  []byte       // a line that does not fit r's buffer
	data  bytes.Buffer // of the event being read
	event string       // its type
	frame wireChunk
}

func newStream(r io.Reader, limit int) *stream {
	return &stream{r: bufio.NewReaderSize(r, 16<<10), left: limit}
}

// read gives a the answer; nil means that it is complete and its Finish chunk was given.
func (s *stream) read(a *answer, w *watch) error {
	for {
		done, err := s.next()
		if err != nil {
			// What comes after a finish reason is only about usage.
			if a.finish != "" && !errors.Is(err, errTooLarge) {
				return a.end()
			}
			return noEOF(err)
		}
		if done {
			return a.end()
		}
		if err := s.decode(a); err != nil {
			return err
		}
		if a.finish != "" {
			w.limit = min(w.limit, finishedIdle)
		}
	}
}

// readWhole gives a an answer that came in one piece.
func (s *stream) readWhole(a *answer) error {
	b, err := io.ReadAll(io.LimitReader(s.r, int64(s.left)+1))
	if err != nil {
		return noEOF(err)
	}
	if len(b) > s.left {
		return errTooLarge
	}
	s.data.Write(b)
	if err := s.decode(a); err != nil {
		return err
	}
	return a.end()
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next reads the next event with data; done says that it was [DONE].
func (s *stream) next() (done bool, err error) {
	s.data.Reset()
	s.event = ""
	for {
		line, err := s.readLine()
		if err != nil {
			return false, err
		}
		if len(line) == 0 {
			if s.data.Len() > 0 {
				return false, nil
			}
			s.event = ""
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "event":
			s.event = string(value)
		case "data":
			// Some servers leave the line open after it, so the blank line is not waited for.
			if s.data.Len() == 0 && string(bytes.TrimSpace(value)) == "[DONE]" {
				return true, nil
			}
			if s.data.Len()+len(value) > maxLine {
				return false, errTooLarge
			}
			if s.data.Len() > 0 {
				s.data.WriteByte('\n')
			}
			s.data.Write(value)
		}
	}
}

// readLine reads a line without its end. The line is good until the next call.
func (s *stream) readLine() ([]byte, error) {
	s.line = s.line[:0]
	for {
		b, err := s.r.ReadSlice('\n')
		if s.left -= len(b); s.left < 0 || len(s.line)+len(b) > maxLine {
			return nil, errTooLarge
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

// wireChunk is a chat.completion.chunk, or a chat.completion, which has a message where a chunk has a delta.
type wireChunk struct {
	Choices []wireChoice   `json:"choices"`
	Usage   *wireUsage     `json:"usage"`
	Error   jsontext.Value `json:"error"`
}

type wireChoice struct {
	Index        int        `json:"index"`
	Delta        wireDelta  `json:"delta"`
	Message      *wireDelta `json:"message"`
	FinishReason string     `json:"finish_reason"`
}

type wireDelta struct {
	Content          jsontext.Value `json:"content"`
	Refusal          string         `json:"refusal"`
	ReasoningContent jsontext.Value `json:"reasoning_content"`
	Reasoning        jsontext.Value `json:"reasoning"`
	ToolCalls        []wireCall     `json:"tool_calls"`
}

type wireCall struct {
	Index    *int         `json:"index"`
	ID       string       `json:"id"`
	Function wireFragment `json:"function"`
}

type wireFragment struct {
	Name      string         `json:"name"`
	Arguments jsontext.Value `json:"arguments"`
}

type wireUsage struct {
	Input  int64 `json:"prompt_tokens"`
	Output int64 `json:"completion_tokens"`
}

// decode gives a the event that next has read.
func (s *stream) decode(a *answer) error {
	f := &s.frame
	*f = wireChunk{Choices: f.Choices[:0]}
	err := json.Unmarshal(s.data.Bytes(), f, tolerant)
	if len(f.Error) > 0 && f.Error.Kind() != 'n' {
		return parseError(f.Error)
	}
	if s.event == "error" {
		return parseError(s.data.Bytes())
	}
	if err != nil {
		return fmt.Errorf("%w: %d bytes that cannot be read", errGarbage, s.data.Len()) // the bytes are the user's
	}
	return a.take(f)
}

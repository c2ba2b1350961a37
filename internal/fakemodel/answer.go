package fakemodel

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
)

// Fault is how an answer goes wrong, after Answer.After of its chunks.
type Fault string

// The faults. The answer up to the fault is given as it should be.
const (
	FaultNone    Fault = ""
	FaultStall   Fault = "stall"   // silence; with After 0 before the first byte, headers included
	FaultCut     Fault = "cut"     // the connection is reset in the middle of a frame
	FaultGarbage Fault = "garbage" // what follows is no JSON
	FaultEOF     Fault = "eof"     // the body ends, without finish reason and [DONE]
	FaultError   Fault = "error"   // an error object instead of a chunk
	FaultEndless Fault = "endless" // text for ever
	FaultHuge    Fault = "huge"    // a line of two MiB
	FaultNoDone  Fault = "nodone"  // after the last chunk the body ends without [DONE]
	FaultLinger  Fault = "linger"  // after the last chunk neither [DONE] nor the end
)

// Answer is how one request is answered.
type Answer struct {
	Status     int           // of HTTP; 0: 200. Any other is answered with an error object
	RetryAfter string        // header, if not empty
	Delay      time.Duration // before each chunk
	Chunks     []model.Chunk // what is said, as package model has it; nil: as package scripted says it
	Fault      Fault
	After      int // chunks that are given before the fault

	Reasoning string // the name of reasoning deltas; empty: reasoning_content
	NoIndex   bool   // calls have no index
	NoUsage   bool   // as servers that do not count
	Whole     bool   // a JSON object instead of a stream
}

// dialect is a protocol of models.
type dialect interface {
	// key returns the key that a request came with.
	key(http.Header) string
	// read reads a request as strictly as a real server does.
	read(http.Header, []byte) (Request, error)
	// refuse answers with an error object.
	refuse(w http.ResponseWriter, status int, code, message string)
	// speak begins an answer.
	speak(Request, Answer) speaker
}

// speaker says one answer in a dialect. It is used by one goroutine.
type speaker interface {
	// begin returns what comes before the first chunk.
	begin() []frame
	// chunk returns the frames of a chunk.
	chunk(model.Chunk) []frame
	// end returns what ends the answer: as it should, or with the garbage or the error that a fault asks for.
	end(Fault) []frame
	// whole returns the answer as one JSON object.
	whole() []byte
}

// frame is a Server-Sent Event.
type frame struct{ event, data string }

func (f frame) String() string {
	if f.event == "" {
		return "data: " + f.data + "\n\n"
	}
	return "event: " + f.event + "\ndata: " + f.data + "\n\n"
}

// give writes the answer. Write errors are not looked at: they mean that the client is gone, and ctx ends with it.
func give(ctx context.Context, w http.ResponseWriter, d dialect, r Request, a Answer) {
	if a.RetryAfter != "" {
		w.Header().Set("Retry-After", a.RetryAfter)
	}
	if a.Status != 0 && a.Status != http.StatusOK {
		d.refuse(w, a.Status, "", "as the script says; the key is "+d.key(r.Header))
		return
	}
	if a.Fault == FaultStall && a.After == 0 {
		<-ctx.Done()
		abort()
	}
	s := d.speak(r, a)
	if a.Whole {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.whole())
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	f := &framer{w: w, s: s, a: a}
	f.frames(s.begin())
	for i, c := range a.Chunks {
		if a.Fault != FaultNone && a.Fault != FaultNoDone && a.Fault != FaultLinger && i >= a.After {
			break
		}
		if !pause(ctx, a.Delay) {
			abort()
		}
		f.frames(s.chunk(c))
	}
	f.fail(ctx)
}

// fail does what the answer's fault is, or ends the stream as it should end.
func (f *framer) fail(ctx context.Context) {
	switch f.a.Fault {
	case FaultNone, FaultGarbage, FaultError:
		f.frames(f.s.end(f.a.Fault))
	case FaultStall, FaultLinger:
		<-ctx.Done()
		abort()
	case FaultCut:
		f.cut()
	case FaultEndless:
		for pause(ctx, f.a.Delay) {
			f.frames(f.s.chunk(model.Chunk{Text: "and on and on "}))
		}
		abort()
	case FaultHuge:
		f.frames(f.s.chunk(model.Chunk{Text: strings.Repeat("huge ", 2<<20/5)}))
		f.frames(f.s.end(FaultNone))
	}
}

// abort breaks the connection: to return would end the answer as if it were whole.
func abort() { panic(http.ErrAbortHandler) }

// pause says whether the client is still there after d.
func pause(ctx context.Context, d time.Duration) bool {
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

// framer writes Server-Sent Events.
type framer struct {
	w http.ResponseWriter
	s speaker
	a Answer
}

func (f *framer) frames(frames []frame) {
	for _, x := range frames {
		_, _ = io.WriteString(f.w, x.String())
	}
	_ = http.NewResponseController(f.w).Flush()
}

// cut writes half a frame and resets the connection.
func (f *framer) cut() {
	frames := f.s.chunk(model.Chunk{Text: "half a tok"})
	half := frames[len(frames)-1].String()
	half = half[:len(half)/2]
	f.frames(frames[:len(frames)-1])
	conn, rw, err := http.NewResponseController(f.w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(rw, "%x\r\n%s", 2*len(half), half) // a chunk of HTTP that promises more than it has
	_ = rw.Flush()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // close with RST
	}
}

func marshal(o any) string {
	b, err := json.Marshal(o, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return fmt.Sprintf(`{"error":{"message":%q}}`, err)
	}
	return string(b)
}

func writeError(w http.ResponseWriter, status int, o any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, marshal(o))
}

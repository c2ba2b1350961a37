package fakemodel

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

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

// give writes the answer. Write errors are not looked at: they mean that the client is gone, and ctx ends with it.
func give(ctx context.Context, w http.ResponseWriter, r Request, a Answer) {
	if a.RetryAfter != "" {
		w.Header().Set("Retry-After", a.RetryAfter)
	}
	if a.Status != 0 && a.Status != http.StatusOK {
		refuse(w, a.Status, "fake_error", "", "as the script says; the key is "+r.Header.Get("Authorization"))
		return
	}
	if a.Fault == FaultStall && a.After == 0 {
		<-ctx.Done()
		abort()
	}
	if a.Whole {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(whole(a, r))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	f := &framer{w: w, r: r, a: a}
	f.flush()
	for i, c := range a.Chunks {
		if a.Fault != FaultNone && a.Fault != FaultNoDone && a.Fault != FaultLinger && i >= a.After {
			break
		}
		if !pause(ctx, a.Delay) {
			abort()
		}
		f.chunk(c)
	}
	f.fail(ctx)
}

// fail does what the answer's fault is, or ends the stream as it should end.
func (f *framer) fail(ctx context.Context) {
	switch f.a.Fault {
	case FaultNone:
		f.frame("[DONE]")
	case FaultStall, FaultLinger:
		<-ctx.Done()
		abort()
	case FaultCut:
		f.cut()
	case FaultGarbage:
		f.frame(`{"choices":[{"delta":{"content":"` + "\x00\xff")
		f.frame("<html>502 Bad Gateway</html>")
		f.frame("[DONE]")
	case FaultError:
		f.frame(`{"error":{"message":"the fake server is overloaded","type":"server_error","code":503}}`)
	case FaultEndless:
		for pause(ctx, f.a.Delay) {
			f.chunk(model.Chunk{Text: "and on and on "})
		}
		abort()
	case FaultHuge:
		f.chunk(model.Chunk{Text: strings.Repeat("huge ", 2<<20/5)})
		f.frame("[DONE]")
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
	w   http.ResponseWriter
	r   Request
	a   Answer
	buf bytes.Buffer
}

func (f *framer) frame(data string) {
	f.buf.Reset()
	f.buf.WriteString("data: " + data + "\n\n")
	_, _ = f.w.Write(f.buf.Bytes())
	f.flush()
}

func (f *framer) flush() { _ = http.NewResponseController(f.w).Flush() }

func (f *framer) chunk(c model.Chunk) {
	for _, data := range f.frames(c) {
		f.frame(data)
	}
}

// frames returns the frames of a chunk: what it says, its finish reason, and its usage, which OpenAI sends without choices.
func (f *framer) frames(c model.Chunk) []string {
	var out []string
	if d := delta(c, f.a); len(d) > 0 {
		out = append(out, f.object("choices", []any{choice("delta", d, nil)}))
	}
	if c.Finish != "" {
		out = append(out, f.object("choices", []any{choice("delta", map[string]any{}, reason(c.Finish))}))
	}
	if c.Usage != nil && f.r.Usage && !f.a.NoUsage {
		out = append(out, f.object("choices", []any{}, "usage", usage(c.Usage)))
	}
	return out
}

func choice(name string, said map[string]any, finish any) map[string]any {
	return map[string]any{"index": 0, name: said, "finish_reason": finish}
}

func usage(u *model.Usage) map[string]any {
	return map[string]any{"prompt_tokens": u.Input, "completion_tokens": u.Output, "total_tokens": u.Input + u.Output}
}

func (f *framer) object(members ...any) string {
	o := map[string]any{"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1, "model": f.r.Model}
	for i := 0; i < len(members); i += 2 {
		o[members[i].(string)] = members[i+1]
	}
	return marshal(o)
}

func marshal(o any) string {
	b, err := json.Marshal(o, json.Deterministic(true))
	if err != nil {
		return fmt.Sprintf(`{"error":{"message":%q}}`, err)
	}
	return string(b)
}

// delta is what a chunk says.
func delta(c model.Chunk, a Answer) map[string]any {
	d := map[string]any{}
	if c.Thinking != "" {
		name := a.Reasoning
		if name == "" {
			name = "reasoning_content"
		}
		d[name] = c.Thinking
	}
	if c.Text != "" {
		d["content"] = c.Text
	}
	if c.Call != nil {
		function := map[string]any{"arguments": c.Call.Arguments}
		call := map[string]any{"function": function}
		if !a.NoIndex {
			call["index"] = c.Call.Index
		}
		if c.Call.ID != "" {
			call["id"], call["type"] = c.Call.ID, "function"
		}
		if c.Call.Tool != "" {
			function["name"] = c.Call.Tool
		}
		d["tool_calls"] = []any{call}
	}
	return d
}

func reason(f model.Finish) string {
	switch f {
	case model.FinishCalls:
		return "tool_calls"
	case model.FinishFilter:
		return "content_filter"
	}
	return string(f)
}

// whole is the answer as one chat.completion.
func whole(a Answer, r Request) []byte {
	said := map[string]any{"role": "assistant"}
	o := map[string]any{"id": "chatcmpl-fake", "object": "chat.completion", "created": 1, "model": r.Model}
	var text, thinking string
	var finish any
	var calls []any
	for _, c := range a.Chunks {
		text += c.Text
		thinking += c.Thinking
		if c.Call != nil {
			calls = append(calls, delta(model.Chunk{Call: c.Call}, a)["tool_calls"].([]any)...)
		}
		if c.Finish != "" {
			finish = reason(c.Finish)
		}
		if c.Usage != nil && !a.NoUsage {
			o["usage"] = usage(c.Usage)
		}
	}
	said["content"], said["reasoning_content"] = text, thinking
	if calls != nil {
		said["tool_calls"] = calls
	}
	o["choices"] = []any{choice("message", said, finish)}
	return []byte(marshal(o))
}

// cut writes half a frame and resets the connection.
func (f *framer) cut() {
	conn, rw, err := http.NewResponseController(f.w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	half := f.object("choices", []any{choice("delta", map[string]any{"content": "half a tok"}, nil)})
	half = "data: " + half[:len(half)/2]
	fmt.Fprintf(rw, "%x\r\n%s", 2*len(half), half) // a chunk of HTTP that promises more than it has
	_ = rw.Flush()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // close with RST
	}
}

// Package modeltest is the conformance suite of the port to models: every adapter that speaks to a server passes it, over
// a real connection to a fake server that speaks the adapter's protocol and breaks it on request.
package modeltest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

// Key is a key that would be noticed in an error or a log.
const Key = "sk-secret/0123456789+abcdef"

// Model is an adapter.
type Model interface {
	model.Model
	Close()
}

// Adapter says how an adapter is opened. URL is that of a fake server, without the protocol's path.
type Adapter struct {
	Open func(url, key string, p wire.Policy) (Model, error)
	// Once says that a request does something, so that only a refused one is repeated.
	Once bool
}

// Answer is all of an answer.
type Answer struct {
	Thinking, Text string
	Calls          []model.Call
	Results        []model.CallResult
	State          []byte // the last one
	Finish         model.Finish
	Usage          *model.Usage
	Err            error
}

// Collect reads an answer and checks what the port promises of every one. Calls and results are numbered on after a result.
func Collect(t testing.TB, ctx context.Context, m model.Model, r model.Request) Answer {
	t.Helper()
	var a Answer
	before := 0 // calls of earlier messages
	ended := false
	for c, err := range m.Stream(ctx, r) {
		if a.Err != nil || a.Finish != "" {
			t.Fatalf("a chunk after the end: %+v", c)
		}
		if err != nil {
			if !reflect.DeepEqual(c, model.Chunk{}) {
				t.Fatalf("a chunk with an error: %+v", c)
			}
			a.Err = err
			continue
		}
		if ended && c.Result == nil {
			before, ended = len(a.Calls), false
		}
		a.Text += c.Text
		a.Thinking += c.Thinking
		if p := c.Call; p != nil {
			i := before + p.Index
			if i == len(a.Calls) {
				if p.ID == "" || p.Tool == "" {
					t.Fatalf("the first piece of a call has no id or tool: %+v", p)
				}
				a.Calls = append(a.Calls, model.Call{ID: p.ID, Tool: p.Tool})
			} else if i > len(a.Calls) || p.ID != "" || p.Tool != "" {
				t.Fatalf("bad piece of a call: %+v", p)
			}
			a.Calls[i].Arguments += p.Arguments
		}
		if x := c.Result; x != nil {
			ended = true
			if before+x.Index >= len(a.Calls) {
				t.Fatalf("a result without a call: %+v", x)
			}
			a.Results = append(a.Results, model.CallResult{Index: before + x.Index, Result: x.Result, Failed: x.Failed})
		}
		if c.Usage != nil {
			a.Usage = c.Usage
		}
		if len(c.State) > 0 {
			if len(c.State) > 64<<10 {
				t.Fatalf("a state of %d bytes", len(c.State))
			}
			a.State = c.State
		}
		a.Finish = c.Finish
	}
	if a.Err == nil && a.Finish == "" {
		t.Fatal("the answer has no end")
	}
	return a
}

// KindOf is the kind of an error, "" if it has none.
func KindOf(err error) model.Kind {
	if e, ok := errors.AsType[*model.Error](err); ok {
		return e.Kind
	}
	return ""
}

// NoLeak looks for Key wherever an error could be written.
func NoLeak(t testing.TB, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		for _, s := range []string{err.Error(), fmt.Sprintf("%v %+v %#v", err, err, err)} {
			if strings.Contains(s, Key) || strings.Contains(s, "0123456789") {
				t.Errorf("the key is in %q", s)
			}
		}
	}
}

// Request is a question with two tools.
func Request(text string) model.Request {
	return model.Request{System: "Be brief.", Messages: []model.Message{{Role: model.User, Text: text}}, Thread: "thread-1", Run: "run-1",
		Tools: []model.Tool{{Name: "calculator", Schema: []byte(`{"type":"object"}`)}, {Name: "clock"}}}
}

// Start runs a fake server until the test ends.
func Start(t testing.TB, c fakemodel.Config) (s *fakemodel.Server, url string) {
	t.Helper()
	s, err := fakemodel.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, strings.TrimSuffix(s.URL(), "/v1")
}

// open opens the adapter, impatient where a test does not say otherwise.
func (a Adapter) open(t testing.TB, url, key string, p wire.Policy) Model {
	t.Helper()
	if p.Backoff == 0 {
		p.Backoff = time.Millisecond
	}
	m, err := a.Open(url, key, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

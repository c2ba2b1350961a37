package fakemodel

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/netra-systems/switchboard/model"
)

var directive = regexp.MustCompile(`(?s)\[\[fake:\s*(.*?)\s*\]\]\s?`)

// StripDirectives returns a text without its directives.
func StripDirectives(text string) string {
	if !strings.Contains(text, "[[fake:") {
		return text
	}
	return strings.TrimSpace(directive.ReplaceAllString(text, ""))
}

// ParseDirectives returns the answer that the directives of the user's last message ask for; without any it is the
// default answer. A directive is [[fake:VERB ARGUMENT… KEY=VALUE…]], without ]] in an argument; several of them make one answer. Verbs:
//
//	text WORDS…         say this (the rest of the directive) instead of the default
//	words N             say N words
//	think WORDS…        think this first
//	tool NAME JSON      call a tool; several are parallel calls
//	badjson [NAME]      call a tool (calculator) with arguments that are no JSON
//	unknown             call a tool that nobody offered
//	reasoning [NAME]    NAME (reasoning) is the name of reasoning deltas
//	delay DURATION      before each chunk
//	noindex, nousage, whole
//	STATUS              answer with this HTTP status, e.g. 429; retry_after=SECONDS
//	stall, cut, garbage, eof, error, endless, huge, nodone, linger
//	                    the Faults; after=CHUNKS (0)
//
// Keys that all verbs take: step=N (only for the N-th request of the message, 1 unless given; 0: for all) and times=N
// (only the first N times that the same request comes). With tool, badjson and unknown step 2 answers by default.
func ParseDirectives(r Request) (Answer, error) {
	var a Answer
	said := false
	finish := model.FinishStop
	calls := 0
	for _, m := range directive.FindAllStringSubmatch(r.Text(), -1) {
		verb, rest, _ := strings.Cut(m[1], " ")
		rest = strings.TrimSpace(rest)
		keys, err := takeKeys(&rest)
		if err != nil {
			return a, err
		}
		if step := keys["step"]; step != 0 && step != r.Step() || keys["times"] > 0 && r.Attempt > keys["times"] {
			continue
		}
		call := func(tool, arguments string) {
			a.Chunks = append(a.Chunks, callChunks(calls, r.Step(), tool, arguments)...)
			calls, finish, said = calls+1, model.FinishCalls, true
		}
		switch verb {
		case "text":
			a.Chunks, said = append(a.Chunks, textChunks(rest)...), true
		case "words":
			n, err := strconv.Atoi(rest)
			if err != nil || n < 1 || n > 1_000_000 {
				return a, fmt.Errorf("fake: words %q: not a number of words", rest)
			}
			a.Chunks, said = append(a.Chunks, textChunks(strings.Repeat("word ", n))...), true
		case "think":
			for _, c := range textChunks(rest) {
				a.Chunks = append(a.Chunks, model.Chunk{Thinking: c.Text})
			}
			said = true
		case "tool":
			name, args, _ := strings.Cut(rest, " ")
			call(name, args)
		case "badjson":
			if rest == "" {
				rest = "calculator"
			}
			call(rest, `{"expression": "2 + `)
		case "unknown":
			call("no_such_tool", "{}")
		default:
			if err := a.set(verb, rest, keys); err != nil {
				return a, err
			}
		}
	}
	if said {
		a.Chunks = append(a.Chunks, model.Chunk{Finish: finish, Usage: &model.Usage{Input: 1, Output: int64(len(a.Chunks))}})
	}
	return a, nil
}

// set does the verbs that do not say anything.
func (a *Answer) set(verb, rest string, keys map[string]int) error {
	switch verb {
	case "reasoning":
		if a.Reasoning = rest; rest == "" {
			a.Reasoning = "reasoning"
		}
	case "delay":
		d, err := time.ParseDuration(rest)
		if err != nil {
			return fmt.Errorf("fake: delay: %w", err)
		}
		a.Delay = d
	case "noindex":
		a.NoIndex = true
	case "nousage":
		a.NoUsage = true
	case "whole":
		a.Whole = true
	default:
		switch f := Fault(verb); f {
		case FaultStall, FaultCut, FaultGarbage, FaultEOF, FaultError, FaultEndless, FaultHuge, FaultNoDone, FaultLinger:
			a.Fault, a.After = f, keys["after"]
			return nil
		}
		status, err := strconv.Atoi(verb)
		if err != nil || status < 300 || status > 599 {
			return fmt.Errorf("fake: unknown directive %q", verb)
		}
		a.Status = status
		if s, ok := keys["retry_after"]; ok {
			a.RetryAfter = strconv.Itoa(s)
		}
	}
	return nil
}

// takeKeys takes the known KEY=VALUE words out of a directive.
func takeKeys(rest *string) (map[string]int, error) {
	keys := map[string]int{"step": 1}
	var kept []string
	for _, w := range strings.Split(*rest, " ") {
		k, v, ok := strings.Cut(w, "=")
		switch {
		case ok && (k == "step" || k == "times" || k == "after" || k == "retry_after"):
			n, err := strconv.Atoi(v)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("fake: %s=%q: not a number", k, v)
			}
			keys[k] = n
		default:
			kept = append(kept, w)
		}
	}
	*rest = strings.TrimSpace(strings.Join(kept, " "))
	return keys, nil
}

func textChunks(s string) []model.Chunk {
	var out []model.Chunk
	for _, w := range strings.SplitAfter(s, " ") {
		if w != "" {
			out = append(out, model.Chunk{Text: w})
		}
	}
	return out
}

// callChunks is a call in three pieces, as servers stream it.
func callChunks(index, step int, tool, arguments string) []model.Chunk {
	half := len(arguments) / 2
	return []model.Chunk{
		{Call: &model.CallChunk{Index: index, ID: fmt.Sprintf("call_fake_%d_%d", step, index), Tool: tool}},
		{Call: &model.CallChunk{Index: index, Arguments: arguments[:half]}},
		{Call: &model.CallChunk{Index: index, Arguments: arguments[half:]}},
	}
}

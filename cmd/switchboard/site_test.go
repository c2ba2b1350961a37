package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	probing "github.com/netra-systems/switchboard/probe"
)

// The variables that name a server which is deployed somewhere, and who logs in there.
const (
	siteURL      = "SWITCHBOARD_E2E_URL"
	siteUser     = "SWITCHBOARD_E2E_USERNAME"
	sitePassword = "SWITCHBOARD_E2E_PASSWORD"
)

// site is a server that is only looked at as its users see it: one of the test's own, or one that is deployed.
type site struct {
	*server
	token string
}

// openSite logs in. When the test ends, the threads that it began are deleted; others are not touched.
func openSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	if deployed := os.Getenv(siteURL); deployed != "" {
		s.server = &server{url: strings.TrimSuffix(deployed, "/")}
		token, err := s.tryLogin(os.Getenv(siteUser), os.Getenv(sitePassword))
		if err != nil {
			t.Fatalf("%s cannot be logged in to as %s says: %v", siteURL, siteUser, err)
		}
		s.token = token
	} else {
		s.server = serve(t, t.TempDir())
		s.token = s.user(t, "visitor")
	}
	before := s.threads(t)
	t.Cleanup(func() {
		for id := range s.threads(t) {
			if _, old := before[id]; !old {
				if a := s.ask(t, "DELETE", "threads/"+string(id), ""); a.status != http.StatusOK {
					t.Errorf("a thread of the test stays: %d %s", a.status, a.body)
				}
			}
		}
	})
	return s
}

// ask asks the JSON API.
func (s *site) ask(t tb, method, path, body string) answer {
	t.Helper()
	return s.do(t, method, "/api/v1/"+path, body, "Authorization", "Bearer "+s.token)
}

// threads lists the user's threads by id.
func (s *site) threads(t tb) map[switchboard.ThreadID]switchboard.ThreadSummary {
	t.Helper()
	out := map[switchboard.ThreadID]switchboard.ThreadSummary{}
	for next := ""; ; {
		a := s.ask(t, "GET", "threads?limit=50"+next, "")
		var page switchboard.ThreadList
		if err := json.Unmarshal(a.body, &page); a.status != http.StatusOK || err != nil {
			t.Fatalf("threads: %d %s %v", a.status, a.body, err)
		}
		for _, x := range page.Threads {
			out[x.ThreadID] = x
		}
		if page.Next == "" {
			return out
		}
		next = "&before=" + page.Next
	}
}

// TestE2ESite walks through what users do, on a server that it only reaches by its address. With SWITCHBOARD_E2E_URL,
// _USERNAME and _PASSWORD that is one that is deployed (`make e2e URL=…`); what it adds there, it deletes again.
func TestE2ESite(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	t.Run("golden path", s.goldenPath)
	t.Run("one id, one run", s.oneID)
	t.Run("resume at every cut", s.everyCut)
	t.Run("three devices in step", s.inStep)
	t.Run("stop", s.stops)
	t.Run("rename and delete", s.renames)
	t.Run("strangers' ids", s.strangers)
	t.Run("bad frames", s.badFrames)
}

func (s *site) goldenPath(t *testing.T) {
	r, err := probing.Run(t.Context(), probing.Config{URL: s.url, Runs: 5, Credentials: []probing.Credential{{Token: s.token}}}, nil)
	if err != nil || r.Succeeded != r.Runs || r.CanaryHits != 0 || r.ForeignEvents != 0 {
		t.Errorf("%v\n%s", err, r)
	}
}

// oneID sends one message many times at once, over connections of their own.
func (s *site) oneID(t *testing.T) {
	const copies = 20
	m := switchboard.Message{ID: client.NewID(), Payload: &switchboard.UserMessage{Text: "What is 6 * 7?"}}
	acks := make([]switchboard.Ack, copies)
	var wg sync.WaitGroup
	conns := make([]*client.Conn, 5)
	for i := range conns {
		conns[i] = newHistory().connect(t, s.server, s.token)
	}
	for i := range copies {
		wg.Go(func() {
			if err := conns[i%len(conns)].Do(t.Context(), m, &acks[i]); err != nil {
				t.Errorf("copy %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	firsts := 0
	for _, a := range acks {
		if !a.Duplicate {
			firsts++
		}
		if a.RunID != acks[0].RunID {
			t.Errorf("two runs: %s and %s", acks[0].RunID, a.RunID)
		}
	}
	if firsts != 1 {
		t.Errorf("%d of %d acks say that theirs is the first", firsts, copies)
	}
	untilEnd(t, conns[0], acks[0].RunID)
}

// everyCut goes on from each cursor of a run and must get exactly what follows it.
func (s *site) everyCut(t *testing.T) {
	h := newHistory()
	conn := h.connect(t, s.server, s.token)
	untilType(t, conn, switchboard.TypeCaughtUp)
	ack := say(t, conn, "What is 12 * 12?")
	untilEnd(t, conn, ack.RunID)
	cursors, raw := []switchboard.Cursor{h.first}, h.raw
	for _, e := range h.events {
		cursors = append(cursors, e.Cursor)
	}
	for i, c := range cursors {
		again := newHistory()
		again.cursor = c
		conn := again.connect(t, s.server, s.token)
		untilType(t, conn, switchboard.TypeCaughtUp)
		_ = conn.Close()
		if lost, unexpected := compare(raw[i:], again.raw); lost+unexpected > 0 {
			t.Errorf("from event %d on: %d lost, %d unexpected", i, lost, unexpected)
		}
	}
}

// inStep holds what three devices are given, and the pages, against one another.
func (s *site) inStep(t *testing.T) {
	devices := []*history{newHistory(), newHistory(), newHistory()}
	conns := make([]*client.Conn, len(devices))
	for i, h := range devices {
		conns[i] = h.connect(t, s.server, s.token)
		untilType(t, conns[i], switchboard.TypeCaughtUp)
	}
	ack := say(t, conns[0], "What time is it in Tokyo?")
	for i, conn := range conns {
		untilEnd(t, conn, ack.RunID)
		if !slices.EqualFunc(devices[i].raw, devices[0].raw, bytes.Equal) {
			t.Errorf("device %d was given other events than device 0", i)
		}
	}
	checkRun(t, devices[0].events, ack.RunID)
	if lost, unexpected := compare(s.stored(t, s.token, ack.ThreadID), devices[0].raw); lost+unexpected > 0 {
		t.Errorf("against the pages: %d lost, %d unexpected", lost, unexpected)
	}
}

func (s *site) stops(t *testing.T) {
	h := newHistory()
	conn := h.connect(t, s.server, s.token)
	ack := say(t, conn, "Please write a story of 2000 words.")
	until(t, conn, "some of the story", func(f switchboard.Frame) bool { return f.Delta != nil && f.Delta.RunID == ack.RunID })
	send(t, conn, client.NewID(), "", &switchboard.StopAgent{RunID: string(ack.RunID)})
	if end := untilEnd(t, conn, ack.RunID); end.Type != switchboard.AgentStopped {
		t.Errorf("the run ended as %s", end.Type)
	}
}

func (s *site) renames(t *testing.T) {
	conn := newHistory().connect(t, s.server, s.token)
	ack := say(t, conn, "What is 1 + 1?")
	untilEnd(t, conn, ack.RunID)
	path := "threads/" + string(ack.ThreadID)
	if a := s.ask(t, "PATCH", path, `{"title":"Sums"}`); a.status != http.StatusOK {
		t.Errorf("rename: %d %s", a.status, a.body)
	}
	if x := s.threads(t)[ack.ThreadID]; x.Title != "Sums" {
		t.Errorf("the list says %q", x.Title)
	}
	if a := s.ask(t, "DELETE", path, ""); a.status != http.StatusOK {
		t.Errorf("delete: %d %s", a.status, a.body)
	}
	if a := s.ask(t, "GET", path+"/events", ""); a.status != http.StatusNotFound {
		t.Errorf("a deleted thread answers %d %s", a.status, a.body)
	}
}

// strangers asks for ids of nobody and for what is no id: both are answered alike.
func (s *site) strangers(t *testing.T) {
	d := s.raw(t, s.token)
	nobody := victim{ack: switchboard.Ack{ThreadID: "bcdefghijklmnopqrstuvwxyza"}}
	nobody.ack.RunID = nobody.ack.ThreadID.Run(1)
	nobody.call = nobody.ack.RunID.Call(1, 0)
	for _, ids := range nobody.kinds() {
		foreignFrames(t, d, ids)
	}
}

func (s *site) badFrames(t *testing.T) {
	d := s.raw(t, s.token)
	for _, b := range badFrames {
		d.refuses(b.name, b.frame, b.code, b.field, b.id)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := d.ws.Ping(d.ws.CloseRead(ctx)); err != nil {
		t.Errorf("the connection has ended: %v", err)
	}
}

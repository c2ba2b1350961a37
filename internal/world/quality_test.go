package world_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/world"
	"github.com/netra-systems/switchboard/thread"
)

// operator connects a device of a user with the role.
func operator(t *testing.T, ctx context.Context, n *world.Node, name string) *world.Device {
	t.Helper()
	if _, err := n.Accounts().AddAccount(ctx, name, "operator", "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	return connect(t, ctx, n, name)
}

func query[R any](ctx context.Context, d *world.Device, p switchboard.MessagePayload) (r R, err error) {
	err = d.Conn().Do(ctx, switchboard.Message{ID: client.NewID(), Payload: p}, &r)
	return r, err
}

func metrics(t *testing.T, ctx context.Context, d *world.Device, p switchboard.GetQualityMetrics) switchboard.QualityMetrics {
	t.Helper()
	m, err := query[switchboard.QualityMetrics](ctx, d, &p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// plant stores a run of an agent in a thread of its own, as workers do, with a verdict.
func plant(t *testing.T, ctx context.Context, log thread.Log, u switchboard.UserID, agent string, i int, q switchboard.Quality) {
	t.Helper()
	id := switchboard.NewThreadID(u, switchboard.FrameID(fmt.Sprint(agent, i)))
	st := thread.NewState(u, id)
	for _, p := range []switchboard.EventPayload{
		&switchboard.AgentStartedEvent{Agent: agent, Attempt: 1},
		&switchboard.AgentCompletedEvent{Text: canary(0), Quality: &q},
	} {
		e := switchboard.Event{Type: p.EventType(), RunID: id.Run(1), Time: switchboard.At(time.Now()), Payload: p}
		if stored, err := st.Put(ctx, log, thread.Draft{Event: e}); err != nil || !stored {
			t.Fatal(stored, err)
		}
	}
}

func count(d *world.Device, typ string) int {
	return bytes.Count(d.Received(), []byte(`"type":"`+typ+`"`))
}

// TestRatings: a rating is an event of one's own ended run, on every device, accepted once, and wakes no agent.
func TestRatings(t *testing.T) {
	in(t, world.Config{}, func(t *testing.T, ctx context.Context, w *world.World) {
		a, b := w.Start(), w.Start()
		d := connect(t, ctx, a, "alice")
		e := world.NewDevice(d.Token)
		if err := e.Connect(ctx, b); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Disconnect)
		bob := connect(t, ctx, b, "bob")
		first, err := d.Say(ctx, "", "What is 6 * 7?")
		if err != nil {
			t.Fatal(err)
		}
		rate := func(d *world.Device, r switchboard.RunID, how switchboard.Rating, id switchboard.FrameID) (switchboard.Ack, error) {
			return d.Send(ctx, switchboard.Message{ID: id, Payload: &switchboard.RateAnswer{RunID: string(r), Rating: how, Comment: canary(0)}})
		}
		if _, err := d.AwaitEnd(ctx, first.RunID); err != nil {
			t.Fatal(err)
		}
		story, err := d.Say(ctx, first.ThreadID, "Tell me a story of 60 words")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := rate(d, story.RunID, switchboard.RatedUp, "early"); switchboard.CodeOf(err) != switchboard.Conflict || switchboard.AsError(err).Field != "payload.run_id" {
			t.Errorf("a run that goes on: %v", err)
		}
		ack, err := rate(d, first.RunID, switchboard.RatedUp, "r1") // while another run writes
		if err != nil || ack.RunID != first.RunID || ack.Duplicate {
			t.Errorf("%+v %v", ack, err)
		}
		if again, err := rate(e, first.RunID, switchboard.RatedUp, "r1"); err != nil || !again.Duplicate || again.N != ack.N {
			t.Errorf("again, elsewhere: %+v %v", again, err)
		}
		if _, err := rate(e, first.RunID, switchboard.RatedDown, "r1"); switchboard.CodeOf(err) != switchboard.Conflict {
			t.Errorf("the same id with another rating: %v", err)
		}
		if _, err := rate(bob, first.RunID, switchboard.RatedUp, "r1"); switchboard.CodeOf(err) != switchboard.NotFound {
			t.Errorf("by another user: %v", err)
		}
		if end, err := e.AwaitEnd(ctx, story.RunID); err != nil || end.Type != switchboard.AgentCompleted {
			t.Errorf("the run beside it: %v %v", end.Type, err)
		}
		if _, err := d.AwaitEnd(ctx, story.RunID); err != nil { // this device may be behind the other one
			t.Error(err)
		}
		before := len(d.List())
		if _, err := rate(d, first.RunID, switchboard.RatedDown, "r2"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute) // what would be woken has woken
		for _, x := range []*world.Device{d, e} {
			if got := x.Types(); len(got) != before+1 || got[before] != switchboard.AnswerRated {
				t.Errorf("after a rating came %v", got[before:])
			}
		}
		check(t, d, e)
		if bytes.Contains(bob.Received(), []byte(canary(0))) || !bytes.Contains(e.Received(), []byte(canary(0))) {
			t.Error("a comment is not with its user alone")
		}
		m := metrics(t, ctx, d, switchboard.GetQualityMetrics{})
		if f := m.Total; m.Scope != "own" || f.Completed != 2 || f.RatedUp != 0 || f.RatedDown != 1 {
			t.Errorf("the latest rating counts, once: %+v", m)
		}
	})
}

// TestQuality: figures, reports and notices are for whom they are for, hold no text, and are the same after a restart.
func TestQuality(t *testing.T) {
	in(t, world.Config{}, func(t *testing.T, ctx context.Context, w *world.World) {
		a, b := w.Start(), w.Start()
		alice, bob := connect(t, ctx, a, "alice"), connect(t, ctx, b, "bob")
		op, other := operator(t, ctx, a, "olga"), operator(t, ctx, b, "oleg")
		for i, d := range []*world.Device{alice, bob} {
			ack, err := d.Say(ctx, "", canary(i)+": what is 6 * 7?")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.AwaitEnd(ctx, ack.RunID); err != nil {
				t.Fatal(err)
			}
			rating := []switchboard.Rating{switchboard.RatedDown, switchboard.RatedUp}[i]
			if _, err := d.Send(ctx, switchboard.Message{ID: client.NewID(), Payload: &switchboard.RateAnswer{RunID: string(ack.RunID), Rating: rating, Comment: canary(i)}}); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range []switchboard.MessagePayload{
			&switchboard.SubscribeQualityAlerts{Action: "subscribe"}, &switchboard.GenerateQualityReport{ReportType: "summary", Period: "day"},
		} {
			if _, err := query[json.RawMessage](ctx, alice, p); switchboard.CodeOf(err) != switchboard.Forbidden || switchboard.AsError(err).Field != "type" {
				t.Errorf("%s of a user: %v", p.MessageType(), err)
			}
		}
		for content, passed := range map[string]bool{
			"Run EXPLAIN ANALYZE, add an index on orders (customer_id) and check that the scan of 4 s takes 20 ms.": true,
			"At the end of the day many factors matter, so leverage synergies.":                                     false,
		} {
			v, err := query[switchboard.Validation](ctx, alice, &switchboard.ValidateContent{Content: content})
			if err != nil || v.Passed != passed || v.Level == "" || v.Scores.Specificity == 0 && passed || v.Passed == slices.Contains(v.Issues, "below_minimum") {
				t.Errorf("%q: %+v %v", content, v, err)
			}
		}
		subscribe := func(d *world.Device, action string) {
			r, err := query[switchboard.QualitySubscription](ctx, d, &switchboard.SubscribeQualityAlerts{Action: action})
			if err != nil || r.Subscribed != (action == "subscribe") {
				t.Errorf("%s: %+v %v", action, r, err)
			}
		}
		subscribe(op, "subscribe")
		j, carl := w.Journal(), switchboard.NewUserID("test", "", "carl")
		bad := switchboard.Quality{Score: 0.31, Level: "poor", Issues: []string{"below_minimum"}, Retried: true}
		for i := range 12 {
			plant(t, ctx, j, carl, "weak", i, bad)
		}
		time.Sleep(20 * time.Second)
		if count(op, switchboard.TypeQualityAlert) != 2 || count(op, switchboard.TypeQualityUpdate) == 0 {
			t.Errorf("%d alerts, %d updates", count(op, switchboard.TypeQualityAlert), count(op, switchboard.TypeQualityUpdate))
		}
		for _, want := range []string{
			`{"severity":"critical","agent":"weak","metric":"mean_score","value":0.31,"threshold":0.5}`,
			`{"severity":"critical","agent":"weak","metric":"rejected_share","value":1,"threshold":0.25}`,
			`{"agent":"weak","answers":12,"mean_score":0.31,"rejected_share":1}`,
		} {
			if !bytes.Contains(op.Received(), []byte(want)) {
				t.Errorf("not told: %s", want)
			}
		}
		subscribe(op, "unsubscribe")
		updates := count(op, switchboard.TypeQualityUpdate)
		plant(t, ctx, j, carl, "weak", 12, bad)
		time.Sleep(20 * time.Second)
		if count(op, switchboard.TypeQualityUpdate) != updates {
			t.Error("told after unsubscribing")
		}
		for name, d := range map[string]*world.Device{"alice": alice, "bob": bob, "an operator who has not subscribed": other} {
			if n := count(d, switchboard.TypeQualityAlert) + count(d, switchboard.TypeQualityUpdate); n > 0 {
				t.Errorf("%s got %d notices", name, n)
			}
		}
		all := metrics(t, ctx, op, switchboard.GetQualityMetrics{})
		checkFigures(t, all, metrics(t, ctx, alice, switchboard.GetQualityMetrics{PeriodHours: 168}), metrics(t, ctx, bob, switchboard.GetQualityMetrics{Agent: "assistant"}))
		if m := metrics(t, ctx, other, switchboard.GetQualityMetrics{}); m.Total != all.Total {
			t.Errorf("two nodes: %+v and %+v", all.Total, m.Total)
		}
		report, err := query[switchboard.QualityReport](ctx, op, &switchboard.GenerateQualityReport{ReportType: "detailed", Period: "day"})
		if err != nil || !bytes.Contains([]byte(report.Markdown), []byte("| weak | 13 |")) || len(report.Data.Slots) != 25 {
			t.Errorf("%v: %s", err, report.Markdown)
		}
		for i := range 2 {
			if bytes.Contains(op.Received(), []byte(canary(i))) || bytes.Contains(other.Received(), []byte(canary(i))) {
				t.Errorf("an operator was told what a user wrote")
			}
		}
		for _, d := range []*world.Device{alice, bob, op, other} {
			d.Disconnect()
		}
		a.Stop()
		b.Stop()
		after := connect(t, ctx, w.Start(), "olga")
		time.Sleep(time.Minute)
		m := metrics(t, ctx, after, switchboard.GetQualityMetrics{})
		if !m.Complete || m.Total != all.Total || !slices.Equal(m.Agents, all.Agents) {
			t.Errorf("after a restart %+v, before %+v", m, all)
		}
	})
}

func checkFigures(t *testing.T, all, alice, bob switchboard.QualityMetrics) {
	t.Helper()
	if f := all.Total; !all.Complete || all.Scope != "all" || f.Completed != 15 || f.Scored != 13 || f.Rejected != 13 || f.Retried != 13 || f.MeanScore != 0.31 || f.RatedUp != 1 || f.RatedDown != 1 {
		t.Errorf("an operator sees %+v", all)
	}
	if f := alice.Total; alice.Scope != "own" || f.Completed != 1 || f.RatedDown != 1 || f.RatedUp+f.Scored != 0 || len(alice.Agents) != 1 {
		t.Errorf("alice sees %+v", alice)
	}
	if f := bob.Total; f.Completed != 1 || f.RatedUp != 1 || f.RatedDown != 0 {
		t.Errorf("bob sees %+v", bob)
	}
}

// TestSubscriptionEndsWithTheSocket: a device that comes back has not subscribed, and one that does not read holds
// nobody up.
func TestSubscriptionEndsWithTheSocket(t *testing.T) {
	in(t, world.Config{}, func(t *testing.T, ctx context.Context, w *world.World) {
		n := w.Start()
		op := operator(t, ctx, n, "olga")
		if _, err := query[switchboard.QualitySubscription](ctx, op, &switchboard.SubscribeQualityAlerts{Action: "subscribe"}); err != nil {
			t.Fatal(err)
		}
		op.Disconnect()
		if err := op.Connect(ctx, n); err != nil {
			t.Fatal(err)
		}
		j, carl := w.Journal(), switchboard.NewUserID("test", "", "carl")
		for i := range 12 {
			plant(t, ctx, j, carl, "weak", i, switchboard.Quality{Score: 0.1, Issues: []string{"below_minimum"}})
		}
		time.Sleep(20 * time.Second)
		if count(op, switchboard.TypeQualityAlert) > 0 {
			t.Error("told on another socket than the one that subscribed")
		}
		res, err := n.HTTP().Get("http://localhost/api/v1/quality/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, _ := io.ReadAll(res.Body); res.StatusCode != 401 {
			t.Errorf("figures for nobody: %d %s", res.StatusCode, b)
		}
	})
}

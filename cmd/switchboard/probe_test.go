package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/model"
	probing "github.com/netra-systems/switchboard/probe"
)

// probeReport runs `switchboard probe --json`.
func probeReport(t tb, s *server, env []string, args ...string) (r probing.Report, code int) {
	t.Helper()
	out, errs, code := switchboardCLI(t, env, "", append([]string{"probe", "--url", s.url, "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil || errs != "" {
		t.Fatalf("probe: exit code %d, %v\n%s%s", code, err, out, errs)
	}
	return r, code
}

// golden checks a probe where all must work.
func golden(t tb, r probing.Report, code, runs, users int) {
	t.Helper()
	if code != 0 || r.Runs != runs || r.Succeeded != runs || r.Users != users || r.CanaryHits != 0 || r.ForeignEvents != 0 || r.DeviceFaults != 0 || r.Low <= 0 || r.High < 0.9999 {
		t.Errorf("exit code %d, %s", code, r)
	}
	for _, q := range []probing.Quantiles{r.Accept, r.FirstEvent, r.FirstDelta, r.Completion} {
		if q.Count != runs || q.P50 <= 0 || q.P99 < q.P50 || q.Max < q.P99 {
			t.Errorf("figures: %+v", q)
		}
	}
	t.Logf("%d/%d runs of %d users, accepted p50 %.1f ms p99 %.1f ms, first event p99 %.1f ms, %d events, %d bytes scanned, %d hits",
		r.Succeeded, r.Runs, r.Users, r.Accept.P50, r.Accept.P99, r.FirstEvent.P99, r.Events, r.BytesScanned, r.CanaryHits)
}

// onlyAdmin checks that the users of a probe are gone.
func onlyAdmin(t tb, s *server) {
	t.Helper()
	out, _, _ := switchboardCLI(t, nil, "", "user", "list", "--data", s.data)
	if strings.Count(out, "\n") != 2 || !strings.Contains(out, "\nadmin ") {
		t.Errorf("users are left:\n%s", out)
	}
}

func TestE2EProbeScripted(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	r, code := probeReport(t, s, nil, "--data", s.data, "--runs", "100", "--users", "10")
	golden(t, r, code, 100, 10)
	onlyAdmin(t, s)

	// for people; a verdict that is not good enough
	out, _, code := switchboardCLI(t, nil, "", "probe", "--url", s.url, "--data", s.data, "--runs", "4", "--users", "2", "--slo", "1.0")
	if code != 0 || !strings.HasPrefix(out, "OK  4/4 runs succeeded") {
		t.Errorf("%d %s", code, out)
	}

	// a file of names and of tokens, and the one login
	file := filepath.Join(t.TempDir(), "credentials")
	list := "# who probes\nann:the-password-of-ann\n\n" + s.user(t, "bob") + "\n"
	s.user(t, "ann")
	if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	r, code = probeReport(t, s, nil, "--credentials", file, "--runs", "6", "--users", "2")
	golden(t, r, code, 6, 2)
	r, code = probeReport(t, s, []string{"SWITCHBOARD_USERNAME=ann", "SWITCHBOARD_PASSWORD=the-password-of-ann"}, "--runs", "4", "--users", "2")
	golden(t, r, code, 4, 1)
	r, code = probeReport(t, s, []string{"SWITCHBOARD_TOKEN=" + s.token(t, "bob")}, "--runs", "2", "--users", "1")
	golden(t, r, code, 2, 1)

	// what cannot begin
	for _, c := range []struct {
		env, args []string
		want      string
	}{
		{nil, nil, "who sends"},
		{nil, []string{"--data", t.TempDir()}, "no server runs"},
		{nil, []string{"--credentials", "/dev/null"}, "no credentials"},
		{[]string{"SWITCHBOARD_TOKEN=nonsense"}, nil, "log in first"},
		{[]string{"SWITCHBOARD_USERNAME=ann", "SWITCHBOARD_PASSWORD=wrong-password"}, nil, "password"},
	} {
		out, errs, code := switchboardCLI(t, c.env, "", append([]string{"probe", "--url", s.url, "--runs", "1", "--users", "1"}, c.args...)...)
		if code == 0 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit code %d, %s%s", c.args, code, out, errs)
		}
	}
	s.end(t, "TERM")
}

var sum = regexp.MustCompile(`[\d.]+ [-+*/] [\d.]+`)

// TestE2EProbeModelServer probes a server whose model answers over HTTP; then one request in three fails.
func TestE2EProbeModelServer(t *testing.T) {
	t.Parallel()
	const key = "sk-the-key-of-the-model-server"
	fm, err := fakemodel.Start(fakemodel.Config{Key: key, Delay: time.Millisecond, Script: func(r fakemodel.Request) *fakemodel.Answer {
		if r.Step() == 1 && strings.Contains(r.Text(), "[broken]") {
			return &fakemodel.Answer{Status: 400}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fm.Close() })
	s := serveWith(t, []string{"OPENAI_BASE_URL=" + fm.URL(), "OPENAI_API_KEY=" + key}, t.TempDir(), "--model", "fake")
	s.secret(key)
	if !strings.Contains(string(s.out.bytes()), "  model   fake") {
		t.Errorf("the block does not name the model:\n%s", s.out.bytes())
	}
	r, code := probeReport(t, s, nil, "--data", s.data, "--runs", "100", "--users", "10")
	golden(t, r, code, 100, 10)
	onlyAdmin(t, s)
	asked := fm.Requests()
	if len(asked) < 200 {
		t.Errorf("%d requests came to the model", len(asked))
	}
	for _, q := range asked {
		if q.Model != "fake" || len(q.Asked.Tools) < 3 || !sum.MatchString(q.Text()) {
			t.Fatalf("asked: %s", q.Body)
		}
	}
	s.end(t, "TERM")
}

// TestE2EProbeFailures lets a model server fail one run in four: the probe says so by its exit code.
func TestE2EProbeFailures(t *testing.T) {
	t.Parallel()
	const runs, key = 12, "sk-another-key-of-the-model-server"
	fm, err := fakemodel.Start(fakemodel.Config{Key: key, Script: everyFourth()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fm.Close() })
	s := serveWith(t, []string{"OPENAI_BASE_URL=" + fm.URL(), "OPENAI_API_KEY=" + key}, t.TempDir(), "--model", "fake")
	s.secret(key)
	for _, c := range []struct {
		slo  string
		code int
	}{{"0.995", exitFailed}, {"0.5", 0}} {
		r, code := probeReport(t, s, nil, "--data", s.data, "--runs", fmt.Sprint(runs), "--users", "3", "--slo", c.slo)
		if code != c.code || r.Succeeded != runs*3/4 || len(r.Failures) == 0 {
			t.Errorf("slo %s: exit code %d, %s", c.slo, code, r)
		}
		if b := fmt.Sprint(r); strings.Contains(b, key) {
			t.Errorf("the key was told: %s", b)
		}
	}
	onlyAdmin(t, s)
	s.end(t, "TERM")
}

// everyFourth refuses every fourth message, in several ways.
func everyFourth() func(fakemodel.Request) *fakemodel.Answer {
	messages := make(chan int, 1)
	messages <- 0
	return func(r fakemodel.Request) *fakemodel.Answer {
		if r.Step() > 1 {
			return nil
		}
		n := <-messages
		defer func() { messages <- n }()
		n++
		switch n % 12 {
		case 4:
			return &fakemodel.Answer{Status: 400} // it quotes the key
		case 8:
			return &fakemodel.Answer{Chunks: []model.Chunk{{Text: "half "}}, Fault: fakemodel.FaultEOF, After: 1}
		case 0:
			return &fakemodel.Answer{Chunks: []model.Chunk{{Text: "The result is 0.123456."}, {Finish: model.FinishStop}}}
		}
		return nil
	}
}

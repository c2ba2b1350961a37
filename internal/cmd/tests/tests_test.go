package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
)

// said is what go test -json says of a package with a test of each kind.
const said = `{"Action":"run","Package":"m/a","Test":"TestGood"}
{"Action":"pass","Package":"m/a","Test":"TestGood"}
{"Action":"run","Package":"m/a","Test":"TestAway"}
{"Action":"output","Package":"m/a","Test":"TestAway","Output":"    a_test.go:7: no browser: install chromium\n"}
{"Action":"output","Package":"m/a","Test":"TestAway","Output":"--- SKIP: TestAway (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestAway"}
{"Action":"pass","Package":"m/a","Elapsed":0.5}
`

const bad = `{"Action":"run","Package":"m","Test":"TestBad"}
{"Action":"run","Package":"m","Test":"TestBad/inner"}
{"Action":"output","Package":"m","Test":"TestBad/inner","Output":"    b_test.go:9: one is not two\n"}
{"Action":"fail","Package":"m","Test":"TestBad/inner"}
{"Action":"fail","Package":"m","Test":"TestBad"}
{"Action":"fail","Package":"m","Elapsed":0.1}
{"Action":"build-output","ImportPath":"m/c","Output":"c.go:1: syntax error\n"}
{"Action":"build-fail","ImportPath":"m/c"}
{"Action":"fail","Package":"m/c","Elapsed":0}
`

func summed(t *testing.T, missing []string, streams ...string) (string, error) {
	t.Helper()
	var b bytes.Buffer
	s := newSummary(&b, "m", false)
	for _, stream := range streams {
		for line := range strings.Lines(stream) {
			var e event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			s.add("unit", e)
		}
	}
	err := s.end(missing)
	return b.String(), err
}

func TestSummary(t *testing.T) {
	out, err := summed(t, nil, said)
	if err != nil || !strings.Contains(out, "1 passed, 0 failed, 1 skipped") || !strings.Contains(out, "skipped      a.TestAway: no browser: install chromium\n") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = summed(t, nil, said, bad)
	for _, want := range []string{"1 passed, 1 failed, 1 skipped", "one is not two", "failed       ..TestBad\n", "c.go:1: syntax error", "failed       c\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if !errors.Is(err, errFailed) {
		t.Errorf("a failure is %v", err)
	}
	if out, err = summed(t, []string{"a.TestGone"}, said); !errors.Is(err, errFailed) || !strings.Contains(out, "a.TestGone is in the mission suite") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err = summed(t, nil); err == nil {
		t.Error("nothing was run, and all is well")
	}
}

func TestNames(t *testing.T) {
	for name, tests := range map[string]string{
		"message_router": "TestMessageRouter", "kill9": "TestE2EKill9", "E2E-Kill": "TestE2EKill9", "same id": "TestSameID",
	} {
		re, err := pattern(name)
		if err != nil || !re.MatchString(tests) || re.MatchString("TestOther") {
			t.Errorf("%q: %v, %v", name, re, err)
		}
	}
	if _, err := pattern("__"); err == nil {
		t.Error("no name is a name")
	}
	if _, err := choose([]string{"unit", "units"}); err == nil {
		t.Error("an unknown category is one")
	}
}

// TestCategories holds that every test of every package is in one category besides mission.
func TestCategories(t *testing.T) {
	for _, pkg := range []string{".", "agent", "cmd/switchboard", "internal/world", "internal/house", "journal", "journal/journaltest", "test/crash"} {
		for _, test := range []string{"TestOne", "TestE2EOne"} {
			n := 0
			for _, c := range categories[1:] {
				run, skip, some := c.of(pkg)
				if some && regexp.MustCompile(run).MatchString(test) && (skip == "" || !regexp.MustCompile(skip).MatchString(test)) {
					n++
				}
			}
			if n != 1 && (test == "TestOne" || pkg == "cmd/switchboard") {
				t.Errorf("%s of %s is in %d categories", test, pkg, n)
			}
		}
	}
}

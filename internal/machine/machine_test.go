package machine

import "testing"

// probe records what Needs does to a test.
type probe struct {
	testing.TB
	failed, skipped bool
}

func (p *probe) Helper()               {}
func (p *probe) Fatalf(string, ...any) { p.failed = true }
func (p *probe) Skipf(string, ...any)  { p.skipped = p.skipped || !p.failed }

func TestNeeds(t *testing.T) {
	for _, c := range []struct {
		list            string
		here            bool
		failed, skipped bool
	}{
		{"", true, false, false},
		{"", false, false, true},
		{"browsers,node", false, false, true},
		{"node, browser", false, true, false},
		{"browser", true, false, false},
	} {
		t.Setenv("SWITCHBOARD_REQUIRE", c.list)
		p := &probe{TB: t}
		Needs(p, Browser, c.here, "install it")
		if p.failed != c.failed || p.skipped != c.skipped {
			t.Errorf("%q, here %t: failed %t, skipped %t", c.list, c.here, p.failed, p.skipped)
		}
	}
}

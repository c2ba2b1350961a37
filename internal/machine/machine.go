// Package machine says what tests may expect of the machine they run on. The variable SWITCHBOARD_REQUIRE lists, with
// commas, what must be there: a test that needs such a thing fails without it, where it is skipped elsewhere.
package machine

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Thing is something that not every machine has.
type Thing string

// The things.
const (
	Browser Thing = "browser" // Chromium
	Root    Thing = "root"    // may mount file systems
	Node    Thing = "node"    // Node, and the packages of each package-lock.json
)

// Needs skips a test if a thing is not here, or fails it if the thing is required. remedy says how to get it.
func Needs(t testing.TB, thing Thing, here bool, remedy string) {
	t.Helper()
	if !Has(t, thing, here, remedy) {
		t.Skipf("no %s: %s", thing, remedy)
	}
}

// Has is Needs for a test that can leave out a part: it returns whether the thing is here, and fails the test if it is
// required and not here.
func Has(t testing.TB, thing Thing, here bool, remedy string) bool {
	t.Helper()
	if !here && required(os.Getenv("SWITCHBOARD_REQUIRE"), thing) {
		t.Fatalf("%s is required and not here: %s", thing, remedy)
	}
	return here
}

func required(list string, thing Thing) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(s string) bool { return strings.TrimSpace(s) == string(thing) })
}

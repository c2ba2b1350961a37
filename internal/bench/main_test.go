package bench

import (
	"fmt"
	"os"
	"testing"
)

// TestMain is three programs: the benchmarks, which end with their table, and the two kinds of child processes that they
// start.
func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		if err := runChild(mode); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	results.print(os.Stdout)
	os.Exit(code)
}

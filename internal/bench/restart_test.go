package bench

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/netra-systems/switchboard/node"
)

const restarts = 10

// BenchmarkRestart measures how long a server's process takes until it is ready, on a store of a thousand runs: after an
// orderly stop and after kill -9; against one that has no runs, and a process that ends at once.
func BenchmarkRestart(b *testing.B) {
	users := slices.Repeat([]has{{threads: 20, runs: 1}}, 50)
	small := node.Settings{Data: fill(b, users...).dir}
	empty := node.Settings{Data: b.TempDir()}
	var process, nothing, printed, orderly, killed samples
	spawn(b, modeServe, empty).stop(b) // makes the store and the first account
	for b.Loop() {
		for range restarts {
			process.add(spawnNone(b))
			c := spawn(b, modeServe, empty)
			nothing.add(c.ready)
			c.stop(b)
			c = spawn(b, modeServe, small)
			printed.add(c.printed)
			orderly.add(c.ready)
			c.kill()
			c = spawn(b, modeServe, small)
			killed.add(c.ready)
			c.stop(b)
		}
	}
	const goal = 300e-3
	record(b, "printed", row{mechanism: "restart on 1000 runs: start → printed block / bare process, p50", unit: "s", figure: printed.at(0.5), baseline: process.at(0.5), goal: goal})
	record(b, "ready", row{mechanism: "restart on 1000 runs: start → /readyz 200 / store without runs, p50", unit: "s", figure: orderly.at(0.5), baseline: nothing.at(0.5), goal: goal})
	record(b, "ready-worst", row{mechanism: "  the same, worst of 10", unit: "s", figure: orderly.at(1), baseline: nothing.at(1), goal: goal})
	record(b, "killed-worst", row{mechanism: "  the same after kill -9, worst of 10", unit: "s", figure: killed.at(1), baseline: nothing.at(1), goal: goal})
}

// spawnNone runs this program as a process that ends at once.
func spawnNone(b *testing.B) time.Duration {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childMode+"="+modeNone, childSettings+"={}")
	start := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

package crash

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/netra-systems/switchboard/journal/journaltest"
)

// settings are the flags of the harness.
type settings struct {
	chaos   bool
	seed    uint64
	minutes float64
	users   int
	rate    float64
	nodes   int
	binary  string
	cuts    int
	storm   int
	rounds  int
	short   time.Duration
	disk    bool
	keep    bool
	kills   bool
}

// flags are given after -args, or as flags of the package.
var flags settings

// engineMode makes this program an external engine: a folder and a port.
const (
	engineMode = "SWITCHBOARD_CRASH_ENGINE"
	engineDir  = "SWITCHBOARD_CRASH_ENGINE_DIR"
)

// TestMain is two programs: the tests, and the engine that they kill.
func TestMain(m *testing.M) {
	if at := os.Getenv(engineMode); at != "" {
		if err := journaltest.ServeExternal(os.Getenv(engineDir), at); err != nil {
			fmt.Fprintln(os.Stderr, "engine:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.BoolVar(&flags.chaos, "chaos", false, "run TestChaos, for -minutes")
	flag.Uint64Var(&flags.seed, "seed", 0, "of the schedule; 0: a random one, which is printed")
	flag.Float64Var(&flags.minutes, "minutes", 1, "how long TestChaos hurts the server")
	flag.IntVar(&flags.users, "users", 25, "users of TestChaos, each with two devices")
	flag.Float64Var(&flags.rate, "rate", 25, "messages per second, of all users together")
	flag.IntVar(&flags.nodes, "nodes", 0, "nodes of TestChaos on one external engine; 0: one server on its own folder")
	flag.StringVar(&flags.binary, "binary", "", "the server to hurt; none: it is built")
	flag.IntVar(&flags.cuts, "cuts", 5, "power cuts")
	flag.IntVar(&flags.rounds, "rounds", 1, "how often a node is frozen while it holds runs")
	flag.DurationVar(&flags.short, "hurt", 6*time.Second, "how long TestCrashOne and TestCrashNodes hurt the server")
	flag.IntVar(&flags.storm, "storm", 200, "devices of the reconnect storm")
	flag.BoolVar(&flags.kills, "kills", false, "TestChaos does nothing but kill -9, every second and a half")
	flag.BoolVar(&flags.disk, "disk", false, "run the tests of full and read-only disks")
	flag.BoolVar(&flags.keep, "keep", false, "keep the folders of servers")
	flag.Parse()
	os.Exit(run(m))
}

// run builds the server once for all tests.
func run(m *testing.M) int {
	if flags.binary == "" && !testing.Short() {
		dir, err := os.MkdirTemp("", "switchboard-crash-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		flags.binary = filepath.Join(dir, "switchboard")
		begin := time.Now()
		args := append([]string{"build", "-o", flags.binary}, buildFlags()...)
		out, err := exec.Command("go", append(args, "github.com/netra-systems/switchboard/cmd/switchboard")...).CombinedOutput()
		if err != nil {
			fmt.Fprintf(os.Stderr, "build the server: %v\n%s", err, out)
			return 1
		}
		fmt.Printf("built the server in %v\n", time.Since(begin).Round(time.Millisecond))
	}
	return m.Run()
}

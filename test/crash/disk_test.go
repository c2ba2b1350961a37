package crash

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/internal/machine"
)

// needRoot skips a test that mounts file systems where nobody may; SWITCHBOARD_REQUIRE makes that a failure.
func needRoot(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts processes")
	}
	machine.Needs(t, machine.Root, os.Geteuid() == 0, "run the tests as root, who may mount file systems")
}

// command runs a program of the system to its end.
func command(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// mount mounts on a new folder until the test has ended, and returns the folder.
func mount(t testing.TB, args ...string) string {
	t.Helper()
	at, err := os.MkdirTemp("", "switchboard-crash-disk-")
	if err != nil {
		t.Fatal(err)
	}
	command(t, "mount", append(args, at)...)
	t.Cleanup(func() { unmount(t, at) })
	return at
}

// unmount may be called again.
func unmount(t testing.TB, at string) {
	t.Helper()
	if _, err := os.Stat(at); err != nil {
		return
	}
	if out, err := exec.Command("umount", at).CombinedOutput(); err != nil {
		t.Errorf("umount: %v\n%s", err, out)
		command(t, "umount", "-l", at)
	}
	if err := os.Remove(at); err != nil {
		t.Error(err)
	}
}

// image makes an ext4 file system in a file.
func image(t testing.TB, megabytes int64) string {
	t.Helper()
	img := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(img)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(megabytes << 20); err != nil {
		t.Fatal(err)
	}
	command(t, "mkfs.ext4", "-q", "-F", img)
	return img
}

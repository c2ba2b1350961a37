package node_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/netra-systems/switchboard/node"
)

// TestRestoreAgain: a restore that fails leaves no store behind, which would keep the next one from the same folder, or be
// taken for a whole one.
func TestRestoreAgain(t *testing.T) {
	data, backup := t.TempDir(), t.TempDir()
	for range 2 {
		if _, err := node.RestoreStore(t.Context(), data, backup); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("from a folder without a backup: %v", err)
		}
	}
	if _, err := os.Stat(filepath.Join(data, "journal")); err == nil {
		t.Error("a store is left")
	}
}

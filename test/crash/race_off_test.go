//go:build !race

package crash

// buildFlags build the server as these tests are built.
func buildFlags() []string { return nil }

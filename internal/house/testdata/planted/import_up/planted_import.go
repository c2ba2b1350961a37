// plant: auth/planted_import.go
// want: auth may not import thread: the table (ssot.yaml:

package auth

import "github.com/netra-systems/switchboard/thread"

var _ thread.State

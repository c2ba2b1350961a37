// plant: transport/planted_limits.go
// want: the table of limits: makes a .Limits, but the one place is limit.go

package transport

import "github.com/netra-systems/switchboard"

var small = switchboard.Limits{FrameBytes: 1}

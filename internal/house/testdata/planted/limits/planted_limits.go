// plant: transport/planted_limits.go
// want: there is one table of limits, at limit.go:

package transport

import "github.com/netra-systems/switchboard"

var small = switchboard.Limits{FrameBytes: 1}

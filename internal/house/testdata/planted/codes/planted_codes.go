// plant: transport/planted_codes.go
// want: there is one table of codes, at code.go:
// want: codes meet statuses in their table, at code.go:

package transport

import "github.com/netra-systems/switchboard"

var closes = map[switchboard.Code]int{switchboard.Slow: 4003}

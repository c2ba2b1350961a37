// plant: transport/planted_codes.go
// want: statuses of codes: Slow stands beside 4003, but the one place is code.go
// want: the table of codes: a map by .Code, but the one place is code.go

package transport

import "github.com/netra-systems/switchboard"

var closes = map[switchboard.Code]int{switchboard.Slow: 4003}

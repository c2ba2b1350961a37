// plant: util/planted.go
// want: package util has no row in the table of imports

package util

import "github.com/netra-systems/switchboard/router"

var _ router.Caller

// plant: util/planted.go
// want: package util is not in the table of imports

package util

import "github.com/netra-systems/switchboard/router"

var _ router.Caller

// plant: transport/rest/planted_statuses.go
// want: codes meet statuses in their table, at code.go:
// want: codes meet statuses in their table, at code.go:

package rest

import (
	"net/http"

	"github.com/netra-systems/switchboard"
)

func statusOf(c switchboard.Code) int {
	switch c {
	case switchboard.NotFound:
		return 404
	}
	status, code := http.StatusConflict, switchboard.Conflict
	_ = code
	return status
}

// plant: transport/rest/planted_statuses.go
// want: statuses of codes: NotFound stands beside 404, but the one place is code.go
// want: statuses of codes: Conflict stands beside StatusConflict, but the one place is code.go

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

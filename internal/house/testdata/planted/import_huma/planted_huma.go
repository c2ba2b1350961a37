// plant: transport/planted_huma.go
// want: the JSON API: imports github.com/danielgtaylor/huma/v2, but the one place is transport/rest

package transport

import "github.com/danielgtaylor/huma/v2"

var _ huma.API

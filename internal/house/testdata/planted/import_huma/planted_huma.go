// plant: transport/planted_huma.go
// want: transport may not import github.com/danielgtaylor/huma/v2: only [transport/rest] may

package transport

import "github.com/danielgtaylor/huma/v2"

var _ huma.API

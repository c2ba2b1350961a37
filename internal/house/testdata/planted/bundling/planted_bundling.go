// plant: web/planted_bundling.go
// want: bundling: imports github.com/evanw/esbuild/pkg/api, but the one place is internal/cmd/bundle

package web

import "github.com/evanw/esbuild/pkg/api"

var _ api.BuildOptions

// plant: node/planted_syntax.go
// want: Go's syntax: imports golang.org/x/tools/go/packages, but the one place is internal/ssot

package node

import "golang.org/x/tools/go/packages"

var _ packages.Package

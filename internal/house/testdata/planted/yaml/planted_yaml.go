// plant: client/planted_yaml.go
// want: YAML: imports go.yaml.in/yaml/v4, but the one place is config

package client

import "go.yaml.in/yaml/v4"

var _ yaml.Node

// plant: model/scripted/planted_import.go
// want: model/scripted may not import tool: the table

package scripted

import "github.com/netra-systems/switchboard/tool"

var _ tool.Caller

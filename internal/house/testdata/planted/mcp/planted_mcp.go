// plant: node/planted_mcp.go
// want: MCP: imports github.com/modelcontextprotocol/go-sdk/mcp, but the one place is tool/mcp

package node

import "github.com/modelcontextprotocol/go-sdk/mcp"

var _ mcp.Tool

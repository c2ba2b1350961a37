// plant: agent/planted_dispatcher.go
// want: there is one ToolDispatcher, at tool/dispatcher.go:

package agent

type callDispatcher struct{}

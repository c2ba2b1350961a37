// plant: agent/planted_dispatcher.go
// want: the ToolDispatcher: type callDispatcher is named like it ((?i)dispatcher$), but the one place is tool.Dispatcher (tool/dispatcher.go:

package agent

type callDispatcher struct{}

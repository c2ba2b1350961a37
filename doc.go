// Package switchboard is the wire vocabulary of Switchboard, the durable, user-isolated message router for AI chat:
// ids, messages, events, deltas, replies, cursors, codes and limits, and the one codec between them and JSON.
//
// Everything here is a value without I/O; all functions may be called concurrently. A Message is what a device sends,
// an Event is what the log holds, a Delta is a preview of a message still being written. What crosses the wire is
// declared here and nowhere else; docs/PROTOCOL.md describes it.
package switchboard

// Protocol is the WebSocket subprotocol this package speaks.
const Protocol = "switchboard.v1"

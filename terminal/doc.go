// Package terminal is the chat for people at a terminal and for scripts. It shows what a client.Client tells: it is a
// plain scrolling text with a line editor below it, so that scrollback, copying and screen readers work as always.
//
// What was written stays: a character of an answer is never written twice and none is left out. Where the server voids
// a text that was seen in part, because another worker took the run over, a line says so and the text begins anew. All
// that comes from a model, a tool or another device is rid of control characters and escape sequences first.
//
// Run is the chat, Once a single question. Neither may be called twice for the same Client.
package terminal

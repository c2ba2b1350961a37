// Package ssot finds second implementations: code that plays a role which the module has given to one place.
//
// A file ssot.yaml beside go.mod names concepts, each with its one owner, and rules that say by what a second one is known.
// Every rule looks at typed syntax, one package at a time, so that it runs below `go vet`; what can be seen only from
// several packages travels as facts along imports. Whole looks at a module at once, and also finds what of the file is
// of no use any more. Tests are never looked at.
//
// Nothing here knows Switchboard. An analyzer may be used concurrently; the same module gives the same findings in the
// same order, always.
package ssot

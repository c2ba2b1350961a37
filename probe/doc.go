// Package probe walks the golden path of a server over its public protocol and judges all that it sees: log in, send
// "What is A op B?", watch the run to its end, compare the answer with the one it worked out itself.
//
// It knows nothing of the server but the protocol, so the same probe runs against a test world, a binary and a deployed
// URL. Every byte that any of its devices receives is searched for the words of its other users, every event is held
// against the grammar of runs and the numbering of threads, and every text that was streamed against the text that was
// stored. Its users should do nothing else meanwhile: a thread that the probe did not begin counts as foreign.
package probe

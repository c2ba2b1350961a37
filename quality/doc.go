// Package quality says how good answers are: measures of text, the gate that an answer passes before it is given, and
// the figures about agents that follow from the log.
//
// A measure is a function of the texts alone: it keeps nothing, takes time linear in their length, and is documented,
// with how well it separates good answers from bad ones, in docs/QUALITY.md. It knows nothing of the world: an answer
// that is wrong and well written passes. The figures are a fold of the log of all users; what leaves it is numbers, names
// of agents and words of a fixed vocabulary, never a text, a thread or a user. There is no router here: the one
// MessageRouter asks a Service, and delivery gives its notices to who is subscribed.
//
// Everything may be called concurrently unless it says otherwise.
package quality

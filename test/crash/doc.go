// Package crash runs the real server as real processes, hurts them, and judges what is left.
//
// A fleet is one `switchboard serve` on a folder, or several on one external engine. Users with two devices each send
// messages of which the harness knows the right answer; meanwhile a schedule that comes from a printed seed kills,
// freezes, stops and restarts processes and cuts sockets, and the model server fails as the messages ask it to. At the
// end the history that the devices and senders recorded is held against the log: accepted once, one run, one end, the
// same for every device, nobody else's, and never half an answer.
//
// `make chaos SEED=… MINUTES=…` runs it for long; TestCrash… are its short forms. Every checker has a test that plants
// what it must find. Nothing here is part of the server.
package crash

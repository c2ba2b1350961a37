// Package bench measures whether Switchboard is fast enough never to be redesigned.
//
// Its benchmarks run the whole server on a real disk, with an fsync before every ack, over real TCP sockets on the
// loopback interface. Each compares a figure with a baseline of the same run (a bare append, a bare read of the same
// stream, a bare process), alternating where noise of the machine would tell them apart, and none fails for being slow:
// `make bench` prints a table of figures, baselines, ratios and goals. Nothing here is part of the server.
package bench

// Package loadtest puts a known load on a running stack and measures what becomes of it: it keeps connections open, queues
// messages at an even rate, and accounts for each of them on each connection: arrived, lost, twice, out of order, and
// how late.
//
// A message is due at a fixed time, whether or not the ones before it are through, and its latency counts from then. So
// a stall makes every message late that was due during it; a load that waits with the stalled system would hide that
// (coordinated omission).
package loadtest

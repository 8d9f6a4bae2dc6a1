// Package mailbox keeps messages for users, so that a client of heliograph.v1 that comes back receives what it missed.
//
// A user's kept messages have positions: 1, 2, 3 and so on. [Store.Keep] takes the next number from a counter, then writes
// the message at that position, once and for all. [Store.Since] reads everything after a cursor, which names a position. A
// position that is still empty, because its writer is slow or has died, is filled by the reader with nothing; the slow
// writer then finds it taken, and takes another number. So whatever a reader has seen, no message can appear before it:
// docs/decisions/0030-kept-messages.md says why, and the tests' model proves it.
package mailbox

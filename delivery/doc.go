// Package delivery brings message bodies to users: it takes messages off the queue, posts their bodies to every open
// connection of the users they name (or to one connection, or to everyone online), and brings each message to one
// known end for each of them.
//
// Read the files in the order that a message passes through them: deliver.go takes a batch and runs one loop for each
// record; job.go opens the record; plan.go decides, as a pure function, on the next step; do.go executes it; reach.go
// finds a user's connections and post.go posts to them; pack.go writes the records that go back to a queue.
// docs/sending.md has a diagram of all of plan.
//
// A message and its follow-ups are a chain of attempts, with one record at a time on the queue; that record carries
// the results of the earlier attempts, see [heliograph/message.State]. A message ends delivered, gone, expired,
// offline, a duplicate, or in the dead-letter queue with the reason and the state of what is still owed. Nothing is
// lost, and a connection that has received a message does not receive it again.
package delivery

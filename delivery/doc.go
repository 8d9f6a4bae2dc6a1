// Package delivery brings a body to its users: it takes messages off the queue, posts their bodies to every open connection
// of the users that they name (or to one connection, or to everybody online), and sees to it that each message comes to one
// known end for each of them.
//
// Read it in the order in which a message passes through: deliver.go takes a batch and runs one loop for each record;
// job.go opens the record; plan.go decides, as a pure function, what comes next; do.go carries that step out; reach.go
// finds a user's connections and post.go posts to them; pack.go writes what goes back to a queue. docs/sending.md draws the
// whole of plan.
//
// A message and its follow-ups are a chain of attempts, of which one record at a time is on the queue; what is known of the
// earlier attempts travels in that record, see [heliograph/message.State]. A message ends delivered, gone, expired, offline,
// a duplicate, or in the dead-letter queue with the reason and with what is still owed. Nothing is lost, and what has
// arrived is not sent again.
package delivery

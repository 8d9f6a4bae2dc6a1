// Package delivery gets this body to those users: it takes messages off the queue, posts their bodies to every open
// connection of whom they name (users, one connection, or all who are online), and sees to it that each message ends in
// one known way for each of them.
//
// The way of a message reads from top to bottom in deliver.go: [Parse] it, reach each user side by side (claim the
// message if it has an Id, find the user's connections, post to all of them), then conclude. To conclude means one of
// four things: the message is done (delivered, gone, expired, offline, a duplicate) and its receipt is published, a
// follow-up for what is still owed is on the queue, it is in the dead-letter queue with the reason and with who lacks it,
// or it is returned to the queue as it came. Nothing is lost, and what has arrived is not sent again.
//
// A message and its follow-ups are a chain of attempts, of which one record at a time is on the queue. What is known of
// the attempts before travels in that record: see state.go.
package delivery

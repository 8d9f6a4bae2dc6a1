// Package delivery gets this body to that user: it takes messages off the queue, posts their bodies
// to every open connection of the user they name, and sees to it that each message ends in one known
// way.
//
// The way of a message reads from top to bottom in deliver.go: [Parse] it, find the user's
// connections, post to all of them side by side, then settle. To settle means one of four things:
// the message is done (delivered, gone, expired, offline), a follow-up for what is still owed is on
// the queue, it is in the dead-letter queue with the reason, or it is returned to the queue as it
// came. Nothing is lost, and what has arrived is not sent again.
package delivery

// Package presence tracks who is online: it keeps each user's connections, and the presence that follows from them, in
// one DynamoDB table.
//
// A connection is an item of its own, so that two devices that connect at once never overwrite each other. It is open
// until its item is deleted, for at most MaxAge. Its lease only says when to check whether it is still alive: the
// Sweeper does that, once a minute.
//
// Presence is a second item for each user. It is never counted, only versioned: opening a connection raises the epoch
// after writing the item, and closing one may write "offline" only if the epoch is still the one read before looking
// for remaining connections. So of two devices that come and go at once, one always sees the other, without
// transactions.
//
// Each function may die between any two writes. Four nets catch what it leaves: a connection whose function died has a
// lease that ends; a deleted connection leaves a record in the table's stream, from which the Announcer settles the
// presence again; a user who came online leaves such a record too, and the Announcer checks that there is a connection;
// an announced change that was never published stays marked as unpublished until some invocation has published it.
//
// Announcements to other systems lag behind presence on purpose: a user who is back within the grace period was never
// away. See Announcer.
package presence

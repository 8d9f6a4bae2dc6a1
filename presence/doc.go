// Package presence knows who is online: it keeps the connections of each user, and the presence that
// follows from them, in one DynamoDB table.
//
// A connection is an item of its own, so that two devices that connect at once never overwrite each
// other. It is open until its item is deleted, and at the longest MaxAge after it was made. Its lease
// only says when somebody has to look whether it is still alive: the Sweeper does, once a minute.
//
// Presence is a second item for each user. It is never counted, only versioned: whoever opens a
// connection raises the epoch after writing it, and whoever closes one may only write "offline" if the
// epoch is still the one read before looking for connections that are left. So of two devices that come
// and go at once, one always sees the other, without transactions.
//
// Each function may die between any two writes. Four nets catch what it leaves: a connection whose
// function died has a lease that ends; a connection that was deleted leaves a record in the table's
// stream, from which the Announcer settles the presence again; so does a user who came online, and the
// Announcer looks whether there is a connection; an announced change that was never published stays
// marked as unpublished until somebody has published it.
//
// What is announced to other systems lags behind presence on purpose: a user who is back within the
// grace period was never away. See Announcer.
package presence

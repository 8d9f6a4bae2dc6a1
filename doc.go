// Package heliograph is WebSocket push and presence on AWS. Here are the words on which its processes must agree; they
// stand in this package once, and nothing else does.
//
// Heliograph is one Pulumi program and eight Lambda functions, which share one DynamoDB table.
//
// A device opens a WebSocket and shows a token. The function authorizer verifies it and hands the user id to connect,
// which records the connection. When the device leaves, disconnect deletes the record; when API Gateway forgets to say
// so, sweep notices within minutes. Each of them updates the user's presence, and announce turns the table's stream
// into events on a topic.
//
// A client of the subprotocol heliograph.v1 then says hello, and the function hello answers, and sends the messages that were kept
// while it was away.
//
// A backend puts a message on the send queue. The function send reads it, looks up the connections of the users that it
// names, and posts the body to each. A post that failed and may still succeed goes back to the queue as a follow-up that
// names only what is still owed; a message that never will succeed goes to the dead-letter queue with the reason.
//
// A backend that wants to know who is online asks the function online over HTTP.
//
// The functions never call each other. They meet in the table, in queues, and in the names below: the program in
// infra/stack writes them, and the functions, the command line, the local stack and the end-to-end tests read them.
// Package message holds the other thing that crosses process borders: the forms of a message and a dead letter.
package heliograph

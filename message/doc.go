// Package message is a message as it crosses the borders between processes: what a producer puts on the send queue, what
// the function send adds when it puts the message back, and what it adds to a dead letter. The function and the command
// line read and write all of it here, so that neither can disagree with the other.
//
// [Message] is what a producer asks for, [State] is what is known of it after an attempt, and [DeadLetter] is why it was
// given up. How they are used is package delivery's concern.
package message

// Package message defines a message as it crosses process boundaries: the form in which a producer puts it on the
// send queue, the attributes that send adds when it puts the message back, and those that it adds to a dead letter.
// Send and the command line both read and write these forms here, so they cannot disagree.
//
// [Message] is the producer's request, [State] is the knowledge gained by earlier attempts, and [DeadLetter] is the
// reason why a message was given up. Package delivery defines how they are used.
package message

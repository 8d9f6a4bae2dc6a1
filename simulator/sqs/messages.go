package sqs

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"heliograph/simulator/wire"
)

type (
	sendMessageInput struct {
		QueueURL                string `json:"QueueUrl"`
		MessageBody             string
		MessageGroupID          *string `json:"MessageGroupId"`
		MessageDeduplicationID  *string `json:"MessageDeduplicationId"`
		DelaySeconds            *int
		MessageAttributes       map[string]MessageAttribute `query:"MessageAttribute"`
		MessageSystemAttributes map[string]MessageAttribute `query:"MessageSystemAttribute"`
	}

	receiveMessageInput struct {
		QueueURL                    string   `json:"QueueUrl"`
		AttributeNames              []string `query:"AttributeName"`
		MessageSystemAttributeNames []string `query:"MessageSystemAttributeName"`
		MessageAttributeNames       []string `query:"MessageAttributeName"`
		MaxNumberOfMessages         *int
		VisibilityTimeout           *int
		WaitTimeSeconds             *int
		ReceiveRequestAttemptID     *string `json:"ReceiveRequestAttemptId"`
	}

	receiveMessageOutput struct {
		Messages []Message `json:",omitempty" query:"Message"`
	}

	deleteMessageInput struct {
		QueueURL      string `json:"QueueUrl"`
		ReceiptHandle string
	}

	changeMessageVisibilityInput struct {
		QueueURL          string `json:"QueueUrl"`
		ReceiptHandle     string
		VisibilityTimeout *int
	}
)

func (s *Server) sendMessage(ctx context.Context, in *sendMessageInput) (*Sent, error) {
	q, err := s.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	o, err := s.outgoing(ctx, in)
	if err != nil {
		return nil, err
	}
	sent, err := q.Send(o)
	return &sent, err
}

// outgoing is the message that an input describes.
func (s *Server) outgoing(ctx context.Context, in *sendMessageInput) (Outgoing, error) {
	o := Outgoing{
		Body: in.MessageBody, Attributes: in.MessageAttributes, Delay: seconds(in.DelaySeconds), Group: in.MessageGroupID,
		SenderID: s.options.SenderID(wire.CallOf(ctx).AccessKey),
	}
	if in.MessageDeduplicationID != nil {
		return o, errFIFO(*in.MessageDeduplicationID, "MessageDeduplicationId")
	}
	for _, name := range slices.Sorted(maps.Keys(in.MessageSystemAttributes)) {
		a := in.MessageSystemAttributes[name]
		switch {
		case name != traceHeader:
			return o, errInvalid("Message system attribute name '%s' is not valid.", name)
		case a.DataType != "String" || a.StringValue == "" || len(a.BinaryValue) > 0:
			return o, errInvalid("The message system attribute '%s' must contain a non-empty value of type 'String'.", name)
		}
		if r, ok := badRune(a.StringValue); !ok {
			return o, errContents(r)
		}
		o.TraceHeader = a.StringValue
	}
	return o, nil
}

// receiveMessage returns one message unless more are requested, and waits for as long as the queue's setting unless the
// request overrides it.
func (s *Server) receiveMessage(ctx context.Context, in *receiveMessageInput) (*receiveMessageOutput, error) {
	q, err := s.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	limit := 1
	if in.MaxNumberOfMessages != nil {
		limit = *in.MaxNumberOfMessages
	}
	wait := q.defaultWait()
	if in.WaitTimeSeconds != nil {
		wait = *seconds(in.WaitTimeSeconds)
	}
	messages, err := q.receive(ctx, limit, wait, seconds(in.VisibilityTimeout))
	for i := range messages {
		in.pick(&messages[i])
	}
	return &receiveMessageOutput{messages}, err
}

// defaultWait is how long the API's receivers wait by default.
func (q *Queue) defaultWait() time.Duration {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	return q.settings.seconds("ReceiveMessageWaitTimeSeconds")
}

// systemAttributes can be requested; those of FIFO queues never have a value.
var systemAttributes = []string{
	"All", "SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp",
	"SequenceNumber", "MessageDeduplicationId", groupAttribute, traceHeader, "DeadLetterQueueSourceArn",
}

// check checks the parameters. Source: API_ReceiveMessage.
func (in *receiveMessageInput) check() error {
	outside := func(n *int, from, to int) bool { return n != nil && (*n < from || *n > to) }
	switch {
	case outside(in.MaxNumberOfMessages, 1, 10):
		return errValue(*in.MaxNumberOfMessages, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")
	case outside(in.WaitTimeSeconds, 0, 20):
		return errValue(*in.WaitTimeSeconds, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.")
	case outside(in.VisibilityTimeout, 0, maxVisibility):
		return errValue(*in.VisibilityTimeout, "VisibilityTimeout", "Must be between 0 and 43200, if provided.")
	case in.ReceiveRequestAttemptID != nil:
		return errFIFO(*in.ReceiveRequestAttemptID, "ReceiveRequestAttemptId")
	}
	for _, name := range slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames) {
		if !slices.Contains(systemAttributes, name) {
			return errAttributeName(name)
		}
	}
	return nil
}

// pick reduces a message to the requested attributes. The checksum covers only those.
func (in *receiveMessageInput) pick(m *Message) {
	names := slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames)
	if !slices.Contains(names, "All") {
		maps.DeleteFunc(m.Attributes, func(name, _ string) bool { return !slices.Contains(names, name) })
	}
	picked := map[string]MessageAttribute{} // the message in the queue keeps its own
	for name, a := range m.MessageAttributes {
		if slices.ContainsFunc(in.MessageAttributeNames, func(asked string) bool { return matches(asked, name) }) {
			picked[name] = a
		}
	}
	m.MessageAttributes, m.MD5OfMessageAttributes = picked, md5OfAttributes(picked)
}

// matches reports whether an attribute is requested: by its name, by "All" or ".*", or by "prefix.*".
func matches(asked, name string) bool {
	prefix, isPrefix := strings.CutSuffix(asked, ".*")
	return asked == name || asked == "All" || isPrefix && strings.HasPrefix(name, prefix)
}

func (s *Server) deleteMessage(_ context.Context, in *deleteMessageInput) (*empty, error) {
	q, err := s.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if in.ReceiptHandle == "" {
		return nil, errMissing("ReceiptHandle")
	}
	return &empty{}, q.Delete(in.ReceiptHandle)
}

// changeMessageVisibility requires an explicit time-out: 0 would make the message visible at once.
func (s *Server) changeMessageVisibility(_ context.Context, in *changeMessageVisibilityInput) (*empty, error) {
	q, err := s.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	switch {
	case in.ReceiptHandle == "":
		return nil, errMissing("ReceiptHandle")
	case in.VisibilityTimeout == nil:
		return nil, errMissing("VisibilityTimeout")
	}
	return &empty{}, q.ChangeVisibility(in.ReceiptHandle, *seconds(in.VisibilityTimeout))
}

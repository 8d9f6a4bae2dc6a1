package sqs

import (
	"context"
	"net/http"

	"heliograph/simulator/wire"
)

type (
	sendMessageEntry struct {
		ID                      string `json:"Id"`
		MessageBody             string
		MessageGroupID          *string `json:"MessageGroupId"`
		MessageDeduplicationID  *string `json:"MessageDeduplicationId"`
		DelaySeconds            *int
		MessageAttributes       map[string]MessageAttribute `query:"MessageAttribute"`
		MessageSystemAttributes map[string]MessageAttribute `query:"MessageSystemAttribute"`
	}

	sendMessageBatchInput struct {
		QueueURL string             `json:"QueueUrl"`
		Entries  []sendMessageEntry `query:"SendMessageBatchRequestEntry"`
	}

	// sentEntry is Sent plus the entry's id.
	sentEntry struct {
		ID                    string `json:"Id"`
		MessageID             string `json:"MessageId"`
		MD5OfBody             string `json:"MD5OfMessageBody"`
		MD5OfAttributes       string `json:"MD5OfMessageAttributes,omitempty"`
		MD5OfSystemAttributes string `json:"MD5OfMessageSystemAttributes,omitempty"`
	}

	sendMessageBatchOutput struct {
		Successful []sentEntry   `query:"SendMessageBatchResultEntry"`
		Failed     []failedEntry `query:"BatchResultErrorEntry"`
	}

	deleteMessageEntry struct {
		ID            string `json:"Id"`
		ReceiptHandle string
	}

	deleteMessageBatchInput struct {
		QueueURL string               `json:"QueueUrl"`
		Entries  []deleteMessageEntry `query:"DeleteMessageBatchRequestEntry"`
	}

	// doneEntry is an entry that succeeded.
	doneEntry struct {
		ID string `json:"Id"`
	}

	deleteMessageBatchOutput struct {
		Successful []doneEntry   `query:"DeleteMessageBatchResultEntry"`
		Failed     []failedEntry `query:"BatchResultErrorEntry"`
	}

	changeMessageVisibilityEntry struct {
		ID                string `json:"Id"`
		ReceiptHandle     string
		VisibilityTimeout *int
	}

	changeMessageVisibilityBatchInput struct {
		QueueURL string                         `json:"QueueUrl"`
		Entries  []changeMessageVisibilityEntry `query:"ChangeMessageVisibilityBatchRequestEntry"`
	}

	changeMessageVisibilityBatchOutput struct {
		Successful []doneEntry   `query:"ChangeMessageVisibilityBatchResultEntry"`
		Failed     []failedEntry `query:"BatchResultErrorEntry"`
	}

	failedEntry struct {
		ID          string `json:"Id"`
		SenderFault bool
		Code        string
		Message     string
	}
)

// The entries of every batch have an id, unique in the batch, by which results are matched to them.

func (e sendMessageEntry) id() string             { return e.ID }
func (e deleteMessageEntry) id() string           { return e.ID }
func (e changeMessageVisibilityEntry) id() string { return e.ID }

// checkBatch checks a batch as a whole. action is AWS's name for its entries.
func checkBatch[E interface{ id() string }](action string, entries []E) error {
	fail := func(code, message string) error { return special(code, code, message) }
	switch n := len(entries); {
	case n == 0:
		return fail("EmptyBatchRequest", "There should be at least one "+action+"RequestEntry in the request.")
	case n > 10:
		return fail("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10.")
	}
	seen := map[string]bool{}
	for _, e := range entries {
		switch id := e.id(); {
		case len(id) > 80 || !isToken(id):
			return fail("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		case seen[id]:
			return fail("BatchEntryIdsNotDistinct", "Id "+id+" repeated.")
		}
		seen[e.id()] = true
	}
	return nil
}

// failed is an entry's error. Its code is that of the query protocol, even in JSON.
func failed(id string, err error) failedEntry {
	e := wire.AsError(err)
	return failedEntry{ID: id, SenderFault: e.HTTPStatus() < http.StatusInternalServerError, Code: e.QueryName(), Message: e.Message}
}

// sendMessageBatch sends entry by entry: a failing entry does not affect the others. Their total size is checked before
// any is sent.
func (s *Server) sendMessageBatch(ctx context.Context, in *sendMessageBatchInput) (*sendMessageBatchOutput, error) {
	q, err := s.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if err := checkBatch("SendMessageBatch", in.Entries); err != nil {
		return nil, err
	}
	total := 0
	for _, e := range in.Entries {
		total += Outgoing{Body: e.MessageBody, Attributes: e.MessageAttributes, Group: e.MessageGroupID}.size()
	}
	if limit := q.batchLimit(); total > limit {
		return nil, errBatchTooLong(limit, total)
	}
	out := &sendMessageBatchOutput{[]sentEntry{}, []failedEntry{}}
	for _, e := range in.Entries {
		sent, err := s.sendEntry(ctx, q, e)
		if err != nil {
			out.Failed = append(out.Failed, failed(e.ID, err))
			continue
		}
		out.Successful = append(out.Successful, sentEntry{e.ID, string(sent.MessageID), sent.MD5OfBody, sent.MD5OfAttributes, sent.MD5OfSystemAttributes})
	}
	return out, nil
}

// leastBatch is the batch that every queue takes. AWS's limit is 1 MiB, and nothing says whether that holds for a queue
// of smaller messages, too.
const leastBatch = 256 << 10

// batchLimit is how many bytes the messages of a batch may have together.
func (q *Queue) batchLimit() int {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	return max(leastBatch, q.settings.numbers["MaximumMessageSize"])
}

// sendEntry sends one entry like a single message.
func (s *Server) sendEntry(ctx context.Context, q *Queue, e sendMessageEntry) (Sent, error) {
	o, err := s.outgoing(ctx, &sendMessageInput{
		MessageBody: e.MessageBody, DelaySeconds: e.DelaySeconds, MessageGroupID: e.MessageGroupID, MessageDeduplicationID: e.MessageDeduplicationID,
		MessageAttributes: e.MessageAttributes, MessageSystemAttributes: e.MessageSystemAttributes,
	})
	if err != nil {
		return Sent{}, err
	}
	return q.Send(o)
}

// deleteMessageBatch deletes entry by entry.
func (s *Server) deleteMessageBatch(ctx context.Context, in *deleteMessageBatchInput) (*deleteMessageBatchOutput, error) {
	if _, err := s.byURL(in.QueueURL); err != nil {
		return nil, err
	}
	if err := checkBatch("DeleteMessageBatch", in.Entries); err != nil {
		return nil, err
	}
	out := &deleteMessageBatchOutput{[]doneEntry{}, []failedEntry{}}
	for _, e := range in.Entries {
		_, err := s.deleteMessage(ctx, &deleteMessageInput{in.QueueURL, e.ReceiptHandle})
		if err != nil {
			out.Failed = append(out.Failed, failed(e.ID, err))
			continue
		}
		out.Successful = append(out.Successful, doneEntry{e.ID})
	}
	return out, nil
}

// changeMessageVisibilityBatch changes entry by entry.
func (s *Server) changeMessageVisibilityBatch(ctx context.Context, in *changeMessageVisibilityBatchInput) (*changeMessageVisibilityBatchOutput, error) {
	if _, err := s.byURL(in.QueueURL); err != nil {
		return nil, err
	}
	if err := checkBatch("ChangeMessageVisibilityBatch", in.Entries); err != nil {
		return nil, err
	}
	out := &changeMessageVisibilityBatchOutput{[]doneEntry{}, []failedEntry{}}
	for _, e := range in.Entries {
		_, err := s.changeMessageVisibility(ctx, &changeMessageVisibilityInput{in.QueueURL, e.ReceiptHandle, e.VisibilityTimeout})
		if err != nil {
			out.Failed = append(out.Failed, failed(e.ID, err))
			continue
		}
		out.Successful = append(out.Successful, doneEntry{e.ID})
	}
	return out, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// dlq is a dead-letter queue, and the queue that its messages came from.
type dlq struct {
	client    *sqs.Client
	url       string
	sendQueue string
}

func (t *target) dlq() dlq {
	return dlq{client: t.queue(), url: t.DeadLetterQueueURL, sendQueue: t.SendQueueURL}
}

// patience bounds one call. Calls that change something are not cut short by Ctrl-C, so they need a bound of their own.
const patience = 15 * time.Second

// finishing is a context for what must come to its end although the command was interrupted.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), patience)
}

// count is about how many messages can be received, and how many somebody is reading.
func (b dlq) count(ctx context.Context) (visible, hidden int, err error) {
	out, err := b.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &b.url, AttributeNames: []types.QueueAttributeName{
			types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		},
	})
	if err != nil {
		return 0, 0, fmt.Errorf("ask how many messages are in %s: %w", b.url, err)
	}
	visible, _ = strconv.Atoi(out.Attributes[string(types.QueueAttributeNameApproximateNumberOfMessages)])
	hidden, _ = strconv.Atoi(out.Attributes[string(types.QueueAttributeNameApproximateNumberOfMessagesNotVisible)])
	return visible, hidden, nil
}

// walk goes through the queue. It is not for several goroutines at once.
type walk struct {
	dlq
	hide time.Duration
	// visit is called once for each message, for up to ten at a time, and reports whether it has taken the message away.
	visit func(context.Context, letter) (taken bool)
	// enough tells, between receives, that the walk may end; nil: not before the queue is empty.
	enough func() bool

	held  map[string]string // receipt handles by message id, of what was received and not taken away
	taken map[string]bool
	lost  int // answers that never came, with what SQS hid for them
}

// run walks until nothing more is there, or enough was seen, or ctx ends, which is no error. It gives back what was not
// taken away.
func (w *walk) run(ctx context.Context) error {
	w.held, w.taken = map[string]string{}, map[string]bool{}
	err := w.readAll(ctx)
	return errors.Join(err, w.giveBack(ctx))
}

func (w *walk) readAll(ctx context.Context) error {
	for ctx.Err() == nil && (w.enough == nil || !w.enough()) {
		messages, err := w.receive(ctx)
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			return nil
		}
		w.visitAll(ctx, w.unseen(ctx, messages))
	}
	return nil
}

// receive waits a second for messages. Without that, SQS asks only some of its servers and may say that nothing is
// there. Ctrl-C does not cut it short: what is on its way would be hidden, and nobody could give it back.
func (w *walk) receive(ctx context.Context) ([]types.Message, error) {
	ctx, cancel := finishing(ctx)
	defer cancel()
	out, err := w.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &w.url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, VisibilityTimeout: int32(w.hide / time.Second),
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil {
		return nil, fmt.Errorf("read messages of %s: %w", w.url, err)
	}
	w.lost += lostAnswers(out.ResultMetadata)
	return out.Messages, nil
}

// lostAnswers counts the tries of a call that SQS has perhaps carried out although no answer, or half of one, came back.
// The SDK tries again and keeps silent. What such a receive was given stays hidden, and nobody can give it back.
func lostAnswers(metadata middleware.Metadata) (lost int) {
	attempts, _ := retry.GetAttemptResults(metadata)
	for _, a := range attempts.Results {
		var answer *smithyhttp.ResponseError
		refused := errors.As(a.Err, &answer) && answer.HTTPStatusCode() >= http.StatusBadRequest
		if a.Err != nil && !refused {
			lost++
		}
	}
	return lost
}

// remark says what of the queue this walk could not see. hidden is what others had when it began.
func (w *walk) remark(out io.Writer, hidden int) {
	if hidden > 0 {
		fmt.Fprintf(out, "about %d more are hidden, since somebody else is reading them\n", hidden)
	}
	if w.lost > 0 {
		fmt.Fprintf(out, "an answer of SQS was lost: up to %d messages of %s stay hidden for up to %v; look again then\n", 10*w.lost, w.url, w.hide)
	}
}

// unseen are the messages that did not come before. SQS may deliver one twice, even after it was deleted.
func (w *walk) unseen(ctx context.Context, messages []types.Message) (unseen []types.Message) {
	for _, m := range messages {
		id := aws.ToString(m.MessageId)
		_, before := w.held[id]
		switch {
		case w.taken[id]:
			_ = w.remove(ctx, m) // it is gone for us, and would come once more at the worst
		case !before:
			unseen = append(unseen, m)
			fallthrough
		default:
			w.held[id] = aws.ToString(m.ReceiptHandle)
		}
	}
	return unseen
}

func (w *walk) visitAll(ctx context.Context, messages []types.Message) {
	taken := make([]bool, len(messages))
	var visits sync.WaitGroup
	for i, m := range messages {
		visits.Go(func() { taken[i] = w.visit(ctx, readLetter(m)) })
	}
	visits.Wait()
	for i, m := range messages {
		if id := aws.ToString(m.MessageId); taken[i] {
			w.taken[id] = true
			delete(w.held, id)
		}
	}
}

// remove deletes a message that was received.
func (b dlq) remove(ctx context.Context, m types.Message) error {
	ctx, cancel := finishing(ctx)
	defer cancel()
	_, err := b.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &b.url, ReceiptHandle: m.ReceiptHandle})
	if err != nil {
		return fmt.Errorf("delete message %s from %s: %w", aws.ToString(m.MessageId), b.url, err)
	}
	return nil
}

// giveBack lets others see again what was received.
func (w *walk) giveBack(ctx context.Context) error {
	var entries []types.ChangeMessageVisibilityBatchRequestEntry
	var problem error
	stuck := 0
	flush := func() {
		failed, err := w.show(ctx, entries)
		stuck += failed
		problem = errors.Join(problem, err)
		entries = nil
	}
	for _, handle := range w.held {
		entries = append(entries, types.ChangeMessageVisibilityBatchRequestEntry{
			Id: aws.String(strconv.Itoa(len(entries))), ReceiptHandle: &handle, VisibilityTimeout: 0,
		})
		if len(entries) == 10 {
			flush()
		}
	}
	if len(entries) > 0 {
		flush()
	}
	if stuck == 0 {
		return nil
	}
	return fmt.Errorf("%d messages of %s stay hidden for up to %v, since they could not be given back: %w", stuck, w.url, w.hide, problem)
}

// notHeld are the codes by which SQS says that a message is visible already, or gone, or in somebody else's hands. Source:
// API_ChangeMessageVisibility, "Errors", and what SQS answers for a handle of an older receive.
var notHeld = []string{"MessageNotInflight", "InvalidParameterValue"}

// show makes up to ten messages visible, and tells how many could not be.
func (w *walk) show(ctx context.Context, entries []types.ChangeMessageVisibilityBatchRequestEntry) (failed int, err error) {
	ctx, cancel := finishing(ctx)
	defer cancel()
	out, err := w.client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &w.url, Entries: entries})
	if err != nil {
		return len(entries), err
	}
	for _, e := range out.Failed {
		if !slices.Contains(notHeld, strings.TrimPrefix(aws.ToString(e.Code), "AWS.SimpleQueueService.")) {
			failed++
			err = fmt.Errorf("%s: %s", aws.ToString(e.Code), aws.ToString(e.Message))
		}
	}
	return failed, err
}

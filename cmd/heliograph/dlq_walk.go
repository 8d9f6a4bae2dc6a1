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
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// dlq is a dead-letter queue and the queue that its messages came from.
type dlq struct {
	client    *sqs.Client
	url       string
	sendQueue string
}

func (t *target) dlq() dlq {
	return dlq{client: t.queue(), url: t.DeadLetterQueueURL, sendQueue: t.SendQueueURL}
}

// patience bounds one call. Ctrl-C does not cancel calls that change something, so they need a bound of their own.
const patience = 15 * time.Second

// finishing returns a context for work that must be completed even if the command is interrupted.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), patience)
}

// census is a queue at one moment, in the approximate words of SQS.
type census struct {
	visible int       // messages that can be received
	hidden  int       // messages that another reader has
	now     time.Time // by SQS's clock, which stamps the messages too, rounded up to whole seconds
}

// count asks SQS for the census. The operator's clock plays no part in it: if it is fast, messages that die again during
// a redrive would count as old ones, and be redriven over and over.
func (b dlq) count(ctx context.Context) (census, error) {
	out, err := b.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &b.url, AttributeNames: []types.QueueAttributeName{
			types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		},
	})
	if err != nil {
		return census{}, fmt.Errorf("ask how many messages are in %s: %w", b.url, err)
	}
	now, told := awsmiddleware.GetServerTime(out.ResultMetadata) // the header Date, without fractions
	if !told {
		return census{}, fmt.Errorf("ask how many messages are in %s: the answer has no Date, by which new messages are told from old ones", b.url)
	}
	c := census{now: now.Add(time.Second)}
	c.visible, _ = strconv.Atoi(out.Attributes[string(types.QueueAttributeNameApproximateNumberOfMessages)])
	c.hidden, _ = strconv.Atoi(out.Attributes[string(types.QueueAttributeNameApproximateNumberOfMessagesNotVisible)])
	return c, nil
}

// walk reads through the queue. It is not safe for concurrent use.
type walk struct {
	dlq
	hide time.Duration
	// visit is called once for each message, for up to ten concurrently, and reports whether it removed the message.
	visit func(context.Context, letter) (taken bool)
	// enough is called between receives, and reports whether the walk may end; nil means not before the queue is empty.
	enough func() bool

	held  map[string]string // receipt handles by message id, for messages received and not removed
	taken map[string]bool
	lost  int // responses that were lost, along with the messages that SQS hid for them
}

// run walks until the queue is empty, enough reports true, or ctx ends, which is no error. It releases every message
// that was not removed.
func (w *walk) run(ctx context.Context) error {
	w.held, w.taken = map[string]string{}, map[string]bool{}
	err := w.readAll(ctx)
	return errors.Join(err, w.giveBack(ctx))
}

// readAll ends on the first receive without messages: receive waits long enough for that to mean an empty queue.
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

// receive waits a second for messages: a short poll asks only some of SQS's servers and may find none. Ctrl-C does
// not cut it short, because messages in a lost response would stay hidden and could not be released.
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

// lostAnswers counts the attempts of a call that SQS may have carried out although its response was lost or cut off.
// The SDK retries silently; the messages handed to the lost attempt stay hidden, and without their handles they can't
// be released.
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

// remark reports the part of the queue that this walk could not see. hidden is the number of messages that other
// readers held when it began.
func (w *walk) remark(out io.Writer, hidden int) {
	if hidden > 0 {
		fmt.Fprintf(out, "about %d more are hidden: another reader has received them\n", hidden)
	}
	if w.lost > 0 {
		fmt.Fprintf(out, "an answer of SQS was lost: up to %d messages of %s stay hidden for up to %v; look again then\n", 10*w.lost, w.url, w.hide)
	}
}

// unseen returns the messages that have not come up before. SQS may deliver one twice, even after it was deleted.
func (w *walk) unseen(ctx context.Context, messages []types.Message) (unseen []types.Message) {
	for _, m := range messages {
		id := aws.ToString(m.MessageId)
		_, before := w.held[id]
		switch {
		case w.taken[id]:
			_ = w.remove(ctx, m) // already processed: at worst it is delivered once more
		case !before:
			unseen = append(unseen, m)
			fallthrough
		default:
			w.held[id] = aws.ToString(m.ReceiptHandle)
		}
	}
	return unseen
}

// visitAll waits for all visits before it touches the maps, which need no lock that way.
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

// remove deletes a received message.
func (b dlq) remove(ctx context.Context, m types.Message) error {
	ctx, cancel := finishing(ctx)
	defer cancel()
	_, err := b.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &b.url, ReceiptHandle: m.ReceiptHandle})
	if err != nil {
		return fmt.Errorf("delete message %s from %s: %w", aws.ToString(m.MessageId), b.url, err)
	}
	return nil
}

// giveBack makes the messages that were not removed visible again.
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

// notHeld lists the codes by which SQS says that a message is already visible, deleted, or held by another reader.
// Source: API_ChangeMessageVisibility, "Errors", and SQS's answer to a handle from an earlier receive.
var notHeld = []string{"MessageNotInflight", "InvalidParameterValue"}

// show makes up to ten messages visible, and returns how many could not be.
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

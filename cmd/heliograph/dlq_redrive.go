package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"heliograph/loadtest"
	"heliograph/message"
)

// dlqRedriveCommand puts dead letters back on the queue that they came from.
type dlqRedriveCommand struct {
	Picked dlqPicked `embed:""`
	Rate   float64   `default:"10" help:"The most messages to move per second."`
}

func (dlqRedriveCommand) Help() string {
	return `Each message goes back to the send queue as its producer sent it, with its Id, group and attributes, and then leaves the
dead-letter queue. It reaches those whom it did not reach before. What dies again while the command runs is left alone.
An interrupt loses nothing: a message may be in both queues then, but never in neither.
` + dlqHides + `

Examples:
  heliograph dlq redrive 5fea7756-0ea4-451a-a703-a558b933e274
  heliograph dlq redrive --all --reason undelivered --rate 50`
}

// Validate is called by kong. The bounds on the rate keep messages from being hidden longer than SQS's 12 hours.
func (c *dlqRedriveCommand) Validate() error {
	if c.Rate < 0.1 || c.Rate > 1000 {
		return fmt.Errorf("--rate is %v; it must be 0.1 to 1000 messages a second", c.Rate)
	}
	return c.Picked.check()
}

func (c *dlqRedriveCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	return c.redrive(ctx, w, t.dlq())
}

func (c *dlqRedriveCommand) redrive(ctx context.Context, w world, queue dlq) error {
	pace := time.NewTicker(time.Duration(float64(time.Second) / c.Rate))
	defer pace.Stop()
	operation := operation{world: w, picked: c.Picked, verb: "redriven", rate: c.Rate, wholeOnly: true}
	operation.do = func(ctx context.Context, l letter) error {
		select {
		case <-ctx.Done():
		case <-pace.C:
		}
		if ctx.Err() != nil {
			return errNotBegun
		}
		return queue.putBack(ctx, l.message)
	}
	return operation.run(ctx, queue)
}

// errNotBegun: the command was interrupted before this message's turn.
var errNotBegun = errors.New("interrupted")

// putBack sends a message to its original queue and only then deletes it here, so that it is always in at least one
// of the two. Once begun, it finishes even if the command is interrupted.
func (b dlq) putBack(ctx context.Context, m types.Message) error {
	sending, cancel := finishing(ctx)
	defer cancel()
	if _, err := b.client.SendMessage(sending, b.again(m)); err != nil {
		return fmt.Errorf("send message %s to %s: %w", aws.ToString(m.MessageId), b.sendQueue, err)
	}
	if err := b.remove(ctx, m); err != nil {
		return fmt.Errorf("the message was put back, and now lies in both queues, so `heliograph dlq drop` it: %w", err)
	}
	return nil
}

// again returns the message as it was before it died, plus the state of what is still owed, which tells send whom the
// message has not reached.
func (b dlq) again(m types.Message) *sqs.SendMessageInput {
	in := &sqs.SendMessageInput{QueueUrl: &b.sendQueue, MessageBody: m.Body, MessageAttributes: maps.Clone(m.MessageAttributes)}
	maps.DeleteFunc(in.MessageAttributes, func(name string, _ types.MessageAttributeValue) bool { return message.DropOnRedrive(name) })
	if group, ok := m.Attributes[string(types.MessageSystemAttributeNameMessageGroupId)]; ok {
		in.MessageGroupId = &group
	}
	const trace = string(types.MessageSystemAttributeNameForSendsAWSTraceHeader)
	if header := m.Attributes[trace]; header != "" {
		in.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
			trace: {DataType: aws.String("String"), StringValue: &header},
		}
	}
	return in
}

// dlqDropCommand deletes dead letters for good.
type dlqDropCommand struct {
	Picked dlqPicked `embed:""`
	Yes    bool      `help:"Delete them; without it, the command only says what it would delete."`
}

func (dlqDropCommand) Help() string {
	return `Deleted messages can't be brought back.
` + dlqHides + `

Examples:
  heliograph dlq drop 5fea7756-0ea4-451a-a703-a558b933e274 --yes
  heliograph dlq drop --all --reason malformed --yes`
}

// Validate is called by kong.
func (c *dlqDropCommand) Validate() error { return c.Picked.check() }

func (c *dlqDropCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	return c.drop(ctx, w, t.dlq())
}

func (c *dlqDropCommand) drop(ctx context.Context, w world, queue dlq) error {
	operation := operation{world: w, picked: c.Picked, verb: "dropped", rate: 100}
	operation.do = func(ctx context.Context, l letter) error {
		if ctx.Err() != nil {
			return errNotBegun
		}
		return queue.remove(ctx, l.message)
	}
	if !c.Yes {
		operation.verb = "would be dropped"
		operation.do = nil
	}
	err := operation.run(ctx, queue)
	if err == nil && !c.Yes && operation.done > 0 {
		err = errors.New("nothing was dropped: add --yes, and they are deleted for good")
	}
	return err
}

// operation processes each selected message and removes it from the queue.
type operation struct {
	world
	picked dlqPicked
	verb   string  // past tense, printed for each message that do processed
	rate   float64 // approximate messages per second
	// wholeOnly skips messages whose bodies were cut.
	wholeOnly bool
	do        func(context.Context, letter) error // nil: only list the messages

	began time.Time // by SQS's clock
	mu    sync.Mutex
	outcomes
}

// run reports what was done and everything that was not: messages left alone, hidden, missing or failed.
func (e *operation) run(ctx context.Context, queue dlq) error {
	census, err := queue.count(ctx)
	if err != nil {
		return err
	}
	loadtest.Pause(ctx, time.Second) // until SQS's clock has passed census.now, so that whatever dies again is later than that
	e.began, e.outcomes = census.now, newOutcomes()
	walk := walk{dlq: queue, hide: hideFor(census.visible, e.rate), visit: e.visit}
	walk.enough = func() bool { return e.all(e.picked) }
	err = walk.run(ctx)
	fmt.Fprintf(e.stdout, "%d %s\n", e.done, e.verb)
	if e.later > 0 {
		fmt.Fprintf(e.stderr, "%d came after the start and were left alone\n", e.later)
	}
	if !e.picked.All {
		census.hidden = 0 // requested ids that were not found are reported below
	}
	walk.remark(e.stderr, census.hidden)
	if ctx.Err() != nil {
		return errors.Join(err, fmt.Errorf("interrupted: all others are still in %s", queue.url))
	}
	return errors.Join(err, e.problem(e.picked, queue.url), e.nothing(census.hidden+walk.lost, queue.url))
}

// visit may be called for several messages concurrently.
func (e *operation) visit(ctx context.Context, l letter) (taken bool) {
	if !e.begin(l) {
		return false
	}
	if e.do == nil {
		e.end(l, nil)
		return false
	}
	err := e.do(ctx, l)
	e.end(l, err)
	return err == nil
}

// begin records a message as seen, and reports whether to process it. Messages that arrived after the start are
// skipped: one may have been redriven by this command and died again, and with --all the command would never end.
func (e *operation) begin(l letter) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case !e.picked.takes(l):
		e.others[l.Reason]++
		return false
	case e.picked.All && !l.SentAt.Before(e.began):
		e.later++
		return false
	}
	e.found[l.MessageID] = true
	if e.wholeOnly && l.CutFrom > 0 {
		e.cut++
		fmt.Fprintf(e.stderr, "left\t%s\t%d of %d bytes are there\n", l.MessageID, l.Bytes, l.CutFrom)
		return false
	}
	return true
}

// end records the outcome for a message.
func (e *operation) end(l letter, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err == nil:
		e.done++
		fmt.Fprintf(e.stdout, "%s\t%s\t%s\t%s\n", e.verb, l.MessageID, plain(l.ID), l.why())
	case !errors.Is(err, errNotBegun):
		e.failed++
		fmt.Fprintf(e.stderr, "failed\t%s\t%s\n", l.MessageID, quoted(err.Error()))
	}
}

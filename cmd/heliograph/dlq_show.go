package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"heliograph/message"
)

// dlqShowCommand prints one dead letter in full.
type dlqShowCommand struct {
	ID   string `arg:"" name:"message-id" help:"The message, by its id, as list shows it."`
	Body bool   `help:"Print the body, too; it may be private."`
}

func (dlqShowCommand) Help() string {
	return dlqHides[1:] + `

Examples:
  heliograph dlq show 5fea7756-0ea4-451a-a703-a558b933e274
  heliograph dlq show 5fea7756-0ea4-451a-a703-a558b933e274 --body`
}

func (c *dlqShowCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	return c.show(ctx, w, t.dlq())
}

// show reads until the message turns up, because SQS cannot look one up by id.
func (c *dlqShowCommand) show(ctx context.Context, w world, queue dlq) error {
	census, err := queue.count(ctx)
	if err != nil {
		return err
	}
	var found atomic.Pointer[letter]
	walk := walk{dlq: queue, hide: hideFor(census.visible, 1e9)}
	walk.visit = func(_ context.Context, l letter) bool {
		if l.MessageID == c.ID {
			found.Store(&l)
		}
		return false
	}
	walk.enough = func() bool { return found.Load() != nil }
	if err := walk.run(ctx); err != nil {
		return err
	}
	walk.remark(w.stderr, 0)
	switch l := found.Load(); {
	case l != nil:
		return c.print(w, *l, census.now)
	case ctx.Err() != nil:
		return errors.New("interrupted before the message was found")
	}
	return notThere(queue.url, c.ID)
}

func (c *dlqShowCommand) print(w world, l letter, now time.Time) error {
	table := tabwriter.NewWriter(w.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintf(table, "message\t%s\nreason\t%s\nattempts\t%s\nbytes\t%s\n", l.MessageID, l.why(), l.attempts(), l.size())
	if l.ID != "" {
		fmt.Fprintf(table, "id\t%s\n", plain(l.ID))
	}
	for _, name := range slices.Sorted(maps.Keys(l.message.Attributes)) {
		fmt.Fprintf(table, "%s\t%s\n", quoted(name), systemValue(name, l.message.Attributes[name], now))
	}
	for _, name := range slices.Sorted(maps.Keys(l.message.MessageAttributes)) {
		if name == message.BodyAttribute {
			continue // printed with the body
		}
		fmt.Fprintf(table, "attribute %s\t%s\n", quoted(name), attributeValue(l.message.MessageAttributes[name]))
	}
	if err := table.Flush(); err != nil || !c.Body {
		return err
	}
	_, err := fmt.Fprintf(w.stdout, "\n%s\n", aws.ToString(l.message.Body))
	if aside, ok := l.message.MessageAttributes[message.BodyAttribute]; ok && err == nil {
		_, err = fmt.Fprintf(w.stdout, "\nBody, beside it in %s:\n%s\n", message.BodyAttribute, aside.BinaryValue)
	}
	return err
}

// systemValue formats a system attribute of SQS; times become readable.
func systemValue(name, value string, now time.Time) string {
	at := timeOf(value)
	if !strings.HasSuffix(name, "Timestamp") || at.IsZero() {
		return plain(value)
	}
	return fmt.Sprintf("%s (%s ago)", at.Format("2006-01-02T15:04:05.000Z07:00"), age(now.Sub(at)))
}

// attributeValue formats an attribute set by the producer or by send. Unlike in a list, it is not shortened.
func attributeValue(a types.MessageAttributeValue) string {
	if a.BinaryValue != nil {
		return fmt.Sprintf("%s %x", quoted(aws.ToString(a.DataType)), a.BinaryValue)
	}
	return quoted(aws.ToString(a.DataType)) + " " + quoted(aws.ToString(a.StringValue))
}

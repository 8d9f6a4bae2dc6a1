package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph/message"
)

// Keys holds the keys that seal the states of follow-ups and dead letters. KeyStore implements it.
type Keys interface {
	// Current returns the key to seal with.
	Current(ctx context.Context) (message.Key, error)
	// Find returns the key of an id; false if there is none, or none any more.
	Find(ctx context.Context, id int) (message.Key, bool, error)
}

// labels are the attributes that carry a state. A record has one of them at most; the first counts.
var labels = []string{message.RetryAttribute, message.OwedAttribute}

// labelOf returns the attribute that carries a record's state, and its value; false if the record makes its first
// attempt.
func labelOf(r *Record) (name, label string, ok bool) {
	for _, name := range labels {
		if a, ok := r.Attributes[name]; ok {
			return name, aws.ToString(a.StringValue), true
		}
	}
	return "", "", false
}

// open reads a record. Its state counts only if send wrote it; otherwise any producer could move metrics and receipts,
// or withhold a message from some of its users. An error means that the record must go back to the queue, since the
// keys can't be read.
func (d *Deliverer) open(ctx context.Context, r *Record) (*job, error) {
	name, label, ok := labelOf(r)
	if !ok {
		return open(r, time.Now()), nil
	}
	genuine, err := d.genuine(ctx, r, name, label)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the key of %s: %w", name, err)
	case !genuine:
		return &job{
			record: r, state: firstState(r),
			rejection: message.Reject(message.ReasonBadFollowUp, name+" has no seal of this stack, or that of another message"),
		}, nil
	}
	return open(r, time.Now()), nil
}

// genuine reports whether send sealed this label for this record.
func (d *Deliverer) genuine(ctx context.Context, r *Record, name, label string) (bool, error) {
	id, ok := message.KeyOf(label)
	if !ok {
		return false, nil
	}
	key, ok, err := d.Keys.Find(ctx, id)
	if err != nil || !ok {
		return false, err
	}
	return key.Sealed(name, label, r.Body, r.Attributes[message.BodyAttribute].BinaryValue), nil
}

// seal seals the state of a record that goes to a queue. A record without a state needs no key.
func (d *Deliverer) seal(ctx context.Context, in *sqs.SendMessageInput) error {
	for _, name := range labels {
		label, ok := in.MessageAttributes[name]
		if !ok {
			continue
		}
		key, err := d.Keys.Current(ctx)
		if err != nil {
			return fmt.Errorf("reading the key for %s: %w", name, err)
		}
		aside := in.MessageAttributes[message.BodyAttribute].BinaryValue
		in.MessageAttributes[name] = stringAttribute(key.Seal(name, *label.StringValue, *in.MessageBody, aside))
	}
	return nil
}

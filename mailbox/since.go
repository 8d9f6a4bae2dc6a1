package mailbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"heliograph"
	"heliograph/message"
	"heliograph/observability"
	"heliograph/observability/catalogue"
)

const (
	// settledAfter is how long ago a number must have been taken for nothing to be written at its position any more. A
	// function that writes lives for half a minute; the rest allows for clocks that differ.
	settledAfter = 5 * time.Minute
	// patience is how long a reader waits for the writers of empty positions before it fills them.
	patience = 100 * time.Millisecond
)

// Kept is a message that was kept, with the cursor of its position.
type Kept struct {
	Message
	Cursor string
}

// Live is where a reader stands that has received all that was kept for its user.
type Live struct {
	Cursor string
	// Reset says that the reader's cursor is unknown, or that something kept since then is no longer there.
	Reset bool
}

// reading is one call of Since.
type reading struct {
	*Store
	user  heliograph.UserID
	head  headItem
	next  int64 // the first position that has not been decided
	gone  bool  // a message was there that counts no more, or may have been
	tried bool  // has waited for slow writers
}

// Since passes everything that was kept for a user after a cursor to visit, in order and by pages, and returns where the reader
// stands then. An empty cursor means all that is kept. Whatever is kept after that call has begun, and is not passed on, has a
// position after the one returned. A reader that has missed nothing costs one read unit.
func (s *Store) Since(ctx context.Context, user heliograph.UserID, cursor string, visit func([]Kept) error) (Live, error) {
	head, err := s.readHead(ctx, user)
	if err != nil {
		return Live{}, fmt.Errorf("read the head of a mailbox: %w", err)
	}
	from, known := s.begin(head, cursor)
	if head.Last == 0 {
		return Live{Cursor: fmt.Sprintf("%s.%d", none, s.now().Unix()), Reset: cursor != "" && !known}, nil
	}
	r := &reading{Store: s, user: user, head: head, next: max(from, head.Last-s.limit.Messages) + 1, gone: from < head.Last-s.limit.Messages}
	if r.next <= head.Last {
		if err := r.read(ctx, visit); err != nil {
			return Live{}, fmt.Errorf("read a mailbox: %w", err)
		}
	}
	return Live{Cursor: cursorOf(head.Mailbox, head.Last), Reset: cursor != "" && (!known || r.gone)}, nil
}

// readHead reads the head of a user's mailbox; the zero head if there is none.
func (s *Store) readHead(ctx context.Context, user heliograph.UserID) (head headItem, err error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: keyOf(user, headKey), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return headItem{}, err
	}
	return head, attributevalue.UnmarshalMap(out.Item, &head)
}

// begin returns the position after which a cursor begins, 0 if that is unknown. A cursor from when the user had no mailbox
// begins the one that was opened since: within this time, it can't be the second.
func (s *Store) begin(head headItem, cursor string) (from int64, known bool) {
	mailbox, position, ok := parseCursor(cursor)
	switch {
	case ok && mailbox == none:
		return 0, s.now().Sub(time.Unix(position, 0)) < message.MaxKeep
	case ok && mailbox == head.Mailbox && position <= head.Last:
		return position, true
	}
	return 0, false
}

// read passes on what stands from the next position to the last.
func (r *reading) read(ctx context.Context, visit func([]Kept) error) error {
	pages := dynamodb.NewQueryPaginator(r.db, &dynamodb.QueryInput{
		TableName: &r.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:   aws.String("#pk = :user AND #sk BETWEEN :next AND :last"),
		ExpressionAttributeNames: map[string]string{"#pk": "pk", "#sk": "sk"},
		ExpressionAttributeValues: item{
			":user": text(partition(r.user)),
			":next": text(positionKey(r.head.Mailbox, r.next)), ":last": text(positionKey(r.head.Mailbox, r.head.Last)),
		},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		var items []positionItem
		if err := attributevalue.UnmarshalListOfMaps(page.Items, &items); err != nil {
			return err
		}
		if err := r.pass(ctx, items, !pages.HasMorePages(), visit); err != nil {
			return err
		}
	}
	return nil
}

// pass decides the positions of a page, and of all behind it if it is the last, and passes on the messages.
func (r *reading) pass(ctx context.Context, items []positionItem, last bool, visit func([]Kept) error) error {
	var all []Kept
	for _, i := range items {
		between, err := r.decide(ctx, i.position(), i)
		if err != nil {
			return err
		}
		all = r.append(all, append(between, i)...)
		r.next = i.position() + 1
	}
	if last {
		rest, err := r.decide(ctx, r.head.Last+1, positionItem{Before: r.head.At})
		if err != nil {
			return err
		}
		all = r.append(all, rest...)
	}
	if len(all) == 0 {
		return nil
	}
	return visit(all)
}

// decide makes sure that nothing will be written at the empty positions before end, and returns what stands there then, as far
// as anything does. above is the item at end, which knows when the number before it was taken. Positions whose numbers were
// taken long ago have had a message, which has expired, or never will have one.
func (r *reading) decide(ctx context.Context, end int64, above positionItem) (found []positionItem, err error) {
	for position := end - 1; position >= r.next; position-- {
		if r.now().Sub(time.UnixMilli(above.Before)) > settledAfter {
			r.gone = true
			break
		}
		if above, err = r.fill(ctx, position, above); err != nil {
			return nil, err
		}
		found = append(found, above)
	}
	slices.Reverse(found)
	return found, nil
}

// fill fills a position with nothing, unless its writer is faster, and returns what stands there then. Below nothing, it is not
// known when a number was taken, but only that it was before the one above: a message may have stood there, and expired.
func (r *reading) fill(ctx context.Context, position int64, above positionItem) (positionItem, error) {
	if !r.tried {
		r.tried = true
		if err := r.sleep(ctx, patience); err != nil {
			return positionItem{}, err
		}
	}
	there, err := r.put(ctx, r.user, r.head.Mailbox, position, positionItem{
		Nothing: true, Gone: above.Nothing, Before: above.Before, TTL: after(r.now(), memory),
	})
	if err == nil && there.Nothing {
		observability.Add(ctx, catalogue.PositionsFilled, 1)
	}
	return there, err
}

// append appends the messages among some items that still count.
func (r *reading) append(all []Kept, items ...positionItem) []Kept {
	for _, i := range items {
		switch {
		case i.Nothing:
			r.gone = r.gone || i.Gone
		case r.now().UnixMilli() >= i.Expires, r.head.Bytes-i.Bytes+int64(len(i.Body)) > r.limit.Bytes:
			r.gone = true
		default:
			all = append(all, i.kept())
		}
	}
	return all
}

func (i positionItem) kept() Kept {
	m := Message{ID: i.ID, Expires: time.UnixMilli(i.Expires), Body: i.Body, Value: i.Value}
	if i.SentAt > 0 {
		m.SentAt = time.UnixMilli(i.SentAt)
	}
	mailbox, _, _ := strings.Cut(i.SK, "#")
	return Kept{Message: m, Cursor: cursorOf(mailbox, i.position())}
}

// sleep waits, or returns the context's error if the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

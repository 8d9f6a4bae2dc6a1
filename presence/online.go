package presence

import (
	"context"
	"fmt"
	"math"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"heliograph"
	"heliograph/observability"
)

const (
	// MaxPage is the largest page of the online list that a caller may request.
	MaxPage = 1000
	// maxPageBytes bounds a page, in the index and in the answer: one page of a DynamoDB query.
	maxPageBytes = 1 << 20
)

// Page is a part of the list of online users, by shard and then by user id.
type Page struct {
	Users []Status
	Next  string // cursor of the next page; empty if this is the last
}

// Online returns a page of the users who are online: at most limit, 1 to MaxPage, or as many as 1 MB allows with a
// limit of 0. It starts after the previous page's cursor, or at the beginning with an empty one. It returns an
// *InvalidError for a bad limit or cursor.
//
// The list is read from the index, so it lags a little behind. A user who is online from the first page to the last is
// listed exactly once. The last page may be empty.
func (s *Store) Online(ctx context.Context, limit int, cursor string) (Page, error) {
	return s.OnlineIn(ctx, 0, limit, cursor)
}

// OnlineIn is Online for the users of one shard, 1 to Shards, so that several callers can share the list; shard 0 is the
// whole list. A cursor belongs to the shard whose page it came with.
func (s *Store) OnlineIn(ctx context.Context, number, limit int, cursor string) (Page, error) {
	if limit < 0 || limit > MaxPage {
		return Page{}, &InvalidError{Field: "limit", Reason: fmt.Sprintf("is not from 1 to %d", MaxPage)}
	}
	after, err := decodeCursor(cursor)
	if err != nil {
		return Page{}, err
	}
	f := filler{store: s, left: limit, bytes: maxPageBytes, first: 0, end: Shards}
	if number > 0 {
		f.first, f.end = number-1, number
	}
	if after != "" {
		f.first = shard(string(after))
	}
	if number > 0 && f.first != number-1 {
		return Page{}, &InvalidError{Field: "cursor", Reason: fmt.Sprintf("is not one of shard %d", number)}
	}
	if limit == 0 {
		f.left = math.MaxInt32
	}
	return observability.Trace(ctx, "presence.online", func(ctx context.Context) (Page, error) {
		err := f.fill(ctx, after)
		return f.page, err
	})
}

// filler fills one page, shard after shard.
type filler struct {
	store *Store
	page  Page
	left  int // how many more users fit
	bytes int // how many more bytes fit

	first, end int // the shards, from first to before end
}

func (f *filler) full() bool { return f.left <= 0 || f.bytes <= 0 }

// fill starts after a user, in the first shard, or at its beginning without one.
func (f *filler) fill(ctx context.Context, after heliograph.UserID) error {
	for number := f.first; number < f.end; number++ {
		more, err := f.fillFrom(ctx, number, after)
		if err != nil {
			return err
		}
		// If a page ends together with its shard, others may have more: only the last shard is sure to be the end.
		if more || (f.full() && number < f.end-1) {
			f.page.Next = encodeCursor(f.page.Users[len(f.page.Users)-1].User)
			return nil
		}
		after = ""
	}
	return nil
}

// fillFrom adds the users of one shard after a user, and reports whether some no longer fit.
func (f *filler) fillFrom(ctx context.Context, number int, after heliograph.UserID) (more bool, err error) {
	for {
		out, err := f.store.db.Query(ctx, f.query(number, after))
		if err != nil {
			return false, fmt.Errorf("query online users: %w", err)
		}
		var found []presenceItem
		if err := attributevalue.UnmarshalListOfMaps(out.Items, &found); err != nil {
			return false, fmt.Errorf("decode online users: %w", err)
		}
		for i, one := range found {
			after = heliograph.UserID(one.GSK)
			f.add(after)
			if f.full() {
				return i < len(found)-1 || out.LastEvaluatedKey != nil, nil
			}
		}
		if out.LastEvaluatedKey == nil {
			return false, nil
		}
	}
}

func (f *filler) add(user heliograph.UserID) {
	f.page.Users = append(f.page.Users, Status{User: user, Online: true, LastActivity: f.store.clock.Now()})
	f.left--
	f.bytes -= entryBytes(user)
}

// entryBytes is the size of a user's entry: the larger of what DynamoDB counts for the four keys in the index and what
// the contract's JSON takes, ignoring escaped characters.
func entryBytes(user heliograph.UserID) int {
	const keys = len("pk" + userPrefix + "sk" + presenceKey + "gpk" + "online#00" + "gsk")
	const entry = len(`{"UserId":"","IsOnline":true,"LastActivity":"2026-01-02T03:04:05.678Z"},`)
	return max(keys+2*len(user), entry+len(user))
}

// query requests no more than fits. It continues by key rather than by the last page's end, since the user whom the
// cursor names may be gone.
func (f *filler) query(number int, after heliograph.UserID) *dynamodb.QueryInput {
	q := &dynamodb.QueryInput{
		TableName: &f.store.table, IndexName: aws.String(Index),
		Limit:                     aws.Int32(int32(min(f.left, f.bytes/entryBytes("1")+1))), // a page's bytes bound it
		KeyConditionExpression:    aws.String("#gpk = :shard"),
		ExpressionAttributeNames:  names("gpk"),
		ExpressionAttributeValues: item{":shard": text(onlinePartition(number))},
	}
	if after != "" {
		q.KeyConditionExpression = aws.String("#gpk = :shard AND #gsk > :after")
		q.ExpressionAttributeNames = names("gpk", "gsk")
		q.ExpressionAttributeValues[":after"] = text(string(after))
	}
	return q
}

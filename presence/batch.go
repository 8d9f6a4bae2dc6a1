package presence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	// batchSize is how many keys DynamoDB takes in one BatchGetItem.
	batchSize = 100
	// batchTries is how often keys are asked for that DynamoDB leaves out, and batchPause the pause after
	// the first try; it doubles each time, to 3 seconds in all.
	batchTries = 7
	batchPause = 25 * time.Millisecond
)

// errUnprocessed tells that DynamoDB left out keys each time they were asked for.
var errUnprocessed = errors.New("the table is too busy: keys stayed unprocessed")

// batchGet reads items by their keys, which must differ from each other, and hands them to visit in no
// particular order. Keys without an item are left out.
func (s *Store) batchGet(ctx context.Context, keys []item, consistent bool, visit func(item) error) error {
	for chunk := range slices.Chunk(keys, batchSize) {
		if err := s.batchGetChunk(ctx, chunk, consistent, visit); err != nil {
			return fmt.Errorf("batch get: %w", err)
		}
	}
	return nil
}

// batchGetChunk asks again for what DynamoDB left out, as it may when the answer gets over 16 MB or the
// table is throttled.
func (s *Store) batchGetChunk(ctx context.Context, keys []item, consistent bool, visit func(item) error) error {
	for try := range batchTries {
		if err := s.pause(ctx, try); err != nil {
			return err
		}
		out, err := s.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{
				s.table: {Keys: keys, ConsistentRead: aws.Bool(consistent)},
			},
		})
		if err != nil {
			return err
		}
		for _, i := range out.Responses[s.table] {
			if err := visit(i); err != nil {
				return err
			}
		}
		keys = out.UnprocessedKeys[s.table].Keys
		if len(keys) == 0 {
			return nil
		}
	}
	return errUnprocessed
}

// pause waits before another try; half of the wait is by chance, so that those who were turned away
// together do not come back together.
func (s *Store) pause(ctx context.Context, try int) error {
	if try == 0 {
		return nil
	}
	wait := batchPause << (try - 1)
	return s.clock.Sleep(ctx, wait+rand.N(wait))
}

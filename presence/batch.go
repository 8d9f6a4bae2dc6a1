package presence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	// batchSize is the number of keys that one BatchGetItem accepts.
	batchSize = 100
	// batchTries bounds the requests for keys that DynamoDB leaves unprocessed. batchPause is the pause after the first
	// try; it doubles each time, to 3 seconds in all.
	batchTries = 7
	batchPause = 25 * time.Millisecond
)

// errUnprocessed: DynamoDB left keys unprocessed on every try.
var errUnprocessed = errors.New("the table is too busy: keys stayed unprocessed")

// batchGet reads items by key, whole or in the manner's attributes, and passes them to visit in no particular order. The
// keys must be distinct; keys without an item are skipped. The manner's own keys are not looked at.
func (s *Store) batchGet(ctx context.Context, keys []item, manner types.KeysAndAttributes, visit func(item) error) error {
	for chunk := range slices.Chunk(keys, batchSize) {
		if err := s.batchGetChunk(ctx, chunk, manner, visit); err != nil {
			return fmt.Errorf("batch get: %w", err)
		}
	}
	return nil
}

// batchGetChunk requests again the keys that DynamoDB left out, as it may when the response exceeds 16 MB or the table
// is throttled.
func (s *Store) batchGetChunk(ctx context.Context, keys []item, manner types.KeysAndAttributes, visit func(item) error) error {
	for try := range batchTries {
		if err := s.pause(ctx, try); err != nil {
			return err
		}
		manner.Keys = keys
		out, err := s.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{s.table: manner},
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

// pause waits before another try. Half of the wait is random, so that callers throttled together do not return
// together.
func (s *Store) pause(ctx context.Context, try int) error {
	if try == 0 {
		return nil
	}
	wait := batchPause << (try - 1)
	return s.clock.Sleep(ctx, wait+rand.N(wait))
}

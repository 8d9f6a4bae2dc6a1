package presence_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph/presence"
)

// smallPages is a table whose queries return three items a page.
type smallPages struct{ presence.DynamoDB }

func (p smallPages) Query(ctx context.Context, in *api.QueryInput, o ...func(*api.Options)) (*api.QueryOutput, error) {
	small := *in
	small.Limit = aws.Int32(3)
	return p.DynamoDB.Query(ctx, &small, o...)
}

// exactEnds is a table whose queries report the end as soon as nothing follows. DynamoDB may report it one page later.
type exactEnds struct{ presence.DynamoDB }

func (e exactEnds) Query(ctx context.Context, in *api.QueryInput, o ...func(*api.Options)) (*api.QueryOutput, error) {
	out, err := e.DynamoDB.Query(ctx, in, o...)
	if err != nil || out.LastEvaluatedKey == nil {
		return out, err
	}
	more := *in
	more.ExclusiveStartKey = out.LastEvaluatedKey
	rest, err := e.DynamoDB.Query(ctx, &more, o...)
	if err == nil && len(rest.Items) == 0 {
		out.LastEvaluatedKey = nil
	}
	return out, err
}

// slowTable is a table whose batches take a second.
type slowTable struct {
	presence.DynamoDB
	clock *clock
}

func (s slowTable) BatchGetItem(ctx context.Context, in *api.BatchGetItemInput, o ...func(*api.Options)) (*api.BatchGetItemOutput, error) {
	s.clock.advance(time.Second)
	return s.DynamoDB.BatchGetItem(ctx, in, o...)
}

// busyTable is a table that answers for only a few keys of a batch.
type busyTable struct {
	presence.DynamoDB
	serves int
	asked  []int // how many keys each call asked for
}

func (b *busyTable) BatchGetItem(ctx context.Context, in *api.BatchGetItemInput, o ...func(*api.Options)) (*api.BatchGetItemOutput, error) {
	wanted := in.RequestItems[tableName]
	b.asked = append(b.asked, len(wanted.Keys))
	if b.serves >= len(wanted.Keys) {
		return b.DynamoDB.BatchGetItem(ctx, in, o...)
	}
	left := wanted
	left.Keys = slices.Clone(wanted.Keys[b.serves:])
	unprocessed := map[string]types.KeysAndAttributes{tableName: left}
	if b.serves == 0 {
		return &api.BatchGetItemOutput{UnprocessedKeys: unprocessed}, nil
	}
	some := *in
	some.RequestItems = maps.Clone(in.RequestItems)
	wanted.Keys = wanted.Keys[:b.serves]
	some.RequestItems[tableName] = wanted
	out, err := b.DynamoDB.BatchGetItem(ctx, &some, o...)
	if err == nil {
		out.UnprocessedKeys = unprocessed
	}
	return out, err
}

// flakyTable is a table that answers no call after a number of them: the calling function is dead.
type flakyTable struct {
	presence.DynamoDB
	mu      sync.Mutex
	calls   int
	failsAt int
}

func (f *flakyTable) dead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	return f.calls > f.failsAt
}

func (f *flakyTable) UpdateItem(ctx context.Context, in *api.UpdateItemInput, o ...func(*api.Options)) (*api.UpdateItemOutput, error) {
	if f.dead() {
		return nil, errDead
	}
	return f.DynamoDB.UpdateItem(ctx, in, o...)
}

func (f *flakyTable) DeleteItem(ctx context.Context, in *api.DeleteItemInput, o ...func(*api.Options)) (*api.DeleteItemOutput, error) {
	if f.dead() {
		return nil, errDead
	}
	return f.DynamoDB.DeleteItem(ctx, in, o...)
}

func (f *flakyTable) GetItem(ctx context.Context, in *api.GetItemInput, o ...func(*api.Options)) (*api.GetItemOutput, error) {
	if f.dead() {
		return nil, errDead
	}
	return f.DynamoDB.GetItem(ctx, in, o...)
}

func (f *flakyTable) Query(ctx context.Context, in *api.QueryInput, o ...func(*api.Options)) (*api.QueryOutput, error) {
	if f.dead() {
		return nil, errDead
	}
	return f.DynamoDB.Query(ctx, in, o...)
}

// refusingUpdates is a table that answers all updates with an error.
type refusingUpdates struct{ presence.DynamoDB }

func (refusingUpdates) UpdateItem(context.Context, *api.UpdateItemInput, ...func(*api.Options)) (*api.UpdateItemOutput, error) {
	return nil, &types.InternalServerError{}
}

// wrongTable is a table that breaks the store.
type wrongTable struct {
	presence.DynamoDB
	update func(*api.UpdateItemInput)
	status func(before, now *api.BatchGetItemOutput) *api.BatchGetItemOutput
	left   func(*api.QueryOutput)

	mu     sync.Mutex
	before *api.BatchGetItemOutput // the last answer
}

func (w *wrongTable) UpdateItem(ctx context.Context, in *api.UpdateItemInput, o ...func(*api.Options)) (*api.UpdateItemOutput, error) {
	if w.update != nil {
		w.update(in)
	}
	return w.DynamoDB.UpdateItem(ctx, in, o...)
}

func (w *wrongTable) Query(ctx context.Context, in *api.QueryInput, o ...func(*api.Options)) (*api.QueryOutput, error) {
	out, err := w.DynamoDB.Query(ctx, in, o...)
	if w.left != nil && err == nil {
		w.left(out)
	}
	return out, err
}

func (w *wrongTable) BatchGetItem(ctx context.Context, in *api.BatchGetItemInput, o ...func(*api.Options)) (*api.BatchGetItemOutput, error) {
	out, err := w.DynamoDB.BatchGetItem(ctx, in, o...)
	if w.status == nil || err != nil {
		return out, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.before
	w.before = out
	return w.status(before, out), nil
}

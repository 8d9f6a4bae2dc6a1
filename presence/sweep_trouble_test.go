package presence_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gateway "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph"
	"heliograph/observability"
	"heliograph/presence"
)

// troubledTable is a table on which some calls fail.
type troubledTable struct {
	presence.DynamoDB
	query func(*api.QueryInput) error
	batch func(*api.BatchGetItemInput, *api.BatchGetItemOutput)
	hangs bool // updates hang until the caller's context ends
}

func (d troubledTable) Query(ctx context.Context, in *api.QueryInput, o ...func(*api.Options)) (*api.QueryOutput, error) {
	if d.query != nil {
		if err := d.query(in); err != nil {
			return nil, err
		}
	}
	return d.DynamoDB.Query(ctx, in, o...)
}

func (d troubledTable) BatchGetItem(ctx context.Context, in *api.BatchGetItemInput, o ...func(*api.Options)) (*api.BatchGetItemOutput, error) {
	out, err := d.DynamoDB.BatchGetItem(ctx, in, o...)
	if d.batch != nil && err == nil {
		d.batch(in, out)
	}
	return out, err
}

func (d troubledTable) UpdateItem(ctx context.Context, in *api.UpdateItemInput, o ...func(*api.Options)) (*api.UpdateItemOutput, error) {
	if d.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return d.DynamoDB.UpdateItem(ctx, in, o...)
}

// ghosts connects users whose connections are not alive.
func (w *world) ghosts(t tb, n int) {
	t.Helper()
	for i := range n {
		w.connect(t, heliograph.UserID(fmt.Sprintf("u%04d", i)), heliograph.ConnectionID(fmt.Sprintf("c%04d", i)))
	}
}

// sweepOver sweeps the world's table through a troubled one.
func (w *world) sweepOver(ctx context.Context, db presence.DynamoDB) error {
	options := presence.SweepOptions{Lease: lease, Rate: 1000}
	return presence.NewSweeper(presence.NewStore(db, tableName, w), w.sockets, options).Sweep(ctx)
}

// TestSweepPassesOverTrouble proves that a due connection that can't be read is an error, is still due, and keeps the
// sweep from no other.
func TestSweepPassesOverTrouble(t *testing.T) {
	t.Parallel()
	const ghosts = 150 // more than a batch holds
	throttled := &types.ProvisionedThroughputExceededException{}
	ofUser := func(key item, user string) bool {
		return key["pk"].(*types.AttributeValueMemberS).Value == "user#"+user
	}
	tests := map[string]struct {
		trouble troubledTable
		left    int // ghosts after the first sweep; -1: those of a shard
	}{
		"a shard is throttled": {troubledTable{query: func(in *api.QueryInput) error {
			if shard, ok := in.ExpressionAttributeValues[":shard"].(*types.AttributeValueMemberS); ok && shard.Value == "lease#03" {
				return throttled
			}
			return nil
		}}, -1},
		"a user is throttled": {troubledTable{batch: func(in *api.BatchGetItemInput, out *api.BatchGetItemOutput) {
			isHot := func(i item) bool { return ofUser(i, "u0007") }
			asked := in.RequestItems[tableName]
			if asked.Keys = slices.DeleteFunc(slices.Clone(asked.Keys), func(i item) bool { return !isHot(i) }); len(asked.Keys) > 0 {
				out.Responses[tableName] = slices.DeleteFunc(out.Responses[tableName], isHot)
				out.UnprocessedKeys = map[string]types.KeysAndAttributes{tableName: asked}
			}
		}}, 1},
		"an item is none of ours": {troubledTable{batch: func(_ *api.BatchGetItemInput, out *api.BatchGetItemOutput) {
			for _, i := range out.Responses[tableName] {
				if ofUser(i, "u0007") {
					i["connectedAt"] = text("yesterday")
				}
			}
		}}, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.ghosts(t, ghosts)
			w.connect(t, "alive", "alive")
			w.sockets.open("alive")
			w.advance(time.Minute)
			test.trouble.DynamoDB = w.db
			if err := w.sweepOver(t.Context(), test.trouble); err == nil {
				t.Error("nobody was told of the trouble")
			}
			left := len(w.listed(t, 0)) - 1
			if test.left >= 0 && left != test.left || left == 0 || left > ghosts/8 {
				t.Errorf("%d ghosts are left", left)
			}
			w.sweep(t) // the trouble is over
			same(t, "online", w.listed(t, 0), []heliograph.UserID{"alive"})
		})
	}
}

// TestSweepKeepsTimeWithoutCalls proves that a sweep keeps to its time even if the index lists thousands of connections
// that are gone, which takes no calls to discover, only time.
func TestSweepKeepsTimeWithoutCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ghosts(t, 600)
	w.advance(time.Minute)
	lagging := troubledTable{DynamoDB: slowTable{w.db, w.clock}, batch: func(_ *api.BatchGetItemInput, out *api.BatchGetItemOutput) {
		clear(out.Responses)
	}}
	deadline := w.Now().Add(5 * time.Second)
	counted := emitted(t, "sweep", func(ctx context.Context) error { return w.sweepOver(until{ctx, deadline}, lagging) })
	if left := deadline.Sub(w.Now()); left < time.Second || counted["SweepBacklog"] != 600 {
		t.Errorf("%v were left to count; counted %v", left, counted)
	}
}

// TestSweepOfHangingTable proves that a hanging table leaves time to count, and the affected connections are reported
// as still due.
func TestSweepOfHangingTable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.now = time.Now()
		for i := range 100 { // more than are looked at at once
			id := heliograph.ConnectionID(fmt.Sprint("c", i))
			w.connect(t, heliograph.UserID(fmt.Sprint("u", i)), id)
			w.sockets.open(id)
		}
		time.Sleep(time.Minute)
		store := presence.NewStore(troubledTable{DynamoDB: w.db, hangs: true}, tableName, nil)
		sweeper := presence.NewSweeper(store, w.sockets, presence.SweepOptions{Lease: lease, Rate: 1000})
		var swept error
		counted := emitted(t, "sweep", func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 50*time.Second)
			defer cancel()
			swept = sweeper.Sweep(ctx)
			return ctx.Err()
		})
		if swept == nil || !strings.Contains(swept.Error(), "deadline") {
			t.Errorf("sweep: %v", swept)
		}
		same(t, "counted", counted, map[string]float64{"ActiveConnections": 100, "OnlineUsers": 100, "SweepBacklog": 100})
	})
}

// watchedSockets is a gateway that checks, at its first call, what has been written.
type watchedSockets struct {
	presence.Gateway
	written *bytes.Buffer
	first   string
}

func (w *watchedSockets) GetConnection(ctx context.Context, in *gateway.GetConnectionInput, o ...func(*gateway.Options)) (*gateway.GetConnectionOutput, error) {
	w.first = w.written.String()
	return w.Gateway.GetConnection(ctx, in, o...)
}

// TestSweepWritesGaugesAtOnce proves that the gauges are written before the first connection is looked at, so a run
// that is killed later loses nothing.
func TestSweepWritesGaugesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ghosts(t, 1)
	w.advance(time.Minute)
	var written bytes.Buffer
	sockets := &watchedSockets{Gateway: w.sockets, written: &written}
	sweeper := presence.NewSweeper(w.store, sockets, presence.SweepOptions{Lease: lease, Rate: 1000})
	f := observability.New("sweep", observability.Settings{Stage: "test"}, &written)
	_, err := observability.Wrap(f, func(ctx context.Context, _ struct{}) (struct{}, error) { return struct{}{}, sweeper.Sweep(ctx) })(t.Context(), struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	for _, gauge := range []string{`"ActiveConnections":1`, `"OnlineUsers":1`} {
		if !strings.Contains(sockets.first, gauge) {
			t.Errorf("%s is not written when the first connection is looked at: %s", gauge, sockets.first)
		}
	}
}

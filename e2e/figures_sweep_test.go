package e2e

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"heliograph/simulator/fault"
)

// figureSweeps measures the sweep. Its parts run in parallel, each on a stack of its own, because they mostly wait
// for the next minute. Their results do not depend on the speed of the machine.
func figureSweeps(t *testing.T) {
	for name, figure := range map[string]func(*testing.T){
		"budget": func(t *testing.T) { figureBacklog(t, 200, 100_000) },
		"memory": func(t *testing.T) { figureBacklog(t, 5000, 50_000) }, // more than one run can verify
		"gauges": figureGauges, "ghosts": figureGhosts,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			figure(t)
		})
	}
}

// figureBacklog measures sweeps of many connections whose lease has ended, as after an hour without sweeps. Most of
// them are ghosts; the live ones must stay.
func figureBacklog(t *testing.T, rate, due int) {
	b := newBacklog(t, rate, due)
	began := b.now(t)
	first := b.run(t, began, func(now observed) bool { return now.runs > began.runs })
	report(t, b.name("GetConnection calls, most in 20 s"), mostIn(first, 20*time.Second), float64(rate)*1.02, "/s")
	last := first[len(first)-1]
	report(t, b.name("a sweep takes"), last.longest.Seconds(), 50, "s")
	report(t, b.name("peak memory of sweep"), last.peak, 128, "MB")
	t.Logf("the first run looked at %d connections, closed %.0f and renewed %.0f", last.looks-began.looks, last.closed, last.renewed)
	if last.looks < 1000 || last.looks-began.looks != int(last.closed+last.renewed) {
		t.Error("that is too few, or some were looked at in vain")
	}
	b.checkProgress(t, last.looks, perSecond)
	if last.looks == b.size {
		return // no connection is left for another run
	}
	second := b.run(t, last, func(now observed) bool {
		return now.runs > last.runs || now.looks >= min(b.size, last.looks+10*rate, 2*last.looks)
	})
	b.checkProgress(t, second[len(second)-1].looks, perSecond+inFlight)
	b.checkAlive(t)
	if failed := b.metric(t, "Errors", "FunctionName=heliograph-local-sweep").Sum - began.errors; failed > 0 {
		t.Errorf("the sweep failed %.0f times", failed)
	}
}

const (
	// perSecond is how many leases of a backlog end in the same second; their order within it is undefined.
	perSecond = 25
	// inFlight is the most GetConnection calls that a sweep may have begun and not finished: those of an eighth of a
	// second.
	inFlight = 160
)

// backlog is a stack with many connections for the sweep to verify.
type backlog struct {
	seeder
	watched
	rate, size int
	oldest     time.Time         // when the first of the leases ended
	alive      []context.Context // one per live connection, done when its socket closes
	ids        []string          // of the live connections
}

func newBacklog(t *testing.T, rate, due int) *backlog {
	t.Helper()
	const alive, devices = 1_000, 5
	ghosts := due - alive
	_, endpoints := startStack(t, "--config", fmt.Sprint("sweepRate=", rate))
	b := &backlog{
		seeder: newSeeder(t, newLoad(t, endpoints)), watched: watch(t, endpoints), rate: rate, size: due,
		oldest: time.Now().Add(-90 * time.Minute).Truncate(time.Second),
	}
	b.holdOffAnnounce(t)
	late := b.holdOffSweep(t)
	b.open(t, alive)
	b.fill(t, ghosts/devices, func(i int) item { return b.online(userNumber(i)) })
	b.fill(t, ghosts, func(i int) item {
		place := i + min(alive, i/8+1) // every ninth of the first places is a live connection
		return b.connected(userNumber(i/devices), fmt.Sprintf("Ghost%09dQ=", i), b.ended(place))
	})
	b.remove(t, late)
	return b
}

func (b *backlog) name(what string) string {
	return fmt.Sprintf("%s, %d due, sweepRate %d", what, b.size, b.rate)
}

// ended returns when the lease at a place of the backlog ended.
func (b *backlog) ended(place int) time.Time {
	return b.oldest.Add(time.Duration(place/perSecond) * time.Second)
}

// open opens live connections, and sets their leases to end among the first of the backlog.
func (b *backlog) open(t *testing.T, n int) {
	t.Helper()
	b.alive, b.ids = make([]context.Context, n), make([]string, n)
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for i := range n {
		group.Go(func() (err error) {
			user := fmt.Sprint("alive-", i)
			b.alive[i] = b.connect(t, user).CloseRead(context.Background())
			b.ids[i], err = b.endLease(ctx, user, b.ended(9*i))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// endLease moves the end of the lease of a user's only connection, and returns the connection's id.
func (b *backlog) endLease(ctx context.Context, user string, ends time.Time) (string, error) {
	key, err := b.connectionOf(ctx, user)
	if err != nil {
		return "", err
	}
	id := strings.TrimPrefix(textOf(key["sk"]), "conn#")
	_, err = b.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &b.endpoints.TableName, Key: key, UpdateExpression: aws.String("SET gsk = :ends"),
		ExpressionAttributeValues: item{":ends": text(leaseKey(id, ends))},
	})
	return id, err
}

// checkProgress proves that exactly the oldest connections were verified, one for each call: none was passed over, and
// none was verified twice.
func (b *backlog) checkProgress(t *testing.T, looks, slack int) {
	t.Helper()
	next := math.MaxInt
	for shard := range 16 {
		out, err := b.db.Query(t.Context(), &dynamodb.QueryInput{
			TableName: &b.endpoints.TableName, IndexName: aws.String("gsi1"), Limit: aws.Int32(1),
			KeyConditionExpression: aws.String("gpk = :shard"), ExpressionAttributeValues: item{":shard": text(fmt.Sprintf("lease#%02d", shard))},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range out.Items {
			ends, _, _ := strings.Cut(textOf(i["gsk"]), "#")
			seconds, err := strconv.ParseInt(ends, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			next = min(next, int(seconds-b.oldest.Unix())*perSecond)
		}
	}
	if next < looks-slack || next > looks+slack && looks < b.size {
		t.Errorf("after %d looks the oldest that is due is number %d", looks, next)
	}
}

// checkAlive proves that each live connection that was verified is still open, both at its socket and in the table.
func (b *backlog) checkAlive(t *testing.T) {
	t.Helper()
	renewed := 0
	for i, socket := range b.alive {
		if socket.Err() != nil {
			t.Errorf("the socket of alive-%d was closed", i)
		}
		out, err := b.db.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: &b.endpoints.TableName, Key: item{"pk": text(fmt.Sprint("user#alive-", i)), "sk": text("conn#" + b.ids[i])},
		})
		if err != nil {
			t.Fatal(err)
		}
		if out.Item == nil {
			t.Errorf("alive-%d was dropped", i)
		}
		if textOf(out.Item["gsk"]) > leaseKey("", time.Now()) {
			renewed++
		}
	}
	// The template's connection is also alive, and comes last.
	if looked := b.metric(t, "LeasesRenewed", "Stage=local").Sum; looked == 0 || renewed+1 < int(looked) {
		t.Errorf("%d connections that are alive have a new lease, %.0f were renewed by the runs that ended", renewed, looked)
	}
	t.Logf("%d of %d live connections were looked at, and all are still there", renewed, len(b.alive))
}

// figureGauges measures the cost of counting 100,000 connections. figureOnline, which has many users, measures the
// additional cost of users.
func figureGauges(t *testing.T) {
	const connections, users = 100_000, 1_000
	_, endpoints := startStack(t)
	s, w := newSeeder(t, newLoad(t, endpoints)), watch(t, endpoints)
	w.holdOffAnnounce(t)
	late := w.holdOffSweep(t)
	s.fill(t, users, func(i int) item { return s.online(userNumber(i)) })
	s.fill(t, connections, func(i int) item {
		return s.connected(userNumber(i%users), fmt.Sprintf("Alive%09dQ=", i), time.Now().Add(10*time.Minute))
	})
	w.remove(t, late)
	report(t, "gauges, 100,000 connections of 1,000 users", w.sweepCosts(t, connections+1, users+1), 1500, "read units")
}

// sweepCosts waits for a whole sweep, and returns the units that it read from the index. Its count must be right.
func (w watched) sweepCosts(t *testing.T, connections, users float64) float64 {
	t.Helper()
	const index = "GlobalSecondaryIndexName=gsi1 TableName=heliograph-local"
	time.Sleep(2 * time.Second) // consumed units show up after a second
	began, read := w.now(t), w.metric(t, "ConsumedReadCapacityUnits", index).Sum
	w.run(t, began, func(now observed) bool { return now.runs > began.runs })
	time.Sleep(2 * time.Second)
	for name, want := range map[string]float64{"ActiveConnections": connections, "OnlineUsers": users} {
		if got := w.metric(t, name, "Stage=local").Last; got != want {
			t.Errorf("%s is %.0f, want %.0f", name, got, want)
		}
	}
	return w.metric(t, "ConsumedReadCapacityUnits", index).Sum - read
}

// figureGhosts measures how long connections with a lost $disconnect stay, 30 in 100, and proves that the table is
// right afterwards.
func figureGhosts(t *testing.T) {
	const stay, leave = 100, 200
	_, endpoints := startStack(t, "--config", "connectionLease=1m")
	l, w := newLoad(t, endpoints), watch(t, endpoints)
	lost := w.inject(t, fault.Rule{Service: fault.Disconnect, Lost: true, Rate: 0.3})
	var leaving []*websocket.Conn
	truth := map[string]bool{}
	for i := range stay + leave {
		user := userNumber(i)
		socket := l.connect(t, user)
		if truth[user] = i < stay; i >= stay {
			leaving = append(leaving, socket)
		} else {
			socket.CloseRead(t.Context())
		}
	}
	began := time.Now()
	for _, socket := range leaving {
		if err := socket.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	const limit = 180 * time.Second // a lease of a minute and two sweeps
	patiently(t, limit+time.Minute, func() bool { return l.leases(t) == stay })
	report(t, "ghosts with 30 % of $disconnect lost, the last gone after", time.Since(began).Seconds(), limit.Seconds(), "s")
	ghosts := w.hits(t, lost)
	t.Logf("%d of %d connections became ghosts", ghosts, leave)
	if ghosts < leave/10 {
		t.Error("that proves little")
	}
	for user, want := range truth {
		if got, err := l.status(t.Context(), user); err != nil || got != want {
			t.Errorf("%s is told to be online: %t, %v; in truth: %t", user, got, err, want)
		}
	}
}

// leases counts the connections in the table.
func (l load) leases(t *testing.T) (n int) {
	t.Helper()
	db := dynamodb.NewFromConfig(l.config)
	for shard := range 16 {
		out, err := db.Query(t.Context(), &dynamodb.QueryInput{
			TableName: &l.endpoints.TableName, IndexName: aws.String("gsi1"), Select: types.SelectCount,
			KeyConditionExpression: aws.String("gpk = :shard"), ExpressionAttributeValues: item{":shard": text(fmt.Sprintf("lease#%02d", shard))},
		})
		if err != nil {
			t.Fatal(err)
		}
		n += int(out.Count)
	}
	return n
}

package presence_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"heliograph"
	"heliograph/presence"
	"heliograph/simulator/dynamodb"
)

// The model is what a caller may assume: a user is a set of open connections, and online while that set is not empty.
// Connect adds one, Disconnect removes one, Statuses reports whether there is any. It contains no epochs, items or
// order of writes, so it holds the store to its promise rather than its code. The rest follows from what the operations
// promise:
//
//   - An operation that succeeded took effect at one moment between its call and its return.
//   - A Disconnect that failed or died took effect at some moment after its call, or never: it may have died before
//     or after any of its writes, a write may land long after it ended, and the next function to look, for another
//     device or for the stream, finishes what it began. So it never returns: a checker may place it at infinity.
//   - A Connect that failed or died is such a Connect, together with a Disconnect of the same connection that never
//     returns either: its writes may keep the user online until its own clean-up or the sweep removes them. The
//     two count once each. So a dead function explains one spell of being online, and no more.
//   - Following the stream is no operation: it changes nothing that a caller may assume.
//   - A Disconnect concurrent with its own Connect, from a client that gave up when the connection was written,
//     explains two spells: until it deletes the connection, and from the Connect's second write until the stream's
//     consumer reverts that. Both are over when the stream has been followed.
//
// The histories respect what the gateway and the time-outs guarantee. An id is used once. A connection is closed after
// it was written; a failed one, when none of its writes can land any more, since its function is killed after 10 s and
// the sweep comes after FirstLease. Otherwise anything may happen at once, closing twice included.

// action is the kind of an operation.
type action string

const (
	opens  action = "connect"
	closes action = "disconnect"
	leaves action = "disconnect beside its connect"
	asks   action = "status"
)

// operation is the input of one operation of the model.
type operation struct {
	action     action
	connection int // not of asks
}

// never is the return time of operations that may yet take effect.
const never = math.MaxInt64

// userModel is the model in porcupine's form. Its state has a bit for each open connection.
var userModel = porcupine.Model{
	Init: func() any { return uint64(0) },
	Step: func(state, input, output any) (bool, any) {
		open, o := state.(uint64), input.(operation)
		switch o.action {
		case opens:
			return true, open | 1<<o.connection
		case closes:
			return true, open &^ (1 << o.connection)
		case leaves: // no other operation closes it, and it was open before
			return open&(1<<o.connection) != 0, open &^ (1 << o.connection)
		default:
			return output.(bool) == (open != 0), open
		}
	},
	Hash: func(state any) uint64 { return state.(uint64) },
}

// history records one user's operations: when they began and ended, and how.
type history struct {
	*fixture
	time atomic.Int64 // a counter that orders calls and returns

	mu         sync.Mutex
	operations []porcupine.Operation
	beside     []porcupine.Operation // those that end once the stream has been followed
	ids        int

	after dynamodb.Sequence // the stream has been followed up to here

	givingUp bool // clients give up now and then, which slows the checker down
}

// newHistory returns an empty history, of a store whose table may be wrong in some way.
func newHistory(t tb, wrong func(presence.DynamoDB) presence.DynamoDB) *history {
	f := setUp(t)
	if wrong != nil {
		f.db = wrong(f.db)
		f.store = presence.NewStore(f.db, tableName, f)
	}
	return &history{fixture: f}
}

// newConnection is an unused id.
func (h *history) newConnection() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ids++
	return h.ids - 1
}

// begun is the time at which an operation begins.
func (h *history) begun() int64 { return h.time.Add(1) }

// ended records the end of an operation.
func (h *history) ended(o operation, begun int64, online bool, err error) {
	now := h.time.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	add := func(o operation, ended int64) {
		h.operations = append(h.operations, porcupine.Operation{Input: o, Output: online, Call: begun, Return: ended})
	}
	if err == nil {
		add(o, now)
		return
	}
	add(o, never)
	if o.action == opens {
		add(operation{closes, o.connection}, never)
	}
}

// ask asks for the status.
func (h *history) ask(t tb) {
	begun := h.begun()
	h.ended(operation{action: asks}, begun, h.status(t, "1234").Online, nil)
}

// begin starts an operation as a process, and records it once that has ended.
func (h *history) begin(o operation) *process {
	begun := h.begun()
	id := connectionID(o.connection)
	return begin(fmt.Sprint(o), func(p *process) error {
		if o.action == opens {
			return h.in(p).Connect(context.Background(), presence.Connection{User: "1234", ID: id})
		}
		return h.in(p).Disconnect(context.Background(), "1234", id, h.Now())
	}, func(err error) { h.ended(o, begun, false, err) })
}

// follow passes the announcer the new records of the stream. Other tests check its announcements.
func (h *history) follow(t tb) {
	announcer := presence.NewAnnouncer(h.store, mute{}, mute{})
	for _, r := range h.records(t, h.after) {
		if err := announcer.Handle(context.Background(), recordOf(r)); err != nil {
			t.Errorf("handle a record: %v", err)
		}
		h.after = r.Sequence
	}
}

// mute is a topic and a queue without consumers.
type mute struct{}

func (mute) Publish(context.Context, presence.Event) error { return nil }
func (mute) Queue(context.Context, presence.Grace) error   { return nil }

// followed follows the stream to its end, and records what is over by then.
func (h *history) followed(t tb) {
	for h.after != h.table.Stream().Shards()[0].Latest() {
		h.follow(t)
	}
	now := h.time.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.beside {
		o.Return = now
		h.operations = append(h.operations, o)
	}
	h.beside = nil
}

// giveUp makes a client go away when its connection is written but its user is not yet online. meanwhile runs in
// between.
func (h *history) giveUp(t tb, id int, meanwhile func()) {
	coming := h.begin(operation{opens, id})
	coming.until("UpdateItem")
	begun := h.begun()
	if err := h.store.Disconnect(context.Background(), "1234", connectionID(id), h.Now()); err != nil {
		t.Errorf("disconnect: %v", err)
	}
	again := h.newConnection() // stands for the second spell
	h.mu.Lock()
	for _, o := range []operation{{leaves, id}, {opens, again}, {leaves, again}} {
		h.beside = append(h.beside, porcupine.Operation{Input: o, Output: false, Call: begun})
	}
	h.mu.Unlock()
	meanwhile()
	coming.finish()
	h.ask(t)
}

func connectionID(n int) heliograph.ConnectionID {
	return heliograph.ConnectionID(fmt.Sprintf("c%02d", n))
}

// linearizable reports whether the model can explain the history.
func (h *history) linearizable(t tb) bool {
	t.Helper()
	result := porcupine.CheckOperationsTimeout(userModel, h.simplified(), 20*time.Second)
	if result == porcupine.Unknown {
		t.Fatalf("the checker came to no end with\n%s", h)
	}
	return result == porcupine.Ok
}

// simplified is a history that the model explains if and only if it explains this one, and that is quicker to check,
// since the checking time grows with the operations that never return. A connection opens once, so one time of closing
// is enough. Of its Disconnects that never return, the first can take any of the others' places. And it has no effect
// any more once another has returned, provided that the Connect returned before.
func (h *history) simplified() []porcupine.Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.SortFunc(h.operations, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	opened, closed, failed := map[int]bool{}, map[int]int64{}, map[int]bool{}
	for _, o := range h.operations {
		switch in := o.Input.(operation); {
		case o.Return == never:
		case in.action == opens:
			opened[in.connection] = true
		case in.action == closes && (closed[in.connection] == 0 || o.Return < closed[in.connection]):
			closed[in.connection] = o.Return
		}
	}
	var simple []porcupine.Operation
	for _, o := range h.operations {
		in := o.Input.(operation)
		if in.action == closes && o.Return == never {
			if failed[in.connection] {
				continue
			}
			failed[in.connection] = true
			if by := closed[in.connection]; opened[in.connection] && by > 0 {
				o.Return = max(by, o.Call)
			}
		}
		simple = append(simple, o)
	}
	return simple
}

// String lists the operations in call order.
func (h *history) String() string {
	slices.SortFunc(h.operations, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var s strings.Builder
	for _, o := range h.operations {
		in, end := o.Input.(operation), strconv.FormatInt(o.Return, 10)
		if o.Return == never {
			end = "never"
		}
		fmt.Fprintf(&s, "%4d to %-5s %s", o.Call, end, in.action)
		if in.action == asks {
			fmt.Fprintf(&s, ": %v\n", o.Output)
		} else {
			fmt.Fprintf(&s, " %d\n", in.connection)
		}
	}
	return s.String()
}

// histories is how many histories are tried: two for each of rapid's checks.
func histories(t tb) int {
	n, err := strconv.Atoi(flag.Lookup("rapid.checks").Value.String())
	if err != nil {
		t.Fatalf("rapid.checks: %v", err)
	}
	return 2 * n
}

// TestLinearizable proves that whatever devices do at once, retry, or die of, every answer about their user is
// explained by each operation having happened at one moment. For more histories: go test ./presence -run Linear
// -rapid.checks=5000.
func TestLinearizable(t *testing.T) {
	t.Parallel()
	for range histories(t) {
		h := newHistory(t, nil)
		h.givingUp = true
		h.live(t, rand.Uint64()) // no seed reproduces a history: the scheduler takes part in it
		if !h.linearizable(t) {
			t.Fatalf("nothing explains\n%s", h)
		}
	}
}

// TestClosedTwiceWhileAnotherConnects proves that a user stays online if the function that closed a connection was told
// so, and saw another that is on its way, although another function, which closes the same connection and has seen
// neither, has yet to write.
func TestClosedTwiceWhileAnotherConnects(t *testing.T) {
	t.Parallel()
	h := newHistory(t, nil)
	h.begin(operation{opens, 0}).finish()
	slow := h.begin(operation{closes, 0})
	slow.until("UpdateItem")
	coming := h.begin(operation{opens, 1})
	coming.until("UpdateItem")
	h.begin(operation{closes, 0}).finish()
	h.ask(t)
	slow.finish()
	h.ask(t)
	coming.finish()
	h.ask(t)
	if !h.linearizable(t) {
		t.Errorf("nothing explains\n%s", h)
	}
}

// TestGaveUpWhileConnecting proves that a user who gives up while connecting stays online no longer than the stream's
// records take.
func TestGaveUpWhileConnecting(t *testing.T) {
	t.Parallel()
	h := newHistory(t, nil)
	h.giveUp(t, h.newConnection(), func() { h.follow(t) })
	h.followed(t)
	h.ask(t)
	if !h.linearizable(t) {
		t.Errorf("nothing explains\n%s", h)
	}
}

// wrongs are ways in which a store can be wrong.
func wrongs() map[string]*wrongTable {
	return map[string]*wrongTable{
		"disconnect ignores the epoch": {update: func(in *api.UpdateItemInput) {
			if in.ConditionExpression != nil {
				in.ConditionExpression = aws.String(strings.Replace(*in.ConditionExpression, "#epoch = :read", ":read = :read", 1))
			}
		}},
		"status is read from a copy that lags": {status: func(before, now *api.BatchGetItemOutput) *api.BatchGetItemOutput {
			if before == nil {
				return now
			}
			return before
		}},
		"disconnect sees one connection less": {left: func(out *api.QueryOutput) {
			out.Items = out.Items[:max(0, len(out.Items)-1)]
		}},
	}
}

// TestLinearizableFindsWrongStores proves that the checker finds a wrong store, usually in the first few histories.
func TestLinearizableFindsWrongStores(t *testing.T) {
	t.Parallel()
	for name, wrong := range wrongs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := range 1000 {
				h := newHistory(t, func(db presence.DynamoDB) presence.DynamoDB {
					return &wrongTable{DynamoDB: db, update: wrong.update, status: wrong.status, left: wrong.left}
				})
				h.live(t, rand.Uint64())
				if !h.linearizable(t) {
					t.Logf("found in history %d", n)
					return
				}
			}
			t.Error("every history could be explained")
		})
	}
}

package e2e

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"heliograph/simulator"
	"heliograph/simulator/fault"
	"heliograph/simulator/iam"
)

var slow = flag.Bool("slow", false, "run also the tests that wait for minutes: for sweeps, and for all attempts of a message")

// breakable is a stack of its own for the tests in this file, since a fault is for everybody.
type breakable struct {
	reached
	sim  *simulator.Simulator
	logs *safeBuffer
}

var (
	started     atomic.Pointer[breakable] // nil as long as no test needed it
	startBroken = sync.OnceValues(func() (*breakable, error) {
		b := &breakable{logs: new(safeBuffer)}
		var err error
		if b.sim, err = startLocal(context.Background(), b.logs); err != nil {
			return nil, err
		}
		started.Store(b)
		b.Endpoints = b.sim.Endpoints()
		b.config, err = loadAWS(context.Background(), b.Endpoints)
		return b, err
	})
)

// broken is the stack that was started to be broken, nil if none was.
func broken() *breakable { return started.Load() }

func closeBroken() error {
	if b := broken(); b != nil {
		return b.sim.Close()
	}
	return nil
}

func (b *breakable) logTail() string {
	if b == nil {
		return "none\n"
	}
	return b.logs.tail(64 << 10)
}

// denied lists the calls that were refused for want of a permission.
func (b *breakable) denied() []string {
	if b == nil {
		return nil
	}
	return b.sim.Denied()
}

// used tells whether the functions of this stack needed a permission of the shared one. Its resources have other
// ARNs, so that only role and action are compared.
func (b *breakable) used(p iam.Permission) bool {
	return b != nil && !slices.ContainsFunc(b.sim.UnusedPermissions(), func(unused iam.Permission) bool {
		return unused.Role == p.Role && unused.Action == p.Action
	})
}

// breaks gives the stack to a test that will break it.
func breaks(t *testing.T) *breakable {
	t.Helper()
	if local == nil {
		t.Skip("only the simulator can be broken on purpose")
	}
	b, err := startBroken()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// inject lets something go wrong until the test ends, and gives what tells how often it has.
func (b *breakable) inject(t *testing.T, r fault.Rule) (hits func() int) {
	t.Helper()
	id, err := b.sim.Inject(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.sim.RemoveFault(id) }) // the test may have done so itself
	return func() int {
		for _, f := range b.sim.Faults() {
			if f.ID == id {
				return f.Hits
			}
		}
		return 0
	}
}

// connect opens a user's only connection, and gives its id, too.
func (b *breakable) connect(t *testing.T, user string) (device, string) {
	t.Helper()
	d := b.connectWith(t, tokenFor(t, user))
	return d, b.waitForConnections(t, user, 1)[0]
}

// posts is a fault of posts to one connection.
func posts(connection string, r fault.Rule) fault.Rule {
	r.Service, r.Action, r.Resource = fault.Connections, "PostToConnection", "*/@connections/"+connection
	return r
}

// arrivesOnce proves that a body arrives, and just once: what is sent after it comes next.
func (b *breakable) arrivesOnce(t *testing.T, d device, user, body string) {
	t.Helper()
	if got := d.next(t); got != body {
		t.Errorf("arrived %q, want %q", got, body)
	}
	b.send(t, user, "fence", nil)
	if got := d.next(t); got != "fence" {
		t.Errorf("arrived %q after %q, want the fence", got, body)
	}
}

// TestFaults breaks the stack in ways that AWS breaks, and proves what is promised then. Those of its tests whose
// faults are for everybody run one after the other; those that break one connection, side by side after them.
func TestFaults(t *testing.T) {
	t.Parallel()
	b := breaks(t)
	t.Run("SSM is down", b.parametersAreDown) // first: as long as there is one authorizer that knows the secret
	t.Run("connect is throttled", b.connectIsThrottled)
	t.Run("SNS is down", b.topicsAreDown)
	t.Run("a stream delivers twice", b.streamDeliversTwice)
	t.Run("a queue delivers twice", b.queueDeliversTwice)
	t.Run("send is killed", b.sendIsKilled)
	t.Run("send is killed late", b.sendIsKilledLate)
	t.Run("for one connection", func(t *testing.T) {
		t.Run("posts fail", b.postsFail)
		t.Run("a post takes too long", b.postTakesTooLong)
		t.Run("the last attempt fails", b.lastAttemptFails)
		t.Run("a dead letter is redriven", b.redriven)
		t.Run("a disconnect is lost", b.disconnectIsLost)
		t.Run("a disconnect is late", b.disconnectIsLate)
		t.Run("every attempt fails", b.everyAttemptFails)
		t.Run("a ghost is swept", b.ghostIsSwept)
	})
}

// connectIsThrottled: a handshake fails with 5xx when the presence can't be written, and leaves no connection
// behind, whether or not the user is there with another device; the next one succeeds.
func (b *breakable) connectIsThrottled(t *testing.T) {
	there, away := newUser(), newUser()
	b.connect(t, there)
	for user, left := range map[string]int{there: 1, away: 0} {
		// As often as the SDK tries. The connection is written before the presence, so there is something to undo.
		hits := b.inject(t, fault.Rule{
			Service: fault.DynamoDB, Action: "UpdateItem", Caller: "*-connect", Error: "ProvisionedThroughputExceededException", Count: 3,
		})
		_, response, err := b.dial(within(t), tokenFor(t, user))
		if err == nil || response == nil || response.StatusCode < http.StatusInternalServerError {
			t.Errorf("connecting while DynamoDB throttles: %v, %v", response, err)
		}
		if hits() != 3 {
			t.Errorf("throttled %d times", hits())
		}
		b.waitForConnections(t, user, left)
	}
	b.connect(t, away)
}

// parametersAreDown: who has read the secret goes on with it; who starts without is an error, not a refusal, and
// heals when the secret can be read again.
func (b *breakable) parametersAreDown(t *testing.T) {
	user := newUser()
	b.connect(t, user)
	hits := b.inject(t, fault.Rule{Service: fault.SSM, Caller: "*-authorizer", Down: true})
	b.connectWith(t, tokenFor(t, user))
	if hits() != 0 {
		t.Errorf("SSM was asked %d times by an authorizer that knows the secret", hits())
	}
	b.inject(t, fault.Rule{Service: fault.Lambda, Resource: "*-authorizer", Kill: true, Count: 1})
	for _, why := range []string{"is killed", "can't read the secret"} {
		if _, response, err := b.dial(within(t), tokenFor(t, user)); err == nil || response == nil || response.StatusCode != http.StatusInternalServerError {
			t.Errorf("connecting while the authorizer %s: %v, %v", why, response, err)
		}
	}
	if hits() == 0 {
		t.Error("nobody asked SSM, so this proves little")
	}
	b.sim.ClearFaults()
	// Without any keys the authorizer asks for them once a second at most.
	eventually(t, "the authorizer has read the secret", func(ctx context.Context) (bool, error) {
		socket, _, err := b.dial(ctx, tokenFor(t, user))
		if err != nil {
			return false, nil
		}
		return true, socket.CloseNow()
	})
}

// topicsAreDown: an event that can't be published is published when the topic is back.
func (b *breakable) topicsAreDown(t *testing.T) {
	topic, user := b.subscribe(t), newUser()
	// More often than the SDK tries, so that the stream has to deliver again.
	hits := b.inject(t, fault.Rule{Service: fault.SNS, Action: "Publish", Down: true, Count: 4})
	b.connect(t, user)
	topic.until(t, []string{user}, func(e event) bool { return e.Data.IsOnline })
	if hits() != 4 {
		t.Errorf("%d calls failed, want 4", hits())
	}
}

// streamDeliversTwice: a change that arrives twice is announced with one version, so that whoever listens can tell.
func (b *breakable) streamDeliversTwice(t *testing.T) {
	topic, user, fence := b.subscribe(t), newUser(), newUser()
	hits := b.inject(t, fault.Rule{Service: fault.Delivery, Resource: "*/stream/*", Duplicate: true})
	phone, _ := b.connect(t, user)
	phone.hangUp(t)
	b.waitForConnections(t, user, 0)
	other, _ := b.connect(t, fence)
	other.hangUp(t)
	events := topic.until(t, []string{user, fence}, func(e event) bool { return e.Data.UserID == fence && !e.Data.IsOnline })
	versions := map[int64]bool{}
	for _, e := range events {
		if online, seen := versions[e.Data.Version]; e.Data.UserID == user && seen && online != e.Data.IsOnline {
			t.Errorf("version %d is both online and offline", e.Data.Version)
		} else if e.Data.UserID == user {
			versions[e.Data.Version] = e.Data.IsOnline
		}
	}
	if len(versions) != 2 || hits() == 0 {
		t.Errorf("%d transitions, want 2; %d batches came twice", len(versions), hits())
	}
}

// queueDeliversTwice: SQS delivers at least once, and so does the stack; what comes twice is the same, and is not held
// to be a failure.
func (b *breakable) queueDeliversTwice(t *testing.T) {
	user := newUser()
	phone, _ := b.connect(t, user)
	hits := b.inject(t, fault.Rule{Service: fault.Delivery, Resource: "*:heliograph-local-send", Duplicate: true, Count: 1})
	b.send(t, user, "twice", nil)
	if diff := cmp.Diff([]string{"twice", "twice"}, []string{phone.next(t), phone.next(t)}); diff != "" || hits() != 1 {
		t.Errorf("%d messages came twice\n%s", hits(), diff)
	}
	b.send(t, user, "fence", nil)
	if got := phone.next(t); got != "fence" {
		t.Errorf("arrived %q, want the fence", got)
	}
}

// hideFor lets the queue hide what it has handed out for some seconds, until the test ends. It is three minutes else,
// and a test can't wait for that.
func (b *breakable) hideFor(t *testing.T, seconds int) {
	t.Helper()
	set := func(ctx context.Context, seconds int) {
		if _, err := sqs.NewFromConfig(b.config).SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
			QueueUrl: &b.SendQueueURL, Attributes: map[string]string{"VisibilityTimeout": strconv.Itoa(seconds)},
		}); err != nil {
			t.Error(err)
		}
	}
	set(within(t), seconds)
	t.Cleanup(func() { set(context.Background(), 180) })
}

// sendIsKilled: a message whose function dies arrives all the same, once the queue shows it again.
func (b *breakable) sendIsKilled(t *testing.T) {
	user := newUser()
	phone, id := b.connect(t, user)
	b.hideFor(t, 2)
	// The post is held up until after the kill, or else the message might have arrived before.
	b.inject(t, posts(id, fault.Rule{Latency: fault.Fixed(time.Minute), Count: 1}))
	hits := b.inject(t, fault.Rule{Service: fault.Lambda, Resource: "*-send", Kill: true, Latency: fault.Fixed(200 * time.Millisecond), Count: 1})
	b.send(t, user, "survives", nil)
	b.arrivesOnce(t, phone, user, "survives")
	if killed := strings.Contains(b.logs.String(), "signal: killed"); hits() != 1 || !killed {
		t.Errorf("%d functions were to be killed; the log says so: %t", hits(), killed)
	}
}

// sendIsKilledLate: a function that dies when all is done, and nothing acknowledged, does it again. That is what
// at-least-once means.
func (b *breakable) sendIsKilledLate(t *testing.T) {
	user := newUser()
	phone, _ := b.connect(t, user)
	b.hideFor(t, 2)
	b.inject(t, fault.Rule{Service: fault.Lambda, Resource: "*-send", Kill: true, Latency: fault.Fixed(time.Minute), Count: 1})
	b.send(t, user, "again", nil)
	if diff := cmp.Diff([]string{"again", "again"}, []string{phone.next(t), phone.next(t)}); diff != "" {
		t.Error(diff)
	}
}

// postsFail: a message whose posts fail, in whatever way, arrives later by its follow-up, and once.
func (b *breakable) postsFail(t *testing.T) {
	for _, code := range []string{"LimitExceededException", "InternalServerErrorException", fault.NoAnswer, "ForbiddenException"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			user := newUser()
			phone, id := b.connect(t, user)
			tries := 3 // of the SDK in one attempt
			if code == "ForbiddenException" {
				tries = 1
			}
			hits := b.inject(t, posts(id, fault.Rule{Error: code, Count: tries}))
			began := time.Now()
			b.send(t, user, "late", nil)
			b.arrivesOnce(t, phone, user, "late")
			if took := time.Since(began); hits() != tries || took < 5*time.Second {
				t.Errorf("%d posts failed, want %d; it took %v", hits(), tries, took)
			}
		})
	}
}

// postTakesTooLong: a post without an answer is given up after 3 s and tried anew, and arrives once.
func (b *breakable) postTakesTooLong(t *testing.T) {
	t.Parallel()
	user := newUser()
	phone, id := b.connect(t, user)
	hits := b.inject(t, posts(id, fault.Rule{Latency: fault.Fixed(10 * time.Second), Count: 1}))
	began := time.Now()
	b.send(t, user, "slow", nil)
	b.arrivesOnce(t, phone, user, "slow")
	if took := time.Since(began); hits() != 1 || took < 3*time.Second || took > 9*time.Second {
		t.Errorf("%d posts were held up; it took %v", hits(), took)
	}
}

// lastAttemptFails: a message whose third attempt fails is a dead letter, with the reason. The attempts before took
// 37 s at least, so the message is put on the queue as their follow-up.
func (b *breakable) lastAttemptFails(t *testing.T) {
	t.Parallel()
	user := newUser()
	_, id := b.connect(t, user)
	b.inject(t, posts(id, fault.Rule{Down: true}))
	owed := `"owed":{"` + user + `":{"connections":["` + id + `"]}}`
	letter := b.deadLetter(t, b.send(t, user, "never", map[string]sqstypes.MessageAttributeValue{
		"HeliographRetry": {DataType: aws.String("String"), StringValue: aws.String(`{"attempt":3,` + owed + `}`)},
	}))
	checkDeadLetter(t, letter, `{"attempt":1,`+owed+`}`)
}

func checkDeadLetter(t *testing.T, letter sqstypes.Message, owed string) {
	t.Helper()
	got := map[string]string{}
	for name, a := range letter.MessageAttributes {
		got[name] = aws.ToString(a.StringValue)
	}
	want := map[string]string{
		"Attempts": "3", "RejectReason": "undelivered: 1 connection owed after 3 attempts, the last one: 503 ServiceUnavailableException",
		"HeliographOwed": owed,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// ghost makes a connection whose end nobody was told of, and gives its id.
func (b *breakable) ghost(t *testing.T, user string) string {
	t.Helper()
	phone, id := b.connect(t, user)
	hits := b.inject(t, fault.Rule{Service: fault.Disconnect, Resource: "*/@connections/" + id, Lost: true})
	phone.hangUp(t)
	eventually(t, "the disconnect is lost", func(context.Context) (bool, error) { return hits() == 1, nil })
	b.waitForConnections(t, user, 1)
	return id
}

// disconnectIsLost: the next message finds that nobody is there, and the user is offline. A 410 is believed of
// connections over 35 s old only, so this one is made older in the table.
func (b *breakable) disconnectIsLost(t *testing.T) {
	t.Parallel()
	user := newUser()
	id := b.ghost(t, user)
	_, err := dynamodb.NewFromConfig(b.config).UpdateItem(within(t), &dynamodb.UpdateItemInput{
		TableName: &b.TableName,
		Key: map[string]dynamodbtypes.AttributeValue{
			"pk": &dynamodbtypes.AttributeValueMemberS{Value: "user#" + user}, "sk": &dynamodbtypes.AttributeValueMemberS{Value: "conn#" + id},
		},
		UpdateExpression: aws.String("SET connectedAt = connectedAt - :minute"),
		ExpressionAttributeValues: map[string]dynamodbtypes.AttributeValue{
			":minute": &dynamodbtypes.AttributeValueMemberN{Value: fmt.Sprint(time.Minute.Milliseconds())},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.send(t, user, "nobody is there", nil)
	b.waitForConnections(t, user, 0)
	b.waitForOffline(t, user)
}

// waitForOffline waits until the table says that a user is offline.
func (b *breakable) waitForOffline(t *testing.T, user string) {
	t.Helper()
	eventually(t, user+" is offline", func(ctx context.Context) (bool, error) {
		out, err := dynamodb.NewFromConfig(b.config).GetItem(ctx, &dynamodb.GetItemInput{
			TableName: &b.TableName, ConsistentRead: aws.Bool(true),
			Key: map[string]dynamodbtypes.AttributeValue{
				"pk": &dynamodbtypes.AttributeValueMemberS{Value: "user#" + user}, "sk": &dynamodbtypes.AttributeValueMemberS{Value: "presence"},
			},
		})
		if err != nil {
			return false, err
		}
		online, ok := out.Item["online"].(*dynamodbtypes.AttributeValueMemberBOOL)
		return ok && !online.Value, nil
	})
}

// disconnectIsLate: a user who is back before the news of the old connection's end arrives stays online.
func (b *breakable) disconnectIsLate(t *testing.T) {
	t.Parallel()
	user := newUser()
	old, id := b.connect(t, user)
	b.inject(t, fault.Rule{Service: fault.Disconnect, Resource: "*/@connections/" + id, Latency: fault.Fixed(time.Second)})
	old.hangUp(t)
	back := b.connectWith(t, tokenFor(t, user))
	b.waitForConnections(t, user, 2)
	b.waitForConnections(t, user, 1)
	b.send(t, user, "still here", nil)
	if got := back.next(t); got != "still here" {
		t.Errorf("arrived %q", got)
	}
}

// everyAttemptFails: the whole way of a message that never arrives, in real time.
func (b *breakable) everyAttemptFails(t *testing.T) {
	if !*slow {
		t.Skip("waits for a minute: run it with -slow")
	}
	t.Parallel()
	user := newUser()
	_, id := b.connect(t, user)
	hits := b.inject(t, posts(id, fault.Rule{Down: true}))
	began := time.Now()
	body := b.send(t, user, "never, really", nil)
	patiently(t, 90*time.Second, func() bool { return hits() == 9 })
	checkDeadLetter(t, b.deadLetter(t, body), `{"attempt":1,"owed":{"`+user+`":{"connections":["`+id+`"]}}}`)
	if took := time.Since(began); took < 37*time.Second {
		t.Errorf("given up after %v", took)
	}
}

// ghostIsSwept: a ghost that nobody sends to is found by the sweep after its first lease.
func (b *breakable) ghostIsSwept(t *testing.T) {
	if !*slow {
		t.Skip("waits for two sweeps: run it with -slow")
	}
	t.Parallel()
	user := newUser()
	id := b.ghost(t, user)
	client := dynamodb.NewFromConfig(b.config)
	patiently(t, 3*time.Minute, func() bool {
		out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: &b.TableName, Key: map[string]dynamodbtypes.AttributeValue{
				"pk": &dynamodbtypes.AttributeValueMemberS{Value: "user#" + user}, "sk": &dynamodbtypes.AttributeValueMemberS{Value: "conn#" + id},
			},
		})
		return err == nil && out.Item == nil
	})
	b.waitForOffline(t, user)
}

// patiently waits for what takes longer than everything else here.
func patiently(t *testing.T, limit time.Duration, holds func() bool) {
	t.Helper()
	late := time.After(limit)
	for !holds() {
		select {
		case <-late:
			t.Fatalf("not within %v", limit)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// TestFaultCommands proves the command line's tour of faults, and that what is wrong is refused with what is allowed.
func TestFaultCommands(t *testing.T) {
	if local == nil {
		t.Skip("only the simulator can be broken on purpose")
	}
	t.Parallel()
	file := filepath.Join(t.TempDir(), "local.json")
	start(t, "--target", file, "local", "--port", "0", "--latency", "aws").waitFor(t, "Ctrl-C stops it")
	id := func(n int) string { return fmt.Sprint("fault-", len(fault.Typical())+n) }
	for _, step := range []struct{ arguments, want string }{
		{"fault list", "dynamodb GetItem: +p50=3ms,p99=12ms"},
		{"fault clear", ""},
		{"fault add sns --down --count 2", id(1) + ": sns: down, 2 times"},
		{"fault add dynamodb -a PutItem -e ThrottlingException --rate 0.3 --caller *-connect", id(2) + ": dynamodb PutItem by *-connect: ThrottlingException, 30% of the time"},
		{"fault add sqs --latency p50=20ms,p99=300ms --seed 7", id(3) + ": sqs: +p50=20ms,p99=300ms"},
		{"fault add lambda -r *-send --kill --latency 1s", id(4) + ": lambda on *-send: killed after 1s"},
		{"fault add delivery --duplicate --latency 1s", id(5) + ": delivery: delivered once more after 1s"},
		{"fault add disconnect --lost --rate 0.5", id(6) + ": disconnect: lost, 50% of the time"},
		{"fault list", id(1) + "  0     sns: down, 2 times"},
		{"fault clear " + id(1), ""},
		{"fault list --json", `[{"id":"` + id(2) + `","service":"dynamodb","action":"PutItem","caller":"*-connect","error":"ThrottlingException","rate":0.3,"hits":0},`},
		{"fault clear", ""},
		{"fault list --json", "[]\n"},
	} {
		if got := runCommand(t, file, strings.Fields(step.arguments)...); !strings.Contains(got, step.want) {
			t.Errorf("heliograph %s printed\n%s\nwant %s", step.arguments, got, step.want)
		}
	}
	for arguments, want := range map[string]string{
		"fault add s3 --down":                "there are delivery, disconnect, dynamodb",
		"fault add sns":                      "sns may have one of error, down, latency",
		"fault add sns --error Nope":         "there are InternalError, ServiceUnavailable, Throttled, and NoAnswer or LostAnswer",
		"fault add sns --down --rate 0":      "it must be over 0",
		"fault add sns --latency soon":       "p50=4ms,p99=20ms",
		"fault add sns --down --error Other": "--down",
		"fault clear fault-77":               "there is no fault",
		"local --latency gcp":                "aws",
	} {
		p := start(t, append([]string{"--target", file}, strings.Fields(arguments)...)...)
		if code := p.exit(t, patience); code == 0 || !strings.Contains(p.stderr.String(), want) {
			t.Errorf("heliograph %s: exit code %d, %q; want %q", arguments, code, p.stderr, want)
		}
	}
}

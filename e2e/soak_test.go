package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/coder/websocket"

	"heliograph/local"
	"heliograph/simulator/cloud"
	"heliograph/simulator/fault"
)

var (
	soakFor  = flag.Duration("soak", 0, "how long the soak's storm lasts; 0: no soak")
	soakSeed = flag.Uint64("soak-seed", 0, "which of AWS's difficult habits the soak's stack has; 0: a random seed, which is printed")
)

// storm lists the faults of a soak, apart from those whose hits are counted.
var storm = []fault.Rule{
	{Service: fault.Connections, Action: "PostToConnection", Error: "LimitExceededException", Rate: 0.4},
	{Service: fault.DynamoDB, Caller: "*", Error: "ProvisionedThroughputExceededException", Rate: 0.05},
	{Service: fault.DynamoDB, Caller: "*", Error: fault.LostAnswer, Rate: 0.01},
	{Service: fault.SNS, Error: "InternalError", Rate: 0.2},
	{Service: fault.Lambda, Resource: "*-connect", Kill: true, Rate: 0.03},
	{Service: fault.Lambda, Resource: "*-disconnect", Kill: true, Rate: 0.05},
	{Service: fault.Lambda, Resource: "*-announce", Kill: true, Rate: 0.05},
	{Service: fault.Disconnect, Lost: true, Rate: 0.3},
	{Service: fault.Delivery, Resource: "*/stream/*", Duplicate: true, Rate: 0.02},
	{Service: fault.Delivery, Resource: "*-grace", Duplicate: true, Rate: 0.02},
}

// Two events excuse a message that arrives twice: send was killed, or the queue delivered a message twice.
var (
	killSend  = fault.Rule{Service: fault.Lambda, Resource: "*-send", Kill: true, Rate: 0.01}
	twiceSend = fault.Rule{Service: fault.Delivery, Resource: "*-send", Duplicate: true, Rate: 0.02}
)

// sendHides is the send queue's visibility time-out: longer than a function may take, and far shorter than the stack's
// three minutes.
const sendHides = "40"

// TestSoak lets users come, go and get messages at random, in all ways, while everything fails now and then. When it
// is quiet again, it proves: each message that arrived was meant for its device; each message reached every device
// that stayed, or is in the dead-letter queue, and came twice only where that is excused; each requested receipt
// came; presence is right, and so is each user's last event; and nothing of the stack is left when it stops. The console
// is open all the time, and answers.
func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("takes four minutes: run it with `go test ./e2e -run TestSoak -soak 30s`")
	}
	needLinux(t)
	s := newSoak(t)
	for _, rule := range storm {
		s.inject(t, rule)
	}
	s.killed, s.doubled = s.inject(t, killSend), s.inject(t, twiceSend)
	ctx, cancel := context.WithTimeout(t.Context(), *soakFor)
	defer cancel()
	console := onlooker{at: s.stack.Endpoints()}
	var users sync.WaitGroup
	users.Go(func() { console.look(ctx) })
	for i := range 20 {
		users.Go(func() { s.live(ctx, fmt.Sprint("user-", i), i < faithful) })
	}
	users.Wait()
	console.check(t, *soakFor)
	s.excuses = s.count()
	s.stack.Faults().Clear()
	t.Logf("%d messages were sent to %d devices; %d are open", len(s.sent), len(s.devices), len(s.open()))

	s.waitForQueues(t)
	s.checkDelivery(t)
	s.waitForPresence(t)
	s.checkEvents(t)
	s.checkReceipts(t)
	s.stop(t)
}

// soak is a separate stack and the state that it should have.
type soak struct {
	stack *local.Stack
	load  load
	queue string // of the presence events
	file  string // the endpoints file

	killed, doubled fault.ID
	excuses         excuses
	dead            map[string]bool // the bodies in the dead-letter queue
	receipts        map[string]int  // by Id

	mu      sync.Mutex
	devices []*soakDevice
	sent    []*soakMessage
}

type soakDevice struct {
	user, name string
	socket     *websocket.Conn
	since      time.Time

	mu     sync.Mutex
	closed bool
	got    map[string]int // number of arrivals, keyed by body
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	s := &soak{file: filepath.Join(t.TempDir(), "local.json")}
	seed := *soakSeed
	if seed == 0 {
		seed = uint64(1 + rand.IntN(1_000_000))
	}
	stress := cloud.RandomStress(seed)
	t.Logf("-soak-seed %d: %+v", seed, stress)
	stack, err := local.Start(t.Context(), local.Options{
		Root: projectRoot(t), Stress: stress, Config: map[string]string{"presenceGrace": "1s", "broadcastRate": "8"}, Progress: os.Stderr, EndpointsFile: s.file,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.stack, s.load = stack, newLoad(t, stack.Endpoints())
	s.queue = s.load.subscribe(t)
	_, err = s.load.queue.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{
		QueueUrl: aws.String(s.load.endpoints.SendQueueURL), Attributes: map[string]string{"VisibilityTimeout": sendHides},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *soak) inject(t *testing.T, rule fault.Rule) fault.ID {
	t.Helper()
	id, err := s.stack.Faults().Add(rule)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// faithful is how many users keep their first device until the end, so that each message to them counts. The other
// devices rarely live longer than a message takes in the storm.
const faithful = 5

// live plays one user: opens and closes devices, and sends to others.
func (s *soak) live(ctx context.Context, user string, keepsFirst bool) {
	for sleepFor(ctx, rand.N(150*time.Millisecond)) {
		switch mine := s.open(user); {
		case len(mine) == 0 || (len(mine) < 3 && rand.IntN(5) == 0):
			s.connect(ctx, user)
		case rand.IntN(12) == 0:
			if i := rand.IntN(len(mine)); i > 0 || !keepsFirst {
				mine[i].hangUp(rand.IntN(2) == 0)
			}
		default:
			s.send(ctx)
		}
	}
}

func sleepFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// connect opens a device. It may fail, as part of the storm.
func (s *soak) connect(ctx context.Context, user string) {
	d := &soakDevice{user: user, name: newUser(), got: map[string]int{}}
	var err error
	if d.socket, err = s.load.dialAs(ctx, user, d.name); err != nil {
		return
	}
	d.since = time.Now()
	go d.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices = append(s.devices, d)
}

func (d *soakDevice) read() {
	for {
		_, body, err := d.socket.Read(context.Background())
		d.mu.Lock()
		if err != nil {
			d.closed = true
			d.mu.Unlock()
			return
		}
		d.got[string(body)]++
		d.mu.Unlock()
	}
}

// hangUp closes a device, with or without a close frame.
func (d *soakDevice) hangUp(politely bool) {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	if politely {
		d.socket.Close(websocket.StatusNormalClosure, "")
	} else {
		d.socket.CloseNow()
	}
}

func (d *soakDevice) isOpen() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.closed
}

// open returns the open devices of some users, or of all users if none is named.
func (s *soak) open(users ...string) (open []*soakDevice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		if d.isOpen() && (len(users) == 0 || slices.Contains(users, d.user)) {
			open = append(open, d)
		}
	}
	return open
}

// stop closes the stack and looks for leftovers.
func (s *soak) stop(t *testing.T) {
	t.Helper()
	endpoints := s.stack.Endpoints()
	if err := s.stack.Close(); err != nil {
		t.Error(err)
	}
	if left := children(t, endpoints); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if denied := s.stack.Denied(); len(denied) > 0 {
		t.Errorf("calls were denied: %v", denied)
	}
	for _, address := range []string{endpoints.WebSocketURL, endpoints.HTTPURL, endpoints.AWSEndpointURL} {
		if c, err := net.Dial("tcp", hostOf(address)); err == nil {
			c.Close()
			t.Errorf("%s still accepts connections", address)
		}
	}
	if _, err := os.Stat(s.file); !os.IsNotExist(err) {
		t.Errorf("the endpoints file is still there (%v)", err)
	}
}

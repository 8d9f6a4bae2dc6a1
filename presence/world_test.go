package presence_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	gateway "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	gatewaytypes "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"

	"heliograph"
	"heliograph/presence"
	"heliograph/simulator/dynamodb"
)

// sockets is the gateway, the only source of truth on which connections are alive.
type sockets struct {
	clock presence.Clock

	mu      sync.Mutex
	alive   map[heliograph.ConnectionID]time.Time // with their last activity
	broken  map[heliograph.ConnectionID]error     // connections on which calls fail
	asked   []heliograph.ConnectionID             // by GetConnection, in order
	deleted []heliograph.ConnectionID             // by DeleteConnection, in order
	times   []time.Time                           // of all calls
}

func newSockets(c presence.Clock) *sockets {
	return &sockets{clock: c, alive: map[heliograph.ConnectionID]time.Time{}, broken: map[heliograph.ConnectionID]error{}}
}

var _ presence.Gateway = (*sockets)(nil)

func (s *sockets) GetConnection(_ context.Context, in *gateway.GetConnectionInput, _ ...func(*gateway.Options)) (*gateway.GetConnectionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := heliograph.ConnectionID(*in.ConnectionId)
	s.asked = append(s.asked, id)
	active, err := s.find(id)
	if err != nil {
		return nil, err
	}
	return &gateway.GetConnectionOutput{LastActiveAt: &active}, nil
}

func (s *sockets) DeleteConnection(_ context.Context, in *gateway.DeleteConnectionInput, _ ...func(*gateway.Options)) (*gateway.DeleteConnectionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := heliograph.ConnectionID(*in.ConnectionId)
	if _, err := s.find(id); err != nil {
		return nil, err
	}
	s.deleted = append(s.deleted, id)
	delete(s.alive, id)
	return &gateway.DeleteConnectionOutput{}, nil
}

func (s *sockets) find(id heliograph.ConnectionID) (time.Time, error) {
	s.times = append(s.times, s.clock.Now())
	if err := s.broken[id]; err != nil {
		return time.Time{}, err
	}
	active, ok := s.alive[id]
	if !ok {
		return time.Time{}, &gatewaytypes.GoneException{}
	}
	return active, nil
}

func (s *sockets) open(id heliograph.ConnectionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive[id] = s.clock.Now()
}

func (s *sockets) close(id heliograph.ConnectionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.alive, id)
}

// world is a store with everything around it: the gateway, the stream and the grace queue, and the events that other
// systems received.
type world struct {
	*fixture
	sockets *sockets
	after   dynamodb.Sequence // the stream has been handled up to here
	graces  []presence.Grace
	heard   []presence.Event
	deaf    bool // the topic can't be reached
}

// These bound what one test may publish, and how often the stream may yield something new before its end: they catch
// endless loops.
const (
	maxHeard  = 1000
	maxRounds = 200
)

var errDeaf = errors.New("the topic can't be reached")

func newWorld(t tb) *world {
	f := setUp(t)
	return &world{fixture: f, sockets: newSockets(f.clock)}
}

// Publish and Queue make the world the announcer's topic and queue.
func (w *world) Publish(_ context.Context, e presence.Event) error {
	switch {
	case w.deaf:
		return errDeaf
	case len(w.heard) >= maxHeard:
		return errLoop
	}
	w.heard = append(w.heard, e)
	return nil
}

func (w *world) Queue(_ context.Context, g presence.Grace) error {
	w.graces = append(w.graces, g)
	return nil
}

func (w *world) announcer() *presence.Announcer { return presence.NewAnnouncer(w.store, w, w) }

// deliver passes the announcer everything in the stream, leaving the resulting notes in the queue.
func (w *world) deliver(t tb) {
	t.Helper()
	for round := 0; ; round++ {
		records := w.records(t, w.after)
		if len(records) == 0 {
			return
		}
		if round > maxRounds {
			t.Fatalf("the stream comes to no end: its last record is %v", records[len(records)-1])
		}
		for _, r := range records {
			if err := w.announcer().Handle(context.Background(), recordOf(r)); err != nil {
				t.Fatalf("handle a record: %v", err)
			}
			w.after = r.Sequence
		}
	}
}

// settle passes the announcer everything in the stream and the queue, until nothing more follows.
func (w *world) settle(t tb) {
	t.Helper()
	for w.deliver(t); len(w.graces) > 0; w.deliver(t) {
		g := w.graces[0]
		w.graces = w.graces[1:]
		if err := w.announcer().GraceOver(context.Background(), g); err != nil {
			t.Fatalf("end of a grace period: %v", err)
		}
	}
}

// sweep runs a sweep, and then the announcer.
func (w *world) sweep(t tb) {
	t.Helper()
	sweeper := presence.NewSweeper(w.store, w.sockets, presence.SweepOptions{Lease: 15 * time.Minute, Rate: 1000})
	if err := sweeper.Sweep(context.Background()); err != nil {
		t.Fatalf("sweep: %v", err)
	}
	w.settle(t)
}

// converge lets one lease and two sweeps pass, by which time everything must be true.
func (w *world) converge(t tb) {
	t.Helper()
	w.settle(t)
	for range 2 {
		w.advance(presence.FirstLease)
		w.sweep(t)
	}
}

// events are the events of a user that other systems received, once each, in order of first receipt. Events with the
// same version must be equal.
func (w *world) events(t tb, user heliograph.UserID) []presence.Event {
	t.Helper()
	var events []presence.Event
	for _, e := range w.heard {
		i := slices.IndexFunc(events, func(old presence.Event) bool { return old.Version == e.Version })
		switch {
		case e.User != user:
		case i < 0:
			events = append(events, e)
		case events[i] != e:
			t.Errorf("two events with one version: %v, %v", events[i], e)
		}
	}
	return events
}

// checkEvents checks that a user's events alternate, begin with online, rise in version, and end with the truth.
func (w *world) checkEvents(t tb, user heliograph.UserID, online bool) {
	t.Helper()
	last, version := false, int64(0)
	events := w.events(t, user)
	for _, e := range events {
		if e.Online == last || e.Version <= version || e.At.IsZero() {
			t.Errorf("events of %s: %v", user, events)
		}
		last, version = e.Online, e.Version
	}
	if last != online {
		t.Errorf("%s is online: %v, but the events are %v", user, online, events)
	}
}

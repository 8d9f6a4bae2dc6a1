package presence_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"heliograph"
	"heliograph/presence"
	"heliograph/simulator/dynamodb"
)

// The limits that a storm meets on AWS: API Gateway's and Lambda's default quotas, and durations as measured within a
// Region.
const (
	stormRate       = 500                    // new connections a second that API Gateway admits
	stormShards     = 4                      // of the table's stream
	stormLanes      = 2                      // batches of a shard at once, as the stack sets it
	accountCapacity = 1000                   // concurrent executions of all functions
	coldStart       = 300 * time.Millisecond // of a function's environment
	verifyTakes     = 3 * time.Millisecond   // of a token
	publishTakes    = 15 * time.Millisecond  // of an event
	secretReads     = 40                     // a second, of SSM's GetParameter
	secretTakes     = 20 * time.Millisecond
	clientPatience  = 10 * time.Second // for one handshake
)

// TestReconnectStorm proves that everyone may come back at once after an outage: 500 users a second are admitted,
// through functions that all start cold, into a table whose partitions have AWS's limits. Every user is soon connected,
// soon announced, and announced once, and no partition is throttled.
func TestReconnectStorm(t *testing.T) {
	t.Parallel()
	devices := 1_000
	if *figures {
		devices = 100_000
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := newStorm(t)
		var stream, clients sync.WaitGroup
		for _, shard := range s.table.Stream().Shards() {
			for lane := range stormLanes {
				stream.Go(func() { s.follow(ctx, t, shard, lane) })
			}
		}
		for i := range devices {
			clients.Go(func() { s.device(t, i) })
			time.Sleep(time.Second / stormRate)
		}
		clients.Wait()
		for range 600 { // the stream's end
			if s.published() == devices {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		cancel()
		stream.Wait()
		s.check(t, devices)
	})
}

type storm struct {
	*fixture
	store     *presence.Store
	announcer *presence.Announcer

	authorizer, connect, announce pool
	running, most                 atomic.Int64 // executions of all functions
	throttled                     atomic.Int64 // calls of the table
	refused                       atomic.Int64 // handshakes that failed and were retried

	mu        sync.Mutex
	secrets   []time.Time // when the secret was read
	connected map[heliograph.UserID]time.Time
	heard     map[heliograph.UserID]int
	slowest   time.Duration   // slowest successful handshake
	delays    []time.Duration // from connected to announced
}

func newStorm(t *testing.T) *storm {
	f := setUpStressed(t, dynamodb.Stress{Shards: stormShards, PartitionWrites: 1000, PartitionReads: 3000}, time.Now)
	s := &storm{fixture: f, connected: map[heliograph.UserID]time.Time{}, heard: map[heliograph.UserID]int{}}
	s.store = presence.NewStore(f.client(stormTransport{f.inProcess, s}), tableName, nil)
	s.announcer = presence.NewAnnouncer(s.store, s, s)
	return s
}

// stormTransport gives each call of the table its duration, and counts the throttled ones.
type stormTransport struct {
	inProcess
	storm *storm
}

func (s stormTransport) Do(r *http.Request) (*http.Response, error) {
	time.Sleep(callTakes)
	answer, err := s.inProcess.Do(r)
	if err != nil || answer.StatusCode == http.StatusOK {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	if bytes.Contains(body, []byte("ThrottlingException")) {
		s.storm.throttled.Add(1)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, err
}

// pool is the environments of one function: how many there are, and how many are idle.
type pool struct {
	mu   sync.Mutex
	idle int
	made int
}

// run executes a function, in an idle environment or a new one, which starts cold. It fails if the account's capacity
// is used up.
func (s *storm) run(p *pool, start, do func() error) error {
	if n := s.running.Add(1); n > accountCapacity {
		s.running.Add(-1)
		return fmt.Errorf("the account runs %d functions", n)
	} else if n > s.most.Load() {
		s.most.Store(n)
	}
	defer s.running.Add(-1)
	p.mu.Lock()
	cold := p.idle == 0
	if cold {
		p.made++
	} else {
		p.idle--
	}
	p.mu.Unlock()
	var err error
	if cold {
		time.Sleep(coldStart)
		err = start()
	}
	if err == nil {
		err = do()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle++
	return err
}

func nothing() error { return nil }

// readSecret is an authorizer's first step. Like auth.Keys, it waits for at most 3 s, in which the SDK tries three
// times.
func (s *storm) readSecret() error {
	for try := range 3 {
		time.Sleep(secretTakes + time.Duration(try)*time.Duration(rand.N(int64(time.Second))))
		if s.secretAllowed() {
			return nil
		}
	}
	return fmt.Errorf("the secret can't be read")
}

func (s *storm) secretAllowed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = slices.DeleteFunc(s.secrets, func(at time.Time) bool { return time.Since(at) >= time.Second })
	if len(s.secrets) >= secretReads {
		return false
	}
	s.secrets = append(s.secrets, time.Now())
	return true
}

// device connects a user's only device, retrying as docs/clients.md advises until it is connected.
func (s *storm) device(t *testing.T, i int) {
	user, id := heliograph.UserID(fmt.Sprintf("user-%06d", i)), heliograph.ConnectionID(fmt.Sprintf("L0SM%07d=", i))
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		began := time.Now()
		err := s.run(&s.authorizer, s.readSecret, func() error { time.Sleep(verifyTakes); return nil })
		if err == nil {
			err = s.run(&s.connect, nothing, func() error {
				return s.store.Connect(t.Context(), presence.Connection{User: user, ID: id})
			})
		}
		if err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.slowest = max(s.slowest, time.Since(began))
			if _, heard := s.connected[user]; !heard {
				s.connected[user] = time.Now()
			}
			return
		}
		s.refused.Add(1)
		time.Sleep(pause/2 + rand.N(pause))
	}
}

// follow is the event source mapping: batches of a hundred, the records of each item in order, handled as in
// handlers/announce.
func (s *storm) follow(ctx context.Context, t *testing.T, shard *dynamodb.Shard, lane int) {
	for after := dynamodb.Sequence(""); ; {
		records, err := shard.Read(ctx, after, 100)
		if err != nil {
			return
		}
		after = records[len(records)-1].Sequence
		groups := map[string][]presence.Record{}
		for _, r := range records {
			record := recordOf(r)
			h := fnv.New32a()
			_, _ = h.Write([]byte(itemOfRecord(record)))
			if int(h.Sum32())%stormLanes == lane && textOf(record.Keys["sk"]) == "presence" {
				groups[record.Partition()] = append(groups[record.Partition()], record)
			}
		}
		for len(groups) > 0 {
			if s.run(&s.announce, nothing, func() error { return s.handle(ctx, groups) }) == nil {
				break
			}
			time.Sleep(time.Second)
		}
	}
}

func (s *storm) handle(ctx context.Context, groups map[string][]presence.Record) error {
	var workers errgroup.Group
	workers.SetLimit(16)
	for _, group := range groups {
		workers.Go(func() error {
			for _, r := range group {
				if err := s.announcer.Handle(ctx, r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return workers.Wait()
}

// Publish and Queue make the storm the announcer's topic and queue.
func (s *storm) Publish(_ context.Context, e presence.Event) error {
	time.Sleep(publishTakes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard[e.User]++
	s.delays = append(s.delays, time.Since(e.At))
	return nil
}

func (s *storm) Queue(context.Context, presence.Grace) error { return nil }

func (s *storm) published() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.heard)
}

// check compares the storm's figures with the goals of TestReconnectStorm.
func (s *storm) check(t *testing.T, devices int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.connected) != devices || len(s.heard) != devices {
		t.Errorf("%d of %d devices are connected, %d announced", len(s.connected), devices, len(s.heard))
	}
	for user, times := range s.heard {
		if times != 1 {
			t.Errorf("%s was announced %d times", user, times)
		}
	}
	slices.Sort(s.delays)
	p50, last := s.delays[len(s.delays)/2], s.delays[len(s.delays)-1]
	if s.slowest > clientPatience || last > 5*time.Second {
		t.Errorf("the slowest handshake took %v, the latest event %v", s.slowest, last)
	}
	if n := s.throttled.Load(); n > 0 {
		t.Errorf("%d calls of the table were throttled", n)
	}
	if share := float64(s.refused.Load()) / float64(devices); share > 0.25 {
		t.Errorf("%d handshakes were refused", s.refused.Load())
	}
	t.Logf("%d devices at %d a second: slowest handshake %v, %d refused and tried again; events after %v (median), %v (last); at most %d executions; environments: authorizer %d, connect %d, announce %d",
		devices, stormRate, s.slowest, s.refused.Load(), p50, last, s.most.Load(), s.authorizer.made, s.connect.made, s.announce.made)
}

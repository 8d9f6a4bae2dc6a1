package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"heliograph"
	"heliograph/presence"
)

// killing is a function that is killed at some moment: a call that begins later has no effect.
type killing struct {
	mu     sync.Mutex
	random *rand.Rand
	at     time.Time
}

// call takes 5 to 15 ms, as AWS's do.
func (k *killing) call(context.Context) error {
	k.mu.Lock()
	took := 5*time.Millisecond + time.Duration(k.random.IntN(int(10*time.Millisecond)))
	dead := !k.at.IsZero() && time.Now().After(k.at)
	k.mu.Unlock()
	time.Sleep(took)
	if dead {
		return errors.New("killed")
	}
	return nil
}

// killOnce delivers a batch of ten, kills the function after a while, and has the batch come again after SQS's 180 s. It
// returns how often messages arrived a second time, and how long the first run took.
func killOnce(t *testing.T, seed uint64, id string, after time.Duration) (again int, took time.Duration) {
	p, queue, claims := newPresence(), &fakeQueue{}, newClaims()
	k := &killing{random: rand.New(rand.NewPCG(seed, 0))}
	if after > 0 {
		k.at = time.Now().Add(after)
	}
	p.read, claims.call = k.call, func(ctx context.Context, _, _ string) error { return k.call(ctx) }
	var mu sync.Mutex
	arrivals := map[string]int{}
	config := Config{
		Presence: p, Queue: queue, QueueURL: queueURL, DeadLetterQueueURL: deadLetterURL, Claims: claims, Keys: testKeys{err: errors.New("killed")},
		Poster: stub(func(ctx context.Context, id string) error {
			err := k.call(ctx)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				arrivals[id]++
			}
			return err
		}),
	}
	var records []Record
	for i := range maxRecords {
		user := heliograph.UserID(fmt.Sprint("user", i))
		p.connections[user] = []presence.Connection{since(heliograph.ConnectionID(user), time.Hour)}
		fields, _ := json.Marshal(map[string]any{"UserId": user, "Body": "hello", id: fmt.Sprint(i)})
		records = append(records, Record{ID: fmt.Sprint(i), Body: string(fields), SentAt: time.Now()})
	}
	began := time.Now()
	New(config).Deliver(t.Context(), records) // what it returns is lost
	took = time.Since(began)
	k.at = time.Time{}
	time.Sleep(180 * time.Second)
	config.Keys = testKeys{}
	if back := New(config).Deliver(t.Context(), records); back != nil {
		t.Fatalf("returned %v", back)
	}
	for _, n := range arrivals {
		again += n - 1
	}
	if len(arrivals) != maxRecords {
		t.Errorf("arrived at %d", len(arrivals))
	}
	return again, took
}

// TestKilled proves that a killed function repeats no more than its batch of ten, and that an Id leaves only the
// messages whose claim was not yet marked. It prints how many that are if the moment is random.
func TestKilled(t *testing.T) {
	t.Parallel()
	const kills = 500
	mean := map[string]float64{}
	for _, id := range []string{"none", "Id"} {
		synctest.Test(t, func(t *testing.T) {
			sum, most := 0, 0
			moments := rand.New(rand.NewPCG(1, 2))
			for seed := range uint64(kills) {
				_, took := killOnce(t, seed, id, 0)
				again, _ := killOnce(t, seed, id, time.Duration(moments.Int64N(int64(took))))
				sum, most = sum+again, max(most, again)
			}
			if mean[id] = float64(sum) / kills; most > maxRecords || sum == 0 {
				t.Errorf("%s: up to %d messages of a batch arrived again, %d in all", id, most, sum)
			}
			t.Logf("%s: %.1f of ten messages arrived again after a kill, at most %d", id, mean[id], most)
		})
	}
	if mean["Id"] >= mean["none"] {
		t.Errorf("an Id did not help: %v", mean)
	}
}

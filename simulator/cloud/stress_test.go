package cloud

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/sqs"
)

// TestRandomStress proves that a seed always gives the same stress, and that each part is on for some seeds and off for
// others.
func TestRandomStress(t *testing.T) {
	t.Parallel()
	with, without := map[string]bool{}, map[string]bool{}
	for seed := range uint64(100) {
		s := RandomStress(seed)
		if diff := cmp.Diff(s, RandomStress(seed)); diff != "" {
			t.Fatalf("the seed %d gives two stresses: %s", seed, diff)
		}
		for part, there := range map[string]bool{
			"lag": s.Tables.IndexLag > 0, "shards": s.Tables.Shards > 1, "partitions": s.Tables.PartitionWrites > 0,
			"disorder": s.pick() != nil, "concurrency": s.Concurrency > 0, "freeze": s.Freeze,
		} {
			with[part], without[part] = with[part] || there, without[part] || !there
		}
	}
	for part := range with {
		if !with[part] || !without[part] {
			t.Errorf("%s: in some %v, missing from some %v", part, with[part], without[part])
		}
	}
}

// TestStressReachesTheServices proves that a cloud passes its options on to its services.
func TestStressReachesTheServices(t *testing.T) {
	t.Parallel()
	c, err := New(Options{FunctionsDir: t.TempDir(), Stress: Stress{Disorder: true, Concurrency: 10, Freeze: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if o := c.lambdaOptions(); o.Concurrency != 10 || !o.Freeze {
		t.Errorf("Lambda has concurrency %d, freezes %v", o.Concurrency, o.Freeze)
	}
	queue, err := c.Queues.Create("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	sorted := true
	for last := byte('a'); last <= 'z'; last++ {
		if _, err := queue.Send(sqs.Outgoing{Body: string(last)}); err != nil {
			t.Fatal(err)
		}
	}
	for want := byte('a'); want <= 'z'; want++ {
		got, err := queue.Receive(t.Context(), 1, 0)
		if err != nil || len(got) != 1 {
			t.Fatalf("received %v: %v", got, err)
		}
		sorted = sorted && got[0].Body == string(want)
	}
	if sorted {
		t.Error("26 messages came in their order")
	}
}

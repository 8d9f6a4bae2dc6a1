package sqs_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"heliograph/simulator/sqs"
)

// TestOutOfOrder proves that Options.Pick chooses the order of messages, and that each is still delivered exactly once.
func TestOutOfOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	s := sqs.New(sqs.Options{Region: "eu-west-1", Account: account, Endpoint: "http://sqs.test", Clock: newClock(), Pick: random.IntN})
	q := mustCreate(t, s, "q")
	sent := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	for _, body := range sent {
		mustSend(t, q, body)
	}
	got := bodies(mustReceive(t, q))
	if slices.Equal(got, sent) {
		t.Error("ten messages came in their order")
	}
	if slices.Sort(got); !slices.Equal(got, sent) {
		t.Errorf("received %v", got)
	}
}

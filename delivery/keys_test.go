package delivery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"heliograph/message"
)

// keyDesk is the simulated table of a claimDesk, read by one or more functions. Its calls can be counted or fail.
type keyDesk struct {
	KeyTable
	mu    sync.Mutex
	calls int
	err   error
}

func (d *keyDesk) note() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	return d.err
}

func (d *keyDesk) GetItem(ctx context.Context, in *awsdynamodb.GetItemInput, o ...func(*awsdynamodb.Options)) (*awsdynamodb.GetItemOutput, error) {
	if err := d.note(); err != nil {
		return nil, err
	}
	return d.KeyTable.GetItem(ctx, in, o...)
}

func (d *keyDesk) PutItem(ctx context.Context, in *awsdynamodb.PutItemInput, o ...func(*awsdynamodb.Options)) (*awsdynamodb.PutItemOutput, error) {
	if err := d.note(); err != nil {
		return nil, err
	}
	return d.KeyTable.PutItem(ctx, in, o...)
}

// atDesk runs a test with a table in a bubble.
func atDesk(t *testing.T, test func(*testing.T, *keyDesk)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		test(t, &keyDesk{KeyTable: newDesk(t).db.(*awsdynamodb.Client)})
	})
}

func current(t *testing.T, s *KeyStore) message.Key {
	t.Helper()
	key, err := s.Current(t.Context())
	if err != nil || len(key.Secret) != 32 {
		t.Fatalf("key %d of %d bytes: %v", key.ID, len(key.Secret), err)
	}
	return key
}

// TestFunctionsShareAKey proves that functions that need a key at the same time get the same one, and that each reads
// it once in ten minutes.
func TestFunctionsShareAKey(t *testing.T) {
	atDesk(t, func(t *testing.T, desk *keyDesk) {
		var all sync.Map
		var group sync.WaitGroup
		for range 8 {
			s := NewKeys(desk, "stack")
			for range 4 {
				group.Go(func() { all.Store(fmt.Sprintf("%x", current(t, s).Secret), true) })
			}
		}
		group.Wait()
		n := 0
		all.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Errorf("%d keys", n)
		}
		s := NewKeys(desk, "stack")
		desk.calls = 0
		for range 3 {
			for range 100 {
				current(t, s)
			}
			time.Sleep(keyAge)
		}
		if desk.calls != 3 {
			t.Errorf("%d calls in half an hour, want 3", desk.calls)
		}
	})
}

// TestKeysChange proves that each period has a key of its own, that the one before it still opens, for longer than a
// message can lie in queues, and that older ones, and those to come, don't.
func TestKeysChange(t *testing.T) {
	atDesk(t, func(t *testing.T, desk *keyDesk) {
		find := func(id int) bool {
			_, ok, err := NewKeys(desk, "stack").Find(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		first := current(t, NewKeys(desk, "stack"))
		time.Sleep(keyPeriod)
		second := current(t, NewKeys(desk, "stack"))
		if second.ID != first.ID+1 || bytes.Equal(first.Secret, second.Secret) || !find(first.ID) || find(second.ID+1) {
			t.Errorf("keys %d and %d", first.ID, second.ID)
		}
		time.Sleep(keyPeriod)
		if find(first.ID) || !find(second.ID) {
			t.Error("two periods later the first key still opens, or the second doesn't")
		}
		if inQueues := (14 + 4) * 24 * time.Hour; keyPeriod < inQueues {
			t.Errorf("a key opens for %v, and a message may take %v", keyPeriod, inQueues)
		}
	})
}

// TestKeysOutlastAnOutage proves that a function that has read a key keeps it while the table is down, that others
// report an error and no missing key, and that a deleted key is known to be after ten minutes.
func TestKeysOutlastAnOutage(t *testing.T) {
	atDesk(t, func(t *testing.T, desk *keyDesk) {
		s := NewKeys(desk, "stack")
		key := current(t, s)
		time.Sleep(keyAge)
		desk.err = errors.New("the table is down")
		if again := current(t, s); !bytes.Equal(again.Secret, key.Secret) {
			t.Error("another key")
		}
		if _, _, err := NewKeys(desk, "stack").Find(t.Context(), key.ID); !errors.Is(err, desk.err) {
			t.Errorf("error %v", err)
		}
		if _, err := NewKeys(desk, "stack").Current(t.Context()); !errors.Is(err, desk.err) {
			t.Errorf("error %v", err)
		}
		desk.err = nil
		table := "stack"
		_, err := desk.KeyTable.(*awsdynamodb.Client).DeleteItem(t.Context(), &awsdynamodb.DeleteItemInput{TableName: &table, Key: keyKey(key.ID)})
		if err != nil {
			t.Fatal(err)
		}
		if again := current(t, s); bytes.Equal(again.Secret, key.Secret) {
			t.Error("a deleted key is still in use")
		}
	})
}

// TestShortKey proves that a key that can be guessed is an error, not a key.
func TestShortKey(t *testing.T) {
	atDesk(t, func(t *testing.T, desk *keyDesk) {
		put := keyKey(periodOf(time.Now()))
		put["secret"] = stringValue("")
		table := "stack"
		if _, err := desk.PutItem(t.Context(), &awsdynamodb.PutItemInput{TableName: &table, Item: put}); err != nil {
			t.Fatal(err)
		}
		if key, err := NewKeys(desk, "stack").Current(t.Context()); err == nil {
			t.Errorf("key %v", key)
		}
	})
}

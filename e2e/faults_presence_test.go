package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph/simulator/fault"
)

// connectIsThrottled: a handshake fails with 5xx when the presence can't be written, and leaves no connection behind,
// whether or not the user is online with another device; the next one succeeds.
func (b *breakable) connectIsThrottled(t *testing.T) {
	there, away := newUser(), newUser()
	b.connect(t, there)
	for user, left := range map[string]int{there: 1, away: 0} {
		// As many as the SDK's tries. The connection is written before the presence, so there is something to undo.
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

// topicsAreDownForGoing: going offline is published when the topic is back, if it could not be at the end of the
// grace period.
func (b *breakable) topicsAreDownForGoing(t *testing.T) {
	topic, user := b.subscribe(t), newUser()
	phone, _ := b.connect(t, user)
	topic.until(t, []string{user}, func(e event) bool { return e.Data.IsOnline })
	b.hideFor(t, b.graceQueueURL(), 4) // longer than the SDK's retries, so that no other run can overtake a failing one
	hits := b.inject(t, fault.Rule{Service: fault.SNS, Action: "Publish", Down: true, Count: 4})
	phone.hangUp(t)
	events := topic.until(t, []string{user}, func(e event) bool { return !e.Data.IsOnline })
	if transitions(t, events) != 1 || hits() != 4 {
		t.Errorf("events: %+v; %d calls failed, want 4", events, hits())
	}
}

// announceIsKilled: the grace period survives killed functions. Runs of announce are killed a few times, both on the
// records of a user who goes offline and on the queued note at the end of the grace period; afterwards the change is
// announced, in order, with one version.
func (b *breakable) announceIsKilled(t *testing.T) {
	topic, user := b.subscribe(t), newUser()
	phone, _ := b.connect(t, user)
	came := func(e event) bool { return e.Data.IsOnline }
	events := topic.until(t, []string{user}, came)
	b.hideFor(t, b.graceQueueURL(), 2)
	hits := b.inject(t, fault.Rule{Service: fault.Lambda, Resource: "*-announce", Kill: true, Count: 3})
	phone.hangUp(t)
	events = append(events, topic.until(t, []string{user}, func(e event) bool { return !e.Data.IsOnline })...)
	b.connect(t, user)
	events = append(events, topic.until(t, []string{user}, came)...)
	if transitions(t, events) != 3 || hits() != 3 {
		t.Errorf("want 3 transitions, and 3 functions killed, not %d: %+v", hits(), events)
	}
}

// answersGetLost: a write whose answer is lost is repeated, with the same result: the user comes online once and goes
// offline once, and the connection is added and deleted. If the repeated write fails its condition, the first one had
// succeeded.
func (b *breakable) answersGetLost(t *testing.T) {
	topic, user := b.subscribe(t), newUser()
	for _, caller := range []string{"*-connect", "*-disconnect", "*-announce"} {
		for _, action := range []string{"PutItem", "UpdateItem", "DeleteItem"} {
			b.inject(t, fault.Rule{Service: fault.DynamoDB, Action: action, Caller: caller, Error: fault.LostAnswer, Count: 1})
		}
	}
	phone, _ := b.connect(t, user)
	came := topic.until(t, []string{user}, func(e event) bool { return e.Data.IsOnline })
	phone.hangUp(t)
	events := append(came, topic.until(t, []string{user}, func(e event) bool { return !e.Data.IsOnline })...)
	if transitions(t, events) != 2 {
		t.Errorf("want one coming and one going: %+v", events)
	}
	b.waitForConnections(t, user, 0)
	var lost int
	for _, f := range b.sim.Faults().List() {
		if f.Error == fault.LostAnswer {
			lost += f.Hits
		}
	}
	// connect puts and updates, disconnect deletes, announce updates; disconnect also updates if announce does not
	// come first.
	if lost < 4 {
		t.Errorf("%d answers got lost, want 4 at least", lost)
	}
}

// transitions counts a user's events, counting duplicates once. A queue may have reordered them.
func transitions(t *testing.T, events []event) int {
	t.Helper()
	versions := map[int64]bool{}
	for _, e := range events {
		if online, seen := versions[e.Data.Version]; seen && online != e.Data.IsOnline {
			t.Errorf("version %d is both online and offline", e.Data.Version)
		}
		versions[e.Data.Version] = e.Data.IsOnline
	}
	var turns []bool
	for _, version := range slices.Sorted(maps.Keys(versions)) {
		turns = append(turns, versions[version])
	}
	if len(slices.Compact(turns)) != len(versions) {
		t.Errorf("events do not take turns: %+v", events)
	}
	return len(versions)
}

// graceQueueURL is the queue on which announce waits for the end of the grace period. Its URL differs from the send
// queue's in the name.
func (b *breakable) graceQueueURL() string {
	return strings.TrimSuffix(b.SendQueueURL, "send") + "grace"
}

// streamDeliversTwice: a change that is delivered twice is announced with one version, so that a subscriber can drop
// one.
func (b *breakable) streamDeliversTwice(t *testing.T) {
	topic, user, fence := b.subscribe(t), newUser(), newUser()
	hits := b.inject(t, fault.Rule{Service: fault.Delivery, Resource: "*/stream/*", Duplicate: true})
	phone, _ := b.connect(t, user)
	phone.hangUp(t)
	b.waitForConnections(t, user, 0)
	other, _ := b.connect(t, fence)
	other.hangUp(t)
	gone := map[string]bool{} // in either order: users of one batch don't wait for each other
	events := topic.until(t, []string{user, fence}, func(e event) bool {
		gone[e.Data.UserID] = gone[e.Data.UserID] || !e.Data.IsOnline
		return gone[user] && gone[fence]
	})
	events = slices.DeleteFunc(events, func(e event) bool { return e.Data.UserID != user })
	if transitions(t, events) != 2 || hits() == 0 {
		t.Errorf("want 2 transitions; %d batches came twice: %+v", hits(), events)
	}
}

// ghost makes a connection that ended without a $disconnect, and returns its id.
func (b *breakable) ghost(t *testing.T, user string) string {
	t.Helper()
	phone, id := b.connect(t, user)
	hits := b.inject(t, fault.Rule{Service: fault.Disconnect, Resource: "*/@connections/" + id, Lost: true})
	phone.hangUp(t)
	eventually(t, "the disconnect is lost", func(context.Context) (bool, error) { return hits() == 1, nil })
	b.waitForConnections(t, user, 1)
	return id
}

// disconnectIsLost: the next message finds the connection gone, and the user goes offline. A 410 counts only for
// connections older than 35 s, so the test ages this one in the table.
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

// disconnectIsLate: a user who reconnects before the old connection's late $disconnect stays online.
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

// ghostIsSwept: a ghost that gets no message is found by the sweep after its first lease.
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

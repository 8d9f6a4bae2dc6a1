package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
)

// TestOnlineStatus proves that a user comes online with the first device, stays online while one of two remains, and
// goes offline without any, and that LastActivity is then the time of the last disconnect.
func TestOnlineStatus(t *testing.T) {
	t.Parallel()
	user, nobody := newUser(), newUser()
	phone, laptop := connect(t, user), connect(t, user)
	check := func(online bool) (last *time.Time) {
		t.Helper()
		both := statuses(t, user, nobody)
		if len(both) != 2 || both[0].UserID != user || both[1].UserID != nobody {
			t.Fatalf("answer for %s and %s: %+v", user, nobody, both)
		}
		if both[0].IsOnline != online {
			t.Errorf("IsOnline = %t, want %t", both[0].IsOnline, online)
		}
		if both[1].IsOnline || both[1].LastActivity != nil {
			t.Errorf("a user who was never here: %+v", both[1])
		}
		return both[0].LastActivity
	}
	waitForConnections(t, user, 2)
	if last := check(true); last == nil || time.Since(*last).Abs() > patience {
		t.Errorf("LastActivity of an online user is %v, want now", last)
	}
	phone.hangUp(t)
	waitForConnections(t, user, 1)
	check(true)
	before := time.Now().Add(-time.Second)
	laptop.hangUp(t)
	eventually(t, user+" is offline", func(context.Context) (bool, error) { return !statuses(t, user)[0].IsOnline, nil })
	if last := check(false); last == nil || last.Before(before) || last.After(time.Now().Add(time.Second)) {
		t.Errorf("LastActivity is %v, want the time of the disconnect", last)
	}
}

// TestOnlineList proves that the list contains the online users, in the contract's exact form.
func TestOnlineList(t *testing.T) {
	t.Parallel()
	user := newUser()
	connect(t, user)
	authorization := "Bearer " + tokenFor(t, user)
	eventually(t, user+" is in the list", func(context.Context) (bool, error) {
		a := get(t, "/user/online", authorization)
		var entries []map[string]any
		if err := json.Unmarshal([]byte(a.body), &entries); err != nil || a.status != http.StatusOK {
			return false, fmt.Errorf("GET /user/online: %d %s", a.status, a.body)
		}
		for _, entry := range entries {
			if entry["UserId"] == user {
				at, err := time.Parse("2006-01-02T15:04:05.000Z", fmt.Sprint(entry["LastActivity"]))
				if err != nil || time.Since(at).Abs() > patience {
					return false, fmt.Errorf("LastActivity %v: %v", entry["LastActivity"], err)
				}
				entry["LastActivity"] = nil
				diff := cmp.Diff(map[string]any{"UserId": user, "IsOnline": true, "LastActivity": nil}, entry)
				if diff != "" {
					return false, fmt.Errorf("entry: %s", diff)
				}
				return true, nil
			}
		}
		return false, nil
	})
}

// TestOnlineListPages proves that following the Link headers shows every user once.
func TestOnlineListPages(t *testing.T) {
	t.Parallel()
	want := map[string]int{}
	var last string
	for range 5 {
		last = newUser()
		connect(t, last)
		want[last] = 1
	}
	waitForConnections(t, last, 1)
	got := map[string]int{}
	for path := "/user/online?limit=2"; path != ""; {
		a := get(t, path, "Bearer "+tokenFor(t, last))
		var page []status
		if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != http.StatusOK {
			t.Fatalf("GET %s: %d %s", path, a.status, a.body)
		}
		if len(page) > 2 {
			t.Errorf("a page of %d entries, asked for 2", len(page))
		}
		for _, entry := range page {
			if want[entry.UserID] > 0 {
				got[entry.UserID]++
			}
		}
		path = ""
		if link := a.header.Get("Link"); link != "" {
			var reference string
			if _, err := fmt.Sscanf(link, `<%s rel="next"`, &reference); err != nil {
				t.Fatalf("Link: %s: %v", link, err)
			}
			path = "/user/online" + reference[:len(reference)-len(">;")]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestOnlineBadRequests proves that a bad request is answered 400 with a hint at a valid one.
func TestOnlineBadRequests(t *testing.T) {
	t.Parallel()
	authorization := "Bearer " + tokenFor(t, newUser())
	for _, query := range []string{"limit=0", "limit=x", "limit=1001", "cursor=nonsense"} {
		a := get(t, "/user/online?"+query, authorization)
		if a.status != http.StatusBadRequest || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("?%s: %d, %s, %s", query, a.status, a.header.Get("Content-Type"), a.body)
		}
	}
}

// event is a presence event, as published on the topic.
type event struct {
	EventName string
	Data      struct {
		UserID   string `json:"UserId"`
		IsOnline bool
		Version  int64
		At       time.Time
	}
}

// subscriber is a queue that is subscribed to the topic.
type subscriber struct {
	client *sqs.Client
	url    string
}

func subscribe(t *testing.T) subscriber {
	t.Helper()
	return shared().subscribe(t)
}

func (r reached) subscribe(t *testing.T) subscriber {
	t.Helper()
	ctx := within(t)
	s := subscriber{client: sqs.NewFromConfig(r.config)}
	name := newUser()
	queue, err := s.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(name)})
	if err != nil {
		t.Fatalf("create a queue: %v", err)
	}
	s.url = aws.ToString(queue.QueueUrl)
	t.Cleanup(func() {
		if _, err := s.client.DeleteQueue(context.WithoutCancel(ctx), &sqs.DeleteQueueInput{QueueUrl: queue.QueueUrl}); err != nil {
			t.Errorf("delete the queue: %v", err)
		}
	})
	arn := queueARN(t, s.client, s.url)
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},`+
		`"Action":"sqs:SendMessage","Resource":%q,"Condition":{"ArnEquals":{"aws:SourceArn":%q}}}]}`, arn, r.EventTopicARN)
	if _, err := s.client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
		QueueUrl: queue.QueueUrl, Attributes: map[string]string{"Policy": policy},
	}); err != nil {
		t.Fatalf("let the topic send to the queue: %v", err)
	}
	topics := sns.NewFromConfig(r.config)
	subscription, err := topics.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: aws.String(r.EventTopicARN), Protocol: aws.String("sqs"), Endpoint: aws.String(arn), ReturnSubscriptionArn: true,
		Attributes: map[string]string{"RawMessageDelivery": "true"},
	})
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	t.Cleanup(func() {
		if _, err := topics.Unsubscribe(context.WithoutCancel(ctx), &sns.UnsubscribeInput{SubscriptionArn: subscription.SubscriptionArn}); err != nil {
			t.Errorf("unsubscribe: %v", err)
		}
	})
	return s
}

// queueARN asks for the ARN of a queue.
func queueARN(t *testing.T, client *sqs.Client, url string) string {
	t.Helper()
	out, err := client.GetQueueAttributes(within(t), &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(url), AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatalf("ask for the queue's ARN: %v", err)
	}
	return out.Attributes["QueueArn"]
}

// until collects the events of some users until one of them satisfies a condition.
func (s subscriber) until(t *testing.T, users []string, enough func(event) bool) (events []event) {
	t.Helper()
	eventually(t, fmt.Sprintf("the events of %v", users), func(ctx context.Context) (bool, error) {
		out, err := s.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: aws.String(s.url), MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil {
			return false, err
		}
		done := false
		for _, message := range out.Messages {
			if _, err := s.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: aws.String(s.url), ReceiptHandle: message.ReceiptHandle}); err != nil {
				return false, err
			}
			var e event
			if err := json.Unmarshal([]byte(aws.ToString(message.Body)), &e); err != nil {
				return false, fmt.Errorf("event %s: %w", aws.ToString(message.Body), err)
			}
			for _, user := range users {
				if e.Data.UserID == user {
					events = append(events, e)
					done = done || enough(e)
				}
			}
		}
		return done, nil
	})
	return events
}

// TestPresenceEvents proves that the topic carries one event when a user's first device connects and one when the
// last has closed, however many devices there were. A fence proves that there is no third: the events of another user
// who came and went later.
func TestPresenceEvents(t *testing.T) {
	t.Parallel()
	topic := subscribe(t)
	user, fence := newUser(), newUser()
	turned := func(user string, online bool) func(event) bool {
		return func(e event) bool { return e.Data.UserID == user && e.Data.IsOnline == online }
	}
	phone, laptop := connect(t, user), connect(t, user)
	waitForConnections(t, user, 2)
	// A user who leaves before announce has got to their coming is never announced at all.
	events := topic.until(t, []string{user}, turned(user, true))
	phone.hangUp(t)
	waitForConnections(t, user, 1)
	laptop.hangUp(t)
	waitForConnections(t, user, 0)
	events = append(events, topic.until(t, []string{user}, turned(user, false))...)
	last := connect(t, fence)
	events = append(events, topic.until(t, []string{user, fence}, turned(fence, true))...)
	last.hangUp(t)
	events = append(events, topic.until(t, []string{user, fence}, turned(fence, false))...)

	var got []bool
	var versions []int64
	for _, e := range events {
		if e.EventName != "OnlineStatusChanged" {
			t.Errorf("EventName is %q", e.EventName)
		}
		if e.Data.UserID == user {
			got = append(got, e.Data.IsOnline)
			versions = append(versions, e.Data.Version)
		}
	}
	if diff := cmp.Diff([]bool{true, false}, got); diff != "" {
		t.Errorf("transitions of the user: %s", diff)
	}
	if len(versions) == 2 && versions[0] >= versions[1] {
		t.Errorf("versions do not rise: %v", versions)
	}
}

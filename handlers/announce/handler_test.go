package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heliograph/observability"
	"heliograph/presence"
)

//go:embed testdata/stream.json
var streamSample []byte

//go:embed testdata/queue.json
var queueSample []byte

// fakeAnnouncer keeps what it is given, and fails where fails reports so.
type fakeAnnouncer struct {
	mu      sync.Mutex
	records []presence.Record
	notes   []presence.Grace
	fails   func(what string) bool // takes a record's partition and time, or a note's user
}

func (f *fakeAnnouncer) Handle(_ context.Context, r presence.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records = append(f.records, r)
	return f.outcome(fmt.Sprint(r.Partition(), "@", r.Created.Unix()))
}

func (f *fakeAnnouncer) GraceOver(_ context.Context, g presence.Grace) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notes = append(f.notes, g)
	return f.outcome(string(g.User))
}

func (f *fakeAnnouncer) outcome(what string) error {
	if f.fails != nil && f.fails(what) {
		return errors.New("the topic is down")
	}
	return nil
}

// invoke calls the handler as Lambda does, and returns its response as JSON.
func invoke(t *testing.T, a announcer, event []byte) (string, error) {
	t.Helper()
	return invokeWith(t, a, &fakeFailures{}, event)
}

func invokeWith(t *testing.T, a announcer, kept failures, event []byte) (string, error) {
	t.Helper()
	var printed bytes.Buffer
	f := observability.New("announce", observability.Settings{Stage: "dev"}, &printed)
	response, err := observability.Wrap(f, announce(a, kept))(t.Context(), event)
	text, marshalErr := json.Marshal(response)
	if marshalErr != nil {
		t.Fatal(marshalErr)
	}
	return string(text), err
}

var ignoreSDK = cmpopts.IgnoreUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberN{}, types.AttributeValueMemberBOOL{})

func s(text string) types.AttributeValue { return &types.AttributeValueMemberS{Value: text} }
func n(text string) types.AttributeValue { return &types.AttributeValueMemberN{Value: text} }

// TestStream proves that records of the stream reach the announcer complete, those of one user in order.
func TestStream(t *testing.T) {
	t.Parallel()
	a := &fakeAnnouncer{}
	answer, err := invoke(t, a, streamSample)
	if err != nil || answer != `{"batchItemFailures":[]}` {
		t.Fatalf("answer %s, %v", answer, err)
	}
	slices.SortStableFunc(a.records, func(a, b presence.Record) int { return strings.Compare(a.Partition(), b.Partition()) })
	if len(a.records) != 3 || !a.records[0].Created.Before(a.records[1].Created) {
		t.Fatalf("records: %v", a.records)
	}
	came, gone, removed := a.records[0], a.records[1], a.records[2]
	want := map[string]types.AttributeValue{
		"pk": s("user#1234"), "sk": s("presence"), "gpk": s("online#09"), "gsk": s("1234"),
		"online": &types.AttributeValueMemberBOOL{Value: true}, "epoch": n("1767323045679"), "onlineSince": n("1767323045678"),
	}
	if diff := cmp.Diff(want, came.New, ignoreSDK); diff != "" || came.Old != nil || came.Expired || came.Removed() {
		t.Errorf("came (-want +got):\n%s\nold %v, expired %v", diff, came.Old, came.Expired)
	}
	if gone.Old == nil || gone.New == nil || !gone.Created.Equal(time.Unix(1767323047, 0)) {
		t.Errorf("gone: %v", gone)
	}
	want = map[string]types.AttributeValue{
		"pk": s("user#other"), "sk": s("conn#L0SM9cOFvHcCIhw="), "gpk": s("lease#13"), "gsk": s("1767323105#L0SM9cOFvHcCIhw="),
		"connectedAt": n("1767315545678"), "ttl": n("1767323045"),
	}
	if diff := cmp.Diff(want, removed.Old, ignoreSDK); diff != "" || !removed.Removed() || !removed.Expired {
		t.Errorf("removed (-want +got):\n%s\nremoved %v, expired %v", diff, removed.Removed(), removed.Expired)
	}
}

// TestStreamRemovalByUs proves that a removal by one of our functions is distinguished from one by time to live.
func TestStreamRemovalByUs(t *testing.T) {
	t.Parallel()
	a := &fakeAnnouncer{}
	event := bytes.ReplaceAll(streamSample, []byte("dynamodb.amazonaws.com"), []byte("somebody.else"))
	if _, err := invoke(t, a, event); err != nil {
		t.Fatal(err)
	}
	for _, r := range a.records {
		if r.Expired {
			t.Errorf("expired: %v", r)
		}
	}
}

// TestStreamFailures proves that the response names the first failed record. Later records of the batch are still
// handled, except those of the same user.
func TestStreamFailures(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fails   []string
		answer  string
		handled int
	}{
		"first": {[]string{"user#1234@1767323045"}, `{"batchItemFailures":[{"itemIdentifier":"100000000000000000001"}]}`, 2},
		"other": {[]string{"user#other@1767323046"}, `{"batchItemFailures":[{"itemIdentifier":"100000000000000000002"}]}`, 3},
		"last":  {[]string{"user#1234@1767323047"}, `{"batchItemFailures":[{"itemIdentifier":"100000000000000000003"}]}`, 3},
		"two":   {[]string{"user#1234@1767323047", "user#other@1767323046"}, `{"batchItemFailures":[{"itemIdentifier":"100000000000000000002"}]}`, 3},
		"all":   {[]string{"user#1234@1767323045", "user#other@1767323046"}, `{"batchItemFailures":[{"itemIdentifier":"100000000000000000001"}]}`, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &fakeAnnouncer{fails: func(what string) bool { return slices.Contains(test.fails, what) }}
			answer, err := invoke(t, a, streamSample)
			if err != nil || answer != test.answer || len(a.records) != test.handled {
				t.Errorf("answer %s, %v, after %d records", answer, err, len(a.records))
			}
		})
	}
}

// TestQueue proves that notes reach the announcer, that the response names those that fail, and that one that can't be
// decoded or will never be published is put away.
func TestQueue(t *testing.T) {
	t.Parallel()
	a, kept := &fakeAnnouncer{}, &fakeFailures{}
	answer, err := invokeWith(t, a, kept, queueSample)
	if err != nil || answer != `{"batchItemFailures":[]}` || len(kept.kept) != 1 || kept.kept[0].EventID != "c1d5a0a2-4a5b-4b8e-9b0a-1a2b3c4d5e6f" {
		t.Errorf("answer %s, %v, put away %v", answer, err, kept.kept)
	}
	slices.SortFunc(a.notes, func(a, b presence.Grace) int { return strings.Compare(string(a.User), string(b.User)) })
	if diff := cmp.Diff([]presence.Grace{{User: "1234", Epoch: 1767323045680}, {User: "other", Epoch: 7}}, a.notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	broken := &fakeAnnouncer{fails: func(what string) bool { return what == "1234" }}
	answer, err = invoke(t, broken, queueSample)
	if want := `{"batchItemFailures":[{"itemIdentifier":"059f36b4-87a3-44ab-83d2-661975830a7d"}]}`; err != nil || answer != want {
		t.Errorf("answer %s, %v", answer, err)
	}
	refused, kept := &hopelessAnnouncer{fail: func() error { return &smithy.GenericAPIError{Code: "InvalidParameter"} }}, &fakeFailures{}
	if answer, err = invokeWith(t, refused, kept, queueSample); err != nil || answer != `{"batchItemFailures":[]}` || len(kept.kept) != 3 {
		t.Errorf("answer %s, %v, put away %v", answer, err, kept.kept)
	}
	down := &fakeFailures{err: errors.New("the queue is down")}
	if answer, err = invokeWith(t, refused, down, queueSample); err != nil || strings.Count(answer, "itemIdentifier") != 3 {
		t.Errorf("answer without a failure queue: %s, %v", answer, err)
	}
}

// TestOtherEvents proves that an event of neither source is an error, and that one without records does nothing.
func TestOtherEvents(t *testing.T) {
	t.Parallel()
	for _, event := range []string{`{"Records":[{"eventSource":"aws:s3"}]}`, `{"Records":1}`, `[]`} {
		if answer, err := invoke(t, &fakeAnnouncer{}, []byte(event)); err == nil {
			t.Errorf("%s: answer %s", event, answer)
		}
	}
	for _, event := range []string{`{}`, `{"Records":[]}`} {
		if answer, err := invoke(t, &fakeAnnouncer{}, []byte(event)); err != nil || answer != `{"batchItemFailures":[]}` {
			t.Errorf("%s: answer %s, %v", event, answer, err)
		}
	}
}

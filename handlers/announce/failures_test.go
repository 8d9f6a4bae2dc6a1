package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"heliograph/presence"
)

// fakeFailures keeps the failures it is given, unless it is down.
type fakeFailures struct {
	mu   sync.Mutex
	kept []failedRecord
	err  error
}

func (f *fakeFailures) Keep(_ context.Context, r failedRecord) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.kept = append(f.kept, r)
	}
	return f.err
}

// hopelessAnnouncer fails on the records of a partition with a given error.
type hopelessAnnouncer struct {
	fakeAnnouncer
	partition string
	fail      func() error
}

func (h *hopelessAnnouncer) Handle(ctx context.Context, r presence.Record) error {
	if r.Partition() == h.partition {
		return h.fail()
	}
	return h.fakeAnnouncer.Handle(ctx, r)
}

// unreadable is the error of an announcer for an unreadable record.
func unreadable(t *testing.T) error {
	t.Helper()
	r := presence.Record{
		Keys: map[string]types.AttributeValue{"pk": s("user#1234"), "sk": s("presence")},
		New:  map[string]types.AttributeValue{"epoch": s("yesterday")},
	}
	return presence.NewAnnouncer(nil, nil, nil).Handle(t.Context(), r)
}

func (h *hopelessAnnouncer) GraceOver(context.Context, presence.Grace) error { return h.fail() }

// TestHopelessRecords proves that a record that causes its own error goes to the failure queue at once, and the shard
// goes on. Other errors make the record come again.
func TestHopelessRecords(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fail     func() error
		putAway  bool
		wantText string // in the description
	}{
		"unreadable":      {func() error { return unreadable(t) }, true, "decode presence"},
		"a panic":         {func() error { panic("no such thing") }, true, "no such thing"},
		"bad values":      {func() error { return &smithy.GenericAPIError{Code: "ValidationException", Message: "not a number"} }, true, "not a number"},
		"not for a queue": {func() error { return &smithy.GenericAPIError{Code: "InvalidMessageContents", Message: "#xFFFF"} }, true, "#xFFFF"},
		"not for a topic": {func() error { return &smithy.GenericAPIError{Code: "InvalidParameter", Message: "Message"} }, true, "Message"},
		"throttled":       {func() error { return &types.ProvisionedThroughputExceededException{} }, false, ""},
		"forbidden":       {func() error { return &smithy.GenericAPIError{Code: "AccessDeniedException"} }, false, ""},
		"unavailable":     {func() error { return context.DeadlineExceeded }, false, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, kept := &hopelessAnnouncer{partition: "user#1234", fail: test.fail}, &fakeFailures{}
			got, err := invokeWith(t, a, kept, streamSample)
			if err != nil {
				t.Fatal(err)
			}
			if len(a.records) != 1 {
				t.Errorf("%d of the records behind it were handled", len(a.records))
			}
			if !test.putAway {
				if got != `{"batchItemFailures":[{"itemIdentifier":"100000000000000000001"}]}` || len(kept.kept) != 0 {
					t.Errorf("answer %s, put away %v", got, kept.kept)
				}
				return
			}
			if got != `{"batchItemFailures":[]}` || len(kept.kept) != 2 {
				t.Fatalf("answer %s, put away %v", got, kept.kept)
			}
			first := kept.kept[0]
			if !strings.Contains(first.Error, test.wantText) {
				t.Errorf("the description says %q, want %q in it", first.Error, test.wantText)
			}
			first.Error = ""
			want := failedRecord{
				Condition: "Unreadable", EventID: "c4ca4238a0b923820dcc509a6f75849b", EventName: "INSERT",
				StreamARN:      "arn:aws:dynamodb:eu-west-1:123456789012:table/heliograph-dev/stream/2026-01-01T00:00:00.000",
				SequenceNumber: "100000000000000000001", Keys: json.RawMessage(`{"pk": {"S": "user#1234"}, "sk": {"S": "presence"}}`),
			}
			if diff := cmp.Diff(want, first); diff != "" {
				t.Errorf("description (-want +got):\n%s", diff)
			}
		})
	}
}

// TestUndecodableRecord proves that a record that can't be decoded fails alone, and comes again if the failure queue is
// down.
func TestUndecodableRecord(t *testing.T) {
	t.Parallel()
	broken := bytes.Replace(streamSample, []byte(`{"BOOL": true}`), []byte(`{"BOOL": "maybe"}`), 1)
	a, kept := &fakeAnnouncer{}, &fakeFailures{}
	if got, err := invokeWith(t, a, kept, broken); err != nil || got != `{"batchItemFailures":[]}` || len(a.records) != 2 {
		t.Errorf("answer %s, %v, after %d records", got, err, len(a.records))
	}
	if len(kept.kept) != 1 || kept.kept[0].SequenceNumber != "100000000000000000001" {
		t.Errorf("put away: %v", kept.kept)
	}
	down := &fakeFailures{err: errors.New("the queue is down")}
	if got, err := invokeWith(t, &fakeAnnouncer{}, down, broken); err != nil || got != `{"batchItemFailures":[{"itemIdentifier":"100000000000000000001"}]}` {
		t.Errorf("answer without a failure queue: %s, %v", got, err)
	}
}

// TestFailureQueue proves that the description is the one that the runbook shows.
func TestFailureQueue(t *testing.T) {
	t.Parallel()
	client := &fakeSQS{}
	if err := (failureQueue{client, "https://queue"}).Keep(t.Context(), describe(json.RawMessage(`{"eventID":"1","eventName":"MODIFY","dynamodb":{"Keys":{"pk":{"S":"user#a"}},"SequenceNumber":"7"}}`), errors.New("why"))); err != nil {
		t.Fatal(err)
	}
	want := `{"condition":"Unreadable","error":"why","eventId":"1","eventName":"MODIFY","streamArn":"","sequenceNumber":"7","keys":{"pk":{"S":"user#a"}}}`
	if *client.in.QueueUrl != "https://queue" || *client.in.MessageBody != want {
		t.Errorf("sent to %s: %s", *client.in.QueueUrl, *client.in.MessageBody)
	}
	client.err = errors.New("the queue is down")
	if err := (failureQueue{client, "https://queue"}).Keep(t.Context(), failedRecord{}); !errors.Is(err, client.err) {
		t.Errorf("error: %v", err)
	}
}

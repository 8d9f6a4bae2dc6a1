package observability

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
)

// queue is an SQS that answers with these statuses, one after another, and notes the trace headers.
type queue struct {
	statuses []int
	headers  []string
}

func (q *queue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q.headers = append(q.headers, r.Header.Get("X-Amzn-Trace-Id"))
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Requestid", "aws-request")
	w.WriteHeader(q.statuses[0])
	q.statuses = q.statuses[1:]
	_, _ = w.Write([]byte(`{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no such queue"}`))
}

// newQueue serves a queue, and returns its address.
func newQueue(t *testing.T, statuses ...int) string {
	t.Helper()
	server := httptest.NewServer(&queue{statuses: statuses})
	t.Cleanup(server.Close)
	return server.URL
}

// call purges the queue once within a handler, with a client made as Start makes clients, and returns
// what the daemon got.
func (q *queue) call(t *testing.T, header string, share float64) ([]segment, error) {
	t.Helper()
	server := httptest.NewServer(q)
	t.Cleanup(server.Close)
	cfg := aws.Config{
		Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: aws.AnonymousCredentials{},
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.Backoff = retry.BackoffDelayerFunc(noDelay) })
		},
	}
	instrument(&cfg)
	client := sqs.NewFromConfig(cfg)
	d := newDaemon(t)
	var out bytes.Buffer
	f := d.function(t, Settings{Stage: "test", TraceSampling: share}, &out)
	_, err := Wrap(f, ignoring(func(ctx context.Context) error {
		return Step(ctx, "purge", func(ctx context.Context) error {
			_, err := client.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: aws.String(server.URL + "/1/q")})
			return err
		})
	}))(lambdaContext(context.Background(), "r-1", header), struct{}{})
	return d.segments(t), err
}

func noDelay(int, error) (time.Duration, error) { return 0, nil }

// TestAWSCall proves that a call of an AWS client is a subsegment of the step that it belongs to, and
// that the service is told of it.
func TestAWSCall(t *testing.T) {
	t.Parallel()
	q := &queue{statuses: []int{200}}
	all, err := q.call(t, sampledTrace, 1)
	if err != nil || len(all) != 1 || len(all[0].Subsegments) != 1 || len(all[0].Subsegments[0].Subsegments) != 1 {
		t.Fatalf("error %v, documents %+v", err, all)
	}
	call := all[0].Subsegments[0].Subsegments[0]
	want := map[string]any{"region": "eu-west-1", "operation": "PurgeQueue", "request_id": "aws-request"}
	if diff := cmp.Diff(want, call.AWS); diff != "" || call.Name != "SQS" || call.Namespace != "aws" || call.HTTP.Response.Status != 200 {
		t.Errorf("the call is %+v\n%s", call, diff)
	}
	if wantHeader := "Root=" + testTraceID + ";Parent=" + call.ID + ";Sampled=1"; q.headers[0] != wantHeader {
		t.Errorf("the service got the trace header %q, not %q", q.headers[0], wantHeader)
	}
}

// TestAWSCallOutcome proves which calls count as what: a refusal is an error and no fault, and a call
// that came through after a retry is neither.
func TestAWSCallOutcome(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		statuses     []int
		fault, error bool
		failed       bool
	}{
		{"good", []int{200}, false, false, false},
		{"refused", []int{400}, false, true, true},
		{"failed", []int{500, 500, 500}, true, false, true},
		{"good at last", []int{500, 200}, false, false, false},
		{"refused at last", []int{500, 400}, false, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q := &queue{statuses: c.statuses}
			all, err := q.call(t, sampledTrace, 1)
			call := all[0].Subsegments[0].Subsegments[0]
			if (err != nil) != c.failed || call.Fault != c.fault || call.Error != c.error || (call.message() != "") != c.failed {
				t.Errorf("fault %v, error %v, message %q; the caller got %v", call.Fault, call.Error, call.message(), err)
			}
			if len(q.statuses) != 0 {
				t.Errorf("%d attempts were not made", len(q.statuses))
			}
		})
	}
}

// TestAWSCallNotTraced proves that a call in an invocation that is not traced sends no document, and
// leaves the trace header to the AWS SDK.
func TestAWSCallNotTraced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header string
		share  float64
	}{
		"not sampled": {strings.Replace(sampledTrace, "Sampled=1", "Sampled=0", 1), 1},
		"left out":    {sampledTrace, 0},
		"no trace":    {"", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := &queue{statuses: []int{200}}
			all, err := q.call(t, c.header, c.share)
			if err != nil || len(all) != 0 || q.headers[0] != "" {
				t.Errorf("error %v, documents %+v, header %q", err, all, q.headers[0])
			}
		})
	}
}

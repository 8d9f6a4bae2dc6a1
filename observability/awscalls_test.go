package observability

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	gocmp "github.com/google/go-cmp/cmp"
)

// queue is an SQS that answers with these statuses, one after another, and notes the trace headers.
type queue struct {
	statuses []int
	code     string // of its errors
	headers  []string
}

func (q *queue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q.headers = append(q.headers, r.Header.Get("X-Amzn-Trace-Id"))
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Requestid", "aws-request")
	w.WriteHeader(q.statuses[0])
	q.statuses = q.statuses[1:]
	_, _ = w.Write([]byte(`{"__type":"com.amazonaws.sqs#` + cmp.Or(q.code, "QueueDoesNotExist") + `","message":"no such queue"}`))
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
	want := map[string]any{"region": "eu-west-1", "operation": "PurgeQueue", "queue_url": call.AWS["queue_url"], "request_id": "aws-request"}
	if diff := gocmp.Diff(want, call.AWS); diff != "" || call.Name != "SQS" || call.Namespace != "aws" || call.HTTP.Response.Status != 200 {
		t.Errorf("the call is %+v\n%s", call, diff)
	}
	if url, _ := call.AWS["queue_url"].(string); !strings.HasSuffix(url, "/1/q") {
		t.Errorf("the call names the queue %q", url)
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
		code         string
		fault, error bool
		throttle     bool
		failed       bool
		retries      any
	}{
		{"good", []int{200}, "", false, false, false, false, nil},
		{"refused", []int{400}, "", false, true, false, true, nil},
		{"failed", []int{500, 500, 500}, "", true, false, false, true, 2.0},
		{"good at last", []int{500, 200}, "", false, false, false, false, 1.0},
		{"refused at last", []int{500, 400}, "", false, true, false, true, 1.0},
		{"throttled by the table", []int{400, 400, 400}, "ProvisionedThroughputExceededException", false, true, true, true, 2.0},
		{"throttled", []int{429}, "Whatever", false, true, true, true, nil},
		{"throttled, then good", []int{400, 200}, "ThrottlingException", false, false, false, false, 1.0},
		{"condition failed", []int{400}, "ConditionalCheckFailedException", false, false, false, true, nil},
		{"gone", []int{410}, "GoneException", false, false, false, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q := &queue{statuses: c.statuses, code: c.code}
			all, err := q.call(t, sampledTrace, 1)
			call := all[0].Subsegments[0].Subsegments[0]
			if (err != nil) != c.failed || call.Fault != c.fault || call.Error != c.error || (call.message() != "") != (c.fault || c.error) {
				t.Errorf("fault %v, error %v, message %q; the caller got %v", call.Fault, call.Error, call.message(), err)
			}
			if call.Throttle != c.throttle || call.AWS["retries"] != c.retries || (c.failed && call.AWS["error_code"] != cmp.Or(c.code, "QueueDoesNotExist")) {
				t.Errorf("throttle %v, described as %v", call.Throttle, call.AWS)
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

package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/console"
	"heliograph/simulator/fault"
	"heliograph/simulator/gateway"
	"heliograph/simulator/iam"
	"heliograph/simulator/lambda"
	"heliograph/simulator/loopback"
	"heliograph/simulator/wire"
)

// newTestCloud returns a cloud on free ports that closes when the test ends.
func newTestCloud(t *testing.T) *Cloud {
	t.Helper()
	c, err := New(Options{FunctionsDir: t.TempDir(), Problem: func(text string) { t.Log(text) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// once is the AWS SDK's configuration for a cloud, with an access key and without retries.
func once(c *Cloud, key string) aws.Config {
	return aws.Config{
		Region: c.Region, BaseEndpoint: aws.String(c.EndpointURL()), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", ""),
	}
}

// calls are one call of each service, with any caller.
var calls = map[fault.Service]func(context.Context, aws.Config) error{
	fault.DynamoDB: func(ctx context.Context, cfg aws.Config) error {
		_, err := awsdynamodb.NewFromConfig(cfg).ListTables(ctx, nil)
		return err
	},
	fault.SQS: func(ctx context.Context, cfg aws.Config) error {
		_, err := awssqs.NewFromConfig(cfg).ListQueues(ctx, nil)
		return err
	},
	fault.SNS: func(ctx context.Context, cfg aws.Config) error {
		_, err := awssns.NewFromConfig(cfg).ListTopics(ctx, nil)
		return err
	},
	fault.SSM: func(ctx context.Context, cfg aws.Config) error {
		_, err := awsssm.NewFromConfig(cfg).DescribeParameters(ctx, nil)
		return err
	},
}

func mustInject(t *testing.T, c *Cloud, r fault.Rule) fault.ID {
	t.Helper()
	id, err := c.Faults.Add(r)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestFaultsReachTheSDK proves that an unmodified SDK reads each fault as the error that AWS would have sent, and that
// the next call succeeds once the rule is used up.
func TestFaultsReachTheSDK(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		service fault.Service
		error   string
		is      func(error) bool // the SDK's type for it; nil if it has none
	}{
		{fault.DynamoDB, "ProvisionedThroughputExceededException", typed[*dynamodbtypes.ProvisionedThroughputExceededException]},
		{fault.DynamoDB, "RequestLimitExceeded", typed[*dynamodbtypes.RequestLimitExceeded]},
		{fault.DynamoDB, "InternalServerError", typed[*dynamodbtypes.InternalServerError]},
		{fault.DynamoDB, "ThrottlingException", typed[*dynamodbtypes.ThrottlingException]},
		{fault.DynamoDB, "ServiceUnavailable", nil},
		{fault.SQS, "RequestThrottled", nil},
		{fault.SQS, "ServiceUnavailable", nil},
		{fault.SNS, "Throttled", nil}, // its type belongs to only a few actions
		{fault.SNS, "InternalError", typed[*snstypes.InternalErrorException]},
		{fault.SSM, "InternalServerError", typed[*ssmtypes.InternalServerError]},
		{fault.SSM, "ThrottlingException", typed[*ssmtypes.ThrottlingException]},
	} {
		t.Run(string(test.service)+" "+test.error, func(t *testing.T) {
			t.Parallel()
			c := newTestCloud(t)
			mustInject(t, c, fault.Rule{Service: test.service, Error: test.error, Count: 1})
			err := calls[test.service](t.Context(), once(c, "anybody"))
			var api smithy.APIError
			if !errors.As(err, &api) || !strings.HasPrefix(api.ErrorCode(), test.error) || test.is != nil && !test.is(err) {
				t.Errorf("the SDK reads %v", err)
			}
			if err := calls[test.service](t.Context(), once(c, "anybody")); err != nil {
				t.Errorf("the next call: %v", err)
			}
		})
	}
}

func typed[E error](err error) bool { return errors.As(err, new(E)) }

// TestNoAnswer proves that a broken connection does not look like an answer from AWS.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	mustInject(t, c, fault.Rule{Service: fault.SQS, Error: fault.NoAnswer, Count: 1})
	err := calls[fault.SQS](t.Context(), once(c, "anybody"))
	if err == nil || typed[smithy.APIError](err) || !errors.Is(err, io.EOF) {
		t.Errorf("the SDK reads %v", err)
	}
}

// TestLostAnswer proves that a call whose answer is lost was carried out, on both servers.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	mustInject(t, c, fault.Rule{Service: fault.SSM, Action: "PutParameter", Error: fault.LostAnswer, Count: 1})
	parameters := awsssm.NewFromConfig(once(c, "anybody"))
	put := &awsssm.PutParameterInput{Name: aws.String("/lost"), Value: aws.String("and there"), Type: ssmtypes.ParameterTypeString}
	if _, err := parameters.PutParameter(t.Context(), put); err == nil || typed[smithy.APIError](err) || !errors.Is(err, io.EOF) {
		t.Errorf("the SDK reads %v", err)
	}
	if out, err := parameters.GetParameter(t.Context(), &awsssm.GetParameterInput{Name: put.Name}); err != nil || *out.Parameter.Value != *put.Value {
		t.Errorf("the parameter is %+v, %v", out, err)
	}
}

// TestLatency proves that a call is delayed, but no longer than its caller waits or the simulator runs.
func TestLatency(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	const wait = 50 * time.Millisecond
	mustInject(t, c, fault.Rule{Service: fault.SQS, Latency: fault.Fixed(wait)})
	mustInject(t, c, fault.Rule{Service: fault.SNS, Latency: fault.Fixed(time.Hour)})
	began := time.Now()
	if err := calls[fault.SQS](t.Context(), once(c, "anybody")); err != nil || time.Since(began) < wait {
		t.Errorf("answered after %v: %v", time.Since(began), err)
	}
	impatient, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	if err := calls[fault.SNS](impatient, once(c, "anybody")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the impatient caller got %v", err)
	}
	if err := c.effects.pause(impatient, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the pause of the impatient ended with %v", err)
	}
	done := make(chan error)
	go func() { done <- c.effects.pause(context.Background(), time.Hour) }()
	c.stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("whoever waits at the end gets %v", err)
	}
}

// TestDeniedBeforeFaults proves that a missing permission shows even while the service is down, and that a rule for one
// function affects neither the others nor any other caller.
func TestDeniedBeforeFaults(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	const trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	for _, role := range []iam.RoleName{"f-send", "f-sweep"} {
		if err := c.Roles.Create(role, trust); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Roles.Attach("f-send", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"*"}}`); err != nil {
		t.Fatal(err)
	}
	mustInject(t, c, fault.Rule{Service: fault.SQS, Caller: "*-send", Down: true})
	for key, want := range map[string]string{
		c.Roles.AccessKey("f-send"): "ServiceUnavailable", c.Roles.AccessKey("f-sweep"): "AccessDenied", "anybody": "",
	} {
		err := calls[fault.SQS](t.Context(), once(c, key))
		var api smithy.APIError
		if errors.As(err, &api) != (want != "") || api != nil && !strings.HasPrefix(api.ErrorCode(), want) {
			t.Errorf("%s got %v, want %q", key, err, want)
		}
	}
	mustInject(t, c, fault.Rule{Service: fault.SQS, Down: true})
	err := calls[fault.SQS](t.Context(), once(c, c.Roles.AccessKey("f-sweep")))
	if err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("who may not call learns that the service is down: %v", err)
	}
}

// TestConnectionActions proves that rules distinguish the actions of the @connections API, although IAM does not.
func TestConnectionActions(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	mustInject(t, c, fault.Rule{Service: fault.Connections, Action: "PostToConnection", Resource: "*/@connections/abc=", Error: "GoneException"})
	for path, want := range map[string]bool{"POST/@connections/abc=": true, "GET/@connections/abc=": false, "POST/@connections/abd=": false} {
		err := guard{c.Roles, c.Journal, c.effects, ""}.before(t.Context(), wire.Call{
			Service: "execute-api", Action: "ManageConnections", Permission: "execute-api:ManageConnections", AccessKey: "anybody",
			Resources: []string{"arn:aws:execute-api:us-east-1:000000000000:a1b2c3/local/" + path},
		})
		if got := typed[*wire.Error](err); got != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestDisconnectFaults proves that a rule loses the $disconnect of the connections that it names, and no other, and that
// another rule delays as many as it may.
func TestDisconnectFaults(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	mustInject(t, c, fault.Rule{Service: fault.Disconnect, Resource: "*:api1/local/@connections/a=", Lost: true})
	mustInject(t, c, fault.Rule{Service: fault.Disconnect, Latency: fault.Fixed(time.Minute), Count: 1})
	var got []string
	for _, id := range []gateway.ConnectionID{"a=", "b=", "c="} {
		delay, lost := c.effects.beforeDisconnect(gateway.Connection{ID: id, API: "api1", Stage: "local"})
		got = append(got, fmt.Sprint(id, delay, lost))
	}
	if diff := cmp.Diff([]string{"a=0s true", "b=1m0s false", "c=0s false"}, got); diff != "" {
		t.Error(diff)
	}
}

// failing runs no function: it returns the given result and counts its calls.
type failing struct {
	lambda.Invoker
	result lambda.Result
	ran    int
}

func (f *failing) Invoke(context.Context, lambda.Request) (lambda.Result, error) {
	f.ran++
	return f.result, nil
}

// TestStreamDuplicates proves that a successful batch is delivered once more, and that a failed one is left to the
// stream's own retries.
func TestStreamDuplicates(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	mustInject(t, c, fault.Rule{Service: fault.Delivery, Resource: "arn:stream", Duplicate: true})
	for _, test := range []struct {
		arn, failure string
		want         int
	}{{"arn:stream", "", 2}, {"arn:other", "", 1}, {"arn:stream", "Unhandled", 1}} {
		functions := &failing{result: lambda.Result{FunctionError: test.failure}}
		if _, err := (repeating{functions, c.effects, test.arn}).Invoke(t.Context(), lambda.Request{}); err != nil {
			t.Fatal(err)
		}
		if functions.ran != test.want {
			t.Errorf("%s %s: ran %d times, want %d", test.arn, test.failure, functions.ran, test.want)
		}
	}
}

// TestTypicalLatency proves that every rule of AWS's typical latency names an existing action, and that no action has
// two rules.
func TestTypicalLatency(t *testing.T) {
	t.Parallel()
	c, err := New(Options{FunctionsDir: t.TempDir(), Faults: fault.Typical()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	seen := map[string]bool{}
	for _, r := range c.Faults.List() {
		if what := string(r.Service) + " " + r.Action; seen[what] || r.Action == "" || r.Latency.P99 <= r.Latency.P50 {
			t.Errorf("%s: %s", what, r.Latency)
		} else {
			seen[what] = true
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %v", seen)
	}
	_, err = New(Options{FunctionsDir: t.TempDir(), Faults: []fault.Rule{{Service: "s3"}}})
	if err == nil || !strings.Contains(err.Error(), `the service "s3" is not known`) {
		t.Errorf("a wrong fault at the start: %v", err)
	}
}

// TestFaultsOverHTTP proves that rules can be added, listed and removed over HTTP, and that an invalid one is refused
// with a reason.
func TestFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	ask := func(method, path, kind, body string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, c.EndpointURL()+FaultsPath+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", kind)
		request.Header.Set(loopback.WriteHeader, "test")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(bytes.TrimSpace(answer))
	}
	for _, step := range []struct {
		method, path, kind, body string
		status                   int
		answer                   string
	}{
		{"GET", "", "", "", 200, `[]`},
		{"POST", "", "application/json", `{"service":"sns","down":true,"count":3}`, 201, `{"id":"fault-1","service":"sns","down":true,"count":3,"hits":0}`},
		{"POST", "", "application/json; charset=utf-8", `{"service":"ssm","latency":"1s"}`, 201, `{"id":"fault-2","service":"ssm","latency":"1s","hits":0}`},
		{"POST", "", "text/plain", `{"service":"sns","down":true}`, 415, `{"error":"the Content-Type must be application/json"}`},
		{"POST", "", "application/json", `{"service":"sns","dwon":true}`, 400, `no member \"dwon\"`},
		{"POST", "", "application/json", `{"service":"sns","action":"Publsh","down":true}`, 400, `there are *, CreateTopic`},
		{"POST", "", "application/json", `{"service":"` + strings.Repeat("x", maxRule) + `"}`, 400, `too large`},
		{"DELETE", "/fault-9", "", "", 404, `there are fault-1, fault-2`},
		{"DELETE", "/fault-1", "", "", 204, ``},
		{"GET", "", "", "", 200, `[{"id":"fault-2","service":"ssm","latency":"1s","hits":0}]`},
		{"DELETE", "", "", "", 204, ``},
		{"GET", "", "", "", 200, `[]`},
	} {
		status, answer := ask(step.method, step.path, step.kind, step.body)
		if status != step.status || !strings.Contains(answer, step.answer) {
			t.Errorf("%s %s %.60s: %d %s, want %d %s", step.method, step.path, step.body, status, answer, step.status, step.answer)
		}
	}
}

// TestFaultsOnTheConsole proves that the console shows the faults in effect.
func TestFaultsOnTheConsole(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	mustInject(t, c, fault.Rule{Service: fault.SQS, Down: true})
	if err := calls[fault.SQS](t.Context(), once(c, "anybody")); err == nil {
		t.Error("SQS is not down")
	}
	response, err := http.Get(c.EndpointURL() + console.Data + "/pulse")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), `"faults":["sqs: down"]`) {
		t.Errorf("the page does not show the fault:\n%s", page)
	}
}

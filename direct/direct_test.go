package direct

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// service answers requests with a list of answers, the last one again and again, and keeps the requests.
type service struct {
	answers  []answer
	requests []string
}

type answer struct {
	status int
	code   string // in the header X-Amzn-Errortype
	body   string
	cut    bool // the body ends too early
	err    error
}

func (s *service) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_, signed, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	for _, header := range []string{"host", "x-amz-date", "x-amz-security-token", "content-type"} {
		if !strings.Contains(signed, header) {
			return nil, fmt.Errorf("the header %s is not signed: %s", header, signed)
		}
	}
	s.requests = append(s.requests, fmt.Sprint(r.Method, " ", r.URL, " ", r.Host, " ", r.ContentLength, " ",
		r.Header["Content-Type"], r.Header["X-Amz-Target"], " ", string(body)))
	a := s.answers[min(len(s.requests), len(s.answers))-1]
	if a.err != nil {
		return nil, a.err
	}
	response := &http.Response{StatusCode: a.status, Header: http.Header{"X-Amzn-Requestid": {"id"}}, Request: r}
	if a.code != "" {
		response.Header.Set("X-Amzn-Errortype", a.code)
	}
	response.Body = io.NopCloser(strings.NewReader(a.body))
	if a.cut {
		response.Body = io.NopCloser(io.MultiReader(strings.NewReader(a.body), brokenReader{}))
	}
	return response, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func configOf(s *service) aws.Config {
	return aws.Config{
		Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", "token"), HTTPClient: s,
		BaseEndpoint: aws.String("https://aws.test/base"),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}
}

// ending is what callers look at in an error.
type ending struct {
	Codes    []string // of all that have one, outermost first
	Status   int
	Request  string
	Types    []string
	Canceled bool
}

func endingOf(err error) (e ending) {
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		e.Status, e.Request = response.HTTPStatusCode(), response.ServiceRequestID()
	}
	e.Canceled = errors.Is(err, context.Canceled)
	for ; err != nil; err = errors.Unwrap(err) {
		if coded, ok := err.(smithy.APIError); ok {
			e.Codes = append(e.Codes, coded.ErrorCode())
		}
		if name := fmt.Sprintf("%T", err); !strings.HasPrefix(name, "*fmt.") && !strings.HasPrefix(name, "*errors.") {
			e.Types = append(e.Types, name)
		}
	}
	return e
}

// answers are ways in which a call can end.
var answers = map[string][]answer{
	"ok":                      {{status: 200, body: `{}`}},
	"gone":                    {{status: 410, code: "GoneException:http://aws/"}},
	"gone, by its status":     {{status: 410, body: "<html>"}},
	"too large":               {{status: 413, code: "PayloadTooLargeException", body: `{"message":"too large"}`}},
	"forbidden":               {{status: 403, code: "ForbiddenException", body: `{"message":"no"}`}},
	"throttled":               {{status: 429, code: "LimitExceededException", body: `{"message":"slow down"}`}},
	"throttled at first":      {{status: 429, code: "LimitExceededException", body: `{}`}, {status: 200, body: `{}`}},
	"DynamoDB throttles":      {{status: 400, body: `{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow down"}`}},
	"no table":                {{status: 400, body: `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"none"}`}},
	"denied":                  {{status: 400, body: `{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"not you"}`}},
	"failed":                  {{status: 500, body: `{"message":"Internal server error"}`}},
	"failed at first":         {{status: 503, body: `{}`}, {status: 500, body: `{}`}, {status: 200, body: `{}`}},
	"no network":              {{err: io.ErrUnexpectedEOF}},
	"no answer in time":       {{err: context.DeadlineExceeded}, {status: 200, body: `{}`}},
	"the answer is cut short": {{status: 200, body: `{`, cut: true}},
}

// TestPostAsTheSDK proves that a post makes the requests that the SDK's client makes, as often, and ends as its own.
func TestPostAsTheSDK(t *testing.T) {
	t.Parallel()
	for name, answers := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: aws.String("L0SM9+/ä cOF="), Data: []byte("hello")}
			theirs, ours := &service{answers: answers}, &service{answers: answers}
			_, want := apigatewaymanagementapi.NewFromConfig(configOf(theirs)).PostToConnection(t.Context(), in)
			var statuses []int
			client, err := NewConnections(configOf(ours), "https://aws.test/base", func(_ context.Context, status int) { statuses = append(statuses, status) })
			if err != nil {
				t.Fatal(err)
			}
			_, got := client.PostToConnection(t.Context(), in)
			compare(t, theirs, ours, want, got)
			for i, a := range answers {
				if a.err == nil && !slices.Contains(statuses, answers[i].status) {
					t.Errorf("the status of answer %d is not among %d", i+1, statuses)
				}
			}
		})
	}
}

// TestQueryAsTheSDK proves the same of a query.
func TestQueryAsTheSDK(t *testing.T) {
	t.Parallel()
	for name, answers := range answers {
		if strings.HasPrefix(answers[0].code, "LimitExceeded") {
			continue // no answer of DynamoDB's to a query
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theirs, ours := &service{answers: answers}, &service{answers: answers}
			_, want := dynamodb.NewFromConfig(configOf(theirs)).Query(t.Context(), plain())
			_, got := newDynamoDB(t, ours).Query(t.Context(), plain())
			compare(t, theirs, ours, want, got)
		})
	}
}

func newDynamoDB(t *testing.T, s *service) *DynamoDB {
	t.Helper()
	client, err := NewDynamoDB(t.Context(), configOf(s))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func compare(t *testing.T, theirs, ours *service, want, got error) {
	t.Helper()
	if diff := cmp.Diff(theirs.requests, ours.requests); diff != "" {
		t.Errorf("requests (-SDK +ours):\n%s", diff)
	}
	if diff := cmp.Diff(endingOf(want), endingOf(got)); diff != "" {
		t.Errorf("error (-SDK +ours):\n%s\n%v\n%v", diff, want, got)
	}
}

func plain() *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName: aws.String("table"), ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("#pk = :user"),
		ExpressionAttributeNames:  map[string]string{"#pk": "pk"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":user": &types.AttributeValueMemberS{Value: `user#"<ä>`}},
	}
}

// TestPages proves that pages are read as the SDK reads them, whatever an item holds, and that other queries are the
// SDK's.
func TestPages(t *testing.T) {
	t.Parallel()
	const some = `{"Items":[{"pk":{"S":"a"},"n":{"N":"17"},"on":{"BOOL":true},"b":{"B":"AAEC"}},{}],"Count":2,"ScannedCount":2,"LastEvaluatedKey":{"pk":{"S":"a"}}}`
	const others = `{"Items":[{"pk":{"S":""},"list":{"L":[{"NULL":true}]},"map":{"M":{"x":{"SS":["y"]}}}}],"Count":1,"ScannedCount":1}`
	start := plain()
	start.ExclusiveStartKey = start.ExpressionAttributeValues
	limited := plain()
	limited.Limit = aws.Int32(1)
	for name, c := range map[string]struct {
		in   *dynamodb.QueryInput
		body string
		asks int
	}{"plain": {plain(), some, 1}, "from a key": {start, some, 1}, "other types": {plain(), others, 2}, "a limit": {limited, some, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theirs, ours := &service{answers: []answer{{status: 200, body: c.body}}}, &service{answers: []answer{{status: 200, body: c.body}}}
			want, err := dynamodb.NewFromConfig(configOf(theirs)).Query(t.Context(), c.in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := newDynamoDB(t, ours).Query(t.Context(), c.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(dynamodb.QueryOutput{}, "ResultMetadata", "ScannedCount"), cmpopts.IgnoreUnexported(
				dynamodb.QueryOutput{}, types.AttributeValueMemberS{}, types.AttributeValueMemberN{}, types.AttributeValueMemberBOOL{},
				types.AttributeValueMemberB{}, types.AttributeValueMemberL{}, types.AttributeValueMemberM{}, types.AttributeValueMemberSS{},
				types.AttributeValueMemberNULL{})); diff != "" {
				t.Errorf("(-SDK +ours):\n%s", diff)
			}
			if len(ours.requests) != c.asks || ours.requests[0] != theirs.requests[0] {
				t.Errorf("requests %q, the SDK's were %q", ours.requests, theirs.requests)
			}
		})
	}
}

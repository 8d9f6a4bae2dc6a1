package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"heliograph"
	"heliograph/local"
)

// reply is the answer to one operation. Where a JSON service names an error in its body, so does the text here.
type reply struct {
	status int
	body   string
}

// answers are what an account answers, by the operation's name, or by method and path for API Gateway, which has none.
type answers map[string]reply

// ServeHTTP answers as AWS does. It serves all of doctor's services but CloudWatch, whose answers are binary.
func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, operation, named := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if form, err := url.ParseQuery(string(body)); !named && err == nil {
		operation = form.Get("Action")
	}
	if operation == "" {
		operation = r.Method + " " + r.URL.Path
	}
	answer, known := a[operation]
	if !known {
		answer = reply{http.StatusNotImplemented, "{}"}
	}
	if answer.status >= 400 && r.Header.Get("X-Amz-Target") == "" {
		w.Header().Set("X-Amzn-Errortype", "AccessDeniedException") // how REST APIs name theirs
	}
	w.WriteHeader(answer.status)
	io.WriteString(w, answer.body)
}

// accountAt is the configuration of an AWS that a handler plays; nil is one that can't be reached.
func accountAt(t *testing.T, handler http.Handler) aws.Config {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	if handler == nil {
		server.Close()
	}
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
}

// The shapes of AWS's answers, from its API references.
var (
	quotaOf = func(value string) reply {
		return reply{200, `{"Quota":{"ServiceCode":"lambda","ServiceName":"AWS Lambda","QuotaArn":"arn:aws:servicequotas:eu-west-1:123456789012:lambda/L-B99A9384",
			"QuotaCode":"L-B99A9384","QuotaName":"Concurrent executions","Value":` + value + `,"Unit":"None","Adjustable":true,"GlobalQuota":false}}`}
	}
	denied = reply{400, `{"__type":"AccessDeniedException","Message":"User: arn:aws:iam::123456789012:user/ada is not authorized to perform: this"}`}
	slow   = reply{400, `{"__type":"ThrottlingException","Message":"Rate exceeded"}`}

	gatewayAccount = func(role string) reply {
		return reply{200, `{"apiKeyVersion":"4","throttleSettings":{"burstLimit":5000,"rateLimit":10000.0},"features":["UsagePlans"]` + role + `}`}
	}
	gatewayDenied = reply{403, `{"Message":"User: arn:aws:iam::123456789012:user/ada is not authorized to perform: apigateway:GET"}`}
	gatewaySlow   = reply{429, `{"message":"Too Many Requests"}`}

	caller = reply{200, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ada</Arn>
		<UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>`}
	wrongKey = reply{403, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>
		<Message>The security token included in the request is invalid.</Message></Error><RequestId>1</RequestId></ErrorResponse>`}

	table = func(state, more string) reply {
		return reply{200, `{"Table":{"TableName":"heliograph-dev","TableStatus":"` + state + `"` + more + `}}`}
	}
	stream  = `,"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}`
	noTable = reply{400, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found: Table: heliograph-dev not found"}`}
	queue   = reply{200, `{"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/123456789012/heliograph-dev-send"}`}
	noQueue = reply{400, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}`}
	waiting = func(n int) reply {
		return reply{200, fmt.Sprintf(`{"Attributes":{"ApproximateNumberOfMessages":"%d"}}`, n)}
	}
	topic    = reply{200, `<GetTopicAttributesResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><GetTopicAttributesResult><Attributes><entry><key>SubscriptionsConfirmed</key><value>2</value></entry></Attributes></GetTopicAttributesResult></GetTopicAttributesResponse>`}
	noTopic  = reply{404, `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>NotFound</Code><Message>Topic does not exist</Message></Error><RequestId>1</RequestId></ErrorResponse>`}
	noValues = reply{200, `{"Parameters":[]}`}
	values   = reply{200, `{"Parameters":[{"Name":"/WebSocketAdapter/JwtSecret","Type":"SecureString","Version":1}]}`}
)

// TestDoctorOnAWS proves what doctor makes of the answers of an account and of a stack's services: good, bad, denied,
// throttled, and none.
func TestDoctorOnAWS(t *testing.T) {
	t.Parallel()
	free := answers{"DescribeTable": noTable, "GetQueueUrl": noQueue, "GetParametersByPath": noValues}
	but := func(operation string, answer reply) answers {
		changed := answers{operation: answer}
		for name, usual := range free {
			if name != operation {
				changed[name] = usual
			}
		}
		return changed
	}
	const quota, role, names = "Lambda concurrency", "log role", "names"
	for _, tt := range []struct {
		check, situation string
		answers          http.Handler
		want             level
		says             string
	}{
		{"credentials", "good", answers{"GetCallerIdentity": caller}, fine, "account 123456789012, Region eu-west-1, as arn:aws:iam::123456789012:user/ada"},
		{"credentials", "wrong", answers{"GetCallerIdentity": wrongKey}, problem, "InvalidClientTokenId"},
		{"credentials", "unreachable", nil, problem, "connection refused"},
		{quota, "good", answers{"GetServiceQuota": quotaOf("1000.0")}, fine, "1000"},
		{quota, "small", answers{"GetServiceQuota": quotaOf("5.0")}, problem, "limit is 5"},
		{quota, "without a value", answers{"GetServiceQuota": quotaOf("null")}, warning, "no value"},
		{quota, "AWS's default", answers{"GetServiceQuota": reply{400, `{"__type":"NoSuchResourceException"}`}, "GetAWSDefaultServiceQuota": quotaOf("1000.0")}, fine, "1000"},
		{quota, "no default", answers{"GetServiceQuota": reply{400, `{"__type":"NoSuchResourceException"}`}, "GetAWSDefaultServiceQuota": denied}, warning, "not authorized"},
		{quota, "denied", answers{"GetServiceQuota": denied}, warning, "not authorized"},
		{quota, "throttled", answers{"GetServiceQuota": slow}, warning, "Rate exceeded"},
		{quota, "unreachable", nil, warning, "connection refused"},
		{role, "good", answers{"GET /account": gatewayAccount(`,"cloudwatchRoleArn":"arn:aws:iam::123456789012:role/logs"`)}, fine, "role/logs"},
		{role, "none", answers{"GET /account": gatewayAccount("")}, fine, "no obstacle"},
		{role, "denied", answers{"GET /account": gatewayDenied}, warning, "not authorized"},
		{role, "throttled", answers{"GET /account": gatewaySlow}, warning, "429"},
		{role, "unreachable", nil, warning, "connection refused"},
		{names, "free", free, fine, "are free"},
		{names, "a table", but("DescribeTable", table("ACTIVE", "")), problem, "the table heliograph-dev"},
		{names, "a queue", but("GetQueueUrl", queue), problem, "the queue heliograph-dev-send"},
		{names, "parameters", but("GetParametersByPath", values), problem, "SSM parameters below /WebSocketAdapter"},
		{names, "denied", but("GetQueueUrl", denied), warning, "not authorized"},
		{names, "throttled", but("DescribeTable", slow), warning, "Rate exceeded"},
		{names, "unreachable", nil, warning, "connection refused"},
		{"table", "good", answers{"DescribeTable": table("ACTIVE", stream)}, fine, "with its stream"},
		{"table", "no stream", answers{"DescribeTable": table("ACTIVE", "")}, problem, "has no stream"},
		{"table", "going", answers{"DescribeTable": table("DELETING", stream)}, problem, "is DELETING"},
		{"table", "gone", answers{"DescribeTable": noTable}, problem, "ResourceNotFoundException"},
		{"table", "denied", answers{"DescribeTable": denied}, problem, "not authorized"},
		{"table", "unreachable", nil, problem, "connection refused"},
		{"topic", "good", answers{"GetTopicAttributes": topic}, fine, "2 confirmed"},
		{"topic", "gone", answers{"GetTopicAttributes": noTopic}, problem, "Topic does not exist"},
		{"send queue", "good", answers{"GetQueueAttributes": waiting(3)}, fine, "3 messages wait"},
		{"send queue", "full", answers{"GetQueueAttributes": waiting(1001)}, warning, "1001 messages wait"},
		{"send queue", "gone", answers{"GetQueueAttributes": noQueue}, problem, "QueueDoesNotExist"},
		{"send queue", "throttled", answers{"GetQueueAttributes": slow}, problem, "Rate exceeded"},
		{"dead letters", "none", answers{"GetQueueAttributes": waiting(0)}, fine, "none"},
		{"dead letters", "some", answers{"GetQueueAttributes": waiting(7)}, warning, "7 lie there"},
		{"grace dead letters", "some", answers{"GetQueueAttributes": waiting(1)}, warning, "1 lie there"},
		{"stream failures", "some", answers{"GetQueueAttributes": waiting(2)}, warning, "2 lie there"},
		{"stream failures", "gone", answers{"GetQueueAttributes": noQueue}, problem, "heliograph-dev-stream-failures"},
		{"stream failures", "denied", answers{"GetQueueAttributes": denied}, problem, "not authorized"},
	} {
		t.Run(tt.check+", "+tt.situation, func(t *testing.T) {
			t.Parallel()
			f := diagnose(t, accountAt(t, tt.answers), tt.check)
			if f.Level != tt.want || !strings.Contains(f.Says, tt.says) {
				t.Errorf("%+v, want %s: … %s …", f, tt.want, tt.says)
			}
			if f.Level != fine && f.Mend == "" && tt.check != names {
				t.Errorf("%+v does not say how to mend it", f)
			}
		})
	}
}

// diagnose runs one check of a stack or an account.
func diagnose(t *testing.T, cfg aws.Config, name string) finding {
	t.Helper()
	config, err := parseConfig("dev", nil)
	if err != nil {
		t.Fatal(err)
	}
	const queues = "https://sqs.eu-west-1.amazonaws.com/123456789012/heliograph-dev-"
	at := target{aws: cfg, Endpoints: local.Endpoints{Outputs: heliograph.Outputs{
		TableName: "heliograph-dev", EventTopicARN: "arn:aws:sns:eu-west-1:123456789012:heliograph-dev-events",
		SendQueueURL: queues + "send", DeadLetterQueueURL: queues + "send-dead-letters",
	}}}
	a, p := newAccount(cfg, config, nil), &patient{target: &at, w: world{now: time.Now}, command: "heliograph --stack dev"}
	for _, c := range append(append(a.checks(), p.checks()...), check{"credentials", problem, a.checkCaller}, check{"names", warning, a.checkNames}) {
		if c.name == name {
			return c.run(context.Background())
		}
	}
	t.Fatalf("there is no check %s", name)
	return finding{}
}

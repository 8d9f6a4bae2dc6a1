package sqs_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/sqs"
	"heliograph/simulator/wire"
)

// The tests in this file use the query protocol as older tools do, among them the AWS CLI of Debian 12, with
// hand-written requests, and compare whole responses with the form in AWS's API reference.

var (
	uuids   = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	handles = regexp.MustCompile(`<ReceiptHandle>[^<]+</ReceiptHandle>`)
)

func mask(body string) string {
	body = uuids.ReplaceAllString(body, "UUID")
	return handles.ReplaceAllString(body, "<ReceiptHandle>HANDLE</ReceiptHandle>")
}

// query sends an action's parameters as a form, and returns the response's status and body.
func query(t *testing.T, s *sqs.Server, form string) (int, string) {
	t.Helper()
	endpoint := wire.NewEndpoint(wire.Options{})
	endpoint.Register(s.Service())
	// Older tools post to the queue's own path.
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/123456789012/q", strings.NewReader(form+"&Version=2012-11-05"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=abc")
	w := httptest.NewRecorder()
	endpoint.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body)
}

// answer is AWS's documented XML for an action, around its result.
func answer(action, result string) string {
	if result != "" {
		result = "<" + action + "Result>" + result + "</" + action + "Result>"
	}
	return `<?xml version="1.0"?><` + action + `Response xmlns="http://queue.amazonaws.com/doc/2012-11-05/">` + result +
		`<ResponseMetadata><RequestId>UUID</RequestId></ResponseMetadata></` + action + `Response>`
}

func failure(code, message string) string {
	return `<?xml version="1.0"?><ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Sender</Type><Code>` +
		code + `</Code><Message>` + message + `</Message><Detail/></Error><RequestId>UUID</RequestId></ErrorResponse>`
}

const (
	queueURL = "QueueUrl=http%3A%2F%2Fsqs.test%2F123456789012%2Fq"
	// A message with body "hello" as the response to sending it, and as received with everything.
	sentHello = `<MessageId>UUID</MessageId><MD5OfMessageBody>5d41402abc4b2a76b9719d911017c592</MD5OfMessageBody>`
)

// TestQuery proves one action after the other on the same queue.
func TestQuery(t *testing.T) {
	t.Parallel()
	s := newServer(newClock())
	steps := []struct {
		name, form string
		status     int
		want       string
	}{
		{"create", "Action=CreateQueue&QueueName=q&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=40&Attribute.2.Name=DelaySeconds&Attribute.2.Value=0", 200, answer("CreateQueue", "<QueueUrl>http://sqs.test/123456789012/q</QueueUrl>")},
		{"url", "Action=GetQueueUrl&QueueName=q", 200, answer("GetQueueUrl", "<QueueUrl>http://sqs.test/123456789012/q</QueueUrl>")},
		{"list", "Action=ListQueues&QueueNamePrefix=q", 200, answer("ListQueues", "<QueueUrl>http://sqs.test/123456789012/q</QueueUrl>")},
		{
			"attributes", "Action=GetQueueAttributes&AttributeName.1=VisibilityTimeout&AttributeName.2=QueueArn&" + queueURL, 200,
			answer("GetQueueAttributes", "<Attribute><Name>QueueArn</Name><Value>arn:aws:sqs:eu-west-1:123456789012:q</Value></Attribute><Attribute><Name>VisibilityTimeout</Name><Value>40</Value></Attribute>"),
		},
		{"set attributes", "Action=SetQueueAttributes&Attribute.1.Name=DelaySeconds&Attribute.1.Value=0&" + queueURL, 200, answer("SetQueueAttributes", "")},
		{
			"send", "Action=SendMessage&MessageBody=hello&MessageAttribute.1.Name=a&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=x%3Cy" +
				"&MessageAttribute.2.Name=b&MessageAttribute.2.Value.DataType=Binary&MessageAttribute.2.Value.BinaryValue=AP8%3D" +
				"&MessageSystemAttribute.1.Name=AWSTraceHeader&MessageSystemAttribute.1.Value.DataType=String&MessageSystemAttribute.1.Value.StringValue=Root%3D1&" + queueURL, 200,
			answer("SendMessage", sentHello+"<MD5OfMessageAttributes>e18299c97908c84d48b8b7fe5dc4c505</MD5OfMessageAttributes><MD5OfMessageSystemAttributes>d6619b3d47b81d3fc72c0db005a70eda</MD5OfMessageSystemAttributes>"),
		},
		{
			"receive", "Action=ReceiveMessage&MaxNumberOfMessages=10&WaitTimeSeconds=0&VisibilityTimeout=0&AttributeName.1=All&MessageAttributeName.1=All&" + queueURL, 200,
			answer("ReceiveMessage", "<Message><MessageId>UUID</MessageId><ReceiptHandle>HANDLE</ReceiptHandle><MD5OfBody>5d41402abc4b2a76b9719d911017c592</MD5OfBody><Body>hello</Body>"+
				"<Attribute><Name>AWSTraceHeader</Name><Value>Root=1</Value></Attribute>"+
				"<Attribute><Name>ApproximateFirstReceiveTimestamp</Name><Value>1767323045006</Value></Attribute>"+
				"<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>"+
				"<Attribute><Name>SenderId</Name><Value>AKIDEXAMPLE</Value></Attribute>"+
				"<Attribute><Name>SentTimestamp</Name><Value>1767323045006</Value></Attribute>"+
				"<MD5OfMessageAttributes>e18299c97908c84d48b8b7fe5dc4c505</MD5OfMessageAttributes>"+
				"<MessageAttribute><Name>a</Name><Value><StringValue>x&lt;y</StringValue><DataType>String</DataType></Value></MessageAttribute>"+
				"<MessageAttribute><Name>b</Name><Value><BinaryValue>AP8=</BinaryValue><DataType>Binary</DataType></Value></MessageAttribute></Message>"),
		},
		{
			"receive plainly", "Action=ReceiveMessage&" + queueURL, 200,
			answer("ReceiveMessage", "<Message><MessageId>UUID</MessageId><ReceiptHandle>HANDLE</ReceiptHandle><MD5OfBody>5d41402abc4b2a76b9719d911017c592</MD5OfBody><Body>hello</Body></Message>"),
		},
		{"receive nothing", "Action=ReceiveMessage&" + queueURL, 200, strings.Replace(answer("ReceiveMessage", "-"), ">-<", "><", 1)},
		{
			"change visibility batch", "Action=ChangeMessageVisibilityBatch&ChangeMessageVisibilityBatchRequestEntry.1.Id=a&ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle=HANDLE&ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout=9&" + queueURL, 200,
			answer("ChangeMessageVisibilityBatch", "<ChangeMessageVisibilityBatchResultEntry><Id>a</Id></ChangeMessageVisibilityBatchResultEntry>"),
		},
		{"change visibility", "Action=ChangeMessageVisibility&VisibilityTimeout=0&ReceiptHandle=HANDLE&" + queueURL, 200, answer("ChangeMessageVisibility", "")},
		{
			"change visibility of what is visible", "Action=ChangeMessageVisibility&VisibilityTimeout=0&ReceiptHandle=HANDLE&" + queueURL, 400,
			failure("AWS.SimpleQueueService.MessageNotInflight", "The specified message isn&#39;t in flight."),
		},
		{"delete", "Action=DeleteMessage&ReceiptHandle=HANDLE&" + queueURL, 200, answer("DeleteMessage", "")},
		{
			"delete batch", "Action=DeleteMessageBatch&DeleteMessageBatchRequestEntry.1.Id=a&DeleteMessageBatchRequestEntry.1.ReceiptHandle=HANDLE&DeleteMessageBatchRequestEntry.2.Id=b&DeleteMessageBatchRequestEntry.2.ReceiptHandle=x&" + queueURL, 200,
			answer("DeleteMessageBatch", "<DeleteMessageBatchResultEntry><Id>a</Id></DeleteMessageBatchResultEntry>"+
				"<BatchResultErrorEntry><Id>b</Id><SenderFault>true</SenderFault><Code>ReceiptHandleIsInvalid</Code><Message>The input receipt handle &#34;x&#34; is not a valid receipt handle.</Message></BatchResultErrorEntry>"),
		},
		{
			"send batch", "Action=SendMessageBatch&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=hello&SendMessageBatchRequestEntry.2.Id=b&SendMessageBatchRequestEntry.2.DelaySeconds=60&SendMessageBatchRequestEntry.2.MessageBody=hello" +
				"&SendMessageBatchRequestEntry.2.MessageAttribute.1.Name=my_attribute_name_1&SendMessageBatchRequestEntry.2.MessageAttribute.1.Value.StringValue=my_attribute_value_1&SendMessageBatchRequestEntry.2.MessageAttribute.1.Value.DataType=String&" + queueURL, 200,
			answer("SendMessageBatch", "<SendMessageBatchResultEntry><Id>a</Id>"+sentHello+"</SendMessageBatchResultEntry>"+
				"<SendMessageBatchResultEntry><Id>b</Id>"+sentHello+"<MD5OfMessageAttributes>8ef4d60dbc8efda9f260e1dfd09d29f3</MD5OfMessageAttributes></SendMessageBatchResultEntry>"),
		},
		{"purge", "Action=PurgeQueue&" + queueURL, 200, answer("PurgeQueue", "")},
		{"purge again", "Action=PurgeQueue&" + queueURL, 403, failure("AWS.SimpleQueueService.PurgeQueueInProgress", "Only one PurgeQueue operation on q is allowed every 60 seconds.")},
		{"a bad handle", "Action=DeleteMessage&ReceiptHandle=x&" + queueURL, 404, failure("ReceiptHandleIsInvalid", "The input receipt handle &#34;x&#34; is not a valid receipt handle.")},
		{"a bad value", "Action=ReceiveMessage&MaxNumberOfMessages=11&" + queueURL, 400, failure("InvalidParameterValue", "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.")},
		{"no body", "Action=SendMessage&" + queueURL, 400, failure("MissingParameter", "The request must contain the parameter MessageBody.")},
		{"unknown parameter", "Action=SendMessage&MessageBdoy=x&" + queueURL, 400, failure("MalformedInput", "the input of SendMessage does not fit: there is no parameter MessageBdoy here")},
		{"delete the queue", "Action=DeleteQueue&" + queueURL, 200, answer("DeleteQueue", "")},
		{"nothing is left", "Action=ListQueues", 200, strings.Replace(answer("ListQueues", "-"), ">-<", "><", 1)},
		{"no queue", "Action=PurgeQueue&" + queueURL, 400, failure("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")},
	}
	handle := ""
	for _, step := range steps {
		status, body := query(t, s, strings.ReplaceAll(step.form, "HANDLE", url.QueryEscape(handle)))
		if found := handles.FindString(body); found != "" {
			handle = strings.TrimSuffix(strings.TrimPrefix(found, "<ReceiptHandle>"), "</ReceiptHandle>")
		}
		if diff := cmp.Diff(step.want, mask(body)); diff != "" || status != step.status {
			t.Errorf("%s: %d %s", step.name, status, diff)
		}
	}
}

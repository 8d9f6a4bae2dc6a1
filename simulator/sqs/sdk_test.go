package sqs_test

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heliograph/simulator/sqs"
)

// The tests of this file go through the SDK's own client, which checks the checksums of bodies by itself.

// queue makes a queue by the API and gives its URL.
func queue(t *testing.T, client *awssqs.Client, name string, attributes map[string]string) *string {
	t.Helper()
	out, err := client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return out.QueueUrl
}

func TestSDKQueues(t *testing.T) {
	t.Parallel()
	client := serve(t, newServer(newClock()))
	ctx := t.Context()
	url := queue(t, client, "alpha", map[string]string{"VisibilityTimeout": "7"})
	if *url != "http://sqs.test/123456789012/alpha" {
		t.Errorf("URL %s", *url)
	}
	for _, name := range []string{"alpine", "beta", "gamma"} {
		queue(t, client, name, nil)
	}
	// Again with attributes that agree, with none, and with one that does not.
	queue(t, client, "alpha", map[string]string{"VisibilityTimeout": "7", "DelaySeconds": "0"})
	queue(t, client, "alpha", nil)
	_, err := client.CreateQueue(ctx, &awssqs.CreateQueueInput{QueueName: aws.String("alpha"), Attributes: map[string]string{"VisibilityTimeout": "8"}})
	wantCode(t, err, "QueueAlreadyExists")
	if _, ok := errors.AsType[*types.QueueNameExists](err); !ok {
		t.Errorf("%T is not the SDK's type", err)
	}

	got, err := client.GetQueueUrl(ctx, &awssqs.GetQueueUrlInput{QueueName: aws.String("alpha"), QueueOwnerAWSAccountId: aws.String(account)})
	if err != nil || *got.QueueUrl != *url {
		t.Errorf("GetQueueUrl: %v, %v", got, err)
	}
	for name, owner := range map[string]*string{"nobody": nil, "alpha": aws.String("210987654321")} {
		_, err = client.GetQueueUrl(ctx, &awssqs.GetQueueUrlInput{QueueName: &name, QueueOwnerAWSAccountId: owner})
		wantCode(t, err, "AWS.SimpleQueueService.NonExistentQueue")
		if _, ok := errors.AsType[*types.QueueDoesNotExist](err); !ok {
			t.Errorf("%T is not the SDK's type", err)
		}
	}

	var pages [][]string
	pager := awssqs.NewListQueuesPaginator(client, &awssqs.ListQueuesInput{MaxResults: aws.Int32(3)})
	for pager.HasMorePages() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page.QueueUrls)
	}
	const base = "http://sqs.test/123456789012/"
	if diff := cmp.Diff([][]string{{base + "alpha", base + "alpine", base + "beta"}, {base + "gamma"}}, pages); diff != "" {
		t.Error(diff)
	}
	list, err := client.ListQueues(ctx, &awssqs.ListQueuesInput{QueueNamePrefix: aws.String("alp")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{base + "alpha", base + "alpine"}, list.QueueUrls); diff != "" || list.NextToken != nil {
		t.Error(diff, list.NextToken)
	}

	if _, err := client.DeleteQueue(ctx, &awssqs.DeleteQueueInput{QueueUrl: url}); err != nil {
		t.Fatal(err)
	}
	_, err = client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")})
	wantCode(t, err, "AWS.SimpleQueueService.NonExistentQueue")
	_, err = client.CreateQueue(ctx, &awssqs.CreateQueueInput{QueueName: aws.String("alpha")})
	wantCode(t, err, "AWS.SimpleQueueService.QueueDeletedRecently")
}

func TestSDKAttributes(t *testing.T) {
	t.Parallel()
	c := newClock()
	client := serve(t, newServer(c))
	ctx := t.Context()
	queue(t, client, "dead", nil)
	deadARN := "arn:aws:sqs:eu-west-1:123456789012:dead"
	url := queue(t, client, "q", map[string]string{"RedrivePolicy": `{"maxReceiveCount":"3","deadLetterTargetArn":"` + deadARN + `"}`})
	for _, delay := range []int32{0, 0, 0, 60} {
		if _, err := client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x"), DelaySeconds: delay}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{QueueUrl: url}); err != nil {
		t.Fatal(err)
	}
	c.advance(2 * time.Second)
	if _, err := client.SetQueueAttributes(ctx, &awssqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"DelaySeconds": "5"}}); err != nil {
		t.Fatal(err)
	}
	get := func(names ...types.QueueAttributeName) (map[string]string, error) {
		out, err := client.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: names})
		if err != nil {
			return nil, err
		}
		return out.Attributes, nil
	}
	all, err := get(types.QueueAttributeNameAll)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"ApproximateNumberOfMessages": "2", "ApproximateNumberOfMessagesNotVisible": "1", "ApproximateNumberOfMessagesDelayed": "1",
		"CreatedTimestamp": "1767323045", "LastModifiedTimestamp": "1767323047", "QueueArn": "arn:aws:sqs:eu-west-1:123456789012:q",
		"DelaySeconds": "5", "MaximumMessageSize": "262144", "MessageRetentionPeriod": "345600",
		"ReceiveMessageWaitTimeSeconds": "0", "VisibilityTimeout": "30", "SqsManagedSseEnabled": "true",
		"RedrivePolicy": `{"deadLetterTargetArn":"` + deadARN + `","maxReceiveCount":3}`,
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	some, err := get(types.QueueAttributeNameQueueArn, types.QueueAttributeNamePolicy)
	if diff := cmp.Diff(map[string]string{"QueueArn": want["QueueArn"]}, some); diff != "" || err != nil {
		t.Error(diff, err)
	}
	none, err := get()
	if len(none) != 0 || err != nil {
		t.Errorf("without names: %v, %v", none, err)
	}
	_, err = get("Colour")
	wantCode(t, err, "InvalidAttributeName")
	_, err = get("FifoQueue")
	wantCode(t, err, "InvalidAttributeName")
}

// TestAttributeRules proves which attributes and values a queue takes.
func TestAttributeRules(t *testing.T) {
	t.Parallel()
	s := newServer(newClock())
	mustCreate(t, s, "dead")
	mustCreate(t, s, "closed", "RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`)
	mustCreate(t, s, "choosy", "RedriveAllowPolicy", `{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:eu-west-1:123456789012:chosen"]}`)
	chain := mustCreate(t, s, "chain", redrive(mustCreate(t, s, "end"), "1")...)
	policy := func(target, count string) string {
		return `{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:123456789012:` + target + `","maxReceiveCount":` + count + `}`
	}
	const invalidName, invalidValue, invalidParameter = "InvalidAttributeName", "InvalidAttributeValue", "InvalidParameterValueException"
	for _, tt := range []struct{ name, value, want string }{
		{"DelaySeconds", "0", ""},
		{"DelaySeconds", "900", ""},
		{"DelaySeconds", "901", invalidValue},
		{"DelaySeconds", "-1", invalidValue},
		{"DelaySeconds", "x", invalidValue},
		{"DelaySeconds", "", invalidValue},
		{"MaximumMessageSize", "1024", ""},
		{"MaximumMessageSize", "1023", invalidValue},
		{"MaximumMessageSize", "262144", ""},
		{"MaximumMessageSize", "262145", invalidValue},
		{"MessageRetentionPeriod", "59", invalidValue},
		{"MessageRetentionPeriod", "1209600", ""},
		{"MessageRetentionPeriod", "1209601", invalidValue},
		{"ReceiveMessageWaitTimeSeconds", "20", ""},
		{"ReceiveMessageWaitTimeSeconds", "21", invalidValue},
		{"VisibilityTimeout", "43200", ""},
		{"VisibilityTimeout", "43201", invalidValue},
		{"Policy", `{"Version":"2012-10-17"}`, ""},
		{"Policy", `{`, invalidValue},
		{"Policy", `null`, invalidValue},
		{"Policy", ``, ""},
		{"KmsMasterKeyId", "alias/aws/sqs", ""},
		{"KmsDataKeyReusePeriodSeconds", "60", ""},
		{"KmsDataKeyReusePeriodSeconds", "59", invalidValue},
		{"SqsManagedSseEnabled", "false", ""},
		{"SqsManagedSseEnabled", "no", invalidValue},
		{"RedrivePolicy", policy("dead", "1"), ""},
		{"RedrivePolicy", policy("dead", `"1000"`), ""},
		{"RedrivePolicy", policy("dead", "1001"), invalidParameter},
		{"RedrivePolicy", policy("dead", "0"), invalidParameter},
		{"RedrivePolicy", policy("dead", "1.5"), invalidParameter},
		{"RedrivePolicy", policy("nobody", "1"), invalidParameter},
		{"RedrivePolicy", policy("closed", "1"), invalidParameter},
		{"RedrivePolicy", policy("choosy", "1"), invalidParameter},
		{"RedrivePolicy", policy("itself", "1"), invalidParameter},
		{"RedrivePolicy", `{"maxReceiveCount":1}`, invalidParameter},
		{"RedrivePolicy", `[]`, invalidValue},
		{"RedrivePolicy", ``, ""},
		{"RedriveAllowPolicy", `{"redrivePermission":"allowAll"}`, ""},
		{"RedriveAllowPolicy", `{"redrivePermission":"allowAll","sourceQueueArns":["x"]}`, invalidParameter},
		{"RedriveAllowPolicy", `{"redrivePermission":"byQueue"}`, invalidParameter},
		{"RedriveAllowPolicy", `{"redrivePermission":"maybe"}`, invalidValue},
		{"RedriveAllowPolicy", `x`, invalidValue},
		{"RedriveAllowPolicy", ``, ""},
		{"FifoQueue", "false", invalidName},
		{"QueueArn", "x", invalidName},
		{"delaySeconds", "1", invalidName},
	} {
		q := mustCreate(t, s, "itself")
		if err := q.SetAttributes(map[string]string{tt.name: tt.value}); code(err) != tt.want {
			t.Errorf("%s = %s: %v, want %q", tt.name, tt.value, err, tt.want)
		}
	}
	mustCreate(t, s, "chosen", "RedrivePolicy", policy("choosy", "1"))
	end, err := s.Queue("end")
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, end.SetAttributes(map[string]string{"RedrivePolicy": policy("chain", "1")}), invalidParameter) // a circle
	wantCode(t, chain.SetAttributes(map[string]string{"KmsMasterKeyId": "k", "SqsManagedSseEnabled": "true"}), invalidParameter)
	if got := mustCreate(t, s, "encrypted", "KmsMasterKeyId", "k").Attributes()["SqsManagedSseEnabled"]; got != "false" {
		t.Errorf("two kinds of encryption: SqsManagedSseEnabled is %s", got)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	s := newServer(newClock())
	for name, want := range map[string]string{
		"Az09-_": "", strings.Repeat("x", 80): "", strings.Repeat("x", 81): "InvalidParameterValueException",
		"": "InvalidParameterValueException", "a b": "InvalidParameterValueException", "a.b": "InvalidParameterValueException",
		"ä": "InvalidParameterValueException", "q.fifo": "InvalidParameterValueException",
	} {
		_, err := s.Create(name, nil)
		if code(err) != want {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
}

// TestSDKMessage proves that a message with all it may have arrives as it was sent, and which of its
// attributes are given to whom.
func TestSDKMessage(t *testing.T) {
	t.Parallel()
	client := serve(t, newServer(newClock()))
	ctx := t.Context()
	url := queue(t, client, "q", map[string]string{"VisibilityTimeout": "0"})
	body := "{\"a\":\"<&>\\u0000\"}\t\r\n\u0085\ud7ff\ue000\ufffd\U0010ffff"
	attributes := map[string]types.MessageAttributeValue{
		"city.name":   {DataType: aws.String("String"), StringValue: aws.String("Zürich")},
		"city.people": {DataType: aws.String("Number.int"), StringValue: aws.String("0440000")},
		"Flag":        {DataType: aws.String("Binary.png"), BinaryValue: []byte{0, 1, 255}},
	}
	sent, err := client.SendMessage(ctx, &awssqs.SendMessageInput{
		QueueUrl: url, MessageBody: &body, MessageAttributes: attributes,
		MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String("Root=1-5759e988-bd862e3fe1be46a994272793")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ignore := cmpopts.IgnoreUnexported(types.Message{}, types.MessageAttributeValue{})
	base := types.Message{MessageId: sent.MessageId, Body: &body, MD5OfBody: sent.MD5OfMessageBody}
	system := map[string]string{
		"SenderId": "AKIDEXAMPLE", "SentTimestamp": "1767323045006", "ApproximateFirstReceiveTimestamp": "1767323045006",
		"AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793",
	}
	tests := []struct {
		name string
		in   awssqs.ReceiveMessageInput
		want func(m *types.Message, count string)
	}{
		{"nothing asked", awssqs.ReceiveMessageInput{}, func(*types.Message, string) {}},
		{"everything", awssqs.ReceiveMessageInput{MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}}, func(m *types.Message, count string) {
			m.MessageAttributes, m.MD5OfMessageAttributes = attributes, sent.MD5OfMessageAttributes
			m.Attributes = maps.Clone(system)
			m.Attributes["ApproximateReceiveCount"] = count
		}},
		//lint:ignore SA1019 older clients ask by AttributeNames
		{"the same by other names", awssqs.ReceiveMessageInput{MessageAttributeNames: []string{".*"}, AttributeNames: []types.QueueAttributeName{"All"}}, func(m *types.Message, count string) {
			m.MessageAttributes, m.MD5OfMessageAttributes = attributes, sent.MD5OfMessageAttributes
			m.Attributes = maps.Clone(system)
			m.Attributes["ApproximateReceiveCount"] = count
		}},
		//lint:ignore SA1019 both may be given
		{"by name", awssqs.ReceiveMessageInput{MessageAttributeNames: []string{"Flag", "nobody"}, AttributeNames: []types.QueueAttributeName{"SenderId"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"AWSTraceHeader", "MessageGroupId"}}, func(m *types.Message, _ string) {
			m.MessageAttributes = map[string]types.MessageAttributeValue{"Flag": attributes["Flag"]}
			m.Attributes = map[string]string{"SenderId": "AKIDEXAMPLE", "AWSTraceHeader": system["AWSTraceHeader"]}
		}},
		{"by prefix", awssqs.ReceiveMessageInput{MessageAttributeNames: []string{"city.*", "flag"}}, func(m *types.Message, _ string) {
			m.MessageAttributes = map[string]types.MessageAttributeValue{"city.name": attributes["city.name"], "city.people": attributes["city.people"]}
		}},
	}
	for i, tt := range tests {
		tt.in.QueueUrl = url
		out, err := client.ReceiveMessage(ctx, &tt.in)
		if err != nil {
			t.Fatal(err)
		}
		want := base
		tt.want(&want, strconv.Itoa(i+1))
		// The checksum of a part of the attributes is that of a message which has no others.
		if len(want.MessageAttributes) > 0 && len(want.MessageAttributes) < len(attributes) {
			part, err := client.SendMessage(ctx, &awssqs.SendMessageInput{
				QueueUrl: queue(t, client, "part"+strconv.Itoa(i), nil), MessageBody: &body, MessageAttributes: want.MessageAttributes,
			})
			if err != nil {
				t.Fatal(err)
			}
			want.MD5OfMessageAttributes = part.MD5OfMessageAttributes
		}
		for j := range out.Messages {
			out.Messages[j].ReceiptHandle = nil
		}
		if diff := cmp.Diff([]types.Message{want}, out.Messages, ignore); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	_, err = client.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{QueueUrl: url, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"Colour"}})
	wantCode(t, err, "InvalidAttributeName")
}

// TestChecksums holds the checksums of body and attributes against AWS's worked example (the sample
// request and response of API_SendMessage), and that of the system attribute against a computation by
// another program.
func TestChecksums(t *testing.T) {
	t.Parallel()
	q := mustCreate(t, newServer(newClock()), "q")
	sent, err := q.Send(sqs.Outgoing{
		Body: "This is a test message", TraceHeader: "Root=1-5e3d83c1-e6a0db584850d61342823d4c",
		Attributes: map[string]sqs.MessageAttribute{"my_attribute_name_1": {DataType: "String", StringValue: "my_attribute_value_1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sent.MessageID = ""
	want := sqs.Sent{
		MD5OfBody: "fafb00f5732ab283681e124bf8747ed1", MD5OfAttributes: "8ef4d60dbc8efda9f260e1dfd09d29f3",
		MD5OfSystemAttributes: "6472ca59cc502acef6ee773ee630483f",
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Error(diff)
	}
}

// TestMessageRules proves which messages are taken.
func TestMessageRules(t *testing.T) {
	t.Parallel()
	text := func(dataType, value string) sqs.MessageAttribute {
		return sqs.MessageAttribute{DataType: dataType, StringValue: value}
	}
	one := func(name string, a sqs.MessageAttribute) sqs.Outgoing {
		return sqs.Outgoing{Body: "x", Attributes: map[string]sqs.MessageAttribute{name: a}}
	}
	many := func(n int) sqs.Outgoing {
		o := sqs.Outgoing{Body: "x", Attributes: map[string]sqs.MessageAttribute{}}
		for i := range n {
			o.Attributes["a"+strconv.Itoa(i)] = text("String", "x")
		}
		return o
	}
	const invalid, contents = "InvalidParameterValueException", "InvalidMessageContents"
	tests := map[string]struct {
		out  sqs.Outgoing
		want string
	}{
		"no body":                    {sqs.Outgoing{}, "MissingRequiredParameterException"},
		"a zero":                     {sqs.Outgoing{Body: "a\x00"}, contents},
		"a control character":        {sqs.Outgoing{Body: "\x1f"}, contents},
		"a non-character":            {sqs.Outgoing{Body: "\ufffe"}, contents},
		"no UTF-8":                   {sqs.Outgoing{Body: "a\xff"}, contents},
		"a replacement character":    {sqs.Outgoing{Body: "\ufffd"}, ""},
		"the largest":                {sqs.Outgoing{Body: strings.Repeat("x", 262144)}, ""},
		"too large":                  {sqs.Outgoing{Body: strings.Repeat("x", 262145)}, invalid},
		"the largest, attributes in": {sqs.Outgoing{Body: strings.Repeat("x", 262144-10), Attributes: one("abc", text("String", "1")).Attributes}, ""},
		"too large by attributes":    {sqs.Outgoing{Body: strings.Repeat("x", 262144-9), Attributes: one("abc", text("String", "1")).Attributes}, invalid},
		"ten attributes":             {many(10), ""},
		"eleven attributes":          {many(11), invalid},
		"a name's characters":        {one("aZ0_-.x", text("String", "x")), ""},
		"a bad character in a name":  {one("a b", text("String", "x")), invalid},
		"a name with dots at an end": {one("a.", text("String", "x")), invalid},
		"a name that starts by dot":  {one(".a", text("String", "x")), invalid},
		"a name with two dots":       {one("a..b", text("String", "x")), invalid},
		"a long name":                {one(strings.Repeat("x", 256), text("String", "x")), ""},
		"too long a name":            {one(strings.Repeat("x", 257), text("String", "x")), invalid},
		"a reserved name":            {one("aWs.x", text("String", "x")), invalid},
		"another reserved name":      {one("Amazon.x", text("String", "x")), invalid},
		"not reserved":               {one("AWSx", text("String", "x")), ""},
		"no type":                    {one("a", text("", "x")), invalid},
		"an unknown type":            {one("a", text("Text", "x")), invalid},
		"a type in another case":     {one("a", text("string", "x")), invalid},
		"an empty label":             {one("a", text("String.", "x")), invalid},
		"no value":                   {one("a", text("String", "")), invalid},
		"no binary value":            {one("a", sqs.MessageAttribute{DataType: "Binary"}), invalid},
		"a text as binary":           {one("a", text("Binary", "x")), invalid},
		"a binary as text":           {one("a", sqs.MessageAttribute{DataType: "String", BinaryValue: []byte("x")}), invalid},
		"a bad character":            {one("a", text("String", "\x01")), contents},
		"a number":                   {one("a", text("Number", "-1.50e3")), ""},
		"no number":                  {one("a", text("Number", "x1")), invalid},
		"a hexadecimal number":       {one("a", text("Number", "0x1p4")), invalid},
		"infinity":                   {one("a", text("Number", "Inf")), invalid},
		"38 digits":                  {one("a", text("Number", strings.Repeat("9", 38))), ""},
		"39 digits":                  {one("a", text("Number", strings.Repeat("9", 39))), invalid},
		"too large a number":         {one("a", text("Number", "1e127")), invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := mustCreate(t, newServer(newClock()), "q")
			_, err := q.Send(tt.out)
			wantCode(t, err, tt.want)
			if got := q.Stats().Visible == 1; got != (tt.want == "") {
				t.Errorf("on the queue: %v", got)
			}
		})
	}
	small := mustCreate(t, newServer(newClock()), "small", "MaximumMessageSize", "1024")
	_, err := small.Send(sqs.Outgoing{Body: strings.Repeat("x", 1025)})
	wantCode(t, err, invalid)
}

// TestSDKParameters proves the ranges of parameters.
func TestSDKParameters(t *testing.T) {
	t.Parallel()
	client := serve(t, newServer(newClock()))
	ctx := t.Context()
	url := queue(t, client, "q", nil)
	receive := func(change func(*awssqs.ReceiveMessageInput)) error {
		in := &awssqs.ReceiveMessageInput{QueueUrl: url}
		change(in)
		_, err := client.ReceiveMessage(ctx, in)
		return err
	}
	const invalid = "InvalidParameterValue"
	wantCode(t, receive(func(in *awssqs.ReceiveMessageInput) { in.MaxNumberOfMessages = 10 }), "")
	wantCode(t, receive(func(in *awssqs.ReceiveMessageInput) { in.MaxNumberOfMessages = 11 }), invalid)
	wantCode(t, receive(func(in *awssqs.ReceiveMessageInput) { in.MaxNumberOfMessages = -1 }), invalid)
	wantCode(t, receive(func(in *awssqs.ReceiveMessageInput) { in.WaitTimeSeconds = 21 }), invalid)
	wantCode(t, receive(func(in *awssqs.ReceiveMessageInput) { in.VisibilityTimeout = 43201 }), invalid)
	wantCode(t, receive(func(in *awssqs.ReceiveMessageInput) { in.ReceiveRequestAttemptId = aws.String("x") }), "MalformedInput")
	_, err := client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x"), DelaySeconds: 901})
	wantCode(t, err, invalid)
	_, err = client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("")})
	wantCode(t, err, "MissingParameter")
	_, err = client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x"), MessageGroupId: aws.String("g")})
	wantCode(t, err, "MalformedInput") // said by name, not ignored
	for _, bad := range []string{"http://sqs.test/q", "http://sqs.test/210987654321/q", "q", "::", "http://sqs.test/123456789012/"} {
		_, err = client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: &bad, MessageBody: aws.String("x")})
		wantCode(t, err, "AWS.SimpleQueueService.NonExistentQueue")
	}
	_, err = client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: aws.String("https://elsewhere:1/123456789012/q"), MessageBody: aws.String("x")})
	wantCode(t, err, "")
	_, err = client.SendMessage(ctx, &awssqs.SendMessageInput{
		QueueUrl: url, MessageBody: aws.String("x"),
		MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{"Other": {DataType: aws.String("String"), StringValue: aws.String("x")}},
	})
	wantCode(t, err, invalid)
	_, err = client.DeleteMessage(ctx, &awssqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("x")})
	wantCode(t, err, "ReceiptHandleIsInvalid")
	_, err = client.DeleteMessage(ctx, &awssqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("")})
	wantCode(t, err, "MissingParameter")
	_, err = client.PurgeQueue(ctx, &awssqs.PurgeQueueInput{QueueUrl: url})
	wantCode(t, err, "")
	_, err = client.PurgeQueue(ctx, &awssqs.PurgeQueueInput{QueueUrl: url})
	wantCode(t, err, "AWS.SimpleQueueService.PurgeQueueInProgress")
}

// waitingClock is the computer's clock, and says when somebody begins to wait. Its alarm never rings.
type waitingClock chan struct{}

func (waitingClock) Now() time.Time { return time.Now() }

func (c waitingClock) After(time.Duration) (<-chan time.Time, func()) {
	c <- struct{}{}
	return nil, func() {}
}

// TestSDKLongPoll proves over the network that a receive which waits ends with the message that comes.
func TestSDKLongPoll(t *testing.T) {
	t.Parallel()
	waits := make(waitingClock)
	s := newServer(waits)
	client := serve(t, s)
	url := queue(t, client, "q", map[string]string{"ReceiveMessageWaitTimeSeconds": "20"})
	q, err := s.Queue("q")
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		out *awssqs.ReceiveMessageOutput
		err error
	}
	done := make(chan result)
	go func() {
		out, err := client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: url})
		done <- result{out, err}
	}()
	<-waits
	mustSend(t, q, "hello")
	got := <-done
	if got.err != nil || len(got.out.Messages) != 1 || *got.out.Messages[0].Body != "hello" {
		t.Errorf("received %+v, %v", got.out, got.err)
	}
}

func TestSDKBatches(t *testing.T) {
	t.Parallel()
	client := serve(t, newServer(newClock()))
	ctx := t.Context()
	url := queue(t, client, "q", nil)
	entry := func(id, body string) types.SendMessageBatchRequestEntry {
		return types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body}
	}
	late := entry("late", "x")
	late.DelaySeconds = 901
	sent, err := client.SendMessageBatch(ctx, &awssqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
		entry("a", "one"), entry("bad", "\x00"), entry("b", "two"), entry("empty", ""), late,
	}})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range sent.Successful {
		ids = append(ids, *e.Id)
	}
	if diff := cmp.Diff([]string{"a", "b"}, ids); diff != "" {
		t.Error(diff)
	}
	codes := func(failed []types.BatchResultErrorEntry) map[string]string {
		codes := map[string]string{}
		for _, e := range failed {
			if !e.SenderFault || aws.ToString(e.Message) == "" {
				t.Errorf("%s: fault %v, message %q", *e.Id, e.SenderFault, aws.ToString(e.Message))
			}
			codes[*e.Id] = *e.Code
		}
		return codes
	}
	if diff := cmp.Diff(map[string]string{"bad": "InvalidMessageContents", "empty": "MissingParameter", "late": "InvalidParameterValue"}, codes(sent.Failed)); diff != "" {
		t.Error(diff)
	}

	received, err := client.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10})
	if err != nil || len(received.Messages) != 2 {
		t.Fatalf("received %v, %v", received, err)
	}
	first, second := received.Messages[0].ReceiptHandle, received.Messages[1].ReceiptHandle
	changed, err := client.ChangeMessageVisibilityBatch(ctx, &awssqs.ChangeMessageVisibilityBatchInput{QueueUrl: url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: first, VisibilityTimeout: 60},
		{Id: aws.String("b"), ReceiptHandle: second, VisibilityTimeout: 43201},
		{Id: aws.String("c"), ReceiptHandle: aws.String("x"), VisibilityTimeout: 1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(changed.Successful) != 1 || *changed.Successful[0].Id != "a" {
		t.Errorf("changed %v", changed.Successful)
	}
	if diff := cmp.Diff(map[string]string{"b": "InvalidParameterValue", "c": "ReceiptHandleIsInvalid"}, codes(changed.Failed)); diff != "" {
		t.Error(diff)
	}
	deleted, err := client.DeleteMessageBatch(ctx, &awssqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: first}, {Id: aws.String("b"), ReceiptHandle: second}, {Id: aws.String("c"), ReceiptHandle: aws.String("x")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"c": "ReceiptHandleIsInvalid"}, codes(deleted.Failed)); diff != "" || len(deleted.Successful) != 2 {
		t.Error(diff, deleted.Successful)
	}
}

// TestSDKBatchRules proves what makes a batch fail as a whole.
func TestSDKBatchRules(t *testing.T) {
	t.Parallel()
	s := newServer(newClock())
	client := serve(t, s)
	url := queue(t, client, "q", nil)
	entries := func(ids ...string) (list []types.SendMessageBatchRequestEntry) {
		for _, id := range ids {
			list = append(list, types.SendMessageBatchRequestEntry{Id: aws.String(id), MessageBody: aws.String("x")})
		}
		return list
	}
	large := entries("a", "b")
	large[0].MessageBody = aws.String(strings.Repeat("x", 200000))
	large[1].MessageBody = aws.String(strings.Repeat("x", 62145))
	for name, tt := range map[string]struct {
		entries []types.SendMessageBatchRequestEntry
		want    string
	}{
		"none":           {[]types.SendMessageBatchRequestEntry{}, "EmptyBatchRequest"},
		"eleven":         {entries(slices.Repeat([]string{"x"}, 11)...), "TooManyEntriesInBatchRequest"},
		"twice":          {entries("a", "b", "a"), "BatchEntryIdsNotDistinct"},
		"a bad id":       {entries("a b"), "InvalidBatchEntryId"},
		"a long id":      {entries(strings.Repeat("x", 81)), "InvalidBatchEntryId"},
		"large together": {large, "BatchRequestTooLong"},
	} {
		_, err := client.SendMessageBatch(t.Context(), &awssqs.SendMessageBatchInput{QueueUrl: url, Entries: tt.entries})
		if got := code(err); got != "AWS.SimpleQueueService."+tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	if q, _ := s.Queue("q"); q.Stats().Visible != 0 {
		t.Error("a batch that failed put a message on the queue")
	}
}

package sns_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heliograph/simulator/sns"
	"heliograph/simulator/sqs"
	"heliograph/simulator/wire"
)

// TestSDKPublish proves what arrives, in an envelope and raw.
func TestSDKPublish(t *testing.T) {
	t.Parallel()
	s, q := newServer()
	client, ctx := serve(t, s), t.Context()
	mustTopic(t, s)
	enveloped := mustSubscribe(t, s, queueARN, nil)
	mustSubscribe(t, s, queueARN+"-raw", map[string]string{"RawMessageDelivery": "true"})
	if _, err := s.Subscribe(topicARN, "email", "a@example.com", nil); err != nil {
		t.Fatal(err)
	}
	out, err := client.Publish(ctx, &awssns.PublishInput{
		TopicArn: aws.String(topicARN), Message: aws.String(`{"a":"<&>"}`), Subject: aws.String("News"),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"EventName": {DataType: aws.String("String"), StringValue: aws.String("OnlineStatusChanged")},
			"Blob":      {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []delivery{
		{Queue: queueARN, Body: `{
  "Type": "Notification",
  "MessageId": "` + *out.MessageId + `",
  "TopicArn": "arn:aws:sns:eu-west-1:123456789012:events",
  "Subject": "News",
  "Message": "{\"a\":\"<&>\"}",
  "Timestamp": "2026-01-02T02:04:05.006Z",
  "SignatureVersion": "1",
  "Signature": "bm90IHNpZ25lZDogdGhpcyBtZXNzYWdlIHdhcyBwdWJsaXNoZWQgYnkgYSBzaW11bGF0b3I=",
  "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-00000000000000000000000000000000.pem",
  "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=` + string(enveloped) + `",
  "MessageAttributes": {
    "Blob": {
      "Type": "Binary",
      "Value": "AP8="
    },
    "EventName": {
      "Type": "String",
      "Value": "OnlineStatusChanged"
    }
  }
}`},
		{Queue: queueARN + "-raw", Body: `{"a":"<&>"}`, Attributes: map[string]sns.Attribute{
			"EventName": {DataType: "String", StringValue: "OnlineStatusChanged"},
			"Blob":      {DataType: "Binary", BinaryValue: []byte{0, 255}},
		}},
	}
	if diff := cmp.Diff(want, q.take()); diff != "" {
		t.Error(diff)
	}

	wantCode(t, s.SetTopicAttribute(topicARN, "SignatureVersion", "2"), "")
	if _, err := client.Publish(ctx, &awssns.PublishInput{
		TopicArn: aws.String(topicARN), MessageStructure: aws.String("json"), Message: aws.String(`{"default":"for others","sqs":"for queues"}`),
	}); err != nil {
		t.Fatal(err)
	}
	got := q.take()
	var e map[string]any
	if err := json.Unmarshal([]byte(got[0].Body), &e); err != nil {
		t.Fatal(err)
	}
	if got[1].Body != "for queues" || e["Message"] != "for queues" || e["SignatureVersion"] != "2" || e["Subject"] != nil || e["MessageAttributes"] != nil {
		t.Errorf("delivered %v", got)
	}
}

// TestUndelivered proves that a refusal by a queue is reported, and does not affect the other queues.
func TestUndelivered(t *testing.T) {
	t.Parallel()
	q := &queues{}
	var told []string
	s := sns.New(sns.Options{
		Region: "eu-west-1", Account: account, Queues: q,
		Undelivered: func(arn sns.SubscriptionARN, id sns.MessageID, err error) {
			told = append(told, fmt.Sprint(arn, " ", id, " ", err))
		},
	})
	mustTopic(t, s)
	broken := mustSubscribe(t, s, "arn:aws:sqs:eu-west-1:123456789012:broken", nil)
	mustSubscribe(t, s, queueARN, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the publisher may go away: the message is on its way
	id, err := s.Publish(ctx, topicARN, sns.Publication{Message: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{fmt.Sprint(broken, " ", id, " no such queue")}, told); diff != "" {
		t.Error(diff)
	}
	if got := q.take(); len(got) != 1 {
		t.Errorf("delivered %v", got)
	}
}

func TestPublishRules(t *testing.T) {
	t.Parallel()
	one := func(name string, a sns.Attribute) sns.Publication {
		return sns.Publication{Message: "x", Attributes: map[string]sns.Attribute{name: a}}
	}
	text := func(dataType, value string) sns.Attribute {
		return sns.Attribute{DataType: dataType, StringValue: value}
	}
	eleven := sns.Publication{Message: "x", Attributes: map[string]sns.Attribute{}}
	for i := range 11 {
		eleven.Attributes[fmt.Sprint("a", i)] = text("String", "x")
	}
	const invalid, badValue = "InvalidParameter", "ParameterValueInvalid"
	tests := map[string]struct {
		p    sns.Publication
		want string
	}{
		"a word":                  {sns.Publication{Message: "x", Subject: "Hello: you!"}, ""},
		"nothing":                 {sns.Publication{}, invalid},
		"no UTF-8":                {sns.Publication{Message: "\xff"}, invalid},
		"a zero":                  {sns.Publication{Message: "a\x00"}, invalid},
		"a non-character":         {sns.Publication{Message: "a\uffff"}, invalid},
		"an escaped one":          {sns.Publication{Message: `a\uffff`}, ""},
		"one for queues":          {sns.Publication{Message: `{"default":"x","sqs":"\uffff"}`, PerProtocol: true}, invalid},
		"tab and lines":           {sns.Publication{Message: "\t\r\n"}, ""},
		"the largest":             {sns.Publication{Message: strings.Repeat("x", 262144)}, ""},
		"too large":               {sns.Publication{Message: strings.Repeat("x", 262145)}, invalid},
		"too large by attributes": {sns.Publication{Message: strings.Repeat("x", 262136), Attributes: one("ab", text("String", "x")).Attributes}, invalid},
		"a long subject":          {sns.Publication{Message: "x", Subject: strings.Repeat("x", 101)}, invalid},
		"a subject of two lines":  {sns.Publication{Message: "x", Subject: "a\nb"}, invalid},
		"a subject in Greek":      {sns.Publication{Message: "x", Subject: "α"}, invalid},
		"no default":              {sns.Publication{Message: `{"sqs":"x"}`, PerProtocol: true}, invalid},
		"no JSON":                 {sns.Publication{Message: `x`, PerProtocol: true}, invalid},
		"eleven attributes":       {eleven, invalid},
		"a labelled number":       {one("a.b", text("Number.int", "1e3")), ""},
		"a list":                  {one("a", text("String.Array", `["a",1,true,null]`)), ""},
		"no list":                 {one("a", text("String.Array", `a`)), badValue},
		"a list of lists":         {one("a", text("String.Array", `[[]]`)), badValue},
		"no number":               {one("a", text("Number", "x")), badValue},
		"an unknown type":         {one("a", text("Text", "x")), badValue},
		"no value":                {one("a", text("String", "")), badValue},
		"a text as binary":        {one("a", text("Binary", "x")), badValue},
		"two values":              {one("a", sns.Attribute{DataType: "String", StringValue: "x", BinaryValue: []byte("x")}), badValue},
		"a bad name":              {one("a b", text("String", "x")), badValue},
		"a reserved name":         {one("AWS.x", text("String", "x")), badValue},
		"a value in no UTF-8":     {one("a", text("String", "\xff")), badValue},
		"a value of no character": {one("a", text("String", "\ufffe")), badValue},
		"a label of no character": {one("a", text("String.\ufffe", "x")), badValue},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, q := newServer()
			mustTopic(t, s)
			mustSubscribe(t, s, queueARN, nil)
			_, err := s.Publish(t.Context(), topicARN, tt.p)
			wantCode(t, err, tt.want)
			if got := len(q.take()) == 1; got != (tt.want == "") {
				t.Errorf("delivered: %v", got)
			}
		})
	}
}

func TestSDKBatch(t *testing.T) {
	t.Parallel()
	s, q := newServer()
	client := serve(t, s)
	mustTopic(t, s)
	mustSubscribe(t, s, queueARN, map[string]string{"RawMessageDelivery": "true"})
	entry := func(id, message string) types.PublishBatchRequestEntry {
		return types.PublishBatchRequestEntry{Id: &id, Message: &message}
	}
	publish := func(topic string, entries ...types.PublishBatchRequestEntry) (*awssns.PublishBatchOutput, error) {
		return client.PublishBatch(t.Context(), &awssns.PublishBatchInput{TopicArn: &topic, PublishBatchRequestEntries: entries})
	}
	out, err := publish(topicARN, entry("a", "one"), entry("bad", ""), entry("b", "two"))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range out.Successful {
		ids = append(ids, *e.Id)
	}
	if diff := cmp.Diff([]string{"a", "b"}, ids); diff != "" {
		t.Error(diff)
	}
	want := []types.BatchResultErrorEntry{{Id: aws.String("bad"), Code: aws.String("InvalidParameter"), SenderFault: true, Message: aws.String("Invalid parameter: Message Reason: Empty message")}}
	if diff := cmp.Diff(want, out.Failed, cmpopts.IgnoreUnexported(types.BatchResultErrorEntry{})); diff != "" {
		t.Error(diff)
	}
	if got := q.take(); len(got) != 2 || got[0].Body != "one" || got[1].Body != "two" {
		t.Errorf("delivered %v", got)
	}
	for name, tt := range map[string]struct {
		entries []types.PublishBatchRequestEntry
		want    string
	}{
		"none":           {[]types.PublishBatchRequestEntry{}, "EmptyBatchRequest"},
		"eleven":         {slices.Repeat([]types.PublishBatchRequestEntry{entry("a", "x")}, 11), "TooManyEntriesInBatchRequest"},
		"twice":          {[]types.PublishBatchRequestEntry{entry("a", "x"), entry("a", "x")}, "BatchEntryIdsNotDistinct"},
		"a bad id":       {[]types.PublishBatchRequestEntry{entry("a b", "x")}, "InvalidBatchEntryId"},
		"large together": {[]types.PublishBatchRequestEntry{entry("a", strings.Repeat("x", 262144)), entry("b", "x")}, "BatchRequestTooLong"},
	} {
		_, err := publish(topicARN, tt.entries...)
		if code(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	_, err = publish(topicARN+"x", entry("a", "x"))
	wantCode(t, err, "NotFound")
	if got := q.take(); len(got) != 0 {
		t.Errorf("delivered %v", got)
	}
}

// sqsQueues shows how a program connects topics to real queues.
type sqsQueues struct{ *sqs.Server }

func (q sqsQueues) Send(_ context.Context, queueARN, body string, attributes map[string]sns.Attribute) error {
	queue, err := q.QueueByARN(queueARN)
	if err != nil {
		return err
	}
	out := sqs.Outgoing{Body: body, SenderID: "sns", Attributes: map[string]sqs.MessageAttribute{}}
	for name, a := range attributes {
		out.Attributes[name] = sqs.MessageAttribute(a)
	}
	_, err = queue.Send(out)
	return err
}

// TestFanOut proves that topics and queues work together.
func TestFanOut(t *testing.T) {
	t.Parallel()
	queues := sqs.New(sqs.Options{Region: "eu-west-1", Account: account})
	queue, err := queues.Create("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := sns.New(sns.Options{Region: "eu-west-1", Account: account, Queues: sqsQueues{queues}})
	mustTopic(t, s)
	mustSubscribe(t, s, queue.ARN(), map[string]string{"RawMessageDelivery": "true", "FilterPolicy": `{"IsOnline":["true"]}`})
	for _, online := range []string{"true", "false"} {
		if _, err := s.Publish(t.Context(), topicARN, sns.Publication{
			Message: online, Attributes: map[string]sns.Attribute{"IsOnline": {DataType: "String", StringValue: online}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := queue.Receive(t.Context(), 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Body != "true" || got[0].MessageAttributes["IsOnline"].StringValue != "true" {
		t.Errorf("received %v", got)
	}
}

// TestQuery proves that whole responses have the form in AWS's API reference.
func TestQuery(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	endpoint := wire.NewEndpoint(wire.Options{})
	endpoint.Register(s.Service())
	uuids := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	const response = `Response xmlns="http://sns.amazonaws.com/doc/2010-03-31/">`
	const meta = `<ResponseMetadata><RequestId>UUID</RequestId></ResponseMetadata>`
	for _, step := range []struct{ form, want string }{
		{"Action=CreateTopic&Name=events&Attributes.entry.1.key=DisplayName&Attributes.entry.1.value=x", `<CreateTopic` + response + `<CreateTopicResult><TopicArn>` + topicARN + `</TopicArn></CreateTopicResult>` + meta + `</CreateTopicResponse>`},
		{"Action=ListTopics", `<ListTopics` + response + `<ListTopicsResult><Topics><member><TopicArn>` + topicARN + `</TopicArn></member></Topics></ListTopicsResult>` + meta + `</ListTopicsResponse>`},
		{"Action=Subscribe&Protocol=sqs&Endpoint=" + queueARN + "&TopicArn=" + topicARN, `<Subscribe` + response + `<SubscribeResult><SubscriptionArn>` + topicARN + `:UUID</SubscriptionArn></SubscribeResult>` + meta + `</SubscribeResponse>`},
		{"Action=Publish&Message=x&MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=String&MessageAttributes.entry.1.Value.StringValue=b&TopicArn=" + topicARN, `<Publish` + response + `<PublishResult><MessageId>UUID</MessageId></PublishResult>` + meta + `</PublishResponse>`},
		{"Action=PublishBatch&PublishBatchRequestEntries.member.1.Id=a&PublishBatchRequestEntries.member.1.Message=x&TopicArn=" + topicARN, `<PublishBatch` + response + `<PublishBatchResult><Failed></Failed><Successful><member><MessageId>UUID</MessageId><Id>a</Id></member></Successful></PublishBatchResult>` + meta + `</PublishBatchResponse>`},
		{"Action=SetTopicAttributes&AttributeName=DisplayName&AttributeValue=y&TopicArn=" + topicARN, `<SetTopicAttributes` + response + meta + `</SetTopicAttributesResponse>`},
		{"Action=Publish&TopicArn=" + topicARN, `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>ValidationError</Code><Message>1 validation error detected: Value null at &#39;message&#39; failed to satisfy constraint: Member must not be null</Message><Detail/></Error><RequestId>UUID</RequestId></ErrorResponse>`},
		{"Action=Publish&Message=x&PhoneNumber=1", `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>ValidationError</Code><Message>not supported here: PhoneNumber</Message><Detail/></Error><RequestId>UUID</RequestId></ErrorResponse>`},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(step.form+"&Version=2010-03-31"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-west-1/sns/aws4_request, SignedHeaders=host, Signature=abc")
		w := httptest.NewRecorder()
		endpoint.ServeHTTP(w, r)
		if diff := cmp.Diff(`<?xml version="1.0"?>`+step.want, uuids.ReplaceAllString(w.Body.String(), "UUID")); diff != "" {
			t.Errorf("%s: %s", step.form, diff)
		}
	}
}

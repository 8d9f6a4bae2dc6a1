package sqs_test

import (
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heliograph/simulator/sqs"
)

// TestSDKMessage proves that a message with every optional part arrives as it was sent, and which of its attributes
// each request returns.
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
		QueueUrl: url, MessageBody: &body, MessageAttributes: attributes, MessageGroupId: aws.String("acme"),
		MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String("Root=1-5759e988-bd862e3fe1be46a994272793")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ignore := cmpopts.IgnoreUnexported(types.Message{}, types.MessageAttributeValue{})
	base := types.Message{MessageId: sent.MessageId, Body: &body, MD5OfBody: sent.MD5OfMessageBody}
	system := map[string]string{
		"SenderId": "AKIDEXAMPLE", "SentTimestamp": "1767323045006", "ApproximateFirstReceiveTimestamp": "1767323045006",
		"AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793", "MessageGroupId": "acme",
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
			m.Attributes = map[string]string{"SenderId": "AKIDEXAMPLE", "AWSTraceHeader": system["AWSTraceHeader"], "MessageGroupId": "acme"}
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
		// The checksum of some of the attributes equals that of a message that has no others.
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

// TestChecksums proves the checksums of body and attributes against AWS's worked example (the sample request and
// response of API_SendMessage), and that of the system attribute against another program's result.
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

// TestMessageRules proves which messages are accepted.
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
	group := func(id string) sqs.Outgoing { return sqs.Outgoing{Body: "x", Group: &id} }
	const invalid, contents = "InvalidParameterValueException", "InvalidMessageContents"
	tests := map[string]struct {
		out  sqs.Outgoing
		want string
	}{
		"no body":                    {sqs.Outgoing{}, "MissingRequiredParameterException"},
		"a zero":                     {sqs.Outgoing{Body: "a\x00"}, contents},
		"a control character":        {sqs.Outgoing{Body: "\x1f"}, contents},
		"a non-character":            {sqs.Outgoing{Body: "\ufffe"}, contents},
		"the last non-character":     {sqs.Outgoing{Body: "a\uffff"}, contents},
		"half a pair":                {sqs.Outgoing{Body: "\xed\xa0\x80"}, contents},
		"tab, line feed and return":  {sqs.Outgoing{Body: "\t\n\r"}, ""},
		"delete, and an emoji":       {sqs.Outgoing{Body: "\x7f\u0085😀"}, ""},
		"no UTF-8":                   {sqs.Outgoing{Body: "a\xff"}, contents},
		"a replacement character":    {sqs.Outgoing{Body: "\ufffd"}, ""},
		"the largest":                {sqs.Outgoing{Body: strings.Repeat("x", 1<<20)}, ""},
		"too large":                  {sqs.Outgoing{Body: strings.Repeat("x", 1<<20+1)}, invalid},
		"the largest, attributes in": {sqs.Outgoing{Body: strings.Repeat("x", 1<<20-10), Attributes: one("abc", text("String", "1")).Attributes}, ""},
		"too large by attributes":    {sqs.Outgoing{Body: strings.Repeat("x", 1<<20-9), Attributes: one("abc", text("String", "1")).Attributes}, invalid},
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
		"a bad character in a label": {one("a", text("String.\uffff", "x")), contents},
		"a number":                   {one("a", text("Number", "-1.50e3")), ""},
		"no number":                  {one("a", text("Number", "x1")), invalid},
		"a hexadecimal number":       {one("a", text("Number", "0x1p4")), invalid},
		"infinity":                   {one("a", text("Number", "Inf")), invalid},
		"38 digits":                  {one("a", text("Number", strings.Repeat("9", 38))), ""},
		"39 digits":                  {one("a", text("Number", strings.Repeat("9", 39))), invalid},
		"a group's characters":       {group("azAZ09!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"), ""},
		"a long group":               {group(strings.Repeat("g", 128)), ""},
		"too long a group":           {group(strings.Repeat("g", 129)), invalid},
		"an empty group":             {group(""), invalid},
		"a group with a space":       {group("a b"), invalid},
		"a group with a line end":    {group("a\n"), invalid},
		"a group with an umlaut":     {group("ä"), invalid},
		"the largest, group in":      {sqs.Outgoing{Body: strings.Repeat("x", 1<<20-4), Group: aws.String("acme")}, ""},
		"too large by its group":     {sqs.Outgoing{Body: strings.Repeat("x", 1<<20-3), Group: aws.String("acme")}, invalid},
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
	if _, err := small.Send(sqs.Outgoing{Body: strings.Repeat("x", 1024)}); err != nil {
		t.Error(err)
	}
	_, err := small.Send(sqs.Outgoing{Body: strings.Repeat("x", 1025)})
	wantCode(t, err, invalid)
	if want := "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

package lambda

import (
	"bytes"
	"encoding/json"
	"strings"

	"heliograph/simulator/pattern"
)

// sqsEvent is the event of an SQS event source. https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
type sqsEvent struct {
	Records []sqsRecord
}

type sqsRecord struct {
	MessageID              string                  `json:"messageId"`
	ReceiptHandle          string                  `json:"receiptHandle"`
	Body                   string                  `json:"body"`
	Attributes             map[string]string       `json:"attributes"`
	MessageAttributes      map[string]sqsAttribute `json:"messageAttributes"`
	MD5OfMessageAttributes string                  `json:"md5OfMessageAttributes,omitempty"`
	MD5OfBody              string                  `json:"md5OfBody"`
	EventSource            string                  `json:"eventSource"`
	EventSourceARN         string                  `json:"eventSourceARN"`
	AWSRegion              string                  `json:"awsRegion"`
}

// sqsAttribute includes the empty lists that AWS also sends.
type sqsAttribute struct {
	StringValue      *string  `json:"stringValue,omitempty"`
	BinaryValue      []byte   `json:"binaryValue,omitempty"`
	StringListValues []string `json:"stringListValues"`
	BinaryListValues [][]byte `json:"binaryListValues"`
	DataType         string   `json:"dataType"`
}

func (s *QueueSource) event(batch []Message) []byte {
	event := sqsEvent{Records: make([]sqsRecord, len(batch))}
	for i, m := range batch {
		event.Records[i] = sqsRecord{
			MessageID: m.ID, ReceiptHandle: m.ReceiptHandle, Body: m.Body, MD5OfBody: m.MD5OfBody,
			Attributes: m.Attributes, MessageAttributes: m.attributes(), MD5OfMessageAttributes: m.MD5OfMessageAttributes,
			EventSource: "aws:sqs", EventSourceARN: s.config.QueueARN, AWSRegion: regionOf(s.config.QueueARN),
		}
	}
	return encode(event)
}

func (m Message) attributes() map[string]sqsAttribute {
	attributes := make(map[string]sqsAttribute, len(m.MessageAttributes))
	for name, a := range m.MessageAttributes {
		out := sqsAttribute{StringListValues: []string{}, BinaryListValues: [][]byte{}, DataType: a.DataType}
		if strings.HasPrefix(a.DataType, "Binary") {
			out.BinaryValue = a.BinaryValue
		} else {
			out.StringValue = &a.StringValue
		}
		attributes[name] = out
	}
	return attributes
}

// forFilter is the message as filters see it: a JSON body is parsed.
func (m Message) forFilter() map[string]any {
	var body any = m.Body
	if object, err := pattern.Decode[map[string]any]([]byte(m.Body)); err == nil {
		body = object
	}
	attributes := map[string]any{}
	for name, v := range m.Attributes {
		attributes[name] = v
	}
	sent := map[string]any{}
	for name, a := range m.MessageAttributes {
		sent[name] = map[string]any{"stringValue": a.StringValue, "dataType": a.DataType}
	}
	return map[string]any{"messageId": m.ID, "body": body, "attributes": attributes, "messageAttributes": sent}
}

// encode returns JSON without the escapes that Go adds for HTML.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("encoding an event: " + err.Error()) // its types always encode
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

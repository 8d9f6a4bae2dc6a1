package sqs_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph/simulator/sqs"
	"heliograph/simulator/wire"
)

// BenchmarkQueue measures a message's passage through a queue with 10,000 others in flight, by the Go methods.
func BenchmarkQueue(b *testing.B) {
	q := mustCreate(b, newServer(nil), "q", "VisibilityTimeout", "43200")
	for range 10_000 {
		mustSend(b, q, "x")
	}
	for range 1_000 {
		mustReceive(b, q)
	}
	b.ReportAllocs()
	for b.Loop() {
		mustSend(b, q, "hello")
		for _, m := range mustReceive(b, q) {
			if err := q.Delete(m.ReceiptHandle); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkSDKSend measures one SendMessage by the SDK's client over loopback.
func BenchmarkSDKSend(b *testing.B) {
	s := newServer(nil)
	q := mustCreate(b, s, "q")
	endpoint := wire.NewEndpoint(wire.Options{})
	endpoint.Register(s.Service())
	web := httptest.NewServer(endpoint)
	defer web.Close()
	client := awssqs.New(awssqs.Options{
		Region: "eu-west-1", BaseEndpoint: &web.URL, HTTPClient: web.Client(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	})
	in := &awssqs.SendMessageInput{QueueUrl: aws.String(q.URL()), MessageBody: aws.String(`{"UserId":"1234","Body":"hello"}`)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.SendMessage(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	if got := q.Stats(); got == (sqs.Stats{}) {
		b.Fatal("nothing was sent")
	}
}

package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
)

// TestLoopback proves that no large answer of a server on the same machine is lost. With the SDK's own client, of these
// calls some ten are.
func TestLoopback(t *testing.T) {
	t.Parallel()
	answer := `{"Messages":[{"MessageId":"1","Body":"` + strings.Repeat("x", 131<<10) + `"}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	client := awssqs.New(awssqs.Options{
		Region: "eu-west-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1, DisableMessageChecksumValidation: true,
		HTTPClient: loopback{server.Client()}, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
	for range 2000 {
		if _, err := client.ReceiveMessage(context.Background(), &awssqs.ReceiveMessageInput{QueueUrl: aws.String(server.URL + "/queue")}); err != nil {
			t.Fatal(err)
		}
	}
}

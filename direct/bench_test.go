package direct

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
)

// network answers each request with the same body, at no cost.
type network string

func (n network) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(n))), Request: r}, nil
}

const items = `{"Items":[{"pk":{"S":"user#1"},"sk":{"S":"conn#a"},"gpk":{"S":"lease#01"},"gsk":{"S":"1#a"},"connectedAt":{"N":"1767323045678"},` +
	`"tokenExpires":{"N":"1767323045"},"sourceIp":{"S":"127.0.0.1"},"userAgent":{"S":"x"},"ttl":{"N":"1767323045"}},` +
	`{"pk":{"S":"user#1"},"sk":{"S":"presence"},"gpk":{"S":"online#01"},"gsk":{"S":"1"},"online":{"BOOL":true},"epoch":{"N":"1767323045678"},"connects":{"N":"1"}}],"Count":2,"ScannedCount":2}`

// BenchmarkCall compares calls with the SDK's, without the network: signature, retries, encoding.
func BenchmarkCall(b *testing.B) {
	cfg := configOf(nil)
	cfg.HTTPClient = network(items)
	ours, err := NewConnections(cfg, "https://aws.test/base", func(context.Context, int) {})
	if err != nil {
		b.Fatal(err)
	}
	db, err := NewDynamoDB(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	post := &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: aws.String("L0SM9cOF="), Data: []byte("hello")}
	theirs := apigatewaymanagementapi.NewFromConfig(cfg)
	for name, call := range map[string]func() error{
		"post/SDK":     func() error { _, err := theirs.PostToConnection(b.Context(), post); return err },
		"post/direct":  func() error { _, err := ours.PostToConnection(b.Context(), post); return err },
		"query/SDK":    func() error { _, err := db.Client.Query(b.Context(), plain()); return err },
		"query/direct": func() error { _, err := db.Query(b.Context(), plain()); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := call(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

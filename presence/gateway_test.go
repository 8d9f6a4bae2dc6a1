package presence_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	gateway "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"

	"heliograph/presence"
)

// TestGatewayAnswers proves that API Gateway's answers are understood as they arrive through the SDK's own client.
func TestGatewayAnswers(t *testing.T) {
	t.Parallel()
	const alive = `{"connectedAt":"2026-01-02T03:04:05.678Z","lastActiveAt":"2026-01-02T03:04:45.500Z","identity":{"sourceIp":"192.0.2.1"}}`
	tests := map[string]struct {
		status    int
		errorType string
		body      string
		open      bool
		activity  time.Time
	}{
		"alive":          {200, "", alive, true, time.Date(2026, 1, 2, 3, 4, 45, 500_000_000, time.UTC)},
		"gone":           {410, "GoneException", "", false, time.Time{}},
		"gone, unnamed":  {410, "", "<html>", false, time.Time{}},
		"malformed id":   {400, "BadRequestException", `{"message":"Invalid connectionId: x"}`, false, time.Time{}},
		"400, unnamed":   {400, "", "<html>", true, time.Time{}},
		"throttled":      {429, "LimitExceededException", `{"message":"Too Many Requests"}`, true, time.Time{}},
		"forbidden":      {403, "ForbiddenException", `{"message":"Forbidden"}`, true, time.Time{}},
		"out of order":   {500, "", "", true, time.Time{}},
		"not what it is": {200, "", "<html>", true, time.Time{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.connect(t, "u", "L0SM9cOFvHcCIhw=")
			w.advance(time.Minute)
			var asked []string
			client := gateway.New(gateway.Options{
				Region: "eu-west-1", BaseEndpoint: aws.String("http://gateway.test/dev"), Retryer: aws.NopRetryer{},
				Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
				HTTPClient: inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					asked = append(asked, r.Method+" "+r.URL.Path)
					if test.errorType != "" {
						w.Header().Set("X-Amzn-Errortype", test.errorType)
					}
					w.WriteHeader(test.status)
					_, _ = w.Write([]byte(test.body))
				})},
			})
			sweeper := presence.NewSweeper(w.store, client, presence.SweepOptions{Lease: lease, Rate: 10})
			if err := sweeper.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(asked, ", "); got != "GET /dev/@connections/L0SM9cOFvHcCIhw=" {
				t.Errorf("asked: %s", got)
			}
			if open := len(w.open(t, "u")) == 1; open != test.open {
				t.Fatalf("open: %v", open)
			}
			if test.open {
				same(t, "last active", w.one(t, "u").LastActiveAt, test.activity)
			}
		})
	}
}

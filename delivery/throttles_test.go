package delivery

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
)

// TestThrottlesAreCounted proves that each 429 counts, even if a retry succeeded or another error followed, and that
// only those of the call in question count.
func TestThrottlesAreCounted(t *testing.T) {
	tests := []struct {
		name    string
		answers []answer
		want    int
	}{
		{"none", []answer{ok}, 0},
		{"a retry went through", []answer{throttled, ok}, 1},
		{"the last retry went through", []answer{throttled, throttled, ok}, 2},
		{"none went through", []answer{throttled}, 3},
		{"gone after all", []answer{throttled, gone}, 1},
		{"5xx", []answer{{status: 503}, throttled, {status: 500}}, 1},
		{"broken off", []answer{throttled, {drop: true}}, 1},
		{"without its name", []answer{{status: 429}, ok}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.gateway.answers["a"] = test.answers
				post := func(id string) int {
					throttles := withThrottles(b.Context())
					_, err := b.config.Poster.PostToConnection(throttles, &apigatewaymanagementapi.PostToConnectionInput{
						ConnectionId: aws.String(id), Data: []byte("hello"),
					})
					return throttles.count(err)
				}
				if got := post("a"); got != test.want {
					b.Errorf("counted %d, want %d", got, test.want)
				}
				if got := post("another"); got != 0 {
					b.Errorf("counted %d of the next call", got)
				}
			})
		})
	}
}

// TestThrottlesOfOtherPosters proves that the error alone also indicates a 429.
func TestThrottlesOfOtherPosters(t *testing.T) {
	t.Parallel()
	throttles := withThrottles(t.Context())
	if got := throttles.count(&types.LimitExceededException{}); got != 1 {
		t.Errorf("counted %d, want 1", got)
	}
	if got := throttles.count(errors.New("broken")); got != 0 {
		t.Errorf("counted %d, want 0", got)
	}
}

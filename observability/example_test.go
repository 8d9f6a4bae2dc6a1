package observability_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// A handler adds metrics, names its steps and logs. What it does is written as JSON lines when it
// returns, whatever it returns.
func Example() {
	deliver := func(ctx context.Context, bodies []string) (int, error) {
		observability.SetProperty(ctx, "user", observability.HashUser("1234"))
		observability.Add(ctx, catalogue.MessagesReceived, float64(len(bodies)))
		err := observability.Step(ctx, "post", func(ctx context.Context) error {
			observability.Log(ctx).Info("posting", "messages", len(bodies))
			observability.Add(ctx, catalogue.PostsDelivered, 1)
			observability.Add(ctx, catalogue.DeliveryLatency, 12.5)
			return nil
		})
		return len(bodies), err
	}

	var stdout bytes.Buffer
	settings := observability.Settings{Stage: "dev", LogLevel: slog.LevelInfo, TraceSampling: 1}
	function := observability.New("send", settings, &stdout)
	sent, err := observability.Wrap(function, deliver)(context.Background(), []string{"hello", "world"})
	fmt.Println(sent, err)

	for line := range bytes.Lines(stdout.Bytes()) {
		var l map[string]any
		if err := json.Unmarshal(line, &l); err != nil {
			fmt.Println(err)
		}
		fmt.Println(l["message"], l["user"], l["Stage"], l["MessagesReceived"], l["PostsDelivered"], l["DeliveryLatency"])
	}
	// Output:
	// 2 <nil>
	// posting u-03ac674216f3 <nil> <nil> <nil> <nil>
	// <nil> u-03ac674216f3 dev 2 1 12.5
}

// A metric of your own takes five lines. Four declare it in the catalogue, here with high resolution, for its values to
// be kept by the second:
//
//	PostsThrottled = counter("PostsThrottled",
//		"Answers 429 of the gateway.",
//		heliograph.Send).everySecond()
//
// The last one counts it.
func ExampleAdd() {
	post := func(ctx context.Context, _ struct{}) (struct{}, error) {
		observability.Add(ctx, catalogue.PostsThrottled, 1)
		return struct{}{}, nil
	}

	var stdout bytes.Buffer
	function := observability.New("send", observability.Settings{Stage: "dev"}, &stdout)
	_, _ = observability.Wrap(function, post)(context.Background(), struct{}{})

	var line struct {
		AWS struct {
			CloudWatchMetrics []struct{ Metrics []json.RawMessage }
		} `json:"_aws"`
		PostsThrottled float64
	}
	if err := json.Unmarshal(stdout.Bytes(), &line); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%s\n%v\n", line.AWS.CloudWatchMetrics[0].Metrics[0], line.PostsThrottled)
	// Output:
	// {"Name":"PostsThrottled","StorageResolution":1}
	// 1
}

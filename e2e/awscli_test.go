package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// awsCLI returns a function that runs the AWS command line against the stack. CI installs Debian's, which uses SQS's
// older query protocol.
func awsCLI(t *testing.T) func(arguments ...string) string {
	run := awsCommand(t)
	return func(arguments ...string) string {
		t.Helper()
		out, err := run(arguments...)
		if err != nil {
			t.Fatalf("aws %v: %v\n%s", arguments, err, out)
		}
		return out
	}
}

// awsCommand is awsCLI for calls that may fail: the output then becomes the error.
func awsCommand(t *testing.T) func(arguments ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("aws")
	if debian := "/usr/bin/aws"; err == nil && path != debian {
		if _, err := os.Stat(debian); err == nil {
			path = debian // the older one is the harder test
		}
	}
	if err != nil {
		const how = "needs the AWS command line: apt-get install awscli, or https://docs.aws.amazon.com/cli/"
		if os.Getenv("CI") != "" {
			t.Fatal(how)
		}
		t.Skip(how)
	}
	return func(arguments ...string) (string, error) {
		if target.AWSEndpointURL != "" && !slices.Contains(arguments, "--endpoint-url") {
			arguments = append([]string{"--endpoint-url", target.AWSEndpointURL}, arguments...)
		}
		command := exec.CommandContext(within(t), path, append([]string{"--region", target.Region, "--output", "json"}, arguments...)...)
		command.Env = awsCLIEnvironment()
		var stderr bytes.Buffer
		command.Stderr = &stderr
		out, err := command.Output()
		if err != nil {
			return stderr.String(), err
		}
		return string(out), nil
	}
}

// awsCLIEnvironment returns the environment of the AWS command line; for a local stack it leaves out the developer's
// AWS configuration.
func awsCLIEnvironment() []string {
	if target.AWSEndpointURL == "" {
		return append(os.Environ(), "AWS_PAGER=")
	}
	clean := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	return append(clean, "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_ACCESS_KEY_ID="+target.AccessKey, "AWS_SECRET_ACCESS_KEY=local")
}

// TestServicesThatAreNotThere proves that the AWS command line understands the answer to a call of a service that is
// not simulated, in each of AWS's protocols, and prints the name of the missing service.
func TestServicesThatAreNotThere(t *testing.T) {
	t.Parallel()
	if target.AWSEndpointURL == "" {
		t.Skip("on AWS, every service is there")
	}
	run := awsCommand(t)
	for service, arguments := range map[string][]string{
		"s3": {"s3", "ls"}, "lambda": {"lambda", "list-functions"}, "sts": {"sts", "get-caller-identity"}, "ec2": {"ec2", "describe-vpcs"},
		"states": {"stepfunctions", "list-state-machines"}, "route53": {"route53", "list-hosted-zones"}, "kms": {"kms", "list-keys"},
	} {
		out, err := run(arguments...)
		if want := `the service "` + service + `" is not simulated`; err == nil || !strings.Contains(out, want) {
			t.Errorf("aws %v: %v: %s; want %s", arguments, err, out, want)
		}
	}
}

// TestAWSCommandLine proves the README's tour with the AWS command line: look up the queue, send, find the
// connection in the table, post to it directly.
func TestAWSCommandLine(t *testing.T) {
	t.Parallel()
	aws := awsCLI(t)
	user := newUser()
	phone := connect(t, user)
	var parameter struct{ Parameter struct{ Value string } }
	decode(t, aws("ssm", "get-parameter", "--name", target.ParameterPrefix+"/SendMessageQueueUrl"), &parameter)
	if parameter.Parameter.Value != target.SendQueueURL {
		t.Errorf("the parameter is %q, the queue %q", parameter.Parameter.Value, target.SendQueueURL)
	}
	aws("sqs", "send-message", "--queue-url", parameter.Parameter.Value, "--message-body", `{"UserId":"`+user+`","Body":"by the AWS command line"}`)
	if got := phone.next(t); got != "by the AWS command line" {
		t.Errorf("arrived %q", got)
	}
	var found struct {
		Items []struct{ SK struct{ S string } }
	}
	decode(t, aws("dynamodb", "query", "--table-name", target.TableName, "--key-condition-expression", "pk = :u AND begins_with(sk, :c)",
		"--expression-attribute-values", `{":u":{"S":"user#`+user+`"},":c":{"S":"conn#"}}`), &found)
	if len(found.Items) != 1 {
		t.Fatalf("%d connections in the table, want 1", len(found.Items))
	}
	id := found.Items[0].SK.S[len("conn#"):]
	endpoint, known := connectionsURL(target.AWSEndpointURL, target.WebSocketURL)
	if !known {
		t.Skipf("%s is a custom domain, which serves connections only: @connections can't be called by the stack's outputs", target.WebSocketURL)
	}
	var connection struct{ ConnectedAt, LastActiveAt string }
	decode(t, aws("--endpoint-url", endpoint, "apigatewaymanagementapi", "get-connection", "--connection-id="+id), &connection)
	if connection.ConnectedAt == "" || connection.LastActiveAt == "" {
		t.Errorf("the connection is %+v", connection)
	}
}

// TestAWSCommandLineWatches proves that the AWS command line finds the stack's metrics and alarms, as it would on AWS.
func TestAWSCommandLineWatches(t *testing.T) {
	t.Parallel()
	aws := awsCLI(t)
	user := newUser()
	phone := connect(t, user)
	send(t, user, "counted")
	if got := phone.next(t); got != "counted" {
		t.Fatalf("arrived %q", got)
	}
	var listed struct {
		Metrics []struct{ Dimensions []dimension }
	}
	eventually(t, "MessagesReceived is listed", func(context.Context) (bool, error) {
		decode(t, aws("cloudwatch", "list-metrics", "--namespace", "Heliograph", "--metric-name", "MessagesReceived"), &listed)
		return len(listed.Metrics) > 0, nil
	})
	query, err := json.Marshal([]any{map[string]any{"Id": "m", "MetricStat": map[string]any{
		"Metric": map[string]any{"Namespace": "Heliograph", "MetricName": "MessagesReceived", "Dimensions": listed.Metrics[0].Dimensions},
		"Period": 3600, "Stat": "Sum",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	var data struct {
		MetricDataResults []struct{ Values []float64 }
	}
	decode(t, aws("cloudwatch", "get-metric-data", "--metric-data-queries", string(query),
		"--start-time", now.Add(-time.Hour).Format(time.RFC3339), "--end-time", now.Add(time.Hour).Format(time.RFC3339)), &data)
	if len(data.MetricDataResults) != 1 || len(data.MetricDataResults[0].Values) == 0 || data.MetricDataResults[0].Values[0] < 1 {
		t.Errorf("MessagesReceived is %+v", data)
	}
	var alarms struct {
		MetricAlarms    []struct{ AlarmName, StateValue string }
		CompositeAlarms []struct{ AlarmName, AlarmRule string }
	}
	decode(t, aws("cloudwatch", "describe-alarms", "--alarm-types", "MetricAlarm", "CompositeAlarm"), &alarms)
	if len(alarms.MetricAlarms) == 0 || len(alarms.CompositeAlarms) == 0 || alarms.MetricAlarms[0].StateValue == "" || alarms.CompositeAlarms[0].AlarmRule == "" {
		t.Errorf("the alarms are %+v", alarms)
	}
	var history struct {
		AlarmHistoryItems []struct{ HistorySummary string }
	}
	decode(t, aws("cloudwatch", "describe-alarm-history", "--max-items", "5"), &history)
	for _, item := range history.AlarmHistoryItems {
		if item.HistorySummary == "" {
			t.Errorf("an entry of the history is empty: %+v", history)
		}
	}
}

type dimension struct{ Name, Value string }

// connectionsURL is where @connections answers: on a laptop where all AWS APIs do, on AWS at the WebSocket API itself.
// A custom domain serves connections only, so with one it is not known.
func connectionsURL(awsEndpoint, webSocket string) (string, bool) {
	if awsEndpoint != "" {
		return awsEndpoint, true
	}
	rest, secure := strings.CutPrefix(webSocket, "wss://")
	return "https://" + rest, secure && strings.Contains(rest, ".execute-api.")
}

// TestConnectionsURL proves that @connections is called at an address of its own, whatever the target.
func TestConnectionsURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ aws, socket, want string }{
		{"http://127.0.0.1:4566", "ws://127.0.0.1:4567/local", "http://127.0.0.1:4566"},
		{"", "wss://abc.execute-api.eu-west-1.amazonaws.com/prod", "https://abc.execute-api.eu-west-1.amazonaws.com/prod"},
		{"", "wss://push.example.com", ""},
	} {
		got, found := connectionsURL(tt.aws, tt.socket)
		if found != (tt.want != "") || found && got != tt.want {
			t.Errorf("%q, %q: %q, %v; want %q", tt.aws, tt.socket, got, found, tt.want)
		}
	}
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("read %s: %v", text, err)
	}
}

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// awsCLI returns a function that runs the AWS command line against the stack. CI installs Debian's, which uses SQS's
// older query protocol.
func awsCLI(t *testing.T) func(arguments ...string) string {
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
	return func(arguments ...string) string {
		t.Helper()
		if target.AWSEndpointURL != "" {
			arguments = append([]string{"--endpoint-url", target.AWSEndpointURL}, arguments...)
		}
		command := exec.CommandContext(within(t), path, append([]string{"--region", target.Region, "--output", "json"}, arguments...)...)
		command.Env = append(os.Environ(), "AWS_PAGER=")
		if target.AWSEndpointURL != "" {
			command.Env = append(command.Env, "AWS_ACCESS_KEY_ID=e2e", "AWS_SECRET_ACCESS_KEY=e2e")
		}
		var stderr bytes.Buffer
		command.Stderr = &stderr
		out, err := command.Output()
		if err != nil {
			t.Fatalf("aws %v: %v\n%s", arguments, err, &stderr)
		}
		return string(out)
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
	var connection struct{ ConnectedAt, LastActiveAt string }
	decode(t, aws("apigatewaymanagementapi", "get-connection", "--connection-id="+id), &connection)
	if connection.ConnectedAt == "" || connection.LastActiveAt == "" {
		t.Errorf("the connection is %+v", connection)
	}
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("read %s: %v", text, err)
	}
}

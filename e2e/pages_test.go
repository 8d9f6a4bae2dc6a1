//go:build !race

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heliograph/docs/commands"
	"heliograph/local"
)

// Nothing of ours that the race detector could watch runs in these tests' process, so this file is left out under it.

// shown returns the commands of all pages but the README, whose commands TestNewcomer runs.
func shown(t *testing.T) []commands.Command {
	t.Helper()
	all, err := commands.Read(projectRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(c commands.Command) bool { return c.Page == "README.md" })
}

// refusals are the texts by which the AWS command line refuses what it does not know.
var refusals = []string{"Unknown options", "Invalid choice", "the following arguments are required", "Error parsing parameter", "Parameter validation failed"}

// younger are commands that not every AWS command line in use has, and since when.
var younger = map[string]string{"logs tail": "version 2", "sqs start-message-move-task": "2.12 and 1.27"}

// TestPagesOfAWS proves that the AWS command line takes each of its commands that a page shows, and that the local stack
// answers those of the services that it simulates.
func TestPagesOfAWS(t *testing.T) {
	if target.AWSEndpointURL == "" {
		t.Skip("some of these commands change a stack")
	}
	t.Parallel()
	run := awsCommand(t)
	deadLetters := strings.Replace(target.SendQueueURL, "-send", "-send-dead-letters", 1)
	fill := strings.NewReplacer(
		"<queue heliograph-<stack>-stream-failures>", deadLetters, "<ARN of the dead-letter queue>", deadLetters,
		"<output eventTopicArn>", target.EventTopicARN, "<ARN of the topic>", target.EventTopicARN, "$QUEUE", target.SendQueueURL,
		"<parameterPrefix>", target.ParameterPrefix, "<table>", target.TableName, "heliograph-prod-restored", target.TableName,
		"heliograph-prod", target.TableName, "heliograph-<stack>", target.TableName, "$()", "1767225600",
	)
	tried := map[string]bool{}
	for _, c := range shown(t) {
		form := strings.Join(slices.DeleteFunc(slices.Clone(c.Words), func(w string) bool { return strings.ContainsAny(w, "/{<$:") }), " ")
		if c.Words[0] != "aws" || tried[form] || slices.Contains(c.Words, "…") {
			continue
		}
		tried[form] = true
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			var arguments []string
			for _, word := range c.Words[1:] {
				arguments = append(arguments, fill.Replace(word))
			}
			out, err := run(arguments...)
			if since := younger[strings.Join(arguments[:2], " ")]; since != "" && strings.Contains(out, "Invalid choice") {
				t.Skipf("the AWS command line has it since %s: https://docs.aws.amazon.com/cli/", since)
			}
			if err != nil && !strings.Contains(out, "not simulated") || slices.ContainsFunc(refusals, func(r string) bool { return strings.Contains(out, r) }) {
				t.Errorf("%s:%d shows `%s`: %v\n%s", c.Page, c.Line, strings.Join(c.Words, " "), err, out)
			}
		})
	}
	if len(tried) < 12 {
		t.Errorf("only %d commands were found", len(tried))
	}
}

// ours is what the commands of the program that pages show print, against a local stack; or why they are not run.
var ours = map[string]struct{ prints, not string }{
	"journey 130d2763-abfe-4fad-ae30-5a06d3e8b63b": {not: "its id is of another stack; TestJourney runs one"},
	"top":  {not: "it runs until it is interrupted; TestTop runs one"},
	"load": {not: "it takes half a minute; TestLoadCommand runs a shorter one"},
	"load --connections 1000 --devices 2 --rate 200 --for 5m --json": {not: "it takes five minutes"},
	"--stack dev load --rate 100 --for 1m":                           {not: "it takes a minute"},
	"--stack dev connect --user 1234":                                {not: "it runs until it is interrupted; TestNewcomer runs one"},
	"local --latency aws":                                            {not: "TestFaultCommands runs it"},
	"local --logs":                                                   {not: "TestLogs runs it"},
	"local --config corsOrigins=[\"http://127.0.0.1:8000\"]":         {not: "TestBrowserExample starts a stack so"},
	"--stack prod doctor":                                            {not: "the tests of cmd/heliograph run it, since it asks services that are not simulated"},
	"--stack prod doctor --json --strict":                            {not: "the same"},
	"--stack dev doctor --account":                                   {not: "the same"},

	"cost": {prints: "USD"},
	"cost --users 50000 --rate 500 --session 1h --sent 10 --batch 10": {prints: "USD"},
	"doctor":                          {prints: "0 problems"},
	"metrics":                         {prints: "Heliograph"},
	"alarms":                          {prints: "ALARM"},
	"env":                             {prints: "AWS_ACCESS_KEY_ID"},
	"send --user 1234 late, but once": {prints: "queued as "},
	"--stack dev send -":              {prints: "queued"},
	"--stack <stack> dlq list":        {prints: "there is nothing to see"},
	"--stack <stack> dlq redrive --all --reason undelivered --rate 50": {prints: "0 "},
	"--stack <stack> dlq drop --all --reason malformed":                {prints: "0 "},
	"fault list":  {prints: "FAULT"},
	"fault clear": {},
	"fault add execute-api --action PostToConnection --error LimitExceededException --count 3":                  {prints: ": execute-api PostToConnection: LimitExceededException, 3 times"},
	"fault add dynamodb --action UpdateItem --caller *-connect --error ThrottlingException --rate 0.3 --seed 7": {prints: "ThrottlingException, 30% of the time"},
	"fault add sns --down":                                                           {prints: "sns: down"},
	"fault add lambda --resource *-send --kill --count 1":                            {prints: "killed"},
	"fault add execute-api --action PostToConnection --error LostAnswer --count 1":   {prints: "LostAnswer"},
	"fault add disconnect --lost --rate 0.5":                                         {prints: "lost"},
	"fault add delivery --resource *:heliograph-local-send --duplicate --latency 1s": {prints: "delivered once more"},
}

// TestPagesOfOurs proves that the commands of the program that pages show do what the pages say, in one local stack that
// is also taken for a deployed one: its outputs come from a program named pulumi, and AWS's SDK finds it by its environment.
func TestPagesOfOurs(t *testing.T) {
	if own == nil {
		t.Skip("starts a stack of its own")
	}
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, ".heliograph", "local.json")
	start(t, "--target", file, "local", "--port", "0").waitFor(t, "Ctrl-C stops it")
	at, err := local.ReadEndpoints(file)
	if err != nil {
		t.Fatal(err)
	}
	environment := deployed(t, folder, at)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	faultsByHTTP(t, folder, at)
	found := map[string]bool{}
	for _, c := range shown(t) {
		arguments, is := argumentsOf(c)
		line := strings.Join(arguments, " ")
		expected, known := ours[line]
		switch {
		case !is || !c.Whole || found[line]:
			continue
		case !known:
			t.Errorf("%s:%d shows `heliograph %s`: say in ours what it prints", c.Page, c.Line, line)
			continue
		}
		found[line] = true
		if expected.not != "" {
			continue
		}
		command := exec.CommandContext(within(t), path, arguments...)
		command.Dir, command.Env, command.Stdin = folder, environment, strings.NewReader(`{"UserId":"1234","Body":"Hello"}`+"\n")
		if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), expected.prints) {
			t.Errorf("%s:%d shows `heliograph %s`, which printed %q, %v; want %q", c.Page, c.Line, line, out, err, expected.prints)
		}
	}
	for line := range ours {
		if !found[line] {
			t.Errorf("no page shows `heliograph %s` any more: remove it from ours", line)
		}
	}
}

// argumentsOf returns the arguments of a command of ours, however a page calls it.
func argumentsOf(c commands.Command) (arguments []string, is bool) {
	if c.Words[0] == "heliograph" {
		return c.Words[1:], true
	}
	line := strings.Join(c.Words, " ")
	return c.Words[min(3, len(c.Words)):], strings.HasPrefix(line+" ", "go run ./cmd/heliograph ")
}

// deployed makes a local stack look like a deployed one, to who looks through the environment that it returns.
func deployed(t *testing.T, folder string, at local.Endpoints) (environment []string) {
	t.Helper()
	outputs, err := json.Marshal(at.Outputs)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"outputs.json": string(outputs), "pulumi": "#!/bin/sh\nexec cat " + folder + "/outputs.json\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	clean := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") || strings.HasPrefix(v, "PATH=") })
	return append(clean, "PATH="+folder+":"+os.Getenv("PATH"), "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"AWS_ENDPOINT_URL="+at.AWSEndpointURL, "AWS_ACCESS_KEY_ID="+at.AccessKey, "AWS_SECRET_ACCESS_KEY=local")
}

// faultsByHTTP runs the commands of docs/faults.md that need curl and jq, in their order.
func faultsByHTTP(t *testing.T, folder string, at local.Endpoints) {
	t.Helper()
	for _, needed := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(needed); err != nil {
			missing(t, "needs curl and jq: apt-get install curl jq")
		}
	}
	var script []string
	for _, c := range shown(t) {
		if c.Page == "docs/faults.md" && c.Whole && (c.Words[0] == "curl" || c.Words[0] == "jq") {
			script = append(script, strings.Replace(c.Text, "http://127.0.0.1:4700", at.AWSEndpointURL, 1))
		}
	}
	shell := exec.CommandContext(within(t), "bash", "-ec", strings.Join(script, "\necho\n"))
	shell.Dir = folder
	out, err := shell.Output()
	const id, rule = `{"id":"fault-`, `","service":"ssm","down":true,"count":3,"hits":0}`
	if printed := string(out); err != nil || len(script) != 4 || strings.Count(printed, id) != 2 || strings.Count(printed, rule) != 2 {
		t.Errorf("%d commands printed %q, %v", len(script), out, err)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"heliograph"
	"heliograph/auth"
	"heliograph/local"
	"heliograph/simulator/fault"
)

// localCommand runs the stack on this machine, against the simulator.
type localCommand struct {
	Port         int               `default:"4700" help:"First of three ports: the AWS APIs here, the WebSocket API and the HTTP API on the next two; 0 picks free ports."`
	AllowHost    []string          `placeholder:"NAME" help:"Also answer to this host name and trust pages served under it; by default, only loopback names are."`
	Config       map[string]string `short:"c" placeholder:"KEY=VALUE" help:"Set a config key of the stack, as in Pulumi.yaml, such as presenceGrace=1s; KEY=@FILE reads the value from a file."`
	Latency      string            `enum:"none,aws" default:"none" help:"aws: delay each AWS call by what is typical on AWS."`
	MetricPeriod time.Duration     `default:"1m" help:"How long a minute of metrics and alarms really lasts; 1s lets alarms fire within seconds."`
	Keep         string            `placeholder:"DIR" help:"Keep the state of the stack in this folder over restarts: users, messages, dead letters, parameters."`
	Logs         bool              `help:"Show the functions' logs."`
	Hello        bool              `help:"Once ready, send a first message through the stack and print each step."`
}

func (localCommand) Help() string {
	return `Runs the Pulumi program that is deployed to AWS against a simulator in this process, with the same functions, compiled
for this machine. Everything listens on loopback only, and all files are in the folder of --target. Ctrl-C stops it.

Example:
  heliograph local --logs --config presenceGrace=1s`
}

// spaceGarbage lets at least 32 MB of garbage come together before a collection; the stack lives on so little that it
// would otherwise collect all the time. Beyond that, half the usual slack saves a stack of many connections a third of its
// memory. What it returns is never touched, so it takes address space only; it counts as live for as long as it is kept.
func spaceGarbage() []byte {
	debug.SetGCPercent(50)
	return make([]byte, 64<<20)
}

func (c *localCommand) Run(ctx context.Context, w world, line *commands) error {
	started := w.now()
	slack := spaceGarbage()
	defer runtime.KeepAlive(slack)
	directory, err := w.directory()
	if err != nil {
		return fmt.Errorf("find the project: %w", err)
	}
	if c.MetricPeriod < 100*time.Millisecond || c.MetricPeriod > time.Minute {
		return fmt.Errorf("--metric-period is %v; it must be between 100ms and 1m", c.MetricPeriod)
	}
	if c.Config, err = c.config(w.stderr); err != nil {
		return err
	}
	options := local.Options{
		Root: directory, Port: c.Port, Hosts: c.AllowHost, Config: c.Config, Progress: w.stderr, MetricPeriod: c.MetricPeriod,
		Keep: c.Keep, EndpointsFile: line.Target, BuildDir: filepath.Join(filepath.Dir(line.Target), "build", "here"),
	}
	if c.Latency == "aws" {
		options.Faults = fault.Typical()
	}
	if c.Logs {
		options.Logs = w.stderr
	}
	stack, err := local.Start(ctx, options)
	if err != nil {
		return err
	}
	if err := c.welcome(ctx, w, line, itself(directory, line.Target), started); err != nil {
		return errors.Join(err, stack.Close())
	}
	<-ctx.Done()
	fmt.Fprintln(w.stderr, "stopping")
	return stack.Close()
}

// config returns the config with the contents of files in place of their names. A secret among the arguments is visible
// to everyone on the machine, in the list of processes, so config warns of it.
func (c *localCommand) config(warnings io.Writer) (map[string]string, error) {
	config := maps.Clone(c.Config)
	for key, value := range config {
		path, isFile := strings.CutPrefix(value, "@")
		if !isFile {
			if slices.Contains(local.SecretKeys(), key) {
				fmt.Fprintf(warnings, "! other users of this machine can see %s in the list of processes: keep it in a file, and use --config %s=@FILE\n", key, key)
			}
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("--config %s: %w", key, err)
		}
		config[key] = strings.TrimRight(string(text), "\r\n")
	}
	return config, nil
}

// welcome prints the addresses of the stack and what to try, and on demand takes a first message through it, by the same
// addresses as any other client.
func (c *localCommand) welcome(ctx context.Context, w world, line *commands, command string, started time.Time) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	token, err := t.sampleToken(ctx, w.now())
	if err != nil {
		return err
	}
	if err := welcome(w.stdout, t.Endpoints, command, token, w.now().Sub(started)); err != nil || !c.Hello {
		return err
	}
	if t.JWKSURL != "" {
		_, err := fmt.Fprintf(w.stdout, "\nNo first message: only your identity provider can sign a token. With one:\n  %s hello --token \"$TOKEN\"\n", command)
		return err
	}
	fmt.Fprint(w.stdout, "\nA first message, step by step:\n\n")
	return (&helloCommand{}).Run(ctx, w, line)
}

// sampleToken returns a token of user 1234 for the commands that are printed: the seed's if the stack accepts it,
// otherwise one for a day. Where only an identity provider can sign one, it is a shell variable to put one in.
func (t *target) sampleToken(ctx context.Context, now time.Time) (string, error) {
	if t.JWKSURL != "" {
		return "$TOKEN", nil
	}
	keys := auth.SecretKeys(ssm.NewFromConfig(t.aws), t.ParameterPrefix+heliograph.ParameterJWTSecret, "", auth.DefaultGrace, nil)
	if _, err := auth.NewVerifier(keys, auth.RulesOf(t.Outputs)).Verify(ctx, seedToken); err == nil {
		return seedToken, nil
	}
	return t.mint(ctx, now, "1234", 24*time.Hour)
}

// seedToken is the example token from the documentation of the project that Heliograph re-imagines: user 1234, valid
// until 2033, signed with that project's public default secret, which only the simulator accepts.
const seedToken = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwidXNlcklkIjoiMTIzNCIsImlhdCI6MjAxNjIzOTAyMiwiZXhwIjoyMDE2MjM5MDIyfQ.6C7xpaC9_vmadA72tABVkqXH9HWcPY4RE8dGALnT-Hw"

var welcomeText = template.Must(template.New("welcome").Parse(`
Heliograph is ready ({{.Took}}). Try, each in a terminal of its own:

  connect as user 1234      {{.Command}} connect {{if .JWKSURL}}--token "$TOKEN"{{else}}--user 1234{{end}}
  send a message            {{.Command}} send --user 1234 "Hello, world"
  who is online             {{.Command}} online{{if .JWKSURL}} --token "$TOKEN"{{end}}
  what was measured         {{.Command}} metrics
  what was not delivered    {{.Command}} dlq list

{{if .JWKSURL}}TOKEN is a token of user 1234 that your identity provider signed; its keys are at {{.JWKSURL}}.

{{end}}or with tools that you know:

  wscat -c "{{.WebSocketURL}}?Authorization={{.Token}}"
  aws --endpoint-url {{.AWSEndpointURL}} --region {{.Region}} sqs send-message --queue-url {{.SendQueueURL}} --message-body '{"UserId":"1234","Body":"Hello, world"}'
  curl -X GET "{{.HTTPURL}}/user/online?userIds=1234" -H "Authorization: Bearer {{.Token}}"

The AWS command line needs the access key of this run:
  eval "$({{.Command}} env)"

  WebSocket API             {{.WebSocketURL}}
  HTTP API                  {{.HTTPURL}}
  AWS APIs                  {{.AWSEndpointURL}}
  queue to send through     {{.SendQueueURL}}
  dead-letter queue         {{.DeadLetterQueueURL}}
  topic of presence events  {{.EventTopicARN}}
  console                   {{.ConsoleURL}}

Ctrl-C stops it.
`))

// welcome prints the addresses of the running stack and commands to try. command is how the user invokes the command
// line.
func welcome(out io.Writer, endpoints local.Endpoints, command, token string, took time.Duration) error {
	return welcomeText.Execute(out, struct {
		local.Endpoints
		Command string
		Took    time.Duration
		Token   string
	}{endpoints, command, took.Round(100 * time.Millisecond), token})
}

// itself returns how to invoke this command line from a directory so that it finds the stack of an endpoints file.
func itself(directory, endpoints string) string {
	const command = "go run ./cmd/heliograph"
	if endpoints == filepath.Join(directory, ".heliograph", "local.json") {
		return command // the default path, which needs no --target
	}
	return command + " --target '" + strings.ReplaceAll(endpoints, "'", `'\''`) + "'"
}

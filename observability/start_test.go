package observability

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"heliograph/observability/catalogue"
)

// functionUnderTest is set where this test binary is to be a Lambda function.
const functionUnderTest = "HELIOGRAPH_FUNCTION_UNDER_TEST"

// underTest is the environment of the function under test.
type underTest struct {
	Settings
	Wait  time.Duration `env:"WAIT,required,notEmpty"`
	Queue string        `env:"QUEUE_URL,required"`
}

type testEvent struct{ Do, Text string }

type testAnswer struct{ Text, Region string }

// startFunctionUnderTest is the main of a function that does what its events say.
func startFunctionUnderTest() {
	Start("send", func(ctx context.Context, cfg aws.Config, e underTest) (Handler[testEvent, testAnswer], error) {
		if e.Queue == "fail" {
			return nil, errors.New("no queue")
		}
		if e.Queue == "panic" {
			panic("no queue at all")
		}
		return func(ctx context.Context, event testEvent) (testAnswer, error) {
			Add(ctx, catalogue.PostsDelivered, 1)
			switch event.Do {
			case "fail":
				return testAnswer{}, errTest
			case "panic":
				panic("boom")
			case "purge":
				client := sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.BaseEndpoint = &e.Queue })
				_, err := client.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: &e.Queue})
				return testAnswer{Text: event.Text}, err
			case "print":
				log.Print("a library's word")
				log.Print("ERROR: a library's cry")
				slog.Info("a library's line", "n", 1)
				slog.Debug("a library's detail")
			case "fatal":
				slog.Debug("before the end")
				log.Fatal("a library's end")
			case "goroutine":
				failed := make(chan error)
				go func() {
					_, err := Safely(func() (int, error) { panic("boom beside") })
					failed <- err
				}()
				return testAnswer{}, <-failed
			}
			return testAnswer{event.Text, cfg.Region}, nil
		}, nil
	})
}

// runtimeAPI takes the place of Lambda's Runtime API: it hands out events and notes the answers.
type runtimeAPI struct {
	events  []string
	answers []string
	done    func() // called when there is no event left
}

func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/next") {
		body, _ := io.ReadAll(r.Body)
		what := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		a.answers = append(a.answers, what+" "+string(body))
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if len(a.answers) == len(a.events) {
		a.done()
		<-r.Context().Done()
		return
	}
	n := len(a.answers)
	w.Header().Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprint("r-", n))
	w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
	w.Header().Set("Lambda-Runtime-Trace-Id", sampledTrace)
	_, _ = io.WriteString(w, a.events[n])
}

// environment is what Lambda and the program set for the function under test.
func environment(api string, changed map[string]string) []string {
	variables := map[string]string{
		functionUnderTest: "1", "AWS_LAMBDA_RUNTIME_API": strings.TrimPrefix(api, "http://"),
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:9",
		"STAGE": "test", "LOG_LEVEL": "INFO", "TRACE_SAMPLING": "1", "LOG_SAMPLING": "0", "WAIT": "5s", "QUEUE_URL": "",
	}
	for name, value := range changed {
		variables[name] = value
	}
	var list []string
	for name, value := range variables {
		if value != "unset" {
			list = append(list, name+"="+value)
		}
	}
	return list
}

// process is the function under test after it ended.
type process struct {
	exit           int
	stdout, stderr []byte
	answers        []string
}

// start runs the function under test as Lambda does, until it has answered all events or ends by
// itself.
func start(t testing.TB, changed map[string]string, events ...string) process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	api := &runtimeAPI{events: events, done: cancel}
	server := httptest.NewServer(api)
	defer server.Close()
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, os.Args[0])
	command.Env = environment(server.URL, changed)
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatalf("%v (%v)", err, exit)
	}
	return process{command.ProcessState.ExitCode(), stdout.Bytes(), stderr.Bytes(), api.answers}
}

// TestStart proves a function's whole life under the Runtime API: it decodes, answers, fails, and writes
// nothing but JSON lines.
func TestStart(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	p := start(t, map[string]string{"AWS_XRAY_DAEMON_ADDRESS": d.address().String(), "QUEUE_URL": newQueue(t, 200)},
		`{"Do":"answer","Text":"<b>&amp;</b>"}`, `{"Do":"fail"}`, `[1]`, `{"Do":"print"}`, `{"Do":"purge"}`)
	want := []string{
		`response {"Text":"<b>&amp;</b>","Region":"eu-west-1"}`,
		`error {"errorMessage":"no such luck","errorType":"errorString"}`,
		`error {"errorMessage":"decoding the event: json: cannot unmarshal array into Go value of type observability.testEvent","errorType":"wrapError"}`,
		`response {"Text":"","Region":"eu-west-1"}`,
		`response {"Text":"","Region":""}`,
	}
	if diff := cmp.Diff(want, p.answers); diff != "" {
		t.Error(diff)
	}
	logs, metrics := decodeLines(t, p.stdout)
	if len(p.stderr) != 0 || len(metrics) != 5 || len(logs) != 5 {
		t.Fatalf("stderr %q, %d metric lines, log lines %v", p.stderr, len(metrics), logs)
	}
	for i, want := range []line{{"PostsDelivered": 1.0, "ColdStarts": 1.0}, {"PostsDelivered": 1.0, "HandlerErrors": 1.0}, {"HandlerErrors": 1.0}, {"PostsDelivered": 1.0}} {
		for _, name := range []string{"PostsDelivered", "ColdStarts", "HandlerErrors"} {
			if metrics[i][name] != want[name] {
				t.Errorf("invocation %d has %s %v", i, name, metrics[i][name])
			}
		}
	}
	if logs[0]["requestId"] != "r-1" {
		t.Errorf("the first line is %v", logs[0])
	}
	for i, want := range []line{
		{"level": "WARN", "message": "a library's word"},
		{"level": "ERROR", "message": "a library's cry"},
		{"level": "INFO", "message": "a library's line", "n": 1.0},
	} {
		got := logs[2+i]
		if got["level"] != want["level"] || got["message"] != want["message"] || got["n"] != want["n"] || got["requestId"] != "r-3" {
			t.Errorf("a library's line is %v, want %v", got, want)
		}
	}
	all := d.segments(t)
	if len(all) != 5 || len(all[4].Subsegments) != 1 || all[4].Subsegments[0].Name != "SQS" {
		t.Errorf("these documents were sent: %+v", all)
	}
}

// TestStartUntraced proves that a function which leaves a trace out sends nothing of it, calls of AWS
// clients included: where there is no parent, the SDK would make one of the trace header.
func TestStartUntraced(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	p := start(t, map[string]string{
		"AWS_XRAY_DAEMON_ADDRESS": d.address().String(), "QUEUE_URL": newQueue(t, 200), "TRACE_SAMPLING": "0",
	}, `{"Do":"purge"}`)
	if all := d.segments(t); len(all) != 0 || len(p.answers) != 1 || !strings.HasPrefix(p.answers[0], "response") {
		t.Errorf("the answers are %q, the documents %+v", p.answers, all)
	}
}

// TestStartPanic proves that a panic reaches Lambda, which gets the error and starts the function anew,
// and that its metrics are written.
func TestStartPanic(t *testing.T) {
	t.Parallel()
	p := start(t, nil, `{"Do":"panic"}`, `{"Do":"never"}`)
	if p.exit != 1 || len(p.answers) != 1 || !strings.HasPrefix(p.answers[0], `error {"errorMessage":"boom"`) {
		t.Errorf("exit code %d, answers %q", p.exit, p.answers)
	}
	_, metrics := decodeLines(t, p.stdout)
	if len(metrics) != 1 || metrics[0]["PostsDelivered"] != 1.0 || metrics[0]["HandlerErrors"] != 1.0 {
		t.Errorf("the metric lines are %v", metrics)
	}
}

// TestStartFatal proves that log.Fatal, after which nothing of ours runs, loses neither metrics nor debug lines nor the
// trace.
func TestStartFatal(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	p := start(t, map[string]string{"AWS_XRAY_DAEMON_ADDRESS": d.address().String()}, `{"Do":"fatal"}`)
	logs, metrics := decodeLines(t, p.stdout)
	if p.exit != 1 || len(metrics) != 1 || metrics[0]["PostsDelivered"] != 1.0 || metrics[0]["HandlerErrors"] != 1.0 {
		t.Errorf("exit code %d, metric lines %v", p.exit, metrics)
	}
	if len(logs) != 3 || logs[0]["message"] != "a library's end" || logs[0]["level"] != "ERROR" || logs[1]["message"] != "before the end" {
		t.Errorf("the log lines are %v", logs)
	}
	if all := d.segments(t); len(all) != 1 || !all[0].InProgress {
		t.Errorf("the documents are %+v", all)
	}
}

// TestStartPanicInGoroutine proves that a panic which Safely caught fails the invocation, with its stack, and not the
// process.
func TestStartPanicInGoroutine(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"AWS_XRAY_DAEMON_ADDRESS": newDaemon(t).address().String()}, `{"Do":"goroutine"}`, `{"Do":"answer"}`)
	logs, metrics := decodeLines(t, p.stdout)
	if len(p.answers) != 2 || len(metrics) != 2 || len(logs) != 1 || textOf(logs[0]["error"]) != "panic: boom beside" || logs[0]["stack"] == nil {
		t.Errorf("the answers are %q, the lines %v", p.answers, logs)
	}
}

// TestStartFails proves that what keeps a function from starting is one line that names it, and exit
// code 1, before any event is taken.
func TestStartFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		changed map[string]string
		want    string
	}{
		{"missing", map[string]string{"STAGE": "unset"}, `reading the environment: required environment variable "STAGE" is not set`},
		{"empty", map[string]string{"STAGE": ""}, `reading the environment: environment variable "STAGE" should not be empty`},
		{"bad level", map[string]string{"LOG_LEVEL": "LOUD"}, `reading the environment: environment variable "LOG_LEVEL": slog: level string "LOUD": unknown name`},
		{"bad share", map[string]string{"TRACE_SAMPLING": "half"}, `reading the environment: environment variable "TRACE_SAMPLING": strconv.ParseFloat: parsing "half": invalid syntax`},
		{"share too large", map[string]string{"TRACE_SAMPLING": "1.5"}, `reading the environment: environment variable "TRACE_SAMPLING": 1.5 is not from 0 to 1`},
		{"no number", map[string]string{"TRACE_SAMPLING": "NaN"}, `reading the environment: environment variable "TRACE_SAMPLING": NaN is not from 0 to 1`},
		{"own variable", map[string]string{"WAIT": "soon"}, `reading the environment: environment variable "WAIT": unable to parse duration: time: invalid duration "soon"`},
		{
			"several",
			map[string]string{"STAGE": "unset", "WAIT": "unset", "LOG_LEVEL": "LOUD"},
			`reading the environment: required environment variable "STAGE" is not set; environment variable "LOG_LEVEL": slog: level string "LOUD": unknown name; required environment variable "WAIT" is not set`,
		},
		{"build fails", map[string]string{"QUEUE_URL": "fail"}, `building the handler: no queue`},
		{"build panics", map[string]string{"QUEUE_URL": "panic"}, `building the handler: panic: no queue at all`},
		{"bad AWS configuration", map[string]string{"AWS_MAX_ATTEMPTS": "many"}, `loading the AWS configuration: `},
		{"not in Lambda", map[string]string{"AWS_LAMBDA_RUNTIME_API": "unset"}, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, c.changed, `{"Do":"never"}`)
			logs, metrics := decodeLines(t, p.stdout)
			if p.exit != 1 || len(logs) != 1 || len(metrics) != 0 || len(p.answers) != 0 || len(p.stderr) != 0 {
				t.Fatalf("exit code %d, stdout %s, stderr %s", p.exit, p.stdout, p.stderr)
			}
			got := textOf(logs[0]["error"])
			if logs[0]["level"] != "ERROR" || !strings.HasPrefix(got, c.want) {
				t.Errorf("the line says %v", logs[0])
			}
		})
	}
}

// TestStartSurvivesTracingVariables proves that variables which make the X-Ray SDK panic by default
// don't harm a function.
func TestStartSurvivesTracingVariables(t *testing.T) {
	t.Parallel()
	for _, changed := range []map[string]string{
		{"AWS_XRAY_CONTEXT_MISSING": "NO_SUCH_STRATEGY"},
		{"AWS_XRAY_CONTEXT_MISSING": "RUNTIME_ERROR"},
		{"AWS_XRAY_SDK_DISABLED": "TRUE"},
		{"TRACE_SAMPLING": "0", "AWS_XRAY_CONTEXT_MISSING": "RUNTIME_ERROR"},
	} {
		changed["QUEUE_URL"] = newQueue(t, 200)
		p := start(t, changed, `{"Do":"purge"}`)
		if len(p.answers) != 1 || !strings.HasPrefix(p.answers[0], "response") {
			t.Errorf("with %v the answers are %q, stdout %s, stderr %s", changed, p.answers, p.stdout, p.stderr)
		}
		decodeLines(t, p.stdout)
	}
}

// BenchmarkInit is the time from a function's start to when it asks for its first event. It includes
// what this test binary loads on top of a function.
func BenchmarkInit(b *testing.B) {
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	for b.Loop() {
		command := exec.Command(os.Args[0])
		command.Env = environment(server.URL, nil)
		stderr, _ := command.StderrPipe()
		if err := command.Start(); err != nil {
			b.Fatal(err)
		}
		<-asked
		b.StopTimer()
		_ = command.Process.Kill()
		_, _ = bufio.NewReader(stderr).WriteTo(io.Discard)
		_ = command.Wait()
		b.StartTimer()
	}
}

package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/wire"
)

func TestInvokeIsColdOnceThenWarm(t *testing.T) {
	t.Parallel()
	p, r := newPlatform(t, Options{})
	f := create(t, p, "pid")
	first, second := invoke(t, p, f, `{}`), invoke(t, p, f, `{}`)
	if first.FunctionError != "" || string(first.Payload) != string(second.Payload) {
		t.Errorf("two events were answered by %s and %s; one environment should have had both", first.Payload, second.Payload)
	}
	if first.InitDuration <= 0 || second.InitDuration != 0 {
		t.Errorf("the starts took %v and %v; only the first event should have waited for one", first.InitDuration, second.InitDuration)
	}
	want := []string{
		`^START RequestId: ` + first.RequestID + ` Version: \$LATEST$`,
		`^END RequestId: ` + first.RequestID + `$`,
		`^REPORT RequestId: ` + first.RequestID + `\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms$`,
		`^START RequestId: ` + second.RequestID + ` Version: \$LATEST$`,
		`^END RequestId: ` + second.RequestID + `$`,
		`^REPORT RequestId: ` + second.RequestID + `\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB$`,
	}
	checkLines(t, r.texts(true), want)
	if got := r.sum("Invocations"); got != 2 {
		t.Errorf("Invocations is %v, want 2", got)
	}
}

func checkLines(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("the lines are\n%s\nwant %d of them", strings.Join(got, "\n"), len(want))
	}
	for i := range want {
		if !regexp.MustCompile(want[i]).MatchString(got[i]) {
			t.Errorf("line %d is %q, want %s", i, got[i], want[i])
		}
	}
}

func TestInvocationTellsTheFunctionWhatLambdaTells(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{XRayDaemon: "127.0.0.1:9"})
	f := create(t, p, "context", func(c *Config) { c.Tracing, c.MemorySize, c.LogGroup = true, 256, "/my/group" })
	result := invoke(t, p, f, `{}`)
	var got struct {
		RequestID, ARN, Trace, Name, Group, Stream string
		Left                                       float64
		Memory                                     int
	}
	if err := json.Unmarshal(result.Payload, &got); err != nil {
		t.Fatalf("%s: %v", result.Payload, err)
	}
	if !regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=1$`).MatchString(got.Trace) {
		t.Errorf("the trace header is %q", got.Trace)
	}
	if !regexp.MustCompile(`^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$`).MatchString(got.Stream) {
		t.Errorf("the log stream is %q", got.Stream)
	}
	if got.Left < 9 || got.Left > 10 {
		t.Errorf("%v seconds are left of 10", got.Left)
	}
	got.Trace, got.Stream, got.Left = "", "", 0
	want := got
	want.RequestID, want.ARN, want.Name = result.RequestID, "arn:aws:lambda:eu-west-1:000000000000:function:f-context", "f-context"
	want.Group, want.Memory = "/my/group", 256
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNothingOfTheParentsEnvironmentLeaks(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{
		XRayDaemon: "127.0.0.1:9",
		Environ:    func(f Function) []string { return []string{"AWS_ENDPOINT_URL=http://" + f.Role, "TABLE_NAME=platform"} },
	})
	f := create(t, p, "environ", func(c *Config) {
		c.Role = "role"
		c.Environment["TABLE_NAME"] = "function"
	})
	var env []string
	if err := json.Unmarshal(invoke(t, p, f, `{}`).Payload, &env); err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(env))
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{
		"AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
		"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
		"AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION",
		"AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "BEHAVIOUR", "HOME", "LAMBDA_RUNTIME_DIR",
		"LAMBDA_TASK_ROOT", "LANG", "PATH", "TABLE_NAME", "TMPDIR", "TZ", "_HANDLER", "_X_AMZN_TRACE_ID",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(env, "TABLE_NAME=function") || !slices.Contains(env, "AWS_ENDPOINT_URL=http://role") {
		t.Errorf("the function's own variable should win, and the platform know the role: %q", env)
	}
}

// TestFailures proves that every way in which a function can fail yields an answer with Lambda's error type, and that
// the function's earlier log lines are kept.
func TestFailures(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		timeout   time.Duration
		errorType string
		message   string // a regular expression
		logged    string // a line of the function that must be kept
		report    string // the end of the platform's last line
	}{
		"error": {errorType: "errorString", message: "^no luck$"},
		"panic": {errorType: "string", message: "^at the disco$"},
		"exit": {
			errorType: "Runtime.ExitError", message: "^RequestId: ID Error: Runtime exited with error: exit status 3$",
			logged: "about to exit", report: "\tStatus: error\tError Type: Runtime.ExitError",
		},
		"quit": {
			errorType: "Runtime.ExitError", message: "^RequestId: ID Error: Runtime exited without providing a reason$",
			report: "\tStatus: error\tError Type: Runtime.ExitError",
		},
		"hang": {
			timeout: time.Second, errorType: "Sandbox.Timedout", message: `^RequestId: ID Error: Task timed out after 1\.00 seconds$`,
			logged: "about to hang", report: "\tStatus: timeout",
		},
		"large": {
			errorType: "Function.ResponseSizeTooLarge", message: `^Response payload size exceeded maximum allowed payload size \(6291556 bytes\)\.$`,
			report: "\tStatus: error\tError Type: Function.ResponseSizeTooLarge",
		},
		"memory": {
			timeout:   time.Minute, // a busy machine takes a while to hand out 128 MB
			errorType: "Runtime.ExitError", message: "^RequestId: ID Error: Runtime exited with error: signal: killed$",
			report: "\tStatus: error\tError Type: Runtime.ExitError",
		},
		"init-exit": {
			errorType: "Runtime.ExitError", message: "^RequestId: ID Error: Runtime exited with error: exit status 1$",
			logged: "the environment variable TABLE_NAME is missing", report: "Phase: invoke\tStatus: error\tError Type: Runtime.ExitError",
		},
		"init-hang": {
			timeout: time.Second, errorType: "Sandbox.Timedout", message: `^RequestId: ID Error: Task timed out after 1\.00 seconds$`,
			logged: "starting for ever", report: "Phase: invoke\tStatus: timeout",
		},
	}
	for behaviour, tt := range tests {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			p, r := newPlatform(t, Options{InitTimeout: time.Second})
			f := create(t, p, behaviour, func(c *Config) { setDefault(&tt.timeout, c.Timeout); c.Timeout = tt.timeout })
			result := invoke(t, p, f, `{}`)
			var said struct{ ErrorType, ErrorMessage string }
			if err := json.Unmarshal(result.Payload, &said); err != nil {
				t.Fatalf("%s: %v", result.Payload, err)
			}
			message := strings.ReplaceAll(said.ErrorMessage, result.RequestID, "ID")
			if result.FunctionError != "Unhandled" || said.ErrorType != tt.errorType || !regexp.MustCompile(tt.message).MatchString(message) {
				t.Errorf("the answer is %q, %s", result.FunctionError, result.Payload)
			}
			if tt.logged != "" && (!slices.Contains(r.texts(false), tt.logged) || !strings.Contains(result.LogTail, tt.logged)) {
				t.Errorf("%q is not in the log %q or the tail %q", tt.logged, r.texts(false), result.LogTail)
			}
			platform := r.texts(true)
			if last := platform[len(platform)-1]; !strings.HasSuffix(last, tt.report) {
				t.Errorf("the last line of the platform is %q, want an end of %q", last, tt.report)
			}
			if got := r.sum("Errors"); got != 1 {
				t.Errorf("Errors is %v, want 1", got)
			}
		})
	}
}

func TestAFailedStartIsTriedOnceMoreInTheInvocation(t *testing.T) {
	t.Parallel()
	p, r := newPlatform(t, Options{})
	invoke(t, p, create(t, p, "init-exit"), `{}`)
	checkLines(t, r.texts(true), []string{
		`^INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError$`,
		`^INIT_REPORT Init Duration: [\d.]+ ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ExitError$`,
	})
	if n := p.Environments("f-init-exit"); n != 0 {
		t.Errorf("%d environments are left", n)
	}
}

func TestLinesComeWholeAndInOrder(t *testing.T) {
	t.Parallel()
	p, r := newPlatform(t, Options{})
	f := create(t, p, "log")
	for range 3 {
		r.mu.Lock()
		r.lines = nil
		r.mu.Unlock()
		result := invoke(t, p, f, `{}`)
		if diff := cmp.Diff([]string{"one", "two", strings.Repeat("long", 5000), "no end"}, r.texts(false)); diff != "" {
			t.Error(diff)
		}
		for _, l := range r.lines {
			if l.RequestID != result.RequestID || l.Function != f.Name || l.LogGroup != "/aws/lambda/f-log" || l.Time.IsZero() {
				t.Errorf("the line %.50q belongs to %q of %q, at %v", l.Text, l.RequestID, l.Function, l.Time)
			}
		}
	}
}

// TestLogLevels proves that in JSON format each level drops the lines below it, and that lines without a level, such as
// those with metrics, count as INFO.
func TestLogLevels(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		logging Logging
		lines   []string
		system  []string // regular expressions
	}{
		{Logging{}, []string{`{"level":"DEBUG"}`, `{"level":"INFO"}`, `{"level":"ERROR"}`, `{"_aws":{}}`, "no JSON"}, []string{"^START ", "^END ", "^REPORT "}},
		{
			Logging{JSON: true},
			[]string{`{"level":"INFO"}`, `{"level":"ERROR"}`, `{"_aws":{}}`, "no JSON"},
			[]string{`"type":"platform.start"`, `^{"record":{"metrics":{"billedDurationMs":\d+,.*"status":"success"},"time":"[^"]*Z","type":"platform.report"}$`},
		},
		{Logging{JSON: true, Application: "DEBUG", System: "WARN"}, []string{`{"level":"DEBUG"}`, `{"level":"INFO"}`, `{"level":"ERROR"}`, `{"_aws":{}}`, "no JSON"}, nil},
		{Logging{JSON: true, Application: "WARN", System: "DEBUG"}, []string{`{"level":"ERROR"}`}, []string{"platform.start", "platform.runtimeDone", "platform.report"}},
	} {
		p, r := newPlatform(t, Options{})
		invoke(t, p, create(t, p, "levels", func(c *Config) { c.Logging = tt.logging }), `{}`)
		if diff := cmp.Diff(tt.lines, r.texts(false)); diff != "" {
			t.Errorf("%+v: %s", tt.logging, diff)
		}
		checkLines(t, r.texts(true), tt.system)
	}
}

// TestFailuresReachQuietLogs proves that the platform's report on a failure is written at the level WARN.
func TestFailuresReachQuietLogs(t *testing.T) {
	t.Parallel()
	for behaviour, status := range map[string]string{"exit": "error", "hang": "timeout", "init-exit": "error"} {
		p, r := newPlatform(t, Options{})
		f := create(t, p, behaviour, func(c *Config) { c.Logging, c.Timeout = Logging{JSON: true, System: "WARN"}, time.Second })
		invoke(t, p, f, `{}`)
		lines := r.texts(true)
		if len(lines) != 2 || !strings.Contains(lines[1], `"status":"`+status+`"`) {
			t.Errorf("%s: the platform wrote %q, want two lines with the status %s", behaviour, lines, status)
		}
	}
}

func TestLinesOfTheStartHaveNoRequest(t *testing.T) {
	t.Parallel()
	p, r := newPlatform(t, Options{})
	invoke(t, p, create(t, p, "init-log"), `{}`)
	if l := r.await(t, "starting"); l.RequestID != "" {
		t.Errorf("the line of the start has the request id %q", l.RequestID)
	}
}

func TestConcurrentEventsHaveEnvironmentsOfTheirOwn(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{Environments: 3})
	f := create(t, p, "sleep")
	pids := invokeAll(t, p, f, 7, `{"Milliseconds":100}`)
	if len(pids) != 3 {
		t.Errorf("7 events at once ran in %d environments; this machine allows 3", len(pids))
	}
}

// invokeAll sends events at once and counts the answers.
func invokeAll(t *testing.T, p *Platform, f Function, n int, payload string) map[string]int {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	answers := map[string]int{}
	for range n {
		wg.Go(func() {
			result, err := p.Invoke(t.Context(), Request{Function: string(f.Name), Payload: []byte(payload)})
			if err != nil || result.FunctionError != "" {
				t.Errorf("%v %s", err, result.Payload)
			}
			mu.Lock()
			answers[string(result.Payload)]++
			mu.Unlock()
		})
	}
	wg.Wait()
	return answers
}

func TestThrottling(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		account  int
		reserved *int
		reason   string
	}{
		"reserved":    {1000, new(1), "ReservedFunctionConcurrentInvocationLimitExceeded"},
		"account":     {1, nil, "ConcurrentInvocationLimitExceeded"},
		"none at all": {1000, new(0), "ReservedFunctionConcurrentInvocationLimitExceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, r := newPlatform(t, Options{Concurrency: tt.account})
			f := create(t, p, "hang", func(c *Config) { c.ReservedConcurrency = tt.reserved })
			var wg sync.WaitGroup
			defer wg.Wait()
			if tt.reserved == nil || *tt.reserved > 0 {
				wg.Go(func() { _, _ = p.Invoke(t.Context(), Request{Function: f.ARN}) })
				r.await(t, "about to hang")
			}
			_, err := p.Invoke(t.Context(), Request{Function: f.ARN})
			var failure *wire.Error
			if !errors.As(err, &failure) || failure.Code != "TooManyRequestsException" || failure.HTTPStatus() != 429 || failure.Fields["Reason"] != tt.reason {
				t.Errorf("the error is %#v", err)
			}
			if got := r.sum("Throttles"); got != 1 {
				t.Errorf("Throttles is %v, want 1", got)
			}
			p.Kill(f.ARN)
		})
	}
}

func TestIdleEnvironmentsAreReaped(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{IdleTimeout: 20 * time.Millisecond})
	f := create(t, p, "pid")
	pid, _ := strconv.Atoi(string(invoke(t, p, f, `{}`).Payload))
	awaitNoProcess(t, pid)
	if again := invoke(t, p, f, `{}`); again.InitDuration == 0 {
		t.Error("the event after the reaping was not a cold start")
	}
}

// awaitNoProcess waits until a process is gone.
func awaitNoProcess(t *testing.T, pid int) {
	t.Helper()
	for range 1000 {
		if !processAlive(pid) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("the process %d is still there", pid)
}

func TestKillInTheMiddleOfAnEvent(t *testing.T) {
	t.Parallel()
	p, r := newPlatform(t, Options{})
	f := create(t, p, "hang")
	results := make(chan Result)
	go func() {
		result, _ := p.Invoke(t.Context(), Request{Function: f.ARN})
		results <- result
	}()
	r.await(t, "about to hang")
	if n := p.Kill(string(f.Name)); n != 1 {
		t.Errorf("%d environments were killed, want 1", n)
	}
	if result := <-results; !strings.Contains(string(result.Payload), "Runtime exited with error: signal: killed") {
		t.Errorf("the answer is %s", result.Payload)
	}
}

func TestWhatAFunctionStartedDiesWithIt(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{})
	pid, err := strconv.Atoi(string(invoke(t, p, create(t, p, "grandchild"), `{}`).Payload))
	if err != nil || !processAlive(pid) {
		t.Fatalf("the function started %d (%v)", pid, err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	awaitNoProcess(t, pid)
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	p, r := newPlatform(t, Options{Environments: 1})
	f := create(t, p, "hang")
	var wg sync.WaitGroup
	for range 3 { // one running, two waiting
		wg.Go(func() {
			if result, err := p.Invoke(t.Context(), Request{Function: f.ARN}); err == nil && result.FunctionError == "" {
				t.Errorf("the answer is %s", result.Payload)
			}
		})
	}
	r.await(t, "about to hang")
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if _, err := p.Invoke(t.Context(), Request{Function: f.ARN}); err == nil {
		t.Error("a closed platform took an event")
	}
	if left, err := os.ReadDir(p.options.WorkDir); err != nil || len(left) != 0 {
		t.Errorf("%v are left, error %v", left, err)
	}
}

func TestTheCallersEndDoesNotEndTheFunction(t *testing.T) {
	t.Parallel()
	p, r := newPlatform(t, Options{})
	f := create(t, p, "sleep")
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := p.Invoke(ctx, Request{Function: f.ARN, Payload: []byte(`{"Milliseconds":100}`)})
		gaveUp <- err
	}()
	r.await(t, "START")
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller got %v", err)
	}
	r.await(t, "REPORT")
	if got := r.sum("Errors"); got != 0 {
		t.Errorf("Errors is %v", got)
	}
}

func TestRequestsThatLambdaRefuses(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{})
	create(t, p, "echo")
	for name, tt := range map[string]struct {
		request Request
		code    string
		status  int
	}{
		"unknown name":  {Request{Function: "nobody"}, "ResourceNotFoundException", 404},
		"unknown ARN":   {Request{Function: p.functionARN("nobody")}, "ResourceNotFoundException", 404},
		"other account": {Request{Function: "arn:aws:lambda:eu-west-1:111111111111:function:f-echo"}, "ResourceNotFoundException", 404},
		"no JSON":       {Request{Function: "f-echo", Payload: []byte(`{`)}, "InvalidRequestContentException", 400},
		"too large":     {Request{Function: "f-echo", Payload: make([]byte, 6<<20+1)}, "RequestTooLargeException", 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := p.Invoke(t.Context(), tt.request)
			var failure *wire.Error
			if !errors.As(err, &failure) || failure.Code != tt.code || failure.HTTPStatus() != tt.status {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestCallGivesTheFunctionsFailureAsAnError(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{})
	create(t, p, "unauthorized")
	_, err := p.Call(t.Context(), "f-unauthorized", []byte(`{}`))
	var failure *FunctionError
	if !errors.As(err, &failure) || failure.ErrorMessage() != "Unauthorized" || failure.Type != "errorString" {
		t.Errorf("the error is %#v", err)
	}
}

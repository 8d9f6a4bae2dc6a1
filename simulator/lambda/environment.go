package lambda

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// environment is one execution environment: a child process that works on one event at a time.
type environment struct {
	p      *Platform
	f      *function
	token  string // its path prefix at the Runtime API
	stream string // its log stream
	temp   string
	output *output

	events chan *invocation // answers the process's call of "next"; holds one
	ready  chan struct{}    // closed at the first call of "next"
	exited chan struct{}    // closed when the process has ended
	dead   chan struct{}    // closed once, in addition, its log is complete and its event settled

	// Guarded by Platform.mu:
	child  *child      // nil until it starts
	idle   *time.Timer // reaps the environment
	isGone bool        // its place in the pool has been given up

	mu        sync.Mutex
	isReady   bool
	ended     bool        // the process has ended: it can take no more events
	timedOut  bool        // it was killed because its current event timed out
	current   *invocation // from dispatch until claimed for completion
	requestID string      // of the event to which log lines belong
	initError []byte      // what the process reported when its init failed
	tail      tail        // the log since the end of the last event
}

// newEnvironment starts a process for a function. An error means that the program could not be run at all.
func (p *Platform) newEnvironment(f *function) (*environment, error) {
	e := &environment{
		p: p, f: f, token: randomHex(16), events: make(chan *invocation, 1),
		ready: make(chan struct{}), exited: make(chan struct{}), dead: make(chan struct{}),
	}
	e.stream = p.options.Now().UTC().Format("2006/01/02") + "/[$LATEST]" + randomHex(16)
	e.temp = filepath.Join(p.temp, e.token)
	if err := os.Mkdir(e.temp, 0o700); err != nil {
		return nil, fmt.Errorf("making the environment's folder: %w", err)
	}
	var err error
	if e.output, err = newOutput(e.wrote); err != nil {
		return nil, fmt.Errorf("making the log's pipe: %w", err)
	}
	if err := e.start(); err != nil {
		e.output.close()
		e.forget()
		return nil, err
	}
	return e, nil
}

// start starts the process, which may call the Runtime API before start returns.
func (e *environment) start() error {
	e.p.mu.Lock()
	e.p.environments[e.token] = e
	e.p.mu.Unlock()
	child, err := startChild(e.p.forks, filepath.Join(e.f.code, "bootstrap"), e.f.code, e.environ(), e.output.write)
	if err != nil {
		return err
	}
	e.p.mu.Lock()
	e.child = child
	closed := e.p.closed
	e.p.mu.Unlock()
	if closed { // Close could not kill this process: it came up only now
		child.kill()
	}
	e.p.work.Add(1) // the invocation that needs this environment is itself counted, so Close is still waiting
	go e.watch(child)
	return nil
}

// watch waits for the process to end, then settles its event.
func (e *environment) watch(c *child) {
	defer e.p.work.Done()
	c.wait()
	close(e.exited)
	e.output.close()
	e.failed()
	e.forget()
	close(e.dead)
	e.p.gone(e)
}

// forget removes the environment from the Runtime API and deletes its folder.
func (e *environment) forget() {
	e.p.mu.Lock()
	delete(e.p.environments, e.token)
	e.p.mu.Unlock()
	_ = os.RemoveAll(e.temp)
}

// environ is the environment of the process: Lambda's own variables, then the simulator's, then the function's. Nothing
// is inherited from the simulator's own environment.
func (e *environment) environ() []string {
	f, o := e.f, e.p.options
	env := []string{
		"AWS_LAMBDA_RUNTIME_API=" + e.p.listener.Addr().String() + "/" + e.token,
		"AWS_LAMBDA_FUNCTION_NAME=" + string(f.Name),
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(f.MemorySize),
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=" + f.LogGroup,
		"AWS_LAMBDA_LOG_STREAM_NAME=" + e.stream,
		"AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"AWS_REGION=" + o.Region,
		"AWS_DEFAULT_REGION=" + o.Region,
		"_HANDLER=" + f.Handler,
		"LAMBDA_TASK_ROOT=" + f.code,
		"LAMBDA_RUNTIME_DIR=" + f.code,
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"LANG=en_US.UTF-8",
		"TZ=:UTC",
		// Without its own home folder, the AWS SDK would read the developer's ~/.aws.
		"HOME=" + e.temp,
		"TMPDIR=" + e.temp,
	}
	if o.XRayDaemon != "" {
		env = append(env, "AWS_XRAY_DAEMON_ADDRESS="+o.XRayDaemon, "AWS_XRAY_CONTEXT_MISSING=LOG_ERROR")
	}
	if o.Environ != nil {
		env = append(env, o.Environ(f.Function)...)
	}
	for name, value := range f.Environment {
		env = append(env, name+"="+value)
	}
	return env
}

// wrote records a line of the process, if the function's log level admits it.
func (e *environment) wrote(text string) {
	if e.f.Logging.admits(text) {
		e.log(text, false)
	}
}

// system records a line of the platform about the process, likewise.
func (e *environment) system(line systemLine) {
	if text, written := line.render(e.f.Logging, e.p.options.Now().UTC().Format("2006-01-02T15:04:05.000Z")); written {
		e.log(text, true)
	}
}

// log records a line of the process, or of the platform about it.
func (e *environment) log(text string, platform bool) {
	e.mu.Lock()
	id := e.requestID
	e.tail.add(text)
	e.mu.Unlock()
	e.p.log(LogLine{
		Function: e.f.Name, LogGroup: e.f.LogGroup, LogStream: e.stream, RequestID: id, Text: text, Platform: platform,
	})
}

// logTail is the log since the last event.
func (e *environment) logTail() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tail.String()
}

// reported is the error that the process reported when its init failed, or nil.
func (e *environment) reported() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.initError
}

func (p *Platform) log(l LogLine) {
	if p.options.Log != nil {
		l.Time = p.options.Now()
		p.options.Log(l)
	}
}

// tail keeps the end of a log, for Invoke's LogResult.
type tail struct {
	lines []string
	size  int
}

const maxTail = 4 << 10

func (t *tail) add(line string) {
	t.lines = append(t.lines, line)
	t.size += len(line) + 1
	for t.size > maxTail && len(t.lines) > 1 {
		t.size -= len(t.lines[0]) + 1
		t.lines = t.lines[1:]
	}
}

func (t *tail) String() string {
	var b []byte
	for _, l := range t.lines {
		b = append(append(b, l...), '\n')
	}
	if len(b) > maxTail { // a single long line
		b = b[len(b)-maxTail:]
	}
	return string(b)
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

package lambda

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// archive is the zip file of testdata/function, built once for all tests.
var archive string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if dir := os.Getenv("LAMBDA_TEST_DOOMED"); dir != "" {
		doomed(dir)
	}
	dir, err := os.MkdirTemp("", "lambda-test-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	archive = buildArchive(dir)
	code := m.Run()
	if left := goroutinesLeft(); left != "" {
		fmt.Fprintln(os.Stderr, "goroutines that outlive the tests:\n"+left)
		code = 1
	}
	return code
}

func buildArchive(dir string) string {
	program := filepath.Join(dir, "program")
	build := exec.Command("go", "build", "-o", program, "./testdata/function")
	if out, err := build.CombinedOutput(); err != nil {
		panic(string(out))
	}
	code, err := os.ReadFile(program)
	if err != nil {
		panic(err)
	}
	path := filepath.Join(dir, "function.zip")
	if err := os.WriteFile(path, zipped(0o755, map[string][]byte{"bootstrap": code}), 0o644); err != nil {
		panic(err)
	}
	return path
}

// zipped is an archive of files that all have the same mode. Storing them uncompressed is fast.
func zipped(mode os.FileMode, files map[string][]byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		h := &zip.FileHeader{Name: name, Method: zip.Store}
		h.SetMode(mode)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// goroutinesLeft returns the stacks of this package's remaining goroutines, after giving them time to end.
func goroutinesLeft() string {
	var ours []string
	for range 100 {
		all := make([]byte, 1<<20)
		all = all[:runtime.Stack(all, true)]
		ours = nil
		for i, g := range strings.Split(string(all), "\n\n") {
			if i > 0 && strings.Contains(g, "heliograph/simulator/lambda.") { // the first is the caller
				ours = append(ours, g)
			}
		}
		if len(ours) == 0 {
			return ""
		}
		time.Sleep(10 * time.Millisecond)
	}
	return strings.Join(ours, "\n\n")
}

// recorder keeps a platform's log lines and metrics.
type recorder struct {
	mu      sync.Mutex
	lines   []LogLine
	metrics []Metric
	changed chan struct{} // gets a value for each line, if there is room
}

func newRecorder() *recorder { return &recorder{changed: make(chan struct{}, 1)} }

func (r *recorder) log(l LogLine) {
	r.mu.Lock()
	r.lines = append(r.lines, l)
	r.mu.Unlock()
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

func (r *recorder) metric(m Metric) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.metrics = append(r.metrics, m)
}

// texts are the lines so far, including the platform's own if platform is true.
func (r *recorder) texts(platform bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var texts []string
	for _, l := range r.lines {
		if l.Platform == platform {
			texts = append(texts, l.Text)
		}
	}
	return texts
}

// sum adds up a metric's values.
func (r *recorder) sum(name string) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := 0.0
	for _, m := range r.metrics {
		if m.Name == name {
			sum += m.Value
		}
	}
	return sum
}

// await waits for a line that contains a text.
func (r *recorder) await(t *testing.T, text string) LogLine {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		r.mu.Lock()
		i := slices.IndexFunc(r.lines, func(l LogLine) bool { return strings.Contains(l.Text, text) })
		var found LogLine
		if i >= 0 {
			found = r.lines[i]
		}
		r.mu.Unlock()
		if i >= 0 {
			return found
		}
		select {
		case <-r.changed:
		case <-late:
			t.Fatalf("no line contains %q", text)
		}
	}
}

// newPlatform returns a platform that closes when the test ends.
func newPlatform(t *testing.T, o Options) (*Platform, *recorder) {
	t.Helper()
	r := newRecorder()
	o.Region, o.Account, o.WorkDir = "eu-west-1", "000000000000", t.TempDir()
	o.Log, o.Metric = r.log, r.metric
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return p, r
}

// create adds a function that runs the test program.
func create(t *testing.T, p *Platform, behaviour string, change ...func(*Config)) Function {
	t.Helper()
	c := Config{
		Name: FunctionName("f-" + behaviour), Archive: archive, Timeout: 10 * time.Second, MemorySize: 128,
		Environment: map[string]string{"BEHAVIOUR": behaviour},
	}
	for _, f := range change {
		f(&c)
	}
	created, err := p.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// invoke runs a function and fails the test on an error.
func invoke(t *testing.T, p *Platform, f Function, payload string) Result {
	t.Helper()
	result, err := p.Invoke(t.Context(), Request{Function: f.ARN, Payload: []byte(payload)})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

package e2e

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"heliograph"
	"heliograph/infra/build"
	"heliograph/local"
)

var measure = flag.Bool("figures", false, "measure what the docs quote, instead of only testing")

// TestFigures measures a separate stack, started as a user starts it, and compares it with the figures that the
// project promises on two cores. `make figures` runs it.
func TestFigures(t *testing.T) {
	if !*measure {
		t.Skip("measures for some minutes: run it with `make figures`")
	}
	needLinux(t)
	t.Run("ready", figureReady)
	t.Run("archives", figureArchives)
	t.Run("latency", figureLatency)
	t.Run("cpu", figureCPU)
	t.Run("throughput", figureThroughput)
	t.Run("concurrency", figureConcurrency)
	t.Run("addressing", figureAddressing)
	t.Run("online", figureOnline)
	t.Run("sweeps", figureSweeps)
	t.Run("memory", figureMemory)
	t.Run("thousands", figureThousands)
	t.Run("init", figureInit)
}

// report prints a figure, and fails if it is over its bound.
func report(t *testing.T, what string, got, bound float64, unit string) {
	t.Helper()
	t.Logf("FIGURE %-60s %8.1f %s (at most %g)", what, got, unit, bound)
	if got > bound {
		t.Errorf("%s: %.1f %s, promised at most %g", what, got, unit, bound)
	}
}

// figureReady measures `go run ./cmd/heliograph local` until it prints that it is ready, with a warm build cache.
func figureReady(t *testing.T) {
	var took []float64
	for range 4 {
		file := filepath.Join(t.TempDir(), "local.json")
		began := time.Now()
		p := program{Cmd: exec.Command("go", "run", "./cmd/heliograph", "--target", file, "local", "--port", "0"), stderr: new(safeBuffer)}
		p.Dir, p.Stderr = projectRoot(t), p.stderr
		var err error
		if p.stdout, err = p.StdoutPipe(); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		p.waitFor(t, "Ctrl-C stops it")
		took = append(took, time.Since(began).Seconds())
		endpoints, err := local.ReadEndpoints(file)
		if err != nil {
			t.Fatal(err)
		}
		stopProcess(t, endpoints.PID)
		p.exit(t, patience)
	}
	report(t, "go run ./cmd/heliograph local until ready, median of 3", median(took[1:]), 4, "s")
}

func stopProcess(t *testing.T, pid int) {
	t.Helper()
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
}

// figureArchives measures the archives uploaded to Lambda.
func figureArchives(t *testing.T) {
	functions, err := build.Build(t.Context(), build.Target{Root: projectRoot(t), Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(functions.Artifacts)) {
		info, err := os.Stat(functions.Artifacts[name].Archive)
		if err != nil {
			t.Fatal(err)
		}
		report(t, "archive of "+name+", arm64", float64(info.Size())/1e6, 7, "MB")
	}
}

func reportAtLeast(t *testing.T, what string, got, bound float64, unit string) {
	t.Helper()
	t.Logf("FIGURE %-60s %8.1f %s (at least %g)", what, got, unit, bound)
	if got < bound {
		t.Errorf("%s: %.1f %s, promised at least %g", what, got, unit, bound)
	}
}

// figureMemory measures the simulator's own resident memory, without its functions, with 1,000 connections.
func figureMemory(t *testing.T) {
	p, endpoints := startStack(t)
	load := newLoad(t, endpoints)
	report(t, "resident memory of the simulator, no connection", resident(t, p.Process.Pid), 150, "MB")
	var open sync.WaitGroup
	places := make(chan struct{}, 8)
	for i := range 1000 {
		places <- struct{}{}
		open.Add(1)
		go func() {
			defer open.Done()
			load.connect(t, fmt.Sprint("user-", i))
			<-places
		}()
	}
	open.Wait()
	report(t, "resident memory of the simulator, 1,000 connections", resident(t, p.Process.Pid), 150, "MB")
}

// resident is a process's resident set, in MB.
func resident(t *testing.T, pid int) float64 {
	t.Helper()
	return memory(t, pid, "VmRSS")
}

// memory is a size that Linux reports for a process, in MB.
func memory(t *testing.T, pid int, name string) float64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(data)
	if found == nil {
		t.Fatalf("process %d has no %s", pid, name)
	}
	kilobytes, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes * 1024 / 1e6
}

// figureInit measures cold starts from the functions' traces: their segment begins when the init is over.
func figureInit(t *testing.T) {
	p, endpoints := startStack(t, "--config", "presenceGrace=1s")
	load := newLoad(t, endpoints)
	socket := load.connect(t, "1234")
	load.send(t, "1234")
	if _, _, err := socket.Read(within(t)); err != nil {
		t.Fatal(err)
	}
	socket.Close(websocket.StatusNormalClosure, "")
	runCommand(t, p.Args[2], "online")
	for _, name := range heliograph.Functions() {
		var ms float64
		patiently(t, 70*time.Second, func() bool { ms = initOf(t, endpoints, name); return ms > 0 }) // sweep runs each minute
		report(t, "init of "+name, ms, 40, "ms")
	}
}

// initOf returns how long a function's first init took, in milliseconds; 0 if it has no trace yet.
func initOf(t *testing.T, endpoints local.Endpoints, function string) (ms float64) {
	t.Helper()
	w := watched{endpoints: endpoints}
	var list struct{ Traces []struct{ ID string } }
	w.ask(t, http.MethodGet, "/_heliograph/traces?background=1&name=heliograph-local-"+function, nil, &list)
	for _, one := range list.Traces {
		var trace struct {
			Spans []struct {
				Kind string
				At   float64
			}
		}
		w.ask(t, http.MethodGet, "/_heliograph/traces/"+one.ID, nil, &trace)
		if len(trace.Spans) > 1 && trace.Spans[1].Kind == "AWS::Lambda::Function" {
			ms = max(ms, trace.Spans[1].At)
		}
	}
	return ms
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// figureThousands opens 10,000 connections at once and measures the memory of everything, functions included.
func figureThousands(t *testing.T) {
	const connections = 10_000
	p, endpoints := startStack(t)
	load := newLoad(t, endpoints)
	var group errgroup.Group
	group.SetLimit(16)
	began := time.Now()
	for i := range connections {
		group.Go(func() error {
			load.connect(t, fmt.Sprint("user-", i))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d connections were opened in %v", connections, time.Since(began).Round(time.Second))
	own := resident(t, p.Process.Pid)
	all := own
	for _, child := range children(t, endpoints) {
		pid, err := strconv.Atoi(filepath.Base(child))
		if err != nil {
			t.Fatal(err)
		}
		if pid != p.Process.Pid {
			all += resident(t, pid)
		}
	}
	report(t, "resident memory of the simulator, 10,000 connections", own, 1000, "MB")
	report(t, "the same with all its functions", all, 1000, "MB")
}

package e2e

import (
	"context"
	"encoding/json"
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
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"heliograph/auth"
	"heliograph/infra/stack"
	"heliograph/simulator"
)

var measure = flag.Bool("figures", false, "measure what the docs quote, instead of only testing")

// TestFigures measures a stack of its own, run as a user runs it, and holds it to the figures that the project
// promises on two cores. `make figures` runs it.
func TestFigures(t *testing.T) {
	if !*measure {
		t.Skip("measures for some minutes: run it with `make figures`")
	}
	needLinux(t)
	t.Run("ready", figureReady)
	t.Run("archives", figureArchives)
	t.Run("latency", figureLatency)
	t.Run("throughput", figureThroughput)
	t.Run("memory", figureMemory)
	t.Run("thousands", figureThousands)
	t.Run("init", figureInit)
}

// report prints a figure and holds it to its bound.
func report(t *testing.T, what string, got, bound float64, unit string) {
	t.Helper()
	t.Logf("FIGURE %-60s %8.1f %s (at most %g)", what, got, unit, bound)
	if got > bound {
		t.Errorf("%s: %.1f %s, promised at most %g", what, got, unit, bound)
	}
}

// figureReady measures `go run ./cmd/heliograph local` until it says that it is ready, build cache warm.
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
		endpoints, err := simulator.ReadEndpoints(file)
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

// figureArchives measures the archives that Lambda gets.
func figureArchives(t *testing.T) {
	functions, err := stack.Build(t.Context(), stack.Target{GOOS: "linux", GOARCH: "arm64", Root: projectRoot(t), Progress: os.Stderr})
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

// figureLatency measures from the call of SendMessage to the arrival at the socket.
func figureLatency(t *testing.T) {
	const connections, rate, messages = 100, 50, 1000
	_, endpoints := startStack(t)
	load := newLoad(t, endpoints)
	arrived := make(chan time.Duration, messages)
	for i := range connections {
		socket := load.connect(t, fmt.Sprint("user-", i))
		go func() {
			for {
				_, message, err := socket.Read(context.Background())
				if err != nil {
					return
				}
				sent, err := strconv.ParseInt(string(message), 10, 64)
				if err != nil {
					panic(err)
				}
				arrived <- time.Since(time.Unix(0, sent))
			}
		}()
	}
	pace := time.NewTicker(time.Second / rate)
	defer pace.Stop()
	for i := range messages + rate { // the first second warms up
		<-pace.C
		go load.send(t, fmt.Sprint("user-", i%connections))
	}
	var took []float64
	for range messages + rate {
		select {
		case d := <-arrived:
			took = append(took, float64(d.Microseconds())/1000)
		case <-time.After(patience):
			t.Fatalf("%d of %d messages arrived", len(took), messages+rate)
		}
	}
	took = took[rate:]
	slices.Sort(took)
	report(t, "send to socket, 50/s, 100 connections, p50", took[len(took)/2], 15, "ms")
	report(t, "send to socket, 50/s, 100 connections, p99", took[len(took)*99/100], 75, "ms")
}

// figureThroughput measures how many messages a second get from the queue to sockets, with producers, functions, simulator
// and clients all on this machine.
func figureThroughput(t *testing.T) {
	const connections, batches, producers = 1000, 2000, 4
	_, endpoints := startStack(t)
	load := newLoad(t, endpoints)
	var arrived atomic.Int64
	done := make(chan struct{})
	var group errgroup.Group
	group.SetLimit(8)
	for i := range connections {
		group.Go(func() error {
			socket := load.connect(t, fmt.Sprint("user-", i))
			go func() {
				for {
					if _, _, err := socket.Read(context.Background()); err != nil {
						return
					}
					if arrived.Add(1) == batches*10 {
						close(done)
					}
				}
			}()
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	group = errgroup.Group{}
	for producer := range producers {
		group.Go(func() error {
			for i := producer; i < batches; i += producers {
				if err := load.sendTen(t.Context(), i*10, connections); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatalf("%d of %d messages arrived", arrived.Load(), batches*10)
	}
	reportAtLeast(t, "messages a second, SQS to socket, 1,000 connections", batches*10/time.Since(began).Seconds(), 2000, "/s")
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
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(data)
	kilobytes, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes * 1024 / 1e6
}

var reportLine = regexp.MustCompile(`(\w+)\s+REPORT .*Init Duration: ([\d.]+) ms`)

// figureInit measures the cold starts that the functions' REPORT lines tell of.
func figureInit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "local.json")
	p := start(t, "--target", file, "local", "--port", "0", "--logs", "--config", "presenceGrace=1s")
	p.waitFor(t, "Ctrl-C stops it")
	endpoints, err := simulator.ReadEndpoints(file)
	if err != nil {
		t.Fatal(err)
	}
	load := newLoad(t, endpoints)
	socket := load.connect(t, "1234")
	load.send(t, "1234")
	if _, _, err := socket.Read(within(t)); err != nil {
		t.Fatal(err)
	}
	socket.Close(websocket.StatusNormalClosure, "")
	runCommand(t, file, "online")
	starts := map[string]float64{}
	for deadline := time.Now().Add(70 * time.Second); len(starts) < len(stack.FunctionNames()) && time.Now().Before(deadline); time.Sleep(time.Second) {
		for _, found := range reportLine.FindAllStringSubmatch(p.stderr.String(), -1) {
			starts[found[1]], _ = strconv.ParseFloat(found[2], 64)
		}
	}
	for _, name := range stack.FunctionNames() {
		if starts[name] == 0 {
			t.Errorf("%s was not started, or its REPORT line was not found", name)
			continue
		}
		report(t, "init of "+name, starts[name], 40, "ms")
	}
}

// load drives a stack of its own.
type load struct {
	endpoints simulator.Endpoints
	queue     *sqs.Client
	topics    *sns.Client
}

func newLoad(t *testing.T, endpoints simulator.Endpoints) load {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(endpoints.Region), config.WithBaseEndpoint(endpoints.AWSEndpointURL),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("load", "load", "")))
	if err != nil {
		t.Fatal(err)
	}
	return load{endpoints, sqs.NewFromConfig(cfg), sns.NewFromConfig(cfg)}
}

func (l load) connect(t *testing.T, user string) *websocket.Conn {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	socket, err := l.dial(ctx, user)
	if err != nil {
		t.Errorf("connect: %v", err)
		return nil
	}
	t.Cleanup(func() { socket.CloseNow() })
	return socket
}

func (l load) dial(ctx context.Context, user string) (*websocket.Conn, error) {
	token, err := auth.SignHS256([]byte(stack.PublicSecret), "userId", auth.UserID(user), time.Hour, time.Now())
	if err != nil {
		return nil, err
	}
	socket, _, err := websocket.Dial(ctx, l.endpoints.WebSocketURL+"?Authorization="+token, nil)
	return socket, err
}

// status asks whether a user is online.
func (l load) status(ctx context.Context, user string) (bool, error) {
	token, err := auth.SignHS256([]byte(stack.PublicSecret), "userId", auth.UserID(user), time.Hour, time.Now())
	if err != nil {
		return false, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.endpoints.HTTPURL+"/user/online?userIds="+user, nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	var statuses []status
	if err := json.NewDecoder(response.Body).Decode(&statuses); err != nil || len(statuses) != 1 {
		return false, fmt.Errorf("GET /user/online: %s, %d entries, %w", response.Status, len(statuses), err)
	}
	return statuses[0].IsOnline, nil
}

// subscribe makes a queue that gets the presence events, and gives its URL.
func (l load) subscribe(t *testing.T) string {
	t.Helper()
	queue, err := l.queue.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("events")})
	if err != nil {
		t.Fatal(err)
	}
	url := aws.ToString(queue.QueueUrl)
	arn := fmt.Sprintf("arn:aws:sqs:%s:%s:events", l.endpoints.Region, strings.Split(l.endpoints.EventTopicARN, ":")[4])
	_, err = l.topics.Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: aws.String(l.endpoints.EventTopicARN), Protocol: aws.String("sqs"), Endpoint: aws.String(arn),
		Attributes: map[string]string{"RawMessageDelivery": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// send puts a message on the queue that tells when it was sent.
func (l load) send(t *testing.T, user string) {
	message, _ := json.Marshal(map[string]string{"UserId": user, "Body": strconv.FormatInt(time.Now().UnixNano(), 10)})
	_, err := l.queue.SendMessage(context.Background(), &sqs.SendMessageInput{
		QueueUrl: aws.String(l.endpoints.SendQueueURL), MessageBody: aws.String(string(message)),
	})
	if err != nil {
		t.Errorf("send: %v", err)
	}
}

// sendTen puts a batch of messages on the queue, for ten users in turn.
func (l load) sendTen(ctx context.Context, first, users int) error {
	entries := make([]types.SendMessageBatchRequestEntry, 10)
	for i := range entries {
		body := fmt.Sprintf(`{"UserId":"user-%d","Body":"message %d"}`, (first+i)%users, first+i)
		entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(body)}
	}
	out, err := l.queue.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: aws.String(l.endpoints.SendQueueURL), Entries: entries})
	if err == nil && len(out.Failed) > 0 {
		err = fmt.Errorf("%d of a batch were refused", len(out.Failed))
	}
	return err
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

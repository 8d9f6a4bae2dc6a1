package loadtest

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"heliograph"
	"heliograph/message"
)

// MinSize is the smallest body that holds what is needed to account for it.
const MinSize = 48

// Latency are percentiles in milliseconds, each at most 0.1 % above the true one.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

// Report is what became of the load so far. Arrivals are counted on each connection.
type Report struct {
	Seconds      float64 `json:"seconds"` // since the first message was due
	Connections  int     `json:"connections"`
	Connect      Latency `json:"connectMs"`
	Reconnects   int     `json:"reconnects"`
	Sent         int     `json:"sent"`
	SendFailures int     `json:"sendFailures"` // messages of requests that failed
	Expected     int     `json:"expected"`     // arrivals
	Arrived      int     `json:"arrived"`      // apart from duplicates
	Lost         int     `json:"lost"`         // expected and not arrived so far
	Duplicates   int     `json:"duplicates"`
	OutOfOrder   int     `json:"outOfOrder"` // arrived after a later message of the same user
	Latency      Latency `json:"latencyMs"`  // from when a message was due to its arrival
}

// ledger accounts for connections and messages. It is safe for concurrent use.
type ledger struct {
	mu sync.Mutex
	Report
	start   time.Time
	owed    map[int]int // by message: arrivals that are missing; below 0 if they came before the request's answer, or despite its error
	connect *hdrhistogram.Histogram
	latency *hdrhistogram.Histogram
}

func newLedger() *ledger {
	// Microseconds up to an hour, to three digits.
	histogram := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, time.Hour.Microseconds(), 3) }
	return &ledger{owed: map[int]int{}, connect: histogram(), latency: histogram()}
}

// record adds a duration. One beyond the histogram's end counts as the longest.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 1), h.HighestTrackableValue()))
}

func (l *ledger) begin(start time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start = start
}

func (l *ledger) connected(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Connections++
	record(l.connect, took)
}

func (l *ledger) opened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Connections
}

func (l *ledger) reconnected() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Reconnects++
}

// sent accounts for one request. What a failed one queued is unknown, so its messages are expected nowhere.
func (l *ledger) sent(numbers []int, err error, p Plan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.SendFailures += len(numbers)
		return
	}
	l.Sent += len(numbers)
	for _, n := range numbers {
		devices := p.devicesOf(p.userOf(n))
		l.Expected += devices
		l.owe(n, devices)
	}
}

func (l *ledger) owe(number, arrivals int) {
	if l.owed[number] += arrivals; l.owed[number] == 0 {
		delete(l.owed, number)
	}
}

// arrived accounts for a message on a device.
func (l *ledger) arrived(d *device, m note, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.seen[m.number] {
		l.Duplicates++
		return
	}
	d.seen[m.number] = true
	l.Arrived++
	l.owe(m.number, -1)
	if m.number < d.last {
		l.OutOfOrder++
	}
	d.last = max(d.last, m.number)
	record(l.latency, now.Sub(m.due))
}

// missing returns how many arrivals are still expected, and how many there were.
func (l *ledger) missing() (missing, arrived int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost(), l.Arrived
}

func (l *ledger) lost() (lost int) {
	for _, n := range l.owed {
		lost += max(0, n)
	}
	return lost
}

func (l *ledger) report() Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.Report
	if !l.start.IsZero() {
		r.Seconds = time.Since(l.start).Seconds()
	}
	r.Lost = l.lost()
	r.Connect, r.Latency = latencyOf(l.connect), latencyOf(l.latency)
	return r
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	at := func(percentile float64) float64 { return float64(h.ValueAtPercentile(percentile)) / 1000 }
	return Latency{P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: at(100)}
}

// note is what a body says of its message: its number, and when it was due.
type note struct {
	number int
	due    time.Time
}

// text is the message in the form of the queue, with a body of the given size.
func (n note) text(run string, user heliograph.UserID, size int) string {
	body := fmt.Sprintf("load %s %d %d ", run, n.number, n.due.UnixNano())
	body += strings.Repeat(".", max(0, size-len(body)))
	return (&message.Message{Users: []heliograph.UserID{user}, Body: []byte(body)}).Text()
}

// parse reads a body, and reports whether it is one of this run.
func parse(body, run string) (n note, ours bool) {
	fields := strings.Fields(body)
	if len(fields) < 4 || fields[0] != "load" || fields[1] != run {
		return n, false
	}
	number, err := strconv.Atoi(fields[2])
	if err != nil {
		return n, false
	}
	due, err := strconv.ParseInt(fields[3], 10, 64)
	return note{number, time.Unix(0, due)}, err == nil
}

package xray

import (
	"encoding/json"
	"errors"
	"time"
)

var errLater = errors.New("xray: not there yet")

// TraceID is 1-<8 hex digits>-<24 hex digits>.
type TraceID string

// Options configure a Daemon. The zero value of a field means what its comment says.
type Options struct {
	// Address is the UDP address to listen at. Empty means a free port of 127.0.0.1.
	Address string
	// Traces is how many traces are kept; the oldest go first. 0 means 1,000.
	Traces int
	// Rejected takes the reason why a document was dropped. Nil means nowhere.
	Rejected func(reason string)
}

// Daemon receives segment documents and keeps the traces.
type Daemon struct{}

// Listen starts a Daemon.
func Listen(o Options) (*Daemon, error) { return nil, errLater }

// Address is host:port, as AWS_XRAY_DAEMON_ADDRESS wants it.
func (d *Daemon) Address() string { return "" }

// Put takes one segment document, as it would come over UDP without its header line.
func (d *Daemon) Put(document []byte) error { return errLater }

// Traces lists the newest traces first, at most max; 0 means all.
func (d *Daemon) Traces(max int) []Summary { return nil }

// Trace gives one trace.
func (d *Daemon) Trace(id TraceID) (Trace, bool) { return Trace{}, false }

// Close stops listening and waits for the receiver to end.
func (d *Daemon) Close() error { return nil }

// Summary is a trace in one line.
type Summary struct {
	ID       TraceID
	Name     string
	Start    time.Time
	Duration time.Duration
	// Error, Fault and Throttle are true if any segment or subsegment has it.
	Error, Fault, Throttle bool
	Segments               int
	Annotations            map[string]any
}

// Trace is a trace with its segments as a tree.
type Trace struct {
	Summary
	Roots []*Segment
}

// Segment is a segment or subsegment.
type Segment struct {
	ID, ParentID, Name, Namespace string
	Origin                        string
	Start, End                    time.Time
	InProgress                    bool
	Error, Fault, Throttle        bool
	Annotations                   map[string]any
	Metadata, HTTP, AWS, Cause    json.RawMessage
	Children                      []*Segment
}

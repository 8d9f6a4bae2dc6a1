// Package sqs is Amazon SQS, standard queues only, in memory: send, long poll, visibility time-outs,
// delays, retention and dead-letter queues by the rules that AWS documents, over AWS's own protocols
// (JSON, and the query protocol of older tools) or by the Go methods of a Queue.
//
// Where AWS is vague, the package is stricter than AWS: only the newest receipt handle counts, messages are delivered
// once while their visibility time-out lasts (unless Options.Redeliver has some delivered again), and in the order in
// which they became visible (unless Options.Pick chooses another). Anything unsupported, such as FIFO queues, is an
// error.
//
// Nothing runs in the background. Time-outs, delays and retention are settled on access, and a waiting receiver sleeps
// until the next message is due; so an idle queue costs nothing and leaves nothing behind.
package sqs

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"heliograph/simulator/wire"
)

// Options configure a Server: its account, Region and clock, and how it deviates from strict delivery.
type Options struct {
	// Region and Account are part of each queue's ARN; both are required.
	Region, Account string
	// Endpoint is the prefix of queue URLs, such as "http://127.0.0.1:4700". Requests may use any host.
	Endpoint string
	// SenderID returns the SenderId of messages for an access key id; nil: the key itself. AWS uses the unique id of
	// the user, or of the role and its session.
	SenderID func(accessKey string) string
	// Redeliver is called at each message's first receive, and decides whether to deliver it once more and how long
	// after. Deleting the message meanwhile does not prevent that, since delivery is at least once. It must not call
	// the server. nil: never.
	Redeliver func(queueARN string) (after time.Duration, again bool)
	// Pick chooses which of n visible messages is received next, by a number from 0 to n-1: a standard queue guarantees
	// no order. It must not call the server. nil: the one that became visible first.
	Pick func(n int) int
	// Clock is the time source; nil: the system clock.
	Clock Clock
}

// Server holds the queues of one account in one Region. It is safe for concurrent use.
type Server struct {
	options     Options
	clock       Clock
	maxInFlight int // of a queue

	// One lock for all queues, so that a message being moved to a dead-letter queue is never seen in two queues, or in
	// none. It is held only for microseconds at a time.
	mu       sync.Mutex
	queues   map[string]*Queue    // by name
	deleted  map[string]time.Time // when queues of a name were deleted
	closed   bool
	sequence uint64 // counts messages and receipts
}

// New makes a server without queues.
func New(o Options) *Server {
	if o.SenderID == nil {
		o.SenderID = func(accessKey string) string { return accessKey }
	}
	s := &Server{options: o, clock: o.Clock, maxInFlight: maxInFlight, queues: map[string]*Queue{}, deleted: map[string]time.Time{}}
	if s.clock == nil {
		s.clock = systemClock{}
	}
	return s
}

// recreate is how long the name of a deleted queue can't be reused, see API_CreateQueue.
const recreate = 60 * time.Second

// Create makes a queue. attributes have AWS's names and text values, such as "VisibilityTimeout": "30"; missing ones
// have AWS's default. A queue that exists and matches the attributes given is returned unchanged.
//
// Errors, all of type *wire.Error: InvalidParameterValueException for an invalid name and for FIFO,
// InvalidAttributeName, InvalidAttributeValue, QueueNameExists, QueueDeletedRecently.
func (s *Server) Create(name string, attributes map[string]string) (*Queue, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed()
	}
	now := s.clock.Now()
	if q := s.queues[name]; q != nil {
		if err := q.agrees(attributes); err != nil {
			return nil, err
		}
		return q, nil
	}
	if at, ok := s.deleted[name]; ok && now.Sub(at) < recreate {
		return nil, errDeletedRecently()
	}
	q := newQueue(s, name, now)
	set, err := q.change(attributes)
	if err != nil {
		return nil, err
	}
	q.settings = set
	s.queues[name] = q
	delete(s.deleted, name)
	return q, nil
}

// Queue returns the queue of a name; the error is QueueDoesNotExist.
func (s *Server) Queue(name string) (*Queue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[name]; q != nil {
		return q, nil
	}
	return nil, errNoQueue()
}

// QueueByARN returns the queue of an ARN; the error is QueueDoesNotExist.
func (s *Server) QueueByARN(arn string) (*Queue, error) {
	name, ok := strings.CutPrefix(arn, s.arn(""))
	if !ok {
		return nil, errNoQueue()
	}
	return s.Queue(name)
}

// Queues returns all queues by name.
func (s *Server) Queues() []*Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	var queues []*Queue
	for _, name := range slices.Sorted(maps.Keys(s.queues)) {
		queues = append(queues, s.queues[name])
	}
	return queues
}

// Delete deletes a queue with its messages; waiting receivers get QueueDoesNotExist. Deleting a queue that does not
// exist also returns QueueDoesNotExist.
func (s *Server) Delete(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[name]
	if q == nil {
		return errNoQueue()
	}
	delete(s.queues, name)
	s.deleted[name] = s.clock.Now()
	q.gone = true
	q.wake()
	return nil
}

// Close ends all waiting receives. Every later call returns ServiceUnavailable.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, q := range s.queues {
		q.wake()
	}
}

// arn is the ARN for a queue name, whether or not the queue exists.
func (s *Server) arn(name string) string {
	return "arn:aws:sqs:" + s.options.Region + ":" + s.options.Account + ":" + name
}

// deadLetterQueue returns the queue that a policy names, or nil. The lock is held.
func (s *Server) deadLetterQueue(p *redrivePolicy) *Queue {
	if p == nil {
		return nil
	}
	name, ok := strings.CutPrefix(p.DeadLetterTargetARN, s.arn(""))
	if !ok {
		return nil
	}
	return s.queues[name]
}

// next returns a unique number. The lock is held.
func (s *Server) next() uint64 {
	s.sequence++
	return s.sequence
}

// checkName checks a queue's name. Source: API_CreateQueue, "QueueName".
func checkName(name string) error {
	if strings.HasSuffix(name, ".fifo") {
		return errInvalid("FIFO queues are not simulated: %s", name)
	}
	if len(name) > 80 || !isToken(name) {
		return errInvalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	return nil
}

// isToken reports whether a text consists of letters, digits, hyphens and underscores, and is not empty.
func isToken(text string) bool {
	for _, r := range text {
		if !isAlphanumeric(r) && r != '-' && r != '_' {
			return false
		}
	}
	return text != ""
}

// isAlphanumeric covers ASCII only: AWS accepts no other letters and digits in names.
func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// Service returns the server's API, to be registered with a wire.Endpoint.
func (s *Server) Service() wire.Service {
	return wire.Service{
		Name: "sqs", TargetPrefix: "AmazonSQS", JSONVersion: "1.0", ErrorPrefix: "com.amazonaws.sqs",
		QueryNamespace: "http://queue.amazonaws.com/doc/2012-11-05/", QueryVersion: "2012-11-05",
		Model: model, Actions: s.actions(),
	}
}

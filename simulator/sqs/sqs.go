// Package sqs is Amazon SQS, standard queues only, in memory: send, long poll, visibility time-outs,
// delays, retention and dead-letter queues by the rules that AWS documents, over AWS's own protocols
// (JSON, and the query protocol of older tools) or by the Go methods of a Queue.
//
// Where AWS is vague, it is stricter than AWS: the newest receipt handle alone counts, messages are
// delivered once while their visibility time-out lasts, unless Options.Redeliver has some delivered again, and in the
// order in which they became visible, unless Options.Pick chooses another.
// Anything it does not know, such as FIFO queues, is an error.
//
// Nothing runs in the background. Time-outs, delays and retention are settled on access, and a
// receiver that waits sleeps until the next message is due; so a queue costs nothing while it is idle and
// leaves nothing behind.
package sqs

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"heliograph/simulator/wire"
)

// Options give a Server its place in AWS and its clock.
type Options struct {
	// Region and Account are part of each queue's ARN; both are required.
	Region, Account string
	// Endpoint is what queue URLs begin with, such as "http://127.0.0.1:4700". Requests may use any host.
	Endpoint string
	// SenderID gives the SenderId of messages for an access key id; nil: the key itself. AWS gives the
	// unique id of the user, or of the role and its session.
	SenderID func(accessKey string) string
	// Redeliver is asked at each message's first receive whether it is delivered once more, and how long
	// after; that it was deleted meanwhile does not help, since delivery is at least once. It must not call the server.
	// nil: none is.
	Redeliver func(queueARN string) (after time.Duration, again bool)
	// Pick chooses which of n visible messages is received next, by a number from 0 to n-1: a standard queue promises no
	// order. It must not call the server. nil: the one that became visible first.
	Pick func(n int) int
	// Clock is the time; nil: the computer's.
	Clock Clock
}

// Server is the queues of one account in one Region. It is safe for concurrent use.
type Server struct {
	options     Options
	clock       Clock
	maxInFlight int // of a queue

	// One lock for all queues, so that a message is never seen in two queues, or in none, while it is
	// moved to a dead-letter queue. What is done under it takes microseconds.
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

// recreate is how long the name of a deleted queue can't be used again, see API_CreateQueue.
const recreate = 60 * time.Second

// Create makes a queue. attributes have AWS's names and text values, such as "VisibilityTimeout": "30";
// what is missing has AWS's default, but MaximumMessageSize, which is 262,144. A queue that exists and
// agrees with the attributes given is returned as it is.
//
// Errors, all of type *wire.Error: InvalidParameterValueException for a bad name and for FIFO,
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

// Queue is the queue of a name; the error is QueueDoesNotExist.
func (s *Server) Queue(name string) (*Queue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[name]; q != nil {
		return q, nil
	}
	return nil, errNoQueue()
}

// QueueByARN is the queue of an ARN; the error is QueueDoesNotExist.
func (s *Server) QueueByARN(arn string) (*Queue, error) {
	name, ok := strings.CutPrefix(arn, s.arn(""))
	if !ok {
		return nil, errNoQueue()
	}
	return s.Queue(name)
}

// Queues are all queues by name.
func (s *Server) Queues() []*Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	var queues []*Queue
	for _, name := range slices.Sorted(maps.Keys(s.queues)) {
		queues = append(queues, s.queues[name])
	}
	return queues
}

// Delete deletes a queue with its messages; waiting receivers get QueueDoesNotExist. Deleting a
// queue that does not exist is QueueDoesNotExist, too.
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

// Close ends all waiting receives. Afterwards every call is answered by ServiceUnavailable.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, q := range s.queues {
		q.wake()
	}
}

// arn is the ARN that a queue of a name has, whether there is one or not.
func (s *Server) arn(name string) string {
	return "arn:aws:sqs:" + s.options.Region + ":" + s.options.Account + ":" + name
}

// deadLetterQueue is the queue that a policy names, or nil. The lock is held.
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

// next is a number that was never given before. The lock is held.
func (s *Server) next() uint64 {
	s.sequence++
	return s.sequence
}

// checkName says what is wrong with a queue's name. Source: API_CreateQueue, "QueueName".
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

// isAlphanumeric is about ASCII: AWS takes no other letters and digits in names.
func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// Service is the server's API, to be registered with a wire.Endpoint.
func (s *Server) Service() wire.Service {
	return wire.Service{
		Name: "sqs", TargetPrefix: "AmazonSQS", JSONVersion: "1.0", ErrorPrefix: "com.amazonaws.sqs",
		QueryNamespace: "http://queue.amazonaws.com/doc/2012-11-05/", QueryVersion: "2012-11-05",
		Model: model, Actions: s.actions(),
	}
}

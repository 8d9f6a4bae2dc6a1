package sqs

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// settings are a queue's configurable attributes.
type settings struct {
	numbers map[string]int // by attribute name, for every name in limits
	// texts are stored and returned, but have no effect here: the policy, and the queue's encryption.
	texts   map[string]string
	redrive *redrivePolicy
	allow   *redriveAllowPolicy
}

// limits are the integer attributes. Source: API_SetQueueAttributes.
var limits = map[string]struct{ min, max, standard int }{
	"DelaySeconds":                  {0, 900, 0},
	"MaximumMessageSize":            {1024, maxMessageSize, maxMessageSize},
	"MessageRetentionPeriod":        {60, 1209600, 345600},
	"ReceiveMessageWaitTimeSeconds": {0, 20, 0},
	"VisibilityTimeout":             {0, maxVisibility, 30},
}

const (
	maxMessageSize = 1 << 20
	maxVisibility  = 43200 // seconds: 12 hours
)

// defaults are the settings of a queue created without attributes.
func defaults() settings {
	s := settings{numbers: map[string]int{}, texts: map[string]string{"SqsManagedSseEnabled": "true"}}
	for name, l := range limits {
		s.numbers[name] = l.standard
	}
	return s
}

// seconds returns a number as a duration.
func (s settings) seconds(name string) time.Duration {
	return time.Duration(s.numbers[name]) * time.Second
}

// redrivePolicy is the attribute RedrivePolicy.
type redrivePolicy struct {
	DeadLetterTargetARN string `json:"deadLetterTargetArn"`
	MaxReceiveCount     int    `json:"maxReceiveCount"`
}

// redriveAllowPolicy is the attribute RedriveAllowPolicy: the queues that may use this one as their dead-letter queue.
type redriveAllowPolicy struct {
	RedrivePermission string   `json:"redrivePermission"`
	SourceQueueARNs   []string `json:"sourceQueueArns,omitempty"`
}

// allows reports whether a queue may send its dead letters here. AWS checks when the source's policy is set, not when a
// message moves.
func (p *redriveAllowPolicy) allows(sourceARN string) bool {
	return p == nil || p.RedrivePermission == "allowAll" ||
		p.RedrivePermission == "byQueue" && slices.Contains(p.SourceQueueARNs, sourceARN)
}

// change computes a queue's settings after setting some attributes. The lock is held.
func (q *Queue) change(attributes map[string]string) (settings, error) {
	s := q.settings
	s.numbers, s.texts = maps.Clone(s.numbers), maps.Clone(s.texts)
	// In order of name, so that the same one of several faults is always reported.
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if err := q.changeOne(&s, name, attributes[name]); err != nil {
			return settings{}, err
		}
	}
	if s.texts["KmsMasterKeyId"] != "" {
		if attributes["SqsManagedSseEnabled"] == "true" {
			return settings{}, errInvalid("You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.")
		}
		s.texts["SqsManagedSseEnabled"] = "false"
	}
	return s, nil
}

// changeOne computes one attribute. change checks afterwards that the attributes are consistent.
func (q *Queue) changeOne(s *settings, name, value string) (err error) {
	switch name {
	case "RedrivePolicy":
		s.redrive, err = q.parseRedrive(value)
	case "RedriveAllowPolicy":
		s.allow, err = parseRedriveAllow(value)
	case "Policy":
		err = setText(s, name, value, isObject(value))
	case "SqsManagedSseEnabled":
		err = setText(s, name, value, value == "true" || value == "false")
	case "KmsMasterKeyId":
		err = setText(s, name, value, true)
	case "KmsDataKeyReusePeriodSeconds":
		seconds, parseErr := strconv.Atoi(value)
		err = setText(s, name, value, parseErr == nil && seconds >= 60 && seconds <= 86400)
	case "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit":
		err = errAttributeName(name + " (FIFO queues are not simulated)")
	default:
		l, ok := limits[name]
		if !ok {
			return errAttributeName(name)
		}
		s.numbers[name], err = strconv.Atoi(value)
		if err != nil || s.numbers[name] < l.min || s.numbers[name] > l.max {
			return errAttributeValue(name)
		}
	}
	return err
}

// setText sets an attribute without effect here; an empty text removes it.
func setText(s *settings, name, value string, valid bool) error {
	switch {
	case value == "":
		delete(s.texts, name)
	case !valid:
		return errAttributeValue(name)
	default:
		s.texts[name] = value
	}
	return nil
}

// isObject is the only check of policies here: they are stored for others to enforce.
func isObject(text string) bool {
	var object map[string]any
	return json.Unmarshal([]byte(text), &object) == nil && object != nil
}

// parseRedrive parses and checks a RedrivePolicy; an empty one means no policy.
func (q *Queue) parseRedrive(text string) (*redrivePolicy, error) {
	if text == "" {
		return nil, nil
	}
	// AWS accepts the count as a number or as text.
	var raw struct {
		DeadLetterTargetARN string      `json:"deadLetterTargetArn"`
		MaxReceiveCount     json.Number `json:"maxReceiveCount"`
	}
	if json.Unmarshal([]byte(text), &raw) != nil {
		return nil, errAttributeValue("RedrivePolicy")
	}
	count, err := strconv.Atoi(raw.MaxReceiveCount.String())
	if err != nil || count < 1 || count > 1000 {
		return nil, errValue(text, "RedrivePolicy", "Invalid value for maxReceiveCount: "+raw.MaxReceiveCount.String()+", valid values are from 1 to 1000 both inclusive.")
	}
	p := &redrivePolicy{DeadLetterTargetARN: raw.DeadLetterTargetARN, MaxReceiveCount: count}
	target := q.server.deadLetterQueue(p)
	switch {
	case p.DeadLetterTargetARN == q.arn || q.server.leadsTo(target, q.arn):
		// AWS accepts it, and moves messages in a circle for ever.
		return nil, errValue(text, "RedrivePolicy", "A queue can't be its own dead-letter queue, neither directly nor through others.")
	case target == nil:
		return nil, errValue(text, "RedrivePolicy", "Dead letter target does not exist.")
	case !target.settings.allow.allows(q.arn):
		return nil, errValue(text, "RedrivePolicy", "Queue "+q.arn+" is not allowed by the RedriveAllowPolicy of the dead-letter queue.")
	}
	return p, nil
}

// leadsTo reports whether a queue's dead letters reach the queue of an ARN. The lock is held.
func (s *Server) leadsTo(from *Queue, arn string) bool {
	for from != nil && from.settings.redrive != nil {
		if from.settings.redrive.DeadLetterTargetARN == arn {
			return true
		}
		from = s.deadLetterQueue(from.settings.redrive)
	}
	return false
}

// parseRedriveAllow parses and checks a RedriveAllowPolicy; an empty one means no policy.
func parseRedriveAllow(text string) (*redriveAllowPolicy, error) {
	if text == "" {
		return nil, nil
	}
	p := &redriveAllowPolicy{}
	if json.Unmarshal([]byte(text), p) != nil {
		return nil, errAttributeValue("RedriveAllowPolicy")
	}
	switch p.RedrivePermission {
	case "allowAll", "denyAll":
		if len(p.SourceQueueARNs) > 0 {
			return nil, errValue(text, "RedriveAllowPolicy", "sourceQueueArns goes with byQueue only.")
		}
	case "byQueue":
		if n := len(p.SourceQueueARNs); n < 1 || n > 10 {
			return nil, errValue(text, "RedriveAllowPolicy", "byQueue needs 1 to 10 sourceQueueArns.")
		}
	default:
		return nil, errAttributeValue("RedriveAllowPolicy")
	}
	return p, nil
}

// agrees returns QueueNameExists unless the queue has all the given attributes. The lock is held.
func (q *Queue) agrees(attributes map[string]string) error {
	set, err := q.change(attributes)
	if err != nil {
		return err
	}
	have, want := q.settings.show(), set.show()
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if have[name] != want[name] {
			return errNameExists(name)
		}
	}
	return nil
}

// show returns the settings as attributes.
func (s settings) show() map[string]string {
	shown := maps.Clone(s.texts)
	for name, value := range s.numbers {
		shown[name] = strconv.Itoa(value)
	}
	if s.redrive != nil {
		shown["RedrivePolicy"] = toJSON(s.redrive)
	}
	if s.allow != nil {
		shown["RedriveAllowPolicy"] = toJSON(s.allow)
	}
	return shown
}

// toJSON encodes a policy in canonical form, however its owner wrote it, so that two can be compared.
func toJSON(v any) string {
	text, _ := json.Marshal(v) // texts and numbers never fail
	return string(text)
}

// computed are the read-only attributes.
var computed = []string{
	"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible",
	"CreatedTimestamp", "LastModifiedTimestamp", "QueueArn",
}

// Attributes returns all attributes of the queue as GetQueueAttributes shows them. The message counts are exact,
// although their names say "approximate".
func (q *Queue) Attributes() map[string]string {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	stats := q.stats()
	shown := q.settings.show()
	for i, value := range []string{
		strconv.Itoa(stats.Visible), strconv.Itoa(stats.Delayed), strconv.Itoa(stats.NotVisible),
		unix(q.created), unix(q.modified), q.arn,
	} {
		shown[computed[i]] = value
	}
	return shown
}

// unix formats a time for queue attributes, in seconds; those of messages are in milliseconds.
func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// SetAttributes changes attributes, named and written as for Create. Existing messages keep their delay and their
// visibility time-out. Errors: as for Create, and QueueDoesNotExist.
func (q *Queue) SetAttributes(attributes map[string]string) error {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	if err := q.usable(); err != nil {
		return err
	}
	set, err := q.change(attributes)
	if err != nil {
		return err
	}
	q.settings, q.modified = set, q.server.clock.Now()
	// The new retention or redrive may affect a waiting receiver.
	q.wake()
	return nil
}

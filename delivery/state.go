package delivery

import (
	"encoding/json"
	"time"

	"heliograph/presence"
)

// maxAttempts is how often a message is tried before it goes to the dead-letter queue.
const maxAttempts = 3

// pauses are how long the queue holds a follow-up back after an attempt, in seconds, before jitter. The second
// is as long as it is so that the third attempt comes when a 410 can be believed: see settlingIn.
var pauses = [maxAttempts - 1]int32{5, 32}

// state is what a follow-up knows of the attempts before it, as JSON in the message attribute HeliographRetry.
// It travels over a queue that others may write to, so nothing in it is trusted: it can narrow down whom of
// a user's own connections the body goes to, and no more.
type state struct {
	// Attempt is the number of the attempt that this follow-up makes, 1 to maxAttempts. Only the follow-up
	// for a user who was offline makes the first one.
	Attempt int `json:"attempt"`
	// FirstSentAt is when the producer sent the message, in Unix milliseconds; 0 if nobody knows.
	FirstSentAt int64 `json:"firstSentAt,omitempty"`
	// Owed are the connections that the body has not arrived at; none means every open one.
	Owed []presence.ConnectionID `json:"owed,omitempty"`
	// Delivered and Gone are the tallies of the attempts before.
	Delivered int `json:"delivered,omitempty"`
	Gone      int `json:"gone,omitempty"`
	// Waited is true once a follow-up has waited for an offline user to come back. It waits once.
	Waited bool `json:"waited,omitempty"`
}

// readState reads a record's HeliographRetry; a record without one is at its first attempt.
func readState(r *Record, now time.Time) (state, *Rejection) {
	first := state{Attempt: 1, FirstSentAt: unixMilli(r.SentAt)}
	attribute, ok := r.Attributes[retryAttribute]
	if !ok {
		return first, nil
	}
	if attribute.StringValue == nil {
		return first, reject(ReasonBadFollowUp, retryAttribute+" is not a string")
	}
	var s state
	if err := json.Unmarshal([]byte(*attribute.StringValue), &s); err != nil {
		return first, reject(ReasonBadFollowUp, retryAttribute+" is not the JSON that it should be")
	}
	if problem := s.problem(now); problem != "" {
		return first, reject(ReasonBadFollowUp, retryAttribute+": "+problem)
	}
	if s.FirstSentAt == 0 {
		s.FirstSentAt = first.FirstSentAt
	}
	return s, nil
}

// problem says what in a state can't be true.
func (s *state) problem(now time.Time) string {
	switch {
	case s.Attempt < 1 || s.Attempt > maxAttempts:
		return "attempt is out of range"
	case s.FirstSentAt < 0 || s.FirstSentAt > now.Add(time.Minute).UnixMilli():
		return "firstSentAt is out of range"
	case s.Delivered < 0 || s.Gone < 0:
		return "a tally is negative"
	}
	return ""
}

// targets are the open connections that this attempt posts to. What is owed to a connection that has closed
// is owed to nobody, unless the body has not arrived anywhere yet: then the user has perhaps come back on
// a new connection, and to the user it was sent.
func (s *state) targets(open []presence.Connection) []presence.Connection {
	if len(s.Owed) == 0 {
		return open
	}
	owed := make(map[presence.ConnectionID]bool, len(s.Owed))
	for _, id := range s.Owed {
		owed[id] = true
	}
	var left []presence.Connection
	for _, c := range open {
		if owed[c.ID] {
			left = append(left, c)
		}
	}
	if len(left) == 0 && s.Delivered == 0 {
		return open
	}
	return left
}

// text is the attribute's value.
func (s *state) text() string {
	text, _ := json.Marshal(s) // numbers, strings and a bool always encode
	return string(text)
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

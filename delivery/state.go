package delivery

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"heliograph"
	"heliograph/presence"
)

// maxAttempts is how often a message is tried before it goes to the dead-letter queue.
const maxAttempts = 3

// pauses are how long the queue holds a follow-up back after an attempt, in seconds, before jitter. The second
// is as long as it is so that the third attempt comes when a 410 can be believed: see settlingIn.
var pauses = [maxAttempts - 1]int32{5, 32}

// maxToken bounds the token of an attempt, in bytes. Ours are shorter.
const maxToken = 64

// state is what is known of a message from its earlier attempts, as JSON in the message attribute HeliographRetry of a
// follow-up, or in HeliographOwed of a dead letter. One message is one record on the queue at any time, to however many
// users it goes: so its state is all that there is to know, and needs no counting elsewhere.
//
// It travels over queues that others may write to, so nothing in it is trusted: it can narrow down whom of a message's
// own targets the body goes to, and no more.
type state struct {
	// Attempt is the number of the attempt that this record makes, 1 to maxAttempts. Follow-ups that only wait, for a user
	// to come back or for a claim to end, make the same one again.
	Attempt int `json:"attempt"`
	// FirstSentAt is when the producer sent the message, in Unix milliseconds; 0 if nobody knows.
	FirstSentAt int64 `json:"firstSentAt,omitempty"`
	// Holder is the token under which the attempt before claimed the message. Only messages with an Id have it.
	Holder string `json:"holder,omitempty"`
	// Owed is what each user is still owed; none means everything, to everybody. A message to a connection id owes it
	// to the user "".
	Owed map[heliograph.UserID]debt `json:"owed,omitempty"`
	// Of a broadcast: where the next page of online users begins, whether there is none any more, and whether the next
	// one waits until what is owed has been tried again.
	Cursor string `json:"cursor,omitempty"`
	Listed bool   `json:"listed,omitempty"`
	Paused bool   `json:"paused,omitempty"`
	// OwedSince is when the first of those owed was not reached, in Unix milliseconds. Of a broadcast only.
	OwedSince int64 `json:"owedSince,omitempty"`
	// Tally is what came of the chain so far.
	Tally tally `json:"tally,omitzero"`
	// Settled is when the message was settled, in Unix milliseconds, if only its receipt is still to be published.
	Settled int64 `json:"settled,omitempty"`
}

// debt is what one user is still owed.
type debt struct {
	// Connections are those that the body has not arrived at; nil means every open one. None at all (but not nil) means
	// that it has arrived, and that only the claim is still to be marked as done.
	Connections []heliograph.ConnectionID `json:"connections,omitzero"`
	// Delivered and Gone count what became of this user's other connections.
	Delivered int `json:"delivered,omitempty"`
	Gone      int `json:"gone,omitempty"`
	// Waited is true once a follow-up has waited for the user to come back. It waits once.
	Waited bool `json:"waited,omitempty"`
	// Holder is the token under which the message is claimed for this user, where that is not the state's.
	Holder string `json:"holder,omitempty"`
}

// tally counts what became of a message, in connections and in users, as a Receipt does.
type tally struct {
	Delivered int `json:"delivered,omitempty"`
	Gone      int `json:"gone,omitempty"`
	Offline   int `json:"offline,omitempty"`
	Failed    int `json:"failed,omitempty"`
	Expired   int `json:"expired,omitempty"`
}

func (t *tally) add(more tally) {
	t.Delivered += more.Delivered
	t.Gone += more.Gone
	t.Offline += more.Offline
	t.Failed += more.Failed
	t.Expired += more.Expired
}

func (t *tally) least() int { return min(t.Delivered, t.Gone, t.Offline, t.Failed, t.Expired) }

// readState reads what a record knows of earlier attempts: a follow-up's HeliographRetry, or the HeliographOwed of a dead
// letter that was put back. A record without either is at its first attempt.
func readState(r *Record, now time.Time) (state, *Rejection) {
	first := state{Attempt: 1, FirstSentAt: unixMilli(r.SentAt)}
	name := retryAttribute
	attribute, ok := r.Attributes[name]
	if !ok {
		name = owedAttribute
		if attribute, ok = r.Attributes[name]; !ok {
			return first, nil
		}
	}
	if attribute.StringValue == nil {
		return first, reject(ReasonBadFollowUp, name+" is not a string")
	}
	var s state
	if err := json.Unmarshal([]byte(*attribute.StringValue), &s); err != nil {
		return first, reject(ReasonBadFollowUp, name+" is not the JSON that it should be")
	}
	if problem := s.problem(now); problem != "" {
		return first, reject(ReasonBadFollowUp, name+": "+problem)
	}
	if s.FirstSentAt == 0 {
		s.FirstSentAt = first.FirstSentAt
	}
	return s, nil
}

// problem says what in a state can't be true.
func (s *state) problem(now time.Time) string {
	latest := now.Add(time.Minute).UnixMilli() // clocks differ
	switch {
	case s.Attempt < 1 || s.Attempt > maxAttempts:
		return "attempt is out of range"
	case s.FirstSentAt < 0 || s.FirstSentAt > latest:
		return "firstSentAt is out of range"
	case s.Settled < 0 || s.Settled > latest:
		return "settled is out of range"
	case len(s.Holder) > maxToken:
		return "holder is out of range"
	case s.Tally.least() < 0:
		return "a tally is negative"
	}
	for _, owed := range s.Owed {
		if min(owed.Delivered, owed.Gone) < 0 || len(owed.Holder) > maxToken {
			return "what a user is owed is out of range"
		}
	}
	return ""
}

// dead is the state as a dead letter keeps it, so that whoever puts it back reaches those only who lack the body: at
// the first attempt, measured from then on.
func (s state) dead() state {
	s.Attempt, s.Paused, s.OwedSince = 1, false, 0
	if s.Settled == 0 {
		s.FirstSentAt = 0
	}
	return s
}

// says tells whether the state narrows anything down.
func (s *state) says() bool { return len(s.Owed) > 0 || s.Cursor != "" || s.Settled > 0 }

// split is the state as two, each with half of those who are owed. What is more than that has only the second.
func (s state) split() (state, state) {
	users := slices.Sorted(maps.Keys(s.Owed))
	one := state{Attempt: 1, Holder: s.Holder, Listed: true, Owed: map[heliograph.UserID]debt{}}
	for _, user := range users[:len(users)/2] {
		one.Owed[user] = s.Owed[user]
	}
	rest := maps.Clone(s.Owed)
	maps.DeleteFunc(rest, func(user heliograph.UserID, _ debt) bool { _, there := one.Owed[user]; return there })
	s.Owed = rest
	return one, s
}

// text is the attribute's value.
func (s *state) text() string {
	text, _ := json.Marshal(s) // numbers, strings and bools always encode
	return string(text)
}

// targets are the open connections that this attempt posts to. What is owed to a connection that has closed
// is owed to nobody, unless the body has not arrived anywhere yet: then the user has perhaps come back on
// a new connection, and to the user it was sent.
func (d *debt) targets(open []presence.Connection) []presence.Connection {
	if d.Connections == nil {
		return open
	}
	owed := make(map[heliograph.ConnectionID]bool, len(d.Connections))
	for _, id := range d.Connections {
		owed[id] = true
	}
	var left []presence.Connection
	for _, c := range open {
		if owed[c.ID] {
			left = append(left, c)
		}
	}
	if len(left) == 0 && d.Delivered == 0 {
		return open
	}
	return left
}

// whole tells whether nothing is known of the user yet: all that there is to say is owed.
func (d *debt) whole() bool {
	return d.Connections == nil && d.Delivered == 0 && d.Gone == 0 && !d.Waited && d.Holder == ""
}

// onlyMark tells whether the body has arrived everywhere, and only the claim does not say so yet.
func (d *debt) onlyMark() bool { return d.Connections != nil && len(d.Connections) == 0 }

// size is what the debt counts in a tally: its connections, or the user whose connections are not known.
func (d *debt) size() int {
	if d.Connections == nil {
		return 1
	}
	return len(d.Connections)
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

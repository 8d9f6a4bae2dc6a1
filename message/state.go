package message

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"heliograph"
)

// MaxAttempts is the number of attempts before a message goes to the dead-letter queue.
const MaxAttempts = 3

// Bounds of a state. Ours stay far below them.
const (
	maxToken  = 64   // bytes of an attempt's token
	maxCursor = 2048 // bytes of a cursor
	maxShard  = 16   // as many as presence has
	// maxCount bounds counts, which receipts carry to consumers: JavaScript holds no larger integer exactly.
	maxCount = 1<<53 - 1
	// maxAge bounds how long ago a message was sent: two stays of 14 days in a dead-letter queue, and then some.
	maxAge = 60 * 24 * time.Hour
)

// State is the knowledge that earlier attempts gained of a message: JSON in the attribute HeliographRetry of a
// follow-up, or in HeliographOwed of a dead letter.
//
// It travels over queues that others may write to, so send seals it, see [Key]. A state can only narrow the message down
// to some of the message's own targets.
type State struct {
	// Attempt is the number of the attempt that the record makes, 1 to MaxAttempts. Follow-ups that only wait, for a
	// user to come back or for a claim to end, repeat the number.
	Attempt int `json:"attempt"`
	// FirstSentAt is when the producer sent the message, in Unix milliseconds; 0 if unknown.
	FirstSentAt int64 `json:"firstSentAt,omitempty"`
	// ID is what clients of heliograph.v1 tell copies of the message by, once one of them has it and if the producer gave
	// no Id.
	ID string `json:"id,omitempty"`
	// Holder is the token under which the previous attempt claimed the message. Only messages with an Id have one.
	Holder string `json:"holder,omitempty"`
	// Owed maps each user to what that user is still owed; empty means that every user is owed everything. A message
	// to a connection id has its entry under the user "".
	Owed map[heliograph.UserID]Owed `json:"owed,omitempty"`
	// Known replaces Owed in a message that was written anew and names only users who are still owed: it is keyed by
	// the user's position in UserIds, and users without an entry are owed everything. See Bind.
	Known map[int]Owed `json:"known,omitempty"`
	// Cursor, Listed and Paused belong to a broadcast: where the next page of online users begins, whether the list
	// has ended, and whether the next page waits until the users still owed have been tried again.
	Cursor string `json:"cursor,omitempty"`
	Listed bool   `json:"listed,omitempty"`
	Paused bool   `json:"paused,omitempty"`
	// Shard is the shard of the online list whose users the record is for, if the broadcast was spread over records for
	// each of them, from 1; 0 is the whole list.
	Shard int `json:"shard,omitempty"`
	// OwedSince is when a broadcast first failed to reach one of the users still owed, in Unix milliseconds.
	OwedSince int64 `json:"owedSince,omitempty"`
	// Tally counts the results of the message so far.
	Tally Tally `json:"tally,omitzero"`
	// Settled is when the message settled, in Unix milliseconds, if only its receipt remains to be published.
	Settled int64 `json:"settled,omitempty"`
}

// Owed is the part of a delivery that one user is still owed.
type Owed struct {
	// Connections are the connections that the body has not reached; nil means every open one. An empty, non-nil list
	// means that the body has arrived, and only the claim is still to be marked as done.
	Connections []heliograph.ConnectionID `json:"connections,omitzero"`
	// Delivered and Gone count this user's other connections.
	Delivered int `json:"delivered,omitempty"`
	Gone      int `json:"gone,omitempty"`
	// Waited is set once a follow-up has waited for the user to come back; no follow-up waits a second time.
	Waited bool `json:"waited,omitempty"`
	// Kept is the cursor of the message's position in the user's mailbox, if it was kept.
	Kept string `json:"kept,omitempty"`
	// Holder is the token under which the message is claimed for this user, if it differs from the state's.
	Holder string `json:"holder,omitempty"`
}

// Everything reports whether nothing has been done for the user yet.
func (o *Owed) Everything() bool {
	return o.Connections == nil && o.Delivered == 0 && o.Gone == 0 && !o.Waited && o.Kept == "" && o.Holder == ""
}

// OnlyMark reports whether the body has arrived everywhere and only the claim is still to be marked as done.
func (o *Owed) OnlyMark() bool { return o.Connections != nil && len(o.Connections) == 0 }

// Count returns the amount owed in a tally's units: connections, or the user if the connections are not known.
func (o *Owed) Count() int {
	if o.Connections == nil {
		return 1
	}
	return len(o.Connections)
}

// Tally counts the results of a message in connections and in users, as a receipt does.
type Tally struct {
	Delivered int `json:"delivered,omitempty"`
	Gone      int `json:"gone,omitempty"`
	Offline   int `json:"offline,omitempty"`
	Failed    int `json:"failed,omitempty"`
	Expired   int `json:"expired,omitempty"`
	Kept      int `json:"kept,omitempty"` // users, whether or not they were online
}

// Add adds another tally. Counts stop at their bound.
func (t *Tally) Add(more Tally) {
	t.Delivered = add(t.Delivered, more.Delivered)
	t.Gone = add(t.Gone, more.Gone)
	t.Offline = add(t.Offline, more.Offline)
	t.Failed = add(t.Failed, more.Failed)
	t.Expired = add(t.Expired, more.Expired)
	t.Kept = add(t.Kept, more.Kept)
}

// Reached adds connections that the body reached, and connections that were gone. Counts stop at their bound.
func (o *Owed) Reached(delivered, gone int) {
	o.Delivered, o.Gone = add(o.Delivered, delivered), add(o.Gone, gone)
}

// add adds two counts within bounds.
func add(a, b int) int { return min(a+b, maxCount) }

// counts reports whether all numbers are possible counts.
func counts(all ...int) bool { return slices.Min(all) >= 0 && slices.Max(all) <= maxCount }

// Says reports whether the state carries anything that a fresh message lacks; the attempt, the id and the time of
// sending don't count.
func (s *State) Says() bool {
	return len(s.Owed) > 0 || len(s.Known) > 0 || s.Cursor != "" || s.Shard > 0 || s.Settled > 0 || s.Tally != Tally{}
}

// Text returns the attribute's value.
func (s *State) Text() string { return encode(s) }

// ParseState parses a label whose seal has been verified. A rejection names the attribute. Only the form that Text writes
// is accepted, so no member is unknown, given twice or in another case.
func ParseState(attribute, label string, now time.Time) (State, *Rejection) {
	var s State
	text := seal.ReplaceAllString(label, "")
	if err := json.Unmarshal([]byte(text), &s); err != nil || s.Text() != text {
		return State{}, Reject(ReasonBadFollowUp, attribute+" is not the JSON that it should be")
	}
	if problem := s.problem(now); problem != "" {
		return State{}, Reject(ReasonBadFollowUp, attribute+": "+problem)
	}
	return s, nil
}

// problem describes what makes a state impossible; "" if nothing does.
func (s *State) problem(now time.Time) string {
	earliest, latest := now.Add(-maxAge).UnixMilli(), now.Add(time.Minute).UnixMilli() // allows for clock skew
	possible := func(ms int64) bool { return ms == 0 || ms >= earliest && ms <= latest }
	t := s.Tally
	switch {
	case s.Attempt < 1 || s.Attempt > MaxAttempts:
		return "attempt is out of range"
	case !possible(s.FirstSentAt):
		return "firstSentAt is out of range"
	case !possible(s.Settled):
		return "settled is out of range"
	case !possible(s.OwedSince):
		return "owedSince is out of range"
	case len(s.ID) > MaxID:
		return "id is out of range"
	case len(s.Holder) > maxToken || len(s.Cursor) > maxCursor:
		return "holder or cursor is out of range"
	case s.Shard < 0 || s.Shard > maxShard:
		return "shard is out of range"
	case !counts(t.Delivered, t.Gone, t.Offline, t.Failed, t.Expired, t.Kept):
		return "a tally is out of range"
	}
	for _, owed := range slices.AppendSeq(slices.Collect(maps.Values(s.Owed)), maps.Values(s.Known)) {
		if !counts(owed.Delivered, owed.Gone) || len(owed.Holder) > maxToken || len(owed.Kept) > maxToken {
			return "what a user is owed is out of range"
		}
	}
	return ""
}

// Bind ties the state to the users that its message names: entries that Known has by position move to Owed, by name.
// It rejects a state that can't belong to this message.
func (s *State) Bind(users []heliograph.UserID) *Rejection {
	if len(s.Known) == 0 {
		return nil
	}
	if len(s.Owed) > 0 {
		return Reject(ReasonBadFollowUp, "what is owed is said both by name and by position")
	}
	s.Owed = make(map[heliograph.UserID]Owed, len(users))
	for i, user := range users {
		s.Owed[user] = s.Known[i]
	}
	for i := range s.Known {
		if i < 0 || i >= len(users) {
			return Reject(ReasonBadFollowUp, "the follow-up owes the message to a user that it does not name")
		}
	}
	s.Known = nil
	return nil
}

// Narrow rewrites the message so that it names only the users who are still owed, and the state so that it names
// none: Bind reverses it. No knowledge is lost. The message must be one to users.
func (s State) Narrow(m Message) (Message, State) {
	if s.Settled > 0 {
		m.Users = m.Users[:1] // only the receipt is owed, but a message must have a target
		return m, s
	}
	if len(s.Owed) == 0 {
		return m, s
	}
	users := make([]heliograph.UserID, 0, len(s.Owed))
	known := map[int]Owed{}
	for _, user := range m.Users {
		owed, ok := s.Owed[user]
		if !ok {
			continue
		}
		if !owed.Everything() {
			known[len(users)] = owed
		}
		users = append(users, user)
	}
	m.Users, s.Owed, s.Known = users, nil, known
	return m, s
}

package delivery

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"slices"
	"time"

	"heliograph"
	"heliograph/observability"
)

// job is one record on its way.
type job struct {
	record  *Record
	message Message
	state   state
	token   string // under which this attempt claims the message, if it has an Id
}

// open reads a record: its message, and what is known of earlier attempts. The job is good enough for a
// dead letter even if there is a rejection.
func open(r *Record, now time.Time) (*job, *Rejection) {
	j := &job{record: r}
	var rejection *Rejection
	if j.state, rejection = readState(r, now); rejection != nil {
		return j, rejection
	}
	if j.message, rejection = Parse(r.Body); rejection != nil {
		return j, rejection
	}
	if j.message.ID != "" {
		j.token = rand.Text()[:12]
	}
	return j, j.problem()
}

// problem tells a state that can't be this message's from one that can.
func (j *job) problem() *Rejection {
	switch {
	case len(j.state.Owed) > 0 && len(j.accounts()) == 0:
		return reject(ReasonBadFollowUp, "what is owed is owed to nobody whom the message names")
	case j.message.Broadcast && size(j.record.followUp(&state{}, 0)) > maxQueued-broadcastRoom:
		// To find out in the middle would be too late: what can't go on would begin again.
		return reject(ReasonNoRoom, "a broadcast must leave room for what its follow-ups know")
	}
	return nil
}

// accounts are those whom this attempt is to reach: all whom the message names, or those of them who are still owed.
func (j *job) accounts() []account {
	users := j.message.Users
	switch {
	case j.message.Broadcast:
		users = slices.Sorted(maps.Keys(j.state.Owed))
	case j.message.Connection != "":
		users = []heliograph.UserID{""}
	}
	accounts := make([]account, 0, len(users))
	for _, user := range users {
		owed, ok := j.state.Owed[user]
		if ok || len(j.state.Owed) == 0 {
			accounts = append(accounts, account{user, owed})
		}
	}
	return accounts
}

// next is the state after an attempt that left this owed, for the follow-up. Where all is owed to everybody, that needs
// no words: a message to many users may have no room for them.
func (j *job) next(owed map[heliograph.UserID]debt) state {
	next := j.state
	next.Owed, next.Holder = owed, j.token
	if !j.message.Broadcast && len(owed) == max(1, len(j.message.Users)) && allWhole(owed) {
		next.Owed = nil
	}
	return next
}

func allWhole(owed map[heliograph.UserID]debt) bool {
	for _, debt := range owed {
		if !debt.whole() {
			return false
		}
	}
	return true
}

// waitsFor tells whether a user who got nothing may be back soon: who was there a moment ago has perhaps only changed
// networks. A broadcast is for those who are there.
func (j *job) waitsFor(a account, recently bool) bool {
	return recently && a.user != "" && a.debt.Delivered == 0 && !a.debt.Waited && !j.message.Broadcast
}

// target is what the message is claimed for.
func (j *job) target(user heliograph.UserID) Target {
	if j.message.Connection != "" {
		return connectionTarget(j.message.Connection)
	}
	return userTarget(user)
}

// owner is who claims the message for an account in this attempt.
func (j *job) owner(a account) Owner {
	return Owner{Token: j.token, After: cmp.Or(a.debt.Holder, j.state.Holder, nobody)}
}

// nobody is a token that no attempt has.
const nobody = "-"

// firstSent is when the producer sent the message, or now if nobody knows.
func (j *job) firstSent() time.Time {
	if j.state.FirstSentAt == 0 {
		return time.Now()
	}
	return time.UnixMilli(j.state.FirstSentAt)
}

// log is the logger for a line about this message: its ids and its tallies, never its body.
func (j *job) log(ctx context.Context) *slog.Logger {
	l := observability.Log(ctx).With("messageId", j.record.ID, "attempt", j.state.Attempt,
		"delivered", j.state.Tally.Delivered, "gone", j.state.Tally.Gone)
	switch {
	case len(j.message.Users) == 1:
		l = l.With("userHash", observability.HashUser(string(j.message.Users[0])))
	case len(j.message.Users) > 1:
		l = l.With("users", len(j.message.Users))
	case j.message.Connection != "":
		l = l.With("connectionId", j.message.Connection)
	}
	if j.message.ID != "" {
		l = l.With("id", j.message.ID)
	}
	return l
}

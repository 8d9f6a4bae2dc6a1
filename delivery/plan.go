package delivery

import (
	"cmp"
	"fmt"
	"maps"
	"time"

	"heliograph"
	"heliograph/message"
)

// Delays of follow-ups, in seconds.
const (
	waitFor     = 5   // for an offline user to come back
	longestWait = 900 // for a claim to end: the longest delay that SQS allows
	pageDelay   = 1   // for the next page of a broadcast
)

// pauses are the delays of follow-ups after a failed attempt, in seconds, before jitter. The second is long enough
// that a 410 can be trusted by the third attempt: see trustGoneAfter.
var pauses = [message.MaxAttempts - 1]int32{5, 32}

// longestOwed is how long a user may be owed before a broadcast pauses. It is well within the lease of the user's
// claim.
const longestOwed = 30 * time.Second

// action is the kind of a step.
type action string

const (
	receive         action = ""            // the record has just come off the queue
	reachUsers      action = "reach users" // claim, find and post, for the users that the message names or those still owed
	reachPage       action = "reach page"  // the same for the next page of online users
	queueFollowUp   action = "follow-up"   // put the message back on the queue for what is owed
	queuePage       action = "next page"   // put the broadcast back on the queue for its next page
	queueShards     action = "spread"      // put it back as a record for each shard of the online list
	writeDeadLetter action = "dead letter" // give up what is owed
	endClaims       action = "end claims"  // of users given up, or of an expired message
	publishReceipt  action = "receipt"     // publish the outcome for the producer
	finish          action = "done"        // record the outcome of the message
	stop            action = "stop"        // nothing is left to do
)

// step is the next thing to do for a message. It is a plain value; do.go executes it.
type step struct {
	action action
	// state is the message's state when the step is taken.
	state message.State
	// carries is the state in the record that the step puts on a queue, or the state that a receipt reports.
	carries message.State
	// owed is what is still owed or, in a dead letter or when claims are ended, what is given up.
	owed map[heliograph.UserID]message.Owed
	// delay is how long the queue holds the record back, in seconds.
	delay int32
	// why is the reason of a dead letter.
	why message.Rejection
	// outcome is a single word and cause a short phrase, for the log and the trace.
	outcome Outcome
	cause   string
	// warning is a log line about anything that the step gives up silently.
	warning string
	// ending is the outcome of a settled message, for the step after the receipt; empty if it has been recorded.
	ending Outcome
	// goesOn is set if a broadcast continues after the dead letter.
	goesOn bool
}

// event is a step and its result. The zero event is the beginning.
type event struct {
	step    step
	attempt attempt // of reachUsers and reachPage
	failure string  // why a receipt could not be published
	final   bool    // no retry would publish it
	// unqueued is why SQS will never take the record to be queued.
	unqueued *message.Rejection
}

// given holds the other inputs to a decision.
type given struct {
	now    time.Time
	rate   int     // most users that one record of a broadcast reaches
	spread bool    // whether that is less than a broadcast may reach in a second
	chance float64 // random, 0 to 1, for jitter
}

// plan decides on the next step for a message. It is a pure function: every input is in its arguments, and every
// consequence is in the step. plan_test.go lists all of it as a table; docs/sending.md has the diagram.
func plan(j *job, e event, g given) step {
	last := e.step
	switch last.action {
	case reachUsers:
		return j.afterAttempt(last.state, e.attempt, g)
	case reachPage:
		return j.afterPage(last.state, e.attempt, g)
	case queueFollowUp, queuePage, queueShards:
		return j.afterQueueing(last, e.unqueued)
	case writeDeadLetter:
		return j.afterDeadLetter(last, g)
	case endClaims:
		return j.afterClaims(last, g)
	case publishReceipt:
		return j.afterReceipt(last, e, g)
	case finish:
		return step{action: stop}
	}
	return j.begin(g)
}

// begin decides on the first step for a record that has just been opened.
func (j *job) begin(g given) step {
	s := j.state
	switch {
	case j.rejection != nil:
		return j.giveUp(s, nil, *j.rejection)
	case s.Settled > 0:
		return j.settle(s, "", g)
	case j.message.Expired(g.now):
		return j.expire(s, g)
	case j.spreads(s, g):
		return step{action: queueShards, state: s, carries: s, cause: "no room for the number of a shard"}
	case j.paging(s):
		return step{action: reachPage, state: s}
	}
	return step{action: reachUsers, state: s}
}

// expire drops a message whose ExpiresAt has passed.
func (j *job) expire(s message.State, g given) step {
	owed := map[heliograph.UserID]message.Owed{}
	for _, r := range j.recipients() {
		owed[r.user] = r.owed
	}
	s.Tally.Add(message.Tally{Expired: count(owed)})
	if s.Holder == "" {
		return j.settle(s, Expired, g)
	}
	return step{action: endClaims, state: s, owed: owed, ending: Expired}
}

// afterAttempt decides on the step after an attempt.
func (j *job) afterAttempt(s message.State, a attempt, g given) step {
	s.Tally.Add(a.tally)
	if a.framed && j.message.ID == "" {
		s.ID = j.id(&s)
	}
	warning := ""
	if a.rejection == nil && a.cause != "" && s.Attempt >= message.MaxAttempts && onlyMarks(a.owed) {
		warning = a.cause // a claim that can't be marked does not justify a dead letter
		a.cause, a.owed = "", nil
	}
	next := j.next(s, a.owed)
	switch {
	case a.rejection != nil:
		return j.giveUp(s, a.owed, *a.rejection)
	case a.cause != "" && s.Attempt >= message.MaxAttempts:
		return j.undelivered(s, a)
	case a.cause != "":
		next.Attempt++
		return step{action: queueFollowUp, state: s, carries: next, owed: a.owed, delay: pause(s.Attempt, g), outcome: Failed, cause: a.cause}
	case a.waiting:
		return step{action: queueFollowUp, state: s, carries: next, owed: a.owed, delay: waitFor, outcome: Offline, cause: "the user may come back"}
	case !a.until.IsZero():
		wait := int32(max(1, min(a.until.Sub(g.now)/time.Second+1, longestWait)))
		return step{action: queueFollowUp, state: s, carries: next, owed: a.owed, delay: wait, outcome: Repeated, cause: "another delivery of this id is under way"}
	case j.paging(s), j.message.Broadcast && !s.Listed && len(a.owed) == 0:
		return queueNext(s, next, a.owed, warning)
	}
	last := j.settle(s, j.outcome(s, a.repeated), g)
	last.warning = warning
	return last
}

// pause returns the delay before the next attempt, with jitter.
func pause(attempt int, g given) int32 {
	least := pauses[attempt-1]
	return least + int32(g.chance*float64(least/2+1))
}

// undelivered gives up everything that the last attempt left owed, except claims that only lack their mark.
func (j *job) undelivered(s message.State, a attempt) step {
	owed := maps.Clone(a.owed)
	maps.DeleteFunc(owed, func(_ heliograph.UserID, o message.Owed) bool { return o.OnlyMark() })
	why := message.Rejection{
		Reason: message.ReasonUndelivered,
		Detail: fmt.Sprintf("%s after %d attempts, the last one: %s", howMuch(owed), s.Attempt, a.cause),
	}
	if j.message.Broadcast {
		return j.leaveBehind(s, owed, why)
	}
	return j.giveUp(s, owed, why)
}

// A broadcast goes through the list of online users page by page. Each page is a record of its own: a copy of the
// message with the cursor of its next page. A function that dies costs only the time until SQS redelivers its page,
// and since the queue holds each page back for a second, at most BroadcastRate users are reached per second.
//
// A function can reach only so many users in a second. A broadcast that may reach more is spread at its beginning: the
// list has shards, and each becomes a broadcast of its own, with its share of the rate. One that asks for a receipt is
// not: nobody would know when the last of them has ended, nor add up their tallies.
//
// Users whom a page could not reach are kept until they number half of those that may be reached in a second, or the
// first of them has waited for long, or the list has ended. Then they are retried as the users of any other message
// are, and those given up are left behind in the dead-letter queue before the paging goes on.

// paging reports whether the record is for the next page of a broadcast, rather than for users still owed.
func (j *job) paging(s message.State) bool { return j.message.Broadcast && !s.Listed && !s.Paused }

// spreads reports whether the record is a broadcast that has not begun, and is to be spread over the shards.
func (j *job) spreads(s message.State, g given) bool {
	return g.spread && j.paging(s) && !s.Says() && !j.message.Receipt
}

// afterPage turns the page: it adds up what is owed, and decides whether the paging pauses to retry it.
func (j *job) afterPage(s message.State, a attempt, g given) step {
	owed := j.carried()
	if a.unread {
		// The page is retried, and the users owed so far stay owed.
		if a.owed = owed; s.Attempt >= message.MaxAttempts && a.rejection == nil {
			a.rejection = message.Reject(message.ReasonUndelivered,
				fmt.Sprintf("the rest of the online users owed after %d attempts, the last one: %s", s.Attempt, a.cause))
		}
		return j.afterAttempt(s, a, g)
	}
	maps.Copy(owed, a.owed)
	a.owed = owed
	s.Attempt, s.Cursor, s.Listed = 1, a.cursor, a.cursor == ""
	if len(owed) > 0 && s.OwedSince == 0 {
		s.OwedSince = g.now.UnixMilli()
	}
	late := len(owed) > 0 && g.now.Sub(time.UnixMilli(s.OwedSince)) >= longestOwed
	s.Paused = !s.Listed && (2*len(owed) >= g.rate || late)
	switch {
	case j.paging(s) || len(owed) == 0:
		a.cause, a.until = "", time.Time{} // no user is retried yet
	case a.cause == "":
		a.cause = "an earlier page or another delivery left it owed"
	}
	return j.afterAttempt(s, a, g)
}

// carried returns what is owed to users that a page does not try to reach, with their claims unchanged.
func (j *job) carried() map[heliograph.UserID]message.Owed {
	owed := map[heliograph.UserID]message.Owed{}
	for user, o := range j.state.Owed {
		o.Holder = cmp.Or(o.Holder, j.state.Holder)
		owed[user] = o
	}
	return owed
}

// queueNext queues the broadcast for its next page.
func queueNext(s, next message.State, owed map[heliograph.UserID]message.Owed, warning string) step {
	next.Attempt, next.Paused = 1, false
	if len(next.Owed) == 0 {
		next.OwedSince = 0
	}
	return step{
		action: queuePage, state: s, carries: next, owed: owed, delay: pageDelay, warning: warning,
		cause: "no room for those owed beside the next page",
	}
}

// afterQueueing ends the invocation's work on the message, unless SQS will never take the record to be queued. A
// broadcast then tries to go on without the users still owed.
func (j *job) afterQueueing(last step, why *message.Rejection) step {
	switch {
	case why == nil:
		return done(last.state, last.ending)
	case last.carries.Settled > 0:
		return j.buryReceipt(last, *why)
	case j.message.Broadcast && len(last.owed) > 0:
		return j.leaveBehind(last.state, last.owed, *why)
	}
	return j.giveUp(last.state, last.owed, *why)
}

// buryReceipt gives up a receipt, and nothing else: the message has settled.
func (j *job) buryReceipt(last step, why message.Rejection) step {
	return step{action: writeDeadLetter, state: last.state, carries: buried(last.carries), why: why, ending: last.ending}
}

// giveUp ends a message in the dead-letter queue.
func (j *job) giveUp(s message.State, owed map[heliograph.UserID]message.Owed, why message.Rejection) step {
	return step{action: writeDeadLetter, state: s, carries: buried(j.next(s, owed)), owed: owed, why: why}
}

// leaveBehind puts users whom a broadcast gives up in the dead-letter queue, and continues without them.
func (j *job) leaveBehind(s message.State, owed map[heliograph.UserID]message.Owed, why message.Rejection) step {
	last := j.giveUp(s, owed, why)
	last.carries.Listed, last.carries.Cursor, last.carries.Tally = true, "", message.Tally{} // the rest is still under way
	last.goesOn = true
	return last
}

// buried returns the state to keep in a dead letter, so that a redrive reaches only the users and connections without
// the body, starts at the first attempt, and measures latency from then on.
func buried(s message.State) message.State {
	s.Attempt, s.Paused, s.OwedSince = 1, false, 0
	if s.Settled == 0 {
		s.FirstSentAt = 0
	}
	return s
}

// afterDeadLetter ends the claims of users given up. The letter comes first: if it could not be written after the
// claims had ended, the record would come again and find its own claims done.
func (j *job) afterDeadLetter(last step, g given) step {
	if last.carries.Settled > 0 {
		return done(last.state, last.ending)
	}
	next := step{action: endClaims, state: last.state, owed: last.owed, goesOn: last.goesOn}
	next.state.Tally.Add(message.Tally{Failed: count(last.owed)})
	next.state.Owed = nil
	if j.message.ID == "" || len(last.owed) == 0 {
		return j.afterClaims(next, g)
	}
	return next
}

// afterClaims continues a broadcast, or settles the message.
func (j *job) afterClaims(last step, g given) step {
	if last.goesOn {
		return j.afterAttempt(last.state, attempt{}, g)
	}
	return j.settle(last.state, last.ending, g)
}

// settle ends a message that needs nothing more, except perhaps a receipt.
func (j *job) settle(s message.State, ending Outcome, g given) step {
	if !j.message.Receipt {
		return done(s, ending)
	}
	report := message.State{Attempt: 1, FirstSentAt: s.FirstSentAt, Settled: g.now.UnixMilli(), Tally: s.Tally}
	if s.Settled > 0 {
		report.Attempt, report.Settled = s.Attempt, s.Settled
	}
	return step{action: publishReceipt, state: s, carries: report, ending: ending}
}

// afterReceipt retries a failed receipt the way a message is retried: with a follow-up, whose state says that only
// the receipt remains.
func (j *job) afterReceipt(last step, e event, g given) step {
	report := last.carries
	switch {
	case e.failure == "":
		return done(last.state, last.ending)
	case e.final || report.Attempt >= message.MaxAttempts:
		return j.buryReceipt(last, message.Rejection{
			Reason: message.ReasonReceiptUnpublished, Detail: fmt.Sprintf("after %d attempts, the last one: %s", report.Attempt, e.failure),
		})
	}
	delay := pause(report.Attempt, g)
	report.Attempt++
	return step{action: queueFollowUp, state: last.state, carries: report, delay: delay, outcome: Failed, cause: e.failure, ending: last.ending}
}

// done records the outcome of a message, unless it has been recorded.
func done(s message.State, ending Outcome) step {
	if ending == "" {
		return step{action: stop}
	}
	return step{action: finish, state: s, outcome: ending}
}

// outcome sums up in one word a message that needs nothing more.
func (j *job) outcome(s message.State, repeated int) Outcome {
	t := s.Tally
	switch {
	case repeated > 0 && repeated == len(j.recipients()):
		return Repeated
	case t.Delivered > 0:
		return Delivered
	case t.Failed > 0:
		return Failed
	case t.Kept > 0:
		return Kept
	case t.Offline > 0:
		return Offline
	case t.Gone > 0:
		return Gone
	}
	return Delivered
}

// next returns the state after an attempt that left this owed. If all users are owed everything, Owed stays empty,
// which means just that.
func (j *job) next(s message.State, owed map[heliograph.UserID]message.Owed) message.State {
	s.Owed, s.Holder = owed, j.token
	if j.message.Broadcast || len(owed) != max(1, len(j.message.Users)) {
		return s
	}
	for _, o := range owed {
		if !o.Everything() {
			return s
		}
	}
	s.Owed = nil
	return s
}

// onlyMarks reports whether only marks on claims are still owed.
func onlyMarks(owed map[heliograph.UserID]message.Owed) bool {
	for _, o := range owed {
		if !o.OnlyMark() {
			return false
		}
	}
	return true
}

// count returns the amount owed, in a tally's units.
func count(owed map[heliograph.UserID]message.Owed) int {
	n := 0
	for _, o := range owed {
		n += o.Count()
	}
	return n
}

// howMuch describes briefly how much is owed.
func howMuch(owed map[heliograph.UserID]message.Owed) string {
	if len(owed) > 1 {
		return fmt.Sprintf("%d users owed", len(owed))
	}
	for _, o := range owed {
		if n := len(o.Connections); n == 1 {
			return "1 connection owed"
		} else if n > 1 {
			return fmt.Sprintf("%d connections owed", n)
		}
	}
	return "all connections owed"
}

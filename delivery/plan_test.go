package delivery

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/message"
)

var update = flag.Bool("update", false, "rewrite the picture in docs/sending.md")

// now is the time of all decisions in the table, in Unix milliseconds.
const now = int64(1_000_000_000_000)

type (
	owedTo = map[heliograph.UserID]message.Owed
	tally  = message.Tally
)

var (
	toA       = message.Message{Users: []heliograph.UserID{"a"}, Body: []byte("b")}
	withID    = message.Message{Users: []heliograph.UserID{"a"}, Body: []byte("b"), ID: "1"}
	reporting = message.Message{Users: []heliograph.UserID{"a"}, Body: []byte("b"), ID: "1", Receipt: true}
	toCrowd   = message.Message{Broadcast: true, Body: []byte("b")}
	expiring  = message.Message{Users: []heliograph.UserID{"a"}, Body: []byte("b"), ID: "1", ExpiresAt: time.UnixMilli(now)}

	lacking = owedTo{"a": {Connections: []heliograph.ConnectionID{"c"}}}
	marking = owedTo{"a": {Connections: []heliograph.ConnectionID{}, Delivered: 1}}
	refused = message.Reject(message.ReasonRefused, "API Gateway answered 400")
	noRoom  = message.Reject(message.ReasonNoRoom, "403")
	unsent  = message.Reject(message.ReasonFollowUpRefused, "403; the queue answered 400")
)

// decision is one row of the table: a situation, and the step that follows.
type decision struct {
	when    string // in words, for the diagram
	message message.Message
	state   message.State
	reject  *message.Rejection // rejection of the record
	event   event
	want    string // the step, as summary writes it
}

// at returns the state at an attempt.
func at(attempt int) message.State { return message.State{Attempt: attempt} }

// after returns the event of a step taken in a state.
func after(a action, s message.State, e event) event {
	e.step.action, e.step.state = a, s
	return e
}

// decisions lists everything that plan decides.
var decisions = []decision{
	{"it can't be read, or is not a message", toA, at(1), refused, event{}, `dead letter (refused: API Gateway answered 400)`},
	{"only its receipt is owed", reporting, message.State{Attempt: 2, Settled: now - 1, Tally: tally{Delivered: 1}}, nil, event{}, `receipt carries {"attempt":2,"tally":{"delivered":1},"settled":999999999999}`},
	{"it has expired, and an earlier attempt has claims", expiring, message.State{Attempt: 2, Holder: "h"}, nil, event{}, `end claims of [a], ending expired`},
	{"it has expired", expiring, at(1), nil, event{}, `done (expired)`},
	{"a broadcast begins that is faster than one record, and asks for no receipt", toCrowd, at(1), nil, event{}, `spread carries {"attempt":1}`},
	{"a page of a broadcast is next", toCrowd, message.State{Attempt: 1, Cursor: "x"}, nil, event{}, `reach page`},
	{"a page of a broadcast is next", toCrowd, message.State{Attempt: 1, Shard: 3}, nil, event{}, `reach page`},
	{"a page of a broadcast is next", message.Message{Broadcast: true, Body: []byte("b"), ID: "1", Receipt: true}, at(1), nil, event{}, `reach page`},
	{"a message to users or a connection, or those a broadcast owes", toA, at(1), nil, event{}, `reach users`},
	{"a message to users or a connection, or those a broadcast owes", toCrowd, message.State{Attempt: 1, Paused: true, Owed: lacking}, nil, event{}, `reach users`},

	{"nothing is owed", toA, at(1), nil, after(reachUsers, at(1), event{attempt: attempt{tally: tally{Delivered: 1}}}), `done (delivered)`},
	{"nothing is owed", toA, at(1), nil, after(reachUsers, at(1), event{attempt: attempt{tally: tally{Offline: 1}}}), `done (offline)`},
	{"nothing is owed", toA, at(1), nil, after(reachUsers, at(1), event{attempt: attempt{tally: tally{Gone: 1}}}), `done (gone)`},
	{"nothing is owed", withID, at(1), nil, after(reachUsers, at(1), event{attempt: attempt{tally: tally{Delivered: 1}, repeated: 1}}), `done (duplicate)`},
	{"nothing is owed, and a receipt was asked for", reporting, at(1), nil, after(reachUsers, at(1), event{attempt: attempt{tally: tally{Delivered: 1}}}), `receipt carries {"attempt":1,"tally":{"delivered":1},"settled":1000000000000}, ending delivered`},
	{"somebody failed", toA, at(1), nil, after(reachUsers, at(1), event{attempt: attempt{owed: lacking, cause: "403"}}), `follow-up in 6 s (failed: 403) carries {"attempt":2,"owed":{"a":{"connections":["c"]}}}`},
	{"somebody failed", toA, at(2), nil, after(reachUsers, at(2), event{attempt: attempt{owed: lacking, cause: "403"}}), `follow-up in 40 s (failed: 403) carries {"attempt":3,"owed":{"a":{"connections":["c"]}}}`},
	{"somebody may come back", toA, at(3), nil, after(reachUsers, at(3), event{attempt: attempt{owed: owedTo{"a": {Waited: true}}, waiting: true}}), `follow-up in 5 s (offline: the user may come back) carries {"attempt":3,"owed":{"a":{"waited":true}}}`},
	{"another delivery holds a claim", withID, at(1), nil, after(reachUsers, at(1), event{attempt: attempt{owed: owedTo{"a": {}}, until: time.UnixMilli(now + 9500)}}), `follow-up in 10 s (duplicate: another delivery of this id is under way) carries {"attempt":1}`},
	{"no connection will ever take it", toA, at(1), nil, after(reachUsers, at(1), event{attempt: attempt{owed: lacking, cause: "400", rejection: refused}}), `dead letter (refused: API Gateway answered 400) carries {"attempt":1,"owed":{"a":{"connections":["c"]}}}`},
	{"the last attempt failed", toA, at(3), nil, after(reachUsers, at(3), event{attempt: attempt{owed: lacking, cause: "403"}}), `dead letter (undelivered: 1 connection owed after 3 attempts, the last one: 403) carries {"attempt":1,"owed":{"a":{"connections":["c"]}}}`},
	{"only claims are still to be marked after the last attempt", withID, at(3), nil, after(reachUsers, message.State{Attempt: 3, Tally: tally{Delivered: 1}}, event{attempt: attempt{owed: marking, cause: "time-out"}}), `done (delivered), warning time-out`},
	{"a broadcast's owed have been reached, and the list goes on", toCrowd, message.State{Attempt: 1, Paused: true}, nil, after(reachUsers, message.State{Attempt: 2, Paused: true, Cursor: "x", OwedSince: 1}, event{}), `next page in 1 s carries {"attempt":1,"cursor":"x"}`},

	{"the list goes on", toCrowd, at(1), nil, after(reachPage, at(1), event{attempt: attempt{cursor: "x", owed: lacking, cause: "403"}}), `next page in 1 s carries {"attempt":1,"owed":{"a":{"connections":["c"]}},"cursor":"x","owedSince":1000000000000}`},
	{"the list has ended, and nobody is owed", toCrowd, at(1), nil, after(reachPage, at(1), event{attempt: attempt{tally: tally{Delivered: 1}}}), `done (delivered)`},
	{"the list has ended or must wait, and somebody is owed", toCrowd, at(1), nil, after(reachPage, at(1), event{attempt: attempt{owed: lacking, cause: "403"}}), `follow-up in 6 s (failed: 403) carries {"attempt":2,"owed":{"a":{"connections":["c"]}},"listed":true,"owedSince":1000000000000}`},
	{"the list has ended or must wait, and somebody is owed", toCrowd, at(1), nil, after(reachPage, message.State{Attempt: 1, OwedSince: now - 30_000}, event{attempt: attempt{cursor: "x", owed: lacking}}), `follow-up in 6 s (failed: an earlier page or another delivery left it owed) carries {"attempt":2,"owed":{"a":{"connections":["c"]}},"cursor":"x","paused":true,"owedSince":999999970000}`},
	{"the page can't be read", toCrowd, at(1), nil, after(reachPage, at(1), event{attempt: attempt{unread: true, cause: "time-out"}}), `follow-up in 6 s (failed: time-out) carries {"attempt":2}`},
	{"the page can't be read at the last attempt, or its cursor is not one", toCrowd, at(3), nil, after(reachPage, at(3), event{attempt: attempt{unread: true, cause: "time-out"}}), `dead letter (undelivered: the rest of the online users owed after 3 attempts, the last one: time-out) carries {"attempt":1}`},

	{"it is on the queue", toA, at(1), nil, after(queueFollowUp, at(1), event{}), `stop`},
	{"it is on the queue, for a receipt", reporting, at(1), nil, after(queueFollowUp, at(1), event{step: step{ending: Offline}}), `done (offline)`},
	{"it has no room", toA, at(1), nil, after(queueFollowUp, at(1), event{unqueued: noRoom, step: step{owed: lacking, cause: "403"}}), `dead letter (no-room-for-follow-up: 403) carries {"attempt":1,"owed":{"a":{"connections":["c"]}}}`},
	{"it is on the queue", toCrowd, at(1), nil, after(queuePage, at(1), event{}), `stop`},
	{"it has no room", toCrowd, at(1), nil, after(queuePage, at(1), event{unqueued: noRoom, step: step{owed: lacking, cause: "no room"}}), `dead letter (no-room-for-follow-up: 403) carries {"attempt":1,"owed":{"a":{"connections":["c"]}},"listed":true}, then goes on`},

	{"SQS refuses it", toA, at(1), nil, after(queueFollowUp, at(1), event{unqueued: unsent, step: step{owed: lacking}}), `dead letter (follow-up-refused: 403; the queue answered 400) carries {"attempt":1,"owed":{"a":{"connections":["c"]}}}`},
	{"SQS refuses it", reporting, at(1), nil, after(queueFollowUp, at(1), event{unqueued: unsent, step: step{carries: message.State{Attempt: 2, Settled: 1}, ending: Offline}}), `dead letter (follow-up-refused: 403; the queue answered 400) carries {"attempt":1,"settled":1}, ending offline`},
	{"SQS refuses it", toCrowd, at(1), nil, after(queuePage, at(1), event{unqueued: unsent, step: step{owed: lacking}}), `dead letter (follow-up-refused: 403; the queue answered 400) carries {"attempt":1,"owed":{"a":{"connections":["c"]}},"listed":true}, then goes on`},
	{"it is on the queue", toCrowd, at(1), nil, after(queueShards, at(1), event{}), `stop`},
	{"SQS refuses it", toCrowd, at(1), nil, after(queueShards, at(1), event{unqueued: unsent}), `dead letter (follow-up-refused: 403; the queue answered 400) carries {"attempt":1}`},
	{"SQS refuses it", toCrowd, at(1), nil, after(queuePage, message.State{Attempt: 1, Cursor: "x"}, event{unqueued: unsent}), `dead letter (follow-up-refused: 403; the queue answered 400) carries {"attempt":1,"cursor":"x"}`},

	{"the message has an Id", withID, at(3), nil, after(writeDeadLetter, at(3), event{step: step{owed: lacking}}), `end claims of [a]`},
	{"nothing is claimed", toA, at(3), nil, after(writeDeadLetter, at(3), event{step: step{owed: lacking}}), `stop`},
	{"nothing is claimed, and a receipt was asked for", reporting, at(1), nil, after(writeDeadLetter, at(1), event{}), `receipt carries {"attempt":1,"settled":1000000000000}`},
	{"a broadcast goes on without those given up", toCrowd, at(3), nil, after(writeDeadLetter, message.State{Attempt: 3, Cursor: "x", Owed: lacking}, event{step: step{owed: lacking, goesOn: true}}), `next page in 1 s carries {"attempt":1,"cursor":"x","tally":{"failed":1}}`},
	{"a broadcast has ended, and some were given up", toCrowd, at(3), nil, after(writeDeadLetter, message.State{Attempt: 3, Listed: true}, event{step: step{owed: lacking, goesOn: true}}), `done (failed)`},
	{"it is a receipt's, of a message that has not been noted", reporting, at(3), nil, after(writeDeadLetter, at(3), event{step: step{carries: message.State{Settled: 1}, ending: Offline}}), `done (offline)`},

	{"a receipt was asked for", reporting, at(3), nil, after(endClaims, message.State{Attempt: 3, Tally: tally{Failed: 1}}, event{}), `receipt carries {"attempt":1,"tally":{"failed":1},"settled":1000000000000}`},
	{"a dead letter has been written", withID, at(3), nil, after(endClaims, at(3), event{}), `stop`},
	{"the message has expired", expiring, at(1), nil, after(endClaims, at(1), event{step: step{ending: Expired}}), `done (expired)`},
	{"a broadcast goes on without those given up", toCrowd, at(3), nil, after(endClaims, at(3), event{step: step{goesOn: true}}), `next page in 1 s carries {"attempt":1}`},

	{"it is published", reporting, at(1), nil, after(publishReceipt, at(1), event{step: step{ending: Delivered}}), `done (delivered)`},
	{"it is published, after a dead letter", reporting, at(1), nil, after(publishReceipt, at(1), event{}), `stop`},
	{"it can't be published", reporting, at(1), nil, after(publishReceipt, at(1), event{failure: "503", step: step{carries: message.State{Attempt: 1, Settled: 1}}}), `follow-up in 6 s (failed: 503) carries {"attempt":2,"settled":1}`},
	{"it will never be published", reporting, at(1), nil, after(publishReceipt, at(1), event{failure: "400", final: true, step: step{carries: message.State{Attempt: 1, Settled: 1}}}), `dead letter (receipt-unpublished: after 1 attempts, the last one: 400) carries {"attempt":1,"settled":1}`},
	{"it can't be published at the last attempt", reporting, at(3), nil, after(publishReceipt, at(3), event{failure: "503", step: step{carries: message.State{Attempt: 3, Settled: 1}}}), `dead letter (receipt-unpublished: after 3 attempts, the last one: 503) carries {"attempt":1,"settled":1}`},

	{"it is noted", toA, at(1), nil, after(finish, at(1), event{}), `stop`},
}

// summary writes a step on one line: all of it except the state that it begins in.
func summary(s step) string {
	text := string(s.action)
	if s.delay > 0 {
		text += fmt.Sprintf(" in %d s", s.delay)
	}
	switch {
	case s.why.Reason != "":
		text += " (" + s.why.String() + ")"
	case s.outcome != "" && s.cause != "":
		text += fmt.Sprintf(" (%s: %s)", s.outcome, s.cause)
	case s.outcome != "":
		text += fmt.Sprintf(" (%s)", s.outcome)
	}
	if s.carries.Says() || s.carries.Attempt > 0 && s.why.Reason != message.ReasonRefused {
		text += " carries " + s.carries.Text()
	}
	if s.action == endClaims {
		text += fmt.Sprintf(" of %v", slices.Sorted(keys(s.owed)))
	}
	for _, more := range []struct {
		words string
		set   bool
	}{
		{", ending " + string(s.ending), s.ending != ""}, {", warning " + s.warning, s.warning != ""}, {", then goes on", s.goesOn},
	} {
		if more.set {
			text += more.words
		}
	}
	return text
}

func keys(owed owedTo) func(func(heliograph.UserID) bool) {
	return func(yield func(heliograph.UserID) bool) {
		for user := range owed {
			if !yield(user) {
				return
			}
		}
	}
}

// decide runs plan on the situation of the row.
func (row decision) decide(chance float64) step {
	j := &job{record: &Record{}, message: row.message, state: row.state, rejection: row.reject}
	return plan(j, row.event, given{now: time.UnixMilli(now), rate: 10, spread: true, chance: chance})
}

// TestPlan proves the step that follows from every situation: the whole state machine, without a single fake.
func TestPlan(t *testing.T) {
	t.Parallel()
	for _, row := range decisions {
		t.Run(string(row.event.step.action)+": "+row.when, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(row.want, summary(row.decide(0.5))); diff != "" {
				t.Errorf("step (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPlanJitters proves that pauses vary upwards from their minimum by half of it, and that nothing else is random.
func TestPlanJitters(t *testing.T) {
	t.Parallel()
	for attempt, want := range map[int][2]int32{1: {5, 7}, 2: {32, 48}} {
		for i, chance := range []float64{0, 0.999999} {
			if got := pause(attempt, given{chance: chance}); got != want[i] {
				t.Errorf("attempt %d, chance %v: %d s, want %d", attempt, chance, got, want[i])
			}
		}
	}
}

// TestPicture proves that the diagram in docs/sending.md matches the table. -update redraws it.
func TestPicture(t *testing.T) {
	t.Parallel()
	const path, begin, end = "../docs/sending.md", "<!-- the picture of delivery/plan_test.go -->\n", "<!-- the picture ends -->\n"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), begin)
	old, behind, ends := strings.Cut(rest, end)
	if !found || !ends {
		t.Fatalf("%s has no place for the picture, between %q and %q", path, begin, end)
	}
	drawn := picture()
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+drawn+end+behind), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(drawn, old); diff != "" {
		t.Errorf("the picture is out of date; `go test ./delivery -run TestPicture -update` draws it anew (-want +got):\n%s", diff)
	}
}

// picture draws the table as a Mermaid state diagram: one arrow for each pair of steps, labeled with every situation
// that leads along it.
func picture() string {
	var arrows []string
	labels := map[string][]string{}
	for _, row := range decisions {
		arrow := node(row.event.step.action, "[*]") + " --> " + node(row.decide(0.5).action, "[*]")
		if labels[arrow] == nil {
			arrows = append(arrows, arrow)
		}
		if !slices.Contains(labels[arrow], row.when) {
			labels[arrow] = append(labels[arrow], row.when)
		}
	}
	var text strings.Builder
	text.WriteString("```mermaid\nstateDiagram-v2\n")
	for _, arrow := range arrows {
		fmt.Fprintf(&text, "    %s: %s\n", arrow, strings.Join(labels[arrow], " / "))
	}
	text.WriteString("```\n")
	return text.String()
}

// node returns a step's name in the diagram.
func node(a action, edge string) string {
	if a == receive || a == stop {
		return edge
	}
	return strings.ReplaceAll(strings.ReplaceAll(string(a), " ", "_"), "-", "_")
}

package journey

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// teller assembles a journey.
type teller struct {
	ids   map[string]bool // ids of the message: SQS's, the producer's, and those of its follow-ups
	lines []Line
	spans []Segment // of the function send, one for each attempt
	steps []Step
	seen  map[int]bool // attempts already described
}

// Tell reconstructs a message's journey from lines and segments in any order; those of other messages are ignored. A
// line or a segment that occurs twice counts once.
func Tell(id string, lines []Line, segments []Segment, now time.Time) Journey {
	t := &teller{ids: map[string]bool{id: true}, seen: map[int]bool{}, steps: []Step{}}
	t.gather(lines, segments)
	for _, s := range t.spans {
		t.received(s)
	}
	for _, l := range t.lines {
		t.logged(l)
	}
	slices.SortStableFunc(t.steps, func(a, b Step) int { return a.At.Compare(b.At) })
	j := Journey{ID: id, Steps: t.steps}
	t.conclude(&j, now)
	return j
}

// gather collects everything about the message. A follow-up has an id of its own, found only in the log line of the
// previous attempt.
func (t *teller) gather(lines []Line, segments []Segment) {
	for grown := true; grown; {
		grown = false
		for _, l := range lines {
			if t.ids[l.MessageID] || l.ID != "" && t.ids[l.ID] || slices.ContainsFunc(l.QueuedAs, func(id string) bool { return t.ids[id] }) {
				grown = t.know(l.MessageID) || grown
				for _, id := range l.QueuedAs {
					grown = t.know(id) || grown
				}
			}
		}
	}
	for _, l := range lines {
		if t.ids[l.MessageID] && !slices.ContainsFunc(t.lines, func(o Line) bool {
			return o.Time.Equal(l.Time) && o.Message == l.Message && o.MessageID == l.MessageID
		}) {
			t.lines = append(t.lines, l)
		}
	}
	for _, s := range segments {
		t.find(s, s.TraceID)
	}
}

// know adds an id of the message, and reports whether it is new.
func (t *teller) know(id string) (isNew bool) {
	isNew = id != "" && !t.ids[id]
	if isNew {
		t.ids[id] = true
	}
	return isNew
}

// find collects the message's spans from a segment, at any depth.
func (t *teller) find(s Segment, trace string) {
	if s.Name == SpanMessage && (t.ids[s.text(AnnotationMessageID)] || t.ids[s.text(annotationID)]) {
		s.TraceID = trace
		if !slices.ContainsFunc(t.spans, func(o Segment) bool { return o.Start == s.Start && o.TraceID == s.TraceID }) {
			t.spans = append(t.spans, s)
		}
	}
	for _, child := range s.Subsegments {
		t.find(child, trace)
	}
}

// received describes one attempt: when the message was queued, when it was received, and how each post went.
func (t *teller) received(s Segment) {
	attempt := max(1, int(s.number(annotationAttempt)))
	id := s.text(AnnotationMessageID)
	if sent := s.number(annotationSentAt); sent > 0 && attempt == 1 && !t.seen[1] {
		t.add(Step{At: time.UnixMilli(sent).UTC(), Title: "Queued", Status: ok, MessageID: id})
	}
	t.seen[attempt] = true
	received := Step{At: at(s.Start), Title: "Received by send", Status: ok, Attempt: attempt, MessageID: id, TraceID: s.TraceID}
	if s.InProgress {
		received.Status, received.Detail = warn, "The attempt never came to an end: it ran into its deadline, or was killed."
	}
	t.add(received)
	t.posts(s, attempt)
	if outcome := s.text(annotationOutcome); !s.InProgress && outcome != "" && !t.logs(attempt) {
		t.add(Step{At: at(s.End), Title: titleOf(outcome), Status: statusOf(outcome), Attempt: attempt, TraceID: s.TraceID})
	}
}

// posts describes each post to a connection.
func (t *teller) posts(s Segment, attempt int) {
	for _, call := range s.Subsegments {
		if call.AWS.Operation == "PostToConnection" {
			t.add(postStep(call, attempt))
		}
		t.posts(call, attempt)
	}
}

// postStep describes one post. A 410 is only a warning: the client has left.
func postStep(call Segment, attempt int) Step {
	step := Step{At: at(call.Start), Title: "Posted to a connection", Status: ok, Attempt: attempt}
	if call.AWS.ConnectionID != "" {
		step.Title = "Posted to " + call.AWS.ConnectionID
	}
	status := call.HTTP.Response.Status
	switch {
	case status == 410:
		step.Status, step.Detail = warn, "410: the connection is gone"
	case status >= 300 || call.Error || call.Fault || call.Throttle:
		step.Status, step.Detail = bad, fmt.Sprintf("answered %d", status)
		if status == 0 {
			step.Detail = "no answer"
		}
	default:
		step.Detail = fmt.Sprintf("answered %d after %.1f ms", status, 1000*(call.End-call.Start))
	}
	if call.AWS.Retries > 0 {
		step.Detail += fmt.Sprintf(", tried %d times", call.AWS.Retries+1)
	}
	return step
}

// logs reports whether a log line records how an attempt ended.
func (t *teller) logs(attempt int) bool {
	return slices.ContainsFunc(t.lines, func(l Line) bool { return l.Attempt == attempt && l.Outcome != "" })
}

// logged describes a line.
func (t *teller) logged(l Line) {
	step := Step{At: l.Time, Title: l.Message, Status: statusOf(l.Outcome), Attempt: l.Attempt, TraceID: l.TraceID, MessageID: strings.Join(l.QueuedAs, ", ")}
	var details []string
	switch l.Message {
	case "follow-up queued":
		step.Title, step.Status = "Follow-up queued", warn
		details = append(details, fmt.Sprintf("%d still owed, %d delivered, tried again after %d s", l.Owed, l.Delivered, l.DelaySeconds))
	case "message done":
		step.Title = titleOf(l.Outcome)
		if l.Delivered+l.Gone > 0 {
			details = append(details, fmt.Sprintf("%d delivered, %d gone", l.Delivered, l.Gone))
		}
	case "message dead-lettered":
		step.Title, step.Status = "Dead-lettered", bad
	case "message goes back to the queue":
		step.Title, step.Status = "Goes back to the queue", warn
	}
	if why := strings.TrimPrefix(l.Reason+": "+l.Cause, ": "); why != "" {
		details = append(details, strings.TrimSuffix(why, ": "))
	}
	if len(l.ConnectionIDs) > 0 {
		details = append(details, "connections "+strings.Join(l.ConnectionIDs, ", "))
	}
	step.Detail = strings.Join(details, "; ")
	t.add(step)
}

func (t *teller) add(s Step) { t.steps = append(t.steps, s) }

func titleOf(outcome string) string {
	switch outcome {
	case "failed":
		return "Posts failed"
	case "":
		return "Ended"
	}
	return strings.ToUpper(outcome[:1]) + outcome[1:]
}

func statusOf(outcome string) string {
	switch outcome {
	case "delivered", "duplicate":
		return ok
	case "offline", "expired", "gone":
		return warn
	case "failed", "rejected":
		return bad
	}
	return info
}

// late: a follow-up still missing this long after it was due is reported as a gap.
const late = 30 * time.Second

// conclude sets the outcome and names the gaps.
func (t *teller) conclude(j *Journey, now time.Time) {
	if len(j.Steps) == 0 {
		j.Outcome, j.Status = "unknown", info
		j.Summary = "No log line and no trace names this message: it was never received, it is older than what is kept, or its trace was not sampled."
		return
	}
	t.nameGaps(j, now)
	last := j.Steps[len(j.Steps)-1]
	j.Outcome, j.Status = strings.ToLower(last.Title), last.Status
	switch last.Title {
	case "Follow-up queued", "Received by send", "Queued", "Goes back to the queue":
		j.Outcome, j.Status = "under way", info
	}
	if last.Status == gap {
		j.Outcome, j.Status = "lost from sight", warn
		if last.At.IsZero() { // not due yet
			j.Outcome, j.Status = "under way", info
		}
	}
	j.Summary = summary(j.Steps)
}

// summary counts steps and attempts, and gives the time between the first and the last step with a known time.
func summary(steps []Step) string {
	attempts := 1
	var first, last time.Time
	for _, s := range steps {
		attempts = max(attempts, s.Attempt)
		if first.IsZero() {
			first = s.At
		}
		if !s.At.IsZero() {
			last = s.At
		}
	}
	text := fmt.Sprintf("%d steps, %d attempts", len(steps), attempts)
	if attempts == 1 {
		text = fmt.Sprintf("%d steps, 1 attempt", len(steps))
	}
	if took := last.Sub(first); took > 0 {
		text += ", " + took.Round(time.Millisecond).String()
	}
	return text
}

// nameGaps names events that should have left a trace and did not: being queued, and a follow-up that was never
// received.
func (t *teller) nameGaps(j *Journey, now time.Time) {
	if j.Steps[0].Title != "Queued" {
		j.Steps = slices.Insert(j.Steps, 0, Step{
			Title: "When it was queued is not known", Status: gap, Detail: "The first attempt left no trace: it was not sampled, or has made room for newer ones.",
		})
	}
	last := j.Steps[len(j.Steps)-1]
	if last.Title != "Follow-up queued" {
		return
	}
	due := last.At.Add(t.delay(last.Attempt))
	switch {
	case now.Before(due):
		j.Steps = append(j.Steps, Step{Title: "Waits for its next attempt", Status: gap, Attempt: last.Attempt + 1, Detail: "due " + due.Format(time.TimeOnly)})
	case now.After(due.Add(late)):
		j.Steps = append(j.Steps, Step{At: due, Title: "The next attempt left no trace", Status: gap, Attempt: last.Attempt + 1, Detail: "It is on the queue still, its trace was not sampled, or the function was killed: see Queues."})
	}
}

// delay is how long the queue held back the follow-up of an attempt.
func (t *teller) delay(attempt int) time.Duration {
	for _, l := range t.lines {
		if l.Message == "follow-up queued" && l.Attempt == attempt {
			return time.Duration(l.DelaySeconds) * time.Second
		}
	}
	return 0
}

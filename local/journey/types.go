package journey

import (
	"encoding/json"
	"fmt"
	"time"
)

// Journey is the history of a message. Its JSON is the output of `heliograph journey --json`.
type Journey struct {
	// ID is the message id in the query, or the Id that the producer gave the message.
	ID string `json:"id"`
	// Outcome is delivered, offline, expired, rejected, dead-lettered, under way, or unknown.
	Outcome string `json:"outcome"`
	// Status is ok, warn, bad or info.
	Status  string `json:"status"`
	Summary string `json:"summary"`
	Steps   []Step `json:"steps"`
}

// Step is one event in a message's history or, with the status "gap", one that should have left a trace.
type Step struct {
	At        time.Time `json:"at,omitzero"`
	Title     string    `json:"title"`
	Status    string    `json:"status"`
	Detail    string    `json:"detail,omitempty"`
	Attempt   int       `json:"attempt,omitempty"`
	MessageID string    `json:"messageId,omitempty"`
	TraceID   string    `json:"traceId,omitempty"`
}

// Statuses of steps and journeys.
const (
	ok   = "ok"
	warn = "warn"
	bad  = "bad"
	info = "info"
	gap  = "gap"
)

// Line is a line that the function send logged about a message.
type Line struct {
	Time          time.Time `json:"timestamp"`
	Message       string    `json:"message"`
	TraceID       string    `json:"traceId"`
	MessageID     string    `json:"messageId"`
	ID            string    `json:"id"`
	Attempt       int       `json:"attempt"`
	Outcome       string    `json:"outcome"`
	Reason        string    `json:"reason"`
	Cause         string    `json:"cause"`
	Delivered     int       `json:"delivered"`
	Gone          int       `json:"gone"`
	Owed          int       `json:"owed"`
	DelaySeconds  int       `json:"delaySeconds"`
	ConnectionIDs []string  `json:"connectionIds"`
	// QueuedAs holds the SQS ids of the follow-ups, or of the dead letters, that the message became.
	QueuedAs []string `json:"queuedAs"`
}

// ReadLine parses a line of JSON. A line in any other format is an error.
func ReadLine(text string) (l Line, err error) {
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return l, fmt.Errorf("read a log line: %w", err)
	}
	return l, nil
}

// Segment is the part of an X-Ray segment document, or of a subsegment, that concerns messages.
type Segment struct {
	TraceID     string         `json:"trace_id"`
	Name        string         `json:"name"`
	Start       float64        `json:"start_time"`
	End         float64        `json:"end_time"`
	InProgress  bool           `json:"in_progress"`
	Error       bool           `json:"error"`
	Fault       bool           `json:"fault"`
	Throttle    bool           `json:"throttle"`
	Annotations map[string]any `json:"annotations"`
	AWS         struct {
		Operation    string `json:"operation"`
		ConnectionID string `json:"connection_id"`
		Retries      int    `json:"retries"`
	} `json:"aws"`
	HTTP struct {
		Response struct {
			Status int `json:"status"`
		} `json:"response"`
	} `json:"http"`
	Subsegments []Segment `json:"subsegments"`
}

// ReadSegment parses a segment document.
func ReadSegment(document string) (s Segment, err error) {
	if err := json.Unmarshal([]byte(document), &s); err != nil {
		return s, fmt.Errorf("read a segment document: %w", err)
	}
	return s, nil
}

// Names of spans and their annotations, as the function send gives them.
const (
	SpanMessage         = "message"
	AnnotationMessageID = "messageId"
	annotationID        = "id"
	annotationAttempt   = "attempt"
	annotationOutcome   = "outcome"
	annotationSentAt    = "sentAt" // Unix milliseconds
)

func (s Segment) text(annotation string) string {
	switch v := s.Annotations[annotation].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

func (s Segment) number(annotation string) int64 {
	var n int64
	if v, isNumber := s.Annotations[annotation].(float64); isNumber {
		return int64(v)
	}
	_, _ = fmt.Sscan(s.text(annotation), &n)
	return n
}

func at(seconds float64) time.Time { return time.UnixMicro(int64(seconds * 1e6)).UTC() }

package xray

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// TraceID is 1-<8 hex digits>-<24 hex digits>.
type TraceID string

// Segment is a segment or subsegment.
type Segment struct {
	ID, ParentID, Name, Namespace string
	// Origin is AWS::Lambda, AWS::Lambda::Function and so on; empty for subsegments.
	Origin string
	// End is zero while the segment is in progress.
	Start, End             time.Time
	InProgress             bool
	Error, Fault, Throttle bool
	// Annotations are strings, numbers (float64) and booleans.
	Annotations map[string]any
	// Metadata, HTTP, AWS and Cause are as received, nil if absent.
	Metadata, HTTP, AWS, Cause json.RawMessage
	// Children are in order of start.
	Children []*Segment
}

// document is a segment as it is sent.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
type document struct {
	Name        string          `json:"name"`
	ID          string          `json:"id"`
	TraceID     TraceID         `json:"trace_id"`
	ParentID    string          `json:"parent_id"`
	Type        string          `json:"type"`
	StartTime   *float64        `json:"start_time"`
	EndTime     *float64        `json:"end_time"`
	InProgress  bool            `json:"in_progress"`
	Namespace   string          `json:"namespace"`
	Origin      string          `json:"origin"`
	Error       bool            `json:"error"`
	Fault       bool            `json:"fault"`
	Throttle    bool            `json:"throttle"`
	Annotations map[string]any  `json:"annotations"`
	Metadata    json.RawMessage `json:"metadata"`
	HTTP        json.RawMessage `json:"http"`
	AWS         json.RawMessage `json:"aws"`
	Cause       json.RawMessage `json:"cause"`
	Subsegments []document      `json:"subsegments"`
}

var (
	traceID        = regexp.MustCompile(`^1-[0-9a-f]{8}-[0-9a-f]{24}$`)
	segmentID      = regexp.MustCompile(`^[0-9a-f]{16}$`)
	annotationName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
)

// maxDocument is the largest document that X-Ray accepts, in bytes.
const maxDocument = 64 << 10

func checkHeader(line []byte) error {
	var header struct {
		Format  string
		Version int
	}
	if err := json.Unmarshal(line, &header); err != nil || header.Format != "json" || header.Version != 1 {
		return fmt.Errorf("the header line %.80q is not that of a segment document", line)
	}
	return nil
}

// readDocument parses a document, and refuses what X-Ray refuses.
func readDocument(text []byte) (document, error) {
	var doc document
	if len(text) > maxDocument {
		return doc, fmt.Errorf("a document has %d bytes; the limit is %d", len(text), maxDocument)
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return doc, fmt.Errorf("a document is not as expected: %w", err)
	}
	if !traceID.MatchString(string(doc.TraceID)) {
		return doc, fmt.Errorf("the trace id %q is not 1-<8 hex digits>-<24 hex digits>", doc.TraceID)
	}
	if doc.Type == "subsegment" && doc.ParentID == "" {
		return doc, fmt.Errorf("the subsegment %q has no parent_id", doc.Name)
	}
	return doc, doc.check()
}

// check refuses what X-Ray would drop silently, and reports the reason.
func (d document) check() error {
	switch {
	case d.Name == "" || len(d.Name) > 200:
		return fmt.Errorf("a name has %d characters", len(d.Name))
	case !segmentID.MatchString(d.ID):
		return fmt.Errorf("the id %q of %q is not 16 hex digits", d.ID, d.Name)
	case d.ParentID != "" && !segmentID.MatchString(d.ParentID):
		return fmt.Errorf("the parent_id %q of %q is not 16 hex digits", d.ParentID, d.Name)
	case d.StartTime == nil:
		return fmt.Errorf("%q has no start_time", d.Name)
	case d.EndTime == nil && !d.InProgress:
		return fmt.Errorf("%q has no end_time and is not in progress", d.Name)
	}
	for name, v := range d.Annotations {
		switch v.(type) {
		case string, float64, bool:
		default:
			return fmt.Errorf("the annotation %s of %q is no string, number or boolean", name, d.Name)
		}
		if !annotationName.MatchString(name) {
			return fmt.Errorf("the annotation %q of %q can't be searched for: its name has other characters than letters, digits and _", name, d.Name)
		}
	}
	var errs []error
	for _, sub := range d.Subsegments {
		errs = append(errs, sub.check())
	}
	return errors.Join(errs...)
}

// segments collects the document and everything nested in it, flat.
func (d document) segments(parent string, to map[string]*Segment) {
	s := &Segment{
		ID: d.ID, ParentID: d.ParentID, Name: d.Name, Namespace: d.Namespace, Origin: d.Origin, Start: seconds(*d.StartTime),
		InProgress: d.InProgress, Error: d.Error, Fault: d.Fault, Throttle: d.Throttle, Annotations: d.Annotations,
		Metadata: d.Metadata, HTTP: d.HTTP, AWS: d.AWS, Cause: d.Cause,
	}
	if parent != "" {
		s.ParentID = parent
	}
	if d.EndTime != nil {
		s.End = seconds(*d.EndTime)
	}
	if old := to[s.ID]; old == nil || old.InProgress { // a finished segment replaces one in progress, never the reverse
		to[s.ID] = s
	}
	for _, sub := range d.Subsegments {
		sub.segments(d.ID, to)
	}
}

func seconds(s float64) time.Time { return time.UnixMicro(int64(s * 1e6)).UTC() }

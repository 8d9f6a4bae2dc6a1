package xray

import "encoding/json"

// BatchedTrace is a trace in the form of BatchGetTraces.
type BatchedTrace struct {
	ID       TraceID `json:"Id"`
	Duration float64
	Segments []SegmentDocument
}

// SegmentDocument is a segment with everything nested in it, as JSON.
type SegmentDocument struct {
	ID       string `json:"Id"`
	Document string
}

// Document returns the trace in the form of BatchGetTraces.
func (t Trace) Document() BatchedTrace {
	d := BatchedTrace{ID: t.ID, Duration: t.Duration.Seconds(), Segments: []SegmentDocument{}}
	for _, root := range t.Roots {
		members := segmentMembers(root)
		members["trace_id"] = t.ID
		if root.ParentID != "" {
			members["parent_id"] = root.ParentID
		}
		text, _ := json.Marshal(members) // all of it was received as JSON
		d.Segments = append(d.Segments, SegmentDocument{root.ID, string(text)})
	}
	return d
}

// segmentMembers returns a segment's members in a segment document; unset ones are left out.
func segmentMembers(s *Segment) map[string]any {
	m := map[string]any{"id": s.ID, "name": s.Name, "start_time": float64(s.Start.UnixMicro()) / 1e6}
	if !s.End.IsZero() {
		m["end_time"] = float64(s.End.UnixMicro()) / 1e6
	}
	for name, text := range map[string]string{"namespace": s.Namespace, "origin": s.Origin} {
		if text != "" {
			m[name] = text
		}
	}
	for name, set := range map[string]bool{"in_progress": s.InProgress, "error": s.Error, "fault": s.Fault, "throttle": s.Throttle} {
		if set {
			m[name] = true
		}
	}
	for name, raw := range map[string]json.RawMessage{"metadata": s.Metadata, "http": s.HTTP, "aws": s.AWS, "cause": s.Cause} {
		if raw != nil {
			m[name] = raw
		}
	}
	if len(s.Annotations) > 0 {
		m["annotations"] = s.Annotations
	}
	var children []any
	for _, child := range s.Children {
		children = append(children, segmentMembers(child))
	}
	if children != nil {
		m["subsegments"] = children
	}
	return m
}

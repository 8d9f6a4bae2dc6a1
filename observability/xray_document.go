package observability

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/aws/aws-xray-sdk-go/v2/strategy/exception"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
)

// maxDocument leaves room in a datagram of 64 KB for its header. A larger datagram is lost without a word.
const maxDocument = 60 << 10

// node is a subsegment and the one that it is below.
type node struct{ seg, above *xray.Segment }

// rawJSON is metadata that is encoded already.
type rawJSON = json.RawMessage

// document is a subsegment as the daemon takes it
// (docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html).
type document struct {
	TraceID     string                    `json:"trace_id,omitempty"`
	ID          string                    `json:"id"`
	ParentID    string                    `json:"parent_id,omitempty"`
	Type        string                    `json:"type,omitempty"`
	Name        string                    `json:"name"`
	StartTime   float64                   `json:"start_time"`
	EndTime     float64                   `json:"end_time,omitempty"`
	InProgress  bool                      `json:"in_progress,omitempty"`
	Fault       bool                      `json:"fault,omitempty"`
	Error       bool                      `json:"error,omitempty"`
	Throttle    bool                      `json:"throttle,omitempty"`
	Cause       any                       `json:"cause,omitempty"`
	Namespace   string                    `json:"namespace,omitempty"`
	HTTP        *xray.HTTPData            `json:"http,omitempty"`
	AWS         map[string]any            `json:"aws,omitempty"`
	Annotations map[string]any            `json:"annotations,omitempty"`
	Metadata    map[string]map[string]any `json:"metadata,omitempty"`
}

// send sends every subsegment, those that are open as in progress. It may be called again: X-Ray puts the later
// document of an id in the place of the earlier one.
func (x *xrayTrace) send() {
	defer survive("send")
	x.mu.Lock()
	nodes := x.nodes
	x.mu.Unlock()
	below := map[*xray.Segment][]*xray.Segment{}
	for _, n := range nodes {
		below[n.above] = append(below[n.above], n.seg)
	}
	if root := x.seg; root != nil {
		x.write(x.pack(root, root.ParentSegment, below, true))
	}
}

// pack is the document of a subsegment with as much of what is below it as fits. The rest is sent on its own.
func (x *xrayTrace) pack(seg, above *xray.Segment, below map[*xray.Segment][]*xray.Segment, alone bool) []byte {
	d := read(seg)
	if alone {
		d.Type, d.TraceID, d.ParentID = "subsegment", seg.ParentSegment.TraceID, above.ID
	}
	b := d.bytes()
	b = b[:len(b)-1] // up to its closing brace
	separator := `,"subsegments":[`
	for _, child := range below[seg] {
		nested := x.pack(child, seg, below, false)
		if len(b)+len(nested)+300 > maxDocument { // 300: what makes it a document of its own, and brackets
			x.write(asDocument(nested, seg))
			continue
		}
		b = append(append(b, separator...), nested...)
		separator = ","
	}
	if separator == "," {
		b = append(b, ']')
	}
	return append(b, '}')
}

// asDocument makes a document of its own of a nested one.
func asDocument(nested []byte, above *xray.Segment) []byte {
	head, _ := json.Marshal(map[string]string{"type": "subsegment", "trace_id": above.ParentSegment.TraceID, "parent_id": above.ID})
	return append(append(head[:len(head)-1], ','), nested[1:]...)
}

// read copies a segment, which others may be writing to.
func read(seg *xray.Segment) document {
	seg.RLock()
	defer seg.RUnlock()
	d := document{
		ID: seg.ID, Name: seg.Name, StartTime: seg.StartTime, EndTime: seg.EndTime, InProgress: seg.InProgress,
		Fault: seg.Fault, Error: seg.Error, Throttle: seg.Throttle, Namespace: seg.Namespace,
		AWS: cloned(seg.AWS), Annotations: cloned(seg.Annotations),
	}
	if seg.HTTP != nil {
		http := *seg.HTTP
		d.HTTP = &http
	}
	if len(seg.Metadata) > 0 {
		d.Metadata = map[string]map[string]any{"default": cloned(seg.Metadata["default"])}
	}
	if seg.Cause != nil && len(seg.Cause.Exceptions) > 0 {
		d.Cause = causeOf(seg.Cause.Exceptions)
	}
	return d
}

func cloned(m map[string]any) map[string]any {
	if len(m) == 0 {
		return nil
	}
	c := make(map[string]any, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

// causeOf is an exception, or the id of one that another subsegment has.
func causeOf(all []exception.Exception) any {
	if last := all[len(all)-1]; last.Message == "" && last.Type == "" {
		return last.ID
	}
	return map[string]any{"exceptions": all}
}

// bytes is the document as JSON. A single subsegment that would not fit into a datagram gives up its metadata first, then
// the length of its texts.
func (d *document) bytes() []byte {
	b, err := json.Marshal(d)
	if err == nil && len(b) <= maxDocument {
		return b
	}
	d.Metadata = nil
	for key, value := range d.Annotations {
		if text, ok := value.(string); ok {
			d.Annotations[key] = cut(text, 100)
		}
	}
	b, _ = json.Marshal(d)
	return b
}

// cut keeps the first characters of a text.
func cut(text string, characters int) string {
	n := 0
	for i := range text {
		if n++; n > characters {
			return text[:i]
		}
	}
	return text
}

// annotation is a value as X-Ray takes it: a text that is redacted and cut, a number or a bool.
func annotation(key string, value any) any {
	v := reflect.ValueOf(value)
	switch {
	case v.Kind() == reflect.String:
		return cut(strings.ToValidUTF8(guard(key, v.String()), "\uFFFD"), maxAnnotation)
	case v.Kind() == reflect.Bool:
		return v.Bool()
	case judge(key) != free:
		return judge(key).of(scalar(v).String())
	case v.CanInt():
		return v.Int()
	}
	if f := v.Float(); representable(f) {
		return f
	}
	return printable(v.Float()) // JSON has no NaN
}

// exceptions is the SDK's strategy to write an error down: cut, redacted, and once in a trace. A wrapper of an error that
// was noted before refers to it by its id.
type exceptions struct {
	*exception.DefaultFormattingStrategy
	trace *xrayTrace
}

var _ exception.FormattingStrategy = exceptions{}

func (s exceptions) ExceptionFromError(err error) exception.Exception {
	s.trace.mu.Lock()
	defer s.trace.mu.Unlock()
	if id := s.trace.noted(err); id != "" {
		return exception.Exception{ID: id}
	}
	e := s.DefaultFormattingStrategy.ExceptionFromError(err)
	e.Message = errorText(err)
	if e.Type != typePanic {
		e.Type = errorTypes(err)[0]
	}
	if key := identity(err); key != nil {
		s.trace.causes[key] = e.ID
	}
	return e
}

// noted is the id of the exception that an error, or one that it wraps, was written down as.
func (x *xrayTrace) noted(err error) string {
	if id := x.causes[identity(err)]; id != "" {
		return id
	}
	for _, wrapped := range wrappedBy(err) {
		if wrapped == nil {
			continue
		}
		if id := x.noted(wrapped); id != "" {
			return id
		}
	}
	return ""
}

// identity is what makes an error the same one again: that it is the same object. A panic, which each span recovers
// anew, is known by its text. Others have none.
func identity(err error) any {
	if p, ok := err.(*exception.XRayError); ok && p.Type == typePanic {
		return p.Message
	}
	if reflect.TypeOf(err).Kind() == reflect.Pointer {
		return err
	}
	return nil
}

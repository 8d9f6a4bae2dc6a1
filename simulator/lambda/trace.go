package lambda

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// trace is an invocation's place in an X-Ray trace.
type trace struct {
	root     string // 1-<time>-<id>
	parent   string // the caller's segment, or empty
	service  string // the id of Lambda's service segment
	function string // the id of the function's segment, the parent of the function's own segments
	sampled  bool
}

// newTrace continues the caller's trace, or starts a new one.
func (p *Platform) newTrace(f *function, header string) trace {
	t := trace{service: randomHex(8), function: randomHex(8), sampled: f.Tracing && p.options.XRayDaemon != ""}
	for part := range strings.SplitSeq(header, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "Root":
			t.root = value
		case "Parent":
			t.parent = value
		case "Sampled":
			t.sampled = t.sampled && value != "0"
		}
	}
	if t.root == "" {
		t.root = fmt.Sprintf("1-%08x-%s", p.options.Now().Unix(), randomHex(12))
	}
	return t
}

// header is the trace header that the function receives.
func (t trace) header() string {
	sampled := "0"
	if t.sampled {
		sampled = "1"
	}
	return "Root=" + t.root + ";Parent=" + t.function + ";Sampled=" + sampled
}

// document is a segment in X-Ray's format.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
type document struct {
	Name       string         `json:"name"`
	ID         string         `json:"id"`
	TraceID    string         `json:"trace_id"`
	ParentID   string         `json:"parent_id,omitempty"`
	StartTime  float64        `json:"start_time"`
	EndTime    float64        `json:"end_time"`
	Origin     string         `json:"origin"`
	Fault      bool           `json:"fault,omitempty"`
	AWS        map[string]any `json:"aws"`
	HTTP       map[string]any `json:"http,omitempty"`
	Subsegment []document     `json:"subsegments,omitempty"`
}

// segments writes the two segments that Lambda itself contributes: the service's and the function's.
func (p *Platform) segments(inv *invocation) {
	if p.options.Segment == nil || !inv.trace.sampled || inv.began.IsZero() {
		return
	}
	t, fault := inv.trace, inv.answer.isError
	start := inv.began.Add(-inv.initDuration)
	service := document{
		Name: string(inv.f.Name), ID: t.service, TraceID: t.root, ParentID: t.parent, Origin: "AWS::Lambda", Fault: fault,
		StartTime: seconds(start), EndTime: seconds(inv.began.Add(inv.duration)),
		AWS:  map[string]any{"request_id": inv.id, "resource_names": []string{string(inv.f.Name)}},
		HTTP: map[string]any{"response": map[string]int{"status": 200}},
	}
	function := document{
		Name: string(inv.f.Name), ID: t.function, TraceID: t.root, ParentID: t.service, Origin: "AWS::Lambda::Function",
		StartTime: seconds(inv.began), EndTime: seconds(inv.began.Add(inv.duration)), Fault: fault,
		AWS: map[string]any{"request_id": inv.id, "function_arn": inv.f.ARN, "account_id": p.options.Account, "cold_start": inv.initDuration > 0},
	}
	for _, d := range []document{service, function} {
		if text, err := json.Marshal(d); err == nil {
			p.options.Segment(text)
		}
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

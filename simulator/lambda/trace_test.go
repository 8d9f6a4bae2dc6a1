package lambda

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
)

// TestSegments proves that Lambda's own two segments are above the function's: the parent that the function is told is
// the function's segment.
func TestSegments(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		caller  string
		tracing bool
		daemon  string
		want    int
		root    string
	}{
		"traced":              {tracing: true, daemon: "127.0.0.1:9", want: 2},
		"caller's trace":      {tracing: true, daemon: "127.0.0.1:9", caller: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=000000000000000a;Sampled=1", want: 2, root: "1-5759e988-bd862e3fe1be46a994272793"},
		"caller is not":       {tracing: true, daemon: "127.0.0.1:9", caller: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0", root: "1-5759e988-bd862e3fe1be46a994272793"},
		"function is not":     {daemon: "127.0.0.1:9"},
		"nowhere to trace to": {tracing: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var documents []document
			p, _ := newPlatform(t, Options{XRayDaemon: tt.daemon, Segment: func(text []byte) {
				var d document
				if err := json.Unmarshal(text, &d); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				documents = append(documents, d)
			}})
			f := create(t, p, "context", func(c *Config) { c.Tracing = tt.tracing })
			result, err := p.Invoke(t.Context(), Request{Function: f.ARN, TraceHeader: tt.caller})
			if err != nil {
				t.Fatal(err)
			}
			var got struct{ Trace string }
			if err := json.Unmarshal(result.Payload, &got); err != nil {
				t.Fatal(err)
			}
			if sampled := strings.HasSuffix(got.Trace, ";Sampled=1"); sampled != (tt.want > 0) || !strings.Contains(got.Trace, tt.root) {
				t.Errorf("the function was told %s", got.Trace)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(documents) != tt.want {
				t.Fatalf("there are %d documents", len(documents))
			}
			if tt.want == 0 {
				return
			}
			service, function := documents[0], documents[1]
			if service.Origin != "AWS::Lambda" || function.Origin != "AWS::Lambda::Function" || function.ParentID != service.ID ||
				!strings.Contains(got.Trace, "Root="+function.TraceID+";Parent="+function.ID+";") || service.EndTime < function.StartTime {
				t.Errorf("the documents are %+v, the header is %s", documents, got.Trace)
			}
			if tt.caller != "" && service.ParentID != "000000000000000a" {
				t.Errorf("the caller's segment is not the parent: %+v", service)
			}
		})
	}
}

package console

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"heliograph/simulator/cloudwatch"
)

// logLine is a line of a log group, read as far as it can be.
type logLine struct {
	Group    string    `json:"group"`
	Sequence uint64    `json:"sequence"`
	Time     time.Time `json:"time"`
	// Level is DEBUG, INFO, WARN, ERROR; METRICS for a line in the embedded metric format, PLATFORM for Lambda's own.
	Level   string         `json:"level"`
	Message string         `json:"message"`
	TraceID string         `json:"traceId,omitempty"`
	Fields  map[string]any `json:"fields,omitempty"`
	raw     string
}

// Levels beside those of the functions.
const (
	levelMetrics  = "METRICS"
	levelPlatform = "PLATFORM"
)

// linesShown is how many lines an answer has at most.
const linesShown = 300

type logFilter struct {
	group  string
	levels []string // none: all
	text   string
}

type logList struct {
	Groups []string  `json:"groups"`
	Lines  []logLine `json:"lines"`
}

func (c *console) logs(r *http.Request) (any, error) {
	q := r.URL.Query()
	f := logFilter{group: q.Get("group"), text: q.Get("q")}
	if levels := q.Get("levels"); levels != "" {
		f.levels = strings.Split(levels, ",")
	}
	list := logList{Groups: []string{}, Lines: c.search(f)}
	for _, g := range c.Watch.Groups() {
		list.Groups = append(list.Groups, g.Name)
	}
	return list, nil
}

// search finds the newest lines that fit, newest first.
func (c *console) search(f logFilter) []logLine {
	found := []logLine{}
	for _, g := range c.Watch.Groups() {
		if f.group != "" && g.Name != f.group {
			continue
		}
		n := 0
		for _, e := range slices.Backward(c.Watch.Events(g.Name, 0, 0)) {
			if f.text != "" && !strings.Contains(strings.ToLower(e.Text), strings.ToLower(f.text)) {
				continue
			}
			line := readLine(g.Name, e)
			if len(f.levels) > 0 && !slices.Contains(f.levels, line.Level) {
				continue
			}
			found = append(found, line)
			if n++; n == linesShown {
				break
			}
		}
	}
	sortLines(found, false)
	return found[:min(len(found), linesShown)]
}

func sortLines(lines []logLine, oldestFirst bool) {
	slices.SortStableFunc(lines, func(a, b logLine) int {
		if oldestFirst {
			a, b = b, a
		}
		return b.Time.Compare(a.Time)
	})
}

// readLine takes level, message, trace and the rest out of a line of JSON.
func readLine(group string, e cloudwatch.Event) logLine {
	line := logLine{Group: group, Sequence: e.Sequence, Time: e.Time, Level: levelPlatform, Message: e.Text, raw: e.Text}
	var fields map[string]any
	if json.Unmarshal([]byte(e.Text), &fields) != nil || fields == nil {
		return line
	}
	line.Fields, line.Level = fields, "INFO"
	line.TraceID, _ = fields["traceId"].(string)
	if _, isMetrics := fields["_aws"]; isMetrics {
		delete(fields, "_aws")
		line.Level, line.Message = levelMetrics, ""
		return line
	}
	if kind, _ := fields["type"].(string); strings.HasPrefix(kind, "platform.") {
		line.Level, line.Message = levelPlatform, kind
		return line
	}
	level, _ := fields["level"].(string)
	message, _ := fields["message"].(string)
	msg, _ := fields["msg"].(string)
	line.Level, line.Message = strings.ToUpper(cmp.Or(level, "INFO")), cmp.Or(message, msg)
	for _, shown := range []string{"level", "message", "msg", "timestamp", "time"} {
		delete(fields, shown)
	}
	return line
}

package local

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"heliograph/simulator/lambda"
)

// terminal prints the stack's events for people, one line each.
type terminal struct {
	mu       sync.Mutex
	progress io.Writer
	logs     io.Writer // nil: not wanted
}

// problem prints a problem, whether or not logs are wanted.
func (t *terminal) problem(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintln(t.progress, "! "+oneLine(text))
}

// log prints a line from a function's log.
func (t *terminal) log(line lambda.LogLine) {
	if t.logs == nil {
		return
	}
	short := strings.TrimPrefix(string(line.Function), project+"-"+name+"-")
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.logs, "%s %-10s %s\n", line.Time.Format("15:04:05.000"), short, oneLine(readable(line.Text)))
}

// oneLine escapes everything in a text that could begin another line or command a terminal: ids and reasons are anybody's.
func oneLine(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\t' || strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// readable turns a JSON line into level, message and the remaining fields, and EMF into its values. Other lines are
// unchanged.
func readable(line string) string {
	var fields map[string]any
	if json.Unmarshal([]byte(line), &fields) != nil {
		return line
	}
	if _, isMetrics := fields["_aws"]; isMetrics {
		delete(fields, "_aws")
		return "METRICS" + pairs(fields)
	}
	level, hasLevel := fields["level"].(string)
	message, _ := fields["message"].(string)
	if !hasLevel {
		return line
	}
	for _, shown := range []string{"level", "message", "timestamp", "requestId", "traceId"} {
		delete(fields, shown)
	}
	return fmt.Sprintf("%-5s %s%s", level, message, pairs(fields))
}

func pairs(fields map[string]any) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(&text, " %s=%v", name, fields[name])
	}
	return text.String()
}

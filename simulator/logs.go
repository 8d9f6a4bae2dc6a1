package simulator

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"heliograph/simulator/lambda"
)

// console writes to the terminal what the stack has to say, one line at a time.
type console struct {
	mu       sync.Mutex
	progress io.Writer
	logs     io.Writer // nil: nobody wants the functions' logs
	problems []string  // the newest last, for the console's page
	refused  []string  // the calls that were denied, oldest first
}

// problemsKept bounds what is remembered; the terminal has scrolled by then, too.
const problemsKept = 100

// problem tells of something that the stack's user should know and no answer would tell: a denied call, a
// function that could not be invoked.
func (c *console) problem(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problems = append(c.problems, text)
	c.problems = c.problems[max(0, len(c.problems)-problemsKept):]
	fmt.Fprintln(c.progress, "! "+text)
}

// denied tells of a call that was refused for want of a permission.
func (c *console) denied(text string) {
	c.problem(text)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.refused) < problemsKept {
		c.refused = append(c.refused, text)
	}
}

func (c *console) deniedCalls() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.refused)
}

func (c *console) recentProblems() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.problems)
}

// functionLog prints a line of a function's log so that a person can read it.
func (c *console) functionLog(line lambda.LogLine) {
	if c.logs == nil {
		return
	}
	short := strings.TrimPrefix(string(line.Function), project+"-"+stage+"-")
	text := fmt.Sprintf("%s %-10s %s\n", line.Time.Format("15:04:05.000"), short, readable(line.Text))
	c.mu.Lock()
	defer c.mu.Unlock()
	io.WriteString(c.logs, text) // a terminal that is gone is no reason to stop
}

// readable turns a JSON line into level, message and the rest; EMF into its values. Other lines stay as they are.
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
	for _, shown := range []string{"level", "message", "timestamp", "function", "stage", "requestId", "traceId"} {
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

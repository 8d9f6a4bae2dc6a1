package lambda

import (
	"encoding/json"
	"slices"
	"strings"
)

// Logging is a function's logging configuration. The zero value is the text format, in which every line is written.
type Logging struct {
	// JSON selects the format of Lambda's own lines, and makes the levels apply.
	JSON bool
	// Application and System are the lowest levels written of the function's lines and of Lambda's own. Empty means
	// INFO.
	Application, System string
}

// levels are Lambda's, lowest first.
var levels = []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}

// reaches reports whether a level is at least as high as another. Anything that is no level counts as INFO, as on
// Lambda.
func reaches(level, least string) bool { return rank(level) >= rank(least) }

func rank(level string) int {
	if i := slices.Index(levels, strings.ToUpper(level)); i >= 0 {
		return i
	}
	return slices.Index(levels, "INFO")
}

// admits reports whether a line of the function is written. One that is no JSON, or has no level, counts as INFO.
func (l Logging) admits(text string) bool {
	if !l.JSON {
		return true
	}
	var line struct{ Level string }
	_ = json.Unmarshal([]byte(text), &line) // no JSON: no level
	return reaches(line.Level, l.Application)
}

// systemLine is one of Lambda's own lines, in both formats.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
type systemLine struct {
	text  string
	event string // the type in JSON; empty: a line of the text format alone, whose content others carry in JSON
	level string
	// record is the event's content in JSON.
	record any
}

// render returns the line in a function's format. It reports false if it is not written.
func (s systemLine) render(l Logging, time string) (string, bool) {
	if !l.JSON {
		return s.text, true
	}
	if s.event == "" || !reaches(s.level, l.System) {
		return "", false
	}
	return string(encode(map[string]any{"time": time, "type": s.event, "record": s.record})), true
}

// ended is the level of an event that says how something ended.
func ended(errorType, well string) (status, level string) {
	switch errorType {
	case "":
		return "success", well
	case "Sandbox.Timedout":
		return "timeout", "WARN"
	}
	return "error", "WARN"
}

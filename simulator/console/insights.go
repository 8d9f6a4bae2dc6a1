package console

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// logTable is the answer of a log widget's query.
type logTable struct {
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

// insights is a Logs Insights query, as far as it is carried out: SOURCE, fields or display, filter, sort by time, limit.
type insights struct {
	groups  []string
	columns []string
	filters []func(logLine) bool
	oldest  bool // first
	limit   int
}

// query carries out a log widget's query. What is not known is an error that names it.
func (c *console) query(text string, from, to time.Time) (*logTable, error) {
	q, err := readQuery(text)
	if err != nil {
		return nil, err
	}
	table := &logTable{Columns: q.columns, Rows: [][]string{}}
	for _, l := range c.matching(q, from, to) {
		cells := make([]string, len(q.columns))
		for i, column := range q.columns {
			cells[i] = l.field(column)
		}
		table.Rows = append(table.Rows, cells)
	}
	return table, nil
}

func (c *console) matching(q insights, from, to time.Time) []logLine {
	var all []logLine
	for _, group := range q.groups {
		for _, e := range c.Watch.Events(group, 0, 0) {
			if e.Time.Before(from) || e.Time.After(to) {
				continue
			}
			if l := readLine(group, e); q.fits(l) {
				all = append(all, l)
			}
		}
	}
	sortLines(all, q.oldest)
	return all[:min(len(all), q.limit)]
}

func (q insights) fits(l logLine) bool {
	for _, fits := range q.filters {
		if !fits(l) {
			return false
		}
	}
	return true
}

// field is what a query calls a field; nested ones have dots.
func (l logLine) field(name string) string {
	switch name {
	case "@timestamp":
		return l.Time.UTC().Format("15:04:05.000")
	case "@message":
		return l.raw
	case "@log":
		return l.Group
	case "level":
		return l.Level
	case "message", "msg":
		return l.Message
	}
	var value any = l.Fields
	for part := range strings.SplitSeq(name, ".") {
		members, _ := value.(map[string]any)
		value = members[part]
	}
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

var (
	sourceWord = regexp.MustCompile(`'([^']*)'`)
	condition  = regexp.MustCompile(`^\s*([@\w.]+)\s*(=|!=|>=|<=|>|<|not like|like|in)\s*(.+?)\s*$`)
)

func readQuery(text string) (insights, error) {
	q := insights{limit: 20, columns: []string{"@timestamp", "@message"}}
	for _, part := range splitPipes(text) {
		verb, rest, _ := strings.Cut(strings.TrimSpace(part), " ")
		var err error
		switch strings.ToLower(verb) {
		case "source":
			for _, m := range sourceWord.FindAllStringSubmatch(rest, -1) {
				q.groups = append(q.groups, m[1])
			}
		case "fields", "display":
			q.columns = nil
			for column := range strings.SplitSeq(rest, ",") {
				q.columns = append(q.columns, strings.TrimSpace(column))
			}
		case "filter":
			err = q.filter(rest)
		case "sort":
			if !strings.HasPrefix(rest, "@timestamp") {
				err = fmt.Errorf("sort %s is not carried out here, only by @timestamp", rest)
			}
			q.oldest = strings.HasSuffix(rest, "asc")
		case "limit":
			q.limit, err = strconv.Atoi(strings.TrimSpace(rest))
		default:
			err = fmt.Errorf("%s is not carried out here", verb)
		}
		if err != nil {
			return q, err
		}
	}
	if len(q.groups) == 0 {
		return q, errors.New("the query names no SOURCE")
	}
	return q, nil
}

// splitPipes cuts a query at its pipes, but for those within /…/ and quotes.
func splitPipes(text string) []string {
	var parts []string
	var quote rune
	var part strings.Builder
	for _, r := range text {
		switch {
		case quote == 0 && r == '|':
			parts = append(parts, part.String())
			part.Reset()
			continue
		case quote == 0 && (r == '\'' || r == '"' || r == '/' && strings.HasSuffix(strings.TrimSpace(part.String()), "like")):
			quote = r
		case r == quote:
			quote = 0
		}
		part.WriteRune(r)
	}
	return append(parts, part.String())
}

// filter adds a condition; conditions may be joined by and.
func (q *insights) filter(text string) error {
	for part := range strings.SplitSeq(text, " and ") {
		m := condition.FindStringSubmatch(part)
		if m == nil {
			return fmt.Errorf("filter %s is not carried out here", part)
		}
		fits, err := comparison(m[1], m[2], m[3])
		if err != nil {
			return err
		}
		q.filters = append(q.filters, fits)
	}
	return nil
}

func comparison(field, operator, operand string) (func(logLine) bool, error) {
	text := strings.Trim(operand, `'"`)
	switch operator {
	case "=":
		return func(l logLine) bool { return l.field(field) == text }, nil
	case "!=":
		return func(l logLine) bool { return l.field(field) != text }, nil
	case "like", "not like":
		pattern, isPattern := strings.CutPrefix(operand, "/")
		if pattern = strings.TrimSuffix(pattern, "/"); !isPattern {
			pattern = regexp.QuoteMeta(text)
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, fmt.Errorf("the pattern %s: %w", operand, err)
		}
		return func(l logLine) bool { return re.MatchString(l.field(field)) == (operator == "like") }, nil
	case "in":
		var words []string
		for word := range strings.SplitSeq(strings.Trim(operand, "[]"), ",") {
			words = append(words, strings.Trim(strings.TrimSpace(word), `'"`))
		}
		return func(l logLine) bool { return slices.Contains(words, l.field(field)) }, nil
	}
	return numeric(field, operator, text)
}

func numeric(field, operator, operand string) (func(logLine) bool, error) {
	limit, err := strconv.ParseFloat(operand, 64)
	if err != nil {
		return nil, fmt.Errorf("%s %s %s compares with no number", field, operator, operand)
	}
	return func(l logLine) bool {
		v, err := strconv.ParseFloat(l.field(field), 64)
		if err != nil {
			return false
		}
		switch operator {
		case ">":
			return v > limit
		case ">=":
			return v >= limit
		case "<":
			return v < limit
		}
		return v <= limit
	}, nil
}

package cloudwatch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"
)

// maxGroupBytes bounds a log group's size, in addition to Options.Lines.
const maxGroupBytes = 8 << 20

// group is a log group with its newest lines.
type group struct {
	Group
	events []Event
	bytes  int
}

// CreateGroup makes a log group; it is an error if the group exists.
func (s *Store) CreateGroup(name string, retentionDays int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.group(name)
	if g.Declared {
		return fmt.Errorf("cloudwatch: the log group %s exists", name)
	}
	g.RetentionDays, g.Declared = retentionDays, true
	return nil
}

func (s *Store) group(name string) *group {
	g, ok := s.groups[name]
	if !ok {
		g = &group{Group: Group{Name: name}}
		s.groups[name] = g
	}
	return g
}

// Groups lists the log groups by name.
func (s *Store) Groups() []Group {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]Group, 0, len(s.groups))
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		list = append(list, s.groups[name].Group)
	}
	return list
}

// Ingest stores one line of a log. If the line is an EMF object, its metrics are stored too. A missing group is
// created.
func (s *Store) Ingest(name, stream, text string, at time.Time) {
	data, failure := readEMF(text, s.options.Now())
	s.mu.Lock()
	g := s.group(name)
	g.append(Event{Time: at, Stream: stream, Text: text}, s.options.Lines)
	for _, d := range data {
		s.put(d)
	}
	if failure != nil {
		s.put(Datum{
			Namespace: "AWS/Logs", Name: failure.metric, Dimensions: []Dimension{{"LogGroupName", name}}, Unit: "Count", Value: 1, Time: at,
		})
	}
	s.mu.Unlock()
	if failure != nil && s.options.Problem != nil {
		s.options.Problem(fmt.Sprintf("%s: a metric line that CloudWatch drops: %v", name, failure))
	}
}

func (g *group) append(e Event, max int) {
	g.Lines++
	e.Sequence = g.Lines
	g.events = append(g.events, e)
	g.bytes += len(e.Text)
	old := 0
	for len(g.events)-old > max || g.bytes > maxGroupBytes && old < len(g.events)-1 {
		g.bytes -= len(g.events[old].Text)
		old++
	}
	clear(g.events[:old]) // frees the texts although the array stays
	g.events = g.events[old:]
}

// Events returns a group's lines after a sequence number, at most max of the newest; 0 means all that are kept.
func (s *Store) Events(name string, after uint64, max int) []Event {
	s.mu.RLock()
	defer s.mu.RUnlock()
	g, ok := s.groups[name]
	if !ok {
		return nil
	}
	from := sort.Search(len(g.events), func(i int) bool { return cmp.Compare(g.events[i].Sequence, after) > 0 })
	found := g.events[from:]
	if max > 0 && len(found) > max {
		found = found[len(found)-max:]
	}
	return slices.Clone(found)
}

package xray

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Summary summarizes a trace in one line.
type Summary struct {
	ID TraceID
	// Name is the name of the first root.
	Name string
	// Start is the earliest start, Duration the time from there to the latest end.
	Start    time.Time
	Duration time.Duration
	// Error, Fault and Throttle are true if any segment or subsegment has it.
	Error, Fault, Throttle bool
	// Segments counts segments and subsegments.
	Segments int
	// Annotations are those of all segments combined.
	Annotations map[string]any
}

// Trace is a trace with its segments as a tree.
type Trace struct {
	Summary
	// Roots are the segments whose parent is unknown or has not arrived yet, in order of start.
	Roots []*Segment
}

// maxSegments is how many segments a trace keeps; further ones are dropped.
const maxSegments = 2000

// trace holds the part of a trace that has arrived.
type trace struct {
	id       TraceID
	kind     string // the name of its first document; see evict
	segments map[string]*Segment
	summary  *Summary // nil if segments have arrived since it was made
}

// Put adds one segment document, as it would arrive over UDP without its header line.
func (d *Daemon) Put(text []byte) error {
	doc, err := readDocument(text)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	t, ok := d.traces[doc.TraceID]
	if !ok {
		t = &trace{id: doc.TraceID, kind: doc.Name, segments: map[string]*Segment{}}
		d.traces[doc.TraceID] = t
		d.order = append(d.order, doc.TraceID)
		d.kinds[t.kind]++
		if len(d.order) > d.options.Traces {
			d.evict()
		}
	}
	d.documents++
	t.summary = nil
	if len(t.segments) < maxSegments {
		doc.segments("", t.segments)
	}
	return nil
}

// evict drops the oldest trace of the most frequent kind, so that traces that recur every minute never crowd out one
// that occurred once.
func (d *Daemon) evict() {
	most := ""
	for kind, n := range d.kinds {
		if n > d.kinds[most] {
			most = kind
		}
	}
	i := slices.IndexFunc(d.order, func(id TraceID) bool { return d.traces[id].kind == most })
	delete(d.traces, d.order[i])
	d.order = slices.Delete(d.order, i, i+1)
	if d.kinds[most]--; d.kinds[most] == 0 {
		delete(d.kinds, most)
	}
}

// Documents counts the segment documents received: a polling reader can skip unchanged data.
func (d *Daemon) Documents() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.documents
}

// Traces lists the newest traces first, at most max; 0 means all.
func (d *Daemon) Traces(max int) []Summary {
	d.mu.Lock()
	defer d.mu.Unlock()
	if max == 0 || max > len(d.order) {
		max = len(d.order)
	}
	list := make([]Summary, 0, max)
	for i := len(d.order) - 1; len(list) < max; i-- {
		list = append(list, d.traces[d.order[i]].summarize())
	}
	return list
}

// Trace returns one trace, as far as it has arrived.
func (d *Daemon) Trace(id TraceID) (Trace, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, ok := d.traces[id]
	if !ok {
		return Trace{}, false
	}
	return t.assemble(), true
}

// Find returns the traces with a matching segment, oldest first.
func (d *Daemon) Find(fits func(*Segment) bool) []Trace {
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []Trace
	for _, id := range d.order {
		for _, s := range d.traces[id].segments {
			if fits(s) {
				found = append(found, d.traces[id].assemble())
				break
			}
		}
	}
	return found
}

// summarize assembles a trace only if it has changed since the last time.
func (t *trace) summarize() Summary {
	if t.summary == nil {
		assembled := t.assemble()
		t.summary = &assembled.Summary
	}
	return *t.summary
}

// assemble builds the tree from copies, so that its reader needs no lock.
func (t *trace) assemble() Trace {
	copies := make(map[string]*Segment, len(t.segments))
	for id, s := range t.segments {
		c := *s
		copies[id] = &c
	}
	all := slices.SortedFunc(maps.Values(copies), func(a, b *Segment) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID))
	})
	out := Trace{Summary: Summary{ID: t.id, Segments: len(all), Annotations: map[string]any{}}}
	for _, s := range all {
		if parent := copies[s.ParentID]; parent != nil && parent != s {
			parent.Children = append(parent.Children, s)
		} else {
			out.Roots = append(out.Roots, s)
		}
		out.add(s)
	}
	if len(out.Roots) > 0 {
		out.Name = out.Roots[0].Name
	}
	return out
}

func (s *Summary) add(one *Segment) {
	end := one.End
	if end.IsZero() {
		end = one.Start
	}
	if s.Start.IsZero() { // they arrive in the order of their starts
		s.Start = one.Start
	}
	s.Duration = max(s.Duration, end.Sub(s.Start))
	s.Error, s.Fault, s.Throttle = s.Error || one.Error, s.Fault || one.Fault, s.Throttle || one.Throttle
	maps.Copy(s.Annotations, one.Annotations)
}

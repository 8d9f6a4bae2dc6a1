package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"net/http"
	"time"

	"heliograph/simulator/cloudwatch/alarm"
)

// pulse says what is the matter, and by versions what has changed: the page reads again what it shows of that.
type pulse struct {
	Now      time.Time         `json:"now"`
	Versions map[string]uint64 `json:"versions"`
	// Firing are the alarms in state ALARM, by name; Alarms counts all. Both leave out silent ones.
	Firing      []string `json:"firing"`
	Alarms      int      `json:"alarms"`
	Faults      []string `json:"faults"`
	Problems    []string `json:"problems"`
	Connections int      `json:"connections"`
}

// Often is how often the stream looks for changes; metrics count as changed each metricsEach.
const (
	often       = time.Second
	metricsEach = 5 * time.Second
	silence     = 15 * time.Second // after it, a comment keeps the stream open
	problems    = 5                // how many a pulse has at most
)

var seed = maphash.MakeSeed()

// version is a number that differs when a value does.
func version(value any) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	if err := json.NewEncoder(&h).Encode(value); err != nil {
		panic(err) // all values are ours
	}
	return h.Sum64() >> 11 // a number that JavaScript holds exactly
}

func (c *console) pulse() pulse {
	now := time.Now()
	p := pulse{Now: now, Firing: []string{}, Faults: []string{}, Problems: []string{}}
	for _, f := range c.Faults.List() {
		if !f.Spent {
			p.Faults = append(p.Faults, f.Rule.String())
		}
	}
	var lines uint64
	for _, g := range c.Watch.Groups() {
		lines += g.Lines
	}
	open := c.APIs.Connections()
	p.Connections = len(open)
	alarms := c.states()
	p.count(alarms)
	if c.Problems != nil {
		all := c.Problems()
		p.Problems = append(p.Problems, all[max(0, len(all)-problems):]...)
	}
	p.Versions = map[string]uint64{
		"metrics": uint64(now.UnixNano() / int64(metricsEach)), "traces": c.Traces.Documents(), "logs": lines,
		"connections": version(open), "queues": version(c.depths()), "faults": version(c.Faults.List()), "alarms": version(alarms),
	}
	return p
}

func (p *pulse) count(alarms []alarmRow) {
	for _, a := range alarms {
		if a.Severity == alarm.Silent {
			continue
		}
		p.Alarms++
		if a.State == alarm.Alarming {
			p.Firing = append(p.Firing, a.Name)
		}
	}
}

// events is the stream: a pulse when something has changed.
func (c *console) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	tick := time.NewTicker(often)
	defer tick.Stop()
	var last uint64
	var spoke time.Time
	for {
		p := c.pulse()
		at := p.Now
		p.Now = time.Time{}
		next := version(p)
		p.Now = at
		var err error
		switch {
		case next != last:
			text, broken := json.Marshal(p)
			_, err = fmt.Fprintf(w, "event: pulse\ndata: %s\n\n", text)
			err = cmp.Or(broken, err)
			last, spoke = next, at
		case at.Sub(spoke) > silence:
			_, err = fmt.Fprint(w, ":\n\n")
			spoke = at
		}
		if err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-c.Ending.Done():
			return
		}
	}
}

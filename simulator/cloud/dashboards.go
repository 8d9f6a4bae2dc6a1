package cloud

import (
	"maps"
	"sync"
)

// Dashboards keeps the bodies of the declared dashboards, which the console draws.
type Dashboards struct {
	mu     sync.Mutex
	bodies map[string]string
}

// Put adds a dashboard, or replaces the one with that name, as CloudWatch does.
func (d *Dashboards) Put(name, body string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bodies == nil {
		d.bodies = map[string]string{}
	}
	d.bodies[name] = body
}

// Bodies returns each dashboard's JSON by its name.
func (d *Dashboards) Bodies() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.bodies)
}

func (d *Dashboards) body(name string) (body string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	body, ok = d.bodies[name]
	return body, ok
}

package gateway

import "time"

// KeptConnection is an open connection in the form in which it is saved: what its $disconnect event needs.
type KeptConnection struct {
	API             string // the API's name
	Stage           string
	ID              ConnectionID
	ConnectedAt     time.Time
	Host, IP, Agent string
	Authorizer      map[string]any `json:",omitempty"`
}

// Keep returns the open connections.
func (g *Gateway) Keep() []KeptConnection {
	g.mu.Lock()
	defer g.mu.Unlock()
	kept := make([]KeptConnection, 0, len(g.connections))
	for _, c := range g.connections {
		kept = append(kept, KeptConnection{
			API: c.stage.api.config.Name, Stage: c.stage.config.Name, ID: c.id, ConnectedAt: c.connectedAt,
			Host: c.host, IP: c.ip, Agent: c.agent, Authorizer: c.authorizer,
		})
	}
	return kept
}

// Lost tells the program of connections that ended with an earlier process, as API Gateway does when it loses one: it
// invokes the $disconnect route of each, one after the other, in the background. Connections of APIs and stages that no
// longer exist are ignored.
func (g *Gateway) Lost(kept []KeptConnection) {
	g.background(func() {
		for _, k := range kept {
			s := g.stageNamed(k.API, k.Stage)
			if s == nil {
				continue
			}
			c := &connection{
				stage: s, deployment: s.serves.Load(), id: k.ID, connectedAt: k.ConnectedAt, lastActive: k.ConnectedAt,
				host: k.Host, ip: k.IP, agent: k.Agent, authorizer: k.Authorizer,
			}
			c.disconnect(endAbnormal)
		}
	})
}

// stageNamed returns a stage of the API with a name, or nil.
func (g *Gateway) stageNamed(api, stage string) *Stage {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range g.apis {
		if a.config.Name == api {
			return a.stage(stage)
		}
	}
	return nil
}

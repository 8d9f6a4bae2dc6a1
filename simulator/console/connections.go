package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"heliograph/simulator/fault"
	"heliograph/simulator/gateway"
)

// connectionRow is an open connection.
type connectionRow struct {
	ID           gateway.ConnectionID `json:"id"`
	User         string               `json:"user"`
	ConnectedAt  time.Time            `json:"connectedAt"`
	LastActiveAt time.Time            `json:"lastActiveAt"`
	SourceIP     string               `json:"sourceIp"`
	UserAgent    string               `json:"userAgent"`
	Sent         int                  `json:"sent"`
	Received     int                  `json:"received"`
	Details      []Detail             `json:"details,omitempty"`
}

// connectionsShown is how many connections are shown, the newest.
const connectionsShown = 200

func (c *console) connections(*http.Request) (any, error) {
	open := c.APIs.Connections()
	total := len(open)
	open = open[max(0, total-connectionsShown):]
	var details map[gateway.ConnectionID][]Detail
	if c.App.Details != nil {
		details = c.App.Details(open)
	}
	rows := []connectionRow{}
	for _, one := range open {
		rows = append(rows, connectionRow{
			ID: one.ID, User: one.Principal, ConnectedAt: one.ConnectedAt, LastActiveAt: one.LastActiveAt,
			SourceIP: one.SourceIP, UserAgent: one.UserAgent, Sent: one.Sent, Received: one.Received, Details: details[one.ID],
		})
	}
	slices.SortStableFunc(rows, func(a, b connectionRow) int { return cmp.Compare(a.User, b.User) })
	return map[string]any{"total": total, "connections": rows, "canSend": c.App.Send != nil}, nil
}

// maxBody is the largest body of a request, in bytes.
const maxBody = 512 << 10

func readBody(r *http.Request, to any) error {
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		return refused("the body is not as expected: " + err.Error())
	}
	return nil
}

func (c *console) send(r *http.Request) (any, error) {
	if c.App.Send == nil {
		return nil, notFound("this program takes no messages")
	}
	var in struct{ User, Body string }
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if in.User == "" || in.Body == "" {
		return nil, refused("user and body are required")
	}
	id, err := c.App.Send(r.Context(), in.User, in.Body)
	return map[string]string{"id": id}, err
}

// close ends a connection. With "lose" its $disconnect never comes, which is what happens on AWS now and then.
func (c *console) close(r *http.Request) (any, error) {
	id := gateway.ConnectionID(r.PathValue("id"))
	var in struct{ Lose bool }
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if in.Lose {
		if _, err := c.Faults.Add(fault.Rule{Service: fault.Disconnect, Resource: "*/@connections/" + string(id), Lost: true, Count: 1}); err != nil {
			return nil, err
		}
	}
	if !c.APIs.Disconnect(id) {
		return nil, notFound("the connection " + string(id) + " is not open")
	}
	return map[string]bool{"closed": true}, nil
}

func (c *console) presets(*http.Request) (any, error) {
	return append([]Preset{}, c.App.Presets...), nil
}

func (c *console) applyPreset(r *http.Request) (any, error) {
	name := r.PathValue("name")
	i := slices.IndexFunc(c.App.Presets, func(p Preset) bool { return p.Name == name })
	if i < 0 {
		return nil, notFound("there is no preset " + name)
	}
	ids := []fault.ID{}
	for _, rule := range c.App.Presets[i].Rules {
		id, err := c.Faults.Add(rule)
		if err != nil {
			return nil, fmt.Errorf("the preset %s: %w", name, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (c *console) journey(r *http.Request) (any, error) {
	if c.App.Journey == nil {
		return nil, notFound("this program has no messages to follow")
	}
	return c.App.Journey(r.Context(), r.PathValue("id"))
}

func (c *console) stack(*http.Request) (any, error) {
	return map[string]any{
		"name": c.App.Name, "started": c.Started,
		"can": map[string]bool{"send": c.App.Send != nil, "journey": c.App.Journey != nil},
	}, nil
}

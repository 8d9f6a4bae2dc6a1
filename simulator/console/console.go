// Package console is the page that shows a simulated stack: its dashboard drawn from the very body that is deployed,
// alarms, traces, the journey of a message, connections, queues, logs, and the faults that are on.
//
// It is one static page with one stream of server-sent events, which says what has changed; the page then reads that as
// JSON. The page knows AWS and nothing of the program that runs: what only the program can tell, such as which user has
// which device, comes in through App.
//
// What it shows is hostile: user ids, message bodies and log lines are anybody's text. The page builds its elements with
// lit-html, which keeps text text, and the Content-Security-Policy leaves no way in for a script that is not the page's
// own. Pages of other origins are kept out by package loopback, behind which the mux is served.
package console

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/cloudwatch/alarm"
	"heliograph/simulator/fault"
	"heliograph/simulator/gateway"
	"heliograph/simulator/sqs"
	"heliograph/simulator/xray"
)

// Path is where the page is, Data where its JSON is.
const (
	Path = "/console"
	Data = "/_heliograph"
)

// Options are what the console shows. All fields but Problems and those of App are required.
type Options struct {
	// Ending is done when the stack stops; it ends the streams of events.
	Ending context.Context
	// Started is when the stack was started.
	Started time.Time

	Watch  *cloudwatch.Store
	Traces *xray.Daemon
	APIs   *gateway.Gateway
	Queues *sqs.Server
	Faults *fault.Set
	// Dashboards are the bodies of the dashboards by their names.
	Dashboards func() map[string]string
	// Alarms evaluates the alarms.
	Alarms *alarm.Engine
	// Problems are what went wrong and no answer told, newest last.
	Problems func() []string

	App App
}

// App is what only the program can tell. A part that is nil is not offered.
type App struct {
	// Name is the program's, for the title.
	Name string
	// Background reports whether a trace of this name is routine, and hidden until somebody asks for it.
	Background func(trace string) bool
	// Details are what the program knows of open connections.
	Details func([]gateway.Connection) map[gateway.ConnectionID][]Detail
	// Send sends a text to a user, and gives the id under which Journey finds the message.
	Send func(ctx context.Context, user, body string) (id string, err error)
	// Journey tells what became of a message, as JSON of journey.js.
	Journey func(ctx context.Context, id string) (any, error)
	// Reason tells why a message is on a queue of dead letters.
	Reason func(sqs.Message) (reason, detail string)
	// Revive turns a dead letter into the message that goes back to the queue it came from.
	Revive func(sqs.Message) sqs.Outgoing
	// Presets are faults that belong together.
	Presets []Preset
	// Runbook reads the Markdown of a runbook by what its alarm says of it.
	Runbook func(runbook string) (markdown string, found bool)
}

// Detail is one thing to know about a connection. Until is set if it is about a time to come.
type Detail struct {
	Label string    `json:"label"`
	Value string    `json:"value,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// Preset is a set of faults under one name.
type Preset struct {
	Name    string       `json:"name"`
	Meaning string       `json:"meaning"`
	Rules   []fault.Rule `json:"rules"`
	// Proves names the alarms that it sets off, given some traffic.
	Proves []string `json:"proves,omitempty"`
}

// console answers the page's requests.
type console struct{ Options }

// Register adds the page and its JSON to a mux that is served behind package loopback.
func Register(mux *http.ServeMux, o Options) {
	c := &console{o}
	mux.Handle("GET /{$}", http.RedirectHandler(Path, http.StatusFound))
	mux.Handle("GET "+Path, page())
	mux.Handle("GET "+Path+"/{asset...}", page())
	for route, get := range map[string]func(*http.Request) (any, error){
		"stack":         c.stack,
		"dashboard":     c.dashboard,
		"alarms":        c.alarms,
		"alarms/{name}": c.alarm,
		"traces":        c.traces,
		"traces/{id}":   c.trace,
		"journey/{id}":  c.journey,
		"connections":   c.connections,
		"queues":        c.queues,
		"queues/{name}": c.queue,
		"logs":          c.logs,
		"presets":       c.presets,
		"pulse":         func(*http.Request) (any, error) { return c.pulse(), nil },
	} {
		mux.Handle("GET "+Data+"/"+route, answer(get))
	}
	for route, post := range map[string]func(*http.Request) (any, error){
		"send":                   c.send,
		"connections/{id}/close": c.close,
		"queues/{name}/redrive":  c.redrive,
		"presets/{name}":         c.applyPreset,
	} {
		mux.Handle("POST "+Data+"/"+route, answer(post))
	}
	mux.HandleFunc("GET "+Data+"/events", c.events)
}

// failure is an answer that refuses.
type failure struct {
	status int
	text   string
}

func (f failure) Error() string { return f.text }

func notFound(text string) error { return failure{http.StatusNotFound, text} }

func refused(text string) error { return failure{http.StatusBadRequest, text} }

// answer writes what a function gives as JSON, or its error as {"error": text}.
func answer(get func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value, err := get(r)
		status := http.StatusOK
		if err != nil {
			status = http.StatusInternalServerError
			if f, ok := err.(failure); ok {
				status = f.status
			}
			value = map[string]string{"error": err.Error()}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(value) // a browser that is gone needs no answer
	})
}

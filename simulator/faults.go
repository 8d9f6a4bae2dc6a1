package simulator

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"heliograph/simulator/fault"
	"heliograph/simulator/gateway"
	"heliograph/simulator/lambda"
	"heliograph/simulator/wire"
)

// FaultsPath is where, under the AWS endpoint, faults are listed (GET, []fault.Status), added (POST of a fault.Rule as
// application/json, 201 with the fault.Status) and removed (DELETE of all, or of FaultsPath/<id>).
const FaultsPath = "/_heliograph/faults"

// Inject lets something go wrong from now on, and gives the rule's id.
func (s *Simulator) Inject(r fault.Rule) (fault.ID, error) { return s.cloud.faults.Add(r) }

// Faults lists the rules in effect and those that are spent.
func (s *Simulator) Faults() []fault.Status { return s.cloud.faults.List() }

// RemoveFault ends one rule; an unknown id is an error.
func (s *Simulator) RemoveFault(id fault.ID) error { return s.cloud.faults.Remove(id) }

// ClearFaults ends all rules.
func (s *Simulator) ClearFaults() { s.cloud.faults.Clear() }

// newFaults makes a set that knows the actions of the services that are there.
func newFaults(services []wire.Service) *fault.Set {
	actions := map[fault.Service][]string{
		fault.Connections: slices.Collect(maps.Values(connectionActions)), fault.Lambda: {invokeAction},
	}
	for _, s := range services {
		actions[fault.Service(s.Name)] = slices.Collect(maps.Keys(s.Actions))
	}
	return fault.New(actions)
}

// before is asked about each AWS call: what the caller may not do is denied, whatever else is wrong.
func (c *cloud) before(ctx context.Context, call wire.Call) error {
	if err := c.authorize(ctx, call); err != nil {
		return err
	}
	caller, _ := c.roles.Owner(call.AccessKey)
	return c.suffer(ctx, c.faults.Meet(fault.Event{
		Service: fault.Service(call.Service), Action: actionOf(call), Resources: call.Resources, Caller: string(caller),
	}))
}

// connectionActions are the actions of the @connections API by their methods. To IAM they are all one.
var connectionActions = map[string]string{
	http.MethodPost: "PostToConnection", http.MethodGet: "GetConnection", http.MethodDelete: "DeleteConnection",
}

// actionOf is the action of a call. That of an @connections call is in its ARN: …:<api>/<stage>/<method>/@connections/<id>.
func actionOf(call wire.Call) string {
	if fault.Service(call.Service) != fault.Connections {
		return call.Action
	}
	parts := strings.Split(call.Resources[0], "/")
	return connectionActions[parts[2]]
}

// suffer lets an outcome happen to a call.
func (c *cloud) suffer(ctx context.Context, o fault.Outcome) error {
	if err := c.pause(ctx, o.Wait); err != nil {
		return err
	}
	switch {
	case o.NoAnswer:
		panic(http.ErrAbortHandler) // which is how net/http cuts a connection, in silence
	case o.LostAnswer:
		return wire.ErrAnswerLost
	case o.Error != nil:
		return o.Error
	}
	return nil
}

// pause waits, unless nobody is left who wants an answer.
func (c *cloud) pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.ending.Done():
		return context.Cause(c.ending)
	}
}

const invokeAction = "Invoke"

// beforeInvocation is asked about each attempt to run a function.
func (c *cloud) beforeInvocation(ctx context.Context, f lambda.Function) (lambda.Kill, error) {
	o := c.faults.Meet(fault.Event{Service: fault.Lambda, Action: invokeAction, Resources: []string{f.ARN}})
	return o.Kill, c.suffer(ctx, o)
}

// beforeDisconnect is asked about each $disconnect.
func (c *cloud) beforeDisconnect(gone gateway.Connection) (delay time.Duration, lost bool) {
	arn := c.arn("execute-api", string(gone.API)+"/"+gone.Stage+"/@connections/"+string(gone.ID))
	o := c.faults.Meet(fault.Event{Service: fault.Disconnect, Resources: []string{arn}})
	return o.Wait, o.Lost
}

// redelivers is asked about each message that a queue hands out, and each batch of a stream.
func (c *cloud) redelivers(arn string) (after time.Duration, again bool) {
	o := c.faults.Meet(fault.Event{Service: fault.Delivery, Resources: []string{arn}})
	return o.Wait, o.Duplicate
}

// repeating runs functions for a stream, some batches twice: what AWS does when it forgets how far it was.
type repeating struct {
	lambda.Invoker
	cloud     *cloud
	streamARN string
}

var _ lambda.Invoker = repeating{}

func (r repeating) Invoke(ctx context.Context, request lambda.Request) (lambda.Result, error) {
	result, err := r.Invoker.Invoke(ctx, request)
	if err != nil || result.FunctionError != "" { // it comes again anyway
		return result, err
	}
	after, again := r.cloud.redelivers(r.streamARN)
	if !again {
		return result, nil
	}
	if err := r.cloud.pause(ctx, after); err != nil {
		return lambda.Result{}, err
	}
	return r.Invoker.Invoke(ctx, request)
}

// maxRule is the largest body of a rule.
const maxRule = 16 << 10

func (c *cloud) handleFaults(mux *http.ServeMux) {
	mux.HandleFunc("GET "+FaultsPath, func(w http.ResponseWriter, _ *http.Request) {
		c.writeJSON(w, http.StatusOK, c.faults.List())
	})
	mux.HandleFunc("POST "+FaultsPath, c.addFault)
	mux.HandleFunc("DELETE "+FaultsPath, func(w http.ResponseWriter, _ *http.Request) {
		c.faults.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE "+FaultsPath+"/{id}", func(w http.ResponseWriter, r *http.Request) {
		if err := c.faults.Remove(fault.ID(r.PathValue("id"))); err != nil {
			c.writeJSON(w, http.StatusNotFound, FaultError{err.Error()})
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// FaultError is the body of an answer that refuses something under FaultsPath.
type FaultError struct {
	Error string `json:"error"`
}

// addFault takes JSON that says that it is JSON only: a page in a browser can't send that here without being asked
// first, and the simulator gives no leave.
func (c *cloud) addFault(w http.ResponseWriter, r *http.Request) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		c.writeJSON(w, http.StatusUnsupportedMediaType, FaultError{"the Content-Type must be application/json"})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRule))
	var rule fault.Rule
	if err == nil {
		rule, err = fault.Parse(body)
	}
	if err == nil {
		rule.ID, err = c.faults.Add(rule)
	}
	if err != nil {
		c.writeJSON(w, http.StatusBadRequest, FaultError{err.Error()})
		return
	}
	c.writeJSON(w, http.StatusCreated, fault.Status{Rule: rule})
}

func (c *cloud) writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		c.console.problem("an answer was not sent: " + err.Error())
	}
}

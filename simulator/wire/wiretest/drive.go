package wiretest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"heliograph/simulator/published"
	"heliograph/simulator/wire"
)

// driver calls a service's actions, in JSON whatever its protocol, and observes whether a request gets as far as being
// carried out.
type driver struct {
	t        *testing.T
	service  wire.Service
	rules    *wire.Model
	taken    string
	samples  map[string]map[string]any
	endpoint *wire.Endpoint
	asked    int
	reached  wire.Call // the last call that kept all rules
}

// drive calls each action with a request for each rule of its input and for each member.
func drive(t *testing.T, service wire.Service, rules *wire.Model, p Published) {
	t.Helper()
	service.TargetPrefix, service.JSONVersion = "Driven", "1.0"
	d := &driver{t: t, service: service, rules: rules, taken: cmp.Or(p.Taken, "Reached"), samples: p.Samples}
	d.endpoint = wire.NewEndpoint(wire.Options{Before: func(_ context.Context, call wire.Call) error {
		d.reached = call
		if p.Taken == "" {
			return wire.Errorf(d.taken, "")
		}
		return nil
	}})
	d.endpoint.Register(service)
	var calls []wire.Call
	for action, input := range rules.Operations {
		whole := func(input any) string { return d.ask(action, input) }
		if answer := whole(d.sample(input)); answer != taken {
			t.Errorf("%s with %v: %s", action, d.sample(input), answer)
			continue
		}
		calls = append(calls, d.reached)
		d.walk(action, input, whole)
	}
	if d.asked < len(service.Actions) {
		t.Errorf("%d requests for %d actions", d.asked, len(service.Actions))
	}
	t.Run("permissions", func(t *testing.T) { checkPermissions(t, calls) })
}

// checkPermissions proves that IAM has the permissions that the calls needed, for resources of these types. A call that
// needs its permission on * asks for no less than AWS does.
func checkPermissions(t *testing.T, calls []wire.Call) {
	t.Helper()
	actions := published.ReadActions(t)
	for _, call := range calls {
		action, known := actions.Find(call.Permission)
		if !known {
			t.Errorf("%s needs %s, which IAM does not have", call.Action, call.Permission)
		}
		if len(call.Resources) == 0 {
			t.Errorf("%s touches nothing, so its permission is not checked", call.Action)
		}
		for _, resource := range call.Resources {
			if known && resource != "*" && !action.Allows(resource) {
				t.Errorf("%s needs %s on %s; IAM has the resource types %v", call.Action, call.Permission, resource, action.Types)
			}
		}
	}
}

// taken is ask's result for a request that keeps all rules.
const taken = ""

// ask returns taken, or the error.
func (d *driver) ask(action string, input any) string {
	d.asked++
	body, err := json.Marshal(input)
	if err != nil {
		d.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("X-Amz-Target", "Driven."+action)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=k/20260102/eu-west-1/"+d.service.Name+"/aws4_request, SignedHeaders=host, Signature=abc")
	w := httptest.NewRecorder()
	d.endpoint.ServeHTTP(w, r)
	var answer struct {
		Type string `json:"__type"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		d.t.Fatalf("%s: %v", w.Body, err)
	}
	if w.Code == http.StatusOK || strings.HasSuffix(answer.Type, d.taken) {
		return taken
	}
	return w.Body.String()
}

// walk breaks each rule of a shape once. ask sends the input with a given value in the shape's place.
func (d *driver) walk(at, name string, ask func(any) string) {
	s := d.rules.Shapes[name]
	for what, value := range d.broken(s) {
		if ask(value) == taken {
			d.t.Errorf("%s with %s is taken", at, what)
		}
	}
	switch {
	case s.Type == "list":
		d.walk(at+"[]", s.Member.Shape, func(v any) string { return ask([]any{v}) })
	case s.Type == "map" && s.Value.Shape != "AttributeValue":
		d.walk(at+"{}", s.Value.Shape, func(v any) string { return ask(map[string]any{d.sample(s.Key.Shape).(string): v}) })
	case s.Type == "structure":
		d.walkMembers(at, name, ask)
	}
}

// broken returns values that break one rule of a shape each.
func (d *driver) broken(s *wire.Shape) map[string]any {
	values := map[string]any{}
	if len(s.Enum) > 0 {
		values["a value that is not listed"] = "no such value"
	}
	if s.Min != nil {
		values["too little"] = map[string]any{"string": "", "integer": *s.Min - 1, "list": []any{}, "map": map[string]any{}}[s.Type]
	}
	if s.Type == "string" && s.Min != nil && *s.Min < 1 {
		delete(values, "too little")
	}
	if s.Max == nil {
		return values
	}
	switch s.Type {
	case "string":
		values["too much"] = strings.Repeat("a", int(*s.Max)+1)
	case "integer":
		values["too much"] = *s.Max + 1
	case "list":
		values["too much"] = slices.Repeat([]any{d.sample(s.Member.Shape)}, int(*s.Max)+1)
	}
	return values
}

// walkMembers checks that each required member is required, that each member of AWS's is known, and walks the accepted
// ones.
func (d *driver) walkMembers(at, name string, ask func(any) string) {
	s := d.rules.Shapes[name]
	for _, required := range s.Required {
		without := d.sample(name).(map[string]any)
		delete(without, required)
		if answer := ask(without); answer == taken {
			d.t.Errorf("%s without %s is taken", at, required)
		}
	}
	for member, ref := range s.Members {
		with := func(v any) string {
			whole := d.sample(name).(map[string]any)
			whole[member] = v
			return ask(whole)
		}
		var value any = "x"
		if ref.Shape != "" {
			value = d.sample(ref.Shape)
		}
		answer := with(value)
		if !known(member, ref, answer) {
			d.t.Errorf("%s: AWS has the member %s, but: %s", at, member, answer)
		}
		if answer == taken && ref.Shape != "" && ref.Shape != "AttributeValue" {
			d.walk(at+"."+member, ref.Shape, with)
		}
	}
}

// known reports whether an answer is that to a member which is accepted or refused by its name: not in general, and not as
// if AWS had no such member. The sample of a member of which only the name is known may have the wrong type.
func known(member string, ref wire.Ref, answer string) bool {
	switch {
	case strings.Contains(answer, "SerializationException"):
		return ref.Shape == "" && strings.Contains(answer, "member "+member+":")
	case strings.Contains(answer, "not supported here: "):
		return strings.Contains(answer, member)
	default:
		return true
	}
}

// sample returns a value that keeps a shape's rules.
func (d *driver) sample(name string) any {
	s := d.rules.Shapes[name]
	switch s.Type {
	case "structure":
		value := map[string]any{}
		for _, member := range s.Required {
			value[member] = d.sample(s.Members[member].Shape)
		}
		maps.Copy(value, d.samples[name])
		return value
	case "list":
		return []any{d.sample(s.Member.Shape)}
	case "map":
		return map[string]any{d.sample(s.Key.Shape).(string): d.sample(s.Value.Shape)}
	case "string":
		if len(s.Enum) > 0 {
			return s.Enum[0]
		}
		if strings.Contains(s.Pattern, "|Name|") {
			return "Name"
		}
		return "aaa"
	case "boolean":
		return true
	case "blob":
		return "YWFh"
	default:
		if s.Min != nil {
			return *s.Min
		}
		return 1
	}
}

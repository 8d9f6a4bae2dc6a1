package wiretest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"heliograph/simulator/wire"
)

// Published locates the published description of a service's requests and responses.
type Published struct {
	// Folder is the service's folder in botocore's data, with the API's version: "sqs/2012-11-05".
	Folder string
	// Client is the SDK's client, whose inputs and outputs have the newest members.
	Client any
	// Own are shapes whose rules the service enforces itself, with the reason.
	Own map[string]string
	// Taken is the service's error for a call that keeps all rules but names a resource that does not exist. Empty:
	// calls are not carried out, and Own is not tried.
	Taken string
	// Samples are members that a structure needs in addition to those that its model requires.
	Samples map[string]map[string]any
}

var update = flag.Bool("update-model", false, "write model.json anew from botocore's model and the SDK")

// botocore lists where the AWS CLI keeps its models: Debian's package, and the installer's version 2.
var botocore = []string{
	"/usr/lib/python3/dist-packages/awscli/botocore/data",
	"/usr/lib/python3/dist-packages/botocore/data",
	"/usr/local/aws-cli/v2/current/dist/awscli/botocore/data",
}

// shape is a wire.Shape plus the members that only botocore's file has.
type shape struct {
	wire.Shape
	Flattened bool `json:"flattened"`
	Members   map[string]struct {
		Shape        string `json:"shape"`
		LocationName string `json:"locationName"`
	} `json:"members"`
}

type botocoreModel struct {
	Operations map[string]struct{ Input wire.Ref }
	Shapes     map[string]*shape
}

// HoldAgainstModel proves that a service's actions accept and return only members that AWS has, of the same kind; that
// the service's Model contains everything published about its inputs; that outputs have all members that they must have;
// and, by a request for each rule and member, that each rule is enforced and each member is either accepted or refused by
// name.
func HoldAgainstModel(t *testing.T, service wire.Service, p Published) {
	t.Helper()
	holdAgainstSDK(t, service, p.Client)
	holdOutputs(t, service, p.Folder)
	rules := service.Model
	if fresh := botocoresModel(t, service, p); fresh != nil {
		if *update {
			service.Model = write(t, fresh, p.Own)
		}
		compare(t, service.Model, fresh, p.Own)
		if p.Taken != "" {
			rules = fresh
		}
	}
	drive(t, service, rules, p)
}

// botocoresModel returns the published model, or nil if botocore is not installed, which is an error in CI.
func botocoresModel(t *testing.T, service wire.Service, p Published) *wire.Model {
	t.Helper()
	text := find(p.Folder)
	if text == nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is nowhere: install awscli", p.Folder)
		}
		t.Logf("%s is not held against botocore's model: apt-get install awscli brings it", p.Folder)
		return nil
	}
	var from botocoreModel
	if err := json.Unmarshal(text, &from); err != nil {
		t.Fatal(err)
	}
	m := &wire.Model{Operations: map[string]string{}, Shapes: map[string]*wire.Shape{}}
	for action := range service.Actions {
		name := from.Operations[action].Input.Shape
		input, _ := sdkTypes(p.Client, action)
		if name != "" {
			m.Operations[action] = name
			from.add(m, name, input)
		}
	}
	return m
}

// find returns the text of a model, plain or compressed.
func find(folder string) []byte {
	for _, root := range botocore {
		file := filepath.Join(root, folder, "service-2.json")
		if text, err := os.ReadFile(file); err == nil {
			return text
		}
		packed, err := os.ReadFile(file + ".gz")
		if err != nil {
			continue
		}
		if r, err := gzip.NewReader(bytes.NewReader(packed)); err == nil {
			if text, err := io.ReadAll(r); err == nil {
				return text
			}
		}
	}
	return nil
}

// add copies a shape with everything it refers to. It adds by name the members that only the SDK has, and the names
// that flattened lists have in the query protocol.
func (from botocoreModel) add(m *wire.Model, name string, sdk reflect.Type) {
	if m.Shapes[name] != nil {
		return
	}
	source := from.Shapes[name]
	s := source.Shape
	m.Shapes[name] = &s
	slices.Sort(s.Required)
	s.Members = map[string]wire.Ref{}
	for member, ref := range source.Members {
		s.Members[member] = wire.Ref{Shape: ref.Shape}
		from.add(m, ref.Shape, part(sdk, member))
		if at := from.Shapes[ref.Shape]; at.Flattened && ref.LocationName != "" {
			s.Members[ref.LocationName] = wire.Ref{}
		}
	}
	if s.Type == "structure" {
		addNames(s.Members, membersOf(sdk))
	}
	for _, ref := range []*wire.Ref{s.Member, s.Key, s.Value} {
		if ref != nil {
			from.add(m, ref.Shape, part(sdk, ""))
		}
	}
}

// addNames adds members of which only the name is known.
func addNames(members map[string]wire.Ref, names []string) {
	for _, name := range names {
		if _, known := members[name]; !known {
			members[name] = wire.Ref{}
		}
	}
}

// write writes model.json, without the rules that the service enforces itself, and returns it as it will be parsed.
func write(t *testing.T, fresh *wire.Model, own map[string]string) *wire.Model {
	t.Helper()
	m := wire.Model{Operations: fresh.Operations, Shapes: maps.Clone(fresh.Shapes)}
	for name := range own {
		s := *m.Shapes[name]
		s.Enum, s.Min, s.Max, s.Pattern = nil, nil, nil, ""
		m.Shapes[name] = &s
	}
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("model.json", append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	return wire.ParseModel(text)
}

// compare reports where a model is laxer than the published one.
func compare(t *testing.T, have, want *wire.Model, own map[string]string) {
	t.Helper()
	for name, w := range want.Shapes {
		h := have.Shapes[name]
		if h == nil {
			t.Errorf("model.json lacks the shape %s: go test with -update-model", name)
			continue
		}
		for _, member := range slices.Sorted(maps.Keys(w.Members)) {
			if _, ok := h.Members[member]; !ok {
				t.Errorf("model.json lacks %s.%s: go test with -update-model", name, member)
			}
		}
		for _, member := range w.Required {
			if !slices.Contains(h.Required, member) {
				t.Errorf("%s.%s is required", name, member)
			}
		}
		laxer := w.Min != nil && (h.Min == nil || *h.Min < *w.Min) || w.Max != nil && (h.Max == nil || *h.Max > *w.Max) ||
			w.Pattern != "" && h.Pattern != w.Pattern || len(w.Enum) > 0 && len(h.Enum) == 0
		for _, value := range h.Enum {
			laxer = laxer || len(w.Enum) > 0 && !slices.Contains(w.Enum, value)
		}
		if laxer && own[name] == "" {
			t.Errorf("model.json is laxer about %s than what is published: go test with -update-model", name)
		}
	}
}

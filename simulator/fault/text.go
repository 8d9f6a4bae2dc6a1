package fault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// String describes in one line what the rule does, such as "dynamodb PutItem by *-connect: ThrottlingException, 30% of
// the time, twice".
func (r Rule) String() string {
	var b strings.Builder
	b.WriteString(string(r.Service))
	for _, part := range []struct{ before, text string }{{" ", r.Action}, {" on ", r.Resource}, {" by ", r.Caller}} {
		if part.text != "" {
			b.WriteString(part.before + part.text)
		}
	}
	b.WriteString(": " + r.effect())
	if r.Rate > 0 && r.Rate < 1 {
		b.WriteString(", " + strconv.FormatFloat(100*r.Rate, 'g', 4, 64) + "% of the time")
	}
	switch {
	case r.Count == 1:
		b.WriteString(", once")
	case r.Count > 1:
		fmt.Fprintf(&b, ", %d times", r.Count)
	}
	return b.String()
}

// effect describes the fault.
func (r Rule) effect() string {
	words := r.Error
	switch {
	case r.Down:
		words = "down"
	case r.Lost:
		words = "lost"
	case r.Duplicate:
		words = "delivered once more"
	case r.Kill:
		words = "killed at a random moment"
	}
	switch {
	case r.Latency == nil:
		return words
	case r.Kill:
		return "killed after " + r.Latency.String()
	case words == "":
		return "+" + r.Latency.String()
	}
	return words + " after " + r.Latency.String()
}

// Parse parses a rule's JSON strictly: a member that is unknown, or differs in case, is an error that lists the known
// ones.
func Parse(data []byte) (r Rule, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return r, fmt.Errorf("the rule is no JSON object: %w", err)
	}
	known := memberNames()
	for name := range members {
		if !slices.Contains(known, name) {
			return r, fmt.Errorf("a rule has no member %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&r); err != nil {
		return r, fmt.Errorf("read the rule: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return r, errors.New("there is something behind the rule")
	}
	return r, nil
}

// memberNames are the names of a rule's members in JSON, except the id, which Set.Add assigns.
func memberNames() (names []string) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Rule]()) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "id" {
			names = append(names, name)
		}
	}
	return names
}

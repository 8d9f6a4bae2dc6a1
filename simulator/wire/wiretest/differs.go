package wiretest

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"time"
)

// newer are members that AWS has added since the model in Debian's package, as the SDK has them.
var newer = map[string]bool{
	"ParameterMetadata.ARN": true, "TableDescription.DeletionProtectionEnabled": true,
}

// emptyDiffers says how a value differs from the answer of an operation without an output.
func (m *answerModel) emptyDiffers(value any) string {
	if members, is := value.(map[string]any); !is || len(members) > 0 {
		return fmt.Sprintf("the operation's answer is empty, not %v", value)
	}
	return ""
}

// differs says how a value differs from a shape. at is where it is in the answer.
func (m *answerModel) differs(f form, name, at string, value any) string {
	s := m.Shapes[name]
	if s.Type == "structure" {
		return m.structureDiffers(f, name, at, value)
	}
	fits := false
	var parts map[string]any
	var of *located
	switch v := value.(type) {
	case []any:
		fits, of, parts = s.Type == "list", s.Member, map[string]any{}
		for i := range v {
			parts[fmt.Sprintf("[%d]", i)] = v[i]
		}
	case map[string]any:
		fits, of, parts = s.Type == "map", s.Value, v
	default:
		fits = s.scalar(f, value)
	}
	if !fits {
		return fmt.Sprintf("%s is %v, which is no %s (%s)", at, value, name, s.Type)
	}
	for key, part := range parts {
		if fault := m.differs(f, of.Shape, at+"."+key, part); fault != "" {
			return fault
		}
	}
	return ""
}

// scalar reports whether a value is one of a simple shape.
func (s answerShape) scalar(f form, value any) bool {
	switch v := value.(type) {
	case string:
		_, notEncoded := base64.StdEncoding.DecodeString(v)
		_, notTime := time.Parse(time.RFC3339, v)
		return s.Type == "string" && (len(s.Enum) == 0 || slices.Contains(s.Enum, v)) || s.Type == "blob" && notEncoded == nil ||
			s.Type == "timestamp" && f == restForm && notTime == nil
	case float64:
		whole := v == math.Trunc(v)
		return slices.Contains([]string{"float", "double", "timestamp"}, s.Type) && f != restForm || (s.Type == "integer" || s.Type == "long") && whole
	case bool:
		return s.Type == "boolean"
	}
	return false
}

func (m *answerModel) structureDiffers(f form, name, at string, value any) string {
	members, is := value.(map[string]any)
	if !is {
		return fmt.Sprintf("%s is %v, which is no %s", at, value, name)
	}
	known := map[string]bool{}
	for member, ref := range m.Shapes[name].Members {
		on := member
		if f == restForm {
			on = ref.LocationName
		}
		known[on] = true
		v, there := members[on]
		empty := f == queryForm && m.Shapes[ref.Shape].Flattened // an empty one leaves no trace
		if !there && !empty && slices.Contains(m.Shapes[name].Required, member) {
			return fmt.Sprintf("%s.%s is missing", at, on)
		}
		if !there {
			continue
		}
		if fault := m.differs(f, ref.Shape, at+"."+on, v); fault != "" {
			return fault
		}
	}
	for member := range members {
		if !known[member] && !newer[name+"."+member] {
			return fmt.Sprintf("%s: %s has no member %s", at, name, member)
		}
	}
	return ""
}

package wiretest

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// form is the form of an answer. All forms are decoded to what encoding/json makes of JSON.
type form int

const (
	jsonForm form = iota
	restForm
	cborForm
	queryForm
)

// node is an element of an XML answer.
type node struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
	Nodes   []node `xml:",any"`
}

func (n node) child(name string) *node {
	for i := range n.Nodes {
		if n.Nodes[i].XMLName.Local == name {
			return &n.Nodes[i]
		}
	}
	return nil
}

// code returns the code of an error.
func (f form) code(header http.Header, body []byte) string {
	var answer struct {
		Type string `json:"__type"`
	}
	switch f {
	case restForm:
		answer.Type, _, _ = strings.Cut(header.Get("X-Amzn-ErrorType"), ":")
	case queryForm:
		var document node
		if xml.Unmarshal(body, &document) == nil && document.child("Error") != nil && document.child("Error").child("Code") != nil {
			answer.Type = document.child("Error").child("Code").Text
		}
	case cborForm:
		if value, err := cbor.Decode(body); err == nil {
			answer.Type, _ = plainCBOR(value).(map[string]any)["__type"].(string)
		}
	default:
		_ = json.Unmarshal(body, &answer) // no code: no error of the operation's
	}
	return answer.Type[strings.Index(answer.Type, "#")+1:]
}

// decode decodes the output of an operation.
func (f form) decode(m *answerModel, o operation, body []byte) (value any, err error) {
	switch f {
	case cborForm:
		decoded, err := cbor.Decode(body)
		return plainCBOR(decoded), err
	case queryForm:
		var document node
		if err := xml.Unmarshal(body, &document); err != nil {
			return nil, err
		}
		if o.Output.Shape == "" {
			return m.plainStructure(answerShape{}, node{Nodes: withoutMetadata(document.Nodes)}), nil
		}
		result := document.child(o.Output.ResultWrapper)
		if result == nil {
			return nil, fmt.Errorf("the answer has no %s", o.Output.ResultWrapper)
		}
		return m.plainXML(o.Output.Shape, []node{*result}), nil
	default:
		err = json.Unmarshal(body, &value)
		return value, err
	}
}

func withoutMetadata(nodes []node) []node {
	return slices.DeleteFunc(nodes, func(n node) bool { return n.XMLName.Local == "ResponseMetadata" })
}

func plainCBOR(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.Map:
		all := map[string]any{}
		for name, one := range v {
			all[name] = plainCBOR(one)
		}
		return all
	case cbor.List:
		all := make([]any, len(v))
		for i, one := range v {
			all[i] = plainCBOR(one)
		}
		return all
	case *cbor.Tag:
		return plainCBOR(v.Value)
	case cbor.Slice:
		return base64.StdEncoding.EncodeToString(v)
	default:
		return plainCBORScalar(v)
	}
}

func plainCBORScalar(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.String:
		return string(v)
	case cbor.Bool:
		return bool(v)
	case cbor.Uint:
		return float64(v)
	case cbor.NegInt:
		return -float64(v)
	case cbor.Float32:
		return float64(v)
	case cbor.Float64:
		return float64(v)
	}
	return nil
}

// plainXML reads a value of a shape from its elements: several of a flattened list or map, or else one. Elements that the
// shape does not have stay, under their names.
func (m *answerModel) plainXML(name string, nodes []node) any {
	s := m.Shapes[name]
	switch s.Type {
	case "structure":
		return m.plainStructure(s, nodes[0])
	case "list":
		if !s.Flattened {
			nodes = nodes[0].Nodes
		}
		all := make([]any, len(nodes))
		for i := range nodes {
			all[i] = m.plainXML(s.Member.Shape, nodes[i:i+1])
		}
		return all
	case "map":
		if !s.Flattened {
			nodes = nodes[0].Nodes
		}
		all := map[string]any{}
		for _, n := range nodes {
			key, value := n.child(nameOr(s.Key, "key")), n.child(nameOr(s.Value, "value"))
			if key == nil || value == nil {
				return "an entry without key or value"
			}
			all[key.Text] = m.plainXML(s.Value.Shape, []node{*value})
		}
		return all
	default:
		return plainScalar(s.Type, nodes[0].Text)
	}
}

func (m *answerModel) plainStructure(s answerShape, n node) map[string]any {
	names := map[string]string{} // of members, by element
	for member, ref := range s.Members {
		at := m.Shapes[ref.Shape]
		switch {
		case at.Flattened && at.Member != nil:
			names[nameOr(at.Member, nameOr(&ref, member))] = member
		default:
			names[nameOr(&ref, member)] = member
		}
	}
	found := map[string][]node{}
	for _, child := range n.Nodes {
		found[child.XMLName.Local] = append(found[child.XMLName.Local], child)
	}
	all := map[string]any{}
	for element, nodes := range found {
		member, known := names[element]
		if !known {
			all[element] = nodes[0].Text
			continue
		}
		all[member] = m.plainXML(s.Members[member].Shape, nodes)
	}
	return all
}

func nameOr(ref *located, other string) string {
	if ref.LocationName != "" {
		return ref.LocationName
	}
	return other
}

func plainScalar(kind, text string) any {
	switch kind {
	case "integer", "long", "float", "double":
		if number, err := strconv.ParseFloat(text, 64); err == nil {
			return number
		}
	case "boolean":
		if truth, err := strconv.ParseBool(text); err == nil {
			return truth
		}
	case "timestamp":
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return float64(at.Unix())
		}
	}
	return text
}

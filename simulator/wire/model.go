package wire

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Model is AWS's published description of a service's requests: members, which of them are required, and the rules for
// their values. It has botocore's form, restricted to the inputs of the supported actions; wiretest.HoldAgainstModel
// writes it.
type Model struct {
	// Operations are the names of the actions' input shapes; an action without an input has none.
	Operations map[string]string
	Shapes     map[string]*Shape
}

// Shape is a type of a Model.
type Shape struct {
	Type     string         `json:"type"`
	Required []string       `json:"required,omitempty"`
	Members  map[string]Ref `json:"members,omitempty"` // of a structure
	Member   *Ref           `json:"member,omitempty"`  // of a list
	Key      *Ref           `json:"key,omitempty"`     // of a map
	Value    *Ref           `json:"value,omitempty"`
	Enum     []string       `json:"enum,omitempty"`
	Min      *float64       `json:"min,omitempty"`
	Max      *float64       `json:"max,omitempty"`
	Pattern  string         `json:"pattern,omitempty"`

	model   *Model
	pattern *regexp.Regexp
}

// Ref names a shape. It is empty for a member that only the SDK has: only its name is known.
type Ref struct {
	Shape string `json:"shape,omitempty"`
}

// ParseModel parses an embedded model.
func ParseModel(text []byte) *Model {
	m := &Model{}
	if err := json.Unmarshal(text, m); err != nil {
		panic(fmt.Errorf("reading a service's model: %w", err))
	}
	for _, s := range m.Shapes {
		s.model = m
		if s.Pattern != "" {
			s.pattern = regexp.MustCompile(`^(?:` + s.Pattern + `)$`)
		}
	}
	return m
}

// input returns the shape of an action's input, nil if there is no model.
func (m *Model) input(action string) *Shape {
	if m == nil {
		return nil
	}
	return m.Shapes[m.Operations[action]]
}

// violation is a violated rule of the model.
type violation struct {
	path string
	// missing is set for an absent required member; value and rule are then empty.
	missing     bool
	value, rule string
}

// String is AWS's sentence, whose member names begin in lower case.
func (v violation) String() string {
	parts := strings.Split(v.path, ".")
	for i, part := range parts {
		parts[i] = strings.ToLower(part[:min(1, len(part))]) + part[min(1, len(part)):]
	}
	at := strings.Join(parts, ".")
	if v.missing {
		return fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", at)
	}
	return fmt.Sprintf("Value '%s' at '%s' failed to satisfy constraint: Member must %s", v.value, at, v.rule)
}

// violations are an error if there are any.
type violations []violation

func (vs violations) Error() string {
	sentences := make([]string, len(vs))
	for i, v := range vs {
		sentences[i] = v.String()
	}
	plural := ""
	if len(vs) > 1 {
		plural = "s"
	}
	return fmt.Sprintf("%d validation error%s detected: %s", len(vs), plural, strings.Join(sentences, "; "))
}

// answer converts violations to the error of most services, or of SQS, which names its parameters differently.
func (vs violations) answer(service string) *Error {
	switch {
	case service != "sqs":
		return &Error{Code: "ValidationException", QueryCode: "ValidationError", Message: vs.Error()}
	case vs[0].missing:
		return &Error{
			Code: "MissingRequiredParameterException", QueryCode: "MissingParameter", Prefix: Coral,
			Message: "The request must contain the parameter " + vs[0].path + ".",
		}
	default:
		return &Error{Code: "InvalidParameterValueException", QueryCode: "InvalidParameterValue", Prefix: Coral, Message: vs[0].String()}
	}
}

// place is the position of a value in an input, with the model's rules for it. A nil shape has no rules.
type place struct {
	path  string
	shape *Shape
	found *violations
}

func (p place) fail(value, format string, args ...any) {
	*p.found = append(*p.found, violation{path: p.path, value: value, rule: fmt.Sprintf(format, args...)})
}

// to returns the place of a part of this one.
func (p place) to(path string, ref *Ref) place {
	next := place{path: path, found: p.found}
	if p.shape != nil && ref != nil {
		next.shape = p.shape.model.Shapes[ref.Shape]
	}
	return next
}

func (p place) member(name string) place {
	if p.shape == nil {
		return p.to(join(p.path, name), nil)
	}
	ref := p.shape.Members[name]
	return p.to(join(p.path, name), &ref)
}

func (p place) element(path string) place {
	switch {
	case p.shape == nil:
		return p.to(path, nil)
	case p.shape.Member != nil:
		return p.to(path, p.shape.Member)
	default:
		return p.to(path, p.shape.Value)
	}
}

// unsupported is the error of a member that AWS has and the action here does not: its path.
type unsupported string

func (u unsupported) Error() string { return "not supported here: " + string(u) }

// answer puts the error in the service's terms. Only SQS has an error for it.
func (u unsupported) answer(service string) *Error {
	if service == "sqs" {
		return &Error{Code: "UnsupportedOperation", QueryCode: "AWS.SimpleQueueService.UnsupportedOperation", Message: u.Error()}
	}
	return &Error{Code: "ValidationException", QueryCode: "ValidationError", Message: u.Error()}
}

// unknown is the error of a member without a field: a member that AWS has is refused by name.
func (p place) unknown(kind, name string) error {
	if p.shape != nil {
		if _, real := p.shape.Members[name]; real {
			return unsupported(join(p.path, name))
		}
	}
	return fmt.Errorf("there is no %s %s here", kind, join(p.path, name))
}

// require records the missing required members of a structure.
func (p place) require(there func(name string) bool) {
	if p.shape == nil {
		return
	}
	for _, name := range p.shape.Required {
		if !there(name) {
			*p.found = append(*p.found, violation{path: join(p.path, name), missing: true})
		}
	}
}

// check checks a decoded value against the rules of its shape; the parts of walked lists and maps have been checked by
// then.
func (p place) check(v reflect.Value) {
	if p.shape == nil {
		return
	}
	switch v = reflect.Indirect(v); v.Kind() {
	case reflect.String:
		p.checkText(v.String())
	case reflect.Int, reflect.Int32, reflect.Int64:
		p.checkRange(float64(v.Int()), strconv.FormatInt(v.Int(), 10), "value")
	case reflect.Float64:
		p.checkRange(v.Float(), strconv.FormatFloat(v.Float(), 'g', -1, 64), "value")
	case reflect.Map:
		p.checkRange(float64(v.Len()), elements(v), "length")
		for _, key := range v.MapKeys() {
			p.to(p.path, p.shape.Key).check(key)
		}
	case reflect.Slice:
		p.checkRange(float64(v.Len()), elements(v), "length")
		for i := 0; i < v.Len() && !isBytes(v.Type()) && !walked(v.Type()); i++ {
			p.element(fmt.Sprintf("%s.%d.member", p.path, i+1)).check(v.Index(i))
		}
	}
}

// elements stands for a list in an error, which would otherwise grow with the list.
func elements(v reflect.Value) string { return fmt.Sprintf("[%d elements]", v.Len()) }

func (p place) checkText(text string) {
	p.checkRange(float64(utf8.RuneCountInString(text)), text, "length")
	if p.shape.pattern != nil && !p.shape.pattern.MatchString(text) {
		p.fail(text, "satisfy regular expression pattern: %s", p.shape.Pattern)
	}
	if len(p.shape.Enum) > 0 && !slices.Contains(p.shape.Enum, text) {
		p.fail(text, "satisfy enum value set: [%s]", strings.Join(p.shape.Enum, ", "))
	}
}

func (p place) checkRange(n float64, shown, what string) {
	if p.shape.Min != nil && n < *p.shape.Min {
		p.fail(shown, "have %s greater than or equal to %g", what, *p.shape.Min)
	}
	if p.shape.Max != nil && n > *p.shape.Max {
		p.fail(shown, "have %s less than or equal to %s", what, strconv.FormatFloat(*p.shape.Max, 'f', -1, 64))
	}
}

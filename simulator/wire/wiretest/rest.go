package wiretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// restModel is the part of botocore's model of a REST service that describes its answers.
type restModel struct {
	Operations map[string]restOperation
	Shapes     map[string]restShape
}

type restOperation struct {
	HTTP struct {
		Method       string
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"`
	}
	Output struct{ Shape string }
	Errors []struct{ Shape string }
}

type restShape struct {
	Type     string
	Required []string
	Members  map[string]struct{ Shape, LocationName string }
	Error    struct {
		HTTPStatusCode int `json:"httpStatusCode"`
	}
}

// common are errors that any AWS service may answer with; they are in no model. Nor is API Gateway's answer to a malformed
// connection id, which only its users report.
var common = map[string]int{
	"MissingAuthenticationTokenException": http.StatusForbidden, "IncompleteSignatureException": http.StatusForbidden,
	"InvalidSignatureException": http.StatusForbidden, "AccessDeniedException": http.StatusForbidden,
	"BadRequestException": http.StatusBadRequest,
}

// HoldAnswers returns a transport that fails the test for an answer that botocore's model of a REST service rules out: in
// its status, its members and their types, or its error. Without botocore it checks nothing, which is an error in CI.
func HoldAnswers(t testing.TB, folder string) http.RoundTripper {
	t.Helper()
	text := find(folder)
	if text == nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is nowhere: install awscli", folder)
		}
		return http.DefaultTransport
	}
	held := heldAnswers{t: t}
	if err := json.Unmarshal(text, &held.model); err != nil {
		t.Fatal(err)
	}
	return held
}

type heldAnswers struct {
	t     testing.TB
	model restModel
}

func (h heldAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	name, operation := h.model.operation(r)
	if fault := h.model.fault(operation, response, body); fault != "" {
		h.t.Errorf("%s answered with %s and %q: %s", name, response.Status, body, fault)
	}
	return response, nil
}

var variable = regexp.MustCompile(`\{[^}]+\}`)

// operation returns the operation that a request asks for.
func (m restModel) operation(r *http.Request) (string, restOperation) {
	for name, o := range m.Operations {
		path := regexp.MustCompile(variable.ReplaceAllString(o.HTTP.RequestURI, "[^/]+") + "$")
		if o.HTTP.Method == r.Method && path.MatchString(r.URL.EscapedPath()) {
			return name, o
		}
	}
	return "an unknown operation", restOperation{}
}

// fault says how an answer differs from the model; empty: it does not.
func (m restModel) fault(o restOperation, response *http.Response, body []byte) string {
	if response.StatusCode == o.HTTP.ResponseCode {
		if o.Output.Shape == "" {
			return m.empty(body)
		}
		var value any
		if err := json.Unmarshal(body, &value); err != nil {
			return err.Error()
		}
		return m.differs(o.Output.Shape, value)
	}
	code, _, _ := strings.Cut(response.Header.Get("X-Amzn-ErrorType"), ":")
	listed := slices.ContainsFunc(o.Errors, func(e struct{ Shape string }) bool { return e.Shape == code })
	if listed && m.Shapes[code].Error.HTTPStatusCode == response.StatusCode || common[code] == response.StatusCode {
		return ""
	}
	return fmt.Sprintf("the error %q with this status is not the operation's; it has %v", code, o.Errors)
}

func (m restModel) empty(body []byte) string {
	if len(body) > 0 {
		return "the operation's answer is empty"
	}
	return ""
}

// differs says how a value differs from a shape.
func (m restModel) differs(name string, value any) string {
	switch s := m.Shapes[name]; s.Type {
	case "structure":
		return m.structureDiffers(name, value)
	case "timestamp":
		text, _ := value.(string)
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			return err.Error()
		}
	case "string":
		if _, is := value.(string); !is {
			return fmt.Sprintf("%v is no string", value)
		}
	default:
		return "shapes of type " + s.Type + " can't be checked yet"
	}
	return ""
}

func (m restModel) structureDiffers(name string, value any) string {
	members, is := value.(map[string]any)
	if !is {
		return fmt.Sprintf("%v is no %s", value, name)
	}
	known := map[string]bool{}
	for member, ref := range m.Shapes[name].Members {
		known[ref.LocationName] = true
		v, there := members[ref.LocationName]
		if !there && slices.Contains(m.Shapes[name].Required, member) {
			return fmt.Sprintf("%s.%s is missing", name, ref.LocationName)
		}
		if fault := m.differs(ref.Shape, v); there && fault != "" {
			return fault
		}
	}
	for member := range members {
		if !known[member] {
			return fmt.Sprintf("%s has no member %s", name, member)
		}
	}
	return ""
}

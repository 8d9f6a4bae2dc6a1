package wiretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/wire"
)

// answerModel is the part of botocore's model of a service that describes its answers.
type answerModel struct {
	Metadata   struct{ Protocol string }
	Operations map[string]operation
	Shapes     map[string]answerShape
}

type operation struct {
	HTTP struct {
		Method       string
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"`
	}
	Input  struct{ Shape string }
	Output struct{ Shape, ResultWrapper string }
	Errors []struct{ Shape string }
}

type answerShape struct {
	Type               string
	Required           []string
	Members            map[string]located
	Member, Key, Value *located
	Enum               []string
	Flattened          bool
	LocationName       string
	Exception          bool
	Error              struct {
		Code           string
		HTTPStatusCode int `json:"httpStatusCode"`
	}
}

// located is a reference to a shape, with the name that it has on the wire.
type located struct{ Shape, Location, LocationName string }

// common are errors that any AWS service may answer with; they are in no model. Nor is API Gateway's answer to a malformed
// connection id, which only its users report.
// Source: https://docs.aws.amazon.com/awssupport/latest/APIReference/CommonErrors.html
var common = map[string][]int{
	"MissingAuthenticationTokenException": {403, 400}, "IncompleteSignatureException": {403, 400}, "InvalidSignatureException": {403, 400},
	"MissingAuthenticationToken": {403}, "IncompleteSignature": {403, 400}, "SignatureDoesNotMatch": {403},
	"AccessDeniedException": {403, 400}, "AccessDenied": {403}, "UnrecognizedClientException": {403, 400}, "InvalidClientTokenId": {403},
	"BadRequestException": {400}, "ValidationException": {400}, "ValidationError": {400}, "SerializationException": {400}, "MalformedInput": {400},
	"ThrottlingException": {400}, "Throttling": {400}, "UnknownOperationException": {400, 404}, "InvalidAction": {400},
	"MissingParameter": {400}, "MissingRequiredParameterException": {400}, "InvalidParameterValue": {400}, "InvalidParameterValueException": {400},
	"InvalidParameterCombination": {400}, "InternalFailure": {500}, "ServiceUnavailable": {503}, "ServiceUnavailableException": {503},
	"RequestEntityTooLarge": {413}, "NoSuchVersion": {400}, "MalformedQueryString": {400, 404}, "IncompleteBody": {400},
}

// HoldAnswers returns a handler that fails the test for an answer that botocore's model of the service in a folder rules
// out: by its members and their types and values, or by its error. Without botocore it checks nothing, which is an error
// in CI.
func HoldAnswers(t testing.TB, folder string, handler http.Handler) http.Handler {
	t.Helper()
	model := readAnswers(t, folder)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(request))
		recorded := httptest.NewRecorder()
		handler.ServeHTTP(recorded, r)
		model.hold(t, r, request, recorded.Result(), recorded.Body.Bytes())
		maps.Copy(w.Header(), recorded.Header())
		w.WriteHeader(recorded.Code)
		_, _ = w.Write(recorded.Body.Bytes())
	})
}

// HoldTransport returns a transport that fails the test as HoldAnswers does.
func HoldTransport(t testing.TB, folder string) http.RoundTripper {
	t.Helper()
	model := readAnswers(t, folder)
	return transport(func(r *http.Request) (*http.Response, error) {
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		response.Body = io.NopCloser(bytes.NewReader(body))
		if err == nil {
			model.hold(t, r, nil, response, body)
		}
		return response, err
	})
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func (m *answerModel) hold(t testing.TB, r *http.Request, request []byte, answer *http.Response, body []byte) {
	if m == nil {
		return
	}
	if fault := m.fault(r, request, answer, body); fault != "" {
		t.Errorf("an answer differs from AWS's model: %s\n%s %s %s %.300q: %d %.1000q", fault, r.Method, r.URL, r.Header.Get("X-Amz-Target"), request, answer.StatusCode, body)
	}
}

func readAnswers(t testing.TB, folder string) *answerModel {
	t.Helper()
	text := find(folder)
	if text == nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is nowhere: install awscli", folder)
		}
		t.Logf("answers are not held against %s: apt-get install awscli brings it", folder)
		return nil
	}
	model := &answerModel{}
	if err := json.Unmarshal(text, model); err != nil {
		t.Fatal(err)
	}
	return model
}

// HoldOperations proves that a service without a wire.Model serves all operations of botocore's, with these members of
// their inputs and no others.
func HoldOperations(t *testing.T, folder string, served map[string][]string) {
	t.Helper()
	model := readAnswers(t, folder)
	if model == nil {
		t.Skip("apt-get install awscli")
	}
	published := map[string][]string{}
	for name, o := range model.Operations {
		published[name] = slices.Sorted(maps.Keys(model.Shapes[o.Input.Shape].Members))
	}
	if diff := cmp.Diff(published, served); diff != "" {
		t.Errorf("operations and their members (-published +served):\n%s", diff)
	}
}

// holdOutputs proves that the outputs of a service's actions have all members that AWS's must have.
func holdOutputs(t *testing.T, service wire.Service, folder string) {
	t.Helper()
	model := readAnswers(t, folder)
	if model == nil {
		return
	}
	for name, action := range service.Actions {
		o, listed := model.Operations[name]
		if !listed {
			t.Errorf("%s has no operation %s", folder, name)
		}
		_, output := action.Types()
		model.requires(t, name+" output", o.Output.Shape, output)
	}
}

// requires reports the required members that a type lacks, or leaves out.
func (m *answerModel) requires(t *testing.T, at, name string, ours reflect.Type) {
	t.Helper()
	ours = plain(ours)
	s := m.Shapes[name]
	switch {
	case readsItself(ours):
		return
	case s.Member != nil && ours.Kind() == reflect.Slice:
		m.requires(t, at+"[]", s.Member.Shape, ours.Elem())
	case s.Value != nil && ours.Kind() == reflect.Map:
		m.requires(t, at+"{}", s.Value.Shape, ours.Elem())
	}
	if ours.Kind() != reflect.Struct {
		return
	}
	there := map[string]bool{}
	for _, field := range reflect.VisibleFields(ours) {
		member, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		if member == "" {
			member = field.Name
		}
		there[member] = option == ""
		if ref, known := s.Members[member]; known {
			m.requires(t, at+"."+member, ref.Shape, field.Type)
		}
	}
	for _, member := range s.Required {
		if !there[member] {
			t.Errorf("%s.%s must be there always", at, member)
		}
	}
}

// fault says how an answer differs from the model; empty: it does not.
func (m *answerModel) fault(r *http.Request, request []byte, answer *http.Response, body []byte) string {
	o, f := m.operation(r, request)
	if answer.StatusCode >= 300 {
		return m.errorFault(o, answer.StatusCode, f.code(answer.Header, body))
	}
	if o.HTTP.ResponseCode != 0 && answer.StatusCode != o.HTTP.ResponseCode {
		return fmt.Sprintf("the operation's status is %d", o.HTTP.ResponseCode)
	}
	if o.Output.Shape == "" && len(body) == 0 {
		return ""
	}
	value, err := f.decode(m, o, body)
	if err != nil {
		return err.Error()
	}
	if o.Output.Shape == "" {
		return m.emptyDiffers(value)
	}
	return m.differs(f, o.Output.Shape, "", value)
}

var variable = regexp.MustCompile(`\{[^}]+\}`)

// operation returns the operation that a request asks for, and the form of its answer.
func (m *answerModel) operation(r *http.Request, request []byte) (operation, form) {
	if _, name, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		return m.Operations[name], jsonForm
	}
	if r.Header.Get("Smithy-Protocol") != "" {
		return m.Operations[path.Base(r.URL.Path)], cborForm
	}
	if m.Metadata.Protocol != "rest-json" {
		form, _ := url.ParseQuery(string(request))
		return m.Operations[form.Get("Action")], queryForm
	}
	for _, o := range m.Operations {
		uri := regexp.MustCompile(variable.ReplaceAllString(o.HTTP.RequestURI, "[^/]+") + "$")
		if o.HTTP.Method == r.Method && uri.MatchString(r.URL.EscapedPath()) {
			return o, restForm
		}
	}
	return operation{}, restForm
}

// errorFault finds an error in the operation's list, or else in those of all AWS. The operations of query services list
// some of the service's errors only, so that all of them pass.
func (m *answerModel) errorFault(o operation, status int, code string) string {
	if slices.Contains(common[code], status) {
		return ""
	}
	for name, s := range m.Shapes {
		listed := m.Metadata.Protocol == "query" || slices.ContainsFunc(o.Errors, func(e struct{ Shape string }) bool { return e.Shape == name })
		if s.Exception && listed && (code == name || code == s.Error.Code) && (s.Error.HTTPStatusCode == 0 || s.Error.HTTPStatusCode == status) {
			return ""
		}
	}
	return fmt.Sprintf("the error %q with this status is not the operation's; it has %v", code, o.Errors)
}

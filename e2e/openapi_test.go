package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"heliograph/simulator/fault"
)

// TestOpenAPIDocument proves that the document is consistent: every reference resolves, and every example matches its
// schema.
func TestOpenAPIDocument(t *testing.T) {
	t.Parallel()
	api := readOpenAPI(t)
	if version, _ := api.at("/openapi").(string); !strings.HasPrefix(version, "3.1.") {
		t.Errorf("openapi is %q: the schemas are of the draft that 3.1 has", version)
	}
	references, examples := 0, 0
	walk(api.document, "", func(pointer string, node map[string]any) {
		if reference, ok := node["$ref"].(string); ok {
			references++
			if api.at(strings.TrimPrefix(reference, "#")) == nil {
				t.Errorf("%s: %s leads nowhere", pointer, reference)
			}
		}
		for i, example := range examplesOf(node) {
			examples++
			api.fits(t, pointer+"/schema", example, fmt.Sprintf("%s, example %d", pointer, i))
		}
		if inSchema, ok := node["examples"].([]any); ok {
			for i, example := range inSchema {
				examples++
				api.fits(t, pointer, example, fmt.Sprintf("%s, example %d", pointer, i))
			}
		}
	})
	if references == 0 || examples == 0 {
		t.Errorf("%d references and %d examples were checked", references, examples)
	}
}

// examplesOf returns the examples beside a schema: of a parameter, a header or a content type.
func examplesOf(node map[string]any) (values []any) {
	if node["schema"] == nil {
		return nil
	}
	if one, ok := node["example"]; ok {
		values = append(values, one)
	}
	named, _ := node["examples"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(named)) {
		values = append(values, named[name].(map[string]any)["value"])
	}
	return values
}

// question is a request to the API with its documented answer.
type question struct {
	query   string
	token   func(t *testing.T) string // the whole header
	faults  []fault.Rule
	answer  string // status and content type
	example string // the documented example that the body must equal; empty if the body contains times
	linked  bool   // the answer links to a next page
}

// questions returns requests that reach every documented answer.
func questions() map[string]question {
	const (
		list     = "200 application/json"
		problem  = "400 application/problem+json"
		noSecret = "500 application/json"
		noTable  = "500 application/problem+json"
	)
	good := func(t *testing.T) string { return "Bearer " + tokenFor(t, newUser()) }
	none := func(*testing.T) string { return "" }
	bad := func(t *testing.T) string { return "Bearer " + badTokens(t)["expired"] }
	tableDown := []fault.Rule{{Service: fault.DynamoDB, Caller: "*-online", Down: true}}
	authorizerDown := []fault.Rule{{Service: fault.Lambda, Resource: "*-authorizer", Down: true}}
	return map[string]question{
		"all":                {token: good, answer: list},
		"first page":         {query: "?limit=1", token: good, answer: list, linked: true},
		"documented cursor":  {query: "?limit=100&cursor=" + documentedCursor, token: good, answer: list},
		"statuses":           {query: "?userIds=%s", token: good, answer: list},
		"statuses of none":   {query: "?userIds=,", token: good, answer: list, example: "nobody"},
		"repeated parameter": {query: "?userIds=%s&userIds=another", token: good, answer: list},
		"unreadable":         {query: "?limit=5;x", token: good, answer: problem, example: "unreadable"},
		"one by one":         {query: "?userId=%s&userId=Doe%2C+Jane", token: good, answer: list},
		"bad limit":          {query: "?limit=1001", token: good, answer: problem, example: "limit"},
		"bad cursor":         {query: "?cursor=nonsense", token: good, answer: problem, example: "cursor"},
		"too many users":     {query: "?userIds=" + numbers(101), token: good, answer: problem, example: "tooManyUsers"},
		"long user":          {query: "?userIds=" + strings.Repeat("u", 257), token: good, answer: problem, example: "longUser"},
		"too long":           {query: "?userId=" + strings.Repeat(strings.Repeat("u", 256)+"&userId=", 99), token: good, answer: "431 application/json", example: "tooLong"},
		"no token":           {token: none, answer: "401 application/json", example: "unauthorized"},
		"bad token":          {token: bad, answer: "403 application/json", example: "forbidden"},
		"no table":           {token: good, faults: tableDown, answer: noTable, example: "table"},
		"no authorizer":      {token: good, faults: authorizerDown, answer: noSecret, example: "gateway"},
	}
}

// documentedCursor is the cursor of the document's examples.
const documentedCursor = "AcL2etgxMjM0"

func numbers(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(i)
	}
	return strings.Join(list, ",")
}

// TestOpenAPIAnswers proves that the API answers as documented, in status, headers, content type and body, and that
// every documented answer occurs. It is not parallel, because its faults affect the whole stack.
func TestOpenAPIAnswers(t *testing.T) {
	api := readOpenAPI(t)
	online, offline := newUser(), newUser()
	connect(t, online)
	connect(t, newUser()) // so that a page of one has a next page
	connect(t, offline).hangUp(t)
	waitForConnections(t, offline, 0)
	eventually(t, "a page of one has a next", func(context.Context) (bool, error) {
		return get(t, "/user/online?limit=1", "Bearer "+tokenFor(t, online)).header.Get("Link") != "", nil
	})
	reached := map[string]bool{}
	for name, q := range questions() {
		t.Run(name, func(t *testing.T) {
			reached[q.answer] = true // set before the skip; otherwise the check below would fail
			if len(q.faults) > 0 && own == nil {
				t.Skip("only the simulator can be broken on purpose")
			}
			for _, rule := range q.faults {
				breakShared(t, rule)
			}
			query := strings.Replace(q.query, "%s", online+","+offline+",nobody", 1)
			api.check(t, q, get(t, "/user/online"+query, q.token(t)))
		})
	}
	reached[forbidden] = true // by TestOpenAPIForbidden
	if diff := cmp.Diff(api.documented(), slices.Sorted(maps.Keys(reached))); diff != "" {
		t.Errorf("answers documented (-) and reached (+): %s", diff)
	}
}

// forbidden is the answer that only some configurations give.
const forbidden = "403 application/problem+json"

// TestOpenAPIForbidden proves that a query beyond onlineQuery is answered as documented, and one within it is not.
func TestOpenAPIForbidden(t *testing.T) {
	t.Parallel()
	if own == nil {
		t.Skip("the stack that this starts has another secret")
	}
	api := readOpenAPI(t)
	_, at := startStack(t, "--config", "onlineQuery=self")
	user := newUser()
	ask := func(query string) answer {
		return getAt(t, at.HTTPURL+"/user/online"+query, "Bearer "+tokenFor(t, user))
	}
	api.check(t, question{answer: forbidden}, ask(""))
	api.check(t, question{answer: forbidden}, ask("?userIds="+user+",another"))
	api.check(t, question{answer: "200 application/json"}, ask("?userIds="+user))
}

// breakShared injects a fault into the shared stack until the test ends.
func breakShared(t *testing.T, r fault.Rule) {
	t.Helper()
	id, err := own.Faults().Add(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Faults().Remove(id); err != nil {
			t.Error(err)
		}
	})
}

// openAPI is the document, for look-ups and for checking values against its schemas.
type openAPI struct {
	document map[string]any
	schemas  *jsonschema.Compiler
}

const openAPIFile = "openapi.json"

// responses is the JSON pointer to the answers of the only operation.
const responses = "/paths/~1user~1online/get/responses"

// readOpenAPI reads the document. Clients must ignore unknown properties, but here one is an error: every property of
// an answer must be documented.
func readOpenAPI(t *testing.T) openAPI {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(projectRoot(t), "docs", openAPIFile))
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	walk(document, "", func(_ string, node map[string]any) {
		if node["type"] == "object" && node["properties"] != nil {
			node["additionalProperties"] = false
		}
	})
	schemas := jsonschema.NewCompiler()
	schemas.AssertFormat()
	if err := schemas.AddResource(openAPIFile, document); err != nil {
		t.Fatal(err)
	}
	return openAPI{document.(map[string]any), schemas}
}

// fits checks a value against the schema at a place of the document.
func (a openAPI) fits(t *testing.T, pointer string, value any, what string) {
	t.Helper()
	schema, err := a.schemas.Compile(openAPIFile + "#" + pointer)
	if err != nil {
		t.Errorf("%s: this is no valid schema: %v", what, err)
		return
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// check compares an answer with the document and with the question's expectation.
func (a openAPI) check(t *testing.T, q question, got answer) {
	t.Helper()
	contentType, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if err != nil {
		t.Fatalf("Content-Type: %v", err)
	}
	if reached := fmt.Sprintf("%d %s", got.status, contentType); reached != q.answer {
		t.Fatalf("the answer is %s, want %s: %s", reached, q.answer, got.body)
	}
	content := fmt.Sprintf("%s/%d/content/%s", responses, got.status, escape(contentType))
	if a.at(content) == nil {
		t.Fatalf("%s is not documented", q.answer)
	}
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(got.body))
	if err != nil {
		t.Fatalf("%s: %v", got.body, err)
	}
	a.fits(t, content+"/schema", body, "body "+got.body)
	a.checkHeaders(t, got)
	if linked := got.header.Get("Link") != ""; q.linked && !linked {
		t.Error("there is no link to the next page")
	}
	if q.example != "" {
		if diff := cmp.Diff(a.at(content+"/examples/"+q.example+"/value"), body); diff != "" {
			t.Errorf("the example and the body: %s", diff)
		}
	}
}

// checkHeaders checks the documented headers of an answer, and finds undocumented ones of ours.
func (a openAPI) checkHeaders(t *testing.T, got answer) {
	t.Helper()
	place := fmt.Sprintf("%s/%d/headers", responses, got.status)
	documented, _ := a.at(place).(map[string]any)
	for name := range documented {
		header := place + "/" + name
		if reference, ok := a.at(header + "/$ref").(string); ok {
			header = strings.TrimPrefix(reference, "#")
		}
		switch value := got.header.Get(name); {
		case value != "":
			a.fits(t, header+"/schema", value, "header "+name)
		case a.at(header+"/required") == true:
			t.Errorf("the header %s is missing", name)
		}
	}
	for _, name := range []string{"Link", "Cache-Control"} {
		if got.header.Get(name) != "" && documented[name] == nil {
			t.Errorf("the header %s of a %d is not documented", name, got.status)
		}
	}
}

// documented lists the answers of the document: status and content type.
func (a openAPI) documented() (answers []string) {
	for status := range a.at(responses).(map[string]any) {
		for contentType := range a.at(responses + "/" + status + "/content").(map[string]any) {
			answers = append(answers, status+" "+contentType)
		}
	}
	slices.Sort(answers)
	return answers
}

// at returns the value at a JSON pointer (RFC 6901), nil if there is none. It does not descend into arrays.
func (a openAPI) at(pointer string) any {
	var node any = a.document
	for _, token := range strings.Split(pointer, "/")[1:] {
		object, _ := node.(map[string]any)
		node = object[unescape(token)]
	}
	return node
}

// walk visits every object of a document.
func walk(node any, pointer string, visit func(pointer string, node map[string]any)) {
	switch node := node.(type) {
	case map[string]any:
		visit(pointer, node)
		for key, value := range node {
			walk(value, pointer+"/"+escape(key), visit)
		}
	case []any:
		for i, value := range node {
			walk(value, fmt.Sprintf("%s/%d", pointer, i), visit)
		}
	}
}

func escape(token string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(token) }

func unescape(token string) string { return strings.NewReplacer("~1", "/", "~0", "~").Replace(token) }

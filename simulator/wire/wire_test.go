package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heliograph/simulator/wire"
)

// The service of these tests, "echo", has inputs and outputs of every kind that AWS's services use.
type (
	inner struct {
		Text string            `json:",omitempty"`
		Blob []byte            `json:",omitempty"`
		Deep map[string]string `json:",omitempty" query:"Deep,K,V"`
	}
	echo struct {
		Name    string            `json:",omitempty"`
		Count   *int              `json:",omitempty"`
		Exact   bool              `json:",omitempty"`
		Share   float64           `json:",omitempty"`
		Names   []string          `json:",omitempty"`
		Flat    []inner           `json:",omitempty" query:"FlatEntry"`
		Inner   *inner            `json:",omitempty"`
		Map     map[string]inner  `json:",omitempty"`
		Entries map[string]inner  `json:",omitempty" query:",Name,Value"`
		Tagged  map[string]string `json:",omitempty" query:"Attribute"`
	}
	nothing struct{}
)

func echoService() wire.Service {
	none := func(*echo) []string { return nil }
	return wire.Service{
		Name: "echo", TargetPrefix: "Echo_1", JSONVersion: "1.0", ErrorPrefix: "com.example.echo",
		QueryNamespace: "http://echo.example/doc/2020-01-01/", QueryVersion: "2020-01-01",
		Actions: map[string]wire.Action{
			"Echo": wire.Do(func(_ context.Context, in *echo) (*echo, error) { return in, nil },
				func(in *echo) []string { return []string{"arn:aws:echo:::" + in.Name} }),
			"Nothing": wire.Do(func(context.Context, *echo) (*nothing, error) { return &nothing{}, nil }, none),
			"Fail": wire.Do(func(context.Context, *echo) (*echo, error) {
				return nil, &wire.Error{
					Code: "Refused", QueryCode: "Echo.Refused", Message: "no <way>", Status: 409,
					Fields: map[string]any{"Item": "x"},
				}
			}, none).Needs("Try"),
			"Crash": wire.Do(func(context.Context, *echo) (*echo, error) { return nil, errors.New("disk on fire") }, none),
			"Who": wire.Do(func(ctx context.Context, _ *echo) (*echo, error) {
				call := wire.CallOf(ctx)
				return &echo{Names: []string{call.Service, call.Action, call.AccessKey, call.Region}}, nil
			}, none),
		},
	}
}

const signature = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-west-1/echo/aws4_request, SignedHeaders=host, Signature=abc"

// call is a hand-written request; empty header fields are left out.
type call struct {
	method, target, contentType, authorization, body string
	queryMode                                        bool
}

func jsonCall(action, body string) call {
	return call{target: "Echo_1." + action, contentType: "application/x-amz-json-1.0", authorization: signature, body: body}
}

func queryCall(body string) call {
	return call{contentType: "application/x-www-form-urlencoded; charset=utf-8", authorization: signature, body: body}
}

type reply struct {
	Status      int
	ContentType string
	QueryError  string
	Body        string
}

var requestIDs = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// send sends the call and returns the reply; request ids, which are random, become "ID".
func send(t *testing.T, h http.Handler, c call) reply {
	t.Helper()
	method := c.method
	if method == "" {
		method = http.MethodPost
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "/some/queue", strings.NewReader(c.body))
	for name, value := range map[string]string{
		"X-Amz-Target": c.target, "Content-Type": c.contentType, "Authorization": c.authorization,
	} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if c.queryMode {
		r.Header.Set("x-amzn-query-mode", "true")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	if id := w.Header().Get("X-Amzn-RequestId"); !requestIDs.MatchString(id) {
		t.Errorf("X-Amzn-RequestId is %q", id)
	}
	return reply{
		Status: w.Code, ContentType: w.Header().Get("Content-Type"), QueryError: w.Header().Get("X-Amzn-Query-Error"),
		Body: requestIDs.ReplaceAllString(string(body), "ID"),
	}
}

func endpoint() *wire.Endpoint {
	e := wire.NewEndpoint(wire.Options{MaxBody: 1000})
	e.Register(echoService())
	return e
}

func TestJSON(t *testing.T) {
	t.Parallel()
	everything := `{"Name":"<a&b>\n€","Count":0,"Exact":true,"Share":1.5,"Names":["x",""],` +
		`"Flat":[{"Text":"one"},{"Blob":"AP8="}],"Inner":{"Deep":{"k\"":"v"}},"Map":{"m":{"Text":"t"}}}`
	tests := map[string]struct {
		body string
		want string // a valid input is returned unchanged; otherwise the error's text
	}{
		"every kind of member":     {everything, everything},
		"nothing":                  {``, `{}`},
		"white space":              {" {\n\t\"Name\" : \"x\" ,\r\n \"Names\" : [ \"y\" , \"z\" ] , \"Flat\" : [ ] } ", `{"Name":"x","Names":["y","z"]}`},
		"null is absent":           {`{"Name":null,"Count":null,"Inner":null,"Names":null}`, `{}`},
		"numbers, braces in text":  {`{"Name":"}],{\\","Count":-12}`, `{"Name":"}],{\\","Count":-12}`},
		"unknown member":           {`{"Nmae":"x"}`, "there is no member Nmae here"},
		"unknown in a list":        {`{"Flat":[{},{"Txet":"x"}]}`, "there is no member Flat[1].Txet here"},
		"unknown in a map":         {`{"Map":{"m":{"x":1}}}`, "there is no member Map.m.x here"},
		"unknown behind a pointer": {`{"Inner":{"x":1}}`, "there is no member Inner.x here"},
		"another case":             {`{"name":"x"}`, "there is no member name here"},
		"twice":                    {`{"Name":"x","Name":"y"}`, "member Name stands twice"},
		"a key twice":              {`{"Tagged":{"a":"x","\u0061":"y"}}`, "member Tagged.a stands twice"},
		"wrong type":               {`{"Count":"1"}`, "member Count: json: cannot unmarshal string into Go value of type int"},
		"no list":                  {`{"Flat":{}}`, "member Flat must be a list"},
		"no object":                {`{"Inner":"x"}`, "member Inner must be an object"},
		"null in a list":           {`{"Flat":[null]}`, "Flat[0] must not be null"},
		"null in a map":            {`{"Tagged":{"a":null}}`, "Tagged.a must not be null"},
		"a list as the input":      {`[]`, "the body must be a JSON object"},
		"null as the input":        {`null`, "the body must be a JSON object"},
		"a surrogate pair":         {`{"Name":"\ud83d\ude00\\ud83d"}`, `{"Name":"😀\\ud83d"}`},
		"half a surrogate pair":    {`{"Name":"\ud83d"}`, "the body has half a surrogate pair, which is no character"},
		"two first halves":         {`{"Name":"\ud83d\ud83d\ude00"}`, "the body has half a surrogate pair, which is no character"},
		"a second half first":      {`{"Name":"\ude00"}`, "the body has half a surrogate pair, which is no character"},
		"syntax":                   {`{"Name":"x"`, "unexpected end of JSON input"},
		"rubbish behind":           {`{} {}`, "invalid character '{' after top-level value"},
		"invalid UTF-8":            {"{\"Name\":\"\xff\"}", "the body is not valid UTF-8"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := reply{Status: 200, ContentType: "application/x-amz-json-1.0", Body: tt.want}
			if !strings.HasPrefix(tt.want, "{") {
				want.Status = 400
				want.Body = `{"__type":"com.amazon.coral.service#SerializationException","message":"the input of Echo does not fit: ` + tt.want + `"}`
			}
			if diff := cmp.Diff(want, send(t, endpoint(), jsonCall("Echo", tt.body))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body string
		want string // the XML inside EchoResult; without a "<", the error's text
	}{
		"nothing":                        {"", ""},
		"scalars":                        {"Name=a%20%3Cb%3E%0A&Count=3&Exact=true&Share=0.5", "<Name>a &lt;b&gt;&#xA;</Name><Count>3</Count><Exact>true</Exact><Share>0.5</Share>"},
		"a list":                         {"Names.member.2=b&Names.member.1=a&Names.member.10=c", "<Names><member>a</member><member>b</member><member>c</member></Names>"},
		"a flattened list":               {"FlatEntry.1.Text=a&FlatEntry.2.Blob=AP8%3D", "<FlatEntry><Text>a</Text></FlatEntry><FlatEntry><Blob>AP8=</Blob></FlatEntry>"},
		"an empty list":                  {"Names=&FlatEntry=", ""},
		"the same by the member's name":  {"Flat=", ""},
		"not empty by the member's name": {"Flat=x", "there is no parameter Flat here"},
		"a map":                          {"Map.entry.1.key=k&Map.entry.1.value.Text=v", "<Map><entry><key>k</key><value><Text>v</Text></value></entry></Map>"},
		"a map by Name":                  {"Entries.entry.1.Name=k&Entries.entry.1.Value.Text=v", "<Entries><entry><Name>k</Name><Value><Text>v</Text></Value></entry></Entries>"},
		"a flattened map":                {"Attribute.1.Name=b&Attribute.1.Value=1&Attribute.2.Name=a&Attribute.2.Value=2", "<Attribute><Name>a</Name><Value>2</Value></Attribute><Attribute><Name>b</Name><Value>1</Value></Attribute>"},
		"names of its own":               {"Inner.Deep.1.K=k&Inner.Deep.1.V=v", "<Inner><Deep><K>k</K><V>v</V></Deep></Inner>"},
		"unknown":                        {"Nmae=x", "there is no parameter Nmae here"},
		"unknown, deep":                  {"FlatEntry.1.Txet=x", "there is no parameter FlatEntry.1.Txet here"},
		"another case":                   {"name=x", "there is no parameter name here"},
		"twice":                          {"Name=x&Name=y", "parameter Name stands 2 times"},
		"a flattened name":               {"Flat.1.Text=x", "there is no parameter Flat here"},
		"no number":                      {"Names.member.x=1", `parameter Names.member: "x" is no number from 1 on`},
		"number zero":                    {"Names.member.0=1", `parameter Names.member: "0" is no number from 1 on`},
		"not numbered":                   {"Names=x", "parameter Names must be numbered"},
		"without member":                 {"Names.1=x", "parameter Names must be written as Names.member.1"},
		"more than a map":                {"Attribute.1.Name=x&Attribute.1.Value=1&Attribute.1.Label=y", "parameter Attribute.1 must have the members Name and Value"},
		"half a map":                     {"Attribute.1.Name=x", "parameter Attribute.1 must have the members Name and Value"},
		"a key twice":                    {"Attribute.1.Name=x&Attribute.1.Value=1&Attribute.2.Name=x&Attribute.2.Value=2", "parameter Attribute.2: x stands twice"},
		"no integer":                     {"Count=x", `parameter Count: strconv.ParseInt: parsing &#34;x&#34;: invalid syntax`},
		"no bool":                        {"Exact=1", `parameter Exact: &#34;1&#34; is neither true nor false`},
		"no base64":                      {"FlatEntry.1.Blob=%21", "parameter FlatEntry.1.Blob: illegal base64 data at input byte 0"},
		"a struct as scalar":             {"Inner=x", "parameter Inner must have members"},
		"a scalar as struct":             {"Name.x=y", "parameter Name must be a single value"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := send(t, endpoint(), queryCall("Action=Echo&Version=2020-01-01&"+tt.body))
			want := reply{Status: 200, ContentType: "text/xml"}
			want.Body = `<?xml version="1.0"?><EchoResponse xmlns="http://echo.example/doc/2020-01-01/"><EchoResult>` + tt.want +
				`</EchoResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></EchoResponse>`
			if tt.want != "" && !strings.Contains(tt.want, "<") {
				want.Status = 400
				want.Body = queryErrorBody("MalformedInput", "the input of Echo does not fit: "+strings.ReplaceAll(tt.want, `"`, "&#34;"))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func queryErrorBody(code, message string) string {
	return `<?xml version="1.0"?><ErrorResponse xmlns="http://echo.example/doc/2020-01-01/"><Error><Type>Sender</Type><Code>` + code +
		`</Code><Message>` + message + `</Message><Detail/></Error><RequestId>ID</RequestId></ErrorResponse>`
}

// TestErrors proves the forms of errors, including those for requests that name nothing known.
func TestErrors(t *testing.T) {
	t.Parallel()
	const version = "&Version=2020-01-01"
	jsonError := func(status int, kind, message string) reply {
		return reply{Status: status, ContentType: "application/x-amz-json-1.0", Body: `{"__type":"` + kind + `","message":"` + message + `"}`}
	}
	queryError := func(status int, code, message string) reply {
		return reply{Status: status, ContentType: "text/xml", Body: queryErrorBody(code, message)}
	}
	with := func(c call, change func(*call)) call { change(&c); return c }
	const known = "these are: Crash, Echo, Fail, Nothing, Who"
	tests := map[string]struct {
		call call
		want reply
	}{
		"an action's error": {jsonCall("Fail", "{}"), reply{409, "application/x-amz-json-1.0", "", `{"Item":"x","__type":"com.example.echo#Refused","message":"no <way>"}`}},
		"for a client of both protocols": {
			with(jsonCall("Fail", "{}"), func(c *call) { c.queryMode = true }),
			reply{409, "application/x-amz-json-1.0", "Echo.Refused;Sender", `{"Item":"x","__type":"com.example.echo#Refused","message":"no <way>"}`},
		},
		"an action's error by query": {queryCall("Action=Fail" + version), queryError(409, "Echo.Refused", "no &lt;way&gt;")},
		"any other error":            {jsonCall("Crash", "{}"), jsonError(500, "com.amazon.coral.service#InternalFailure", "disk on fire")},
		"unknown action":             {jsonCall("Eat", "{}"), jsonError(400, "com.amazon.coral.service#UnknownOperationException", `the action \"Eat\" of echo is not simulated; `+known)},
		"unknown action by query":    {queryCall("Action=Eat" + version), queryError(400, "InvalidAction", "the action &#34;Eat&#34; of echo is not simulated; "+known)},
		"no action by query":         {queryCall("Foo=x" + version), queryError(400, "InvalidAction", "the action &#34;&#34; of echo is not simulated; "+known)},
		"unknown service": {
			with(jsonCall("Echo", "{}"), func(c *call) { c.target = "Ohce_1.Echo" }),
			jsonError(400, "com.amazon.coral.service#UnknownOperationException", `the target \"Ohce_1.Echo\" belongs to no service that is simulated; these are: echo`),
		},
		"unsigned": {
			with(jsonCall("Echo", "{}"), func(c *call) { c.authorization = "" }),
			jsonError(403, "com.amazon.coral.service#MissingAuthenticationTokenException", "Request is missing Authentication Token: sign it by AWS Signature Version 4, with any access key"),
		},
		"another scheme": {
			with(jsonCall("Echo", "{}"), func(c *call) { c.authorization = "Bearer x" }),
			jsonError(403, "com.amazon.coral.service#IncompleteSignatureException", "Authorization is not of the form AWS4-HMAC-SHA256 Credential=…"),
		},
		"no signature": {
			with(jsonCall("Echo", "{}"), func(c *call) { c.authorization = strings.Replace(signature, "Signature=abc", "", 1) }),
			jsonError(403, "com.amazon.coral.service#IncompleteSignatureException", "Authorization header requires 'Signature' parameter."),
		},
		"half a credential": {
			with(jsonCall("Echo", "{}"), func(c *call) { c.authorization = strings.Replace(signature, "/aws4_request", "", 1) }),
			jsonError(403, "com.amazon.coral.service#IncompleteSignatureException", `Credential must be <access key>/<date>/<region>/<service>/aws4_request`),
		},
		"signed for another service": {
			with(jsonCall("Echo", "{}"), func(c *call) { c.authorization = strings.Replace(signature, "/echo/", "/sqs/", 1) }),
			jsonError(403, "com.amazon.coral.service#InvalidSignatureException", "Credential should be scoped to correct service: 'echo'."),
		},
		"another content type": {
			with(jsonCall("Echo", "{}"), func(c *call) { c.contentType = "application/json" }),
			jsonError(400, "com.amazon.coral.service#SerializationException", `Content-Type is \"application/json\"; echo speaks application/x-amz-json-1.0`),
		},
		"GET":             {with(jsonCall("Echo", ""), func(c *call) { c.method = "GET" }), jsonError(400, "com.amazon.coral.service#UnknownOperationException", "echo takes POST only, not GET")},
		"GET by query":    {with(queryCall(""), func(c *call) { c.method = "GET" }), queryError(400, "MalformedQueryString", "a query request must be a POST of application/x-www-form-urlencoded, not a GET of &#34;application/x-www-form-urlencoded&#34;")},
		"bad form":        {queryCall("Action=%zz"), queryError(400, "MalformedQueryString", "invalid URL escape &#34;%zz&#34;")},
		"another version": {queryCall("Action=Echo&Version=1"), queryError(400, "NoSuchVersion", "the API version &#34;1&#34; is not known for echo; it is 2020-01-01")},
		"too large":       {jsonCall("Echo", strings.Repeat(" ", 1001)), jsonError(413, "com.amazon.coral.service#RequestEntityTooLarge", "the request's body is larger than 1000 bytes")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := send(t, endpoint(), tt.call)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNoOutput proves that an action without output returns an empty object, or no Result element.
func TestNoOutput(t *testing.T) {
	t.Parallel()
	if got := send(t, endpoint(), jsonCall("Nothing", "{}")).Body; got != "{}" {
		t.Errorf("JSON: %s", got)
	}
	want := `<?xml version="1.0"?><NothingResponse xmlns="http://echo.example/doc/2020-01-01/"><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></NothingResponse>`
	if diff := cmp.Diff(want, send(t, endpoint(), queryCall("Action=Nothing&Version=2020-01-01")).Body); diff != "" {
		t.Error(diff)
	}
}

// TestBefore proves that the hook gets each known call with its resources, and that its error becomes the response.
func TestBefore(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var calls []wire.Call
	e := wire.NewEndpoint(wire.Options{Before: func(_ context.Context, c wire.Call) error {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, c)
		if c.Action == "Fail" {
			return wire.AccessDenied(c, "User: x is not authorized")
		}
		return nil
	}})
	e.Register(echoService())
	send(t, e, jsonCall("Echo", `{"Name":"n"}`))
	send(t, e, jsonCall("Echo", `{"Nmae":"n"}`)) // can't be decoded, so never called
	denied := send(t, e, jsonCall("Fail", ``))
	want := []wire.Call{
		{Service: "echo", Action: "Echo", Permission: "echo:Echo", AccessKey: "AKIDEXAMPLE", Region: "eu-west-1", Resources: []string{"arn:aws:echo:::n"}},
		{Service: "echo", Action: "Fail", Permission: "echo:Try", AccessKey: "AKIDEXAMPLE", Region: "eu-west-1"},
	}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Error(diff)
	}
	if want := `{"__type":"com.amazon.coral.service#AccessDeniedException","message":"User: x is not authorized"}`; denied.Body != want || denied.Status != 400 {
		t.Errorf("denied with %d %s", denied.Status, denied.Body)
	}
	if got := send(t, e, jsonCall("Who", "")).Body; got != `{"Names":["echo","Who","AKIDEXAMPLE","eu-west-1"]}` {
		t.Errorf("the action sees %s", got)
	}
}

// TestAccessDenied proves each service's own code and status for a call that is not allowed.
func TestAccessDenied(t *testing.T) {
	t.Parallel()
	for service, want := range map[string]wire.Error{
		"dynamodb": {Prefix: wire.Coral, Code: "AccessDeniedException", Message: "no"},
		"ssm":      {Prefix: wire.Coral, Code: "AccessDeniedException", Message: "no"},
		"sqs":      {Prefix: wire.Coral, Code: "AccessDeniedException", QueryCode: "AccessDenied", Message: "no", Status: 403},
		"sns":      {Code: "AuthorizationError", Message: "no", Status: 403},
	} {
		if diff := cmp.Diff(&want, wire.AccessDenied(wire.Call{Service: service}, "no")); diff != "" {
			t.Errorf("%s: %s", service, diff)
		}
	}
}

// FuzzJSON proves that the strict decoder accepts nothing that encoding/json refuses, decodes what it accepts like
// encoding/json, and never panics.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, ` { "Name" : "a\"}" , "Count":1e2 } `, `{"Flat":[{"Deep":{"":""}},{}],"Map":{"x":{}}}`,
		`{"Inner":{"Blob":"AA=="},"Names":[],"Share":-0.5e-1}`, `{"Name":"\ud800"`, `[{"Name":[[`, `null`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got := send(t, endpoint(), jsonCall("Echo", body))
		if got.Status != http.StatusOK || strings.TrimSpace(body) == "" {
			return
		}
		d := json.NewDecoder(strings.NewReader(body))
		d.DisallowUnknownFields()
		var want echo
		if err := d.Decode(&want); err != nil {
			t.Fatalf("taken, but encoding/json says %v", err)
		}
		var have echo
		if err := json.Unmarshal([]byte(got.Body), &have); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, have, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

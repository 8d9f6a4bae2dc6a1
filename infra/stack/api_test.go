package stack

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/apigatewayv2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"

	"heliograph"
)

// properties returns a resource's plain inputs, without those that don't matter to a test.
func properties(r recorded, without ...string) map[string]any {
	all := plain(resource.NewProperty(r.inputs)).(map[string]any)
	for _, key := range append(without, "apiId", "tags") { // TestTags has the tags
		delete(all, key)
	}
	return all
}

const authorizerURI = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/" +
	"arn:aws:lambda:eu-west-1:123456789012:function:heliograph-test-authorizer/invocations"

// TestWebSocketAPI proves the routes that clients use.
func TestWebSocketAPI(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig())
	want := map[string]map[string]any{
		"websocket-api": {
			"name": "heliograph-test-websocket", "protocolType": "WEBSOCKET", "routeSelectionExpression": "$request.body.action", "ipAddressType": "ipv4",
		},
		"websocket-authorizer": {"name": "heliograph-test-authorizer", "authorizerType": "REQUEST", "authorizerUri": authorizerURI},
		"websocket-connect-route": {
			"routeKey": "$connect", "authorizationType": "CUSTOM", "authorizerId": "id-websocket-authorizer",
			"target": "integrations/id-websocket-connect-integration",
		},
		"websocket-disconnect-route": {
			"routeKey": "$disconnect", "authorizationType": "NONE", "target": "integrations/id-websocket-disconnect-integration",
		},
		"websocket-hello-route": {
			"routeKey": "hello", "authorizationType": "NONE", "target": "integrations/id-websocket-hello-integration",
		},
		"websocket-ping-route": {
			"routeKey": "ping", "authorizationType": "NONE", "target": "integrations/id-websocket-ping-integration",
			"routeResponseSelectionExpression": "$default",
		},
		"websocket-ping-route-response": {"routeId": "id-websocket-ping-route", "routeResponseKey": "$default"},
		"websocket-ping-integration": {
			"integrationType": "MOCK", "templateSelectionExpression": "200",
			"requestTemplates": map[string]any{"200": `{"statusCode":200}`},
		},
		"websocket-ping-integration-response": {
			"integrationId": "id-websocket-ping-integration", "integrationResponseKey": "$default", "templateSelectionExpression": "200",
			"responseTemplates": map[string]any{"200": `{"action":"pong"}`},
		},
	}
	got := map[string]map[string]any{}
	for name := range want {
		got[name] = properties(run.get(t, name), "description")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("WebSocket API (-want +got):\n%s", diff)
	}
	for route, f := range map[string]string{"connect": "connect", "disconnect": "disconnect", "hello": "hello"} {
		if uri := run.get(t, "websocket-"+route+"-integration").text("integrationUri"); !strings.Contains(uri, ":heliograph-test-"+f+"/") {
			t.Errorf("%s is integrated with %s, want function %s", route, uri, f)
		}
	}
}

// TestHTTPAPI proves that each presence query is authorized, by its Authorization header.
func TestHTTPAPI(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig())
	want := map[string]map[string]any{
		"http-api": {"name": "heliograph-test-http", "protocolType": "HTTP", "ipAddressType": "ipv4"},
		"http-authorizer": {
			"name": "heliograph-test-authorizer", "authorizerType": "REQUEST", "authorizerUri": authorizerURI,
			"authorizerPayloadFormatVersion": "1.0", "authorizerResultTtlInSeconds": 0.0, "enableSimpleResponses": false,
			"identitySources": []any{"$request.header.Authorization"},
		},
		"http-online-route": {
			"routeKey": "GET /user/online", "authorizationType": "CUSTOM", "authorizerId": "id-http-authorizer",
			"target": "integrations/id-http-online-integration",
		},
	}
	got := map[string]map[string]any{}
	for name := range want {
		got[name] = properties(run.get(t, name), "description")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("HTTP API (-want +got):\n%s", diff)
	}
	integration := run.get(t, "http-online-integration")
	if uri := integration.text("integrationUri"); !strings.Contains(uri, ":heliograph-test-online/") {
		t.Errorf("GET /user/online is integrated with %s, want function online", uri)
	}
	if got := integration.text("payloadFormatVersion"); got != "2.0" {
		t.Errorf("online is invoked with payload format %s, and reads 2.0", got)
	}
}

// TestCORS proves that browsers may query on pages of the configured origins, and of no others.
func TestCORS(t *testing.T) {
	t.Parallel()
	if got := record(t, testConfig()).get(t, "http-api").at("corsConfiguration"); got != nil {
		t.Errorf("without origins the API answers CORS: %v", got)
	}
	want := map[string]any{
		"allowOrigins": []any{"https://app.example.com"}, "allowMethods": []any{"GET"},
		"allowHeaders": []any{"authorization"}, "exposeHeaders": []any{"link"}, "maxAge": 3600.0,
	}
	if diff := cmp.Diff(want, record(t, testConfig(everything)).get(t, "http-api").at("corsConfiguration")); diff != "" {
		t.Errorf("CORS (-want +got):\n%s", diff)
	}
}

// TestStages proves that stages log each access briefly, without the query string, which may contain a token, and that the
// throttle is not the provider's 0, which refuses every request.
func TestStages(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig())
	for _, name := range []string{"websocket-stage", "http-stage"} {
		stage := run.get(t, name)
		format := stage.text("accessLogSettings.format")
		var fields map[string]string
		if err := json.Unmarshal([]byte(format), &fields); err != nil || strings.Contains(format, "\n") {
			t.Errorf("%s logs no JSON on one line: %v: %s", name, err, format)
		}
		for _, variable := range fields {
			for _, secret := range []string{"query", "header", "protocol", "principalId", "requestOverride", "path"} {
				if strings.Contains(strings.ToLower(variable), strings.ToLower(secret)) {
					t.Errorf("%s logs %s", name, variable)
				}
			}
		}
		if len(format) > 400 {
			t.Errorf("%s has a format of %d bytes, and each line is paid for by the byte: %s", name, len(format), format)
		}
		if on := stage.at("defaultRouteSettings.detailedMetricsEnabled"); on != nil && on != false {
			t.Errorf("%s has metrics of each route, which cost extra", name)
		}
		if stage.text("accessLogSettings.destinationArn") == "" {
			t.Errorf("%s logs nowhere", name)
		}
		if stage.at("defaultRouteSettings.throttlingRateLimit") != 10_000.0 || stage.at("defaultRouteSettings.throttlingBurstLimit") != 5_000.0 {
			t.Errorf("%s is throttled by %v, want 10,000 a second and 5,000 at once", name, stage.at("defaultRouteSettings"))
		}
		slow := record(t, testConfig(func(c *Config) { c.ThrottleRate, c.ThrottleBurst = 7, 8 })).get(t, name)
		if slow.at("defaultRouteSettings.throttlingRateLimit") != 7.0 || slow.at("defaultRouteSettings.throttlingBurstLimit") != 8.0 {
			t.Errorf("%s is throttled by %v, want what is configured: 7 and 8", name, slow.at("defaultRouteSettings"))
		}
	}
	if got := run.get(t, "websocket-stage").text("name"); got != testStage {
		t.Errorf("the WebSocket stage is called %s, want the stack's name", got)
	}
	if got := run.get(t, "http-stage"); got.text("name") != "$default" || got.at("autoDeploy") != true {
		t.Errorf("the HTTP stage is %s, auto deploy %v", got.text("name"), got.at("autoDeploy"))
	}
}

// TestDeployment proves that the WebSocket stage serves the current routes: its deployment comes after all of them, and
// changes with each.
func TestDeployment(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig())
	deployment := run.get(t, "websocket-deployment")
	for name, res := range run.byName {
		kind := strings.TrimPrefix(res.kind, "aws:apigatewayv2/")
		isRoute := slices.ContainsFunc([]string{"authorizer:", "route:", "routeResponse:", "integration:", "integrationResponse:"},
			func(prefix string) bool { return strings.HasPrefix(kind, prefix) })
		if isRoute && strings.HasPrefix(name, "websocket-") && !dependsOn(deployment, name) {
			t.Errorf("the deployment does not wait for %s", name)
		}
	}
	if got := run.get(t, "websocket-stage").text("deploymentId"); got != "id-websocket-deployment" {
		t.Errorf("the stage shows deployment %q", got)
	}
	again := record(t, testConfig(func(c *Config) { c.LogLevel = -4 })).get(t, "websocket-deployment")
	if deployment.text("triggers.routes") == "" || deployment.text("triggers.routes") != again.text("triggers.routes") {
		t.Errorf("the same routes have the triggers %q and %q", deployment.text("triggers.routes"), again.text("triggers.routes"))
	}
}

// TestFingerprint proves that every property of a frozen part counts: each kind of part is declared empty, and then
// with one property more.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	kinds := map[string]any{
		"authorizer": apigatewayv2.AuthorizerArgs{}, "integration": apigatewayv2.IntegrationArgs{}, "route": apigatewayv2.RouteArgs{},
		"integration response": apigatewayv2.IntegrationResponseArgs{}, "route response": apigatewayv2.RouteResponseArgs{},
	}
	for kind, args := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			empty := reflect.New(reflect.TypeOf(args))
			seen := map[string]string{fingerprintOf(t, empty.Interface()): "nothing"}
			counted := 0
			for i := range empty.Elem().NumField() {
				changed := reflect.New(reflect.TypeOf(args))
				if !set(changed.Elem().Field(i)) {
					continue
				}
				counted++
				name, hash := changed.Elem().Type().Field(i).Name, fingerprintOf(t, changed.Interface())
				if other, twice := seen[hash]; twice {
					t.Errorf("%s has the fingerprint of %s", name, other)
				}
				seen[hash] = name
			}
			if counted < 3 {
				t.Errorf("%d properties were tried", counted)
			}
		})
	}
}

// set gives a property a value, and reports whether it knows the property's type.
func set(property reflect.Value) bool {
	for _, v := range []any{
		pulumi.String("x"), pulumi.Bool(true), pulumi.Int(1), pulumi.StringArray{pulumi.String("x")}, pulumi.StringMap{"x": pulumi.String("y")},
	} {
		if property.Kind() == reflect.Interface && reflect.TypeOf(v).Implements(property.Type()) {
			property.Set(reflect.ValueOf(v))
			return true
		}
	}
	return false
}

// fingerprintOf is the fingerprint of a snapshot of one part.
func fingerprintOf(t *testing.T, args any) string {
	t.Helper()
	s := &snapshot{parts: pulumi.StringArray{pulumi.JSONMarshal(args)}}
	hash, err := internals.UnsafeAwaitOutput(t.Context(), s.fingerprint())
	if err != nil {
		t.Fatal(err)
	}
	return hash.Value.(string)
}

// TestManagementAddress proves the address of @connections, on AWS and on a local stack.
func TestManagementAddress(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ want string }{
		"wss://abc.execute-api.eu-west-1.amazonaws.com": {"https://abc.execute-api.eu-west-1.amazonaws.com"},
		"ws://127.0.0.1:4701":                           {"http://127.0.0.1:4701"},
		"https://abc":                                   {""},
		"abc":                                           {""},
	}
	for endpoint, test := range tests {
		got, err := managementAddress(endpoint)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: %q, %v; want %q", endpoint, got, err, test.want)
		}
	}
	run := record(t, testConfig(everything))
	for _, name := range []string{heliograph.Send, heliograph.Sweep} {
		got := run.get(t, name+"-function").text("environment.variables.CONNECTIONS_ENDPOINT")
		if want := "https://websocket-api.execute-api.eu-west-1.amazonaws.com/test"; got != want {
			t.Errorf("%s calls @connections at %s, want %s, whatever the domain", name, got, want)
		}
	}
}

// TestDomains proves that each domain serves the stage of its own API, and that DNS leads to it.
func TestDomains(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(everything))
	tests := map[string]struct{ domain, api, stage string }{
		"websocket-domain": {"push.example.com", "id-websocket-api", testStage},
		"http-domain":      {"api.example.com", "id-http-api", "$default"},
	}
	for name, test := range tests {
		mapping, record := run.get(t, name+"-mapping"), run.get(t, name+"-record")
		if got := run.get(t, name+"-name").text("domainName"); got != test.domain {
			t.Errorf("%s serves %s, want %s", name, got, test.domain)
		}
		if mapping.text("apiId") != test.api || mapping.text("stage") != test.stage {
			t.Errorf("%s maps to %s, stage %s; want %s, %s", name, mapping.text("apiId"), mapping.text("stage"), test.api, test.stage)
		}
		if record.text("name") != test.domain || record.text("zoneId") != "Z123" || record.text("type") != "A" {
			t.Errorf("%s has the record %v", name, properties(record))
		}
	}
	if got := record(t, testConfig()).ofKind("aws:apigatewayv2/domainName:DomainName"); len(got) > 0 {
		t.Errorf("without domains the program declares %s", got[0].name)
	}
}

// TestIPAddressType proves that the APIs and their domains are reached over IPv4 alone or over both protocols, with a record
// for each, as configured.
func TestIPAddressType(t *testing.T) {
	t.Parallel()
	for kind, records := range map[string][]string{ipv4: {"A", "A"}, dualstack: {"A", "A", "AAAA", "AAAA"}} {
		run := record(t, testConfig(everything, func(c *Config) { c.IPAddressType = kind }))
		for _, name := range []string{"websocket-api", "http-api"} {
			if got := run.get(t, name).text("ipAddressType"); got != kind {
				t.Errorf("%s has %q, want %s", name, got, kind)
			}
		}
		for _, name := range []string{"websocket-domain-name", "http-domain-name"} {
			if got := run.get(t, name).inputs["domainNameConfiguration"].ObjectValue()["ipAddressType"]; got.StringValue() != kind {
				t.Errorf("%s has %v, want %s", name, got, kind)
			}
		}
		var got []string
		for _, r := range run.ofKind("aws:route53/record:Record") {
			got = append(got, r.text("type"))
		}
		if slices.Sort(got); !slices.Equal(got, records) {
			t.Errorf("with %s, there are the records %v, want %v", kind, got, records)
		}
	}
}

// TestAccessLogRole proves that a Region's log role is created if it is missing, that another owner's is never
// replaced, and that ours is recognized, in this life of the stack or the next.
func TestAccessLogRole(t *testing.T) {
	t.Parallel()
	const ours, theirs = "arn:aws:iam::123456789012:role/heliograph-test-eu-west-1-apigateway", "arn:aws:iam::123456789012:role/theirs"
	tests := map[string]struct {
		mode, current string
		set, imported bool
	}{
		"auto on a fresh account":        {autoLogRole, "", true, false},
		"auto beside another's role":     {autoLogRole, theirs, false, false},
		"auto beside our own":            {autoLogRole, ours, true, true},
		"create on a fresh account":      {createLogRole, "", true, false},
		"create in place of another's":   {createLogRole, theirs, true, false},
		"create beside our own":          {createLogRole, ours, true, true},
		"existing, though there is none": {existingLogRole, "", false, false},
		"off":                            {offLogRole, "", false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run, err := recordOn(&recorder{logRole: test.current}, testStage, testConfig(func(c *Config) { c.APIGatewayLogRole = test.mode }), unbuilt())
			if err != nil {
				t.Fatal(err)
			}
			if got := run.get(t, "websocket-stage").at("accessLogSettings") != nil; got != (test.mode != offLogRole) {
				t.Errorf("the WebSocket stage has access logs: %v", got)
			}
			account, set := run.byName["access-log-role-account"]
			if set != test.set {
				t.Fatalf("the program sets the Region's role: %v, want %v", set, test.set)
			}
			if !set {
				return
			}
			role := run.get(t, "access-log-role-role")
			if got := account.text("cloudwatchRoleArn"); got != ours {
				t.Errorf("the Region's role is %s, want %s", got, ours)
			}
			if got := role.imported != ""; got != test.imported || (got && role.imported != role.text("name")) {
				t.Errorf("the role is imported as %q, want that: %v", role.imported, test.imported)
			}
		})
	}
}

// TestAccessLogRoleStays proves that the Region's role outlives the stack, and is there before it is needed.
func TestAccessLogRoleStays(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(everything))
	for _, name := range []string{"access-log-role-role", "access-log-role-policy", "access-log-role-account"} {
		if !run.get(t, name).retain {
			t.Errorf("%s goes when the stack goes", name)
		}
	}
	if !dependsOn(run.get(t, "websocket-stage"), "access-log-role-account") {
		t.Error("the WebSocket stage does not wait for the role")
	}
	if !dependsOn(run.get(t, "access-log-role-account"), "access-log-role-policy") {
		t.Error("the role is set before it may do anything, and AWS refuses such a role")
	}
}

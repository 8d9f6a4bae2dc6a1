package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/smithy-go"

	"heliograph/simulator/console"
	"heliograph/simulator/fault"
	"heliograph/simulator/gateway"
	"heliograph/simulator/loopback"
)

// TestPagesFromElsewhere proves that a page of another origin, or one whose name was made to resolve here, can read and
// change nothing at any address of the endpoint, and that the AWS CLI, curl and the console can.
func TestPagesFromElsewhere(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	const signature = "AWS4-HMAC-SHA256 Credential=key/20260102/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=abc"
	requests := map[string]struct {
		method, path, body string
		headers            map[string]string
		answer             string // part of a program's answer
	}{
		"the console":    {"GET", ConsolePath, "", nil, "<html"},
		"its data":       {"GET", console.Data + "/pulse", "", nil, `"faults"`},
		"the metrics":    {"GET", MetricsPath, "", nil, "["},
		"the faults":     {"GET", FaultsPath, "", nil, "["},
		"a new fault":    {"POST", FaultsPath, `{"service":"sns","down":true}`, map[string]string{"Content-Type": "application/json", loopback.WriteHeader: "1"}, `"fault-`},
		"all faults":     {"DELETE", FaultsPath, "", map[string]string{loopback.WriteHeader: "1"}, ""},
		"a preflight":    {"OPTIONS", FaultsPath, "", nil, ""},
		"an AWS call":    {"POST", "/", "Action=ListQueues&Version=2012-11-05", map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Authorization": signature}, "ListQueues"},
		"another by GET": {"GET", "/", "", map[string]string{"Authorization": strings.Replace(signature, "sqs", "s3", 1)}, `&#34;s3&#34; is not simulated`},
		"@connections":   {"POST", "/@connections/x", "hello", nil, "message"},
	}
	callers := map[string]struct {
		headers map[string]string
		served  bool
	}{
		"a program":        {nil, true},
		"its own page":     {map[string]string{"Origin": c.EndpointURL(), "Sec-Fetch-Site": "same-origin"}, true},
		"another site":     {map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, false},
		"an image of it":   {map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, false},
		"another port":     {map[string]string{"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"}, false},
		"a rebinding name": {map[string]string{"Host": "evil.example:4700", "Origin": "http://evil.example:4700"}, false},
		"a foreign name":   {map[string]string{"Host": "evil.example:4700"}, false},
	}
	for what, q := range requests {
		for who, caller := range callers {
			r, err := http.NewRequestWithContext(t.Context(), q.method, c.EndpointURL()+q.path, strings.NewReader(q.body))
			if err != nil {
				t.Fatal(err)
			}
			for _, headers := range []map[string]string{q.headers, caller.headers} {
				for name, value := range headers {
					r.Header.Set(name, value)
				}
			}
			if host := r.Header.Get("Host"); host != "" {
				r.Host = host
			}
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			answer, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			refused := response.StatusCode == http.StatusForbidden && strings.Contains(string(answer), "is refused: ")
			if refused == caller.served || caller.served && !strings.Contains(string(answer), q.answer) {
				t.Errorf("%s asks for %s: %s %.200s", who, what, response.Status, answer)
			}
			if allow := response.Header.Get("Access-Control-Allow-Origin"); allow != "" {
				t.Errorf("%s may read %s: %s", who, what, allow)
			}
		}
	}
}

// TestWritesNeedTheHeader proves, for every address at which the simulator's own state can be changed, that a program
// without the header changes nothing.
func TestWritesNeedTheHeader(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	for _, write := range []string{
		"POST " + FaultsPath, "DELETE " + FaultsPath, "DELETE " + FaultsPath + "/fault-1", "POST " + console.Data + "/send", "POST " + console.Data + "/presets/x",
		"POST " + console.Data + "/connections/x/close", "POST " + console.Data + "/queues/x/redrive",
	} {
		method, path, _ := strings.Cut(write, " ")
		r, err := http.NewRequestWithContext(t.Context(), method, c.EndpointURL()+path, strings.NewReader(`{"service":"sns","down":true}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _ = response.Body.Close(); response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", write, response.Status)
		}
	}
	if list := c.Faults.List(); len(list) != 0 {
		t.Errorf("faults were added: %v", list)
	}
}

// TestOnlyTheKeyOfTheRun proves that a cloud with an access key answers no other caller on the machine: no call of any
// service, none of @connections, and none for the simulator's own data, whatever other key it carries.
func TestOnlyTheKeyOfTheRun(t *testing.T) {
	t.Parallel()
	c, err := New(Options{FunctionsDir: t.TempDir(), AccessKey: "LOCALKEY"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	post := func(ctx context.Context, cfg aws.Config) error {
		_, err := apigatewaymanagementapi.NewFromConfig(cfg).PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{
			ConnectionId: aws.String("L0SM9cOFvHcCIhw="), Data: []byte("x"),
		})
		return err
	}
	createSocketAPI(t, c)
	for service, call := range maps.All(calls) {
		if err := call(t.Context(), once(c, "LOCALKEY")); err != nil {
			t.Errorf("%s with the key: %v", service, err)
		}
	}
	if err := post(t.Context(), once(c, "LOCALKEY")); !strings.Contains(fmt.Sprint(err), "GoneException") {
		t.Errorf("@connections with the key: %v", err)
	}
	others := maps.Clone(calls)
	others[fault.Connections] = post
	for service, call := range others {
		for _, key := range []string{"local", "LOCALKE", "localkey", "ASIA" + strings.Repeat("0", 32)} {
			var api smithy.APIError
			if err := call(t.Context(), once(c, key)); !errors.As(err, &api) || api.ErrorCode() != "UnrecognizedClientException" && api.ErrorCode() != "InvalidClientTokenId" {
				t.Errorf("%s with the key %s: %v", service, key, err)
			}
		}
	}
	for path, served := range map[string]bool{
		ConsolePath: true, FaultsPath: false, MetricsPath: false, console.Data + "/queues": false, console.Data + "/events": false,
		"/" + FaultsPath: false, "/%5fheliograph/faults": false, FaultsPath + "?key=LOCALKEX": false, FaultsPath + "?key=LOCALKEY": true,
	} {
		response, err := http.Get(c.EndpointURL() + path)
		if err != nil {
			t.Fatal(err)
		}
		if _ = response.Body.Close(); (response.StatusCode == http.StatusOK) != served {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
}

// createSocketAPI adds a WebSocket API with a stage, which an @connections call needs.
func createSocketAPI(t *testing.T, c *Cloud) {
	t.Helper()
	a, err := c.APIs.CreateAPI(gateway.APIConfig{
		Name: "sockets", Protocol: gateway.WebSocket, RouteSelectionExpression: "$request.body.action", Address: "127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	mock, err := a.CreateIntegration(gateway.IntegrationConfig{
		Type: "MOCK", TemplateSelectionExpression: "200", RequestTemplates: map[string]string{"200": `{"statusCode":200}`},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.CreateRoute(gateway.RouteConfig{Key: "$default", Target: "integrations/" + string(mock)}); err != nil {
		t.Fatal(err)
	}
	d, err := a.CreateDeployment("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.CreateStage(gateway.StageConfig{Name: "s", Deployment: d}); err != nil {
		t.Fatal(err)
	}
}

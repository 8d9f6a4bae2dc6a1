package wire_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/smithy-go/encoding/cbor"
	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/wire"
)

// TestForeignServices proves that a call of an unsupported service is refused by the service's name and in its own
// protocol, with a hint where to look instead. The requests are those that the AWS CLI sends.
func TestForeignServices(t *testing.T) {
	t.Parallel()
	const form, says = "application/x-www-form-urlencoded; charset=utf-8", ` is not simulated: look here (served are: echo)`
	xmlError := func(service string) string {
		return `<Code>InvalidAction</Code><Message>the service &#34;` + service + `&#34;` + says + `</Message>`
	}
	const head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	queryError := func(service string) string {
		return `<?xml version="1.0"?><ErrorResponse xmlns=""><Error><Type>Sender</Type>` + xmlError(service) + `<Detail/></Error><RequestId>ID</RequestId></ErrorResponse>`
	}
	jsonError := func(service, prefix string) string {
		return `{"__type":"` + prefix + `UnknownOperationException","message":"the service \"` + service + `\"` + says + `"}`
	}
	for name, tt := range map[string]struct {
		service, method, path, target, contentType string
		want, wantType, errorType                  string
	}{
		"query":             {"sts", "POST", "/", "", form, queryError("sts"), "text/xml", ""},
		"query of EC2":      {"ec2", "POST", "/", "", form, head + "<Response><Errors><Error>" + xmlError("ec2") + "</Error></Errors><RequestID>ID</RequestID></Response>", "text/xml", ""},
		"JSON 1.0":          {"states", "POST", "/", "AWSStepFunctions.ListStateMachines", "application/x-amz-json-1.0", jsonError("states", "com.amazon.coral.service#"), "application/x-amz-json-1.0", ""},
		"JSON 1.1":          {"logs", "POST", "/", "Logs_20140328.DescribeLogGroups", "application/x-amz-json-1.1", jsonError("logs", "com.amazon.coral.service#"), "application/x-amz-json-1.1", ""},
		"REST with JSON":    {"lambda", "GET", "/2015-03-31/functions/", "", "", jsonError("lambda", ""), "application/json", "UnknownOperationException"},
		"REST by POST":      {"xray", "POST", "/TraceSummaries", "", "application/json", jsonError("xray", ""), "application/json", "UnknownOperationException"},
		"REST with XML":     {"route53", "GET", "/2013-04-01/hostedzone", "", "", queryError("route53"), "text/xml", ""},
		"REST with XML, S3": {"s3", "GET", "/", "", "", head + "<Error>" + xmlError("s3") + "<RequestId>ID</RequestId></Error>", "text/xml", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := callForeign(t, tt.service, tt.method, tt.path, map[string]string{"X-Amz-Target": tt.target, "Content-Type": tt.contentType})
			if got := requestIDs.ReplaceAllString(w.Body.String(), "ID"); got != tt.want {
				t.Error(cmp.Diff(tt.want, got))
			}
			if got := w.Header(); w.Code != 400 || got.Get("Content-Type") != tt.wantType || got.Get("X-Amzn-ErrorType") != tt.errorType {
				t.Errorf("%d %v", w.Code, got)
			}
		})
	}
	t.Run("CBOR", func(t *testing.T) {
		t.Parallel()
		w := callForeign(t, "monitoring", "POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics", map[string]string{"Smithy-Protocol": "rpc-v2-cbor"})
		got, err := cbor.Decode(w.Body.Bytes())
		want := cbor.Map{"__type": cbor.String("com.amazon.coral.service#UnknownOperationException"), "message": cbor.String(`the service "monitoring"` + says)}
		if diff := cmp.Diff(cbor.Value(want), got); err != nil || diff != "" || w.Header().Get("Smithy-Protocol") != "rpc-v2-cbor" {
			t.Errorf("%v %v %s", err, w.Header(), diff)
		}
	})
}

func callForeign(t *testing.T, service, method, path string, headers map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	e := wire.NewEndpoint(wire.Options{Elsewhere: func(string) string { return "look here" }})
	e.Register(echoService())
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	r.Header.Set("Authorization", strings.Replace(signature, "/echo/", "/"+service+"/", 1))
	for name, value := range headers {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

package gateway

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// accessFormat is a stage's parsed access log format: texts and variables alternate, starting with a text.
type accessFormat struct {
	destination string
	texts       []string
	variables   []string
}

// logVariables are the $context variables that the simulator fills. A value that a request lacks is written as "-", as
// on AWS.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-logging.html
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
var logVariables = []string{
	"accountId", "apiId", "authorizer.error", "authorizer.integrationLatency", "authorizer.integrationStatus",
	"authorizer.latency", "authorizer.principalId", "authorizer.status", "authorize.status", "connectedAt", "connectionId",
	"disconnectReason", "disconnectStatusCode", "domainName", "domainPrefix", "error.message", "error.messageString",
	"error.responseType", "eventType", "extendedRequestId", "httpMethod", "identity.sourceIp", "identity.userAgent",
	"integration.error", "integration.integrationStatus", "integration.latency", "integration.status",
	"integrationErrorMessage", "integrationLatency", "integrationStatus", "messageDirection", "messageId", "path",
	"protocol", "requestId", "requestTime", "requestTimeEpoch", "responseLatency", "responseLength", "routeKey", "stage", "status",
}

var contextVariable = regexp.MustCompile(`\$context\.([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)`)

// newAccessFormat parses a stage's access log settings. It refuses what AWS refuses, and variables that the simulator
// can't fill.
func newAccessFormat(c StageConfig) (accessFormat, error) {
	f := accessFormat{destination: c.AccessLogDestination}
	switch {
	case c.AccessLogDestination == "" && c.AccessLogFormat == "":
		return f, nil
	case c.AccessLogDestination == "" || c.AccessLogFormat == "":
		return f, badRequest("the access log of the stage %s needs a destination and a format", c.Name)
	case !strings.HasPrefix(c.AccessLogDestination, "arn:aws:logs:"):
		return f, badRequest("the access log of the stage %s goes to %q, which is no log group", c.Name, c.AccessLogDestination)
	case strings.ContainsAny(c.AccessLogFormat, "\r\n"):
		return f, badRequest("Access Log format must be a single line")
	}
	rest := c.AccessLogFormat
	for _, at := range contextVariable.FindAllStringSubmatchIndex(rest, -1) {
		f.variables = append(f.variables, rest[at[2]:at[3]])
	}
	f.texts = contextVariable.Split(rest, -1)
	for _, v := range f.variables {
		if !slices.Contains(logVariables, v) && !authorizerProperty(v) {
			return f, badRequest("the access log format of the stage %s has $context.%s, which the simulator does not know", c.Name, v)
		}
	}
	if slices.ContainsFunc(f.texts, func(t string) bool { return strings.Contains(t, "$") }) {
		return f, badRequest("the access log format of the stage %s has a $ that begins no $context variable", c.Name)
	}
	if !slices.Contains(f.variables, "requestId") && !slices.Contains(f.variables, "extendedRequestId") {
		return f, badRequest("Access Log format must contain $context.requestId or $context.extendedRequestId")
	}
	return f, f.checkJSON(c.Name)
}

// checkJSON refuses a format that looks like JSON but renders invalid lines. AWS accepts such a format, and the mistake
// stays hidden until the first error: $context.error.messageString brings its own quotes when there is an error.
func (f accessFormat) checkJSON(stage string) error {
	if !strings.HasPrefix(f.texts[0], "{") {
		return nil
	}
	for _, values := range []map[string]string{{}, {"error.message": "Forbidden"}} {
		if line := f.render(values); !json.Valid([]byte(line)) {
			return badRequest("the access log format of the stage %s is JSON, but its lines are not, such as %s", stage, line)
		}
	}
	return nil
}

// authorizerProperty reports whether a variable is $context.authorizer.<a key of the authorizer's context>.
func authorizerProperty(variable string) bool {
	property, ok := strings.CutPrefix(variable, "authorizer.")
	return ok && !strings.Contains(property, ".")
}

// accessLog writes one line with the values of a request.
func (s *Stage) accessLog(values map[string]string) {
	f, log := s.format, s.api.g.options.AccessLog
	if len(f.texts) == 0 || log == nil {
		return
	}
	log(f.destination, f.render(values))
}

// render returns the line for a request.
func (f accessFormat) render(values map[string]string) string {
	var line strings.Builder
	for i, text := range f.texts {
		line.WriteString(text)
		if i < len(f.variables) {
			line.WriteString(logValue(f.variables[i], values))
		}
	}
	return line.String()
}

// logValue renders one value for a line. Most formats are JSON, which a quote in a user agent must not break.
func logValue(variable string, values map[string]string) string {
	if variable == "error.messageString" {
		if m, ok := values["error.message"]; ok {
			quoted, _ := json.Marshal(m)
			return string(quoted)
		}
	}
	v := values[variable]
	if v == "" {
		return "-"
	}
	quoted, _ := json.Marshal(v)
	return string(quoted[1 : len(quoted)-1])
}

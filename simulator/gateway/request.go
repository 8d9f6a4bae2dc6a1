package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Limits of a request, in bytes, which AWS does not raise.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
const (
	maxHead      = 10_240 // request line and header values, together
	maxSocketURL = 4_096  // URL of a WebSocket API
)

// parseQuery splits a query string as API Gateway does: only & separates pairs, so a semicolon is part of a value.
// net/url would drop a pair with a semicolon or a broken escape, and the function would answer a question the client
// did not ask. A broken escape is refused, because AWS does not document how it handles one.
func parseQuery(raw string) (url.Values, *refusal) {
	values := url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, wrongName := url.QueryUnescape(name)
		value, wrongValue := url.QueryUnescape(value)
		if wrongName != nil || wrongValue != nil {
			return nil, &refusal{status: http.StatusBadRequest, message: "Bad Request"}
		}
		values[name] = append(values[name], value)
	}
	return values, nil
}

// checkHead refuses a request line and headers that exceed the limit.
func checkHead(r *http.Request) *refusal {
	size := len(fmt.Sprintf("%s %s %s", r.Method, r.RequestURI, r.Proto)) + len(r.Host)
	for _, values := range r.Header {
		for _, value := range values {
			size += len(value)
		}
	}
	if size <= maxHead {
		return nil
	}
	return &refusal{
		status:  http.StatusRequestHeaderFieldsTooLarge,
		message: fmt.Sprintf("Request line and header values are larger than %d bytes", maxHead),
	}
}

package gateway

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// requestTime is API Gateway's time format: 29/Nov/2023:08:04:01 +0000.
const requestTime = "02/Jan/2006:15:04:05 -0700"

func formatTime(t time.Time) string { return t.UTC().Format(requestTime) }

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// encode returns JSON without the escapes that Go adds for HTML.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("encoding an event: " + err.Error()) // the types of events always encode
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// socketEvent is the event of a WebSocket API's authorizer and routes. Which fields are set depends on the event.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-integrations.html
type socketEvent struct {
	Type                            string              `json:"type,omitempty"`
	MethodARN                       string              `json:"methodArn,omitempty"`
	Headers                         map[string]string   `json:"headers,omitempty"`
	MultiValueHeaders               map[string][]string `json:"multiValueHeaders,omitempty"`
	QueryStringParameters           map[string]string   `json:"queryStringParameters,omitempty"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters,omitempty"`
	StageVariables                  map[string]string   `json:"stageVariables,omitempty"`
	RequestContext                  socketContext       `json:"requestContext"`
	Body                            string              `json:"body,omitempty"`
	IsBase64Encoded                 bool                `json:"isBase64Encoded"`
}

type socketContext struct {
	RouteKey             string         `json:"routeKey"`
	Authorizer           map[string]any `json:"authorizer,omitempty"`
	MessageID            string         `json:"messageId,omitempty"`
	DisconnectStatusCode int            `json:"disconnectStatusCode,omitempty"`
	EventType            string         `json:"eventType"`
	ExtendedRequestID    string         `json:"extendedRequestId"`
	RequestTime          string         `json:"requestTime"`
	MessageDirection     string         `json:"messageDirection"`
	DisconnectReason     *string        `json:"disconnectReason,omitempty"`
	Stage                string         `json:"stage"`
	ConnectedAt          int64          `json:"connectedAt"`
	RequestTimeEpoch     int64          `json:"requestTimeEpoch"`
	Identity             socketIdentity `json:"identity"`
	RequestID            string         `json:"requestId"`
	DomainName           string         `json:"domainName"`
	ConnectionID         ConnectionID   `json:"connectionId"`
	APIID                APIID          `json:"apiId"`
}

type socketIdentity struct {
	UserAgent string `json:"userAgent,omitempty"`
	SourceIP  string `json:"sourceIp"`
}

// authorizerEvent also carries empty members, which a proxy's event leaves out.
type authorizerEvent struct {
	socketEvent
	QueryStringParameters           map[string]string   `json:"queryStringParameters"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters"`
	StageVariables                  map[string]string   `json:"stageVariables"`
}

// clientHeaders are a request's headers as API Gateway passes them on: with its own forwarding headers, without the
// hop-by-hop ones. Go changes the case of the WebSocket headers; clientHeaders restores it.
func clientHeaders(r *http.Request) http.Header {
	h := make(http.Header, len(r.Header)+4)
	for name, values := range r.Header {
		switch name {
		case "Connection", "Upgrade":
		default:
			h[strings.Replace(name, "Sec-Websocket-", "Sec-WebSocket-", 1)] = values
		}
	}
	_, port, _ := net.SplitHostPort(r.Host)
	h["Host"] = []string{r.Host}
	h["X-Forwarded-For"] = []string{sourceIP(r)}
	h["X-Forwarded-Port"] = []string{port}
	h["X-Forwarded-Proto"] = []string{"http"}
	return h
}

// last returns the last value of each name, as headers and queryStringParameters carry it.
func last(all map[string][]string) map[string]string {
	one := make(map[string]string, len(all))
	for name, values := range all {
		if len(values) > 0 {
			one[name] = values[len(values)-1]
		}
	}
	return one
}

func sourceIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

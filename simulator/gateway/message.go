package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// message is one event of a connection in progress: $connect, a message, or $disconnect.
type message struct {
	c      *connection
	id     string // the request id
	at     time.Time
	key    string
	event  socketEvent
	values map[string]string // for the access log
}

// newMessage starts an event of a connection.
func (c *connection) newMessage(eventType, key string) *message {
	g := c.stage.api.g
	m := &message{c: c, id: requestID(), at: g.options.Now(), key: key}
	m.event = socketEvent{StageVariables: c.stage.config.Variables, RequestContext: socketContext{
		RouteKey: key, EventType: eventType, ExtendedRequestID: m.id, RequestTime: formatTime(m.at), MessageDirection: "IN",
		Stage: c.stage.config.Name, ConnectedAt: c.connectedAt.UnixMilli(), RequestTimeEpoch: m.at.UnixMilli(),
		Identity: socketIdentity{UserAgent: c.agent, SourceIP: c.ip}, RequestID: m.id, DomainName: c.host,
		ConnectionID: c.id, APIID: c.stage.api.id, Authorizer: c.authorizer,
	}}
	prefix, _, _ := strings.Cut(c.host, ".")
	m.values = map[string]string{
		"accountId": g.options.Account, "apiId": string(c.stage.api.id), "connectedAt": strconv.FormatInt(c.connectedAt.UnixMilli(), 10),
		"connectionId": string(c.id), "domainName": c.host, "domainPrefix": prefix, "eventType": eventType,
		"extendedRequestId": m.id, "identity.sourceIp": c.ip, "identity.userAgent": c.agent, "messageDirection": "IN",
		"requestId": m.id, "requestTime": formatTime(m.at), "requestTimeEpoch": strconv.FormatInt(m.at.UnixMilli(), 10),
		"routeKey": key, "stage": c.stage.config.Name,
	}
	for key, v := range c.authorizer {
		m.values["authorizer."+key] = text(v)
	}
	return m
}

// receive routes a message from the client.
func (c *connection) receive(data []byte) {
	c.mu.Lock()
	c.received++
	c.lastActive = c.stage.api.g.options.Now()
	c.mu.Unlock()
	key, t, found := c.route(data)
	m := c.newMessage("MESSAGE", key)
	m.event.RequestContext.MessageID = requestID()
	m.values["messageId"] = m.event.RequestContext.MessageID
	m.event.Body = string(data)
	c.stage.metric("MessageCount", "Count", 1)
	switch {
	case !c.stage.api.g.requests.take() || !c.stage.requests.take():
		m.refuse(http.StatusTooManyRequests, "Too Many Requests")
	case !found:
		m.refuse(http.StatusForbidden, "Forbidden")
	case t.integration.Type == "MOCK":
		m.mock(t)
	default:
		c.stage.api.g.background(func() { m.proxy(t) })
	}
}

// route chooses a message's route by the field that the API names. A message that is not JSON or names no route goes to
// $default.
func (c *connection) route(data []byte) (key string, t target, found bool) {
	var fields map[string]json.RawMessage
	var name string
	if json.Unmarshal(data, &fields) == nil && json.Unmarshal(fields[c.stage.api.config.routeField()], &name) == nil &&
		!strings.HasPrefix(name, "$") { // clients can't choose the predefined routes
		if t, found = c.deployment.routes[name]; found {
			return name, t, true
		}
	}
	t, found = c.deployment.routes["$default"]
	return "$default", t, found
}

// refuse answers a message without invoking anything.
func (m *message) refuse(status int, text string) {
	m.c.stage.metric("ClientError", "Count", 1)
	m.reply(status, text)
}

// reply sends the client an answer of the gateway itself.
func (m *message) reply(status int, text string) {
	m.values["error.message"] = text
	m.c.send(m.errorBody(text))
	m.done(status)
}

// errorBody is the body of such an answer, with the same spacing as on AWS.
func (m *message) errorBody(text string) []byte {
	return fmt.Appendf(nil, `{"message": %q, "connectionId":%q, "requestId":%q}`, text, m.c.id, m.id)
}

func (m *message) done(status int) {
	m.values["status"] = strconv.Itoa(status)
	m.c.stage.accessLog(m.values)
}

// mock answers from the templates of a MOCK integration.
func (m *message) mock(t target) {
	status, err := mockStatus(t.integration.IntegrationConfig)
	if err != nil { // can't happen: checked at creation
		m.fail(err)
		return
	}
	if !t.answers {
		m.done(http.StatusOK)
		return
	}
	answer, ok := t.integration.responses[fmt.Sprintf("/%d/", status)]
	if !ok {
		answer, ok = t.integration.responses["$default"]
	}
	if !ok {
		m.fail(errors.New("the MOCK integration has no integration response for its status"))
		return
	}
	text, err := chooseTemplate(answer.ResponseTemplates, answer.TemplateSelectionExpression)
	if err != nil {
		m.fail(err)
		return
	}
	m.c.send([]byte(text))
	m.done(status)
}

// proxyAnswer is a function's response through a proxy integration.
type proxyAnswer struct {
	StatusCode        int
	Headers           map[string]any // strings, numbers and booleans
	MultiValueHeaders map[string][]any
	Body              string
	IsBase64Encoded   bool
}

// invoke runs the route's function and records its latency.
func (m *message) invoke(t target) ([]byte, error) {
	s := m.c.stage
	began := time.Now()
	answer, err := s.api.g.invoke(s.api.g.ending, s.routeARN(m.key), t.integration.function, m.event, t.integration.Timeout)
	took := time.Since(began)
	s.latency("IntegrationLatency", took)
	m.values["integrationLatency"], m.values["integration.latency"] = milliseconds(took), milliseconds(took)
	if err != nil {
		m.values["integrationErrorMessage"], m.values["integration.error"] = err.Error(), err.Error()
		return nil, err
	}
	m.values["integrationStatus"], m.values["integration.integrationStatus"] = "200", "200"
	return answer, nil
}

// proxy runs the function and, if the route answers, sends the body of its response to the client.
func (m *message) proxy(t target) {
	body, err := m.invoke(t)
	if err != nil {
		m.fail(err)
		return
	}
	status := http.StatusOK
	var answer proxyAnswer
	if json.Unmarshal(body, &answer) == nil && answer.StatusCode != 0 {
		status = answer.StatusCode
	} else if t.answers {
		m.fail(fmt.Errorf("the function's answer is no proxy answer with a statusCode"))
		return
	}
	m.values["integration.status"] = strconv.Itoa(status)
	if status >= 400 {
		m.c.stage.metric("IntegrationError", "Count", 1)
	}
	if t.answers && answer.Body != "" {
		m.c.send([]byte(answer.Body))
	}
	m.done(status)
}

// fail reports the cause as a problem, and tells the client only that something went wrong.
func (m *message) fail(err error) {
	s := m.c.stage
	if s.api.g.ending.Err() != nil {
		return
	}
	s.metric(errorMetric(err), "Count", 1)
	s.api.g.problem("%s: the route %s of %s: %v", s.api.id, m.key, s, err)
	if errors.Is(err, errTimedOut) {
		m.reply(http.StatusGatewayTimeout, "Endpoint request timed out")
		return
	}
	m.reply(http.StatusInternalServerError, "Internal server error")
}

// errorMetric distinguishes a function that failed from one that could not be invoked.
func errorMetric(err error) string {
	if errors.As(err, new(functionError)) || errors.Is(err, errTimedOut) {
		return "IntegrationError"
	}
	return "ExecutionError"
}

// invokeDisconnect runs the $disconnect route. Its answer is ignored.
func (c *connection) invokeDisconnect(e ending) {
	t, ok := c.deployment.routes["$disconnect"]
	if !ok {
		return
	}
	m := c.newMessage("DISCONNECT", "$disconnect")
	m.event.Headers = map[string]string{"Host": c.host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
	m.event.MultiValueHeaders = map[string][]string{"Host": {c.host}, "x-api-key": {""}, "X-Forwarded-For": {""}, "x-restapi": {""}}
	m.event.RequestContext.DisconnectStatusCode, m.event.RequestContext.DisconnectReason = e.code, &e.reason
	m.values["disconnectStatusCode"], m.values["disconnectReason"] = strconv.Itoa(e.code), e.reason
	if t.integration.Type == "MOCK" {
		m.done(http.StatusOK)
		return
	}
	if _, err := m.invoke(t); err != nil && c.stage.api.g.ending.Err() == nil {
		c.stage.metric(errorMetric(err), "Count", 1)
		c.stage.api.g.problem("%s: the route $disconnect of %s: %v", c.stage.api.id, c.stage, err)
		m.done(http.StatusInternalServerError)
		return
	}
	m.done(http.StatusOK)
}

package gateway

import (
	"encoding/base64"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// httpEvent is the event of an HTTP API's route, payload format 2.0.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
type httpEvent struct {
	Version               string            `json:"version"`
	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	RawQueryString        string            `json:"rawQueryString"`
	Cookies               []string          `json:"cookies,omitempty"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	StageVariables        map[string]string `json:"stageVariables,omitempty"`
	RequestContext        httpContext       `json:"requestContext"`
	Body                  string            `json:"body,omitempty"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
}

type httpContext struct {
	AccountID    string          `json:"accountId"`
	APIID        APIID           `json:"apiId"`
	Authorizer   *httpAuthorizer `json:"authorizer,omitempty"`
	DomainName   string          `json:"domainName"`
	DomainPrefix string          `json:"domainPrefix"`
	HTTP         httpDescription `json:"http"`
	RequestID    string          `json:"requestId"`
	RouteKey     string          `json:"routeKey"`
	Stage        string          `json:"stage"`
	Time         string          `json:"time"`
	TimeEpoch    int64           `json:"timeEpoch"`
}

// httpAuthorizer carries the context from the authorizer's answer, or null without one.
type httpAuthorizer struct {
	Lambda map[string]any `json:"lambda"`
}

type httpDescription struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

// httpAuthorizerEvent is the event of an HTTP API's authorizer, payload format 1.0.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
type httpAuthorizerEvent struct {
	Version               string                `json:"version"`
	Type                  string                `json:"type"`
	MethodARN             string                `json:"methodArn"`
	IdentitySource        string                `json:"identitySource"`
	AuthorizationToken    string                `json:"authorizationToken"`
	Resource              string                `json:"resource"`
	Path                  string                `json:"path"`
	HTTPMethod            string                `json:"httpMethod"`
	Headers               map[string]string     `json:"headers"`
	QueryStringParameters map[string]string     `json:"queryStringParameters"`
	PathParameters        map[string]string     `json:"pathParameters"`
	StageVariables        map[string]string     `json:"stageVariables"`
	RequestContext        httpAuthorizerContext `json:"requestContext"`
}

type httpAuthorizerContext struct {
	AccountID         string                 `json:"accountId"`
	APIID             APIID                  `json:"apiId"`
	DomainName        string                 `json:"domainName"`
	DomainPrefix      string                 `json:"domainPrefix"`
	ExtendedRequestID string                 `json:"extendedRequestId"`
	HTTPMethod        string                 `json:"httpMethod"`
	Identity          httpAuthorizerIdentity `json:"identity"`
	Path              string                 `json:"path"`
	Protocol          string                 `json:"protocol"`
	RequestID         string                 `json:"requestId"`
	RequestTime       string                 `json:"requestTime"`
	RequestTimeEpoch  int64                  `json:"requestTimeEpoch"`
	ResourceID        string                 `json:"resourceId"`
	ResourcePath      string                 `json:"resourcePath"`
	Stage             string                 `json:"stage"`
}

// httpAuthorizerIdentity has the members that are set only for requests signed with IAM credentials.
type httpAuthorizerIdentity struct {
	AccessKey                     *string `json:"accessKey"`
	AccountID                     *string `json:"accountId"`
	Caller                        *string `json:"caller"`
	CognitoAMR                    *string `json:"cognitoAmr"`
	CognitoAuthenticationProvider *string `json:"cognitoAuthenticationProvider"`
	CognitoAuthenticationType     *string `json:"cognitoAuthenticationType"`
	CognitoIdentityID             *string `json:"cognitoIdentityId"`
	CognitoIdentityPoolID         *string `json:"cognitoIdentityPoolId"`
	PrincipalOrgID                *string `json:"principalOrgId"`
	SourceIP                      string  `json:"sourceIp"`
	User                          *string `json:"user"`
	UserAgent                     string  `json:"userAgent"`
	UserARN                       *string `json:"userArn"`
}

// lowerHeaders are the headers of format 2.0: lower-case names, values joined by commas, cookies separate.
func lowerHeaders(r *http.Request) (headers map[string]string, cookies []string) {
	headers = map[string]string{}
	for name, values := range r.Header {
		switch name {
		case "Connection":
		case "Cookie":
			for _, v := range values {
				for c := range strings.SplitSeq(v, ";") {
					cookies = append(cookies, strings.TrimSpace(c))
				}
			}
		default:
			headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	_, port, _ := net.SplitHostPort(r.Host)
	headers["host"], headers["x-forwarded-for"] = r.Host, sourceIP(r)
	headers["x-forwarded-port"], headers["x-forwarded-proto"] = port, "http"
	return headers, cookies
}

// mixedHeaders are the headers of format 1.0. API Gateway capitalizes the headers that it sets itself and passes a
// client's in lower case, as HTTP/2 has them: a program that looks for "Authorization" finds nothing, as on AWS.
func mixedHeaders(r *http.Request) map[string]string {
	headers, _ := lowerHeaders(r)
	for _, name := range []string{"Content-Length", "Host", "User-Agent", "X-Amzn-Trace-Id", "X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto"} {
		if v, ok := headers[strings.ToLower(name)]; ok {
			delete(headers, strings.ToLower(name))
			headers[name] = v
		}
	}
	if cookie := r.Header["Cookie"]; len(cookie) > 0 {
		headers["cookie"] = strings.Join(cookie, ";")
	}
	return headers
}

// joined are the query parameters of format 2.0: a name's values joined by commas.
func joined(query url.Values) map[string]string {
	if len(query) == 0 {
		return nil
	}
	all := make(map[string]string, len(query))
	for name, values := range query {
		all[name] = strings.Join(values, ",")
	}
	return all
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// eventBody is a request's body: verbatim if its content type is text, otherwise in base64.
func eventBody(r *http.Request, body []byte) (text string, isBase64 bool) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case len(body) == 0, strings.HasPrefix(kind, "text/"):
		return string(body), false
	case kind == "application/json", kind == "application/javascript", kind == "application/xml":
		return string(body), false
	case strings.HasSuffix(kind, "+json"), strings.HasSuffix(kind, "+xml"):
		return string(body), false
	}
	return base64.StdEncoding.EncodeToString(body), true
}

func (e *exchange) event(authorizer *httpAuthorizer) httpEvent {
	r, s := e.r, e.s
	headers, cookies := lowerHeaders(r)
	prefix, _, _ := strings.Cut(r.Host, ".")
	body, isBase64 := eventBody(r, e.body)
	return httpEvent{
		Version: "2.0", RouteKey: e.t.route.Key, RawPath: r.URL.Path, RawQueryString: r.URL.RawQuery, Cookies: cookies,
		Headers: headers, QueryStringParameters: joined(e.query), StageVariables: s.config.Variables,
		Body: body, IsBase64Encoded: isBase64,
		RequestContext: httpContext{
			AccountID: s.api.g.options.Account, APIID: s.api.id, Authorizer: authorizer, DomainName: r.Host, DomainPrefix: prefix,
			HTTP:      httpDescription{Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: sourceIP(r), UserAgent: r.UserAgent()},
			RequestID: e.id, RouteKey: e.t.route.Key, Stage: s.config.Name, Time: formatTime(e.at), TimeEpoch: e.at.UnixMilli(),
		},
	}
}

func (e *exchange) authorizerEvent(sources []string) httpAuthorizerEvent {
	r, s := e.r, e.s
	prefix, _, _ := strings.Cut(r.Host, ".")
	_, resource, _ := strings.Cut(e.t.route.Key, " ")
	source := strings.Join(sources, ",")
	return httpAuthorizerEvent{
		Version: "1.0", Type: "REQUEST", MethodARN: e.methodARN(), IdentitySource: source, AuthorizationToken: source,
		Resource: resource, Path: r.URL.Path, HTTPMethod: r.Method, Headers: mixedHeaders(r),
		QueryStringParameters: orEmpty(last(e.query)), PathParameters: map[string]string{}, StageVariables: orEmpty(s.config.Variables),
		RequestContext: httpAuthorizerContext{
			AccountID: s.api.g.options.Account, APIID: s.api.id, DomainName: r.Host, DomainPrefix: prefix, ExtendedRequestID: e.id,
			HTTPMethod: r.Method, Identity: httpAuthorizerIdentity{SourceIP: sourceIP(r), UserAgent: r.UserAgent()}, Path: r.URL.Path,
			Protocol: r.Proto, RequestID: e.id, RequestTime: e.at.UTC().Format(requestTime), RequestTimeEpoch: e.at.UnixMilli(),
			ResourceID: e.t.route.Key, ResourcePath: resource, Stage: s.config.Name,
		},
	}
}

// methodARN is the ARN that an authorizer's policy applies to: that of the request, not of the route.
func (e *exchange) methodARN() string {
	return e.s.ExecutionARN() + "/" + e.r.Method + e.path
}

package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// httpAuthorizerTimeout bounds an authorizer at HTTP APIs. At WebSocket APIs the limit is that of an integration.
const httpAuthorizerTimeout = 10 * time.Second

// refusal is the gateway's own answer to a request that it turns away.
type refusal struct {
	status  int
	message string
	cause   error // hidden from the client
}

// authorize runs a route's authorizer for methodARN. sources are the values of the authorizer's identity sources.
func (s *Stage) authorize(ctx context.Context, t target, methodARN string, sources []string, event any, values map[string]string) (authorization, *refusal) {
	for _, v := range sources {
		if v == "" { // API Gateway does not invoke the authorizer at all
			return authorization{}, &refusal{status: http.StatusUnauthorized, message: "Unauthorized"}
		}
	}
	timeout := s.api.g.options.Limits.SocketIntegration
	if s.api.config.Protocol == HTTP {
		timeout = min(httpAuthorizerTimeout, s.api.g.options.Limits.HTTPIntegration)
	}
	began := time.Now()
	answer, err := s.api.g.invoke(ctx, s.api.authorizerARN(t.route.Authorizer), t.authorizerURI, event, timeout)
	values["authorizer.latency"] = milliseconds(time.Since(began))
	values["authorizer.integrationLatency"] = values["authorizer.latency"]
	if err != nil {
		values["authorizer.error"] = err.Error()
		return authorization{}, s.authorizerFailed(err)
	}
	values["authorizer.integrationStatus"] = "200"
	a, err := readAuthorization(answer, methodARN)
	if err != nil {
		values["authorizer.error"] = err.Error()
		return a, &refusal{status: http.StatusInternalServerError, cause: err}
	}
	values["authorizer.principalId"] = a.principal
	for key, v := range a.context {
		values["authorizer."+key] = text(v)
	}
	if !a.allowed {
		values["authorizer.status"] = "403"
		return a, &refusal{status: http.StatusForbidden, message: "Forbidden"}
	}
	values["authorizer.status"] = "200"
	return a, nil
}

// authorizerFailed answers for a failed authorizer. An error of exactly "Unauthorized" means 401, which AWS documents
// for WebSocket APIs only.
func (s *Stage) authorizerFailed(err error) *refusal {
	var failed functionError
	if s.api.config.Protocol == WebSocket && errors.As(err, &failed) && failed.message == "Unauthorized" {
		return &refusal{status: http.StatusUnauthorized, message: "Unauthorized"}
	}
	return &refusal{status: http.StatusInternalServerError, cause: err}
}

// authorizerARN is the ARN under which a permission names an authorizer.
func (a *API) authorizerARN(id AuthorizerID) string {
	return a.ExecutionARN() + "/authorizers/" + string(id)
}

package gateway

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// deployment is a snapshot of an API's routes and everything they use.
type deployment struct {
	id     DeploymentID
	routes map[string]target // by route key
}

// target is a deployed route with its integration and authorizer.
type target struct {
	route         RouteConfig
	integration   integration
	authorizer    *AuthorizerConfig
	authorizerURI string // the function's ARN
	answers       bool   // the integration's answer is sent to the client
}

// CreateDeployment takes a snapshot of the routes and everything they use.
func (a *API) CreateDeployment(string) (DeploymentID, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.routes) == 0 {
		return "", badRequest("At least one route is required before deploying the Api.")
	}
	d := a.snapshot()
	a.deployments[d.id] = d
	return d.id, nil
}

// snapshot copies everything that the routes refer to: later changes must not show before the next deployment.
func (a *API) snapshot() *deployment {
	d := &deployment{id: DeploymentID(resourceID(6)), routes: map[string]target{}}
	for _, r := range a.routes {
		in := *a.integrations[IntegrationID(strings.TrimPrefix(r.Target, "integrations/"))]
		in.responses = maps.Clone(in.responses)
		t := target{
			route: r.RouteConfig, integration: in,
			answers: r.RouteResponseSelectionExpression != "" && r.responses["$default"],
		}
		if c, ok := a.authorizers[r.Authorizer]; ok {
			t.authorizer = &c
			t.authorizerURI, _ = functionOf(c.URI) // can't fail: checked at creation
		}
		d.routes[r.Key] = t
	}
	return d
}

// redeploy gives the latest routes to the stages with AutoDeploy.
func (a *API) redeploy() {
	for _, s := range a.stages {
		if s.config.AutoDeploy {
			s.serves.Store(a.snapshot())
		}
	}
}

// Stage is a deployment being served.
type Stage struct {
	api      *API
	config   StageConfig
	format   accessFormat
	requests *bucket
	serves   atomic.Pointer[deployment]
}

var stageName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

// CreateStage starts serving a deployment.
func (a *API) CreateStage(c StageConfig) (*Stage, error) {
	s := &Stage{api: a, config: c, requests: newBucket(-1, 0)}
	if err := a.checkStage(c); err != nil {
		return nil, err
	}
	var err error
	if s.format, err = newAccessFormat(c); err != nil {
		return nil, err
	}
	if c.ThrottleRate > 0 || c.ThrottleBurst > 0 {
		s.requests = newBucket(c.ThrottleRate, c.ThrottleBurst)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, taken := a.stages[c.Name]; taken {
		return nil, conflict("Stage already exists")
	}
	switch d := a.deployments[c.Deployment]; {
	case c.AutoDeploy:
		s.serves.Store(a.snapshot())
	case d == nil:
		return nil, notFound("Deployment id %q does not exist", c.Deployment)
	default:
		s.serves.Store(d)
	}
	a.stages[c.Name] = s
	return s, nil
}

// checkStage refuses settings in the same words as AWS where they are known.
func (a *API) checkStage(c StageConfig) error {
	switch {
	case c.Name == "$default" && a.config.Protocol == HTTP:
	case !stageName.MatchString(c.Name):
		return badRequest("the stage name %q does not fit %s", c.Name, stageName)
	}
	switch {
	case c.AutoDeploy && a.config.Protocol == WebSocket:
		return badRequest("AutoDeploy is not supported for WebSocket APIs")
	case c.AutoDeploy && c.Deployment != "":
		return badRequest("the stage %s has a deployment and deploys by itself", c.Name)
	case c.AccessLogDestination != "" && a.config.Protocol == WebSocket && a.g.LogRole() == "":
		return badRequest("CloudWatch Logs role ARN must be set in account settings to enable logging")
	case c.ThrottleRate < 0 || c.ThrottleBurst < 0:
		return badRequest("the throttling of the stage %s is negative", c.Name)
	}
	return nil
}

// InvokeURL is ws://127.0.0.1:<port>/<stage>, http://127.0.0.1:<port>/<stage>, or http://127.0.0.1:<port>/ for
// $default.
func (s *Stage) InvokeURL() string {
	if s.config.Name == "$default" {
		return s.api.Endpoint() + "/"
	}
	return s.api.Endpoint() + "/" + s.config.Name
}

// ARN is the stage's ARN.
func (s *Stage) ARN() string { return s.api.ARN() + "/stages/" + s.config.Name }

// ExecutionARN is arn:aws:execute-api:<region>:<account>:<api>/<stage>, the prefix of the ARNs of the stage's routes.
func (s *Stage) ExecutionARN() string { return s.api.ExecutionARN() + "/" + s.config.Name }

// routeARN is the ARN under which a function's permission and an authorizer's policy name a route.
func (s *Stage) routeARN(key string) string {
	if method, path, ok := strings.Cut(key, " "); ok { // of an HTTP API: <METHOD>/<path>
		return s.ExecutionARN() + "/" + method + path
	}
	return s.ExecutionARN() + "/" + key
}

func (s *Stage) metric(name, unit string, value float64) {
	if m := s.api.g.options.Metric; m != nil {
		m(Metric{API: s.api.id, Stage: s.config.Name, Name: name, Unit: unit, Value: value, Time: s.api.g.options.Now()})
	}
}

func (s *Stage) latency(name string, d time.Duration) {
	s.metric(name, "Milliseconds", float64(d)/float64(time.Millisecond))
}

func (s *Stage) String() string { return fmt.Sprintf("%s/%s", s.api.config.Name, s.config.Name) }

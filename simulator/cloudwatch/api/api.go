// Package api is CloudWatch's API over HTTP: alarms with their history, metrics and dashboards, for the AWS CLI and
// SDKs.
package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/cloudwatch/alarm"
	"heliograph/simulator/wire"
)

// Options are the data behind the API.
type Options struct {
	Store  *cloudwatch.Store
	Alarms *alarm.Engine
	// Dashboard returns the body of a dashboard.
	Dashboard func(name string) (body string, ok bool)
	// Account is part of dashboards' ARNs.
	Account string
}

// Service returns the API. Newer clients use CBOR, older ones the query protocol.
func Service(o Options) wire.Service {
	s := service{o}
	return wire.Service{
		Name: "monitoring", Permissions: "cloudwatch", TargetPrefix: "GraniteServiceVersion20100801", JSONVersion: "1.0", CBOR: true,
		ErrorPrefix:    "com.amazonaws.cloudwatch",
		Model:          model,
		QueryNamespace: "http://monitoring.amazonaws.com/doc/2010-08-01/", QueryVersion: "2010-08-01",
		Actions: map[string]wire.Action{
			"DescribeAlarms":       wire.Do(s.describeAlarms, everything),
			"DescribeAlarmHistory": wire.Do(s.describeHistory, everything),
			"SetAlarmState": wire.Do(s.setState, func(in *setStateInput) []string {
				a, _ := o.Alarms.Alarm(in.AlarmName)
				return []string{cmp.Or(a.ARN, "*")}
			}),
			"GetMetricData":       wire.Do(s.metricData, everything),
			"GetMetricStatistics": wire.Do(s.statistics, everything),
			"ListMetrics":         wire.Do(s.listMetrics, everything),
			"PutMetricData":       wire.Do(s.putMetricData, everything),
			"GetDashboard":        wire.Do(s.dashboard, func(in *dashboardInput) []string { return []string{s.dashboardARN(in.DashboardName)} }),
		},
	}
}

type service struct{ Options }

// everything is the resource of actions that IAM cannot restrict.
func everything[In any](*In) []string { return []string{"*"} }

func invalid(format string, args ...any) error {
	return &wire.Error{Code: "InvalidParameterValueException", QueryCode: "InvalidParameterValue", Message: fmt.Sprintf(format, args...)}
}

func notFound(code, format string, args ...any) error {
	return &wire.Error{Code: code, QueryCode: "ResourceNotFound", Message: fmt.Sprintf(format, args...), Status: http.StatusNotFound}
}

// page returns part of a list, and the token of the next page: the number of elements already returned.
func page[T any](all []T, token string, size int) (part []T, next string, err error) {
	from := 0
	if token != "" {
		if from, err = strconv.Atoi(token); err != nil || from < 0 || from > len(all) {
			return nil, "", wire.Errorf("InvalidNextToken", "the token %q is not one of this list", token)
		}
	}
	to := min(from+size, len(all))
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return all[from:to], next, nil
}

type dashboardInput struct{ DashboardName string }

type dashboardOutput struct{ DashboardArn, DashboardBody, DashboardName string }

func (s service) dashboardARN(name string) string {
	return "arn:aws:cloudwatch::" + s.Account + ":dashboard/" + name
}

func (s service) dashboard(_ context.Context, in *dashboardInput) (*dashboardOutput, error) {
	body, ok := s.Dashboard(in.DashboardName)
	if !ok {
		return nil, notFound("DashboardNotFoundError", "Dashboard %s does not exist", in.DashboardName)
	}
	return &dashboardOutput{s.dashboardARN(in.DashboardName), body, in.DashboardName}, nil
}

func seconds(d time.Duration) int { return int(d / time.Second) }

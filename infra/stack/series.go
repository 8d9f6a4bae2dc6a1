package stack

import (
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"heliograph"

	"heliograph/observability/catalogue"
)

// series is one CloudWatch metric: a name with the values of its dimensions.
type series struct {
	namespace, name string
	dimensions      map[string]string
}

// own returns the series of a metric in our own catalogue: one, or one for each function that emits it.
func (d *deployment) own(m catalogue.Metric) []series {
	if !m.PerFunction() {
		return []series{{catalogue.Namespace, m.Name(), map[string]string{catalogue.DimensionStage: d.stage}}}
	}
	var all []series
	for _, name := range m.Functions() {
		all = append(all, series{catalogue.Namespace, m.Name(), map[string]string{
			catalogue.DimensionStage:    d.stage,
			catalogue.DimensionFunction: name,
		}})
	}
	return all
}

// ofFunction is a metric that Lambda itself records for a function, given by its short name.
func (d *deployment) ofFunction(metric, name string) series {
	return series{"AWS/Lambda", metric, map[string]string{"FunctionName": d.physical(name)}}
}

// ofFunctions returns such a metric for every function.
func (d *deployment) ofFunctions(metric string) []series {
	var all []series
	for _, name := range heliograph.Functions() {
		all = append(all, d.ofFunction(metric, name))
	}
	return all
}

func ofQueue(metric string, q queue) series {
	return series{"AWS/SQS", metric, map[string]string{"QueueName": q.name}}
}

func (d *deployment) ofTable(metric string) series {
	return series{"AWS/DynamoDB", metric, map[string]string{"TableName": d.physical("")}}
}

// ofIndex is a metric of the table's index, which DynamoDB meters separately: the online list, the sweep and the gauges
// read it.
func (d *deployment) ofIndex(metric string) series {
	return series{"AWS/DynamoDB", metric, map[string]string{"TableName": d.physical(""), "GlobalSecondaryIndexName": leaseIndex}}
}

// ownOf is one of our own metrics for one function, given by its short name.
func (d *deployment) ownOf(m catalogue.Metric, function string) series {
	return series{catalogue.Namespace, m.Name(), map[string]string{
		catalogue.DimensionStage: d.stage, catalogue.DimensionFunction: function,
	}}
}

// ofOperation is a metric that DynamoDB records for each kind of call on the table.
func (d *deployment) ofOperation(metric, operation string) series {
	return series{"AWS/DynamoDB", metric, map[string]string{"TableName": d.physical(""), "Operation": operation}}
}

func ofTopic(metric, topic string) series {
	return series{"AWS/SNS", metric, map[string]string{"TopicName": topic}}
}

// ofSockets and ofRequests are metrics of the WebSocket API and of the HTTP API.
func (d *deployment) ofSockets(metric string) series { return ofAPI(metric, socketID, d.stage) }

func (d *deployment) ofRequests(metric string) series { return ofAPI(metric, requestID, defaultStage) }

func ofAPI(metric, api, stage string) series {
	return series{"AWS/ApiGateway", metric, map[string]string{"ApiId": api, "Stage": stage}}
}

// Alarms and the dashboard refer to the APIs by their ids, which only AWS knows. These placeholders stand for them
// until the APIs exist.
const (
	socketID  = "@webSocketApi"
	requestID = "@httpApi"
)

// apiIDs maps the placeholders to the real ids.
type apiIDs map[string]pulumi.IDOutput

// dimensions returns a series' dimensions with the real ids.
func (ids apiIDs) dimensions(s series) pulumi.StringMap {
	all := pulumi.StringMap{}
	for name, value := range s.dimensions {
		if id, ok := ids[value]; ok {
			all[name] = id.ToStringOutput()
		} else {
			all[name] = pulumi.String(value)
		}
	}
	return all
}

// dimensionNames are sorted, so that the same program always gives the same text.
func (s series) dimensionNames() []string { return slices.Sorted(maps.Keys(s.dimensions)) }

package stack

import (
	"maps"
	"slices"

	"heliograph"
	"heliograph/observability/catalogue"
)

// series is one CloudWatch metric: a name with the values of its dimensions.
type series struct {
	namespace, name string
	dimensions      map[string]string
}

// own is a metric of our own catalogue: one series, or one for each function that emits it.
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

// ofFunction is a metric that Lambda itself keeps of a function, given by its short name.
func (d *deployment) ofFunction(metric, name string) series {
	return series{"AWS/Lambda", metric, map[string]string{"FunctionName": d.physical(name)}}
}

// ofFunctions is such a metric of every function.
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

// ofIndex is a metric of the table's index, which DynamoDB meters apart: the online list, the sweep and the gauges read it.
func (d *deployment) ofIndex(metric string) series {
	return series{"AWS/DynamoDB", metric, map[string]string{"TableName": d.physical(""), "GlobalSecondaryIndexName": leaseIndex}}
}

func ofAPI(metric, api, stage string) series {
	return series{"AWS/ApiGateway", metric, map[string]string{"ApiId": api, "Stage": stage}}
}

// dimensionNames are in a fixed order, so that the same program always gives the same text.
func (s series) dimensionNames() []string { return slices.Sorted(maps.Keys(s.dimensions)) }

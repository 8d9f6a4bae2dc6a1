package published

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// unlisted are metrics that AWS documents and the AWS CDK's database lacks, with the place where they are documented.
var unlisted = map[string]string{
	"AWS/ApiGateway [ApiId Stage] 4xx":              byStage,
	"AWS/ApiGateway [ApiId Stage] 5xx":              byStage,
	"AWS/ApiGateway [ApiId Stage] ClientError":      byStage,
	"AWS/ApiGateway [ApiId Stage] ConnectCount":     byStage,
	"AWS/ApiGateway [ApiId Stage] ExecutionError":   byStage,
	"AWS/ApiGateway [ApiId Stage] IntegrationError": byStage,
	"AWS/ApiGateway [ApiId Stage] MessageCount":     byStage,
	"AWS/Lambda [FunctionName] AsyncEventsReceived": ofLambda,
	"AWS/Lambda [] AsyncEventsReceived":             ofLambda,
	"AWS/Lambda [] ClaimedAccountConcurrency":       ofLambda,
}

const (
	byStage  = "API Gateway's pages on the metrics of HTTP and WebSocket APIs: by ApiId, and by ApiId with Stage"
	ofLambda = "Lambda's page on types of metrics"
)

// MetricKey identifies a metric with its set of dimensions, as "AWS/DynamoDB [Operation TableName] SystemErrors".
func MetricKey(namespace string, dimensions []string, name string) string {
	return namespace + " [" + strings.Join(slices.Sorted(slices.Values(dimensions)), " ") + "] " + name
}

// entity is a row of the AWS CDK's database: a metric or a set of dimensions.
type entity struct {
	ID         string `json:"$id"`
	Name       string
	Namespace  string
	Dimensions []struct{ Name string }
}

// database is the part of the AWS CDK's database that describes metrics.
type database struct {
	Schema struct {
		Metric, DimensionSet struct{ Entities []entity }
		UsesDimensionSet     struct{ Forward map[string][]entity } // by the metric's id
	}
}

func readDatabase() (db database, err error) {
	file, err := open(metricsPackage, "db.json.gz")
	if err != nil {
		return db, err
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err == nil {
		err = json.NewDecoder(unpacked).Decode(&db)
	}
	if err != nil {
		return db, fmt.Errorf("read %s: %w", metricsPackage, err)
	}
	return db, nil
}

// Metrics returns the MetricKeys of AWS's own metrics, by the AWS CDK's database and, where that has gaps, by AWS's
// documentation.
func Metrics() (map[string]bool, error) {
	db, err := readDatabase()
	if err != nil {
		return nil, err
	}
	sets := map[string][]string{}
	for _, set := range db.Schema.DimensionSet.Entities {
		for _, d := range set.Dimensions {
			sets[set.ID] = append(sets[set.ID], d.Name)
		}
	}
	keys := map[string]bool{}
	for _, m := range db.Schema.Metric.Entities {
		for _, set := range db.Schema.UsesDimensionSet.Forward[m.ID] {
			keys[MetricKey(m.Namespace, sets[set.ID], m.Name)] = true
		}
	}
	for key, where := range unlisted {
		if keys[key] {
			return nil, fmt.Errorf("%s is listed by now: %s need not be cited for it", key, where)
		}
		keys[key] = true
	}
	return keys, nil
}

package cloud

import (
	"strings"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/gateway"
	"heliograph/simulator/iam"
	"heliograph/simulator/lambda"
	"heliograph/simulator/sns"
)

// watch brings the logs and metrics of functions, gateways and tables into CloudWatch, as AWS does by itself.
type watch struct {
	Place
	store     *cloudwatch.Store
	roles     *iam.Roles
	functions *lambda.Platform
	journal   *Journal
	log       func(lambda.LogLine) // nil: no listener
}

// functionLog writes a line to its log group, if the function's role allows that. On AWS, a line of a function without
// these permissions is lost silently; here the journal reports it.
func (w *watch) functionLog(line lambda.LogLine) {
	if w.log != nil {
		w.log(line)
	}
	if f, ok := w.functions.Function(string(line.Function)); ok {
		group := w.ARN("logs", "log-group:"+line.LogGroup)
		for action, resource := range map[string]string{
			"logs:CreateLogStream": group + ":log-stream:" + line.LogStream,
			"logs:PutLogEvents":    group + ":log-stream:" + line.LogStream,
		} {
			if err := w.roles.CheckRole(iam.NameOf(f.Role), action, resource); err != nil {
				w.journal.Problem("a log line was lost: " + err.Error())
				return
			}
		}
	}
	w.store.Ingest(line.LogGroup, line.LogStream, line.Text, line.Time)
}

// functionMetric records a function's metric twice: for the function, and without a dimension for all functions
// together.
func (w *watch) functionMetric(m lambda.Metric) {
	if m.Function != "" {
		w.put("AWS/Lambda", m.Name, m.Unit, m.Value, m.Time, cloudwatch.Dimension{Name: "FunctionName", Value: string(m.Function)})
	}
	if m.Name != "ConcurrentExecutions" { // whose values do not add up
		w.put("AWS/Lambda", m.Name, m.Unit, m.Value, m.Time)
	}
}

// iteratorAge measures how far a function lags behind its stream.
func (w *watch) iteratorAge(function string) func(time.Duration) {
	f, _ := w.functions.Function(function) // a source without a function is refused
	return func(age time.Duration) {
		w.functionMetric(lambda.Metric{
			Function: f.Name, Name: "IteratorAge", Unit: "Milliseconds", Value: float64(age / time.Millisecond), Time: time.Now(),
		})
	}
}

// gatewayMetric records an API's metric twice: for the API and for its stage.
func (w *watch) gatewayMetric(m gateway.Metric) {
	api := cloudwatch.Dimension{Name: "ApiId", Value: string(m.API)}
	w.put("AWS/ApiGateway", m.Name, m.Unit, m.Value, m.Time, api)
	if m.Stage != "" {
		w.put("AWS/ApiGateway", m.Name, m.Unit, m.Value, m.Time, api, cloudwatch.Dimension{Name: "Stage", Value: m.Stage})
	}
}

func (w *watch) topicMetric(topic sns.TopicARN, name string, value float64) {
	w.put("AWS/SNS", name, "Count", value, time.Now(), cloudwatch.Dimension{Name: "TopicName", Value: topicName(string(topic))})
}

func topicName(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

func (w *watch) put(namespace, name, unit string, value float64, at time.Time, dimensions ...cloudwatch.Dimension) {
	err := w.store.PutMetric(cloudwatch.Datum{
		Namespace: namespace, Name: name, Unit: unit, Value: value, Time: at, Dimensions: dimensions,
	})
	if err != nil {
		w.journal.Problem("a metric was dropped: " + err.Error())
	}
}

// accessLog writes a line of an API's access log to the group that its stage names.
func (w *watch) accessLog(destination, line string) {
	group := strings.TrimPrefix(destination, w.ARN("logs", "log-group:"))
	w.store.Ingest(strings.TrimSuffix(group, ":*"), "access", line, time.Now())
}

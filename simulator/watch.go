package simulator

import (
	"strings"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/gateway"
	"heliograph/simulator/iam"
	"heliograph/simulator/lambda"
)

// lambdaOptions connect the functions to what watches them, and to the AWS APIs that they call.
func (c *cloud) lambdaOptions(workDir string) lambda.Options {
	return lambda.Options{
		Region: c.region, Account: c.account, WorkDir: workDir,
		Environ: c.functionEnviron, Log: c.functionLog, Metric: c.functionMetric, Before: c.beforeInvocation,
		Segment: func(document []byte) {
			if err := c.traces.Put(document); err != nil {
				c.console.problem("a trace of Lambda was dropped: " + err.Error())
			}
		},
		XRayDaemon: c.traces.Address(), Deliver: c.deliver,
	}
}

// functionEnviron is what leads an unmodified AWS SDK here, and tells who is calling.
func (c *cloud) functionEnviron(f lambda.Function) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + c.address(),
		"AWS_ACCESS_KEY_ID=" + iam.AccessKey(iam.NameOf(f.Role)),
		"AWS_SECRET_ACCESS_KEY=simulated",
		"AWS_SESSION_TOKEN=simulated",
	}
}

// functionLog takes a line where it would go on AWS, into its log group, if the function's role lets it.
func (c *cloud) functionLog(line lambda.LogLine) {
	c.console.functionLog(line)
	if f, ok := c.functions.Function(string(line.Function)); ok {
		group := c.arn("logs", "log-group:"+line.LogGroup)
		for action, resource := range map[string]string{
			"logs:CreateLogStream": group + ":log-stream:" + line.LogStream,
			"logs:PutLogEvents":    group + ":log-stream:" + line.LogStream,
		} {
			if err := c.roles.CheckRole(iam.NameOf(f.Role), action, resource); err != nil {
				c.console.problem("a log line was lost: " + err.Error())
				return
			}
		}
	}
	c.watch.Ingest(line.LogGroup, line.LogStream, line.Text, line.Time)
}

func (c *cloud) functionMetric(m lambda.Metric) {
	c.putMetric("AWS/Lambda", m.Name, m.Unit, m.Value, m.Time, cloudwatch.Dimension{Name: "FunctionName", Value: string(m.Function)})
}

func (c *cloud) gatewayMetric(m gateway.Metric) {
	dimensions := []cloudwatch.Dimension{{Name: "ApiId", Value: string(m.API)}}
	if m.Stage != "" {
		dimensions = append(dimensions, cloudwatch.Dimension{Name: "Stage", Value: m.Stage})
	}
	c.putMetric("AWS/ApiGateway", m.Name, m.Unit, m.Value, m.Time, dimensions...)
}

func (c *cloud) putMetric(namespace, name, unit string, value float64, at time.Time, dimensions ...cloudwatch.Dimension) {
	err := c.watch.PutMetric(cloudwatch.Datum{
		Namespace: namespace, Name: name, Unit: unit, Value: value, Time: at, Dimensions: dimensions,
	})
	if err != nil {
		c.console.problem("a metric was dropped: " + err.Error())
	}
}

// accessLog takes a line of an API's access log, into the group that its stage names.
func (c *cloud) accessLog(destination, line string) {
	group := strings.TrimPrefix(destination, c.arn("logs", "log-group:"))
	c.watch.Ingest(strings.TrimSuffix(group, ":*"), "access", line, time.Now())
}

package observability

// Namespace is the CloudWatch namespace of every metric of Heliograph.
const Namespace = "Heliograph"

// The only two dimensions there are. Every combination of dimension values is a metric of its own that
// is paid for, so ids never become dimensions: they are properties.
const (
	DimensionStage    = "Stage"
	DimensionFunction = "Function"
)

// Unit is a CloudWatch unit, one of those that the embedded metric format allows.
type Unit string

// The units that Heliograph's metrics use.
const (
	Count        Unit = "Count"
	Milliseconds Unit = "Milliseconds"
)

// Kind says how the values of one invocation become data points.
type Kind string

const (
	// Counter values are summed: one number per invocation.
	Counter Kind = "counter"
	// Observation values are kept one by one, so that CloudWatch can make percentiles of them.
	Observation Kind = "observation"
	// Gauge values replace each other: the last one of an invocation counts.
	Gauge Kind = "gauge"
)

// Metric is one metric, declared once, in catalogue.go. Dashboard, alarms and docs/metrics.md are made
// from these declarations.
type Metric struct {
	// Name is the name in CloudWatch, in CamelCase.
	Name string
	// Unit is the unit in CloudWatch.
	Unit Unit
	// Kind says how values are put together.
	Kind Kind
	// PerFunction metrics have the dimensions Stage and Function, all others Stage alone.
	PerFunction bool
	// Functions are the short names of the functions that emit it, sorted.
	Functions []string
	// Meaning is one sentence or two: what one unit of it stands for.
	Meaning string
}

// Dimensions is the metric's one dimension set: [Stage] or [Stage, Function].
func (m Metric) Dimensions() []string {
	if m.PerFunction {
		return []string{DimensionStage, DimensionFunction}
	}
	return []string{DimensionStage}
}

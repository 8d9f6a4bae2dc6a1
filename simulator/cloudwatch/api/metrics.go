package api

import (
	"context"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/wire"
)

type dimension struct {
	Name  string
	Value string
}

func dimensionsOf(all []cloudwatch.Dimension) []dimension {
	out := make([]dimension, len(all))
	for i, d := range all {
		out[i] = dimension(d)
	}
	return out
}

func readDimensions(all []dimension) []cloudwatch.Dimension {
	out := make([]cloudwatch.Dimension, len(all))
	for i, d := range all {
		out[i] = cloudwatch.Dimension(d)
	}
	return out
}

// dataQuery is a MetricDataQuery.
type dataQuery struct {
	ID         string      `json:"Id"`
	MetricStat *metricStat `json:",omitempty"`
	Expression string      `json:",omitempty"`
	Label      string      `json:",omitempty"`
	ReturnData *bool       `json:",omitempty"`
	Period     int         `json:",omitempty"`
}

type metricStat struct {
	Metric metric
	Period int
	Stat   string
	Unit   string `json:",omitempty"`
}

type metric struct {
	Namespace  string
	MetricName string
	Dimensions []dimension
}

func queryOf(q cloudwatch.DataQuery) dataQuery {
	returned := !q.Hidden
	out := dataQuery{ID: q.ID, Expression: q.Expression, Label: q.Label, ReturnData: &returned}
	if m := q.Metric; m != nil {
		out.MetricStat = &metricStat{metric{m.Namespace, m.Name, dimensionsOf(m.Dimensions)}, seconds(q.Period), m.Stat, m.Unit}
	} else {
		out.Period = seconds(q.Period)
	}
	return out
}

func (q dataQuery) read() cloudwatch.DataQuery {
	out := cloudwatch.DataQuery{
		ID: q.ID, Expression: q.Expression, Label: q.Label, Hidden: q.ReturnData != nil && !*q.ReturnData, Period: time.Duration(q.Period) * time.Second,
	}
	if m := q.MetricStat; m != nil {
		out.Period = time.Duration(m.Period) * time.Second
		out.Metric = &cloudwatch.MetricStat{
			Namespace: m.Metric.Namespace, Name: m.Metric.MetricName, Dimensions: readDimensions(m.Metric.Dimensions), Unit: m.Unit, Stat: m.Stat,
		}
	}
	return out
}

type dataInput struct {
	MetricDataQueries  []dataQuery
	StartTime, EndTime wire.Time
	ScanBy             string
	MaxDatapoints      int
	NextToken          string
}

type dataOutput struct{ MetricDataResults []dataResult }

type dataResult struct {
	ID         string `json:"Id"`
	Label      string
	Timestamps []wire.Time
	Values     []float64
	StatusCode string
}

// metricData implements GetMetricData: missing values have no datapoint, and the newest comes first unless requested
// otherwise.
func (s service) metricData(_ context.Context, in *dataInput) (*dataOutput, error) {
	var queries []cloudwatch.DataQuery
	for _, q := range in.MetricDataQueries {
		queries = append(queries, q.read())
	}
	data, err := s.Store.Data(queries, in.StartTime.Time, in.EndTime.Time)
	if err != nil {
		return nil, wire.Errorf("ValidationError", "%v", err)
	}
	out := &dataOutput{MetricDataResults: []dataResult{}}
	for _, d := range data {
		if d.Hidden {
			continue
		}
		r := dataResult{ID: d.ID, Label: d.Label, Timestamps: []wire.Time{}, Values: []float64{}, StatusCode: "Complete"}
		for i, v := range d.Values {
			if !math.IsNaN(v) {
				r.Timestamps, r.Values = append(r.Timestamps, wire.Time{Time: d.TimeOf(i)}), append(r.Values, v)
			}
		}
		if in.ScanBy != "TimestampAscending" {
			slices.Reverse(r.Timestamps)
			slices.Reverse(r.Values)
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	return out, nil
}

type statisticsInput struct {
	Namespace, MetricName          string
	Dimensions                     []dimension
	StartTime, EndTime             wire.Time
	Period                         int
	Statistics, ExtendedStatistics []string
	Unit                           string
}

type statisticsOutput struct {
	Label      string
	Datapoints []datapoint
}

type datapoint struct {
	Timestamp                                   wire.Time
	SampleCount, Average, Sum, Minimum, Maximum *float64
	ExtendedStatistics                          map[string]float64 `json:",omitempty"`
	Unit                                        string
}

// put sets a statistic.
func (d *datapoint) put(name string, v float64) {
	switch name {
	case "SampleCount":
		d.SampleCount = &v
	case "Average":
		d.Average = &v
	case "Sum":
		d.Sum = &v
	case "Minimum":
		d.Minimum = &v
	case "Maximum":
		d.Maximum = &v
	default:
		if d.ExtendedStatistics == nil {
			d.ExtendedStatistics = map[string]float64{}
		}
		d.ExtendedStatistics[name] = v
	}
}

func (s service) statistics(_ context.Context, in *statisticsInput) (*statisticsOutput, error) {
	out := &statisticsOutput{Label: in.MetricName, Datapoints: []datapoint{}}
	names := slices.Concat(in.Statistics, in.ExtendedStatistics)
	if len(names) == 0 {
		return nil, &wire.Error{
			Code: "MissingRequiredParameterException", QueryCode: "MissingParameter", Message: "Statistics or ExtendedStatistics must be given",
		}
	}
	for _, name := range names {
		points, err := s.Store.Statistics(cloudwatch.Query{
			Namespace: in.Namespace, Name: in.MetricName, Dimensions: readDimensions(in.Dimensions), Unit: in.Unit, Statistic: name,
			Start: in.StartTime.Time, End: in.EndTime.Time, Period: time.Duration(in.Period) * time.Second,
		})
		if err != nil {
			return nil, invalid("%v", err)
		}
		for i, p := range points { // the same periods for each statistic
			if i == len(out.Datapoints) {
				out.Datapoints = append(out.Datapoints, datapoint{Timestamp: wire.Time{Time: p.Time}, Unit: s.unit(in)})
			}
			out.Datapoints[i].put(name, p.Value)
		}
	}
	return out, nil
}

// unit is the requested unit, or that of the metric's values.
func (s service) unit(in *statisticsInput) string {
	if in.Unit != "" {
		return in.Unit
	}
	for _, m := range s.Store.Series() {
		if m.Namespace == in.Namespace && m.Name == in.MetricName && len(m.Dimensions) == len(in.Dimensions) {
			return m.Unit
		}
	}
	return "None"
}

type listInput struct {
	Namespace, MetricName string
	Dimensions            []dimension
	NextToken             string
	RecentlyActive        string
}

type listOutput struct {
	Metrics   []metric
	NextToken string `json:",omitempty"`
}

// pageOfMetrics is how many metrics a response has.
const pageOfMetrics = 500

func (s service) listMetrics(_ context.Context, in *listInput) (*listOutput, error) {
	metrics := []metric{}
	for _, m := range s.Store.Series() {
		found := metric{m.Namespace, m.Name, dimensionsOf(m.Dimensions)}
		twice := len(metrics) > 0 && reflect.DeepEqual(metrics[len(metrics)-1], found) // in another unit: it directly follows
		if in.wants(found) && !twice {
			metrics = append(metrics, found)
		}
	}
	metrics, next, err := page(metrics, in.NextToken, pageOfMetrics)
	return &listOutput{metrics, next}, err
}

func (in *listInput) wants(m metric) bool {
	return (in.Namespace == "" || in.Namespace == m.Namespace) && (in.MetricName == "" || in.MetricName == m.MetricName) &&
		!slices.ContainsFunc(in.Dimensions, func(want dimension) bool {
			return !slices.ContainsFunc(m.Dimensions, func(d dimension) bool {
				return d.Name == want.Name && (want.Value == "" || want.Value == d.Value)
			})
		})
}

type putInput struct {
	Namespace  string
	MetricData []datum
}

type datum struct {
	MetricName        string
	Dimensions        []dimension
	Timestamp         wire.Time
	Value             *float64
	Values, Counts    []float64
	Unit              string
	StorageResolution int
}

func (s service) putMetricData(_ context.Context, in *putInput) (*nothing, error) {
	if strings.HasPrefix(in.Namespace, "AWS/") {
		return nil, invalid("The value AWS/ for parameter Namespace is invalid.")
	}
	for _, d := range in.MetricData {
		if err := s.putDatum(in.Namespace, d); err != nil {
			return nil, err
		}
	}
	return &nothing{}, nil
}

// putDatum stores one datum, each of its values as often as its count says.
func (s service) putDatum(namespace string, d datum) error {
	values := d.Values
	if d.Value != nil {
		values = []float64{*d.Value}
	}
	if len(values) == 0 || len(d.Counts) != 0 && len(d.Counts) != len(values) {
		return invalid("%s must have a Value, or Values with as many Counts", d.MetricName)
	}
	for i, v := range values {
		times := 1
		if len(d.Counts) > 0 {
			times = int(d.Counts[i])
		}
		for range times {
			if err := s.Store.PutMetric(cloudwatch.Datum{
				Namespace: namespace, Name: d.MetricName, Dimensions: readDimensions(d.Dimensions), Unit: d.Unit, Value: v, Time: d.Timestamp.Time,
				HighResolution: d.StorageResolution == 1,
			}); err != nil {
				return invalid("%v", err)
			}
		}
	}
	return nil
}
